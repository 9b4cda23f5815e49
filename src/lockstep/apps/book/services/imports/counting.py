"""Adds up what an import did, or a dry run would do. The numbers account for every row once."""

from __future__ import annotations

from django.db import connection

from lockstep.apps.book.models import Import
from lockstep.apps.book.services.imports.errors import ImportRefused

MAX_NEW_LIST_VALUES = 1_000
MAX_NEW_TAGS = 10_000
MAX_WARNINGS = 100
ROWS_SHOWN = 5

_COUNTS = """
    SELECT
        (SELECT count(*) FROM import_row) + %(refused_early)s AS rows,
        (SELECT count(*) FROM import_contact WHERE contact_id IS NULL) AS new_contacts,
        (SELECT count(*) FROM import_contact_change) AS changed_contacts,
        (SELECT count(*) FROM import_contact WHERE contact_id IS NOT NULL) AS known_contacts,
        (SELECT count(*) FROM import_key WHERE has_contact AND row_no <> first_row) AS merged_rows,
        (SELECT count(*) FROM import_key WHERE NOT has_contact) AS client_rows,
        (SELECT count(*) FROM import_refused) + %(refused_early)s AS refused_rows,
        (SELECT count(*) FROM import_slot WHERE slot < 0) AS new_clients,
        (SELECT count(*) FROM import_client_change) AS changed_clients,
        (SELECT count(*) FROM import_contact WHERE NOT email_valid) AS without_email,
        (SELECT count(*) FROM import_contact WHERE contact_id IS NULL AND NOT email_valid)
            AS new_without_email,
        (SELECT count(*) FROM import_contact WHERE no_marketing OR carried) AS no_marketing,
        (SELECT count(DISTINCT (kind, key)) FROM import_tag WHERE tag_id IS NULL) AS new_tags,
        (SELECT count(*) FROM (
            SELECT 'status' AS kind, lower(status) AS name FROM import_slot
            UNION SELECT 'industry', lower(industry) FROM import_slot
            UNION SELECT 'department', lower(department) FROM import_contact) n
        WHERE n.name <> '' AND NOT EXISTS (SELECT FROM book_listvalue v
            WHERE v.company_id = %(company)s AND v.kind = n.kind AND lower(v.name) = n.name))
            AS new_list_values
"""


def count_rows(parent: Import, *, refused_early: int) -> dict[str, int]:
    """The numbers of a planned import, by name.

    rows = new_contacts + changed_contacts + unchanged_contacts + skipped_rows
    + merged_rows + client_rows + refused_rows. Merged rows are further rows of
    one and the same contact; client rows are about a client alone. Raises
    `ImportRefused` if so many new list values or tags were made that a column
    must be matched wrongly. `refused_early` rows never reached the staging table.
    """
    with connection.cursor() as cursor:
        cursor.execute(_COUNTS, {"company": parent.company_id, "refused_early": refused_early})
        names = [column.name for column in cursor.description]
        counts: dict[str, int] = dict(zip(names, cursor.fetchone(), strict=True))
    same = counts.pop("known_contacts") - counts["changed_contacts"]
    skipping = parent.on_match == Import.OnMatch.SKIP
    counts["unchanged_contacts"] = 0 if skipping else same
    counts["skipped_rows"] = same if skipping else 0
    if counts["new_list_values"] > MAX_NEW_LIST_VALUES:
        raise ImportRefused(
            f"The file would add {counts['new_list_values']:,} statuses, industries or departments."
            " One of these columns is probably matched wrongly."
        )
    if counts["new_tags"] > MAX_NEW_TAGS:
        raise ImportRefused(
            f"The file would add {counts['new_tags']:,} tags. A tags column is probably matched wrongly."
        )
    return counts


def collect_warnings() -> list[dict[str, object]]:
    """What to know about rows that were taken all the same: most frequent first, each with its first rows."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT w.text, count(*), (array_agg(w.row_no ORDER BY w.row_no))[1:%s]
            FROM import_warning w WHERE NOT EXISTS (SELECT FROM import_refused x WHERE x.row_no = w.row_no)
            GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT %s
            """,
            [ROWS_SHOWN, MAX_WARNINGS],
        )
        return [{"text": text, "count": count, "rows": rows} for text, count, rows in cursor.fetchall()]
