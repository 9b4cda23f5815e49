"""The filters of a connection (S1): OR inside a kind, AND between kinds; an empty kind lets everyone in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

NONE_GIVEN = 0
"""Stands in a list of ids for “none given”: clients without a status, contacts without a department …"""

KINDS = ("status_ids", "industry_ids", "department_ids", "client_tag_ids", "contact_tag_ids")


@dataclass(frozen=True, slots=True)
class Preferences:
    status_ids: tuple[int, ...] = ()
    industry_ids: tuple[int, ...] = ()
    department_ids: tuple[int, ...] = ()
    client_tag_ids: tuple[int, ...] = ()
    contact_tag_ids: tuple[int, ...] = ()

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Preferences:
        """Read what `to_json` wrote; unknown keys are left out, ids sorted and unique."""
        return cls(**{kind: _ids(stored.get(kind, ())) for kind in KINDS})

    def to_json(self) -> dict[str, list[int]]:
        return {kind: list(ids) for kind, ids in asdict(self).items() if ids}

    @property
    def empty(self) -> bool:
        return not self.to_json()


def _ids(values: Iterable[Any]) -> tuple[int, ...]:
    return tuple(sorted({int(value) for value in values}))
