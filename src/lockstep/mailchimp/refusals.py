"""Why Mailchimp refused a member: decided by title, error code and field, by text only as a last resort.

Mailchimp writes its messages in the audience's language (contract 3.2, trap 5), so a text may help but must
never be needed. Every text this client looks at stands in `TEXT_RULES` and `DATACENTER_TEXT`, with samples
that the tests run through them. What no rule knows is `Reason.UNKNOWN`, and is to be shown as it came.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from lockstep.mailchimp.wire import BatchError, FieldProblem


class Reason(StrEnum):
    """Why a request about a member was refused."""

    MEMBER_EXISTS = "member_exists"
    COMPLIANCE = "compliance"  #: unsubscribed by the person, cleaned, or under review
    FORGOTTEN = "forgotten"  #: permanently deleted; only the sign-up form brings the person back
    INVALID_ADDRESS = "invalid_address"  #: no e-mail address
    FAKE_ADDRESS = "fake_address"  #: role address, known typo domain, reserved domain
    TOO_MANY_SIGNUPS = "too_many_signups"  #: goes away after hours or days
    MERGE_FIELDS = "merge_fields"  #: a value Mailchimp does not take, or a required one is missing
    RENAME_NOT_SUBSCRIBED = "rename_not_subscribed"  #: only subscribed members can change their address
    RENAME_TARGET_TAKEN = "rename_target_taken"  #: the new address is in the audience, maybe archived
    RENAME_REFUSED = "rename_refused"  #: the address cannot be changed, and the text is not one we know
    MALFORMED = "malformed"  #: the request's form is wrong: a type, an enumeration, a missing key
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class TextRule:
    """A text that Mailchimp was seen to send, and what it means."""

    reason: Reason
    pattern: re.Pattern[str]
    samples: tuple[str, ...]
    source: str  #: where in the contract the text was found


def _rule(reason: Reason, pattern: str, *samples: str, source: str) -> TextRule:
    return TextRule(reason, re.compile(pattern, re.IGNORECASE), samples, source)


TEXT_RULES: tuple[TextRule, ...] = (
    _rule(
        Reason.FORGOTTEN,
        r"was permanently deleted and cannot be re-?imported",
        "pat@example.com was permanently deleted and cannot be re-imported. "
        "The contact must re-subscribe to get back on the list.",
        source="4.5",
    ),
    _rule(
        Reason.COMPLIANCE,
        r"is in a compliance state",
        "pat@example.com is in a compliance state due to unsubscribe, bounce, or compliance review "
        "and cannot be subscribed.",
        source="4.5",
    ),
    _rule(
        Reason.TOO_MANY_SIGNUPS,
        r"has signed up to a lot of lists very recently|has too many recent signup requests",
        "pat@example.com has signed up to a lot of lists very recently; "
        "we're not allowing more signups for now",
        'Recipient "" has too many recent signup requests',
        source="4.5",
    ),
    _rule(
        Reason.FAKE_ADDRESS,
        r"looks fake or invalid",
        "pat@example.com looks fake or invalid, please enter a real email address.",
        source="4.5",
    ),
    _rule(
        Reason.INVALID_ADDRESS,
        r"please provide a valid email address",
        "Please provide a valid email address.",
        source="4.5",
    ),
    _rule(
        Reason.RENAME_NOT_SUBSCRIBED,
        r"you can only update email addresses for members with a status of",
        'This member\'s status is "unsubscribed." You can only update email addresses for members with a '
        'status of "subscribed."',
        source="4.6",
    ),
    _rule(
        Reason.RENAME_TARGET_TAKEN,
        r"is already in this list with a status of",
        '"new@example.com" is already in this list with a status of "Deleted"',
        '"new@example.com" is already in this list with a status of "Subscribed"',
        source="4.6",
    ),
    _rule(
        Reason.MEMBER_EXISTS,
        r"is already a list member",
        "pat@example.com is already a list member. Use PUT to insert or update list members.",
        "kim@example.com is already a list member, do you want to update? "
        "please provide update_existing:true in the request body",
        source="4.5, 5",
    ),
    _rule(
        Reason.MERGE_FIELDS,
        r"^your merge fields were invalid|^please enter a (value|number|complete address)"
        r"|^please enter (the date|a month)|^value must be one of:|^bitte gib einen wert ein",
        "Your merge fields were invalid.",
        "Please enter a value",
        "Please enter a number",
        "Please enter the date",
        "Please enter a month (01-12) and a day (01-31)",
        "Please enter a complete address",
        "Value must be one of: , value1, value2 (not 12)",
        "Bitte gib einen Wert ein.",
        source="3.2",
    ),
)

#: the datacenter a "Forbidden" of the wrong host names (contract 1.3: its title is not `Wrong Datacenter`)
DATACENTER_TEXT = re.compile(
    r"linked to (?:a different )?data ?cent(?:er|re)(?: '([a-z]{2,3}[0-9]{1,3})')?", re.I
)

#: problem titles, reduced to letters, that say why by themselves
_TITLES = {
    "memberexists": Reason.MEMBER_EXISTS,
    "memberincompliancestate": Reason.COMPLIANCE,
    "forgottenemailnotsubscribed": Reason.FORGOTTEN,
    "jsonparseerror": Reason.MALFORMED,
    "requestedfieldsinvalid": Reason.MALFORMED,
}
#: a merge tag as Mailchimp makes them (contract 3.3), or a path below `merge_fields`
_MERGE_FIELD = re.compile(r"(?:.*\.)?merge_fields(?:\..*)?|[A-Z][A-Z0-9_]{0,9}")
_ADDRESS_FIELDS = frozenset({"email address", "email_address", "email"})


def plain_title(title: str) -> str:
    """A title reduced to small letters: the glossary writes `MemberExists`, live answers `Member Exists`."""
    return "".join(c for c in title.casefold() if c.isalpha())


def reason_by_text(*texts: str) -> Reason:
    """What a text means if it is one we know, else UNKNOWN. The last resort, see the module's docstring."""
    for rule in TEXT_RULES:
        if any(rule.pattern.search(text) for text in texts):
            return rule.reason
    return Reason.UNKNOWN


def reason_of_problem(title: str, detail: str, errors: Sequence[FieldProblem]) -> Reason:
    """Why a single request was refused, from its problem document."""
    by_title = _TITLES.get(plain_title(title))
    if by_title is not None:
        return by_title
    fields = [e.field for e in errors]
    if any(_MERGE_FIELD.fullmatch(f) for f in fields):
        return Reason.MERGE_FIELDS
    by_text = reason_by_text(*(e.message for e in errors), detail)
    if by_text is not Reason.UNKNOWN:
        return by_text
    if "email address" in fields:
        # spelt with a space in the refusals of a changed address (contract 4.6)
        return Reason.RENAME_REFUSED
    if any(f in _ADDRESS_FIELDS for f in fields):
        return Reason.INVALID_ADDRESS
    if fields:
        return Reason.MALFORMED
    return Reason.UNKNOWN


def reason_of_item(item: BatchError) -> Reason:
    """Why one member of a batch was refused (contract 5: error code, then field, then text)."""
    if item.error_code == "ERROR_CONTACT_EXISTS":
        return Reason.MEMBER_EXISTS
    if _MERGE_FIELD.fullmatch(item.field):
        return Reason.MERGE_FIELDS
    by_text = reason_by_text(item.error, item.field_message)
    if by_text is not Reason.UNKNOWN:
        return by_text
    return Reason.INVALID_ADDRESS if item.field in _ADDRESS_FIELDS else Reason.UNKNOWN
