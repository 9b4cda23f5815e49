"""The family of sync errors.

SyncError
├── AudienceUnavailable   Mailchimp can't be asked right now: wait and go on (never “not there”)
├── ConnectionBroken      asking again is pointless until a person does something: pause
├── BatchRefused          one call was refused as a whole: halve it until the culprit is alone
├── AnswerLost            a write may or may not have taken effect: look before repeating
└── StopAsked             a person pressed Stop
"""

from __future__ import annotations

import enum


class SyncError(Exception):
    """Base of everything that the core raises."""


class BrokenKind(enum.StrEnum):
    """Why a connection had to pause; each has its own words and way back on the page."""

    KEY_REVOKED = "key_revoked"
    USER_DISABLED = "user_disabled"
    ROLE_TOO_LOW = "role_too_low"
    AUDIENCE_GONE = "audience_gone"
    WRONG_DATACENTER = "wrong_datacenter"
    OVER_PLAN = "over_plan"
    FIELDS_LIMIT = "fields_limit"


class AudienceUnavailable(SyncError):
    """Throttled, timed out, or answered by something that is not Mailchimp's API.

    `retry_after` is in seconds; `raw` is what was answered, for the page.
    """

    def __init__(self, retry_after: float, raw: str = "") -> None:
        self.retry_after = retry_after
        self.raw = raw
        super().__init__(f"Mailchimp is unavailable; look again in {retry_after:.0f} s")


class ConnectionBroken(SyncError):
    """The account or audience refuses everything until a person acts."""

    def __init__(self, kind: BrokenKind, raw: str = "") -> None:
        self.kind = kind
        self.raw = raw
        super().__init__(f"The connection is broken: {kind.value}")


class BatchRefused(SyncError):
    """A call with several members was refused as a whole (contract 5: one malformed item fails all)."""

    def __init__(self, raw: str = "") -> None:
        self.raw = raw
        super().__init__("Mailchimp refused the whole call")


class AnswerLost(SyncError):
    """The request was sent, no readable answer came: the write may have taken effect, now or later."""

    def __init__(self, raw: str = "") -> None:
        self.raw = raw
        super().__init__("The answer was lost; the write may have taken effect")


class StopAsked(SyncError):
    """A person pressed Stop; the calls under way were waited for, nothing is half-written."""
