"""`core.ports.Store` on PostgreSQL: reads slices, records plans, looks and outcomes.

`PostgresStore` is the asynchronous face; the work is synchronous, one
transaction a call, on the thread that the runner brings.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass, field
from typing import TypeVar

from django.db import transaction

from lockstep.apps.book.statistics import BOOK_TABLES, freshen_statistics
from lockstep.apps.connections.models import Connection
from lockstep.apps.sync import mirror, recording, slices
from lockstep.apps.sync.database_thread import DatabaseThread
from lockstep.apps.sync.dispatch import dispatch_changes
from lockstep.apps.sync.models import MemberRecord, SyncRun
from lockstep.core.identity import SubscriberHash
from lockstep.core.member import ObservedMember
from lockstep.core.observation import Observation
from lockstep.core.outcome import Outcome
from lockstep.core.plan import Plan
from lockstep.core.planner import Slice
from lockstep.core.ports import Control

_TABLES = ("sync_memberrecord", "sync_observedrecord")

MANY = 200
"""Contacts from which on a slice may have made the tables a lot larger than PostgreSQL knows."""

CONTROL_AGE = 0.2
"""Seconds for which a read of what people want may be used again."""

_Value = TypeVar("_Value")


@dataclass(slots=True)
class PostgresStore:
    """The memory of one connection during one run.

    `run_id` is the run that progress and events are counted for, or None for
    continuous changes. `nobody_fits` makes every contact leave (Stop Sync).
    """

    database: DatabaseThread
    connection_id: int
    company_id: int
    run_id: int | None = None
    nobody_fits: bool = False
    _control: Control = field(default_factory=Control)
    _control_at: float = float("-inf")
    _auditing: bool = False
    _marks: dict[int, list[int]] = field(default_factory=dict)
    """The marks behind the receipts of the slice taken last: a slice's plan is recorded before the next."""

    async def do(self, work: Callable[[], _Value]) -> _Value:
        """One piece of synchronous database work, in a transaction, on the store's thread."""

        def in_transaction() -> _Value:
            with transaction.atomic():
                return work()

        return await self.database.run(in_transaction)

    # --- reading ------------------------------------------------------------------------------

    async def next_slice(self, limit: int, but: Set[int]) -> Slice | None:
        def work() -> Slice | None:
            dispatch_changes(self.company_id)
            self._marks = slices.read_marks(self.connection_id, limit, but)
            if not self._marks:
                return None
            receipts = {contact: ids[-1] for contact, ids in self._marks.items()}
            return slices.closed_slice(self._connection(), receipts, nobody_fits=self.nobody_fits)

        return await self.do(work)

    async def slice_after(self, contact_id: int, limit: int) -> Slice | None:
        def work() -> Slice | None:
            freshen_statistics(*BOOK_TABLES, *_TABLES)
            return slices.range_slice(self._connection(), contact_id, limit, nobody_fits=self.nobody_fits)

        return await self.do(work)

    async def control(self) -> Control:
        if time.monotonic() - self._control_at > CONTROL_AGE:
            self._control = await self.do(self._read_control)
            self._control_at = time.monotonic()
        return self._control

    def _read_control(self) -> Control:
        if self.run_id is not None:
            run = SyncRun.objects.filter(pk=self.run_id).only("stop_asked", "state").first()
            # One that has ended was taken over, while this worker stood still, and brought to its end.
            return Control(stop=run is None or run.stop_asked or not run.open)
        mode = Connection.objects.filter(pk=self.connection_id).values_list("mode", flat=True).first()
        return Control(stop=mode != Connection.Mode.ON)

    # --- recording ----------------------------------------------------------------------------

    async def record_plan(self, part: Slice, plan: Plan) -> None:
        def work() -> None:
            read = (self._marks.get(contact, ()) for contact in part.receipts)
            slices.delete_marks([mark for marks in read for mark in marks])
            recording.record_plan(self._connection(), self.run_id, part, plan)

        await self.do(work)

    async def record_outcomes(self, outcomes: Sequence[Outcome], again: Sequence[int] = ()) -> None:
        await self.do(lambda: recording.record_outcomes(self._connection(), self.run_id, outcomes, again))

    async def record_observed(self, members: Sequence[ObservedMember]) -> None:
        def work() -> None:
            recording.record_observed(self._connection(), members, auditing=self._auditing)
            if self.run_id is not None:
                recording.count(self.run_id, observed=len(members))

        await self.do(work)

    async def record_looks(
        self, looks: Sequence[tuple[SubscriberHash, Observation]], contacts: Sequence[int]
    ) -> None:
        await self.do(lambda: recording.record_looks(self._connection(), looks, contacts))

    async def begin_audit(self) -> None:
        await self.do(lambda: mirror.begin_audit(self.connection_id))
        self._auditing = True

    async def finish_audit(self) -> int:
        self._auditing = False
        return await self.do(lambda: mirror.finish_audit(self._connection()))

    async def recover(self) -> None:
        def work() -> None:
            contacts = MemberRecord.objects.filter(connection_id=self.connection_id, uncertain=True)
            recording.mark_contacts(self.connection_id, list(contacts.values_list("contact_id", flat=True)))

        await self.do(work)

    async def look_again(self, contact_ids: Sequence[int]) -> None:
        await self.do(lambda: recording.mark_contacts(self.connection_id, contact_ids))

    def _connection(self) -> Connection:
        return Connection.objects.select_related("account").get(pk=self.connection_id)
