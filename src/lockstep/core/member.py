"""The three trees' leaves: what is desired, observed and synced for one contact or member."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from lockstep.core.identity import NO_ADDRESS, AddressKey, SubscriberHash
from lockstep.core.outcome import Refusal

Values = tuple[str, ...]
"""Our fields' values in the order of `FieldMap.fields`. '' is empty; there is no null."""


class MemberStatus(enum.StrEnum):
    """The marketing status at Mailchimp, in the API's words (contract 4.2)."""

    SUBSCRIBED = "subscribed"
    UNSUBSCRIBED = "unsubscribed"
    CLEANED = "cleaned"
    PENDING = "pending"
    TRANSACTIONAL = "transactional"
    ARCHIVED = "archived"


class Reason(enum.StrEnum):
    """Why a contact is in the sync or left out. A contact has the first that holds, in this order."""

    DELETED = "deleted"
    """No longer in the book; not counted among its contacts."""
    OUTSIDE = "outside"
    INACTIVE = "inactive"
    NO_MARKETING = "no_marketing"
    NO_EMAIL = "no_email"
    INVALID_EMAIL = "invalid_email"
    DUPLICATE = "duplicate"
    FITS = "fits"


class SyncState(enum.StrEnum):
    """Where a contact that fits stands; the five counts add up to all that fit (P4)."""

    SYNCED = "synced"
    PENDING = "pending"
    FAILED = "failed"
    ARCHIVED = "archived"
    UNSUBSCRIBED = "unsubscribed"


@dataclass(frozen=True, slots=True)
class DesiredMember:
    """What the book says of one contact, now.

    `values` and `digest` are meaningful only when `reason` is FITS. Among the
    contacts that fit, keys are unique: the duplicate rule has already chosen.
    """

    contact_id: int
    email: str
    key: AddressKey
    reason: Reason
    values: Values = ()
    digest: bytes = b""
    tags: tuple[str, ...] | None = None
    """The tags that its member should carry (`core.tags`); None where they are none of our business.

    For a contact that does not fit an empty tuple says: take off what we wrote.
    """

    @property
    def fits(self) -> bool:
        return self.reason is Reason.FITS


@dataclass(frozen=True, slots=True)
class ObservedMember:
    """What Mailchimp held when we last looked. `values` are our fields only."""

    hash: SubscriberHash
    email: str
    status: MemberStatus
    values: Values
    contact_key: str = ""
    """Mailchimp's `contact_id`: stays when the address changes (contract 4.1); '' where not known."""
    web_id: int = 0
    rating: int = 0
    last_changed: str = ""
    tags: tuple[str, ...] | None = None
    """Tags under our prefix, whoever put them there; None where the source did not tell."""

    @property
    def archived(self) -> bool:
        return self.status is MemberStatus.ARCHIVED

    @property
    def opted_out(self) -> bool:
        """Unsubscribed or cleaned: shown under Unsubscribed, and left as it is."""
        return self.status in (MemberStatus.UNSUBSCRIBED, MemberStatus.CLEANED)


def state_of(member: ObservedMember) -> SyncState:
    """Where a contact that fits stands once its member holds what the book says."""
    if member.archived:
        return SyncState.ARCHIVED
    return SyncState.UNSUBSCRIBED if member.opted_out else SyncState.SYNCED


@dataclass(frozen=True, slots=True)
class SyncedMember:
    """What we last confirmed for one contact. Only confirmed outcomes move it."""

    contact_id: int
    key: AddressKey = NO_ADDRESS
    """The address of the member that is this contact's; '' if none was ever confirmed."""
    digest: bytes = b""
    """Digest of the values last confirmed there; b'' after a release."""
    contact_key: str = ""
    uncertain: bool = False
    """A write was sent whose answer is not known: look before doing anything."""
    sent_key: AddressKey = NO_ADDRESS
    """The address that a write was last for, without a confirmation since: what is there may be ours.

    It may be neither the former nor the present one. Kept when uncertainty ends, until something is
    confirmed: the planner sees to a member that a lost write left behind.
    """
    refusal: Refusal | None = None
    asked: bool = False
    """A person asked to try again whatever is remembered."""
