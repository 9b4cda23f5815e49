"""What stands around every page: the sidebar's numbers, and the pulse that says how Mailchimp stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from typing import Any, Literal

from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.html import format_html

from lockstep.apps.accounts.models import Company, Seat
from lockstep.apps.accounts.permissions import Permission
from lockstep.apps.book.queries import SidebarCounts, sidebar_counts
from lockstep.apps.connections.models import Connection
from lockstep.apps.sync.models import SyncRun
from lockstep.apps.sync.queries import pulse
from lockstep.core.errors import BrokenKind
from lockstep.web.doors import current_seat, seats_of
from lockstep.web.failures import BROKEN
from lockstep.web.wording import moment, number

__all__ = ["Pulse", "Shell", "SyncPulse", "pulse_of", "read_pulse", "shell"]

Phase = Literal["not_connected", "connected", "auditing", "syncing", "on", "stopping", "stopped", "paused"]

#: Tones of the five outcomes, in the order of the tabs.
_OUTCOMES = (
    ("synced", "ok"),
    ("pending", "wait"),
    ("failed", "bad"),
    ("archived", "off"),
    ("unsubscribed", "left"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncPulse:
    """How a company's sync stands, as the sync tells it; plain values.

    `counts` holds the five outcomes by name. `done` and `whole` are the progress
    of a run under way: members compared while auditing, contacts while syncing.
    `reason` says why a paused sync is paused. With several connections, the one
    that needs a person most.
    """

    phase: Phase
    counts: Mapping[str, int] = field(default_factory=dict)
    done: int = 0
    whole: int = 0
    seconds_left: int | None = None
    checked_at: datetime | None = None
    reason: str = ""
    numbers: bool = True
    """Without them nothing is said that counts contacts: the reader may not see all of them."""

    def without_numbers(self) -> SyncPulse:
        return replace(self, counts={}, done=0, whole=0, seconds_left=None, numbers=False)


@dataclass(frozen=True, slots=True)
class Pulse:
    """The box at the bottom of the sidebar, in words."""

    title: str
    detail: str
    tone: str
    hollow: bool = False
    running: bool = False
    parts: tuple[tuple[str, int], ...] = ()
    label: str = ""
    route: str = "mailchimp:index"

    @property
    def every(self) -> str:
        """How often the page asks again."""
        return "3s" if self.running else "60s"

    @property
    def address(self) -> str:
        for route in (self.route, "mailchimp:index"):
            try:
                return reverse(route)
            except NoReverseMatch:
                continue
        return reverse("home")


def pulse_of(sync: SyncPulse, now: datetime) -> Pulse:
    """The words for how the sync stands. Pure."""
    match sync.phase:
        case "not_connected":
            return Pulse("Mailchimp", "Not connected", "off", hollow=True)
        case "connected":
            return Pulse("Mailchimp", "Connected, not syncing yet", "wait", hollow=True)
        case "stopping":
            return Pulse("Mailchimp", "Sync is being stopped", "wait", hollow=True, route="sync:index")
        case "stopped":
            return Pulse("Mailchimp", "Sync is stopped", "off", hollow=True)
        case "paused":
            return Pulse(
                "Mailchimp needs you", sync.reason or "The sync is paused", "bad", route="sync:index"
            )
        case "auditing" | "syncing":
            return _running(sync)
        case "on":
            return _on(sync, now)


def _running(sync: SyncPulse) -> Pulse:
    share = min(100, 100 * sync.done // sync.whole) if sync.whole else 0
    whole = max(sync.done, sync.whole)  # the audience may have grown since it was counted
    verb = "Auditing" if sync.phase == "auditing" else "Syncing"
    if not sync.numbers:
        return Pulse(verb, "Under way", "run", running=True)
    detail = f"{number(sync.done)} of {number(whole)}"
    if sync.phase == "auditing":
        detail += " compared"
    elif sync.seconds_left is not None:
        detail += f" · {_time_left(sync.seconds_left)}"
    return Pulse(
        f"{verb}, {share}%",
        detail,
        "run",
        running=True,
        parts=(("run", share), ("rest", 100 - share)),
        label="Progress",
        route="sync:index",
    )


def _time_left(seconds: int) -> str:
    return f"{seconds} s left" if seconds < 90 else f"{round(seconds / 60)} min left"


def _on(sync: SyncPulse, now: datetime) -> Pulse:
    total = sum(sync.counts.get(name, 0) for name, _ in _OUTCOMES)
    synced, failed = sync.counts.get("synced", 0), sync.counts.get("failed", 0)
    if not sync.numbers:
        checked = f"Checked {moment(sync.checked_at, now)}" if sync.checked_at else "Connected"
        return Pulse("Mailchimp sync is on", checked, "ok")
    checked = f" · {moment(sync.checked_at, now)}" if sync.checked_at else ""
    return Pulse(
        "Mailchimp in sync" if not failed else "Mailchimp sync is on",
        f"{number(synced)} of {number(total)}{checked}",
        "ok",
        parts=tuple((tone, sync.counts.get(name, 0)) for name, tone in _OUTCOMES),
        label=f"{number(synced)} of {number(total)} contacts are in sync",
        route="sync:index",
    )


def read_pulse(company: Company) -> SyncPulse:
    """How the company's sync stands now; of several connections, the one that `pulse` picks."""
    found = pulse(company.pk)
    connection, run = found.connection, found.run
    if connection is None:
        return SyncPulse(phase="connected" if found.account_connected else "not_connected")
    broken = connection.broken_kind or connection.account.broken_kind
    if broken:
        return SyncPulse(phase="paused", reason=BROKEN[BrokenKind(broken)].title)
    counts = {state.value: number for state, number in found.counts.items()}
    if run is not None and run.state == SyncRun.State.WAITING:
        return SyncPulse(phase="paused", reason="A plan waits for your confirmation", counts=counts)
    if run is not None and found.progress is not None:
        auditing = run.state != SyncRun.State.SYNCING
        left = found.progress.seconds_left
        return SyncPulse(
            phase="auditing" if auditing else "syncing",
            done=run.observed if auditing else found.progress.done,
            whole=connection.member_count if auditing else found.progress.total,
            seconds_left=None if left is None else round(left),
            counts=counts,
        )
    match connection.mode:
        case Connection.Mode.ON:
            checked = connection.last_polled_at or connection.mirror_complete_at
            return SyncPulse(phase="on", counts=counts, checked_at=checked)
        case Connection.Mode.STOPPING:
            return SyncPulse(phase="stopping")
        case _:
            return SyncPulse(phase="stopped" if connection.first_started_at else "connected")


class Shell:
    """Read by the templates of whole pages; asks the database only for what a page really shows."""

    def __init__(self, request: HttpRequest, seat: Seat) -> None:
        self._request = request
        self.seat = seat
        self.company = seat.company
        self.actor = seat.actor()

    @cached_property
    def counts(self) -> SidebarCounts:
        return sidebar_counts(self.actor)

    @cached_property
    def sync(self) -> SyncPulse:
        """Without numbers for who is limited to own clients: these count everybody's contacts."""
        found = read_pulse(self.company)
        return found.without_numbers() if self.actor.own_clients_only else found

    @cached_property
    def pulse(self) -> Pulse:
        return pulse_of(self.sync, timezone.localtime())

    @property
    def failed_badge(self) -> str:
        """How many failed, as the red number in the sidebar; nothing where none did."""
        failed = self.sync.counts.get("failed", 0)
        return format_html('<span class="count" data-tone="bad">{}</span>', number(failed)) if failed else ""

    @cached_property
    def other_companies(self) -> list[Company]:
        return [seat.company for seat in seats_of(self._request) if seat.pk != self.seat.pk]

    @property
    def may(self) -> dict[str, bool]:
        """By the name of the permission: `{% if shell.may.edit_book %}`."""
        return {permission.value: self.actor.may(permission) for permission in Permission}


def shell(request: HttpRequest) -> dict[str, Any]:
    """Context processor: `shell` (None where nobody is signed in or has no seat) and `nav`."""
    seat = current_seat(request) if hasattr(request, "session") else None
    return {"shell": Shell(request, seat) if seat else None, "nav": getattr(request, "nav", "")}
