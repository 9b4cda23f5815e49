"""`fields` and `exclude_fields`: which parts of an answer the caller wants (contract, section 2, paging).

Paths name the keys of the answer: `members.email_address,total_items`. Both parameters together are an error;
an unknown path in `fields` is refused, an unknown one in `exclude_fields` is not.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from . import problems

__all__ = ["EVERYTHING", "Selection", "parse_selection"]

Tree = dict[str, "Tree"]


class Selection:
    """Which keys to keep, on every level."""

    __slots__ = ("_excluded", "_wanted")

    def __init__(self, wanted: Tree | None = None, excluded: Tree | None = None) -> None:
        self._wanted = wanted
        self._excluded = excluded or {}

    def keys(self, known: Iterable[str]) -> list[str]:
        """Those of `known` that are to be answered, in their order."""
        if self._wanted is not None:
            return [key for key in known if key in self._wanted]
        whole = {key for key, below in self._excluded.items() if not below}
        return [key for key in known if key not in whole] if whole else list(known)

    def within(self, key: str) -> Selection:
        """The selection one level down."""
        if self._wanted is not None:
            below = self._wanted.get(key)
            return Selection(below) if below else EVERYTHING
        below = self._excluded.get(key)
        return Selection(None, below) if below else EVERYTHING

    def wants(self, key: str) -> bool:
        """Is this key of the top level to be answered at all?"""
        return bool(self.keys((key,)))

    def check_known(self, known: Mapping[str, Iterable[str] | None]) -> None:
        """Refuse (422) what `fields` asks for and the answer never has.

        `known` maps each key of the answer to the keys below it, or to None where anything goes.
        """
        for key, below in (self._wanted or {}).items():
            if key not in known:
                raise problems.requested_fields_invalid()
            inner = known[key]
            if below and inner is not None and not below.keys() <= frozenset(inner):
                raise problems.requested_fields_invalid()

    def apply(self, document: Any) -> Any:
        """`document` without what is not wanted; lists are transparent."""
        if self is EVERYTHING:
            return document
        if isinstance(document, list):
            return [self.apply(item) for item in document]
        if not isinstance(document, dict):
            return document
        return {key: self.within(key).apply(document[key]) for key in self.keys(document)}


EVERYTHING = Selection()


@lru_cache(maxsize=256)
def parse_selection(fields: str | None, exclude_fields: str | None) -> Selection:
    """The selection that two query parameters describe; raises Problem if both are given."""
    if fields and exclude_fields:
        # INFERRED wording: that the two exclude each other is documented, the refusal is not.
        raise problems.invalid_resource(
            ("fields", "The fields and exclude_fields parameters cannot be used together.")
        )
    if fields:
        return Selection(_tree(fields))
    if exclude_fields:
        return Selection(None, _tree(exclude_fields))
    return EVERYTHING


def _tree(paths: str) -> Tree:
    root: Tree = {}
    for path in paths.split(","):
        node = root
        whole = [part for part in path.strip().split(".") if part]
        for part in whole:
            node = node.setdefault(part, {})
    return root
