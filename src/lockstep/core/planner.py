"""make_plan: desired, observed and synced go in; one answer a contact comes out. Total and deterministic.

The rules, in the order in which they are asked:

1. A contact whose last write has no known outcome is looked at first. So is
   one whose member nobody has looked at: nothing is concluded from Unknown.
2. A member that was the contact's, or that a lost write made for it, and that
   is there, not archived, not another contact's and not to be kept, is released
   first (S10): all of a contact that does not fit, the former ones of one that fits.
3. A contact that fits owns the member at its address, and that member's
   fields are made equal to the book's, then its tags under our prefix where
   they are switched on. Archived ones are left alone.
4. Nobody at its address: a member that the contact had under a former address
   is renamed where Mailchimp allows it, else the new address is added with a
   status that carries a “no” over (`consent`); a member that changed its own
   address at Mailchimp is followed, not doubled; otherwise somebody new is added.
5. What was refused for the same content, or was deleted for good at Mailchimp,
   is not tried again unless a person asked.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass, field, replace

from lockstep.core import field_map
from lockstep.core.consent import NewStatus, status_after_address_change
from lockstep.core.identity import NO_ADDRESS, AddressKey, SubscriberHash, address_key, subscriber_hash
from lockstep.core.member import (
    DesiredMember,
    MemberStatus,
    ObservedMember,
    Reason,
    SyncedMember,
    SyncState,
    state_of,
)
from lockstep.core.observation import UNKNOWN, Observation, Present, Unknown
from lockstep.core.outcome import ONLY_NEWCOMERS
from lockstep.core.plan import (
    AddMember,
    Answer,
    Change,
    Plan,
    ReleaseMember,
    RenameMember,
    Skip,
    TagMember,
    UpdateMember,
)
from lockstep.core.tags import TagDifference, difference


@dataclass(frozen=True, slots=True)
class Policy:
    """What the admin chose for this connection."""

    new_status: NewStatus = NewStatus.SUBSCRIBED


@dataclass(frozen=True, slots=True)
class Slice:
    """A set of contacts with all that a plan for them needs.

    Closed over addresses: whoever shares a key (present or synced) with a
    contact of the slice and fits is in the slice too, or its key is in `claimed`;
    so is the address of a member that such a contact follows (see `moved`).
    `observed` answers for the wanted, the synced and the sent key of each contact.
    `moved` holds, by contact, the member whose address was changed at
    Mailchimp since (found by `contact_key`).
    `written` holds, by member, the tags that we wrote to it, or may have written.
    `silenced` names those of the slice's addresses (synced, sent to, of moved members) that some
    contact flags No Marketing: a member there is nobody's to keep Active.
    `receipts` holds, by contact, the store's own mark of what led to this look.
    `through` is, for a slice of the whole book, its highest contact id: once the plan
    is recorded, going through the book has come that far; 0 for a slice that marks brought.
    """

    desired: tuple[DesiredMember, ...]
    synced: Mapping[int, SyncedMember] = field(default_factory=dict)
    observed: Mapping[SubscriberHash, Observation] = field(default_factory=dict)
    moved: Mapping[int, ObservedMember] = field(default_factory=dict)
    claimed: frozenset[AddressKey] = frozenset()
    silenced: frozenset[AddressKey] = frozenset()
    receipts: Mapping[int, int] = field(default_factory=dict)
    through: int = 0
    written: Mapping[SubscriberHash, frozenset[str]] = field(default_factory=dict)

    def without(self, contact_ids: Set[int]) -> Slice:
        """The slice with some contacts left for later; what they claim stays claimed."""
        if not contact_ids:
            return self
        return replace(
            self,
            desired=tuple(w for w in self.desired if w.contact_id not in contact_ids),
            claimed=self.claimed | {w.key for w in self.desired if w.fits and w.contact_id in contact_ids},
            receipts={c: r for c, r in self.receipts.items() if c not in contact_ids},
        )


_Step = Change | Skip


def make_plan(part: Slice, policy: Policy) -> Plan:
    """One entry for each contact of the slice, in the slice's order.

    Does no I/O, reads no clock, and depends on nothing but its arguments: the
    same slice always gives the same plan. Applying a plan and looking again
    gives an empty one, after one more round for contacts with a member to
    release first.
    """
    planner = _Planner(part, policy, _owners(part))
    changes: list[Change] = []
    skips: list[Skip] = []
    for wanted in part.desired:
        step = planner.step(wanted)
        if isinstance(step, Skip):
            skips.append(step)
        else:
            changes.append(step)
    return Plan(tuple(changes), tuple(skips))


def _owners(part: Slice) -> Mapping[AddressKey, int]:
    """Which contact of the slice owns the member at an address: who wants it, else who follows it there."""
    owners = {wanted.key: wanted.contact_id for wanted in part.desired if wanted.fits}
    for wanted in part.desired:
        moved = part.moved.get(wanted.contact_id)
        synced = part.synced.get(wanted.contact_id)
        if wanted.fits and moved is not None and synced is not None and synced.key == wanted.key:
            owners.setdefault(address_key(moved.email), wanted.contact_id)
    return owners


@dataclass(frozen=True, slots=True)
class _Planner:
    part: Slice
    policy: Policy
    owners: Mapping[AddressKey, int]

    def step(self, wanted: DesiredMember) -> _Step:
        synced = self.part.synced.get(wanted.contact_id) or SyncedMember(wanted.contact_id)
        unknown = self._unknown(wanted, synced)
        if unknown:
            return self._skip(wanted, Answer.LOOK, hashes=unknown)
        synced = self._with_lost_member(wanted, synced)
        return self._fitting(wanted, synced) if wanted.fits else self._left_out(wanted, synced)

    def _look(self, key: AddressKey) -> Observation:
        return self.part.observed.get(subscriber_hash(key), UNKNOWN)

    def _unknown(self, wanted: DesiredMember, synced: SyncedMember) -> tuple[SubscriberHash, ...]:
        """The members that must be looked at before anything is decided."""
        keys = (wanted.key if wanted.fits else NO_ADDRESS, synced.key, synced.sent_key)
        needed = dict.fromkeys(subscriber_hash(key) for key in keys if key)
        if not synced.uncertain:
            return tuple(h for h in needed if isinstance(self.part.observed.get(h, UNKNOWN), Unknown))
        moved = self.part.moved.get(wanted.contact_id)
        if moved is not None:
            needed[moved.hash] = None
        return tuple(needed)

    # --- contacts that do not fit -------------------------------------------------------------

    def _left_out(self, wanted: DesiredMember, synced: SyncedMember) -> _Step:
        former = self._former_member(wanted, synced)
        if former is not None and self._belongs_to_another(wanted, former):
            return self._release_left_behind(wanted, synced) or self._skip(
                wanted, Answer.LEFT_OUT, forget=True
            )
        return (
            self._release_left_behind(wanted, synced)
            or self._clear_tags(wanted, synced, former)
            or self._skip(wanted, Answer.LEFT_OUT, member=former)
        )

    # --- contacts that fit --------------------------------------------------------------------

    def _fitting(self, wanted: DesiredMember, synced: SyncedMember) -> _Step:
        own = self._own_member(wanted, synced)
        former = self._former_member(wanted, synced)
        renames = own is None and former is not None and self._renames(wanted, synced, former)
        kept = own or (former if renames else None)
        refused = _remembered(synced, wanted.digest, there=own is not None)
        if refused and own is None and former is not None and self._is_silenced(former):
            # The rename that would take the member away from the flagged address was refused.
            return self._release(wanted, synced, former) or self._skip(
                wanted, Answer.REFUSED_BEFORE, state=SyncState.FAILED
            )
        if not refused:
            # Comes as a step of its own, first: were the contact's new member written first and
            # the worker killed, nobody would remember the former one.
            release = self._release_left_behind(wanted, synced, kept)
        else:
            release = self._release_lost(wanted, synced)
        if release is not None:
            return release
        if own is not None:
            return self._equal(wanted, synced, own)
        if _remembered(synced, wanted.digest):
            return self._skip(wanted, Answer.REFUSED_BEFORE, state=SyncState.FAILED)
        if not synced.key:
            return self._add(wanted, self.policy.new_status)
        if former is not None and synced.key != wanted.key:
            return self._new_address(wanted, synced, former)
        # It was there once and is not any more: deleted for good at Mailchimp (contract 4.2).
        if synced.asked:
            return self._add(wanted, self.policy.new_status)
        return self._skip(wanted, Answer.GONE, state=SyncState.ARCHIVED)

    def _equal(self, wanted: DesiredMember, synced: SyncedMember, member: ObservedMember) -> _Step:
        """The member that is this contact's: make our fields equal, touch nothing else."""
        if member.archived:
            return self._skip(wanted, Answer.ARCHIVED, state=SyncState.ARCHIVED, member=member)
        differing = field_map.differing(member.values, wanted.values)
        tags = self._tags(wanted, member)
        if not differing and not tags:
            return self._skip(wanted, Answer.UNCHANGED, state=state_of(member), member=member)
        if _remembered(synced, wanted.digest, there=True):
            return self._skip(wanted, Answer.REFUSED_BEFORE, state=SyncState.FAILED, member=member)
        if not differing:
            return _tag_member(wanted, member, tags)
        return UpdateMember(
            contact_id=wanted.contact_id,
            hash=member.hash,
            email=member.email,
            values=wanted.values,
            before=member.values,
            differing=differing,
            status=member.status,
            digest=wanted.digest,
            key=wanted.key,
            tags=tags,
        )

    def _new_address(self, wanted: DesiredMember, synced: SyncedMember, former: ObservedMember) -> _Step:
        """The book's address changed, the target is free: rename, else add (S11, contract 4.6)."""
        if self._renames(wanted, synced, former):
            return RenameMember(
                contact_id=wanted.contact_id,
                hash=former.hash,
                email=wanted.email.strip(),
                former_email=former.email,
                values=wanted.values,
                before=former.values,
                digest=wanted.digest,
                key=wanted.key,
                tags=self._tags(wanted, former),
            )
        status = status_after_address_change(former.status, self.policy.new_status)
        if status is not None:
            return self._add(wanted, status)
        if synced.asked:
            return self._add(wanted, NewStatus.TRANSACTIONAL)
        return self._skip(wanted, Answer.ARCHIVED, state=SyncState.ARCHIVED, member=former)

    def _add(self, wanted: DesiredMember, status: NewStatus) -> AddMember:
        return AddMember(
            contact_id=wanted.contact_id,
            hash=subscriber_hash(wanted.key),
            email=wanted.email.strip(),
            values=wanted.values,
            status_if_new=status,
            digest=wanted.digest,
            key=wanted.key,
            tags=difference(wanted.tags, (), ()),
        )

    # --- tags ---------------------------------------------------------------------------------

    def _tags(self, wanted: DesiredMember, member: ObservedMember) -> TagDifference:
        """What makes a member carry the contact's tags. Tags that a marketer put there stay (P2)."""
        return difference(wanted.tags, member.tags, self.part.written.get(member.hash, ()))

    def _clear_tags(
        self, wanted: DesiredMember, synced: SyncedMember, former: ObservedMember | None
    ) -> TagMember | None:
        """Take off what we wrote, of a contact that does not fit, once tags are no longer wanted at all.

        Otherwise a member that is left behind keeps its tags, as it keeps its fields (S10).
        """
        if wanted.tags is None or former is None or former.archived:
            return None
        tags = self._tags(wanted, former)
        change = _tag_member(replace(wanted, key=synced.key, tags=()), former, tags) if tags else None
        return None if change is None or _remembered(synced, change.digest) else change

    # --- whose member is it -------------------------------------------------------------------

    def _own_member(self, wanted: DesiredMember, synced: SyncedMember) -> ObservedMember | None:
        """The member of a contact that fits: at its address, or where the person moved it at Mailchimp."""
        here = self._look(wanted.key)
        moved = self.part.moved.get(wanted.contact_id)
        if moved is not None and (
            synced.key != wanted.key or self._belongs_to_another(wanted, moved) or self._is_silenced(moved)
        ):
            moved = None
        if isinstance(here, Present) and not (here.member.archived and moved and not moved.archived):
            return here.member
        return moved

    def _former_member(self, wanted: DesiredMember, synced: SyncedMember) -> ObservedMember | None:
        """The member last confirmed for the contact, wherever its address is now.

        Known under another address, it is that one: whoever is at the old address
        since is somebody else.
        """
        moved = self.part.moved.get(wanted.contact_id)
        if moved is not None:
            return moved
        there = self._look(synced.key) if synced.key else None
        return there.member if isinstance(there, Present) else None

    def _lost_member(self, wanted: DesiredMember, synced: SyncedMember) -> ObservedMember | None:
        """A member that a write of ours with an unknown answer has made, as its Sync Status shows."""
        there = self._look(synced.sent_key) if synced.sent_key else None
        if not isinstance(there, Present) or not field_map.is_active(there.member.values):
            return None
        return None if self._belongs_to_another(wanted, there.member) else there.member

    def _with_lost_member(self, wanted: DesiredMember, synced: SyncedMember) -> SyncedMember:
        """A contact without a member, to whom a lost write gave one, has that one."""
        lost = self._lost_member(wanted, synced) if not synced.key else None
        return synced if lost is None else replace(synced, key=synced.sent_key)

    def _belongs_to_another(self, wanted: DesiredMember, member: ObservedMember) -> bool:
        """Whether another contact that fits owns the member."""
        key = address_key(member.email)
        if wanted.fits and key == wanted.key:
            return False
        return key in self.part.claimed or self.owners.get(key, wanted.contact_id) != wanted.contact_id

    def _is_silenced(self, member: ObservedMember) -> bool:
        return address_key(member.email) in self.part.silenced

    def _renames(self, wanted: DesiredMember, synced: SyncedMember, former: ObservedMember) -> bool:
        return (
            former.status is MemberStatus.SUBSCRIBED
            and synced.key != wanted.key
            and not self._belongs_to_another(wanted, former)
        )

    # --- members left behind ------------------------------------------------------------------

    def _release_left_behind(
        self, wanted: DesiredMember, synced: SyncedMember, kept: ObservedMember | None = None
    ) -> ReleaseMember | None:
        """The release of one member that was the contact's, or was written for it, and is not to be kept."""
        releases: list[ReleaseMember] = []
        for member in (self._former_member(wanted, synced), self._lost_member(wanted, synced)):
            if member is None or (kept is not None and member.hash == kept.hash):
                continue
            release = self._release(wanted, synced, member)
            if release is not None and all(other.hash != release.hash for other in releases):
                releases.append(release)
        if not releases:
            return None
        return replace(releases[0], look_again=wanted.fits or len(releases) > 1)

    def _release_lost(self, wanted: DesiredMember, synced: SyncedMember) -> ReleaseMember | None:
        """Of a contact that is refused at its address: the release of what a late write made elsewhere.

        A member that was confirmed as the contact's, and whose rename was refused, stays as it is.
        """
        lost = self._lost_member(wanted, synced)
        if lost is None or address_key(lost.email) == wanted.key:
            return None
        known = self.part.synced.get(wanted.contact_id)
        former = self._former_member(wanted, synced) if known is not None and known.key else None
        if former is not None and former.hash == lost.hash:
            return None
        release = self._release(wanted, synced, lost)
        return None if release is None else replace(release, look_again=True)

    def _release(
        self, wanted: DesiredMember, synced: SyncedMember, member: ObservedMember
    ) -> ReleaseMember | None:
        """The release of a member, or None where nothing may or need be written, or it was refused before."""
        after = field_map.released(member.values)
        differing = field_map.differing(member.values, after)
        # With the address: refused at one address, it may be taken at another.
        digest = field_map.digest((*after, member.hash))
        if member.archived or not differing or _remembered(synced, digest):
            return None
        if self._belongs_to_another(wanted, member):
            return None
        return ReleaseMember(
            contact_id=wanted.contact_id,
            hash=member.hash,
            email=member.email,
            values=after,
            before=member.values,
            differing=differing,
            status=member.status,
            digest=digest,
            key=address_key(member.email),
        )

    # --- answers ------------------------------------------------------------------------------

    def _skip(
        self,
        wanted: DesiredMember,
        answer: Answer,
        *,
        state: SyncState | None = None,
        hashes: tuple[SubscriberHash, ...] = (),
        member: ObservedMember | None = None,
        forget: bool = False,
    ) -> Skip:
        if state is None and wanted.reason is Reason.FITS:
            state = SyncState.PENDING
        return Skip(
            contact_id=wanted.contact_id,
            answer=answer,
            reason=wanted.reason,
            state=state,
            hashes=hashes,
            member=member.hash if member else None,
            forget=forget,
        )


def _tag_member(wanted: DesiredMember, member: ObservedMember, tags: TagDifference) -> TagMember:
    digest = wanted.digest if wanted.fits else field_map.digest((member.hash, *tags.remove))
    return TagMember(
        contact_id=wanted.contact_id,
        hash=member.hash,
        email=member.email,
        values=member.values,
        before=member.tags or (),
        tags=tags,
        status=member.status,
        digest=digest,
        key=wanted.key,
        releasing=not wanted.fits,
    )


def _remembered(synced: SyncedMember, digest: bytes, *, there: bool = False) -> bool:
    """Whether the same content was refused before, and nobody asked to try again.

    For a member that is `there`, what only newcomers are refused for is of no account.
    """
    refusal = synced.refusal
    if refusal is None or synced.asked or (there and refusal.kind in ONLY_NEWCOMERS):
        return False
    return refusal.digest == digest
