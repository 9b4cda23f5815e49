"""Undo of a run: what is to be done about each member that the run wrote. Pure.

By value, not by trust in what happened since: a field goes back to what it held
before the run only while it holds what the run wrote, so that undoing twice,
going on after a crash, or undoing after somebody edited the member never
overwrites anybody's work. No status is ever written (P1); archiving a member
that the run itself added is the one thing that touches the audience, and only a
person's explicit word lets it happen.

The sync is stopped while a run is undone, so members that were kept in step
read Inactive with empty URLs. They stay so: restored to “Active” they would
promise what nobody does.
"""

from __future__ import annotations

import enum
import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from lockstep.core import field_map
from lockstep.core.field_map import SYNC_STATUS
from lockstep.core.identity import SubscriberHash, address_key
from lockstep.core.member import MemberStatus
from lockstep.core.observation import Observation, Present
from lockstep.core.plan import UpdateMember


class Why(enum.StrEnum):
    """Why a member is left as it is."""

    AS_BEFORE = "as_before"
    """Nothing to put back: its fields hold what they held before the run."""
    CHANGED = "changed"
    """A field that the run wrote was changed since, at Mailchimp or by a later run."""
    RENAMED = "renamed"
    """The run changed the member's address. Addresses are not put back: the book's is the one to correct."""
    STATUS = "status"
    """Added by the run, and the person has subscribed, confirmed or unsubscribed since."""
    UNCONFIRMED = "unconfirmed"
    """Added by the run as pending: Mailchimp archives nobody who has not confirmed yet (contract 4.3)."""
    KEPT = "kept"
    """Added by the run; the person who undoes it did not ask to archive."""
    UNTOLD = "untold"
    """Somebody had added the person in the same moment: what it held before nobody knows."""
    ARCHIVED = "archived"
    GONE = "gone"
    """No longer in the audience under that address."""


@dataclass(frozen=True, slots=True)
class Deed:
    """All that one run did to one contact's member.

    `overwritten` maps the position of a field to its value before the run's first
    write and after its last. `added_as` is the status with which the run made the
    member, None where it was there before. `renamed` and `untold` see `Why`.
    """

    contact_id: int
    member: SubscriberHash
    overwritten: Mapping[int, tuple[str, str]] = field(default_factory=dict)
    added_as: MemberStatus | None = None
    renamed: bool = False
    untold: bool = False

    def and_then(self, later: Deed) -> Deed:
        """This and what the same run did to the same contact afterwards."""
        merged = dict(self.overwritten)
        for index, (before, after) in later.overwritten.items():
            merged[index] = (merged[index][0] if index in merged else before, after)
        return replace(
            self,
            member=later.member or self.member,
            overwritten=merged,
            added_as=self.added_as or later.added_as,
            renamed=self.renamed or later.renamed,
            untold=self.untold or later.untold,
        )


@dataclass(frozen=True, slots=True)
class ArchiveMember:
    """Archive somebody whom the run added, while the status is still the one that the run gave."""

    contact_id: int
    hash: SubscriberHash
    email: str
    status: MemberStatus


@dataclass(frozen=True, slots=True)
class LeaveMember:
    """Nothing is done, and why; `fields` are the positions of those that were changed since."""

    contact_id: int
    why: Why
    fields: tuple[int, ...] = ()


UndoStep = UpdateMember | ArchiveMember | LeaveMember


def undo_step(deed: Deed, observed: Observation) -> UndoStep:
    """What undoing does about one member. Total: every deed has one answer.

    `observed` is the member at `deed.member` after a complete reading: what is not present is gone.
    """
    contact = deed.contact_id
    if not isinstance(observed, Present):
        return LeaveMember(contact, Why.GONE)
    member = observed.member
    if member.archived:
        return LeaveMember(contact, Why.ARCHIVED)
    if deed.renamed:
        return LeaveMember(contact, Why.RENAMED)
    if deed.added_as is not None:
        if member.status is not deed.added_as:
            return LeaveMember(contact, Why.STATUS)
        if member.status is MemberStatus.PENDING:
            return LeaveMember(contact, Why.UNCONFIRMED)
        return ArchiveMember(contact, member.hash, member.email, member.status)
    if deed.untold:
        return LeaveMember(contact, Why.UNTOLD)
    changed = _changed_since(deed, member.values)
    if changed:
        return LeaveMember(contact, Why.CHANGED, changed)
    target = _as_before(deed, member.values)
    differing = field_map.differing(member.values, target)
    if not differing:
        return LeaveMember(contact, Why.AS_BEFORE)
    return UpdateMember(
        contact_id=contact,
        hash=member.hash,
        email=member.email,
        values=target,
        before=member.values,
        differing=differing,
        status=member.status,
        digest=field_map.digest(target),
        key=address_key(member.email),
    )


def _changed_since(deed: Deed, now: tuple[str, ...]) -> tuple[int, ...]:
    """Fields that hold neither what the run wrote, nor what a stop makes of that, nor what was before."""
    stopped = field_map.released(_with(now, {i: after for i, (_, after) in deed.overwritten.items()}))
    return tuple(
        index
        for index, (before, after) in deed.overwritten.items()
        if now[index] not in (before, after, stopped[index])
    )


def _as_before(deed: Deed, now: tuple[str, ...]) -> tuple[str, ...]:
    target = _with(now, {index: before for index, (before, _) in deed.overwritten.items()})
    return field_map.released(target) if target[SYNC_STATUS] else target


def _with(values: tuple[str, ...], some: Mapping[int, str]) -> tuple[str, ...]:
    return tuple(some.get(index, value) for index, value in enumerate(values))


@dataclass(slots=True)
class UndoCounts:
    """An undo in numbers, and a fingerprint of what it would do: slices are added up."""

    put_back: int = 0
    to_archive: int = 0
    left: Counter[Why] = field(default_factory=Counter)
    _sum: int = 0

    def add(self, steps: Iterable[UndoStep]) -> None:
        for step in steps:
            match step:
                case UpdateMember():
                    self.put_back += 1
                    parts = ("back", str(step.contact_id), step.hash, *step.values)
                case ArchiveMember():
                    self.to_archive += 1
                    parts = ("archive", str(step.contact_id), step.hash, step.status.value)
                case LeaveMember():
                    self.left[step.why] += 1
                    continue
            self._sum = (self._sum + _number(parts)) % (1 << 128)

    @property
    def writes(self) -> int:
        return self.put_back + self.to_archive

    @property
    def fingerprint(self) -> str:
        """Equal for undos that do the same, however they were sliced."""
        return f"{self._sum:032x}"


def _number(parts: Iterable[str]) -> int:
    return int.from_bytes(hashlib.blake2b("\x1f".join(parts).encode(), digest_size=16).digest())
