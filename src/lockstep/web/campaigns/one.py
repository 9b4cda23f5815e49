"""One campaign: totals, how it went over time, links, who reacted; and the part of it on a contact's page."""

from __future__ import annotations

from django.core.paginator import Paginator
from django.http import HttpResponse

from lockstep.apps.accounts.permissions import Permission
from lockstep.apps.campaigns.queries import (
    REACTIONS,
    Reaction,
    activity_over_time,
    activity_stamp,
    by_client,
    by_rep,
    by_tag,
    campaign_row,
    contact_activity,
    contacts_who,
    links_of,
)
from lockstep.apps.campaigns.report_sets import address_of_reaction
from lockstep.apps.campaigns.services import look_at
from lockstep.web.campaigns import plots
from lockstep.web.campaigns.lists import NAV, page_number
from lockstep.web.doors import AskedRequest, answer, door

__all__ = ["campaign", "contacts", "of_contact_live"]

BY = {"client": "By client", "rep": "By rep", "tag": "By tag", "client-tag": "By client tag"}

NOTHING_NEW = 204
"""htmx swaps nothing on this answer."""


@door(Permission.VIEW_SYNC, nav=NAV)
def campaign(request: AskedRequest, campaign_id: int) -> HttpResponse:
    """Opening it has it read at once; while it is being read, the page asks again by itself."""
    if not request.htmx:
        look_at(request.actor, campaign_id)
    row = campaign_row(request.actor, campaign_id)
    by = request.GET.get("by", "client")
    by = by if by in BY else "client"
    total = 0
    if by == "client":
        listed = by_client(request.actor, campaign_id=campaign_id, page=page_number(request))
        groups, total = listed.rows, listed.total
    elif by == "rep":
        listed, groups = None, by_rep(request.actor, campaign_id=campaign_id)
    else:
        listed, groups = None, by_tag(request.actor, campaign_id, of_clients=by == "client-tag")
    context = {
        "row": row,
        "plot": plots.over_time(activity_over_time(request.actor, campaign_id)),
        "links": links_of(request.actor, campaign_id),
        "by": by,
        "ways": BY,
        "groups": groups,
        "listed": listed,
        "total": total,
        "reactions": [(key, words) for key, words in REACTIONS.items() if key is not Reaction.SENT],
    }
    return answer(request, "campaigns/campaign.html", context, fragment="live")


@door(Permission.VIEW_SYNC, nav=NAV)
def contacts(request: AskedRequest, campaign_id: int) -> HttpResponse:
    """Who reacted in which way, as a list to call or to write to."""
    row = campaign_row(request.actor, campaign_id)
    asked = request.GET.get("reaction", "")
    reaction = Reaction(asked) if asked in set(Reaction) else Reaction.CLICKED
    number = request.GET.get("link", "")
    link = int(number) if number.isascii() and number.isdigit() and len(number) < 6 else None
    link = link if link is not None and reaction is Reaction.CLICKED and link < 2**15 - 16 else None
    found = contacts_who(request.actor, campaign_id, reaction, link=link).select_related("client")
    page = Paginator(found.order_by("name_key", "pk"), 25).get_page(page_number(request))
    context = {
        "row": row,
        "page": page,
        "reaction": reaction,
        "words": REACTIONS[reaction],
        "reactions": list(REACTIONS.items()),
        "link": next((one for one in links_of(request.actor, campaign_id) if one.number == link), None),
        "report": address_of_reaction(campaign_id, reaction, link),
    }
    return answer(request, "campaigns/contacts.html", context, fragment="rows")


@door(Permission.VIEW_SYNC, nav="contacts")
def of_contact_live(request: AskedRequest, contact_id: int) -> HttpResponse:
    """What an open contact page asks for every few seconds: nothing while nothing is new."""
    stamp = activity_stamp(request.actor, contact_id)
    if request.GET.get("stamp") == stamp:
        return HttpResponse(status=NOTHING_NEW)
    activity = contact_activity(request.actor, contact_id)
    context = {
        "contact_id": contact_id,
        "activity": activity,
        "stamp": stamp,
        "plot": plots.times_of_contact(activity.campaigns),
    }
    return answer(request, "campaigns/contact_cards.html", context)
