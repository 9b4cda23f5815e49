"""Numbers kept in order, for pages deep into a million rows without sorting a million rows.

A list of blocks (the idea of B+ trees, one level deep): a million 64-bit keys take 8 MB, an insertion or a
removal touches one block, and a page at any offset skips whole blocks.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator

__all__ = ["OrderedKeys"]

_BLOCK = 2048


class OrderedKeys:
    """A sorted set of non-negative integers below 2**64."""

    __slots__ = ("_blocks", "_firsts", "_size")

    def __init__(self) -> None:
        self._blocks: list[array[int]] = []
        self._firsts: list[int] = []
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[int]:
        for block in self._blocks:
            yield from block

    def __contains__(self, key: int) -> bool:
        if not self._blocks:
            return False
        block = self._blocks[self._block_of(key)]
        at = bisect_left(block, key)
        return at < len(block) and block[at] == key

    def add(self, key: int) -> None:
        """Insert `key`; inserting it twice is an error of the caller and raises ValueError."""
        if not self._blocks:
            self._blocks.append(array("Q", (key,)))
            self._firsts.append(key)
            self._size = 1
            return
        number = self._block_of(key)
        block = self._blocks[number]
        at = bisect_left(block, key)
        if at < len(block) and block[at] == key:
            raise ValueError(f"{key} is in the index already")
        block.insert(at, key)
        self._firsts[number] = block[0]
        self._size += 1
        if len(block) > _BLOCK:
            # Appending is the common case: a full last block is left full rather than halved.
            cut = len(block) - 1 if number == len(self._blocks) - 1 and at == len(block) - 1 else _BLOCK // 2
            rest = block[cut:]
            del block[cut:]
            self._blocks.insert(number + 1, rest)
            self._firsts.insert(number + 1, rest[0])

    def remove(self, key: int) -> None:
        """Take `key` out; raises KeyError if it is not there."""
        if not self._blocks:
            raise KeyError(key)
        number = self._block_of(key)
        block = self._blocks[number]
        at = bisect_left(block, key)
        if at == len(block) or block[at] != key:
            raise KeyError(key)
        del block[at]
        self._size -= 1
        if block:
            self._firsts[number] = block[0]
        else:
            del self._blocks[number], self._firsts[number]

    def rank(self, key: int) -> int:
        """How many keys are smaller than `key`."""
        if not self._blocks:
            return 0
        number = self._block_of(key)
        return sum(map(len, self._blocks[:number])) + bisect_left(self._blocks[number], key)

    def slice(self, start: int, stop: int) -> list[int]:
        """The keys at positions `start` to `stop` (exclusive) in ascending order."""
        found: list[int] = []
        wanted = stop - start
        if wanted <= 0:
            return found
        for block in self._blocks:
            if start >= len(block):
                start -= len(block)
                continue
            found.extend(block[start : start + wanted - len(found)])
            start = 0
            if len(found) == wanted:
                break
        return found

    def _block_of(self, key: int) -> int:
        return max(bisect_right(self._firsts, key) - 1, 0)
