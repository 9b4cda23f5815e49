"""Where an invitation's link leads: to an account, or to a seat with the account that one has."""

from __future__ import annotations

from typing import cast

from allauth.account.utils import perform_login
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone

from lockstep.apps.accounts.errors import NotFound, Refused
from lockstep.apps.accounts.models import Seat, User
from lockstep.apps.accounts.permissions import ROLE_LABELS, Role
from lockstep.apps.accounts.services import (
    accept_as,
    accept_as_newcomer,
    account_of,
    find_invitation,
    note_arrival,
)
from lockstep.web.account.forms import JoinForm, complain
from lockstep.web.doors import COMPANY_IN_SESSION, answer, go

__all__ = ["invitation"]


def invitation(request: HttpRequest, token: str) -> HttpResponse:
    """Open to everybody: the token is the key. It is looked at by GET, and used up by POST only."""
    if request.method not in ("GET", "HEAD", "POST"):
        return HttpResponse(status=405)
    found = find_invitation(token)
    if found is None:
        return answer(request, "account/invitation_gone.html", status=404)
    holder = account_of(found.email)
    here = cast(User, request.user) if request.user.is_authenticated else None
    form = JoinForm(request.POST if request.method == "POST" and holder is None else None)
    problem = ""
    if request.method == "POST":
        try:
            if holder is None and form.is_valid():
                seat = accept_as_newcomer(token, **form.cleaned_data)
                return _welcome(request, seat, sign_in=True)
            if here is not None and here == holder:
                return _welcome(request, accept_as(token, here), sign_in=False)
        except Refused as refusal:
            complain(form, refusal)
            problem = str(refusal)
        except NotFound:
            return answer(request, "account/invitation_gone.html", status=404)
    context = {
        "invitation": found,
        "role": ROLE_LABELS[Role(found.role)],
        "form": form,
        "problem": problem,
        "way": _way(here, holder),
        "token": token,
    }
    status = 422 if request.method == "POST" else 200
    return answer(request, "account/invitation.html", context, status=status)


def _way(here: User | None, holder: User | None) -> str:
    """How the person goes on: “new” account, “join” with theirs, “sign_in” first, or it is not for them."""
    if holder is None:
        return "new" if here is None else "other"
    if here is None:
        return "sign_in"
    return "join" if here == holder else "other"


def _welcome(request: HttpRequest, seat: Seat, *, sign_in: bool) -> HttpResponse:
    if sign_in:
        perform_login(request, seat.user, email_verification="none", redirect_url=reverse("home"))
    request.session[COMPANY_IN_SESSION] = seat.company_id
    note_arrival(seat, at=timezone.now())
    messages.success(request, f"Welcome to {seat.company.name}.")
    return go(request, reverse("home"))
