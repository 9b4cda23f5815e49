"""What to set back when a change is undone, and what to leave because somebody changed it since. Pure."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

#: Columns that only make sense together: one of them changed since, and all stay.
UNITS: tuple[frozenset[str], ...] = (
    frozenset({"no_marketing", "no_marketing_reason", "no_marketing_at"}),
    frozenset({"deleted_at", "merged_into_id"}),
)


@dataclass(frozen=True, slots=True)
class SettingBack:
    """`values` are to be written; `changed_since` are the columns that stay as somebody made them."""

    values: dict[str, Any] = field(default_factory=dict)
    changed_since: tuple[str, ...] = ()


def set_back(before: Mapping[str, Any], after: Mapping[str, Any], now: Mapping[str, Any]) -> SettingBack:
    """How to come from `now` back to `before`, where the change had led to `after`.

    A column is set back when it still holds what the change gave it. Tags are
    looked at one by one: those that the change added leave, those that it took
    off return, and what others added since stays. A column that holds the old
    value already needs nothing.
    """
    values: dict[str, Any] = {}
    since: set[str] = set()
    for column, old in before.items():
        new, current = after.get(column), now.get(column)
        if column == "tag_ids":
            tags = _tags_back(old or (), new or (), current or ())
            if tags != list(current or ()):
                values[column] = tags
        elif same(column, current, new):
            if not same(column, current, old):
                values[column] = old
        elif not same(column, current, old):
            since.add(column)
    for unit in UNITS:
        touched = {c for c in unit & before.keys() if not same(c, now.get(c), after.get(c))}
        if touched and unit & (values.keys() | since):
            since |= touched
            for column in unit:
                values.pop(column, None)
    return SettingBack(values, tuple(sorted(since)))


def _tags_back(old: Sequence[int], new: Sequence[int], current: Sequence[int]) -> list[int]:
    if list(current) == list(new):
        return list(old)
    kept = [tag for tag in current if tag in old or tag not in new]
    return kept + [tag for tag in old if tag not in new and tag not in kept]


def same(column: str, one: Any, other: Any) -> bool:
    """Whether a column holds the same; moments are compared as moments, however they are written."""
    if column.endswith("_at") and one and other:
        return datetime.datetime.fromisoformat(one) == datetime.datetime.fromisoformat(other)
    return bool(one == other)
