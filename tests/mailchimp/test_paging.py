"""Walking a collection that may change under the reader hides nobody."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockstep.mailchimp.paging import walk_pages


class Collection:
    """Rows that something happens to before each fetch."""

    def __init__(
        self,
        rows: Sequence[int],
        *,
        happens: Callable[[list[int], int], None] = lambda rows, fetch: None,
        total: Callable[[int], int] = lambda true: true,
        served: int = 10**9,
    ) -> None:
        self.rows = list(rows)
        self.asked: list[tuple[int, int]] = []
        self._happens = happens
        self._total = total
        self._served = served

    async def fetch(self, count: int, offset: int) -> tuple[Sequence[int], int]:
        self._happens(self.rows, len(self.asked))
        self.asked.append((count, offset))
        return self.rows[offset : offset + min(count, self._served)], self._total(len(self.rows))


async def walk(collection: Collection, page_size: int = 10, overlap: int = 0) -> list[int]:
    pages = walk_pages(collection.fetch, page_size=page_size, overlap=overlap, key=lambda row: row)
    return [row async for page in pages for row in page]


@pytest.mark.parametrize(
    ("size", "asked"),
    [
        (0, [0]),
        (9, [0]),
        (10, [0, 10]),
        (11, [0, 10]),
        (25, [0, 10, 20]),
    ],
)
async def test_it_stops_on_a_short_page(size: int, asked: list[int]) -> None:
    collection = Collection(range(size))

    assert await walk(collection) == list(range(size))
    assert [offset for _, offset in collection.asked] == asked


async def test_a_total_that_undercounts_ends_nothing() -> None:
    assert await walk(Collection(range(35), total=lambda true: 3)) == list(range(35))


async def test_a_total_that_overcounts_costs_one_empty_page() -> None:
    collection = Collection(range(35), total=lambda true: true + 500)

    assert await walk(collection) == list(range(35))
    assert [offset for _, offset in collection.asked] == [0, 10, 20, 30, 35]


@pytest.mark.parametrize("overlap", [0, 3])
async def test_a_server_that_serves_less_than_asked_for_hides_nothing(overlap: int) -> None:
    assert await walk(Collection(range(35), served=7), overlap=overlap) == list(range(35))


async def test_overlapping_rows_come_once() -> None:
    collection = Collection(range(30))

    assert await walk(collection, overlap=3) == list(range(30))
    assert [offset for _, offset in collection.asked] == [0, 7, 14, 21]


async def test_rows_that_move_up_are_not_missed() -> None:
    def leave(rows: list[int], fetch: int) -> None:
        if fetch == 1:
            del rows[0:3]

    assert await walk(Collection(range(30), happens=leave), overlap=0) != list(range(30))
    assert await walk(Collection(range(30), happens=leave), overlap=4) == list(range(30))


async def test_more_leave_than_the_overlap_holds() -> None:
    def leave(rows: list[int], fetch: int) -> None:
        if fetch == 3:
            del rows[0:15]

    collection = Collection(range(60), happens=leave)

    assert set(await walk(collection, overlap=3)) == set(range(60))


async def test_everybody_leaves() -> None:
    def leave(rows: list[int], fetch: int) -> None:
        if fetch == 2:
            rows.clear()

    assert await walk(Collection(range(60), happens=leave), overlap=3) == list(range(17))


async def test_an_overlap_needs_a_key_and_room() -> None:
    for arguments in ({"overlap": 10}, {"overlap": -1}):
        with pytest.raises(ValueError, match="overlap"):
            await walk(Collection([]), **arguments)
    with pytest.raises(ValueError, match="key"):
        async for _ in walk_pages(Collection([]).fetch, page_size=10, overlap=1):
            pass


@given(data=st.data(), size=st.integers(0, 80), overlap=st.integers(1, 9), overcount=st.integers(0, 20))
async def test_who_was_there_all_the_time_is_always_seen(
    data: st.DataObject, size: int, overlap: int, overcount: int
) -> None:
    """Members leave, or change and so move to the end, while the list is read in the order of change."""
    untouched = set(range(size))
    next_row = 1000
    moves_left = 40

    def happen(rows: list[int], fetch: int) -> None:
        nonlocal next_row, moves_left
        for _ in range(data.draw(st.integers(0, min(12, moves_left)), label="moves")):
            moves_left -= 1
            if not rows:
                return
            row = rows.pop(data.draw(st.integers(0, len(rows) - 1), label="who"))
            untouched.discard(row)
            if data.draw(st.booleans(), label="comes back at the end"):
                rows.append(next_row)
                next_row += 1

    collection = Collection(range(size), happens=happen, total=lambda true: true + overcount)

    seen = set(await walk(collection, overlap=overlap))

    assert untouched <= seen
    assert set(collection.rows) - seen <= set(range(1000, next_row)), (
        "only rows changed meanwhile may be missing"
    )
