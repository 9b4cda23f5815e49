"""Counting with bits: which objects have which facet, as one long number a facet. Pure.

A *facet* is a kind and a value (“status”, “12”). A *sheet* holds, for each facet
that was asked for, a number whose bit at a place says whether the object at that
place has the facet. And, or, not and counting then take microseconds for a
million objects.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

Facet: TypeAlias = tuple[str, str]

BLOCK = 32_768
"""Ids in a block: object n stands in block n // BLOCK, at n % BLOCK."""

BLOCK_BYTES = BLOCK // 8

EVERYONE: Facet = ("all", "")
"""What every object has that is neither deleted nor belongs to something deleted."""


@dataclass(frozen=True, slots=True)
class Clause:
    """One condition: the object has one of the values (or, with `exclude`, none of them)."""

    kind: str
    values: tuple[str, ...]
    exclude: bool = False

    @classmethod
    def of(cls, kind: str, values: Iterable[object], *, exclude: bool = False) -> Clause:
        return cls(kind, tuple(str(value) for value in values), exclude)

    @property
    def facets(self) -> list[Facet]:
        return [(self.kind, value) for value in self.values]


@dataclass(slots=True)
class Sheet:
    """Facets over places. First come whole blocks of ids, then, one by one, what changed lately."""

    blocks: Sequence[int] = ()
    """Numbers of the blocks, in the order of their places."""
    loose: Sequence[int] = ()
    """Ids of the objects after the blocks."""
    bits: dict[Facet, int] = field(default_factory=dict)

    @property
    def everyone(self) -> int:
        return self.bits.get(EVERYONE, 0)

    def having(self, kind: str, values: Collection[str]) -> int:
        """Those with any of the values."""
        found = 0
        for value in values:
            found |= self.bits.get((kind, value), 0)
        return found & self.everyone

    def fitting(self, clauses: Iterable[Clause]) -> int:
        """Those for whom every clause holds; everyone where there is none."""
        found = self.everyone
        for clause in clauses:
            having = self.having(clause.kind, clause.values)
            found &= (self.everyone ^ having) if clause.exclude else having
        return found

    def ids(self, chosen: int) -> list[int]:
        """The ids of the objects at these places, in the order of the places."""
        found = []
        edge = len(self.blocks) * BLOCK
        for place in places(chosen):
            if place < edge:
                found.append(self.blocks[place // BLOCK] * BLOCK + place % BLOCK)
            else:
                found.append(self.loose[place - edge])
        return found

    def picker(self, chosen: int) -> Picker:
        """Tells of ids whether they are chosen."""
        return Picker(self, chosen)

    def chosen(self, ids: Iterable[int]) -> int:
        """The places of these ids, as bits; ids that stand nowhere are left out."""
        number_of = {block: number for number, block in enumerate(self.blocks)}
        edge = len(self.blocks) * BLOCK
        loose = {object_id: edge + place for place, object_id in enumerate(self.loose)}
        raw = bytearray((edge + len(self.loose)) // 8 + 1)
        for object_id in ids:
            place = loose.get(object_id)
            if place is None:
                number = number_of.get(object_id // BLOCK)
                if number is None:
                    continue
                place = number * BLOCK + object_id % BLOCK
            raw[place >> 3] |= 1 << (place & 7)
        return int.from_bytes(raw, "little")


class Picker:
    """Whether an id is among the chosen, quickly, for walking along a sorted list."""

    def __init__(self, sheet: Sheet, chosen: int) -> None:
        edge = len(sheet.blocks) * BLOCK
        self._number_of = {block: number for number, block in enumerate(sheet.blocks)}
        self._loose = {object_id: edge + place for place, object_id in enumerate(sheet.loose)}
        self._raw = chosen.to_bytes((edge + len(sheet.loose)) // 8 + 1, "little")

    def __contains__(self, object_id: int) -> bool:
        place = self._loose.get(object_id)
        if place is None:
            number = self._number_of.get(object_id // BLOCK)
            if number is None:
                return False
            place = number * BLOCK + object_id % BLOCK
        return bool(self._raw[place >> 3] & 1 << (place & 7))


def places(chosen: int) -> Iterator[int]:
    """The places whose bit is set, rising."""
    raw = chosen.to_bytes((chosen.bit_length() + 7) // 8, "little")
    for found in _NOT_EMPTY.finditer(raw):
        start = found.start() << 3
        for bit in _BITS[raw[found.start()]]:
            yield start + bit


_NOT_EMPTY = re.compile(b"[^\\x00]")
_BITS = tuple(tuple(bit for bit in range(8) if byte >> bit & 1) for byte in range(256))


def gather(objects: Iterable[tuple[int, Iterable[Facet]]], size: int) -> dict[Facet, bytes]:
    """From (place, facets) to the bits of each facet, `size` bytes each, the first place lowest."""
    found: dict[Facet, bytearray] = {}
    for place, facets in objects:
        byte, bit = place >> 3, 1 << (place & 7)
        for facet in facets:
            raw = found.get(facet)
            if raw is None:
                raw = found[facet] = bytearray(size)
            raw[byte] |= bit
    return {facet: bytes(raw) for facet, raw in found.items()}


def lay_out(
    blocks: Sequence[int],
    stored: Mapping[Facet, Mapping[int, bytes]],
    loose: Mapping[int, Sequence[Facet]],
    changed: Collection[int],
) -> Sheet:
    """A sheet from the stored bits, where the `changed` objects count as `loose` says they are now.

    `stored` maps a facet to the bits of its blocks. What is changed and not in
    `loose` is gone.
    """
    sheet = Sheet(tuple(blocks), tuple(loose))
    edge = len(blocks) * BLOCK
    untouched = ~sheet_of(blocks, changed)
    late = gather(((place, facets) for place, facets in enumerate(loose.values())), len(loose) // 8 + 1)
    none = bytes(BLOCK_BYTES)
    for facet in {*stored, *late}:
        of_blocks = stored.get(facet, {})
        early = int.from_bytes(b"".join(of_blocks.get(block, none) for block in blocks), "little")
        sheet.bits[facet] = early & untouched | int.from_bytes(late.get(facet, b""), "little") << edge
    return sheet


def sheet_of(blocks: Sequence[int], ids: Iterable[int]) -> int:
    """The places of these ids in these blocks."""
    return Sheet(tuple(blocks)).chosen(ids)
