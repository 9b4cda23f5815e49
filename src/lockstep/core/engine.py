"""observe → plan → apply → record, through ports only.

One way through the system for the first sync, a single edit, a retry and a
repair: something says “look again”, the planner answers, the answers are
applied, and only their outcomes move the synced state. Killed at any await,
the engine loses at most the calls in flight: their contacts were marked
uncertain before anything was sent, and uncertain contacts are looked at first.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence, Set
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial

from lockstep.core.errors import AudienceUnavailable, StopAsked
from lockstep.core.identity import SubscriberHash, subscriber_hash
from lockstep.core.plan import Change, Plan, PlanCounts
from lockstep.core.planner import Policy, Slice, make_plan
from lockstep.core.pool import CallPool
from lockstep.core.ports import Audience, Clock, Store
from lockstep.core.sending import Call, Limits, Sender

LATER = 60.0
"""Seconds after which contacts that a run left for later are worth another try."""

AUDIT_OVERLAP = timedelta(minutes=10)
"""How much earlier than the start of an audit its last pass begins; more than two clocks may differ."""


@dataclass(slots=True)
class Engine:
    """The sync of one connection, for one run.

    `batches` says whether this Mailchimp is proven to leave statuses alone in
    batch calls; without the proof every change goes singly. It may be set later.
    """

    audience: Audience
    store: Store
    clock: Clock
    policy: Policy
    limits: Limits = field(default_factory=Limits)
    batches: bool = False
    _pool: CallPool = field(init=False)
    _planning: asyncio.Lock = field(default_factory=asyncio.Lock)
    _sender: Sender = field(init=False)

    def __post_init__(self) -> None:
        self._pool = CallPool(self.limits.in_flight)
        self._sender = Sender(self.audience, self.store, self.limits)

    # --- observe ------------------------------------------------------------------------------

    async def audit(self) -> int:
        """Read the whole audience, archived ones included; returns how many members it holds.

        Only a reading that came to its end concludes that anybody is absent. A member that was
        archived or came back between the two long passes may be in neither, and one that changed
        its address in neither page: the last passes bring whatever changed since the start.
        """
        await self.store.begin_audit()
        started = self.clock.now() - AUDIT_OVERLAP
        for since in (None, started):
            for archived in (False, True):
                async for page in self.audience.observe(archived=archived, since=since):
                    await self._sender.stop_if_asked()
                    await self.store.record_observed(page)
        return await self.store.finish_audit()

    # --- plan ---------------------------------------------------------------------------------

    async def plan_everything(self, sink: Callable[[Slice, Plan], Awaitable[None]]) -> PlanCounts:
        """What a push would do now, in numbers; every slice's plan goes to `sink`. Sends nothing."""
        counts = PlanCounts()
        after = 0
        while (part := await self.store.slice_after(after, self.limits.slice_size)) is not None:
            await self._sender.stop_if_asked()
            plan = make_plan(part, self.policy)
            counts.add(plan)
            await sink(part, plan)
            after = _last_contact(part)
        return counts

    # --- apply --------------------------------------------------------------------------------

    async def push_everything(self, after: int = 0) -> None:
        """Bring the whole book in step, in the order of contact ids from `after` on, then what is marked.

        Nobody waits for the bulk: contacts marked meanwhile go before it.
        Raises the first error of any call, after waiting for the calls under way.
        """
        bulk_runs = asyncio.Event()
        overtaking = asyncio.ensure_future(self._overtake(bulk_runs))
        try:
            while not self._pool.failed:
                taken = await self._push_slice(partial(self._take_after, after))
                if taken.last is None:
                    break
                after = taken.last
        finally:
            bulk_runs.set()
            await overtaking
            await self._pool.drain()
        await self.catch_up()

    async def catch_up(self) -> None:
        """Bring in step everything that is marked, until nothing is. Raises as `push_everything` does.

        Raises `AudienceUnavailable` at the end when contacts are left marked whose writes and
        looks went unanswered again and again; called again later, it tries them again.
        """
        await self.store.recover()
        try:
            while not self._pool.failed:
                ended = self._pool.ended
                taken = await self._push_slice(self._take_marked)
                if taken.planned:
                    continue
                if not self._pool.idle:
                    await self._pool.step()
                elif ended == self._pool.ended:  # no call ended meanwhile that could have marked somebody
                    break
        finally:
            await self._pool.drain()
        if unanswered := self._sender.begin_anew():
            raise AudienceUnavailable(LATER, f"{unanswered} contacts went unanswered.")

    async def _overtake(self, bulk_done: asyncio.Event) -> None:
        """While the bulk runs: bring marked contacts in step as they appear."""
        try:
            while not self._pool.failed and not bulk_done.is_set():
                if not (await self._push_slice(self._take_marked)).planned:
                    await self.clock.sleep(self.limits.attention)
        except Exception as error:  # noqa: BLE001  -- handed to the pool, whose `drain` raises it
            self._pool.fail(error)

    async def _take_after(self, after: int) -> Slice | None:
        return await self.store.slice_after(after, self.limits.slice_size)

    async def _take_marked(self) -> Slice | None:
        busy = frozenset(self._pool.busy_contacts) | self._sender.later
        return await self.store.next_slice(self.limits.slice_size, busy)

    async def _push_slice(self, take: Callable[[], Awaitable[Slice | None]]) -> _Taken:
        """Take, plan, record, and hand the calls to the pool.

        Taking and planning is one at a time: two plans for one contact would not know of each other.
        What a call under way concerns is left for later, also when the call ended while the slice
        was read: the slice may be from before. Those that no mark would bring again get one first.
        """
        async with self._planning:
            await self._sender.stop_if_asked()
            contacts, members = set(self._pool.busy_contacts), set(self._pool.busy_members)
            whole = await take()
            if whole is None:
                return _Taken(None, 0)
            contacts |= self._pool.busy_contacts | self._sender.later
            part = _without(whole, contacts, members | self._pool.busy_members)
            planned = {wanted.contact_id for wanted in part.desired}
            left = [c for w in whole.desired if (c := w.contact_id) not in planned | whole.receipts.keys()]
            if left:
                await self.store.look_again(left)
            calls: list[Call] = []
            left_over: list[Change] = []
            if part.desired:
                plan = make_plan(part, self.policy)
                await self.store.record_plan(part, plan)
                calls, left_over = self._sender.calls(plan, batches=self.batches)
            for call in calls:
                self._pool.reserve(call.contacts, call.members)
        if left_over:
            await self._sender.leave(left_over)
        for position, call in enumerate(calls):
            if not await self._pool.submit(call.run, call.contacts, call.members, urgent=call.urgent):
                await self._not_tried(calls[position:])
                break
        return _Taken(_last_contact(whole), len(part.desired))

    async def _not_tried(self, calls: Sequence[Call]) -> None:
        """Calls that were planned but never started."""
        for call in calls:
            self._pool.release(call.contacts, call.members)
        await self._sender.leave([change for call in calls for change in call.changes])


@dataclass(frozen=True, slots=True)
class _Taken:
    """What a step took: the highest contact id of the slice (None at the end), contacts planned."""

    last: int | None
    planned: int


def _last_contact(part: Slice) -> int:
    return max(wanted.contact_id for wanted in part.desired)


def _without(part: Slice, contacts: Set[int], members: Set[SubscriberHash]) -> Slice:
    """The slice without contacts that a call concerns, by contact or by any member of theirs."""
    busy: set[int] = set()
    for wanted in part.desired:
        keys = [wanted.key]
        if (synced := part.synced.get(wanted.contact_id)) is not None:
            keys += [synced.key, synced.sent_key]
        theirs = {subscriber_hash(key) for key in keys if key}
        if (moved := part.moved.get(wanted.contact_id)) is not None:
            theirs.add(moved.hash)
        if wanted.contact_id in contacts or theirs & members:
            busy.add(wanted.contact_id)
    return part.without(busy)


__all__ = ["AUDIT_OVERLAP", "LATER", "Engine", "Limits", "StopAsked"]
