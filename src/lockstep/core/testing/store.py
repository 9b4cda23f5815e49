"""Our side's memory in memory: implements `Store` over a `MemoryBook`, exactly as `ports` says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace

from lockstep.core.field_map import is_active
from lockstep.core.identity import NO_ADDRESS, AddressKey, SubscriberHash, address_key, subscriber_hash
from lockstep.core.member import (
    DesiredMember,
    ObservedMember,
    Reason,
    SyncedMember,
    SyncState,
    state_of,
)
from lockstep.core.observation import ABSENT, UNKNOWN, Observation, Present, Unknown
from lockstep.core.outcome import Applied, Lost, NotTried, Outcome, Refused, Stale
from lockstep.core.plan import (
    Answer,
    Change,
    Plan,
    ReleaseMember,
    RenameMember,
    Skip,
    TagMember,
    acts_on,
    owns,
    tags_follow,
    tags_of,
)
from lockstep.core.planner import Slice
from lockstep.core.ports import Control
from lockstep.core.testing.book import BookView, MemoryBook, contact_named_by
from lockstep.core.testing.crash import Pulse

Links = Mapping[str, Sequence[int]]
_NOWHERE = SubscriberHash("")


@dataclass(slots=True)
class Record:
    """One contact's answer and synced state."""

    reason: Reason
    state: SyncState | None
    synced: SyncedMember
    wanted_key: AddressKey = NO_ADDRESS
    """The address at the last plan."""
    member: SubscriberHash | None = None


@dataclass(slots=True)
class MemoryStore:
    """The port, and below it what people and timers do to the book and the marks."""

    book: MemoryBook = field(default_factory=MemoryBook)
    pulse: Pulse = field(default_factory=Pulse)
    records: dict[int, Record] = field(default_factory=dict)
    mirror: dict[SubscriberHash, ObservedMember | None] = field(default_factory=dict)
    """None for a member that was looked for and is not there."""
    written: dict[SubscriberHash, frozenset[str]] = field(default_factory=dict)
    """Tags that we wrote to a member, or may have written."""
    complete: bool = False
    """Whether a reading of the whole audience ever came to its end."""
    stop: bool = False
    marks: dict[int, int] = field(default_factory=dict)
    _mark: int = 0
    _seen: set[SubscriberHash] | None = None
    _where: dict[str, SubscriberHash] = field(default_factory=dict)
    """Where each contact key was last seen."""

    # --- what people and timers do ----------------------------------------------------------------

    def mark(self, contact_ids: Iterable[int]) -> None:
        for contact_id in contact_ids:
            self._mark += 1
            self.marks[contact_id] = self._mark

    def edit(self, contact_id: int, **changes: object) -> None:
        """Change a contact and mark it, as the book's triggers do."""
        contact = self.book.contacts[contact_id]
        for name, value in changes.items():
            setattr(contact, name, value)
        self.mark([contact_id])

    def add(self, email: str = "", *, first_name: str = "", group: str = "") -> int:
        contact = self.book.add(email, first_name=first_name, group=group)
        self.mark([contact.contact_id])
        return contact.contact_id

    def vanish(self, contact_id: int) -> None:
        """The row is gone from the book altogether."""
        del self.book.contacts[contact_id]
        self.mark([contact_id])

    def set_groups(self, groups: frozenset[str] | None) -> None:
        """Change the filters: everybody is looked at again."""
        self.book.groups = groups
        self.mark(self._known())

    def choose(self, contact_id: int) -> None:
        """“Sync this Contact instead”."""
        self.book.chosen[self.book.contacts[contact_id].key] = contact_id
        self.mark([contact_id])

    def ask(self, contact_ids: Iterable[int]) -> None:
        """A person asks to try again whatever is remembered."""
        for contact_id in contact_ids:
            record = self.records.get(contact_id)
            if record is not None:
                record.synced = replace(record.synced, asked=True)
            self.mark([contact_id])

    def counts(self) -> Counter[SyncState]:
        return Counter(record.state for record in self.records.values() if record.state is not None)

    # --- reading -----------------------------------------------------------------------------------

    async def next_slice(self, limit: int, but: Set[int]) -> Slice | None:
        await self.pulse()
        marked = sorted(contact_id for contact_id in self.marks if contact_id not in but)[:limit]
        keys = {key for contact_id in marked for key in self._keys(contact_id)}
        taken = set(marked)
        sharing = [c for c in self._known() if c not in taken and not keys.isdisjoint(self._keys(c))]
        part = self._slice(sorted([*marked, *sharing]), taken=taken) if marked else None
        await self.pulse()
        return part

    async def slice_after(self, contact_id: int, limit: int) -> Slice | None:
        await self.pulse()
        ids = [known for known in self._known() if known > contact_id][:limit]
        part = replace(self._slice(ids), through=ids[-1]) if ids else None
        await self.pulse()
        return part

    async def control(self) -> Control:
        await self.pulse()
        return Control(stop=self.stop)

    def _known(self) -> list[int]:
        return sorted(self.book.contacts.keys() | self.records.keys())

    def _synced(self, contact_id: int) -> SyncedMember:
        record = self.records.get(contact_id)
        return record.synced if record else SyncedMember(contact_id)

    def _keys(self, contact_id: int) -> set[AddressKey]:
        """The addresses of a contact: now, at the last plan, synced, sent to, and of a member it follows."""
        contact = self.book.contacts.get(contact_id)
        record = self.records.get(contact_id)
        keys = {contact.key} if contact else set()
        if record is not None:
            keys |= {record.wanted_key, record.synced.key, record.synced.sent_key}
        moved = self._moved(contact_id)
        if moved is not None:
            keys.add(address_key(moved.email))
        return keys - {NO_ADDRESS}

    def _slice(self, ids: Sequence[int], *, taken: Set[int] = frozenset()) -> Slice:
        """Marks are taken off `taken` alone: of who came along, further rivals may be missing."""
        view = self.book.view()
        desired = tuple(view.desired(contact_id) for contact_id in ids)
        observed: dict[SubscriberHash, Observation] = {}
        for wanted in desired:
            for key in {wanted.key, *self._keys(wanted.contact_id)} - {NO_ADDRESS}:
                member = subscriber_hash(key)
                found = self._observation(member)
                if not isinstance(found, Unknown):
                    observed[member] = found
        moved = {c: found_at for c in ids if (found_at := self._moved(c)) is not None}
        inside = set(ids)
        keys = {key for c in ids for key in self._keys(c)} | {address_key(m.email) for m in moved.values()}
        return Slice(
            desired=desired,
            synced={c: self.records[c].synced for c in ids if c in self.records},
            observed=observed,
            moved=moved,
            written={
                member: self.written[member]
                for member in (*observed, *(m.hash for m in moved.values()))
                if self.written.get(member)
            },
            claimed=frozenset(self._claimed(view, keys, inside)),
            silenced=frozenset(
                c.key for c in self.book.contacts.values() if c.no_marketing and c.key in keys
            ),
            receipts={c: self.marks[c] for c in ids if c in taken},
        )

    def _claimed(self, view: BookView, keys: Set[AddressKey], inside: Set[int]) -> Iterable[AddressKey]:
        """Which of the addresses contacts outside the slice own, by wanting or by following."""
        for contact_id in self._known():
            if contact_id in inside or keys.isdisjoint(self._owned(contact_id)):
                continue
            wanted = view.desired(contact_id)
            if wanted.fits:
                yield wanted.key
                moved = self._moved(contact_id)
                if moved is not None and self._synced(contact_id).key == wanted.key:
                    yield address_key(moved.email)

    def _owned(self, contact_id: int) -> set[AddressKey]:
        contact = self.book.contacts.get(contact_id)
        moved = self._moved(contact_id)
        return ({contact.key} if contact else set()) | ({address_key(moved.email)} if moved else set())

    def _observation(self, member: SubscriberHash) -> Observation:
        if member not in self.mirror:
            return ABSENT if self.complete else UNKNOWN
        found = self.mirror[member]
        return ABSENT if found is None else Present(found)

    def _moved(self, contact_id: int) -> ObservedMember | None:
        synced = self._synced(contact_id)
        if not synced.contact_key:
            return None
        member = self.mirror.get(self._where.get(synced.contact_key, _NOWHERE))
        if member is None or member.hash == subscriber_hash(synced.key):
            return None
        return member if member.contact_key == synced.contact_key else None

    # --- writing -----------------------------------------------------------------------------------

    async def record_plan(self, part: Slice, plan: Plan) -> None:
        await self.pulse()
        keys = {wanted.contact_id: wanted for wanted in part.desired}
        for contact_id, receipt in part.receipts.items():
            if self.marks.get(contact_id) == receipt:
                del self.marks[contact_id]
        self._mark_former_rivals(part)
        for change in plan.changes:
            self._record_change(keys[change.contact_id], change)
        for skip in plan.skips:
            self._record_skip(keys[skip.contact_id], skip)
        await self.pulse()

    def _mark_former_rivals(self, part: Slice) -> None:
        left: set[AddressKey] = set()
        for wanted in part.desired:
            record = self.records.get(wanted.contact_id)
            if record is not None and record.wanted_key not in (NO_ADDRESS, wanted.key):
                left.add(record.wanted_key)
        inside = {wanted.contact_id for wanted in part.desired}
        if left:
            self.mark(c for c in self._known() if c not in inside and not left.isdisjoint(self._keys(c)))

    def _record(self, wanted: DesiredMember) -> Record:
        record = self.records.setdefault(
            wanted.contact_id, Record(wanted.reason, None, SyncedMember(wanted.contact_id))
        )
        record.reason = wanted.reason
        record.wanted_key = wanted.key
        return record

    def _record_change(self, wanted: DesiredMember, change: Change) -> None:
        record = self._record(wanted)
        record.state = SyncState.PENDING if wanted.fits else None
        record.synced = replace(record.synced, uncertain=True, key=record.synced.key or acts_on(change))
        if owns(change):
            record.synced = replace(record.synced, sent_key=change.key)
        if tags := tags_of(change).add:
            self.written[change.hash] = self.written.get(change.hash, frozenset()) | set(tags)

    def _record_skip(self, wanted: DesiredMember, skip: Skip) -> None:
        record = self._record(wanted)
        record.state = skip.state
        record.member = skip.member
        if skip.answer is Answer.LOOK:
            self.mark([wanted.contact_id])
            return
        synced = replace(record.synced, uncertain=False)
        if skip.answer is not Answer.REFUSED_BEFORE:
            synced = replace(synced, asked=False)
        if skip.answer is Answer.UNCHANGED:
            member = self.mirror.get(skip.member) if skip.member else None
            synced = replace(
                synced,
                key=wanted.key,
                digest=wanted.digest,
                contact_key=member.contact_key if member else "",
                sent_key=NO_ADDRESS if synced.sent_key == wanted.key else synced.sent_key,
                refusal=None if _refused_for(synced, wanted.digest) else synced.refusal,
            )
        if skip.forget:
            synced = SyncedMember(wanted.contact_id, refusal=synced.refusal)
        record.synced = synced

    async def record_outcomes(self, outcomes: Sequence[Outcome], again: Sequence[int] = ()) -> None:
        await self.pulse()
        for outcome in outcomes:
            self._record_outcome(outcome)
        self.mark(again)
        await self.pulse()

    def _record_outcome(self, outcome: Outcome) -> None:
        change = outcome.change
        record = self.records[change.contact_id]
        fits = record.reason is Reason.FITS
        match outcome:
            case Applied():
                self._record_applied(record, outcome)
            case Refused(refusal=refusal):
                refusal = replace(refusal, digest=change.digest, key=change.key)
                record.synced = replace(record.synced, uncertain=False, asked=False, refusal=refusal)
                record.state = SyncState.FAILED if fits else None
            case NotTried():
                record.synced = replace(record.synced, uncertain=False)
            case Stale() | Lost():
                pass  # uncertain until somebody looked

    def _record_applied(self, record: Record, outcome: Applied) -> None:
        change, member = outcome.change, outcome.member
        if isinstance(change, TagMember):
            self.written[change.hash] = self.written.get(change.hash, frozenset()) - set(change.tags.remove)
            known = self.mirror.get(change.hash)
            if known is not None:
                member = replace(known, tags=change.tags.after(known.tags or ()))
            if change.releasing:
                self._remember(member)
                record.synced = replace(record.synced, uncertain=False)
                return
        if isinstance(change, RenameMember):
            former = self.mirror.get(change.hash)
            self.mirror[change.hash] = None
            self._carry_tags(change.hash, member.hash)
            if former is not None and not member.contact_key:
                member = replace(member, contact_key=former.contact_key)
        before = self._where.get(member.contact_key) if member.contact_key else None
        self._follow(member, before, self._links())
        member = self._remember(member)
        if isinstance(change, ReleaseMember):
            record.synced = replace(record.synced, uncertain=False, digest=b"")
            return
        record.synced = SyncedMember(
            record.synced.contact_id, change.key, change.digest, contact_key=member.contact_key
        )
        record.member = member.hash
        left = tags_follow(change, outcome.member)
        record.state = None
        if record.reason is Reason.FITS:
            record.state = SyncState.PENDING if left else state_of(member)

    def _carry_tags(self, before: SubscriberHash, after: SubscriberHash) -> None:
        """A member goes on under another address, and so does what we wrote to it."""
        if tags := self.written.pop(before, None):
            self.written[after] = self.written.get(after, frozenset()) | tags

    async def record_observed(self, members: Sequence[ObservedMember]) -> None:
        await self.pulse()
        links = self._links()
        for member in members:
            self._record_seen(member, links)
        await self.pulse()

    async def record_looks(
        self, looks: Sequence[tuple[SubscriberHash, Observation]], contacts: Sequence[int]
    ) -> None:
        await self.pulse()
        links = self._links()
        for member, found in looks:
            match found:
                case Present(member=seen):
                    self._record_seen(seen, links)
                case Unknown():
                    pass
                case _:
                    self._record_absent(member, links)
        for contact_id in contacts:
            record = self.records[contact_id]
            record.synced = replace(record.synced, uncertain=False)
        await self.pulse()

    def _record_seen(self, member: ObservedMember, links: Links) -> None:
        known = self.mirror.get(member.hash)
        before = self._where.get(member.contact_key) if member.contact_key else None
        self._follow(member, before, links)
        member = self._remember(member)
        for contact_id in links.get(member.hash, ()):
            record = self.records[contact_id]
            if subscriber_hash(record.synced.key) == member.hash and not record.synced.contact_key:
                record.synced = replace(record.synced, contact_key=member.contact_key)
        if known is None or _shown(known) != _shown(member):
            self._mark_linked(member.hash, member.contact_key, links)
            self._link_stray(member)

    def _follow(self, member: ObservedMember, before: SubscriberHash | None, links: Links) -> None:
        """A member known under another address is not there any more, and takes along what we wrote to it.

        Whoever is at that address since stays, as does what we wrote to them.
        """
        if before is None or before == member.hash:
            return
        known = self.mirror.get(before)
        if known is None or known.contact_key == member.contact_key:
            self._carry_tags(before, member.hash)
        if known is not None and known.contact_key == member.contact_key:
            self._record_absent(before, links)

    def _record_absent(self, member: SubscriberHash, links: Links) -> None:
        known = self.mirror.get(member)
        self.mirror[member] = None
        if self._seen is not None:
            self._seen.add(member)
        if known is not None:
            self._mark_linked(member, known.contact_key, links)

    def _remember(self, member: ObservedMember) -> ObservedMember:
        """Put a member into the mirror; what a poorer source leaves out stays as it was known."""
        known = self.mirror.get(member.hash)
        if known is not None and not member.contact_key:
            member = replace(member, contact_key=known.contact_key, web_id=known.web_id, rating=known.rating)
        if known is not None and member.tags is None:
            member = replace(member, tags=known.tags)
        self.mirror[member.hash] = member
        if member.contact_key:
            self._where[member.contact_key] = member.hash
        if self._seen is not None:
            self._seen.add(member.hash)
        return member

    def _links(self) -> Links:
        """The contacts planned before, by the hash and by the contact key of each member of theirs."""
        links: dict[str, list[int]] = {}
        for contact_id, record in self.records.items():
            synced = record.synced
            names: set[str] = {
                subscriber_hash(key) for key in (record.wanted_key, synced.key, synced.sent_key) if key
            }
            for name in names | ({synced.contact_key} if synced.contact_key else set()):
                links.setdefault(name, []).append(contact_id)
        return links

    def _mark_linked(self, member: SubscriberHash, contact_key: str, links: Links) -> None:
        self.mark({*links.get(member, ()), *links.get(contact_key, ())})

    async def begin_audit(self) -> None:
        await self.pulse()
        self._seen = set()

    async def finish_audit(self) -> int:
        await self.pulse()
        seen, links = self._seen or set(), self._links()
        for member in [m for m, known in self.mirror.items() if known is not None and m not in seen]:
            self._record_absent(member, links)
        self.complete = True
        self._seen = None
        self._link_strays()
        count = sum(member is not None for member in self.mirror.values())
        await self.pulse()
        return count

    def _link_strays(self) -> None:
        """Give members that read Active, and are nobody's, to the contact that they name."""
        owned = self._all_owned()
        for member in self.mirror.values():
            named = self._named_by(member) if member is not None else None
            if member is None or named is None or address_key(member.email) in owned:
                continue
            self._link(named, member)

    def _link_stray(self, member: ObservedMember) -> None:
        """The same for one that was just seen; not while a write for the contact may be under way."""
        named = self._named_by(member)
        if named is None or named.synced.uncertain or address_key(member.email) in self._all_owned():
            return
        self._link(named, member)

    def _named_by(self, member: ObservedMember) -> Record | None:
        """The contact planned before that an active member names, and that is not linked to it."""
        if member.archived or not is_active(member.values):
            return None
        record = self.records.get(contact_named_by(member.values) or 0)
        return None if record is None or record.synced.key == address_key(member.email) else record

    def _link(self, record: Record, member: ObservedMember) -> None:
        record.synced = replace(record.synced, sent_key=address_key(member.email))
        self.mark([record.synced.contact_id])

    def _all_owned(self) -> set[AddressKey]:
        """The addresses of the members that contacts that fit own."""
        view = self.book.view()
        fitting = [c for c in self._known() if view.desired(c).fits]
        return {key for contact_id in fitting for key in self._owned(contact_id)}

    async def recover(self) -> None:
        await self.pulse()
        self.mark([c for c, record in self.records.items() if record.synced.uncertain])
        await self.pulse()

    async def look_again(self, contact_ids: Sequence[int]) -> None:
        await self.pulse()
        self.mark(contact_ids)
        await self.pulse()


def _refused_for(synced: SyncedMember, digest: bytes) -> bool:
    return synced.refusal is not None and synced.refusal.digest == digest


def _shown(member: ObservedMember) -> tuple[object, ...]:
    """What a difference of makes contacts be looked at again."""
    return (member.email, member.status, member.values, member.tags)
