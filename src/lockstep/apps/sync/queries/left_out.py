"""The contacts behind each number on the configure page (P4)."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import connection as database

from lockstep.apps.connections.preferences import Preferences
from lockstep.apps.sync.eligibility import parameters, reason_sql
from lockstep.core.member import Reason


@dataclass(frozen=True, slots=True)
class LeftOutRow:
    contact_id: int
    name: str
    client: str
    email: str


@dataclass(frozen=True, slots=True)
class LeftOutPage:
    """Some contacts with one reason, by id; `after` begins the next page, 0 where there is none."""

    rows: list[LeftOutRow]
    after: int


def left_out_page(
    company_id: int, preferences: Preferences, reason: Reason, *, after: int = 0, size: int = 100
) -> LeftOutPage:
    """Contacts with this reason under these filters, saved or not; `Reason.FITS` lists those that fit."""
    with database.cursor() as cursor:
        cursor.execute(
            f"""SELECT id, first_name, last_name, client, email FROM (
                    SELECT ct.id, ct.first_name, ct.last_name, cl.name AS client, ct.email,
                        {reason_sql(preferences)} AS reason
                    FROM book_contact ct JOIN book_client cl ON cl.id = ct.client_id
                    WHERE ct.company_id = %(company)s AND ct.id > %(after)s
                      AND ct.deleted_at IS NULL AND cl.deleted_at IS NULL) judged
                WHERE reason = %(reason)s ORDER BY id LIMIT %(limit)s""",
            parameters(company_id, preferences) | {"after": after, "reason": reason.value, "limit": size + 1},
        )
        found = cursor.fetchall()
    rows = [
        LeftOutRow(pk, f"{first} {last}".strip(), client, email)
        for pk, first, last, client, email in found[:size]
    ]
    return LeftOutPage(rows, rows[-1].contact_id if len(found) > size else 0)
