"""What happened to each change; the only thing that moves the synced state."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lockstep.core.member import ObservedMember
    from lockstep.core.plan import Change


class RefusalKind(enum.StrEnum):
    """Why Mailchimp refused one contact (contract 3.2, 4.5, 4.6, 5)."""

    FORGOTTEN = "forgotten"
    COMPLIANCE = "compliance"
    INVALID_ADDRESS = "invalid_address"
    FAKE_ADDRESS = "fake_address"
    TOO_MANY_SIGNUPS = "too_many_signups"
    REQUIRED_FIELD = "required_field"
    MERGE_FIELDS = "merge_fields"
    NOT_REMOVABLE = "not_removable"
    OVER_PLAN = "over_plan"
    OTHER = "other"


PASSES_BY_ITSELF = frozenset({RefusalKind.TOO_MANY_SIGNUPS})
"""Refusals that a later try may not meet again (contract trap 27: hours or days)."""


ONLY_NEWCOMERS = frozenset({RefusalKind.FORGOTTEN, RefusalKind.COMPLIANCE, RefusalKind.TOO_MANY_SIGNUPS})
"""Refusals of people who are not in the audience (contract 4.4, 4.5): of no account once they are."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """One contact refused, in Mailchimp's words, and for which content.

    `digest` is that of the desired values then: while the contact has not
    changed and nobody asked, the same refusal is not fetched again.
    """

    kind: RefusalKind
    text: str
    field: str = ""
    digest: bytes = b""
    key: str = ""

    @property
    def passes_by_itself(self) -> bool:
        return self.kind in PASSES_BY_ITSELF


@dataclass(frozen=True, slots=True)
class Applied:
    """Mailchimp confirmed the change; `member` is what it holds now."""

    change: Change
    member: ObservedMember
    created: bool = False


@dataclass(frozen=True, slots=True)
class Refused:
    change: Change
    refusal: Refusal


@dataclass(frozen=True, slots=True)
class Stale:
    """What the plan assumed is no longer so (not there, already there, other status): look again."""

    change: Change
    text: str = ""


@dataclass(frozen=True, slots=True)
class Lost:
    """Sent, no answer: the contact is uncertain until somebody looked."""

    change: Change


@dataclass(frozen=True, slots=True)
class NotTried:
    """Nothing was sent, or surely nothing took effect: simply still to do."""

    change: Change


Outcome = Applied | Refused | Stale | Lost | NotTried
