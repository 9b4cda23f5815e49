"""One contact's truth (L1, P4): state, why (not) in Mailchimp, and the field-by-field comparison."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import QuerySet

from lockstep.apps.book.models import Contact
from lockstep.apps.connections.models import Connection
from lockstep.apps.connections.preferences import Preferences
from lockstep.apps.sync.desired import read_desired
from lockstep.apps.sync.models import DuplicateChoice, MemberRecord, ObservedRecord, SyncEvent
from lockstep.apps.sync.queries.member_tags import compared_tags
from lockstep.core.field_map import FIELD_SPECS, FieldMap, is_cut
from lockstep.core.identity import subscriber_hash
from lockstep.core.member import DesiredMember, MemberStatus, Reason, SyncState


@dataclass(frozen=True, slots=True)
class FieldRow:
    """One audience field: the book's value, Mailchimp's, and whether they differ."""

    name: str
    label: str
    tag: str
    book: str
    mailchimp: str
    cut: bool
    """The book's value was too long for Mailchimp and stands there cut."""
    note: str = ""
    """What else there is to know of Mailchimp's side."""

    @property
    def differs(self) -> bool:
        return self.book != self.mailchimp


@dataclass(frozen=True, slots=True)
class ContactSync:
    """How one contact stands with one connection."""

    connection: Connection
    reason: Reason
    state: SyncState | None
    on: bool
    gone: bool
    status: MemberStatus | None
    """The marketing status at Mailchimp when last looked; None where there is no member."""
    refusal_kind: str
    refusal_text: str
    refusal_field: str
    first_synced_at: datetime | None
    synced_at: datetime | None
    observed_at: datetime | None
    rating: int
    web_id: int
    member_email: str
    fields: list[FieldRow]
    rival_id: int | None
    """The contact that is synced instead, where this one is a duplicate."""
    chosen: bool
    """A person chose this contact over others with its address."""
    events: list[SyncEvent]

    @property
    def differing(self) -> list[FieldRow]:
        return [row for row in self.fields if row.differs]


def contact_sync(contact: Contact, *, events: int = 8) -> ContactSync | None:
    """The contact and the company's connection (the one that is on, else the newest); None without one."""
    connections = Connection.objects.filter(
        company_id=contact.company_id, account__disconnected_at=None
    ).select_related("account")
    connection = (
        connections.exclude(mode=Connection.Mode.OFF).order_by("id").first()
        or connections.order_by("-id").first()
    )
    if connection is None:
        return None
    [wanted] = read_desired(
        contact.company_id,
        Preferences.from_json(connection.preferences),
        contact_ids=[contact.pk],
        tag_rule=connection.tag_rule,
    )
    record = MemberRecord.objects.filter(connection=connection, contact_id=contact.pk).first()
    observed = _observed(connection, wanted, record)
    choices = DuplicateChoice.objects.filter(company_id=contact.company_id, email_key=contact.email_key)
    return ContactSync(
        connection=connection,
        reason=wanted.reason,
        state=_state(connection, wanted, record),
        on=connection.on,
        gone=bool(record and record.gone),
        status=MemberStatus(observed.status) if observed and observed.status else None,
        refusal_kind=record.refusal_kind if record else "",
        refusal_text=record.refusal_text if record else "",
        refusal_field=record.refusal_field if record else "",
        first_synced_at=record.first_synced_at if record else None,
        synced_at=record.synced_at if record else None,
        observed_at=_last_seen(connection, observed) if observed else None,
        rating=observed.rating if observed else 0,
        web_id=observed.web_id if observed else 0,
        member_email=observed.email if observed else "",
        fields=_fields(connection, wanted, observed),
        rival_id=_rival(contact, connection) if wanted.reason is Reason.DUPLICATE else None,
        chosen=choices.filter(contact_id=contact.pk).exists(),
        events=list(
            SyncEvent.objects.filter(connection=connection, contact_id=contact.pk).order_by("-at")[:events]
        ),
    )


def _state(connection: Connection, wanted: DesiredMember, record: MemberRecord | None) -> SyncState | None:
    """The recorded state; a contact that fits and was not planned yet is pending while the sync is on."""
    if not wanted.fits or connection.mode == Connection.Mode.OFF:
        return None
    if record is None or not record.state:
        return SyncState.PENDING
    return SyncState(record.state)


def _observed(
    connection: Connection, wanted: DesiredMember, record: MemberRecord | None
) -> ObservedRecord | None:
    member = (record.member_hash if record else "") or (subscriber_hash(wanted.key) if wanted.key else "")
    if not member:
        return None
    return ObservedRecord.objects.filter(connection=connection, member_hash=member).exclude(status="").first()


def _fields(connection: Connection, wanted: DesiredMember, observed: ObservedRecord | None) -> list[FieldRow]:
    """Differences first, then in field order; empty where the contact neither fits nor has a member."""
    if not wanted.fits and observed is None:
        return []
    field_map = FieldMap(connection.prefix)
    blank = [""] * len(FIELD_SPECS)
    rows = [
        FieldRow(spec.name, label, tag, book, mailchimp, is_cut(book))
        for spec, label, tag, book, mailchimp in zip(
            FIELD_SPECS,
            field_map.labels,
            field_map.tags,
            wanted.values or blank,
            (observed.values if observed else None) or blank,
            strict=True,
        )
    ]
    rows += _tag_row(connection, wanted, observed)
    return sorted(rows, key=lambda row: not row.differs) if wanted.fits else rows


def _tag_row(
    connection: Connection, wanted: DesiredMember, observed: ObservedRecord | None
) -> list[FieldRow]:
    """The tags under our prefix as one row more, where they are switched on and the contact fits."""
    if wanted.tags is None:
        return []
    ours, others = (
        ([], [])
        if observed is None
        else compared_tags(connection, observed.member_hash, wanted.tags, observed.tags or [])
    )
    note = f"Put there in Mailchimp, and left alone: {', '.join(others)}" if others else ""
    prefix = connection.member_tag_prefix.strip()
    book = ", ".join(wanted.tags)
    return [FieldRow("member_tags", "Tags in Mailchimp", prefix, book, ", ".join(ours), False, note)]


def _rival(contact: Contact, connection: Connection) -> int | None:
    others = list(
        Contact.objects.filter(company_id=contact.company_id, email_key=contact.email_key)
        .exclude(pk=contact.pk)
        .values_list("pk", flat=True)
    )
    found = read_desired(
        contact.company_id, Preferences.from_json(connection.preferences), contact_ids=others
    )
    return next((other.contact_id for other in found if other.fits), None)


@dataclass(frozen=True, slots=True)
class ContactMark:
    """What the mark beside a name says."""

    state: SyncState | None
    reason: Reason | None


def marks_of(company_id: int, contact_ids: Sequence[int]) -> dict[int, ContactMark]:
    """For lists: how these contacts stand in the company's connection that is on. One query."""
    records = MemberRecord.objects.filter(
        connection__company_id=company_id,
        connection__mode=Connection.Mode.ON,
        contact_id__in=list(contact_ids),
    ).order_by("-connection_id")
    return {
        contact: ContactMark(SyncState(state) if state else None, Reason(reason))
        for contact, state, reason in records.values_list("contact_id", "state", "reason")
    }


def count_in_mailchimp(company_id: int, rows: QuerySet[Any], *, by: str) -> int:
    """How many contacts of a selection are synced with any audience; one query.

    `rows` gives ids, `by` says of what: “pk” of contacts, “client_id” of clients.
    """
    contacts = Contact.objects.filter(company_id=company_id, deleted_at=None, **{f"{by}__in": rows})
    synced = MemberRecord.objects.filter(
        company_id=company_id, state=SyncState.SYNCED, contact__in=contacts.values("pk")
    )
    return synced.values("contact_id").distinct().count()


def _last_seen(connection: Connection, observed: ObservedRecord) -> datetime:
    """A reading of the whole audience sees everybody, and writes down only who is not as known."""
    return max(filter(None, (observed.observed_at, connection.mirror_complete_at)))
