"""Merge fields: their definitions, and which values they take (contract, section 3)."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass, field
from typing import Any

from .switches import Switches

__all__ = [
    "ADDRESS_PARTS",
    "TYPES",
    "BadValue",
    "MergeField",
    "MergeValue",
    "accept",
    "is_incomplete_address",
]

#: A value as it is stored and answered. An address is a tuple in the order of ADDRESS_PARTS.
MergeValue = str | int | float | tuple[str, ...]

TYPES = (
    "text", "number", "address", "phone", "date", "url", "imageurl", "radio", "dropdown", "birthday", "zip",
)  # fmt: skip
ADDRESS_PARTS = ("addr1", "addr2", "city", "state", "zip", "country")
_ADDRESS_REQUIRED = ("addr1", "city", "state", "zip")

#: The messages of `errors[].message` (contract, 3.2).
VALUE_MISSING = "Please enter a value"
NOT_A_NUMBER = "Please enter a number"
NOT_A_DATE = "Please enter the date"
NOT_A_BIRTHDAY = "Please enter a month (01-12) and a day (01-31)"
ADDRESS_INCOMPLETE = "Please enter a complete address"
# INFERRED: no recording shows these four.
NOT_A_URL = "Please enter a valid URL"
NOT_A_ZIP = "Please enter a valid zip code"
NOT_TEXT = "Please enter text"
TOO_LONG = "Please enter no more than {limit} characters"

_TEXT_BYTES = 255
_DEFAULT_COUNTRIES = {164: "US"}


class BadValue(ValueError):
    """A value that a merge field does not take; the message is Mailchimp's."""


@dataclass(slots=True)
class MergeField:
    """One field of an audience. `column` is where a member's values tuple holds it."""

    merge_id: int
    column: int
    tag: str
    name: str
    type: str
    required: bool = False
    default_value: str = ""
    public: bool = False
    display_order: int = 0
    options: dict[str, Any] = field(default_factory=dict)
    help_text: str = ""

    @property
    def choices(self) -> list[str]:
        """What a dropdown or a radio field offers."""
        return list(self.options.get("choices", ()))

    def described_options(self) -> dict[str, Any]:
        """`options` as answered: what belongs to the type (contract, 3.1)."""
        match self.type:
            case "text":
                return {"size": 25}
            case "address":
                return {"default_country": self.options.get("default_country", 164)}
            case "phone":
                return {"phone_format": self.options.get("phone_format", "none")}
            case "date":
                return {"date_format": self.options.get("date_format", "MM/DD/YYYY")}
            case "birthday":
                return {"date_format": self.options.get("date_format", "MM/DD")}
            case "dropdown" | "radio":
                return {"choices": self.choices}
            case _:
                return {}


def accept(field_: MergeField, value: Any, switches: Switches) -> MergeValue:
    """The value as Mailchimp will store it; raises BadValue with its message.

    `""` clears any field that is not required; whether a required one is missing is for the caller to judge,
    who knows what else the contact has.
    """
    if value == "":
        return ""
    match field_.type:
        case "number":
            return _number(value)
        case "address":
            return _address(field_, value)
        case "date":
            return _date(value)
        case "birthday":
            return _birthday(value)
        case "dropdown" | "radio":
            return _choice(field_, value)
        case "url" | "imageurl":
            text = _text(value)
            if not re.fullmatch(r"(?i)https?://[^\s/]+\S*", text):
                raise BadValue(NOT_A_URL)
            return text
        case "zip":
            text = _text(value)
            if not re.fullmatch(r"\d{5}(-\d{4})?", text):
                raise BadValue(NOT_A_ZIP)
            return text
        case _:
            return _sized(_text(value), switches)


def is_incomplete_address(value: MergeValue) -> bool:
    """A stored address that lacks a part blocks unrelated updates (contract, 3.2; trap 6)."""
    if not isinstance(value, tuple):
        return False
    parts = dict(zip(ADDRESS_PARTS, value, strict=True))
    return not all(parts[name] for name in _ADDRESS_REQUIRED)


def _text(value: Any) -> str:
    if isinstance(value, dict):
        raise BadValue(NOT_TEXT)
    return value if isinstance(value, str) else _plain(value)


def _plain(value: int | float) -> str:
    return str(int(value)) if float(value).is_integer() else str(value)


def _sized(text: str, switches: Switches) -> str:
    """255 bytes is what people believe; the limit and its refusal are not established (contract, 3.2)."""
    data = text.encode()
    if len(data) <= _TEXT_BYTES or switches.long_text == "keep":
        return text
    if switches.long_text == "truncate":
        return data[:_TEXT_BYTES].decode(errors="ignore")
    raise BadValue(TOO_LONG.format(limit=_TEXT_BYTES))


def _number(value: Any) -> int | float:
    if isinstance(value, dict):
        raise BadValue(NOT_A_NUMBER)
    try:
        number = float(value)
    except (ValueError, OverflowError) as error:
        raise BadValue(NOT_A_NUMBER) from error
    if number != number or number in (float("inf"), float("-inf")):
        raise BadValue(NOT_A_NUMBER)
    return int(number) if number.is_integer() else number


def _date(value: Any) -> str:
    if isinstance(value, str):
        for form in ("%Y-%m-%d", "%m/%d/%Y"):
            try:
                return dt.datetime.strptime(value.strip(), form).date().isoformat()  # noqa: DTZ007
            except ValueError:
                continue
    raise BadValue(NOT_A_DATE)


def _birthday(value: Any) -> str:
    found = re.fullmatch(r"(\d{1,2})/(\d{1,2})", value.strip()) if isinstance(value, str) else None
    if not found or not 1 <= int(found[1]) <= 12 or not 1 <= int(found[2]) <= 31:
        raise BadValue(NOT_A_BIRTHDAY)
    return f"{int(found[1]):02}/{int(found[2]):02}"


def _choice(field_: MergeField, value: Any) -> str:
    text = _text(value)
    if text in field_.choices:
        return text
    offered = ([] if field_.required else [""]) + field_.choices
    raise BadValue(f"Value must be one of: {', '.join(offered)} (not {text})")


def _address(field_: MergeField, value: Any) -> MergeValue:
    if not isinstance(value, dict) or not all(isinstance(part, str | int) for part in value.values()):
        raise BadValue(ADDRESS_INCOMPLETE)
    parts = {name: str(value.get(name, "")).strip() for name in ADDRESS_PARTS}
    if not any(parts.values()):
        return ""
    if not all(parts[name] for name in _ADDRESS_REQUIRED):
        raise BadValue(ADDRESS_INCOMPLETE)
    if not parts["country"]:
        number = field_.options.get("default_country", 164)
        parts["country"] = _DEFAULT_COUNTRIES.get(number, "US")
    return tuple(parts.values())
