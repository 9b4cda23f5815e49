"""How long who did what is kept, and the weekly digest."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.urls import reverse

from lockstep.apps.accounts.permissions import Permission
from lockstep.apps.campaigns.services import campaign_settings, choose_digest, save_settings, wants_digest
from lockstep.apps.campaigns.services.settings import KEPT
from lockstep.web.campaigns.lists import NAV
from lockstep.web.doors import AskedRequest, answer, door, go

__all__ = ["digest_choice", "settings_page"]


@door(Permission.VIEW_SYNC, nav=NAV, methods=("GET", "POST"))
def settings_page(request: AskedRequest) -> HttpResponse:
    """Everybody sees what holds; who manages the company changes it."""
    if request.method == "POST":
        request.actor.require(Permission.MANAGE_COMPANY)
        months = request.POST.get("keep_months", "")
        try:
            save_settings(
                request.actor,
                keep_months=int(months) if months.isascii() and months.isdigit() else -1,
                digest=request.POST.get("digest") == "on",
            )
        except ValueError as error:
            messages.error(request, str(error))
        else:
            messages.success(request, "Saved.")
        return go(request, reverse("campaigns:settings"))
    context = {
        "chosen": campaign_settings(request.actor),
        "kept": KEPT,
        "wants_digest": wants_digest(request.actor),
    }
    return answer(request, "campaigns/settings.html", context)


@door(Permission.VIEW_SYNC, nav=NAV, methods=("POST",))
def digest_choice(request: AskedRequest) -> HttpResponse:
    """One's own choice, whatever the company's."""
    wanted = request.POST.get("wanted") == "on"
    choose_digest(request.actor, wanted=wanted)
    messages.success(request, "You get the digest." if wanted else "You get no digest.")
    return go(request, reverse("campaigns:settings"))
