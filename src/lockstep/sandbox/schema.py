"""Checks request bodies the way Mailchimp's validator does, and complains in its words (contract, 4.5).

A body that does not fit is refused as a whole, whatever else is right about it: one wrong type in one of 500
batch items fails all 500 (contract, section 5; trap 23). Unknown keys are let through, as the service does.

    CALL = Obj({"email_address": STRING, "vip": BOOLEAN}, required=("email_address",))
    check(body, CALL)          # raises Problem
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from . import problems
from .clock import BadTime, parse_time
from .problems import FieldError

__all__ = [
    "BOOLEAN",
    "INTEGER",
    "MERGE_VALUES",
    "NUMBER",
    "STRING",
    "TIME",
    "AnyOf",
    "Anything",
    "Array",
    "Enum",
    "Map",
    "Obj",
    "Scalar",
    "Shape",
    "check",
    "errors_in",
]

JSON = Any


def _kind(value: JSON) -> str:
    """The word for a value's type as PHP's validator says it."""
    match value:
        case None:
            return "NULL"
        case bool():
            return "boolean"
        case int():
            return "integer"
        case float():
            return "number"
        case str():
            return "string"
        case list():
            return "array"
        case _:
            return "object"


class Shape:
    """What a value must look like; `errors` yields (field, message)."""

    name = "value"

    def errors(self, value: JSON, field: str) -> Iterator[FieldError]:
        """Complaints about `value`, which stands at `field`; nothing if it fits."""
        raise NotImplementedError

    def mismatch(self, value: JSON, field: str) -> Iterator[FieldError]:
        yield field, f"Schema describes {self.name}, {_kind(value)} found instead"


class Scalar(Shape):
    """string, boolean, integer or number. An integer is a number; a boolean is neither."""

    def __init__(self, name: str, *types: type) -> None:
        self.name = name
        self._types = types

    def errors(self, value: JSON, field: str) -> Iterator[FieldError]:
        fits = isinstance(value, self._types) and (not isinstance(value, bool) or bool in self._types)
        if not fits:
            yield from self.mismatch(value, field)


class Time(Scalar):
    """A string that is a time in one of the forms of contract 4.3, or empty."""

    def errors(self, value: JSON, field: str) -> Iterator[FieldError]:
        if not isinstance(value, str):
            yield from self.mismatch(value, field)
            return
        try:
            parse_time(value)
        except BadTime:
            # INFERRED wording: the refusal of a malformed time is not recorded.
            yield field, "Please enter a valid date and time."


class Enum(Shape):
    """One of some strings. The message differs inside a batch (contract, 4.5)."""

    name = "string"

    def __init__(self, *choices: str, in_batch: bool = False) -> None:
        self.choices = frozenset(choices)
        if in_batch:
            # The tail of the text is cut in the only recording of it.
            self._message = f"Data presented is not one of the accepted values: {', '.join(choices)}."
        else:
            self._message = "The value you selected is not a valid choice."

    def errors(self, value: JSON, field: str) -> Iterator[FieldError]:
        if not isinstance(value, str):
            yield from self.mismatch(value, field)
        elif value not in self.choices:
            yield field, self._message


class AnyOf(Shape):
    """A value of one of several types, or the famous "anyOf" message (contract, 3.2; trap 8)."""

    def __init__(self, *types: type) -> None:
        self._types = types

    def errors(self, value: JSON, field: str) -> Iterator[FieldError]:
        if isinstance(value, bool) or not isinstance(value, self._types):
            yield field, "Data did not match any of the schemas described in anyOf."


class Map(Shape):
    """An object with free keys. PHP's empty array for it is refused (contract, 4.5; trap 42)."""

    name = "object"

    def __init__(self, values: Shape) -> None:
        self._values = values

    def errors(self, value: JSON, field: str) -> Iterator[FieldError]:
        if not isinstance(value, dict):
            yield from self.mismatch(value, field)
            return
        for key, inner in value.items():
            yield from self._values.errors(inner, f"{field}.{key}" if field else key)


class Array(Shape):
    """A list of one shape, with an optional limit."""

    name = "array"

    def __init__(self, items: Shape, *, at_most: int | None = None) -> None:
        self._items = items
        self._at_most = at_most

    def errors(self, value: JSON, field: str) -> Iterator[FieldError]:
        if not isinstance(value, list):
            yield from self.mismatch(value, field)
            return
        if self._at_most is not None and len(value) > self._at_most:
            # INFERRED wording: the limits are described, the refusals are not recorded.
            yield field, f"Array must contain no more than {self._at_most} items, {len(value)} found."
            return
        for number, item in enumerate(value):
            yield from self._items.errors(item, f"{field}.item:{number}")


class Obj(Shape):
    """An object with known keys.

    `any_of` names keys of which one must be there; `nullable` lets null stand for "not sent" (the batch
    validator, contract section 5).
    """

    name = "object"

    def __init__(
        self,
        fields: Mapping[str, Shape],
        *,
        required: Iterable[str] = (),
        any_of: Iterable[str] = (),
        nullable: bool = False,
    ) -> None:
        self._fields = fields
        self._required = tuple(required)
        self._any_of = tuple(any_of)
        self._nullable = nullable

    def errors(self, value: JSON, field: str) -> Iterator[FieldError]:
        if not isinstance(value, dict):
            yield from self.mismatch(value, field)
            return
        if any(value.get(key) is None and (self._nullable or key not in value) for key in self._required):
            missing = [key for key in self._required if value.get(key) is None]
            yield field, f"Required fields were not provided: {', '.join(missing)}"
        if self._any_of and all(value.get(key) is None for key in self._any_of):
            # INFERRED: the newest description demands one of them, nobody published the refusal.
            yield field, f"Required fields were not provided: {' or '.join(self._any_of)}"
        for key, inner in value.items():
            shape = self._fields.get(key)
            if shape is None or (inner is None and self._nullable):
                continue
            yield from shape.errors(inner, f"{field}.{key}" if field else key)


class Anything(Shape):
    """Any value."""

    def errors(self, value: JSON, field: str) -> Iterator[FieldError]:
        return iter(())


STRING = Scalar("string", str)
BOOLEAN = Scalar("boolean", bool)
INTEGER = Scalar("integer", int)
NUMBER = Scalar("number", int, float)
TIME = Time("string", str)
MERGE_VALUES = Map(AnyOf(str, int, float, dict))


def errors_in(value: JSON, shape: Shape) -> tuple[FieldError, ...]:
    """All complaints about `value`."""
    return tuple(shape.errors(value, ""))


def check(value: JSON, shape: Shape) -> None:
    """Raise the 400 of contract 4.5 unless `value` fits."""
    if errors := errors_in(value, shape):
        raise problems.invalid_resource(*errors)
