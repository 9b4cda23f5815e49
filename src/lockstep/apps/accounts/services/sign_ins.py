"""Keeps what happens to people's ways in, for as long as it helps to look back."""

from __future__ import annotations

import datetime

from lockstep.apps.accounts.models import Seat, SignIn, User

KEPT = datetime.timedelta(days=400)
"""How long entries stay: a year, and some weeks to look into it."""

SAID_ONCE_IN = datetime.timedelta(minutes=5)
"""Attempts that are held back make one entry in this time: an attack fills no table."""


def note_sign_in(
    user: User,
    kind: SignIn.Kind,
    *,
    at: datetime.datetime,
    address: str | None = None,
    browser: str = "",
) -> None:
    """Add an entry about this person; `browser` is cut to what the column holds."""
    if kind is SignIn.Kind.HELD_BACK:
        since = at - SAID_ONCE_IN
        if SignIn.objects.filter(user=user, kind=kind, at__gt=since).exists():
            return
    length = SignIn._meta.get_field("browser").max_length
    SignIn.objects.create(
        user=user, kind=kind, at=at, address=address, browser=browser.replace("\x00", "")[:length]
    )


def note_arrival(seat: Seat, *, at: datetime.datetime) -> None:
    """The person came into this company: by signing in, or from another of theirs."""
    Seat.objects.filter(pk=seat.pk).update(last_sign_in_at=at)


def forget_old_sign_ins(*, now: datetime.datetime) -> int:
    """Delete entries older than `KEPT`; how many."""
    return SignIn.objects.filter(at__lt=now - KEPT).delete()[0]
