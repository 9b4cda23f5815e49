"""A person's own settings, and which company they look at."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.urls import reverse
from django.utils import timezone

from lockstep.apps.accounts.permissions import ROLE_LABELS, Permission, Role
from lockstep.apps.accounts.services import note_arrival, rename_user
from lockstep.web.account.forms import ProfileForm
from lockstep.web.doors import COMPANY_IN_SESSION, AskedRequest, answer, door, go, seats_of

__all__ = ["choose_company", "profile"]


@door(Permission.VIEW_BOOK, nav="profile", methods=("GET", "POST"))
def profile(request: AskedRequest) -> HttpResponse:
    user = request.seat.user
    form = ProfileForm(
        request.POST if request.method == "POST" else None,
        initial={"first_name": user.first_name, "last_name": user.last_name},
    )
    if request.method == "POST" and form.is_valid():
        rename_user(user, **form.cleaned_data)
        messages.success(request, "Your name is saved.")
        return go(request, reverse("account:profile"))
    status = 422 if form.is_bound else 200
    role = ROLE_LABELS[Role(request.seat.role)]
    return answer(request, "settings/profile.html", {"form": form, "role": role}, status=status)


@door(Permission.VIEW_BOOK, methods=("POST",), second_factor=False)
def choose_company(request: AskedRequest) -> HttpResponse:
    """Look at another of one's own companies from now on; any other id changes nothing."""
    wanted = request.POST.get("company", "")
    seat = next((seat for seat in seats_of(request) if str(seat.company_id) == wanted), None)
    if seat is not None:
        request.session[COMPANY_IN_SESSION] = seat.company_id
        note_arrival(seat, at=timezone.now())
    return go(request, "/")
