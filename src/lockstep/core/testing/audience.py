"""A Mailchimp audience in memory, as the engine's `Audience` port sees it.

The rules are those of the contract: who is there keeps the status (4.4), the refusals of one
member (4.5), renames (4.6), whole-call refusals and poor answers of the batch call (5).
"""

from __future__ import annotations

import enum
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from lockstep.core.consent import IF_VANISHED, NewStatus
from lockstep.core.errors import AnswerLost, AudienceUnavailable, BatchRefused, BrokenKind, ConnectionBroken
from lockstep.core.field_map import FieldMap, differing
from lockstep.core.identity import AddressKey, SubscriberHash, address_key, subscriber_hash
from lockstep.core.member import MemberStatus, ObservedMember, Values
from lockstep.core.observation import ABSENT, UNKNOWN, Observation, Present
from lockstep.core.outcome import ONLY_NEWCOMERS, Applied, Lost, Outcome, Refusal, RefusalKind, Refused, Stale
from lockstep.core.plan import AddMember, Change, RenameMember, TagMember, tagged, tags_of
from lockstep.core.ports import BATCH, BatchChange
from lockstep.core.tags import TagRule
from lockstep.core.testing.clock import ManualClock
from lockstep.core.testing.crash import Pulse


class Fault(enum.StrEnum):
    """What goes wrong with one call."""

    UNAVAILABLE = "unavailable"
    BROKEN = "broken"
    LOST = "lost"
    """The request never arrived; nobody knows."""
    LOST_DONE = "lost_done"
    """It took effect, the answer was lost."""
    LOST_LATE = "lost_late"
    """It takes effect when `land_late` is called, at the latest before a rename.

    Later than that it would make the old address anew, which no engine could tell from a person's deed.
    """
    UNKNOWN = "unknown"
    """A look that brought no trustworthy answer."""


@dataclass(slots=True)
class Faults:
    """Faults to come, by kind of call (`observe`, `look`, `write`); `choose` is asked when none is queued."""

    queued: dict[str, deque[Fault]] = field(default_factory=dict)
    choose: Callable[[str], Fault | None] | None = None

    def next(self, kind: str, *faults: Fault) -> None:
        self.queued.setdefault(kind, deque()).extend(faults)

    def take(self, kind: str) -> Fault | None:
        if queue := self.queued.get(kind):
            return queue.popleft()
        return self.choose(kind) if self.choose else None

    def clear(self) -> None:
        self.queued.clear()
        self.choose = None


@dataclass(slots=True)
class MemoryMember:
    """One member, with what the engine can't see: who unsubscribed, others' fields and tags."""

    email: str
    status: MemberStatus
    contact_key: str
    fields: dict[str, str] = field(default_factory=dict)
    """Merge fields by tag: ours and others'."""
    tags: frozenset[str] = frozenset()
    by_hand: set[str] = field(default_factory=set)
    """Tags that a marketer put there."""
    ours: set[str] = field(default_factory=set)
    """Tags that we wrote and did not take off since, in lower case, wherever they went meanwhile."""
    archived: bool = False
    unsubscribed_by: str = ""
    """`person` or `admin`; '' for everybody else."""
    changed: datetime | None = None

    @property
    def key(self) -> AddressKey:
        return address_key(self.email)


@dataclass(frozen=True, slots=True)
class AudienceCall:
    """One call that reached the audience: `observe`, `look`, `batch`, `one`, `tag` or `archive`."""

    kind: str
    changes: tuple[Change, ...] = ()
    members: tuple[SubscriberHash, ...] = ()

    @property
    def writes(self) -> bool:
        return self.kind in ("batch", "one", "tag", "archive")


@dataclass(frozen=True, slots=True)
class StatusChange:
    """A status that changed; `before` is None for somebody new, `by` is `us`, `person` or `admin`."""

    key: AddressKey
    before: MemberStatus | None
    after: MemberStatus
    by: str


@dataclass(slots=True)
class MemoryAudience:
    """The port, and methods in the words of people for what subscriber and marketer do.

    `refuse` refuses single addresses with a kind, in batches and singly; a call with an
    address in `poison` is refused as a whole, singly with OTHER.
    """

    clock: ManualClock = field(default_factory=ManualClock)
    field_map: FieldMap = field(default_factory=FieldMap)
    pulse: Pulse = field(default_factory=Pulse)
    faults: Faults = field(default_factory=Faults)
    page_size: int = 1000
    slowness: int = 0
    """Beats that a write waits before it takes effect, and that any answer waits before it comes."""
    keeps_status: bool = True
    tag_rule: TagRule | None = None
    """Which tags are ours; None where tags are none of our business, and are not told."""
    batch_tags: bool = True
    """Whether a batch call writes tags, and tells them in its answer."""
    robbed: list[str] = field(default_factory=list)
    """Tags that we took off though a marketer had put them there; must stay empty (P2)."""
    members: dict[SubscriberHash, MemoryMember] = field(default_factory=dict)
    forgotten: set[SubscriberHash] = field(default_factory=set)
    refuse: dict[AddressKey, RefusalKind] = field(default_factory=dict)
    poison: set[AddressKey] = field(default_factory=set)
    calls: list[AudienceCall] = field(default_factory=list)
    statuses: list[StatusChange] = field(default_factory=list)
    overlaps: list[str] = field(default_factory=list)
    """Calls under way at once for one member or contact; must stay empty (contract 7). A look beside a
    write counts: what it read before the write could be recorded after it."""
    at_once: int = 0
    most_at_once: int = 0
    _busy: Counter[str] = field(default_factory=Counter)
    _looking: Counter[SubscriberHash] = field(default_factory=Counter)
    _late: list[Callable[[], object]] = field(default_factory=list)
    _made: int = 0

    # --- what subscriber and marketer do --------------------------------------------------------

    def member(self, email: str) -> MemoryMember | None:
        return self.members.get(subscriber_hash(address_key(email)))

    def there(self, email: str) -> MemoryMember:
        """The member at an address; KeyError when there is none."""
        return self.members[subscriber_hash(address_key(email))]

    def join(
        self,
        email: str,
        status: MemberStatus = MemberStatus.SUBSCRIBED,
        *,
        by: str = "person",
        fields: dict[str, str] | None = None,
        tags: frozenset[str] = frozenset(),
    ) -> MemoryMember:
        """Somebody gets into the audience without us, also one who was deleted for good."""
        return self._make(email, status, by, fields or {}, tags)

    def set_status(self, email: str, status: MemberStatus, *, by: str) -> None:
        """The person or an admin changes the status (unsubscribe, resubscribe, bounce-clean, confirm)."""
        member = self.there(email)
        self.statuses.append(StatusChange(member.key, member.status, status, by))
        member.status = status
        member.unsubscribed_by = by if status is MemberStatus.UNSUBSCRIBED else ""
        self._touch(member)

    def unsubscribe(self, email: str, *, by: str = "person") -> None:
        self.set_status(email, MemberStatus.UNSUBSCRIBED, by=by)

    def archive(self, email: str, archived: bool = True) -> None:
        member = self.there(email)
        member.archived = archived
        self._touch(member)

    def delete_for_good(self, email: str) -> None:
        """No tombstone is left; the address is refused from now on (contract 4.5)."""
        member = subscriber_hash(address_key(email))
        del self.members[member]
        self.forgotten.add(member)

    def change_address(self, email: str, new: str) -> None:
        """The person changes the address on the hosted form; `contact_key` stays (contract 4.1)."""
        member = self.there(email)
        if self.member(new) is not None:
            raise ValueError("That address is in the audience already.")
        self._rename(member, new)
        self._touch(member)

    def put_tag(self, email: str, name: str) -> None:
        """A marketer tags a member by hand; nothing tells of it (contract 8)."""
        member = self.there(email)
        if _held(member, name) is None:
            member.tags |= {name}
            if name.casefold() not in member.ours:
                member.by_hand.add(name)

    def take_tag(self, email: str, name: str) -> None:
        """A marketer takes a tag off by hand."""
        member = self.there(email)
        member.tags -= {_held(member, name) or name}
        member.by_hand.discard(name)

    def set_field(self, email: str, tag: str, value: str) -> None:
        member = self.there(email)
        member.fields[tag] = value
        self._touch(member)

    def values(self, email: str) -> Values:
        """Our fields' values of a member."""
        return self.field_map.values_of(self.there(email).fields)

    def land_late(self) -> None:
        """Writes whose answers were lost take effect now."""
        late, self._late = self._late, []
        for write in late:
            write()

    @property
    def writes(self) -> list[AudienceCall]:
        return [call for call in self.calls if call.writes]

    # --- the port ------------------------------------------------------------------------------

    async def observe(
        self, *, archived: bool, since: datetime | None
    ) -> AsyncIterator[Sequence[ObservedMember]]:
        hashes = [
            member
            for member, raw in self.members.items()
            if raw.archived is archived and (since is None or (raw.changed or self.clock.now()) > since)
        ]
        for start in range(0, len(hashes), self.page_size):
            await self._begin("observe", AudienceCall("observe"))
            page = [
                self._observed(raw)
                for member in hashes[start : start + self.page_size]
                if (raw := self.members.get(member)) is not None and raw.archived is archived
            ]
            await self.pulse()
            yield page

    async def look(self, member: SubscriberHash) -> Observation:
        if self._busy[f"member {member}"]:
            self.overlaps.append(f"a look at member {member}")
        self._looking[member] += 1
        try:
            fault = await self._begin("look", AudienceCall("look", members=(member,)))
            await self.pulse()
            raw = self.members.get(member)
            seen = UNKNOWN if fault else ABSENT if raw is None else Present(self._observed(raw))
            await self._wait()
            return seen
        finally:
            self._looking[member] -= 1

    async def write_batch(self, changes: Sequence[BatchChange], *, urgent: bool = False) -> list[Outcome]:
        hashes = [change.hash for change in changes]
        if len(changes) > BATCH or len(set(hashes)) != len(hashes):
            raise ValueError("A call takes up to 500 different members.")
        call = AudienceCall("batch", tuple(changes), tuple(hashes))
        poisoned = any(address_key(change.email) in self.poison for change in changes)
        with _Under(self, changes):
            return await self._written(
                call, lambda: [self._write(change, batch=True) for change in changes], refused=poisoned
            )

    async def write_one(self, change: Change, *, urgent: bool = False) -> Outcome:
        call = AudienceCall("one", (change,), (change.hash,))
        with _Under(self, [change]):
            try:
                return (await self._written(call, lambda: [self._write(change, batch=False)]))[0]
            except AnswerLost:
                return Lost(change)

    async def write_tag(
        self, tag: str, *, add: Sequence[str], remove: Sequence[str], urgent: bool = False
    ) -> frozenset[str]:
        if len(add) > BATCH or len(remove) > BATCH:
            raise ValueError("A call takes up to 500 addresses each way.")
        hashes = tuple(subscriber_hash(address_key(email)) for email in (*add, *remove))
        refused: set[str] = set()

        def write() -> list[Outcome]:
            for email in (*add, *remove):
                raw = self.member(email)
                if raw is None or address_key(email) in self.refuse:
                    refused.add(email)
                elif email in add:
                    self._tag(raw, tag)
                else:
                    self._untag(raw, tag)
            return []

        await self._written(AudienceCall("tag", members=hashes), write)
        return frozenset(refused)

    async def archive_stray(self, member: SubscriberHash) -> None:
        await self._begin("write", AudienceCall("archive", members=(member,)))
        raw = self.members.get(member)
        if raw is not None and not raw.archived:
            raw.archived = True
            self._touch(raw)
        await self.pulse()

    async def batches_keep_status(self) -> bool:
        await self.pulse()
        return self.keeps_status

    # --- rules ---------------------------------------------------------------------------------

    async def _begin(self, kind: str, call: AudienceCall) -> Fault | None:
        """Log the call; raise what surely had no effect, return any other fault."""
        await self.pulse()
        fault = self.faults.take(kind)
        if fault is Fault.UNAVAILABLE:
            raise AudienceUnavailable(30.0, "scripted")
        if fault is Fault.BROKEN:
            raise ConnectionBroken(BrokenKind.KEY_REVOKED, "scripted")
        self.calls.append(call)
        return fault

    async def _written(
        self, call: AudienceCall, write: Callable[[], list[Outcome]], *, refused: bool = False
    ) -> list[Outcome]:
        fault = await self._begin("write", call)
        if refused:
            raise BatchRefused("members.item:0.email_address")
        await self._wait()
        if fault is Fault.LOST_LATE:
            self._late.append(write)
        outcomes = [] if fault in (Fault.LOST, Fault.LOST_LATE) else write()
        await self._wait()
        if fault is not None:
            raise AnswerLost("scripted")
        return outcomes

    async def _wait(self) -> None:
        for _ in range(self.slowness + 1):
            await self.pulse()

    def _write(self, change: Change, *, batch: bool) -> Outcome:
        refusal = self._refusal(change)
        raw = self.members.get(change.hash)
        if isinstance(change, RenameMember):
            return self._write_rename(change, raw, refusal)
        if isinstance(change, TagMember):
            return self._write_tags(change, raw, refusal)
        if raw is not None and raw.archived and not batch and not isinstance(change, AddMember):
            return Stale(change, "Archived members cannot be patched.")  # contract 4.4
        if raw is not None:
            if refusal is not None and refusal.kind not in ONLY_NEWCOMERS:
                return Refused(change, refusal)
            only = None if isinstance(change, AddMember) else change.differing
            raw.fields |= self.field_map.merge_fields(change.values, only)
            self._touch(raw)
            self._tag_in_batch(change, raw, batch=batch)
            return Applied(change, self._observed(raw, poor=batch))
        if not batch and not isinstance(change, AddMember):
            return Stale(change, "Resource Not Found")
        if refusal is not None:
            return Refused(change, refusal)
        status = change.status_if_new if isinstance(change, AddMember) else IF_VANISHED
        fields = self.field_map.merge_fields(change.values)
        made = self._make(change.email, _STATUS[status], "us", fields)
        self._tag_in_batch(change, made, batch=batch)
        return Applied(change, self._observed(made, poor=batch), created=True)

    def _write_rename(
        self, change: RenameMember, raw: MemoryMember | None, refusal: Refusal | None
    ) -> Outcome:
        self.land_late()
        if raw is None or raw.archived:
            return Stale(change, "Resource Not Found")
        if raw.status is not MemberStatus.SUBSCRIBED:
            return Stale(change, f'This member\'s status is "{raw.status}."')
        if self.member(change.email) is not None:
            return Stale(change, f'"{change.email}" is already in this list')
        if refusal is not None:
            return Refused(change, refusal)
        self._rename(raw, change.email)
        raw.fields |= self.field_map.merge_fields(change.values, differing(change.before, change.values))
        self._touch(raw)
        return Applied(change, self._observed(raw))

    def _write_tags(self, change: TagMember, raw: MemoryMember | None, refusal: Refusal | None) -> Outcome:
        """Archived members too; the answer tells nothing (contract 10)."""
        if raw is None:
            return Stale(change, "Resource Not Found")
        if refusal is not None:
            return Refused(change, refusal)
        for name in change.tags.add:
            self._tag(raw, name)
        for name in change.tags.remove:
            self._untag(raw, name)
        return Applied(change, tagged(change))

    def _tag_in_batch(self, change: Change, raw: MemoryMember, *, batch: bool) -> None:
        if batch and self.batch_tags:
            for name in tags_of(change).add:
                self._tag(raw, name)

    def _tag(self, raw: MemoryMember, name: str) -> None:
        if _held(raw, name) is None:
            raw.tags |= {name}
        raw.ours.add(name.casefold())
        raw.by_hand = {hand for hand in raw.by_hand if hand.casefold() != name.casefold()}

    def _untag(self, raw: MemoryMember, name: str) -> None:
        held = _held(raw, name)
        raw.ours.discard(name.casefold())
        if held is None:
            return
        if held in raw.by_hand:
            self.robbed.append(f"{held} of {raw.key}")
        raw.tags -= {held}

    def _refusal(self, change: Change) -> Refusal | None:
        key = address_key(change.email)
        kind = self.refuse.get(key)
        if key in self.poison:
            kind = RefusalKind.OTHER
        elif subscriber_hash(key) in self.forgotten:
            kind = RefusalKind.FORGOTTEN
        if kind is None:
            return None
        return Refusal(kind, f"Refused: {kind}", digest=change.digest, key=change.key)

    def _make(
        self,
        email: str,
        status: MemberStatus,
        by: str,
        fields: dict[str, str],
        tags: frozenset[str] = frozenset(),
    ) -> MemoryMember:
        self._made += 1
        made = MemoryMember(email, status, f"ck{self._made:06}", dict(fields), tags)
        if subscriber_hash(made.key) in self.members:
            raise ValueError("That address is in the audience already.")
        self.members[subscriber_hash(made.key)] = made
        self.forgotten.discard(subscriber_hash(made.key))
        self.statuses.append(StatusChange(made.key, None, status, by))
        self._touch(made)
        return made

    def _rename(self, member: MemoryMember, new: str) -> None:
        del self.members[subscriber_hash(member.key)]
        member.email = new
        self.members[subscriber_hash(member.key)] = member

    def _touch(self, member: MemoryMember) -> None:
        member.changed = self.clock.now()

    def _observed(self, raw: MemoryMember, *, poor: bool = False) -> ObservedMember:
        seen = ObservedMember(
            hash=subscriber_hash(raw.key),
            email=raw.email,
            status=MemberStatus.ARCHIVED if raw.archived else raw.status,
            values=self.field_map.values_of(raw.fields),
            contact_key=raw.contact_key,
            rating=2,
            last_changed=raw.changed.isoformat() if raw.changed else "",
            tags=None if self.tag_rule is None else self.tag_rule.ours(raw.tags),
        )
        if not poor:
            return seen
        return replace(seen, contact_key="", rating=0, tags=seen.tags if self.batch_tags else None)


def _held(member: MemoryMember, name: str) -> str | None:
    """The spelling in which a member carries a tag; case is no difference (contract 10)."""
    return next((tag for tag in member.tags if tag.casefold() == name.casefold()), None)


_STATUS = {status: MemberStatus(status.value) for status in NewStatus}


@dataclass(slots=True)
class _Under:
    """Counts a write under way, and notes when another one concerns the same person."""

    audience: MemoryAudience
    changes: Sequence[Change]
    names: set[str] = field(default_factory=set)

    def __enter__(self) -> None:
        for change in self.changes:
            self.names |= {f"contact {change.contact_id}", f"member {change.hash}"}
            if isinstance(change, RenameMember):
                self.names.add(f"member {subscriber_hash(change.key)}")
        self.audience.overlaps += [name for name in self.names if self.audience._busy[name]]
        self.audience.overlaps += [
            f"a write during a look at {change.hash}"
            for change in self.changes
            if self.audience._looking[change.hash]
        ]
        self.audience._busy.update(self.names)
        self.audience.at_once += 1
        self.audience.most_at_once = max(self.audience.most_at_once, self.audience.at_once)

    def __exit__(self, *_: object) -> None:
        self.audience._busy.subtract(self.names)
        self.audience.at_once -= 1
