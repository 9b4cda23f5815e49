"""Sending what a plan says, call by call, and recording what came of it.

Every call records its own outcomes: what was refused as a whole is halved, what was
lost or turned out stale is looked at again, what surely had no effect is still to do.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence, Set
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from lockstep.core import field_map
from lockstep.core.errors import (
    AnswerLost,
    AudienceUnavailable,
    BatchRefused,
    ConnectionBroken,
    StopAsked,
    SyncError,
)
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
    ReleaseMember,
    RenameMember,
    Skip,
    TagMember,
    UpdateMember,
    tagged,
    tags_follow,
)
from lockstep.core.ports import BATCH, Audience, BatchChange, Store
from lockstep.core.tagging import TagTally, calls_by_tag, is_cheaper_by_tag

STALE_ROUNDS = 3
"""How often one contact's plan may turn out stale in one run before it is shown as failed."""

UNKNOWN_ROUNDS = 3
"""How often a contact's writes and looks may go unanswered in one run before the run leaves it for later."""

LOOKS_AT_ONCE = 10
"""Single looks of one call slot; their results are recorded together."""

_NOTHING_SENT = (AudienceUnavailable, ConnectionBroken, StopAsked)
"""Errors that a call raises only when nothing took effect."""


_Item = TypeVar("_Item")


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


@dataclass(frozen=True, slots=True)
class Call:
    """One call to be: what it changes, whom it concerns, and how to run it."""

    changes: Sequence[Change]
    contacts: Sequence[int]
    members: Sequence[SubscriberHash]
    urgent: bool
    run: Callable[[], Awaitable[None]]


@dataclass(slots=True)
class Sender:
    """The calls of one run; remembers for its length who went unanswered or stale."""

    audience: Audience
    store: Store
    limits: Limits
    later: set[int] = field(default_factory=set)
    """Contacts that go unanswered; they stay marked, until somebody begins anew."""
    _stale: Counter[int] = field(default_factory=Counter)
    _unanswered: Counter[int] = field(default_factory=Counter)

    def begin_anew(self) -> int:
        """Leave nobody for later any more; returns how many were."""
        left = len(self.later)
        self.later.clear()
        self._unanswered.clear()
        return left

    def calls(self, plan: Plan, *, batches: bool) -> tuple[list[Call], list[Change]]:
        """The calls that a plan takes (looks, singles, batches of up to 500), and changes to leave."""
        changes, rest = _one_a_member(plan.changes)
        calls: list[Call] = []
        for some in _looks(plan.skips, {member for change in changes for member in _members(change)}):
            hashes = tuple(dict.fromkeys(member for skip in some for member in skip.hashes))
            contacts = tuple(skip.contact_id for skip in some)
            calls.append(Call((), contacts, hashes, True, partial(self._look, some)))
        urgent = len(changes) <= self.limits.urgent_up_to
        few = len(changes) <= self.limits.singles_up_to
        together: list[BatchChange] = []
        tagging = [change for change in changes if isinstance(change, TagMember)]
        if not few and is_cheaper_by_tag(tagging):
            contacts = tuple(change.contact_id for change in tagging)
            members = tuple(change.hash for change in tagging)
            calls.append(Call(tagging, contacts, members, urgent, partial(self._send_tags, tagging, urgent)))
            changes = [change for change in changes if not isinstance(change, TagMember)]
        for change in changes:
            if few or not batches or isinstance(change, RenameMember | TagMember):
                send = partial(self._send_one, change, urgent)
                calls.append(Call((change,), (change.contact_id,), _members(change), urgent, send))
            else:
                together.append(change)
        for batch in _chunks(together, BATCH):
            members = tuple(member for change in batch for member in _members(change))
            contacts = tuple(change.contact_id for change in batch)
            calls.append(Call(batch, contacts, members, urgent, partial(self._send_batch, batch, urgent)))
        return calls, rest

    async def _look(self, skips: Sequence[Skip]) -> None:
        """Look at the members that contacts wait for; these are marked (`record_plan`) until it is done."""
        found: dict[SubscriberHash, Observation] = {}
        for member in dict.fromkeys(member for skip in skips for member in skip.hashes):
            await self.stop_if_asked()
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
            self.later.add(contact_id)

    async def _send_one(self, change: Change, urgent: bool) -> None:
        try:
            await self.stop_if_asked()
            outcome = await self.audience.write_one(change, urgent=urgent)
        except AnswerLost:
            outcome = Lost(change)
        except BatchRefused as error:
            outcome = Refused(change, Refusal(RefusalKind.OTHER, error.raw, digest=change.digest))
        except _NOTHING_SENT:
            await self.leave([change])
            raise
        await self._record([outcome])

    async def _send_batch(self, batch: Sequence[BatchChange], urgent: bool) -> None:
        """One call; refused as a whole, it is halved until the culprit is alone (P5)."""
        try:
            await self.stop_if_asked()
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
            await self.leave(batch)
            raise
        await self._record(outcomes)

    async def _send_halves(self, batch: Sequence[BatchChange], urgent: bool) -> None:
        middle = len(batch) // 2
        try:
            await self._send_batch(batch[:middle], urgent)
        except _NOTHING_SENT:
            await self.leave(batch[middle:])
            raise
        await self._send_batch(batch[middle:], urgent)

    async def _send_tags(self, changes: Sequence[TagMember], urgent: bool) -> None:
        """Tag by tag; members for whom that was refused singly, in calls that say why.

        Whatever ends this early, what was confirmed is recorded.
        """
        tally = TagTally(changes)
        try:
            for call in calls_by_tag(changes):
                await self.stop_if_asked()
                try:
                    refused = await self.audience.write_tag(
                        call.tag, add=call.add, remove=call.remove, urgent=urgent
                    )
                    tally.confirm(call, refused)
                except AnswerLost:
                    tally.lose(call)
                except BatchRefused:
                    pass  # each member's own call will tell
        except _NOTHING_SENT:
            await self._record_tags(tally)
            await self.leave(tally.rest)
            raise
        await self._record_tags(tally)
        rest = tally.rest
        for position, change in enumerate(rest):
            try:
                await self._send_one(change, urgent)
            except _NOTHING_SENT:
                await self.leave(rest[position + 1 :])
                raise

    async def _record_tags(self, tally: TagTally) -> None:
        done = [Applied(change, tagged(change)) for change in tally.done]
        await self._record([*done, *(Lost(change) for change in tally.unanswered)])

    async def leave(self, changes: Sequence[Change]) -> None:
        """Nothing was sent for these: they are simply still to do."""
        again = [change.contact_id for change in changes]
        await self.store.record_outcomes([NotTried(change) for change in changes], again)

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
                and isinstance(change, UpdateMember | ReleaseMember)
                and self._may_have_changed(outcome)
            ):
                outcome = Stale(change, outcome.refusal.text)
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
                    if _another_step_follows(outcome):
                        again.append(change.contact_id)
                    elif isinstance(outcome, Applied) and not _is_as_wanted(outcome):
                        # Somebody changed a field of ours since we looked; but this is no contest.
                        self._stale[change.contact_id] += 1
                        if self._stale[change.contact_id] <= STALE_ROUNDS:
                            again.append(change.contact_id)
            settled.append(outcome)
        await self.store.record_outcomes(settled, again)
        if error is not None:
            raise error

    def _may_have_changed(self, outcome: Refused) -> bool:
        """Whether a refusal may only say that the member is not as we thought: not there any more, or
        archived since. Nobody can ask to try the release of a contact again that does not fit, so what is
        remembered against it must be true of the member as it is."""
        kind = outcome.refusal.kind
        return kind in ONLY_NEWCOMERS or (
            isinstance(outcome.change, ReleaseMember)
            and kind is RefusalKind.OTHER
            and not self._stale[outcome.change.contact_id]
        )

    async def stop_if_asked(self) -> None:
        """Raises `StopAsked` once a person wants the run to end."""
        if (await self.store.control()).stop:
            raise StopAsked


def _is_as_wanted(outcome: Applied) -> bool:
    """Whether the member is as the change meant it to be, also in the fields that were not sent
    because they did not differ when we looked."""
    change, values = outcome.change, outcome.member.values
    if isinstance(change, TagMember):
        return True  # its answer tells of no field
    if isinstance(change, ReleaseMember):
        return field_map.released(values) == values
    return values == change.values


def _another_step_follows(outcome: Applied | Refused) -> bool:
    change = outcome.change
    if isinstance(change, ReleaseMember):
        return change.look_again
    return isinstance(outcome, Applied) and tags_follow(change, outcome.member)


def _looks(skips: Sequence[Skip], written: Set[SubscriberHash]) -> Iterable[Sequence[Skip]]:
    """The looks of a plan by tens, without those at members that another call concerns: what was read
    before a write could be recorded after it. Whoever is left out is marked, and its turn comes."""
    taken = set(written)
    together: list[Skip] = []
    for skip in skips:
        if skip.answer is Answer.LOOK and taken.isdisjoint(skip.hashes):
            together.append(skip)
            if len(together) == LOOKS_AT_ONCE:
                yield together
                taken.update(member for looked in together for member in looked.hashes)
                together = []
    if together:
        yield together


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
