"""Keyset paging: page one million is as quick as page one, and rows that come or go meanwhile shift nothing.

A cursor says after (or before) which row the page begins. It is opaque to
callers and safe to put into an address: whatever is wrong with it gives the
first page.
"""

from __future__ import annotations

import base64
import binascii
import datetime
import json
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from django.db.models import Model, Q, QuerySet

Row = TypeVar("Row")

DEFAULT_SIZE = 50
MAX_SIZE = 200


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """Some consecutive rows of a list.

    `next` and `previous` are cursors, None at the ends. `first` is the place
    of the first row in the whole list (1-based; 0 on an empty page), as counted
    while paging. `total` counts the whole list; where `total_is_exact` is
    false there are more than that.
    """

    rows: tuple[Row, ...]
    next: str | None
    previous: str | None
    total: int
    total_is_exact: bool = True
    first: int = 0

    @property
    def last(self) -> int:
        return self.first + len(self.rows) - 1 if self.rows else 0


@dataclass(frozen=True, slots=True)
class Order:
    """How a list is sorted: by `field` and then by id, both the same way.

    The field never holds null, and an index covers (company, field, id).
    """

    field: str
    descending: bool = False
    kind: type[str] | type[datetime.datetime] = str

    @property
    def order_by(self) -> tuple[str, str]:
        sign = "-" if self.descending else ""
        return f"{sign}{self.field}", f"{sign}id"

    def beyond(self, value: Any, row_id: int, *, backwards: bool) -> Q:
        """Rows after (backwards: before) the one given, put so that the index is entered at `value`."""
        way = "lt" if self.descending != backwards else "gt"
        return Q(**{f"{self.field}__{way}e": value}) & (
            Q(**{f"{self.field}__{way}": value}) | Q(**{f"id__{way}": row_id})
        )


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a page begins."""

    backwards: bool
    value: Any
    row_id: int
    place: int
    """Place in the list of the row that the cursor stands at."""


def _encode(cursor: Cursor) -> str:
    value = cursor.value.isoformat() if isinstance(cursor.value, datetime.datetime) else cursor.value
    text = json.dumps([int(cursor.backwards), value, cursor.row_id, cursor.place], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def position(text: str | None, order: Order) -> Cursor | None:
    """What a cursor says; None for none and for whatever is wrong with it."""
    if not text or len(text) > 4_000:
        return None
    try:
        raw = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        backwards, value, row_id, place = raw
        if not (isinstance(value, str) and isinstance(row_id, int) and isinstance(place, int)):
            return None
        if not 0 <= row_id < 2**63 or "\x00" in value or any("\ud800" <= c <= "\udfff" for c in value):
            return None
        if order.kind is datetime.datetime:
            moment = datetime.datetime.fromisoformat(value)
            return None if moment.tzinfo is None else Cursor(bool(backwards), moment, row_id, place)
    except (ValueError, TypeError, binascii.Error, RecursionError):
        return None
    return Cursor(bool(backwards), value, row_id, place)


M = TypeVar("M", bound=Model)


def keyset_page(
    rows: QuerySet[M],
    *,
    order: Order,
    cursor: str | None,
    size: int,
    total: tuple[int, bool],
    shape: Callable[[Sequence[M]], Sequence[Row]],
) -> Page[Row]:
    """The page of `rows` that `cursor` points at; one query.

    `shape` turns the models of the page into rows, all at once so that it can
    fetch what belongs to them in a constant number of queries. `total` is the
    count and whether it is exact.
    """
    size = max(1, min(size, MAX_SIZE))
    here = position(cursor, order)
    backwards = here is not None and here.backwards
    if here is not None:
        rows = rows.filter(order.beyond(here.value, here.row_id, backwards=backwards))
    ordered = rows.order_by(*order.order_by)
    found = list((ordered.reverse() if backwards else ordered)[: size + 1])
    more = len(found) > size
    found = found[:size]
    if backwards:
        found.reverse()

    if here is None:
        first = 1
    elif backwards:
        first = max(1, here.place - len(found))
    else:
        first = here.place + 1
    first = first if found else 0

    has_next = more if not backwards else True
    has_previous = more if backwards else here is not None
    return Page(
        rows=tuple(shape(found)),
        next=_at(found[-1], order, first + len(found) - 1, backwards=False) if found and has_next else None,
        previous=_at(found[0], order, first, backwards=True) if found and has_previous else None,
        total=total[0],
        total_is_exact=total[1],
        first=first,
    )


def _at(row: Model, order: Order, place: int, *, backwards: bool) -> str:
    return _encode(Cursor(backwards, getattr(row, order.field), row.pk, place))


def count_up_to(rows: QuerySet[M], limit: int) -> tuple[int, bool]:
    """How many rows there are, counting no further than `limit`, and whether that is all."""
    counted = rows.order_by().values("pk")[: limit + 1].count()
    return (counted, True) if counted <= limit else (limit, False)


def walk_ids(
    rows: QuerySet[M], *, order: Order, cursor: str | None, wanted: Container[int], size: int
) -> list[int]:
    """The ids of the rows that `keyset_page` needs for this page when only `wanted` rows count.

    Goes along the index of the order and asks `wanted` of each id; good where
    a fair part of the rows is wanted.
    """
    size = max(1, min(size, MAX_SIZE))
    here = position(cursor, order)
    backwards = here is not None and here.backwards
    step = 4 * size
    at = (here.value, here.row_id) if here is not None else None
    ordered = rows.order_by(*order.order_by)
    found: list[int] = []
    while True:
        narrowed = ordered if at is None else ordered.filter(order.beyond(*at, backwards=backwards))
        some = list((narrowed.reverse() if backwards else narrowed).values_list("pk", order.field)[:step])
        found += [pk for pk, _ in some if pk in wanted]
        if len(found) > size or len(some) < step:
            return found[: size + 1]
        pk, value = some[-1]
        at = (value, pk)
        step = min(step * 4, 20_000)
