"""The rows of the sync window's five tabs, and their CSV."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Q, QuerySet

from lockstep.apps.connections.models import Connection
from lockstep.apps.sync.models import MemberRecord
from lockstep.core.member import SyncState

SORTS = {
    "contact": ("contact_id",),
    "name": ("contact__last_name", "contact__first_name", "contact_id"),
    "client": ("contact__client__name", "contact_id"),
    "email": ("contact__email_key", "contact_id"),
    "synced": ("-synced_at", "contact_id"),
    "refused": ("-refused_at", "contact_id"),
}


@dataclass(frozen=True, slots=True)
class MemberRow:
    """One contact in one tab."""

    contact_id: int
    name: str
    email: str
    client_id: int
    client: str
    state: SyncState
    gone: bool
    refusal_kind: str
    refusal_text: str
    refusal_field: str
    synced_at: datetime | None
    refused_at: datetime | None
    no_marketing: bool


@dataclass(frozen=True, slots=True)
class MemberPage:
    """Rows `first` to `last` of `total`, counted from 1; `page` counts from 1 as well."""

    rows: list[MemberRow]
    total: int
    page: int
    size: int

    @property
    def first(self) -> int:
        return (self.page - 1) * self.size + 1 if self.rows else 0

    @property
    def last(self) -> int:
        return self.first + len(self.rows) - 1 if self.rows else 0

    @property
    def has_next(self) -> bool:
        return self.last < self.total


def members(
    connection: Connection,
    state: SyncState,
    *,
    search: str = "",
    sort: str = "contact",
    page: int = 1,
    size: int = 50,
    refusal_kind: str = "",
) -> MemberPage:
    """One page of a tab. An unknown `sort` is the default one; a page behind the end is empty."""
    records = _records(connection, state, search, refusal_kind)
    total = records.count()
    page = max(page, 1)
    rows = records.order_by(*SORTS.get(sort, SORTS["contact"]))[(page - 1) * size : page * size]
    return MemberPage([_row(values) for values in rows.values_list(*_COLUMNS)], total, page, size)


def every_member(connection: Connection, state: SyncState, *, search: str = "") -> Iterator[MemberRow]:
    """All rows of a tab, streamed for a CSV."""
    records = _records(connection, state, search, "").order_by("contact_id")
    for values in records.values_list(*_COLUMNS).iterator(chunk_size=2_000):
        yield _row(values)


_COLUMNS = (
    "contact_id",
    "contact__first_name",
    "contact__last_name",
    "contact__email",
    "contact__client_id",
    "contact__client__name",
    "state",
    "gone",
    "refusal_kind",
    "refusal_text",
    "refusal_field",
    "synced_at",
    "refused_at",
    "contact__no_marketing",
)


def _records(
    connection: Connection, state: SyncState, search: str, refusal_kind: str
) -> QuerySet[MemberRecord]:
    records = MemberRecord.objects.filter(connection=connection, state=state.value)
    if refusal_kind:
        records = records.filter(refusal_kind=refusal_kind)
    for word in search.split():
        records = records.filter(
            Q(contact__first_name__icontains=word)
            | Q(contact__last_name__icontains=word)
            | Q(contact__email__icontains=word)
            | Q(contact__client__name__icontains=word)
        )
    return records


def _row(values: tuple[Any, ...]) -> MemberRow:
    contact_id, first, last, email, client_id, client, state, *rest = values
    return MemberRow(contact_id, f"{first} {last}".strip(), email, client_id, client, SyncState(state), *rest)
