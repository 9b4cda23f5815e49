"""The one table from the client's errors to the core's outcomes and errors.

Decided by the class of the error, its `reason`, and the field that Mailchimp
named. Mailchimp writes its texts in the audience's language (contract trap 5),
so a text decides nothing, but for `OVER_PLAN_TEXT`, which only tells apart two
refusals that both stop nobody else.

| the client's error                        | a write of one            | a call with several | a read      |
| ----------------------------------------- | ------------------------- | ------------------- | ----------- |
| `AccountRefused`, `OAuthRefused`          | ConnectionBroken          | same                | same        |
| a write that may have happened            | Lost                      | AnswerLost          | –           |
| `Busy`, `NotSent`, unreadable, lost reads | AudienceUnavailable       | same                | same        |
| `NotFound`                                | Stale (audience is there) | audience gone       | gone/Absent |
| `MemberExists`, the three rename refusals | Stale                     | BatchRefused        | –           |
| any other `RequestRefused`                | Refused, by `REFUSALS`    | BatchRefused        | unavailable |
| `InvalidCall` (nothing was sent)          | Refused OTHER             | BatchRefused        | raised      |
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager

from lockstep.core.errors import (
    AnswerLost,
    AudienceUnavailable,
    BatchRefused,
    BrokenKind,
    ConnectionBroken,
    SyncError,
)
from lockstep.core.outcome import Lost, Outcome, Refusal, RefusalKind, Refused, Stale
from lockstep.core.plan import Change
from lockstep.mailchimp import errors
from lockstep.mailchimp.errors import Applied, MailchimpError
from lockstep.mailchimp.refusals import Reason, reason_of_item
from lockstep.mailchimp.wire import BatchError

BROKEN: tuple[tuple[type[MailchimpError], BrokenKind], ...] = (
    (errors.ApiKeyMissing, BrokenKind.KEY_REVOKED),
    (errors.ApiKeyInvalid, BrokenKind.KEY_REVOKED),
    (errors.OAuthRefused, BrokenKind.KEY_REVOKED),
    (errors.UserDisabled, BrokenKind.USER_DISABLED),
    (errors.MethodDisabled, BrokenKind.USER_DISABLED),
    (errors.WrongDatacenter, BrokenKind.WRONG_DATACENTER),
    (errors.RoleTooLow, BrokenKind.ROLE_TOO_LOW),
    (errors.Forbidden, BrokenKind.ROLE_TOO_LOW),
    (errors.AccountRefused, BrokenKind.KEY_REVOKED),
)
"""Most specific first; the first that fits is it (contract 1.3)."""

WAITS: tuple[tuple[type[MailchimpError], float], ...] = (
    (errors.TooManyRequests, 10.0),
    (errors.EdgeRefused, 60.0),
    (errors.ServerError, 30.0),
    (errors.NotSent, 15.0),
    (errors.TimedOut, 60.0),
    (errors.AnswerLost, 15.0),
    (errors.UnreadableReply, 60.0),
    (errors.BatchProblem, 30.0),
    (errors.RequestRefused, 300.0),
)
"""Seconds after which to look again, once the retries inside are used up. An edge refusal goes by the
sender's reputation and passes slowly; a time-out may keep its place for 120 s (contract 7)."""

REFUSALS: Mapping[Reason, RefusalKind] = {
    Reason.FORGOTTEN: RefusalKind.FORGOTTEN,
    Reason.COMPLIANCE: RefusalKind.COMPLIANCE,
    Reason.INVALID_ADDRESS: RefusalKind.INVALID_ADDRESS,
    Reason.FAKE_ADDRESS: RefusalKind.FAKE_ADDRESS,
    Reason.TOO_MANY_SIGNUPS: RefusalKind.TOO_MANY_SIGNUPS,
    Reason.MERGE_FIELDS: RefusalKind.MERGE_FIELDS,
    Reason.MALFORMED: RefusalKind.OTHER,
    Reason.UNKNOWN: RefusalKind.OTHER,
}
"""What is not in here means that the plan's assumption fell, see `ASSUMPTION_FELL`."""

ASSUMPTION_FELL = frozenset(
    {
        Reason.MEMBER_EXISTS,
        Reason.RENAME_NOT_SUBSCRIBED,
        Reason.RENAME_TARGET_TAKEN,
        Reason.RENAME_REFUSED,
    }
)
"""Refusals that say: the audience is not as the plan took it to be. Look again."""

OVER_PLAN_TEXT = re.compile(
    r"\bcontact limit\b|\bplan\b.{0,40}\b(limit|upgrade)|\b(limit|upgrade)\b.{0,40}\bplan\b", re.IGNORECASE
)
"""Mailchimp's words for a full plan are not established (contract 7, 13.3), so this is a guess; what it
misses is shown raw as OTHER, and both are refusals of one contact."""


class SetupRefused(SyncError):
    """Mailchimp refused something that a set-up page asked for.

    `raw` is in Mailchimp's words; `field` the field or parameter it named, '' if none.
    """

    def __init__(self, raw: str, field: str = "") -> None:
        self.raw = raw
        self.field = field
        super().__init__("Mailchimp refused the change of the audience's set-up")


def words(error: MailchimpError) -> str:
    """What Mailchimp said, for a page: detail and fields; what happened in our words if it said nothing."""
    said = [error.detail] if error.detail else []
    if isinstance(error, errors.RequestRefused):
        said += [f"{e.field}: {e.message}" if e.field else e.message for e in error.errors]
    if said:
        return " ".join(said)
    return f"{error.explanation} (HTTP {error.status_code})" if error.status_code else error.explanation


def broken(error: MailchimpError) -> ConnectionBroken | None:
    """The pause that the error calls for, or None."""
    for kind, broken_kind in BROKEN:
        if isinstance(error, kind):
            return ConnectionBroken(broken_kind, words(error))
    return None


def unavailable(error: MailchimpError) -> AudienceUnavailable:
    """“Not now”, with the seconds after which to look again."""
    wait = next((seconds for kind, seconds in WAITS if isinstance(error, kind)), 60.0)
    if isinstance(error, errors.TooManyRequests) and error.retry_after is not None:
        wait = max(1.0, error.retry_after)
    return AudienceUnavailable(wait, words(error))


def read_error(error: MailchimpError) -> SyncError | MailchimpError:
    """What to raise for a read that failed; never anything that could be taken for “not there”.

    A 404 is the audience's: members that are not there are the caller's to tell first.
    A request that we built wrongly is our mistake and is given back as it came.
    """
    if isinstance(error, errors.InvalidCall):
        return error
    if isinstance(error, errors.NotFound):
        return ConnectionBroken(BrokenKind.AUDIENCE_GONE, words(error))
    return broken(error) or unavailable(error)


def batch_error(error: MailchimpError) -> SyncError:
    """What to raise for a call with several members that failed as a whole."""
    pause = broken(error)
    if pause is not None:
        return pause
    if isinstance(error, errors.NotFound):
        return ConnectionBroken(BrokenKind.AUDIENCE_GONE, words(error))
    if isinstance(error, errors.RequestRefused | errors.InvalidCall):
        return BatchRefused(words(error))
    if error.applied is Applied.UNKNOWN:
        return AnswerLost(words(error))
    return unavailable(error)


def single_outcome(error: MailchimpError, change: Change, our_tags: Collection[str]) -> Outcome:
    """What became of one change sent alone. The caller has made sure that a 404 is the member's.

    Raises `ConnectionBroken` or `AudienceUnavailable` where nothing took effect.
    """
    pause = broken(error)
    if pause is not None:
        raise pause from error
    if isinstance(error, errors.NotFound):
        return Stale(change, words(error))
    if isinstance(error, errors.RequestRefused):
        if error.reason in ASSUMPTION_FELL:
            return Stale(change, words(error))
        fields = [_tag(e.field) for e in error.errors]
        return _refused(change, error.reason, words(error), fields, our_tags)
    if isinstance(error, errors.InvalidCall):
        return _refused(change, Reason.UNKNOWN, words(error), [], our_tags)
    if error.applied is Applied.UNKNOWN:
        return Lost(change)
    raise unavailable(error) from error


def item_outcome(item: BatchError, change: Change, our_tags: Collection[str]) -> Outcome:
    """What became of one change of a batch that Mailchimp put among the answer's errors (contract 5)."""
    reason = reason_of_item(item)
    text = item.error
    if item.field_message and item.field_message not in text:
        text = f"{text} {_tag(item.field)}: {item.field_message}".strip()
    if reason in ASSUMPTION_FELL:
        return Stale(change, text)
    fields = [_tag(item.field)] if item.field else []
    return _refused(change, reason, text, fields, our_tags)


def not_kept(change: Change, tag: str) -> Refused:
    """Mailchimp said yes, and its own answer shows that a value of ours was not stored.

    Seen where an incomplete address is stored on the contact (contract trap 6), and where
    the audience field is no longer there (trap 11: unknown tags vanish without a word).
    """
    text = f"Mailchimp answered that the contact was updated, but did not store {tag}."
    return Refused(change, _refusal(change, RefusalKind.MERGE_FIELDS, text, tag))


@contextmanager
def translated() -> Iterator[None]:
    """Turns the client's errors inside into what set-up pages are told (`setup_error`)."""
    try:
        yield
    except MailchimpError as error:
        raise setup_error(error) from error


def setup_error(error: MailchimpError) -> SyncError:
    """What a set-up page is told."""
    pause = broken(error)
    if pause is not None:
        return pause
    if isinstance(error, errors.NotFound):
        return ConnectionBroken(BrokenKind.AUDIENCE_GONE, words(error))
    if isinstance(error, errors.RequestRefused):
        return SetupRefused(words(error), error.errors[0].field if error.errors else "")
    if isinstance(error, errors.InvalidCall):
        return SetupRefused(words(error))
    return unavailable(error)


def _refused(
    change: Change, reason: Reason, text: str, fields: Collection[str], our_tags: Collection[str]
) -> Refused:
    kind = REFUSALS.get(reason, RefusalKind.OTHER)
    field = next(iter(fields), "")
    if kind is RefusalKind.MERGE_FIELDS:
        # A field that is not ours was not sent: what is wrong with it is what is stored, or missing.
        others = [tag for tag in fields if tag and tag not in our_tags]
        if others:
            kind, field = RefusalKind.REQUIRED_FIELD, others[0]
    elif kind is RefusalKind.OTHER and OVER_PLAN_TEXT.search(text):
        kind = RefusalKind.OVER_PLAN
    return Refused(change, _refusal(change, kind, text, field))


def _refusal(change: Change, kind: RefusalKind, text: str, field: str) -> Refusal:
    return Refusal(kind, text, field, digest=change.digest, key=change.key)


def _tag(field: str) -> str:
    """The merge tag in `merge_fields.TAG`, or the field as it is."""
    return field.removeprefix("merge_fields.")
