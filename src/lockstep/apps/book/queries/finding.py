"""Finds the page of a search: each index is asked for its own first rows, never for everything that fits.

Up to `COUNT_LIMIT` hits are gathered, counted and sorted as a whole. Of more, the
sorted list is walked a short way, since what is frequent is soon met; and where
the hits stand elsewhere (everybody of one last name, in a list by name), each
index sorts its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, TypeVar

from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import Model, Q, QuerySet
from django.db.models.expressions import RawSQL

from lockstep.apps.book.queries.paging import MAX_SIZE, Cursor, Order, position
from lockstep.apps.book.queries.search import Way

COUNT_LIMIT = 10_000
"""Results of a search are counted up to here: “more than 10,000” tells as much as a number one waits for."""

WALK = 2_000
"""Rows of the sorted list that are looked at before the indexes sort their hits."""

M = TypeVar("M", bound=Model)


def find_page(
    rows: QuerySet[M],
    scope: QuerySet[M],
    ways: Sequence[Way],
    *,
    order: Order,
    cursor: str | None,
    size: int,
    short: bool = False,
) -> tuple[list[int], tuple[int, bool]]:
    """The ids that `keyset_page` needs for this page, and how many rows fit (and whether that is all).

    `rows` are those that the filters leave, `scope` those that the actor sees,
    `ways` how a row may fit the search; `short`, where it probably fits many. One to three queries.
    """
    size = max(1, min(size, MAX_SIZE)) + 1
    here = position(cursor, order)
    backwards = here is not None and here.backwards
    down = order.descending != backwards
    beyond = f"({order.field}, id) {'<' if down else '>'} (%s, %s)" if here else "TRUE"
    start = [here.value, here.row_id] if here else []
    sort = f"ORDER BY {order.field}{' DESC' if down else ''}, id{' DESC' if down else ''} LIMIT {size}"

    walk = partial(_walk, rows, scope, ways, order=order, here=here, down=down, size=size)
    if short:
        ids, met = walk()
        if len(ids) == size:
            before = here.place if here else 0
            return ids, (max(met, before) if backwards else before + met, False)

    every = [part for way in ways if (part := _compiled(rows.filter(way.by_index), order)) is not None]
    if not every:
        return [], (0, True)
    gathered = ", ".join(
        f"b{n} AS MATERIALIZED ({sql} LIMIT {COUNT_LIMIT + 1})" for n, (sql, _) in enumerate(every)
    )
    union = " UNION ".join(f"SELECT * FROM b{n}" for n in range(len(every)))
    most = ", ".join(f"(SELECT count(*) FROM b{n})" for n in range(len(every)))
    [(ids, total, most_of_one)] = _fetch(
        f"""
        WITH {gathered}, hits AS MATERIALIZED ({union})
        SELECT ARRAY(SELECT id FROM hits WHERE {beyond} {sort}), (SELECT count(*) FROM hits), greatest({most})
        """,
        [*(value for _, values in every for value in values), *start],
    )
    if most_of_one <= COUNT_LIMIT:
        return ids, (total, True)
    count = (COUNT_LIMIT, False)
    if not short:
        ids, _ = walk()
        if len(ids) == size:
            return ids, count
    # OFFSET 0 keeps the planner from walking the sorted index once more, all of it.
    parts = " UNION ".join(f"(SELECT * FROM ({sql} OFFSET 0) h WHERE {beyond} {sort})" for sql, _ in every)
    found = _fetch(
        f"SELECT id FROM ({parts}) first_ones {sort}", [v for _, values in every for v in (*values, *start)]
    )
    return [pk for (pk,) in found], count


def _walk(
    rows: QuerySet[M],
    scope: QuerySet[M],
    ways: Sequence[Way],
    *,
    order: Order,
    here: Cursor | None,
    down: bool,
    size: int,
) -> tuple[list[int], int]:
    """The first hits among the next `WALK` rows of the sorted list, and how many hits these hold."""
    after = order.beyond(here.value, here.row_id, backwards=here.backwards) if here else Q()
    fitting = Q()
    for way in ways:
        fitting |= way.of_row
    walked = _compiled(scope.filter(after), order)
    met = _compiled(rows.filter(fitting, pk=RawSQL("w.id", [])), order)
    if walked is None or met is None:
        return [], 0
    way_down = " DESC" if down else ""
    found = _fetch(
        f"""
        SELECT w.id FROM (
            {walked[0]} ORDER BY {order.field}{way_down}, id{way_down} LIMIT {WALK}
        ) w CROSS JOIN LATERAL ({met[0]} LIMIT 1) fits
        ORDER BY w.{order.field}{way_down}, w.id{way_down}
        """,
        [*walked[1], *met[1]],
    )
    return [pk for (pk,) in found[:size]], len(found)


def _compiled(rows: QuerySet[M], order: Order) -> tuple[str, tuple[Any, ...]] | None:
    """SQL that gives (id, what is sorted by); None where no row can fit."""
    try:
        sql, values = rows.order_by().values_list("id", order.field).query.sql_with_params()
    except EmptyResultSet:
        return None
    return sql, values


def _fetch(sql: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return cursor.fetchall()
