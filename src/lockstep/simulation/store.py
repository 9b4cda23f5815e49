"""The database, as a worker sees it: `core.testing.MemoryStore`, reached over a wire that can break off.

Whatever a call does, it does at once; before and after it the worker may be killed, frozen, overtaken.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence, Set
from dataclasses import dataclass, field
from typing import TypeVar

from lockstep.core.identity import SubscriberHash
from lockstep.core.member import ObservedMember
from lockstep.core.observation import Observation
from lockstep.core.outcome import Outcome
from lockstep.core.plan import Plan
from lockstep.core.planner import Slice
from lockstep.core.ports import Control
from lockstep.core.testing import MemoryStore, Pulse

T = TypeVar("T")


class _Instant(Pulse):
    """No pause inside a transaction: the wire has its own."""

    async def __call__(self) -> None:
        return


class _Everybody(set[SubscriberHash]):
    """Who was seen since, for every audit under way."""

    def __init__(self, audits: dict[object, set[SubscriberHash]]) -> None:
        super().__init__()
        self._audits = audits

    def add(self, member: SubscriberHash) -> None:
        for seen in self._audits.values():
            seen.add(member)


@dataclass(slots=True)
class SimulatedStore(MemoryStore):
    """A `MemoryStore` that several workers use, each with an audit of its own, as on PostgreSQL."""

    pulse: Pulse = field(default_factory=_Instant)
    audits: dict[object, set[SubscriberHash]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._seen = _Everybody(self.audits)

    async def begin_audit_of(self, who: object) -> None:
        self.audits[who] = set()

    async def finish_audit_of(self, who: object) -> int:
        self._seen = self.audits.pop(who)
        try:
            return await MemoryStore.finish_audit(self)
        finally:
            self._seen = _Everybody(self.audits)


@dataclass(slots=True)
class WorkerStore:
    """The `Store` port of one worker. `beat` is awaited before and after each call, and ends a dead one."""

    inner: SimulatedStore
    beat: Callable[[], Awaitable[None]]
    control_of: Callable[[], Control]
    note_cursor: Callable[[int], None]
    who: object

    async def _call(self, work: Callable[[], Awaitable[T]]) -> T:
        await self.beat()
        result = await work()
        await self.beat()
        return result

    async def next_slice(self, limit: int, but: Set[int]) -> Slice | None:
        return await self._call(lambda: self.inner.next_slice(limit, but))

    async def slice_after(self, contact_id: int, limit: int) -> Slice | None:
        return await self._call(lambda: self.inner.slice_after(contact_id, limit))

    async def record_plan(self, part: Slice, plan: Plan) -> None:
        async def work() -> None:
            await self.inner.record_plan(part, plan)
            if part.through:
                self.note_cursor(part.through)

        await self._call(work)

    async def record_outcomes(self, outcomes: Sequence[Outcome], again: Sequence[int] = ()) -> None:
        await self._call(lambda: self.inner.record_outcomes(outcomes, again))

    async def record_observed(self, members: Sequence[ObservedMember]) -> None:
        await self._call(lambda: self.inner.record_observed(members))

    async def record_looks(
        self, looks: Sequence[tuple[SubscriberHash, Observation]], contacts: Sequence[int]
    ) -> None:
        await self._call(lambda: self.inner.record_looks(looks, contacts))

    async def begin_audit(self) -> None:
        await self._call(lambda: self.inner.begin_audit_of(self.who))

    async def finish_audit(self) -> int:
        return await self._call(lambda: self.inner.finish_audit_of(self.who))

    async def recover(self) -> None:
        await self._call(self.inner.recover)

    async def look_again(self, contact_ids: Sequence[int]) -> None:
        await self._call(lambda: self.inner.look_again(contact_ids))

    async def control(self) -> Control:
        await self.beat()
        return self.control_of()
