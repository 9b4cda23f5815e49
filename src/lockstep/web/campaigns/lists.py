"""Campaigns as lists: by campaign, by client, and who went quiet."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.urls import reverse
from django.utils import timezone

from lockstep.apps.accounts.permissions import Permission
from lockstep.apps.campaigns.queries import (
    CLIENT_SORTS,
    QUIET_CAMPAIGNS,
    CampaignFilter,
    by_client,
    campaign_list,
    last_read,
    quiet_contacts,
)
from lockstep.apps.campaigns.report_sets import address_of_quiet
from lockstep.apps.campaigns.services import refresh_campaigns
from lockstep.web.campaigns import plots
from lockstep.web.doors import AskedRequest, answer, door, go

__all__ = ["clients", "index", "quiet", "refresh"]

NAV = "campaigns"

#: Key in the address, words, days; the first is what counts without one.
PERIODS = (("6m", "6 months", 183), ("3m", "3 months", 92), ("1y", "1 year", 366), ("all", "All", 0))

QUIET_CHOICES = (3, QUIET_CAMPAIGNS, 10)


def page_number(request: AskedRequest) -> int:
    """The page that is asked for; 1 for what is no number."""
    text = request.GET.get("page", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 7 else 1


def _wanted(request: AskedRequest, *, search: str = "") -> tuple[CampaignFilter, str]:
    period = request.GET.get("sent", "")
    key, _, days = next((one for one in PERIODS if one[0] == period), PERIODS[0])
    since = timezone.now() - timedelta(days=days) if days else None
    return CampaignFilter(search=search[:200], since=since), key


def _frame(request: AskedRequest, tab: str, period: str) -> dict[str, Any]:
    read_at, trouble = last_read(request.actor)
    return {
        "tab": tab,
        "periods": [(key, words) for key, words, _ in PERIODS],
        "period": period,
        "read_at": read_at,
        "trouble": trouble,
        "q": request.GET.get("q", "")[:200],
    }


@door(Permission.VIEW_SYNC, nav=NAV)
def index(request: AskedRequest) -> HttpResponse:
    wanted, period = _wanted(request, search=request.GET.get("q", ""))
    listed = campaign_list(request.actor, wanted, page=page_number(request))
    context = _frame(request, "campaigns", period) | {
        "listed": listed,
        "plot": plots.shares(listed.rows[:12]),
        "narrowed": bool(wanted.search.strip()) or wanted.since is not None,
    }
    return answer(request, "campaigns/index.html", context, fragment="rows")


@door(Permission.VIEW_SYNC, nav=NAV)
def clients(request: AskedRequest) -> HttpResponse:
    wanted, period = _wanted(request)
    sort = request.GET.get("sort", "")
    sort = sort if sort in CLIENT_SORTS else "-clicked"
    search = request.GET.get("q", "")[:200]
    listed = by_client(request.actor, wanted, search=search, sort=sort, page=page_number(request))
    context = _frame(request, "clients", period) | {"listed": listed, "sort": sort}
    return answer(request, "campaigns/clients.html", context, fragment="rows")


@door(Permission.VIEW_SYNC, nav=NAV)
def quiet(request: AskedRequest) -> HttpResponse:
    asked = request.GET.get("campaigns", "")
    number = int(asked) if asked in {str(choice) for choice in QUIET_CHOICES} else QUIET_CAMPAIGNS
    found = quiet_contacts(request.actor, campaigns=number).select_related("client")
    page = Paginator(found.order_by("name_key", "pk"), 25).get_page(page_number(request))
    context = _frame(request, "quiet", "") | {
        "page": page,
        "number": number,
        "choices": QUIET_CHOICES,
        "report": address_of_quiet(number),
    }
    return answer(request, "campaigns/quiet.html", context, fragment="rows")


@door(Permission.VIEW_SYNC, methods=("POST",))
def refresh(request: AskedRequest) -> HttpResponse:
    """Look at Mailchimp for news of all campaigns."""
    if refresh_campaigns(request.actor):
        messages.success(request, "Lockstep looks at Mailchimp for news of your campaigns now.")
    else:
        messages.error(request, "There is no audience to read campaigns of: start the sync first.")
    return go(request, reverse("campaigns:index"))
