"""Segment conditions: which members a saved segment holds (contract, section 10, table of conditions).

`compiled(options, surroundings)` turns the `options` of a segment into one test of a member. What
needs data that the sandbox does not have is said at its function.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from . import problems
from .audience import Audience
from .member import Member
from .merge_field import MergeValue
from .problems import FieldError

__all__ = ["Surroundings", "compiled", "condition_errors"]

JSON = Any
Test = Callable[[Member], bool]

_DAY = 86_400
_AIMS = {"open", "click", "sent", "noopen", "noclick", "nosent"}
_ANY_OF = "Data did not match any of the schemas described in anyOf."

#: condition_type -> (fields it takes, operators). None: a merge tag, checked against the audience.
KINDS: dict[str, tuple[tuple[str, ...] | None, tuple[str, ...]]] = {
    "TextMerge": (None, ("is", "not", "contains", "notcontain", "starts", "ends", "greater", "less", "blank",
                         "blank_not")),
    "SelectMerge": (None, ("is", "not", "contains", "notcontain", "blank", "blank_not")),
    "DateMerge": (None, ("is", "not", "less", "greater", "blank", "blank_not")),
    "BirthdayMerge": (None, ("is", "not", "blank", "blank_not")),
    "AddressMerge": (None, ("contains", "notcontain", "blank", "blank_not")),
    "ZipMerge": (None, ("geoin",)),
    "EmailAddress": (("merge0", "EMAIL"), ("is", "not", "contains", "notcontain", "starts", "ends", "greater",
                                           "less")),
    "StaticSegment": (("static_segment",), ("static_is", "static_not")),
    "Aim": (("aim",), tuple(sorted(_AIMS))),
    "Date": (("timestamp_opt", "info_changed", "ecomm_date"),
             ("greater", "less", "is", "not", "blank", "blank_not", "within", "notwithin")),
    "Interests": (None, ("interestcontains", "interestcontainsall", "interestnotcontains")),
    "EmailClient": (("email_client",), ("client_is", "client_not")),
    "Language": (("language",), ("is", "not")),
    "MemberRating": (("rating",), ("is", "not", "greater", "less")),
    "SignupSource": (("source",), ("source_is", "source_not")),
    "VIP": (("gmonkey",), ("member", "notmember")),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a condition may look at besides the member.

    `now` in seconds. `mailed(what, campaign)` gives the serials of members who were `sent`, `open`ed or
    `click`ed a campaign of this audience; `campaign` is an id or `any`. `sent_at(campaign)` is when a
    campaign went out, `last` being the newest; None if it did not.
    """

    audience: Audience
    now: int
    mailed: Callable[[str, str], Collection[int]]
    sent_at: Callable[[str], int | None]


def condition_errors(audience: Audience, options: JSON) -> tuple[FieldError, ...]:
    """What is wrong with the `options` of a segment, in Mailchimp's words; nothing if they fit."""
    errors: list[FieldError] = []
    if options.get("match", "all") not in ("any", "all"):
        errors.append(("options.match", "The value you selected is not a valid choice."))
    conditions = options.get("conditions", [])
    if not isinstance(conditions, list):
        return (*errors, ("options.conditions", "Schema describes array, object found instead"))
    for number, condition in enumerate(conditions):
        if not _fits(audience, condition):
            errors.append((f"options.conditions.item:{number}", _ANY_OF))
    return tuple(errors)


def _fits(audience: Audience, condition: JSON) -> bool:
    if not isinstance(condition, dict):
        return False
    kind = KINDS.get(str(condition.get("condition_type")))
    if kind is None or condition.get("op") not in kind[1]:
        return False
    name = str(condition.get("field", ""))
    if condition["condition_type"] == "Interests":
        category = name.partition("-")[2]
        return category in audience.interest_categories and isinstance(condition.get("value"), list)
    if kind[0] is not None:
        return name in kind[0]
    return _column(audience, name) is not None


def compiled(options: JSON, around: Surroundings) -> Test:
    """One test for all conditions together. Raises Problem for a condition that does not fit (any more)."""
    if errors := condition_errors(around.audience, options):
        raise problems.invalid_resource(*errors)
    tests = [_BUILDERS[condition["condition_type"]](condition, around) for condition in options["conditions"]]
    if not tests:
        return lambda member: True
    if options.get("match", "all") == "any":
        return lambda member: any(test(member) for test in tests)
    return lambda member: all(test(member) for test in tests)


# --- merge fields and addresses ---


def _column(audience: Audience, name: str) -> int | None:
    """The column of a merge tag; MMERGE<n> stands for the field with that id."""
    for tag, column in audience.columns:
        if tag == name:
            return column
    if name.startswith("MMERGE") and name[6:].isascii() and name[6:].isdigit():
        found = audience.merge_fields.get(int(name[6:]))
        return found.column if found else None
    return None


def _merge(condition: JSON, around: Surroundings) -> Test:
    column = _column(around.audience, condition["field"]) or 0
    compare = _comparison(condition["op"], condition.get("value", ""))
    return lambda m: compare(_text(m.values[column]) if column < len(m.values) else "")


def _date_merge(condition: JSON, around: Surroundings) -> Test:
    column = _column(around.audience, condition["field"]) or 0
    compare = _comparison(condition["op"], _day(str(condition.get("value", ""))))
    return lambda m: compare(_text(m.values[column]) if column < len(m.values) else "")


def _zip(condition: JSON, around: Surroundings) -> Test:
    """Who lives near a zip code."""
    # INFERRED: the sandbox has no map, so only the very same zip code lies within any number of miles.
    column = _column(around.audience, condition["field"]) or 0
    wanted = str(condition.get("extra", "")).strip()

    def test(member: Member) -> bool:
        value = member.values[column] if column < len(member.values) else ""
        return (value[4] if isinstance(value, tuple) else str(value)).strip() == wanted

    return test


def _email(condition: JSON, around: Surroundings) -> Test:
    compare = _comparison(condition["op"], condition.get("value", ""))
    return lambda member: compare(member.email.casefold())


def _text(value: MergeValue) -> str:
    return (" ".join(part for part in value if part) if isinstance(value, tuple) else str(value)).casefold()


def _comparison(op: str, wanted: JSON) -> Callable[[str], bool]:
    """`op` against the case-folded text of a value."""
    # INFERRED: texts are compared without regard to case.
    text = str(wanted).casefold()
    match op:
        case "is":
            return lambda have: _same(have, text)
        case "not":
            return lambda have: not _same(have, text)
        case "contains":
            return lambda have: text in have
        case "notcontain":
            return lambda have: text not in have
        case "starts":
            return lambda have: have.startswith(text)
        case "ends":
            return lambda have: have.endswith(text)
        case "greater":
            return lambda have: have != "" and _more(have, text)
        case "less":
            return lambda have: have != "" and _more(text, have)
        case "blank":
            return lambda have: have == ""
        case _:
            return lambda have: have != ""


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _same(one: str, other: str) -> bool:
    left, right = _number(one), _number(other)
    return one == other if left is None or right is None else left == right


def _more(one: str, other: str) -> bool:
    left, right = _number(one), _number(other)
    return one > other if left is None or right is None else left > right


def _day(text: str) -> str:
    """`YYYY-MM-DD` of a day given so or as `MM/DD/YYYY`; other text as it is."""
    for form in ("%m/%d/%Y", "%Y-%m-%d"):
        try:
            return dt.datetime.strptime(text, form).replace(tzinfo=dt.UTC).date().isoformat()
        except ValueError:
            continue
    return text


# --- everything else about a member ---


def _static(condition: JSON, around: Surroundings) -> Test:
    try:
        wanted = int(condition.get("value", 0))
    except (TypeError, ValueError):
        wanted = 0
    inside = condition["op"] == "static_is"
    return lambda member: any(tag_id == wanted for tag_id, _ in member.tags) is inside


def _aim(condition: JSON, around: Surroundings) -> Test:
    """Opens, clicks and deliveries; somebody who was not sent the campaign neither opened nor clicked it."""
    op = str(condition["op"])
    campaign = str(condition.get("value") or "any")
    who = around.mailed(op.removeprefix("no"), campaign)
    if not op.startswith("no"):
        return lambda member: member.serial in who
    return lambda member: member.serial not in who


def _date(condition: JSON, around: Surroundings) -> Test:
    """`value` is a day, `date` with the day in `extra`, `last` or `campaign` (then `extra` names it); with
    `within` a number of days. Orders do not exist here, so ecomm_date is blank for everybody."""
    name, op, value, extra = (str(condition.get(key, "")) for key in ("field", "op", "value", "extra"))

    def moment(member: Member) -> int | None:
        if name == "timestamp_opt":
            return member.timestamp_opt
        return member.last_changed if name == "info_changed" else None

    if op in ("blank", "blank_not"):
        return lambda member: (moment(member) is None) is (op == "blank")
    if op in ("within", "notwithin"):
        since = around.now - int(_number(value) or 0) * _DAY
        return lambda member: ((moment(member) or 0) > since) is (op == "within")
    if value in ("last", "campaign"):
        border = around.sent_at("last" if value == "last" else extra)
        if border is None:
            return lambda member: False
        return _ordered(moment, op, border, border)
    first = _day_start(_day(extra if value == "date" else value))
    if first is None:
        return lambda member: False
    return _ordered(moment, op, first, first + _DAY - 1)


def _ordered(moment: Callable[[Member], int | None], op: str, first: int, last: int) -> Test:
    def test(member: Member) -> bool:
        at = moment(member)
        match op:
            case "greater":
                return at is not None and at > last
            case "less":
                return at is not None and at < first
            case "is":
                return at is not None and first <= at <= last
            case _:
                return at is None or not first <= at <= last

    return test


def _day_start(day: str) -> int | None:
    try:
        return int(dt.datetime.fromisoformat(day).replace(tzinfo=dt.UTC).timestamp())
    except ValueError:
        return None


def _interests(condition: JSON, around: Surroundings) -> Test:
    wanted = {str(key) for key in condition["value"]}
    match condition["op"]:
        case "interestcontainsall":
            return lambda member: wanted <= member.interests
        case "interestnotcontains":
            return lambda member: not wanted & member.interests
        case _:
            return lambda member: bool(wanted & member.interests)


def _attribute(name: str, positive: str) -> Callable[[JSON, Surroundings], Test]:
    def build(condition: JSON, around: Surroundings) -> Test:
        wanted = str(condition.get("value", "")).casefold()
        same = condition["op"] == positive
        return lambda member: (str(getattr(member, name)).casefold() == wanted) is same

    return build


def _rating(condition: JSON, around: Surroundings) -> Test:
    compare = _comparison(condition["op"], condition.get("value", ""))
    return lambda member: compare(str(member.rating))


def _vip(condition: JSON, around: Surroundings) -> Test:
    wanted = condition["op"] == "member"
    return lambda member: member.vip is wanted


_BUILDERS: dict[str, Callable[[JSON, Surroundings], Test]] = {
    "TextMerge": _merge,
    "SelectMerge": _merge,
    "DateMerge": _date_merge,
    "BirthdayMerge": _merge,
    "AddressMerge": _merge,
    "ZipMerge": _zip,
    "EmailAddress": _email,
    "StaticSegment": _static,
    "Aim": _aim,
    "Date": _date,
    "Interests": _interests,
    "EmailClient": _attribute("email_client", "client_is"),
    "Language": _attribute("language", "is"),
    "MemberRating": _rating,
    "SignupSource": _attribute("source", "source_is"),
    "VIP": _vip,
}
