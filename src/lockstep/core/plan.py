"""A plan: changes to send, an answer for everybody else, and a fingerprint of what would be sent."""

from __future__ import annotations

import enum
import hashlib
from collections import Counter
from dataclasses import dataclass, field

from lockstep.core.consent import NewStatus
from lockstep.core.identity import NO_ADDRESS, AddressKey, SubscriberHash, address_key
from lockstep.core.member import MemberStatus, ObservedMember, Reason, SyncState, Values
from lockstep.core.tags import NO_TAGS, TagDifference, Tags


@dataclass(frozen=True, slots=True)
class AddMember:
    """Somebody new to the audience. Harmless should the address be there after all (`status_if_new`)."""

    contact_id: int
    hash: SubscriberHash
    email: str
    values: Values
    status_if_new: NewStatus
    digest: bytes
    key: AddressKey
    tags: TagDifference = NO_TAGS
    """Tags that belong to the change. Where a call can't write them, a step of its own follows."""


@dataclass(frozen=True, slots=True)
class UpdateMember:
    """Our fields of a member that is there. `email` is Mailchimp's own spelling of the address."""

    contact_id: int
    hash: SubscriberHash
    email: str
    values: Values
    before: Values
    differing: tuple[int, ...]
    status: MemberStatus
    digest: bytes
    key: AddressKey
    tags: TagDifference = NO_TAGS


@dataclass(frozen=True, slots=True)
class RenameMember:
    """The contact's address changed and the member follows it (S11): subscribed, target free."""

    contact_id: int
    hash: SubscriberHash
    """The member's hash before the rename."""
    email: str
    """The new address."""
    former_email: str
    values: Values
    before: Values
    digest: bytes
    key: AddressKey
    tags: TagDifference = NO_TAGS


@dataclass(frozen=True, slots=True)
class TagMember:
    """Our tags of a member whose fields are as the book says; touches neither fields nor status.

    `releasing` where the contact does not fit: tags were switched off, and ours are to go.
    """

    contact_id: int
    hash: SubscriberHash
    email: str
    values: Values
    before: Tags
    tags: TagDifference
    status: MemberStatus
    digest: bytes
    key: AddressKey
    releasing: bool = False


@dataclass(frozen=True, slots=True)
class ReleaseMember:
    """The contact left the scope or moved to another member: Inactive, URLs emptied, nothing else (S10)."""

    contact_id: int
    hash: SubscriberHash
    email: str
    values: Values
    before: Values
    differing: tuple[int, ...]
    status: MemberStatus
    digest: bytes
    key: AddressKey
    look_again: bool = False
    """Another step for the contact follows once this member is released."""


Change = AddMember | UpdateMember | RenameMember | ReleaseMember | TagMember


def tags_of(change: Change) -> TagDifference:
    """The tags that a change is about; none for a release, which leaves tags as they are."""
    return NO_TAGS if isinstance(change, ReleaseMember) else change.tags


def owns(change: Change) -> bool:
    """Whether the member is the contact's once the change is done: so it is but for releases."""
    return not (isinstance(change, ReleaseMember) or (isinstance(change, TagMember) and change.releasing))


def acts_on(change: Change) -> AddressKey:
    """The address of a member that was the contact's before the change; '' where that is not known."""
    match change:
        case RenameMember():
            return address_key(change.former_email)
        case ReleaseMember():
            return change.key
        case _:
            return NO_ADDRESS


def tags_follow(change: Change, member: ObservedMember) -> bool:
    """Whether tags of a change that was applied are not seen on the member: they need a step of their own."""
    return not isinstance(change, TagMember) and tags_of(change).left(member.tags)


def tagged(change: TagMember) -> ObservedMember:
    """The member with its tags changed, and otherwise as it was when the change was planned."""
    return ObservedMember(
        hash=change.hash,
        email=change.email,
        status=change.status,
        values=change.values,
        tags=change.tags.after(change.before),
    )


class Answer(enum.StrEnum):
    """Why nothing is sent for a contact."""

    UNCHANGED = "unchanged"
    LEFT_OUT = "left_out"
    REFUSED_BEFORE = "refused_before"
    ARCHIVED = "archived"
    GONE = "gone"
    LOOK = "look"


@dataclass(frozen=True, slots=True)
class Skip:
    """A contact for whom nothing is sent, with the one reason why.

    `hashes` are the members to look at first when the answer is LOOK.
    `forget` says that the contact's former member now belongs to somebody
    else or is gone, so that the link is dropped without a write.
    """

    contact_id: int
    answer: Answer
    reason: Reason
    state: SyncState | None
    hashes: tuple[SubscriberHash, ...] = ()
    member: SubscriberHash | None = None
    forget: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that one look at a set of contacts decided: each has one entry, here or there."""

    changes: tuple[Change, ...] = ()
    skips: tuple[Skip, ...] = ()


@dataclass(slots=True)
class PlanCounts:
    """The plan in numbers; slices of a large plan are added up."""

    adds: int = 0
    updates: int = 0
    renames: int = 0
    releases: int = 0
    tagged: int = 0
    """Members of whom nothing but tags changes."""
    tags_added: int = 0
    tags_removed: int = 0
    """Tags to put on and take off, of all members together."""
    answers: Counter[Answer] = field(default_factory=Counter)
    _sum: int = 0

    def add(self, plan: Plan) -> None:
        for change in plan.changes:
            match change:
                case AddMember():
                    self.adds += 1
                case UpdateMember():
                    self.updates += 1
                case RenameMember():
                    self.renames += 1
                case ReleaseMember():
                    self.releases += 1
                case TagMember():
                    self.tagged += 1
            self.tags_added += len(tags_of(change).add)
            self.tags_removed += len(tags_of(change).remove)
            self._sum = (self._sum + _number(change)) % _MODULUS
        for skip in plan.skips:
            self.answers[skip.answer] += 1

    @property
    def fingerprint(self) -> str:
        """Equal for plans that send the same, whatever machine made them, however they were sliced (S4)."""
        return f"{self._sum:032x}"

    @property
    def writes(self) -> int:
        return self.adds + self.updates + self.renames + self.releases + self.tagged


_MODULUS = 1 << 128


def _number(change: Change) -> int:
    """A number that stands for a change; a sum of them stands for a set, in whatever order."""
    extra = change.status_if_new.value if isinstance(change, AddMember) else ""
    parts = [type(change).__name__, str(change.contact_id), change.hash, change.email, extra, *change.values]
    if tags := tags_of(change):
        parts += ["tags", *tags.add, "", *tags.remove]
    return int.from_bytes(hashlib.blake2b("\x1f".join(parts).encode(), digest_size=16).digest())
