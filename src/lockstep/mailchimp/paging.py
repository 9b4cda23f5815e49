"""Walks a collection page by page over a list that may change meanwhile.

Stops on a page that is short, unless `total_items` says there is more: some collections undercount in
`total_items` (contract trap 24), so it never ends a walk; but a server that sends fewer rows than asked
for must not make the rest look absent either. The price is at most one empty page.

While somebody reads by offset, rows can leave the part already read, and all later ones move up: a
reader that goes on at the next offset would miss some (trap 40). So a walk can overlap: each page
begins a few rows before the end of the last one, and if none of those comes back, more rows left than
the overlap holds, and it steps back further.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, Sequence
from typing import TypeVar

Row = TypeVar("Row")


async def walk_pages(
    fetch: Callable[[int, int], Awaitable[tuple[Sequence[Row], int]]],
    *,
    page_size: int,
    overlap: int = 0,
    key: Callable[[Row], Hashable] | None = None,
    start: int = 0,
) -> AsyncIterator[list[Row]]:
    """Yields the rows page by page; never an empty page.

    `fetch(count, offset)` asks for one page. With `overlap` > 0 and a `key`, rows whose key was in the
    page before are not yielded again; one that changed its place may still come twice, and then the
    later one is the truth. `start` is the offset of the first page, for a walk that was broken off. Raises
    what `fetch` raises.
    """
    if not 0 <= overlap < page_size or (overlap and key is None):
        raise ValueError("an overlap is smaller than a page, and needs a key")
    identify: Callable[[Row], Hashable] = key or (lambda row: id(row))
    offset = start
    known: frozenset[Hashable] = frozenset()
    probing = False
    while True:
        rows, total = await fetch(page_size, offset)
        if known and offset and not probing and not any(map(known.__contains__, map(identify, rows))):
            # more rows than the overlap holds left the part already read: look further back
            offset = max(0, offset - page_size + overlap)
            continue
        fresh = [row for row in rows if identify(row) not in known] if known else list(rows)
        if fresh:
            yield fresh
        if overlap:
            known = frozenset(map(identify, rows))
        end = offset + len(rows)
        probing = len(rows) < page_size
        if not rows or (probing and total <= end):
            return
        offset = end if probing else end - overlap
