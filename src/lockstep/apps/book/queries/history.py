"""Who changed what (B6), newest first."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any

from lockstep.apps.accounts.permissions import Actor, Permission
from lockstep.apps.book.models import BulkChange, HistoryEntry
from lockstep.apps.book.queries.paging import Order, Page, keyset_page
from lockstep.apps.book.queries.rows import HistoryRow
from lockstep.apps.book.queries.scope import clients_of, contacts_of

_NEWEST_FIRST = Order("at", descending=True, kind=datetime.datetime)

FIELD_LABELS = {
    "name": "Name",
    "account_number": "Account number",
    "status": "Status",
    "industry": "Industry",
    "rep": "Client rep",
    "tags": "Tags",
    "website": "Website",
    "phone": "Phone",
    "notes": "Notes",
    "active": "Active",
    "external_id": "External id",
    "line1": "Address line 1",
    "line2": "Address line 2",
    "city": "City",
    "state": "State/Province",
    "postal_code": "Postal code",
    "country": "Country",
    "client": "Client",
    "first_name": "First name",
    "last_name": "Last name",
    "position": "Position",
    "email": "E-mail",
    "extension": "Extension",
    "cell": "Cell",
    "fax": "Fax",
    "department": "Department",
    "no_marketing": "No Marketing",
    "no_marketing_reason": "No Marketing reason",
    "contacts": "Contacts",
    "glyph": "Sign",
    "order": "Order",
    "role": "Role",
    "own_clients_only": "Limited to own clients",
    "time_zone": "Time zone",
    "default_country": "Country of new clients",
    "default_role": "Role of new users",
    "require_second_factor": "Second factor required",
    "new_status": "Status of new people",
    "nightly_audit": "Read the audience every night",
    "unsubscribe_sets_no_marketing": "Unsubscribed sets No Marketing",
    "run": "Run",
    "import": "Import",
    "tags_added": "Tags added",
    "tags_removed": "Tags taken off",
    "address_name": "Address name",
    "addresses": "Addresses",
    "other_addresses": "Further addresses",
    "merged": "Merged",
    "merged_into": "Merged into",
}


def history_page(
    actor: Actor, *, subject: str, subject_id: int, cursor: str | None = None, size: int = 30
) -> Page[HistoryRow]:
    """The history of one client, contact, …; empty where the actor may not see the subject.

    What was merged into it belongs to its history.
    """
    actor.require(Permission.VIEW_BOOK)
    subjects = [subject_id, *merged_ids(actor, subject, subject_id)]
    entries = HistoryEntry.objects.filter(
        company=actor.company, subject_kind=subject, subject_id__in=subjects
    ).select_related("user", "bulk")
    if actor.own_clients_only and not _may_see(actor, subject, subject_id):
        entries = entries.none()
    return keyset_page(
        entries,
        order=_NEWEST_FIRST,
        cursor=cursor,
        size=size,
        total=(entries.count(), True),
        shape=lambda found: [_row(entry) for entry in found],
    )


def merged_ids(actor: Actor, subject: str, subject_id: int) -> list[int]:
    """Ids of the clients (or contacts) that were merged into this one."""
    rows: Any = {"client": clients_of, "contact": contacts_of}.get(subject)
    if rows is None:
        return []
    return list(rows(actor, deleted=True).filter(merged_into_id=subject_id).values_list("pk", flat=True))


def _may_see(actor: Actor, subject: str, subject_id: int) -> bool:
    match subject:
        case "client":
            return clients_of(actor, deleted=None).filter(pk=subject_id).exists()
        case "contact":
            return contacts_of(actor, deleted=None).filter(pk=subject_id).exists()
        case _:
            return False


def undo_permission(entry: HistoryEntry) -> Permission:
    """Undoing a deletion, a restoration or an addition takes what deleting takes."""
    removes = {"deleted_at", "added"} & set(entry.before or {})
    return Permission.DELETE_BOOK if removes else Permission.EDIT_BOOK


def _row(entry: HistoryEntry) -> HistoryRow:
    return HistoryRow(
        at=entry.at,
        who=who_did(entry),
        action=entry.action,
        id=entry.pk,
        undoable=undo_permission(entry) if entry.before is not None and entry.after is not None else None,
        undone_at=entry.undone_at,
        bulk_id=entry.bulk_id,
        is_merge=entry.bulk is not None and entry.bulk.kind == BulkChange.Kind.MERGE,
        changes=changes_in_words(entry.changes),
    )


def who_did(entry: HistoryEntry) -> str:
    return entry.user.full_name if entry.user else "Lockstep"


def changes_in_words(changes: Mapping[str, object]) -> tuple[tuple[str, str, str], ...]:
    """Field, old, new; what was not a change but is worth telling has no old."""
    words = []
    for field, value in changes.items():
        old, new = value if isinstance(value, list) and len(value) == 2 else ("", str(value))
        words.append((FIELD_LABELS.get(field, field.replace("_", " ").capitalize()), old, new))
    return tuple(words)
