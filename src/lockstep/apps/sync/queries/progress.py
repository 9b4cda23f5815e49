"""How a run is getting on, the history of runs, and the one line in the sidebar."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet
from django.utils import timezone

from lockstep.apps.book.models import Contact
from lockstep.apps.connections.models import Connection, MailchimpAccount
from lockstep.apps.sync.models import SyncEvent, SyncRun
from lockstep.apps.sync.queries.counts import state_counts
from lockstep.core.member import SyncState


@dataclass(frozen=True, slots=True)
class Happening:
    """One of the latest results."""

    contact_id: int
    name: str
    kind: str
    text: str
    fields: tuple[str, ...]
    at: datetime


@dataclass(frozen=True, slots=True)
class RunProgress:
    """A run in numbers, for a page that asks again each second."""

    run: SyncRun
    done: int
    total: int
    rate: float
    """Contacts a second since the push began; 0 while auditing."""
    seconds_left: float | None
    slowed_until: datetime | None
    latest: list[Happening]

    @property
    def share(self) -> float:
        """Between 0 and 1."""
        return min(self.done / self.total, 1.0) if self.total else 0.0


def run_progress(connection: Connection, *, latest: int = 5) -> RunProgress | None:
    """The open or waiting run's progress; None when there is neither."""
    run = (
        connection.runs.filter(state__in=[*SyncRun.OPEN_STATES, SyncRun.State.WAITING])
        .order_by("-id")
        .first()
    )
    return None if run is None else _progress(run, latest)


def _progress(run: SyncRun, latest: int) -> RunProgress:
    now = timezone.now()
    elapsed = (now - run.syncing_at).total_seconds() if run.syncing_at else 0.0
    done = min(run.done, run.total) if run.total else run.done
    rate = done / elapsed if elapsed > 0 else 0.0
    left = (run.total - done) / rate if rate and run.total else None
    waiting = run.waiting_until if run.waiting_until and run.waiting_until > now else None
    return RunProgress(run, done, run.total, rate, left, waiting, _latest(run, latest))


def _latest(run: SyncRun, number: int) -> list[Happening]:
    events = list(SyncEvent.objects.filter(run=run).order_by("-id")[:number])
    names = {
        contact.pk: contact.full_name
        for contact in Contact.objects.filter(
            company_id=run.company_id, pk__in=[event.contact_id for event in events]
        )
    }
    return [
        Happening(
            event.contact_id,
            names.get(event.contact_id, ""),
            event.kind,
            event.text,
            tuple(event.differing),
            event.at,
        )
        for event in events
    ]


def runs(connection: Connection) -> QuerySet[SyncRun]:
    """Every run, newest first."""
    return connection.runs.select_related("asked_by").order_by("-id")


@dataclass(frozen=True, slots=True)
class Pulse:
    """How Mailchimp stands, for the box that every page carries."""

    connection: Connection | None
    account_connected: bool
    run: SyncRun | None
    counts: dict[SyncState, int]
    progress: RunProgress | None

    @property
    def total(self) -> int:
        return sum(self.counts.values())


def pulse(company_id: int) -> Pulse:
    """The company's first connection that is not off, else its newest."""
    connected = MailchimpAccount.objects.filter(company_id=company_id, disconnected_at=None).exists()
    connections = Connection.objects.filter(company_id=company_id, account__disconnected_at=None)
    connections = connections.select_related("account")
    connection = (
        connections.exclude(mode=Connection.Mode.OFF).order_by("id").first()
        or connections.order_by("-id").first()
    )
    if connection is None:
        return Pulse(None, connected, None, {}, None)
    progress = run_progress(connection, latest=0)
    return Pulse(
        connection,
        connected,
        progress.run if progress else None,
        state_counts(connection) if connection.mode != Connection.Mode.OFF else {},
        progress,
    )
