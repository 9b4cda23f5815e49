"""Writes what was planned into the book: a handful of set-based statements in one transaction."""

from __future__ import annotations

import datetime
from typing import Any

from django.db import connection

from lockstep.apps.accounts.permissions import Actor
from lockstep.apps.book.services.imports.errors import ImportRefused
from lockstep.apps.book.services.imports.planning import (
    ADDRESS,
    CLIENT_TEXTS,
    CONTACT_TEXTS,
    active_value,
    client_value,
    contact_value,
    no_marketing_value,
    reference_value,
)
from lockstep.apps.book.services.raw import json_of_differing

_LIST_VALUES = """
    INSERT INTO book_listvalue (company_id, kind, name, position, glyph, retired)
        SELECT %(company)s, n.kind, n.name,
            coalesce(l.last, 0) + row_number() OVER (PARTITION BY n.kind ORDER BY n.row_no), '', false
        FROM (
            SELECT 'status' AS kind, min(status) AS name, min(row_no) AS row_no FROM import_slot
                WHERE status <> '' GROUP BY lower(status)
            UNION ALL SELECT 'industry', min(industry), min(row_no) FROM import_slot
                WHERE industry <> '' GROUP BY lower(industry)
            UNION ALL SELECT 'department', min(department), min(row_no) FROM import_contact
                WHERE department <> '' GROUP BY lower(department)
        ) n
        LEFT JOIN (SELECT kind, max(position) AS last FROM book_listvalue
            WHERE company_id = %(company)s GROUP BY 1) l USING (kind)
        WHERE NOT EXISTS (SELECT FROM book_listvalue v
            WHERE v.company_id = %(company)s AND v.kind = n.kind AND lower(v.name) = lower(n.name))
        ON CONFLICT DO NOTHING;
"""

_TAGS = """
    INSERT INTO book_tag (company_id, kind, name)
        SELECT %(company)s, kind, min(name) FROM import_tag WHERE tag_id IS NULL GROUP BY kind, key
        ON CONFLICT DO NOTHING;
    UPDATE import_tag i SET tag_id = t.id FROM book_tag t
        WHERE i.tag_id IS NULL AND t.company_id = %(company)s AND t.kind = i.kind AND lower(t.name) = i.key;
    CREATE TEMP TABLE import_tags AS
        SELECT kind, owner, array_agg(tag_id ORDER BY place) AS ids FROM import_tag GROUP BY 1, 2;
    ANALYZE import_tags;
"""


def _more_tags(held: str) -> str:
    """The tags held, and after them those of the file (`g.ids`) that are new."""
    return f"{held} || ARRAY(SELECT n.id FROM unnest(tg.ids) AS n(id) WHERE n.id <> ALL ({held}))"


def _value(kind: str, name: str) -> str:
    return (
        "(SELECT v.id FROM book_listvalue v WHERE v.company_id = %(company)s"
        f" AND v.kind = '{kind}' AND lower(v.name) = lower({name}))"
    )


_NEW_CLIENTS = f"""
    INSERT INTO book_client (company_id, name, {", ".join(CLIENT_TEXTS)}, external_id, status_id, industry_id,
            rep_id, tag_ids, notes, active, created_at, updated_at)
        SELECT %(company)s, s.name, {", ".join(f"s.{column}" for column in CLIENT_TEXTS)}, s.external_id,
            {_value("status", "s.status")}, {_value("industry", "s.industry")},
            CASE WHEN %(own_only)s THEN %(user)s::bigint ELSE s.rep_id END,
            coalesce(tg.ids, '{{}}'), '', true, %(now)s, %(now)s
        FROM import_slot s LEFT JOIN import_tags tg ON tg.kind = 'client' AND tg.owner = s.slot
        WHERE s.client_id IS NULL ORDER BY s.row_no
        ON CONFLICT DO NOTHING;
    UPDATE import_slot s SET client_id = c.id FROM book_client c
        WHERE s.client_id IS NULL AND c.company_id = %(company)s AND c.deleted_at IS NULL
            AND lower(c.name) = lower(s.name);
"""


def _changed_clients(on_match: str) -> str:
    texts = ", ".join(f"{column} = {client_value(column, on_match)}" for column in CLIENT_TEXTS)
    references = {
        "status_id": ("c.status_id", _value("status", "s.status")),
        "industry_id": ("c.industry_id", _value("industry", "s.industry")),
        "rep_id": ("c.rep_id", "CASE WHEN %(own_only)s THEN NULL ELSE s.rep_id END"),
    }
    ids = ", ".join(
        f"{column} = {reference_value(old, new, on_match, of_client=True)}"
        for column, (old, new) in references.items()
    )
    return f"""
    UPDATE book_client c SET {texts}, {ids}, external_id = coalesce(nullif(c.external_id, ''), s.external_id),
            tag_ids = {_more_tags("c.tag_ids")}, updated_at = %(now)s
        FROM import_client_change g JOIN import_slot s USING (slot)
        LEFT JOIN import_tags tg ON tg.kind = 'client' AND tg.owner = s.slot
        WHERE c.id = g.client_id;
    """


_ADDRESSES = f"""
    UPDATE book_clientaddress a
        SET name = s.address_name, {", ".join(f"{part} = s.{part}" for part in ADDRESS)}
        FROM import_slot s WHERE s.address_is_new AND a.client_id = s.client_id AND a.is_primary;
    INSERT INTO book_clientaddress (company_id, client_id, name, is_primary, {", ".join(ADDRESS)})
        SELECT %(company)s, s.client_id, s.address_name, true, {", ".join(f"s.{part}" for part in ADDRESS)}
        FROM import_slot s WHERE s.address_is_new AND NOT EXISTS (
            SELECT FROM book_clientaddress a WHERE a.client_id = s.client_id AND a.is_primary)
        ORDER BY s.row_no;
"""

# Which they are stays in the database: a million ids are no small matter to carry to and fro.
_NEW_CONTACTS = f"""
    CREATE TEMP TABLE import_new_contact (id bigint NOT NULL);
    WITH made AS (INSERT INTO book_contact (company_id, client_id, {", ".join((*CONTACT_TEXTS, *ADDRESS))},
            department_id, tag_ids, no_marketing, no_marketing_reason, no_marketing_at,
            active, created_at, updated_at)
        SELECT %(company)s, s.client_id,
            {", ".join(f"r.{column}" for column in (*CONTACT_TEXTS, *ADDRESS))}, d.id,
            coalesce(tg.ids, '{{}}'),
            r.no_marketing IS TRUE OR r.carried,
            CASE WHEN r.no_marketing THEN %(reason)s WHEN r.carried THEN %(carried)s ELSE '' END,
            CASE WHEN r.no_marketing OR r.carried THEN %(now)s::timestamptz END,
            coalesce(r.active, true), %(now)s, %(now)s
        FROM import_contact r JOIN import_slot s USING (slot)
        LEFT JOIN import_tags tg ON tg.kind = 'contact' AND tg.owner = r.row_no
        LEFT JOIN book_listvalue d ON d.company_id = %(company)s AND d.kind = 'department'
            AND r.department <> '' AND lower(d.name) = lower(r.department)
        WHERE r.contact_id IS NULL ORDER BY r.row_no
        RETURNING id)
    INSERT INTO import_new_contact SELECT id FROM made;
"""


def _changed_contacts(on_match: str, lift: bool) -> str:
    texts = ", ".join(f"{c} = {contact_value(c, on_match)}" for c in (*CONTACT_TEXTS, *ADDRESS))
    department = reference_value(
        "k.department_id", _value("department", "nullif(r.department, '')"), on_match, of_client=False
    )
    mark = no_marketing_value(on_match, lift)
    client = "s.client_id" if on_match == "overwrite" else "k.client_id"
    tags = "k.tag_ids" if on_match == "skip" else _more_tags("k.tag_ids")
    return f"""
    UPDATE book_contact k SET {texts}, department_id = {department}, client_id = {client}, tag_ids = {tags},
            no_marketing = {mark},
            no_marketing_reason = CASE WHEN NOT {mark} THEN '' WHEN k.no_marketing THEN k.no_marketing_reason
                ELSE %(reason)s END,
            no_marketing_at = CASE WHEN NOT {mark} THEN NULL ELSE coalesce(k.no_marketing_at, %(now)s) END,
            active = {active_value(on_match)}, updated_at = %(now)s
        FROM import_contact_change g JOIN import_contact r USING (row_no) JOIN import_slot s USING (slot)
        LEFT JOIN import_tags tg ON tg.kind = 'contact' AND tg.owner = r.row_no
        WHERE k.id = g.contact_id;
    """


#: Columns that an import may change, and what history keeps of them so that the import can be undone.
_CLIENT_COLUMNS = (*CLIENT_TEXTS, "external_id", "status_id", "industry_id", "rep_id", "tag_ids")
_CONTACT_COLUMNS = (
    *CONTACT_TEXTS,
    *ADDRESS,
    "client_id",
    "department_id",
    "tag_ids",
    "no_marketing",
    "no_marketing_reason",
    "no_marketing_at",
    "active",
)

_ADDRESS_LIST = f"""coalesce((SELECT jsonb_agg(jsonb_build_object(
        {", ".join(f"'{part}', a.{part}" for part in ("name", *ADDRESS))}) ORDER BY a.is_primary DESC, a.id)
    FROM book_clientaddress a WHERE a.client_id = c.id), '[]'::jsonb)"""

_BEFORE = f"""
    CREATE TEMP TABLE import_client_before AS
        SELECT c.id, {", ".join(f"c.{column}" for column in _CLIENT_COLUMNS)}, {_ADDRESS_LIST} AS addresses
        FROM import_client_change g JOIN book_client c ON c.id = g.client_id;
    CREATE TEMP TABLE import_contact_before AS
        SELECT k.id, {", ".join(f"k.{column}" for column in _CONTACT_COLUMNS)}
        FROM import_contact_change g JOIN book_contact k ON k.id = g.contact_id;
"""


def _both(columns: tuple[str, ...]) -> str:
    before, after = json_of_differing(columns, "o", "n"), json_of_differing(columns, "n", "o")
    return f"({before}) AS before, ({after}) AS after"


_HISTORY = f"""
    INSERT INTO book_historyentry (company_id, at, user_id, subject_kind, subject_id, action, changes,
            before, after, bulk_id)
        SELECT %(company)s, %(now)s, %(user)s::bigint, e.kind, e.id, e.action, e.changes || %(source)s::jsonb,
            e.before, e.after, %(bulk)s
        FROM (
            SELECT 'contact' AS kind, n.id, 'changed' AS action, g.changes,
                    {_both(_CONTACT_COLUMNS)}
                FROM import_contact_change g JOIN import_contact_before o ON o.id = g.contact_id
                JOIN book_contact n ON n.id = g.contact_id
            UNION ALL SELECT 'client', n.id, 'changed', g.changes, {_both((*_CLIENT_COLUMNS, "addresses"))}
                FROM import_client_change g JOIN import_client_before o ON o.id = g.client_id
                JOIN (SELECT c.*, {_ADDRESS_LIST} AS addresses FROM book_client c
                    JOIN import_client_change h ON h.client_id = c.id) n ON n.id = g.client_id
            UNION ALL SELECT 'client', client_id, 'imported', '{{}}', %(absent)s::jsonb, %(added)s::jsonb
                FROM import_slot WHERE slot < 0
            UNION ALL SELECT 'contact', id, 'imported', '{{}}', %(absent)s::jsonb, %(added)s::jsonb
                FROM import_new_contact
        ) e;
"""


def apply_plan(
    actor: Actor,
    *,
    on_match: str,
    lift_no_marketing: bool,
    filename: str,
    source: str,
    bulk_id: int,
    now: datetime.datetime,
) -> None:
    """Write the planned rows; the caller holds the transaction.

    `source` is JSON that each history entry carries along, `bulk_id` the change
    that undoing it takes back. Raises
    `ImportRefused` if somebody changed the book between matching and writing.
    """
    values: dict[str, Any] = {
        "company": actor.company.pk,
        "user": actor.user.pk if actor.user else None,
        "own_only": actor.own_clients_only,
        "now": now,
        "reason": f"Import of {filename}"[:300],
        "carried": "Carried over from a deleted contact with this address",
        "source": source,
        "bulk": bulk_id,
        "absent": '{"added": false}',
        "added": '{"added": true}',
    }
    with connection.cursor() as cursor:
        for step in (_BEFORE, _LIST_VALUES, _TAGS, _NEW_CLIENTS):
            cursor.execute(step, values)
        cursor.execute("SELECT count(*) FROM import_slot WHERE client_id IS NULL")
        (homeless,) = cursor.fetchone()
        if homeless:
            raise ImportRefused("The book was changed while the file was loaded. Load it again.")
        for step in (_changed_clients(on_match), _ADDRESSES):
            cursor.execute(step, values)
        for step in (_NEW_CONTACTS, _changed_contacts(on_match, lift_no_marketing), _HISTORY):
            cursor.execute(step, values)
