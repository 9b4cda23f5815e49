"""What the database holds of one connection beside its members: settings, runs, deliveries, the lock.

The in-memory counterpart of the connection's and run's rows. Every method is one transaction, as every call
of `WorkerStore` is: a worker that dies is dead before or after it, never in the middle.
"""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count

from lockstep.core.engine import Limits
from lockstep.core.errors import BrokenKind, StopAsked
from lockstep.core.guards import GuardTrip, Thresholds
from lockstep.core.identity import NO_ADDRESS
from lockstep.core.member import MemberStatus, SyncState
from lockstep.core.plan import PlanCounts
from lockstep.core.planner import Policy
from lockstep.simulation.store import SimulatedStore


class Mode(enum.Enum):
    OFF = "off"
    ON = "on"
    STOPPING = "stopping"


class RunKind(enum.Enum):
    PREVIEW = "preview"
    START = "start"
    REFRESH = "refresh"
    AUDIT = "audit"
    RETRY = "retry"
    STOP = "stop"


class RunState(enum.Enum):
    QUEUED = "queued"
    AUDITING = "auditing"
    SYNCING = "syncing"
    WAITING = "waiting"
    ENDED = "ended"


OPEN = frozenset({RunState.QUEUED, RunState.AUDITING, RunState.SYNCING})


@dataclass(slots=True)
class Run:
    number: int
    kind: RunKind
    state: RunState = RunState.QUEUED
    cursor: int = 0
    stop_asked: bool = False
    approved: str = ""
    fingerprint: str = ""
    ended_as: str = ""
    counts: PlanCounts | None = None
    """What it planned, in numbers."""
    known: int = 0
    """Contacts there were then."""


@dataclass(slots=True)
class Delivery:
    body: bytes
    heeded: bool = False


@dataclass(slots=True)
class Desk:
    """One connection's rows."""

    store: SimulatedStore
    policy: Policy
    limits: Limits
    proof: str
    opt_out_flags: bool
    thresholds: Thresholds
    seen: Counter[str]
    groups: frozenset[str] | None = None
    """The filter that the admin chose; `store.book.groups` holds since the sync was last off: before it is,
    no filter can be saved."""
    mode: Mode = Mode.OFF
    live: bool = False
    broken: BrokenKind | None = None
    last_polled_at: datetime | None = None
    poll_cursor: datetime | None = None
    mirror_complete_at: datetime | None = None
    webhook_id: str = ""
    webhook_signing_secret: str = ""
    webhook_checked_at: datetime | None = None
    deliveries: list[Delivery] = field(default_factory=list)
    runs: list[Run] = field(default_factory=list)
    heeded_opt_outs: set[int] = field(default_factory=set)
    _numbers: count[int] = field(default_factory=lambda: count(1))

    # --- what people ask for --------------------------------------------------------------------

    def open_run(self) -> Run | None:
        return next((run for run in self.runs if run.state in OPEN), None)

    def waiting_run(self) -> Run | None:
        return next((run for run in self.runs if run.state is RunState.WAITING), None)

    def preview(self) -> bool:
        """A dry run; False when it is refused."""
        if self.open_run() is not None:
            return False
        self._ask(RunKind.PREVIEW)
        return True

    def start(self, *, approved: str = "") -> bool:
        """Start Sync, also after trouble, with other filters, or of the very plan that a dry run showed;
        False when it is refused."""
        if self.mode is Mode.STOPPING or self.open_run() is not None:
            return False
        self._drop_waiting()
        if self.mode is Mode.OFF:
            self.store.book.groups = self.groups
        self.mode, self.broken = Mode.ON, None
        self._ask(RunKind.START).approved = approved
        return True

    def stop(self) -> bool:
        """Stop Sync: what runs ends soon, then every member turns Inactive."""
        if self.mode is not Mode.ON:
            return False
        for run in self.runs:
            if run.state in OPEN:
                run.stop_asked = True
        self._drop_waiting()
        anything = any(r.synced.key or r.synced.uncertain for r in self.store.records.values())
        if self.broken is None and (anything or self.open_run() is not None):
            self.mode = Mode.STOPPING
        else:
            self.mode, self.live = Mode.OFF, False
        return True

    def ask_for(self, kind: RunKind) -> bool:
        """Refresh, Retry or the nightly audit."""
        if self.mode is not Mode.ON or self.open_run() is not None:
            return False
        if kind is RunKind.AUDIT and (not self.live or self.broken or self.waiting_run()):
            return False
        if kind is RunKind.RETRY:
            tried = (SyncState.FAILED, SyncState.PENDING, SyncState.ARCHIVED)
            self.store.ask([c for c, r in sorted(self.store.records.items()) if r.state in tried])
        self._drop_waiting()
        self._ask(kind)
        return True

    def confirm(self) -> bool:
        """A person says that the plan that a guard stopped is right."""
        run = self.waiting_run()
        if run is None or self.open_run() is not None:
            return False
        run.state, run.approved = RunState.QUEUED, run.fingerprint
        return True

    def _ask(self, kind: RunKind) -> Run:
        run = Run(next(self._numbers), kind)
        self.runs.append(run)
        return run

    def _drop_waiting(self) -> None:
        waiting = self.waiting_run()
        if waiting is not None:
            self._end(waiting, "dismissed")

    # --- what the worker notes --------------------------------------------------------------------

    def next_run(self) -> Run | None:
        """The open run; a connection that is being stopped, and has none, gets the run that turns all off."""
        found = self.open_run()
        if found is None and self.mode is Mode.STOPPING and self.broken is None:
            found = self._ask(RunKind.STOP)
        return found

    @property
    def is_live(self) -> bool:
        return self.mode is Mode.ON and self.live and self.broken is None

    def synced_before(self) -> int:
        return sum(record.synced.key != NO_ADDRESS for record in self.store.records.values())

    def let_through(self, run: Run, counts: PlanCounts, trips: Sequence[GuardTrip]) -> bool:
        self.must_be_open(run)
        stopped = bool(trips)
        if run.approved and run.approved != counts.fingerprint:
            stopped = True
        elif run.approved:
            stopped = False
        run.fingerprint, run.counts, run.known = counts.fingerprint, counts, self.store.known()
        self.seen.update(f"guard {trip.name}" for trip in trips)
        if stopped:
            run.state = RunState.WAITING
            self.seen["plan stopped by a guard" if trips else "plan other than the approved one"] += 1
            return False
        run.state, run.cursor = RunState.SYNCING, 0
        self.store.marks.clear()
        if run.kind is RunKind.START:
            self.live = True
        return True

    def must_be_open(self, run: Run) -> None:
        """Raises `StopAsked` for a run that another worker took over and brought to its end."""
        if run.state not in OPEN:
            raise StopAsked

    def begin(self, run: Run, state: RunState) -> None:
        self.must_be_open(run)
        run.state = state

    def finish(self, run: Run, ended_as: str) -> bool:
        """False, and nothing happens, for a run that has ended before."""
        if run.state not in OPEN:
            return False
        if ended_as != "finished" and run.state is RunState.SYNCING and run.kind is not RunKind.RETRY:
            self.store.mark(c for c in sorted(self.store.book.contacts) if c > run.cursor)
        self._end(run, ended_as)
        return True

    def finish_preview(self, run: Run, counts: PlanCounts) -> None:
        self.must_be_open(run)
        run.fingerprint, run.counts, run.known = counts.fingerprint, counts, self.store.known()
        self._end(run, "finished")

    def _end(self, run: Run, ended_as: str) -> None:
        run.state, run.ended_as = RunState.ENDED, ended_as
        self.seen[f"run {run.kind.value}, {ended_as}"] += 1

    def switched_off(self, run: Run) -> None:
        if self.finish(run, "finished") and self.mode is Mode.STOPPING:
            self.mode, self.live = Mode.OFF, False

    def note_broken(self, kind: BrokenKind) -> None:
        self.broken = kind
        self.seen[f"paused by {kind.value}"] += 1
        if self.mode is Mode.STOPPING:
            self.mode, self.live = Mode.OFF, False
        for run in self.runs:
            if run.state in OPEN:
                self._end(run, "broken")

    def heed_opt_outs(self) -> int:
        """An unsubscribe sets No Marketing, once (S12)."""
        flagged = 0
        for contact_id, record in sorted(self.store.records.items()):
            member = self.store.mirror.get(record.member) if record.member else None
            if member is not None and member.status is MemberStatus.SUBSCRIBED:
                self.heeded_opt_outs.discard(contact_id)
            contact = self.store.book.contacts.get(contact_id)
            if (
                not self.opt_out_flags
                or contact is None
                or record.state is not SyncState.UNSUBSCRIBED
                or member is None
                or member.status is not MemberStatus.UNSUBSCRIBED
                or contact_id in self.heeded_opt_outs
            ):
                continue
            self.heeded_opt_outs.add(contact_id)
            if not contact.no_marketing:
                self.store.edit(contact_id, no_marketing=True)
                self.seen["an unsubscribe that set No Marketing"] += 1
                flagged += 1
        return flagged
