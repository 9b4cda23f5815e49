"""The rows of the sync window's five tabs, and their CSV."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.db.models import DateTimeField, F, OuterRef, Q, QuerySet, Subquery, TextField, Value
from django.db.models.functions import Coalesce

from lockstep.apps.book.queries.paging import Order, Page, count_up_to, keyset_page
from lockstep.apps.connections.models import Connection
from lockstep.apps.sync.models import MemberRecord, ObservedRecord, OptOut
from lockstep.core.member import SyncState

LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
"""Stands for “never” where rows are put in an order."""

SORTS = {
    "name": Order("by_name"),
    "client": Order("by_client"),
    "email": Order("by_email"),
    "synced": Order("by_synced", descending=True, kind=datetime),
    "refused": Order("by_refused", descending=True, kind=datetime),
    "left": Order("by_left", descending=True, kind=datetime),
}
_EXPRESSIONS = {
    "by_name": F("contact__name_key"),
    "by_client": F("contact__client__name_key"),
    "by_email": F("contact__email_key"),
    "by_synced": Coalesce("synced_at", Value(LONG_AGO)),
    "by_refused": Coalesce("refused_at", Value(LONG_AGO)),
    "by_left": Coalesce("left_at", Value(LONG_AGO)),
}

COUNTED = 100_000
"""How far a search is counted."""


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
    uncertain: bool
    """A write was sent whose answer is not known yet."""
    status: str
    """Of who opted out, the marketing status at Mailchimp; '' in the other tabs, as what follows is."""
    left_at: datetime | None
    left_reason: str
    """manual or abuse, or '' where nobody told."""
    left_campaign: str
    """Mailchimp's id of the campaign after which it happened, or ''."""


def members(
    connection: Connection,
    state: SyncState,
    *,
    search: str = "",
    sort: str = "name",
    cursor: str | None = None,
    size: int = 50,
    refusal_kind: str = "",
    rep_id: int | None = None,
) -> Page[MemberRow]:
    """One page of a tab. An unknown `sort` is by name; `rep_id` narrows to that rep's clients."""
    records = records_in(connection, state, search=search, refusal_kind=refusal_kind, rep_id=rep_id)
    order = SORTS.get(sort, SORTS["name"])
    total = count_up_to(records, COUNTED) if search else (records.count(), True)
    return keyset_page(
        _with_leaving(records, state)
        .annotate(**{order.field: _EXPRESSIONS[order.field]})
        .select_related("contact__client"),
        order=order,
        cursor=cursor,
        size=size,
        total=total,
        shape=lambda found: [_of_record(record) for record in found],
    )


def every_member(
    connection: Connection,
    state: SyncState,
    *,
    search: str = "",
    refusal_kind: str = "",
    rep_id: int | None = None,
) -> Iterator[MemberRow]:
    """All rows of a tab, streamed for a CSV."""
    records = records_in(connection, state, search=search, refusal_kind=refusal_kind, rep_id=rep_id)
    records = _with_leaving(records, state).order_by("contact_id")
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
    "uncertain",
    "status",
    "left_at",
    "left_reason",
    "left_campaign",
)


def records_in(
    connection: Connection,
    state: SyncState,
    *,
    search: str = "",
    refusal_kind: str = "",
    rep_id: int | None = None,
) -> QuerySet[MemberRecord]:
    """The contacts of a tab, narrowed as the page is."""
    records = MemberRecord.objects.filter(connection=connection, state=state.value)
    if rep_id is not None:
        records = records.filter(contact__client__rep=rep_id)
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


def _with_leaving(records: QuerySet[MemberRecord], state: SyncState) -> QuerySet[MemberRecord]:
    """The columns about who opted out, filled in their tab only: elsewhere there is nothing to look up."""
    if state is not SyncState.UNSUBSCRIBED:
        nothing = Value("", output_field=TextField())
        never = Value(None, output_field=DateTimeField(null=True))
        return records.annotate(status=nothing, left_at=never, left_reason=nothing, left_campaign=nothing)
    member = {"connection": OuterRef("connection"), "member_hash": OuterRef("member_hash")}
    left = OptOut.objects.filter(**member)
    return records.annotate(
        status=Coalesce(Subquery(ObservedRecord.objects.filter(**member).values("status")[:1]), Value("")),
        left_at=Subquery(left.values("at")[:1]),
        left_reason=Coalesce(Subquery(left.values("reason")[:1]), Value("")),
        left_campaign=Coalesce(Subquery(left.values("campaign_id")[:1]), Value("")),
    )


def _row(values: tuple[Any, ...]) -> MemberRow:
    contact_id, first, last, email, client_id, client, state, *rest = values
    return MemberRow(contact_id, f"{first} {last}".strip(), email, client_id, client, SyncState(state), *rest)


def _of_record(record: Any) -> MemberRow:
    contact = record.contact
    return MemberRow(
        contact_id=contact.pk,
        name=f"{contact.first_name} {contact.last_name}".strip(),
        email=contact.email,
        client_id=contact.client_id,
        client=contact.client.name,
        state=SyncState(record.state),
        gone=record.gone,
        refusal_kind=record.refusal_kind,
        refusal_text=record.refusal_text,
        refusal_field=record.refusal_field,
        synced_at=record.synced_at,
        refused_at=record.refused_at,
        no_marketing=contact.no_marketing,
        uncertain=record.uncertain,
        status=record.status,
        left_at=record.left_at,
        left_reason=record.left_reason,
        left_campaign=record.left_campaign,
    )
