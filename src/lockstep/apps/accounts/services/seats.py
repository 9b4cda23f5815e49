"""Change what people may do in a company, keep them out, let them in again (A1)."""

from __future__ import annotations

import datetime

from allauth.mfa.models import Authenticator
from django.db import transaction
from django.utils import timezone

from lockstep.apps.accounts.errors import NotFound, Refused
from lockstep.apps.accounts.models import Company, Seat, SignIn, User
from lockstep.apps.accounts.permissions import ROLE_LABELS, Actor, Permission, Role
from lockstep.apps.accounts.services.noting import changed, note, yes_no
from lockstep.apps.accounts.services.roles import check_not_above
from lockstep.apps.accounts.services.sign_ins import note_sign_in


def check_place(role: Role, *, own_clients_only: bool) -> None:
    """Raise `Refused` for an Admin limited to own clients: the settings show everybody's contacts."""
    if role is Role.ADMIN and own_clients_only:
        raise Refused(
            {
                "own_clients_only": "An Admin can't be limited to own clients, since the company's settings "
                "and the sync show everybody's. Choose another role, or lift the limit."
            }
        )


@transaction.atomic
def change_seat(actor: Actor, *, seat_id: int, role: Role, own_clients_only: bool) -> Seat:
    """Give a person another role here, or limit them to own clients; it holds from their next click on.

    Raises `NotPermitted`, `NotFound`, and `Refused` where the last Admin would
    go, or where the old or new role may do more than the actor.
    """
    actor.require(Permission.MANAGE_COMPANY)
    seat = _locked(actor, seat_id)
    check_place(role, own_clients_only=own_clients_only)
    changes = changed(
        {"role": ROLE_LABELS[Role(seat.role)], "own_clients_only": yes_no(seat.own_clients_only)},
        {"role": ROLE_LABELS[role], "own_clients_only": yes_no(own_clients_only)},
    )
    if not changes:
        return seat
    check_not_above(actor, seat.company.permissions_of(seat.role), "role")
    check_not_above(actor, seat.company.permissions_of(role), "role")
    if role is not Role.ADMIN:
        _keep_an_admin(seat, "role")
    seat.role, seat.own_clients_only = role, own_clients_only
    seat.save(update_fields=["role", "own_clients_only"])
    _note(actor, seat, "changed", timezone.now(), changes)
    return seat


@transaction.atomic
def deactivate_seat(actor: Actor, *, seat_id: int) -> Seat:
    """Keep a person out of this company from their next click on; their clients and history stay theirs.

    Raises `NotPermitted`, `NotFound`, and `Refused` for oneself, for the last
    Admin, and for somebody who may do more than the actor.
    """
    actor.require(Permission.MANAGE_COMPANY)
    seat = _locked(actor, seat_id)
    if actor.user is not None and seat.user_id == actor.user.pk:
        raise Refused({"": "You can't deactivate yourself. Ask another Admin."})
    if seat.deactivated_at is None:
        check_not_above(actor, seat.company.permissions_of(seat.role), "")
        _keep_an_admin(seat, "")
        seat.deactivated_at = timezone.now()
        seat.save(update_fields=["deactivated_at"])
        _note(actor, seat, "deactivated", seat.deactivated_at)
    return seat


@transaction.atomic
def reactivate_seat(actor: Actor, *, seat_id: int) -> Seat:
    """Let a person in again, with the role they had. Raises as `deactivate_seat`."""
    actor.require(Permission.MANAGE_COMPANY)
    seat = _locked(actor, seat_id)
    if seat.deactivated_at is not None:
        check_not_above(actor, seat.company.permissions_of(seat.role), "")
        seat.deactivated_at = None
        seat.save(update_fields=["deactivated_at"])
        _note(actor, seat, "reactivated", timezone.now())
    return seat


@transaction.atomic
def remove_second_factor(actor: Actor, *, seat_id: int) -> int:
    """Take every second factor off a person who lost theirs; both histories hold it. Returns how many.

    The sign-in belongs to the person, not to the company: who sits in another
    company as well is left alone here, in words that don't tell why. Raises
    `NotPermitted`, `NotFound`, `Refused`.
    """
    actor.require(Permission.MANAGE_COMPANY)
    seat = _locked(actor, seat_id)
    if actor.user is not None and seat.user_id == actor.user.pk:
        raise Refused({"": "Change your own second factor under Settings, Sign-in."})
    check_not_above(actor, seat.company.permissions_of(seat.role), "")
    if Seat.objects.filter(user_id=seat.user_id).exclude(company=actor.company).exists():
        raise Refused({"": "Only the person, or who runs this installation, can remove this second factor."})
    now = timezone.now()
    removed, _ = Authenticator.objects.filter(user_id=seat.user_id).delete()
    if removed:
        note_sign_in(seat.user, SignIn.Kind.FACTOR_REMOVED, at=now)
        _note(actor, seat, "second factor removed", now)
    return removed


@transaction.atomic
def remove_second_factor_everywhere(user: User) -> int:
    """For the command line: the same for somebody of whatever companies, all of which are told. How many."""
    now = timezone.now()
    removed, _ = Authenticator.objects.filter(user=user).delete()
    if removed:
        note_sign_in(user, SignIn.Kind.FACTOR_REMOVED, at=now)
        for seat in Seat.objects.filter(user=user).select_related("user", "company"):
            _note(Actor.lockstep(seat.company), seat, "second factor removed", now)
    return removed


def _locked(actor: Actor, seat_id: int) -> Seat:
    """The seat, while nobody else changes any seat of the company: two Admins can't remove each other."""
    Company.objects.select_for_update().get(pk=actor.company.pk)
    seat = Seat.objects.filter(company=actor.company, pk=seat_id).select_related("user", "company").first()
    if seat is None:
        raise NotFound("user")
    return seat


def _keep_an_admin(seat: Seat, field: str) -> None:
    others = Seat.objects.filter(
        company_id=seat.company_id,
        role=Role.ADMIN,
        own_clients_only=False,
        deactivated_at=None,
        user__is_active=True,
    ).exclude(pk=seat.pk)
    if seat.role == Role.ADMIN and seat.deactivated_at is None and not others.exists():
        raise Refused({field: "This is the last Admin. Make somebody else an Admin first."})


def _note(
    actor: Actor,
    seat: Seat,
    action: str,
    at: datetime.datetime,
    changes: dict[str, list[str]] | None = None,
) -> None:
    note(
        actor,
        subject="user",
        subject_id=seat.pk,
        label=seat.user.full_name,
        action=action,
        changes=changes,
        at=at,
    )
