"""observe → plan → apply → record, through ports only.

One way through the system for the first sync, a single edit, a retry and a
repair: something says “look again”, the planner answers, the answers are
applied, and only their outcomes move the synced state. Killed at any await,
the engine loses at most the calls in flight: their contacts were marked
uncertain before anything was sent, and uncertain contacts are looked at first.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence, Set
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import TypeVar

from lockstep.core.errors import AnswerLost, AudienceUnavailable, BatchRefused, ConnectionBroken, SyncError
from lockstep.core.identity import SubscriberHash, subscriber_hash
from lockstep.core.observation import Observation, Unknown
from lockstep.core.outcome import (
    ONLY_NEWCOMERS,
    Applied,
    Lost,
    NotTried,
    Outcome,
    Refusal,
    RefusalKind,
    Refused,
    Stale,
)
from lockstep.core.plan import (
    Answer,
    Change,
    Plan,
    PlanCounts,
    ReleaseMember,
    RenameMember,
    Skip,
    UpdateMember,
)
from lockstep.core.planner import Policy, Slice, make_plan
from lockstep.core.pool import CallPool
from lockstep.core.ports import BATCH, Audience, BatchChange, Clock, Store

STALE_ROUNDS = 3
"""How often one contact's plan may turn out stale in one run before it is shown as failed."""

UNKNOWN_ROUNDS = 3
"""How often a contact's writes and looks may go unanswered in one run before the run leaves it for later."""

LATER = 60.0
"""Seconds after which contacts that a run left for later are worth another try."""

AUDIT_OVERLAP = timedelta(minutes=10)
"""How much earlier than the start of an audit its last pass begins; more than two clocks may differ."""

LOOKS_AT_ONCE = 10
"""Single looks of one call slot; their results are recorded together."""

_Item = TypeVar("_Item")


class StopAsked(SyncError):
    """A person pressed Stop; the calls under way were waited for, nothing is half-written."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much at once. `in_flight` stays below Mailchimp's ten connections a user (contract 7)."""

    in_flight: int = 8
    slice_size: int = 4 * BATCH
    urgent_up_to: int = 200
    """A slice with so few changes goes before the bulk."""
    singles_up_to: int = 3
    """So few changes go as single calls at once: the shortest way for an edit."""
    attention: float = 0.1
    """Seconds between two looks for overtaking changes while the bulk runs."""


@dataclass(slots=True)
class Engine:
    """The sync of one connection, for one run.

    `batches` says whether this Mailchimp is proven to leave statuses alone in
    batch calls; without the proof every change goes singly.
    """

    audience: Audience
    store: Store
    clock: Clock
    policy: Policy
    limits: Limits = field(default_factory=Limits)
    batches: bool = False
    _pool: CallPool = field(init=False)
    _planning: asyncio.Lock = field(default_factory=asyncio.Lock)
    _stale: Counter[int] = field(default_factory=Counter)
    _unanswered: Counter[int] = field(default_factory=Counter)
    _later: set[int] = field(default_factory=set)
    """Contacts that go unanswered; they stay marked, for another run."""

    def __post_init__(self) -> None:
        self._pool = CallPool(self.limits.in_flight)

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
                    await self._stop_if_asked()
                    await self.store.record_observed(page)
        return await self.store.finish_audit()

    # --- plan ---------------------------------------------------------------------------------

    async def plan_everything(self, sink: Callable[[Slice, Plan], Awaitable[None]]) -> PlanCounts:
        """What a push would do now, in numbers; every slice's plan goes to `sink`. Sends nothing."""
        counts = PlanCounts()
        after = 0
        while (part := await self.store.slice_after(after, self.limits.slice_size)) is not None:
            await self._stop_if_asked()
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
        looks went unanswered again and again.
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
        if self._later:
            raise AudienceUnavailable(LATER, f"{len(self._later)} contacts went unanswered.")

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
        busy = frozenset(self._pool.busy_contacts) | self._later
        return await self.store.next_slice(self.limits.slice_size, busy)

    async def _push_slice(self, take: Callable[[], Awaitable[Slice | None]]) -> _Taken:
        """Take, plan, record, and hand the calls to the pool.

        Taking and planning is one at a time: two plans for one contact would not know of each other.
        What a call under way concerns is left for later, also when the call ended while the slice
        was read: the slice may be from before. Those that no mark would bring again get one first.
        """
        async with self._planning:
            await self._stop_if_asked()
            contacts, members = set(self._pool.busy_contacts), set(self._pool.busy_members)
            whole = await take()
            if whole is None:
                return _Taken(None, 0)
            contacts |= self._pool.busy_contacts | self._later
            part = _without(whole, contacts, members | self._pool.busy_members)
            planned = {wanted.contact_id for wanted in part.desired}
            left = [c for w in whole.desired if (c := w.contact_id) not in planned | whole.receipts.keys()]
            if left:
                await self.store.look_again(left)
            calls: list[_Call] = []
            left_over: list[Change] = []
            if part.desired:
                plan = make_plan(part, self.policy)
                await self.store.record_plan(part, plan)
                changes, left_over = _one_a_member(plan.changes)
                calls = self._calls(changes, plan.skips)
            for call in calls:
                self._pool.reserve(call.contacts, call.members)
        if left_over:
            await self._leave(left_over)
        for position, call in enumerate(calls):
            if not await self._pool.submit(call.run, call.contacts, call.members, urgent=call.urgent):
                await self._not_tried(calls[position:])
                break
        return _Taken(_last_contact(whole), len(part.desired))

    def _calls(self, changes: Sequence[Change], skips: Sequence[Skip]) -> list[_Call]:
        """The calls that a plan takes: looks, singles, and batches of up to 500."""
        calls: list[_Call] = []
        looks = [skip for skip in skips if skip.answer is Answer.LOOK]
        for some in _chunks(looks, LOOKS_AT_ONCE):
            hashes = tuple(dict.fromkeys(member for skip in some for member in skip.hashes))
            contacts = tuple(skip.contact_id for skip in some)
            calls.append(_Call((), contacts, hashes, True, partial(self._look, some)))
        urgent = len(changes) <= self.limits.urgent_up_to
        few = len(changes) <= self.limits.singles_up_to
        together: list[BatchChange] = []
        for change in changes:
            if few or not self.batches or isinstance(change, RenameMember):
                send = partial(self._send_one, change, urgent)
                calls.append(_Call((change,), (change.contact_id,), _members(change), urgent, send))
            else:
                together.append(change)
        for batch in _chunks(together, BATCH):
            members = tuple(member for change in batch for member in _members(change))
            contacts = tuple(change.contact_id for change in batch)
            calls.append(_Call(batch, contacts, members, urgent, partial(self._send_batch, batch, urgent)))
        return calls

    async def _look(self, skips: Sequence[Skip]) -> None:
        """Look at the members that contacts wait for; these are marked (`record_plan`) until it is done."""
        found: dict[SubscriberHash, Observation] = {}
        for member in dict.fromkeys(member for skip in skips for member in skip.hashes):
            await self._stop_if_asked()
            found[member] = await self.audience.look(member)
        settled: list[int] = []
        for skip in skips:
            if any(isinstance(found[member], Unknown) for member in skip.hashes):
                self._went_unanswered(skip.contact_id)
            else:
                settled.append(skip.contact_id)
        await self.store.record_looks(list(found.items()), settled)

    def _went_unanswered(self, contact_id: int) -> None:
        self._unanswered[contact_id] += 1
        if self._unanswered[contact_id] >= UNKNOWN_ROUNDS:
            self._later.add(contact_id)

    async def _send_one(self, change: Change, urgent: bool) -> None:
        try:
            await self._stop_if_asked()
            outcome = await self.audience.write_one(change, urgent=urgent)
        except AnswerLost:
            outcome = Lost(change)
        except BatchRefused as error:
            outcome = Refused(change, Refusal(RefusalKind.OTHER, error.raw, digest=change.digest))
        except _NOTHING_SENT:
            await self._leave([change])
            raise
        await self._record([outcome])

    async def _send_batch(self, batch: Sequence[BatchChange], urgent: bool) -> None:
        """One call; refused as a whole, it is halved until the culprit is alone (P5)."""
        try:
            await self._stop_if_asked()
            outcomes = await self.audience.write_batch(batch, urgent=urgent)
        except AnswerLost:
            outcomes = [Lost(change) for change in batch]
        except BatchRefused:
            if len(batch) == 1:
                await self._send_one(batch[0], urgent)
                return
            await self._send_halves(batch, urgent)
            return
        except _NOTHING_SENT:
            await self._leave(batch)
            raise
        await self._record(outcomes)

    async def _send_halves(self, batch: Sequence[BatchChange], urgent: bool) -> None:
        middle = len(batch) // 2
        try:
            await self._send_batch(batch[:middle], urgent)
        except _NOTHING_SENT:
            await self._leave(batch[middle:])
            raise
        await self._send_batch(batch[middle:], urgent)

    async def _leave(self, changes: Sequence[Change]) -> None:
        """Nothing was sent for these: they are simply still to do."""
        again = [change.contact_id for change in changes]
        await self.store.record_outcomes([NotTried(change) for change in changes], again)

    async def _not_tried(self, calls: Sequence[_Call]) -> None:
        """Calls that were planned but never started."""
        for call in calls:
            self._pool.release(call.contacts, call.members)
        await self._leave([change for call in calls for change in call.changes])

    async def _record(self, outcomes: Sequence[Outcome]) -> None:
        """Record what happened and, with it, who is to be looked at again; archive strays first.

        A stray that can't be archived now keeps no other outcome from being recorded.
        """
        settled: list[Outcome] = []
        again: list[int] = []
        error: SyncError | None = None
        for outcome in outcomes:
            change = outcome.change
            if (
                isinstance(outcome, Applied)
                and outcome.created
                and isinstance(change, UpdateMember | ReleaseMember)
            ):
                try:
                    await self.audience.archive_stray(outcome.member.hash)
                except SyncError as problem:
                    error = error or problem
                outcome = Stale(change, "The member had vanished from the audience.")
            elif (
                isinstance(outcome, Refused)
                and outcome.refusal.kind in ONLY_NEWCOMERS
                and isinstance(change, UpdateMember | ReleaseMember)
            ):
                outcome = Stale(change, outcome.refusal.text)  # it is not there any more
            match outcome:
                case Stale():
                    self._stale[change.contact_id] += 1
                    if self._stale[change.contact_id] > STALE_ROUNDS:
                        refusal = Refusal(RefusalKind.OTHER, outcome.text, digest=change.digest)
                        outcome = Refused(change, refusal)
                    else:
                        again.append(change.contact_id)
                case Lost() | NotTried():
                    self._went_unanswered(change.contact_id)
                    again.append(change.contact_id)
                case Applied() | Refused():
                    if isinstance(change, ReleaseMember) and change.look_again:
                        again.append(change.contact_id)
            settled.append(outcome)
        await self.store.record_outcomes(settled, again)
        if error is not None:
            raise error

    async def _stop_if_asked(self) -> None:
        if (await self.store.control()).stop:
            raise StopAsked


_NOTHING_SENT = (AudienceUnavailable, ConnectionBroken, StopAsked)
"""Errors that a call raises only when nothing took effect."""


@dataclass(frozen=True, slots=True)
class _Taken:
    """What a step took: the highest contact id of the slice (None at the end), contacts planned."""

    last: int | None
    planned: int


@dataclass(frozen=True, slots=True)
class _Call:
    changes: Sequence[Change]
    contacts: Sequence[int]
    members: Sequence[SubscriberHash]
    urgent: bool
    run: Callable[[], Awaitable[None]]


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


def _members(change: Change) -> tuple[SubscriberHash, ...]:
    """The members that a change writes or makes."""
    return (change.hash, subscriber_hash(change.key)) if isinstance(change, RenameMember) else (change.hash,)


def _one_a_member(changes: Sequence[Change]) -> tuple[list[Change], list[Change]]:
    """Changes with no member twice, and the rest: two calls for one member could arrive in the wrong
    order, and repeated addresses in one call make trouble (contract 5, trap 25).

    Two contacts hardly ever share a member in one plan; those that do go one after the other.
    """
    once: list[Change] = []
    rest: list[Change] = []
    taken: set[SubscriberHash] = set()
    for change in changes:
        members = _members(change)
        if taken.isdisjoint(members):
            taken.update(members)
            once.append(change)
        else:
            rest.append(change)
    return once, rest


def _chunks(items: Sequence[_Item], size: int) -> Iterable[Sequence[_Item]]:
    return (items[start : start + size] for start in range(0, len(items), size))
