"""make_plan: desired, observed and synced go in; one answer a contact comes out. Total and deterministic.

The rules, in the order in which they are asked:

1. A contact whose last write has no known outcome is looked at first. So is
   one whose member nobody has looked at: nothing is concluded from Unknown.
2. A contact that does not fit, and whose member is there, not archived and
   not wanted by another contact, has the member released (S10).
3. A contact that fits owns the member at its address, and that member's
   fields are made equal to the book's. Archived ones are left alone.
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
)
from lockstep.core.observation import UNKNOWN, Observation, Present, Unknown
from lockstep.core.plan import (
    AddMember,
    Answer,
    Change,
    Plan,
    ReleaseMember,
    RenameMember,
    Skip,
    UpdateMember,
)


@dataclass(frozen=True, slots=True)
class Policy:
    """What the admin chose for this connection."""

    new_status: NewStatus = NewStatus.SUBSCRIBED


@dataclass(frozen=True, slots=True)
class Slice:
    """A set of contacts with all that a plan for them needs.

    Closed over addresses: whoever shares a key (present or synced) with a
    contact of the slice and fits is in the slice too, or its key is in `claimed`.
    `moved` holds, by contact, the member whose address was changed at
    Mailchimp since (found by `contact_key`).
    `receipts` holds, by contact, the store's own mark of what led to this look.
    """

    desired: tuple[DesiredMember, ...]
    synced: Mapping[int, SyncedMember] = field(default_factory=dict)
    observed: Mapping[SubscriberHash, Observation] = field(default_factory=dict)
    moved: Mapping[int, ObservedMember] = field(default_factory=dict)
    claimed: frozenset[AddressKey] = frozenset()
    receipts: Mapping[int, int] = field(default_factory=dict)

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


_Step = AddMember | UpdateMember | RenameMember | ReleaseMember | Skip


def make_plan(part: Slice, policy: Policy) -> Plan:
    """One entry for each contact of the slice, in the slice's order.

    Does no I/O, reads no clock, and depends on nothing but its arguments: the
    same slice always gives the same plan. Applying a plan and looking again
    gives an empty one, after one more round for contacts whose former member
    had to be released first.
    """
    claimed = part.claimed | {wanted.key for wanted in part.desired if wanted.fits}
    planner = _Planner(part, policy, claimed)
    changes: list[Change] = []
    skips: list[Skip] = []
    for wanted in part.desired:
        step = planner.step(wanted)
        if isinstance(step, Skip):
            skips.append(step)
        else:
            changes.append(step)
    return Plan(tuple(changes), tuple(skips))


@dataclass(frozen=True, slots=True)
class _Planner:
    part: Slice
    policy: Policy
    claimed: frozenset[AddressKey]

    def step(self, wanted: DesiredMember) -> _Step:
        synced = self.part.synced.get(wanted.contact_id) or SyncedMember(wanted.contact_id)
        unknown = self._unknown(wanted, synced)
        if unknown:
            return self._skip(wanted, Answer.LOOK, hashes=unknown)
        if wanted.fits:
            return self._release_former(wanted, synced) or self._fitting(wanted, synced)
        return self._left_out(wanted, synced)

    def _look(self, key: AddressKey) -> Observation:
        return self.part.observed.get(subscriber_hash(key), UNKNOWN)

    def _unknown(self, wanted: DesiredMember, synced: SyncedMember) -> tuple[SubscriberHash, ...]:
        """The members that must be looked at before anything is decided."""
        keys = [wanted.key if wanted.fits else NO_ADDRESS, synced.key]
        if synced.uncertain:
            keys.append(synced.sent_key)
        needed = dict.fromkeys(subscriber_hash(key) for key in keys if key)
        if synced.uncertain:
            return tuple(needed)
        return tuple(h for h in needed if isinstance(self.part.observed.get(h, UNKNOWN), Unknown))

    # --- contacts that do not fit -------------------------------------------------------------

    def _left_out(self, wanted: DesiredMember, synced: SyncedMember) -> _Step:
        if not synced.key:
            return self._skip(wanted, Answer.LEFT_OUT)
        member = self._former_member(wanted, synced)
        if member is None or self._belongs_to_another(synced, member):
            return self._skip(wanted, Answer.LEFT_OUT, forget=True)
        return self._release(wanted, synced, member) or self._skip(wanted, Answer.LEFT_OUT, member=member)

    def _release(
        self, wanted: DesiredMember, synced: SyncedMember, member: ObservedMember
    ) -> ReleaseMember | None:
        """The release of a member, or None where nothing is left to write or it was refused before."""
        after = field_map.released(member.values)
        differing = field_map.differing(member.values, after)
        digest = field_map.digest(after)
        if member.archived or not differing or _remembered(synced, digest):
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
            look_again=wanted.fits,
        )

    # --- contacts that fit --------------------------------------------------------------------

    def _fitting(self, wanted: DesiredMember, synced: SyncedMember) -> _Step:
        here = self._look(wanted.key)
        if isinstance(here, Present):
            return self._own(wanted, synced, here.member)
        if _remembered(synced, wanted.digest):
            return self._skip(wanted, Answer.REFUSED_BEFORE, state=SyncState.FAILED)
        if not synced.key:
            return self._add(wanted, self.policy.new_status)
        former = self._former_member(wanted, synced)
        if former is not None and synced.key != wanted.key:
            return self._new_address(wanted, synced, former)
        if former is not None and not self._belongs_to_another(synced, former, but=wanted.key):
            return self._own(wanted, synced, former)  # changed at Mailchimp by the person: follow
        # It was there once and is not any more: deleted for good at Mailchimp (contract 4.2).
        if synced.asked:
            return self._add(wanted, self.policy.new_status)
        return self._skip(wanted, Answer.GONE, state=SyncState.ARCHIVED)

    def _own(self, wanted: DesiredMember, synced: SyncedMember, member: ObservedMember) -> _Step:
        """The member that is this contact's: make our fields equal, touch nothing else."""
        if member.archived:
            return self._skip(wanted, Answer.ARCHIVED, state=SyncState.ARCHIVED, member=member)
        differing = field_map.differing(member.values, wanted.values)
        if not differing:
            state = SyncState.UNSUBSCRIBED if member.opted_out else SyncState.SYNCED
            return self._skip(wanted, Answer.UNCHANGED, state=state, member=member)
        if _remembered(synced, wanted.digest):
            return self._skip(wanted, Answer.REFUSED_BEFORE, state=SyncState.FAILED, member=member)
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
        )

    def _new_address(self, wanted: DesiredMember, synced: SyncedMember, former: ObservedMember) -> _Step:
        """The book's address changed, the target is free: rename, else add (S11, contract 4.6)."""
        if self._renames(synced, former):
            return RenameMember(
                contact_id=wanted.contact_id,
                hash=former.hash,
                email=wanted.email.strip(),
                former_email=former.email,
                values=wanted.values,
                before=former.values,
                digest=wanted.digest,
                key=wanted.key,
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
        )

    # --- former members -----------------------------------------------------------------------

    def _former_member(self, wanted: DesiredMember, synced: SyncedMember) -> ObservedMember | None:
        """The member last confirmed for the contact, wherever its address is now."""
        there = self._look(synced.key)
        if isinstance(there, Present):
            return there.member
        return self.part.moved.get(wanted.contact_id)

    def _belongs_to_another(
        self, synced: SyncedMember, member: ObservedMember, *, but: AddressKey | None = None
    ) -> bool:
        """Whether a contact that fits owns the former address, or the member where it is now."""
        others = self.claimed - {but} if but else self.claimed
        return synced.key in others or address_key(member.email) in others

    def _renames(self, synced: SyncedMember, former: ObservedMember) -> bool:
        return former.status is MemberStatus.SUBSCRIBED and not self._belongs_to_another(synced, former)

    def _release_former(self, wanted: DesiredMember, synced: SyncedMember) -> ReleaseMember | None:
        """The former member of a contact that goes on under another one, unless it will be renamed.

        Comes as a step of its own, first: were the new member written first and the
        worker killed, nobody would remember the former one.
        """
        if not synced.key or synced.key == wanted.key:
            return None
        former = self._former_member(wanted, synced)
        if former is None or former.hash == subscriber_hash(wanted.key):
            return None
        if self._belongs_to_another(synced, former):
            return None
        if not isinstance(self._look(wanted.key), Present) and self._renames(synced, former):
            return None
        return self._release(wanted, synced, former)

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


def _remembered(synced: SyncedMember, digest: bytes) -> bool:
    """Whether the same content was refused before, and nobody asked to try again."""
    return synced.refusal is not None and not synced.asked and synced.refusal.digest == digest
