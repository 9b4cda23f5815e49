"""Who is in a company, who is invited, and what happened to their ways in."""

from __future__ import annotations

import datetime
from dataclasses import dataclass

from allauth.mfa.models import Authenticator
from django.db.models import Exists, F, OuterRef, QuerySet

from lockstep.apps.accounts.errors import NotFound
from lockstep.apps.accounts.models import Invitation, Seat, SignIn
from lockstep.apps.accounts.permissions import ROLE_LABELS, Actor, Permission, Role


@dataclass(frozen=True, slots=True)
class PersonRow:
    """A seat as the list of users shows it."""

    seat_id: int
    user_id: int
    name: str
    email: str
    role: Role
    role_label: str
    own_clients_only: bool
    second_factor: bool
    last_sign_in_at: datetime.datetime | None
    deactivated_at: datetime.datetime | None
    is_self: bool


@dataclass(frozen=True, slots=True)
class SignInRow:
    """An entry about somebody's way in."""

    at: datetime.datetime
    who: str
    kind: str
    words: str
    address: str
    browser: str


def with_second_factor(seats: QuerySet[Seat]) -> QuerySet[Seat]:
    """The seats with `has_second_factor`: whether the person has one that stands by itself.

    Recovery codes alone are none: they only ever come with another.
    """
    factors = Authenticator.objects.filter(user_id=OuterRef("user_id")).exclude(
        type=Authenticator.Type.RECOVERY_CODES
    )
    return seats.annotate(has_second_factor=Exists(factors))


def people(actor: Actor) -> tuple[PersonRow, ...]:
    """Everybody with a seat in the company, active ones first, by name; one query."""
    actor.require(Permission.MANAGE_COMPANY)
    rows = [_person(actor, seat) for seat in _seats(actor)]
    return tuple(
        sorted(rows, key=lambda row: (row.deactivated_at is not None, row.name.lower(), row.seat_id))
    )


def person(actor: Actor, seat_id: int) -> PersonRow:
    """One of them. Raises `NotFound`."""
    actor.require(Permission.MANAGE_COMPANY)
    seat = _seats(actor).filter(pk=seat_id).first()
    if seat is None:
        raise NotFound("user")
    return _person(actor, seat)


def open_invitations(actor: Actor) -> tuple[Invitation, ...]:
    """Those that wait for somebody to follow the link, expired ones as well; newest first."""
    actor.require(Permission.MANAGE_COMPANY)
    found = Invitation.objects.filter(company=actor.company, accepted_at=None, revoked_at=None)
    return tuple(found.select_related("invited_by").order_by("-created_at", "-pk"))


def sign_ins(
    actor: Actor, *, kinds: tuple[str, ...] = (), user_id: int | None = None, limit: int = 200
) -> tuple[SignInRow, ...]:
    """What happened to the ways in of the company's people since each of them joined; newest first.

    A sign-in is the person's: who sits in several companies is listed in each of them.
    """
    actor.require(Permission.MANAGE_COMPANY)
    found = SignIn.objects.filter(
        user__seats__company=actor.company, at__gte=F("user__seats__created_at")
    ).select_related("user")
    if kinds:
        found = found.filter(kind__in=kinds)
    if user_id is not None:
        found = found.filter(user_id=user_id)
    return tuple(_sign_in(entry) for entry in found.order_by("-at", "-pk")[:limit])


def own_sign_ins(actor: Actor, *, limit: int = 10) -> tuple[SignInRow, ...]:
    """What happened to the actor's own way in, newest first."""
    if actor.user is None:
        return ()
    found = SignIn.objects.filter(user=actor.user).select_related("user").order_by("-at", "-pk")
    return tuple(_sign_in(entry) for entry in found[:limit])


def _seats(actor: Actor) -> QuerySet[Seat]:
    return with_second_factor(Seat.objects.filter(company=actor.company).select_related("user"))


def _person(actor: Actor, seat: Seat) -> PersonRow:
    role = Role(seat.role)
    return PersonRow(
        seat_id=seat.pk,
        user_id=seat.user_id,
        name=seat.user.full_name,
        email=seat.user.email,
        role=role,
        role_label=ROLE_LABELS[role],
        own_clients_only=seat.own_clients_only,
        second_factor=seat.has_second_factor,  # type: ignore[attr-defined]  # annotated
        last_sign_in_at=seat.last_sign_in_at,
        deactivated_at=seat.deactivated_at,
        is_self=actor.user is not None and actor.user.pk == seat.user_id,
    )


def _sign_in(entry: SignIn) -> SignInRow:
    return SignInRow(
        at=entry.at,
        who=entry.user.full_name,
        kind=entry.kind,
        words=SignIn.Kind(entry.kind).label,
        address=entry.address or "",
        browser=entry.browser,
    )
