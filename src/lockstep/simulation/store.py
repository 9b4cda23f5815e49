"""The database, as a worker sees it: `core.testing.MemoryStore`, reached over a wire that can break off.

Whatever a call does, it does at once; before and after it the worker may be killed, frozen, overtaken.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence, Set
from dataclasses import dataclass, field
from typing import TypeVar

from lockstep.core.identity import SubscriberHash
from lockstep.core.member import ObservedMember
from lockstep.core.observation import Observation
from lockstep.core.outcome import Outcome, Refused
from lockstep.core.plan import AddMember, Plan, ReleaseMember, RenameMember, TagMember, UpdateMember
from lockstep.core.planner import Slice
from lockstep.core.ports import Control
from lockstep.core.testing import MemoryStore, Pulse

T = TypeVar("T")


_WORDS = {
    AddMember: "planned add", UpdateMember: "planned update", RenameMember: "planned rename",
    ReleaseMember: "planned release", TagMember: "planned tags",
}  # fmt: skip


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
    beside: list[SimulatedStore] = field(default_factory=list)
    """Those of the other audiences, over the same contacts."""

    def edit(self, contact_id: int, **changes: object) -> None:
        MemoryStore.edit(self, contact_id, **changes)
        self._mark_beside(contact_id)

    def add(self, email: str = "", *, first_name: str = "", group: str = "") -> int:
        contact_id = MemoryStore.add(self, email, first_name=first_name, group=group)
        self._mark_beside(contact_id)
        return contact_id

    def vanish(self, contact_id: int) -> None:
        MemoryStore.vanish(self, contact_id)
        self._mark_beside(contact_id)

    def choose(self, contact_id: int) -> None:
        MemoryStore.choose(self, contact_id)
        self._mark_beside(contact_id)

    def _mark_beside(self, contact_id: int) -> None:
        for store in self.beside:
            store.mark([contact_id])

    def known(self) -> int:
        """How many contacts have an answer."""
        return len(self._known())

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
    seen: Counter[str]

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
            self.seen.update(_WORDS[type(change)] for change in plan.changes)
            self.seen.update(f"answer {skip.answer.value}" for skip in plan.skips)
            self.seen.update(f"left out, {skip.reason.value}" for skip in plan.skips if skip.state is None)
            if part.through:
                self.note_cursor(part.through)

        await self._call(work)

    async def record_outcomes(self, outcomes: Sequence[Outcome], again: Sequence[int] = ()) -> None:
        async def work() -> None:
            await self.inner.record_outcomes(outcomes, again)
            for outcome in outcomes:
                name = type(outcome).__name__.lower()
                self.seen[f"outcome {name}"] += 1
                if isinstance(outcome, Refused):
                    self.seen[f"refused as {outcome.refusal.kind.value}"] += 1

        await self._call(work)

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
