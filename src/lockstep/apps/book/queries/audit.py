"""The audit log: who changed which setting, and what people had the sync do (B6)."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from django.db.models import QuerySet

from lockstep.apps.accounts.permissions import Actor, Permission
from lockstep.apps.book.models import HistoryEntry
from lockstep.apps.book.queries.history import changes_in_words, who_did
from lockstep.apps.book.queries.paging import Order, Page, count_up_to, keyset_page
from lockstep.apps.book.queries.rows import AuditRow

_NEWEST_FIRST = Order("at", descending=True, kind=datetime.datetime)

SUBJECTS: Mapping[str, str] = {
    "company": "Company",
    "user": "User",
    "invitation": "Invitation",
    "role": "Role",
    "status": "Client status",
    "industry": "Industry",
    "department": "Department",
    "client_tag": "Client tag",
    "contact_tag": "Contact tag",
    "mailchimp_account": "Mailchimp account",
    "connection": "Mailchimp sync",
    "token": "API token",
}
"""What the audit log tells of, by the names that history keeps."""


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """What to show of the audit log; empty is everything. Days are whole days in the reader's zone."""

    subjects: tuple[str, ...] = ()
    user_ids: tuple[int, ...] = ()
    since: datetime.datetime | None = None
    until: datetime.datetime | None = None


def audit_page(
    actor: Actor, narrow: AuditFilter, *, cursor: str | None = None, size: int = 50
) -> Page[AuditRow]:
    """Who changed which setting, and what people had the sync do (B6), newest first; two queries.

    Clients and contacts have their own history, on their pages.
    """
    entries = _audit(actor, narrow)
    return keyset_page(
        entries,
        order=_NEWEST_FIRST,
        cursor=cursor,
        size=size,
        total=count_up_to(entries, 10_000),
        shape=lambda found: [_audit_row(entry) for entry in found],
    )


def audit_rows(actor: Actor, narrow: AuditFilter) -> Iterator[AuditRow]:
    """All of them, newest first, read little by little."""
    entries = _audit(actor, narrow).order_by("-at", "-id")
    return (_audit_row(entry) for entry in entries.iterator(chunk_size=1000))


def _audit(actor: Actor, narrow: AuditFilter) -> QuerySet[HistoryEntry]:
    actor.require(Permission.MANAGE_COMPANY)
    entries = HistoryEntry.objects.filter(company=actor.company).exclude(
        subject_kind__in=("client", "contact")
    )
    if narrow.subjects:
        entries = entries.filter(subject_kind__in=narrow.subjects)
    if narrow.user_ids:
        entries = entries.filter(user_id__in=narrow.user_ids)
    if narrow.since:
        entries = entries.filter(at__gte=narrow.since)
    if narrow.until:
        entries = entries.filter(at__lt=narrow.until)
    return entries.select_related("user")


def _audit_row(entry: HistoryEntry) -> AuditRow:
    return AuditRow(
        at=entry.at,
        who=who_did(entry),
        subject=SUBJECTS.get(entry.subject_kind, entry.subject_kind.replace("_", " ").capitalize()),
        label=entry.label,
        action=entry.action.replace("_", " "),
        changes=changes_in_words(entry.changes),
    )
