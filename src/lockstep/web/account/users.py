"""Users of the company: the list, invitations, and one person's place."""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse
from django.urls import reverse
from django.utils import timezone

from lockstep.apps.accounts import services
from lockstep.apps.accounts.errors import MailNotSent, Refused
from lockstep.apps.accounts.models import SignIn
from lockstep.apps.accounts.permissions import Permission
from lockstep.apps.accounts.queries import open_invitations, people, person, sign_ins
from lockstep.web.account.forms import InviteForm, SeatForm, complain
from lockstep.web.doors import AskedRequest, answer, door, go
from lockstep.web.filters import Filter, chosen_ids

__all__ = [
    "deactivate",
    "invite",
    "reactivate",
    "remove_factor",
    "resend",
    "revoke",
    "sign_in_log",
    "user",
    "users",
]

NAV = "users"


@door(Permission.MANAGE_COMPANY, nav=NAV)
def users(request: AskedRequest) -> HttpResponse:
    now = timezone.now()
    invitations = [
        {"invitation": one, "expired": one.expires_at <= now} for one in open_invitations(request.actor)
    ]
    context = {"people": people(request.actor), "invitations": invitations, "mail_lands": _mail_lands()}
    return answer(request, "settings/users.html", context)


@door(Permission.MANAGE_COMPANY, nav=NAV, methods=("GET", "POST"))
def invite(request: AskedRequest) -> HttpResponse:
    posted = request.method == "POST"
    form = InviteForm(request.POST if posted else None, initial={"role": request.company.default_role})
    if posted and form.is_valid():
        try:
            invitation = services.invite(request.actor, address_of=_link, **form.cleaned_data)
        except Refused as refusal:
            complain(form, refusal)
        except MailNotSent as error:
            messages.error(request, str(error))
            return go(request, reverse("account:users"))
        else:
            messages.success(request, f"The invitation to {invitation.email} is sent.")
            return go(request, reverse("account:users"))
    context = {"form": form, "mail_lands": _mail_lands(), "days": services.invitations.GOOD_FOR.days}
    return answer(request, "settings/invite.html", context, status=422 if form.is_bound else 200)


@door(Permission.MANAGE_COMPANY, nav=NAV, methods=("POST",))
def resend(request: AskedRequest, invitation_id: int) -> HttpResponse:
    try:
        sent = services.resend_invitation(request.actor, invitation_id=invitation_id, address_of=_link)
    except (MailNotSent, Refused) as error:
        messages.error(request, str(error))
    else:
        messages.success(request, f"A new link is sent to {sent.email}. The former one no longer works.")
    return go(request, reverse("account:users"))


@door(Permission.MANAGE_COMPANY, nav=NAV, methods=("POST",))
def revoke(request: AskedRequest, invitation_id: int) -> HttpResponse:
    gone = services.revoke_invitation(request.actor, invitation_id=invitation_id)
    messages.success(request, f"The invitation to {gone.email} is withdrawn.")
    return go(request, reverse("account:users"))


@door(Permission.MANAGE_COMPANY, nav=NAV, methods=("GET", "POST"))
def user(request: AskedRequest, seat_id: int) -> HttpResponse:
    found = person(request.actor, seat_id)
    posted = request.method == "POST"
    initial = {"role": found.role, "own_clients_only": found.own_clients_only}
    form = SeatForm(request.POST if posted else None, initial=initial)
    if posted and form.is_valid():
        try:
            services.change_seat(request.actor, seat_id=seat_id, **form.cleaned_data)
        except Refused as refusal:
            complain(form, refusal)
        else:
            messages.success(request, f"Saved. It holds from {found.name}’s next click on.")
            return go(request, reverse("account:user", args=[seat_id]))
    context = {
        "person": found,
        "form": form,
        "entries": sign_ins(request.actor, user_id=found.user_id, limit=10),
    }
    return answer(request, "settings/user.html", context, status=422 if form.is_bound else 200)


@door(Permission.MANAGE_COMPANY, nav=NAV, methods=("POST",))
def deactivate(request: AskedRequest, seat_id: int) -> HttpResponse:
    return _do(request, seat_id, services.deactivate_seat, "can no longer come in")


@door(Permission.MANAGE_COMPANY, nav=NAV, methods=("POST",))
def reactivate(request: AskedRequest, seat_id: int) -> HttpResponse:
    return _do(request, seat_id, services.reactivate_seat, "can come in again")


@door(Permission.MANAGE_COMPANY, nav=NAV, methods=("POST",))
def remove_factor(request: AskedRequest, seat_id: int) -> HttpResponse:
    return _do(request, seat_id, services.remove_second_factor, "signs in with the password alone now")


def _do(request: AskedRequest, seat_id: int, verb: Callable[..., object], done: str) -> HttpResponse:
    try:
        verb(request.actor, seat_id=seat_id)
    except Refused as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, f"{person(request.actor, seat_id).name} {done}.")
    return go(request, reverse("account:user", args=[seat_id]))


@door(Permission.MANAGE_COMPANY, nav="sign-ins")
def sign_in_log(request: AskedRequest) -> HttpResponse:
    """What happened to the ways in of the company's people."""
    kinds = tuple(kind for kind in request.GET.getlist("kind") if kind in SignIn.Kind.values)
    whose = chosen_ids(request.GET, "user")
    everybody = people(request.actor)
    filters = [
        Filter.of("kind", "What", [(kind, label, None, "") for kind, label in SignIn.Kind.choices], kinds),
        Filter.of(
            "user",
            "Who",
            [(row.user_id, row.name, None, "") for row in everybody],
            request.GET.getlist("user"),
            single=True,
        ),
    ]
    entries = sign_ins(request.actor, kinds=kinds, user_id=whose[0] if whose else None)
    context = {"entries": entries, "filters": filters, "narrowed": bool(kinds or whose)}
    return answer(request, "settings/sign_ins.html", context, fragment="rows")


def _link(token: str) -> str:
    return f"{settings.LOCKSTEP_BASE_URL}{reverse('invitation', args=[token])}"


def _mail_lands() -> str:
    """Where mails go when no mail server takes them; '' where one does."""
    backend = settings.EMAIL_BACKEND.rsplit(".", 2)[-2]
    return {"filebased": "files", "console": "log"}.get(backend, "")
