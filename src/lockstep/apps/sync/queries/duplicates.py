"""Addresses that several contacts share, and which of them is synced (S3)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db import connection as database

from lockstep.apps.connections.preferences import Preferences
from lockstep.apps.sync.eligibility import parameters, reason_sql
from lockstep.apps.sync.models import DuplicateChoice


@dataclass(frozen=True, slots=True)
class DuplicateContact:
    contact_id: int
    name: str
    client: str
    created_at: datetime
    synced: bool
    newest: bool


@dataclass(frozen=True, slots=True)
class DuplicateGroup:
    """One address and the contacts that would be synced if they did not share it; the synced one first."""

    email: str
    contacts: list[DuplicateContact]
    chosen: bool
    """A person chose; otherwise the newest is synced."""


def duplicates(
    company_id: int, preferences: Preferences, *, limit: int = 0
) -> tuple[int, list[DuplicateGroup]]:
    """How many contacts are left out as duplicates, and the first `limit` addresses (0: all)."""
    with database.cursor() as cursor:
        cursor.execute(
            f"""WITH judged AS (
                    SELECT ct.id, ct.first_name, ct.last_name, ct.email_key, ct.created_at, cl.name,
                        {reason_sql(preferences)} AS reason
                    FROM book_contact ct JOIN book_client cl ON cl.id = ct.client_id
                    WHERE ct.company_id = %(company)s AND ct.email_key IN (
                        SELECT email_key FROM book_contact
                        WHERE company_id = %(company)s AND email_key <> '' AND deleted_at IS NULL
                        GROUP BY email_key HAVING count(*) > 1)
                )
                SELECT email_key, id, first_name, last_name, name, created_at, reason = 'fits'
                FROM judged WHERE reason IN ('fits', 'duplicate')
                ORDER BY email_key, reason = 'fits' DESC, created_at DESC, id DESC""",
            parameters(company_id, preferences),
        )
        rows = cursor.fetchall()
    groups: dict[str, list[DuplicateContact]] = {}
    newest: dict[str, tuple[datetime, int]] = {}
    for email, pk, _, _, _, created, _ in rows:
        newest[email] = max(newest.get(email, (created, pk)), (created, pk))
    for email, pk, first, last, client, created, synced in rows:
        contact = DuplicateContact(
            pk, f"{first} {last}".strip(), client, created, synced, newest[email] == (created, pk)
        )
        groups.setdefault(email, []).append(contact)
    shared = {email: contacts for email, contacts in groups.items() if len(contacts) > 1}
    chosen = set(
        DuplicateChoice.objects.filter(company_id=company_id, email_key__in=list(shared)).values_list(
            "email_key", flat=True
        )
    )
    listed = [DuplicateGroup(email, contacts, email in chosen) for email, contacts in shared.items()]
    left_out = sum(len(contacts) - 1 for contacts in shared.values())
    return left_out, listed[:limit] if limit else listed
