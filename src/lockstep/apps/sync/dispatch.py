"""From recorded changes of the book to marks on contacts, for every connection that keeps step."""

from __future__ import annotations

from django.db import connection as database

from lockstep.apps.connections.models import Connection

CHANGES_AT_ONCE = 20_000

_DISPATCH = """
WITH taken AS (
    DELETE FROM book_change WHERE id IN (
        SELECT id FROM book_change WHERE company_id = %(company)s
        ORDER BY id LIMIT %(limit)s FOR UPDATE SKIP LOCKED)
    RETURNING kind, object_id
), names AS (
    SELECT DISTINCT kind, object_id FROM taken
), clients AS (
    SELECT object_id AS id FROM names WHERE kind IN ('client', 'address')
    UNION
    SELECT cl.id FROM book_client cl JOIN names n
        ON n.kind = 'list_value' AND n.object_id IN (cl.status_id, cl.industry_id)
        WHERE cl.company_id = %(company)s
    UNION
    SELECT cl.id FROM book_client cl JOIN names n ON n.kind = 'rep' AND n.object_id = cl.rep_id
        WHERE cl.company_id = %(company)s
    UNION
    SELECT cl.id FROM book_client cl JOIN names n ON n.kind = 'tag' AND cl.tag_ids @> ARRAY[n.object_id]
        WHERE cl.company_id = %(company)s
), contacts AS (
    SELECT object_id AS id FROM names WHERE kind = 'contact'
    UNION
    SELECT ct.id FROM book_contact ct JOIN clients ON clients.id = ct.client_id
    UNION
    SELECT ct.id FROM book_contact ct JOIN names n ON n.kind = 'list_value' AND n.object_id = ct.department_id
        WHERE ct.company_id = %(company)s
    UNION
    SELECT ct.id FROM book_contact ct JOIN names n ON n.kind = 'tag' AND ct.tag_ids @> ARRAY[n.object_id]
        WHERE ct.company_id = %(company)s
), marked AS (
    INSERT INTO sync_mark (connection_id, contact_id, marked_at)
    SELECT cn.id, contacts.id, clock_timestamp()
    FROM contacts CROSS JOIN connections_connection cn
    WHERE cn.company_id = %(company)s AND cn.mode <> %(off)s
    RETURNING 1
)
SELECT (SELECT count(*) FROM taken), (SELECT count(*) FROM marked)
"""


def dispatch_changes(company_id: int) -> int:
    """Turn the company's recorded changes into marks; returns how many changes were taken.

    One statement, so that a change is either still recorded or already marked.
    Changes of transactions that commit later are taken the next time. With
    every connection off the changes are dropped: starting one looks at the
    whole book.
    """
    taken = 0
    while True:
        with database.cursor() as cursor:
            cursor.execute(
                _DISPATCH, {"company": company_id, "limit": CHANGES_AT_ONCE, "off": Connection.Mode.OFF.value}
            )
            changes, _ = cursor.fetchone()
        taken += changes
        if changes < CHANGES_AT_ONCE:
            return taken


_DROP = """
DELETE FROM book_change WHERE id IN (
    SELECT ch.id FROM book_change ch WHERE NOT EXISTS (
        SELECT FROM connections_connection cn WHERE cn.company_id = ch.company_id AND cn.mode <> %(off)s)
    LIMIT %(limit)s FOR UPDATE SKIP LOCKED)
"""


def drop_unheard() -> int:
    """Drop the changes of companies that keep no audience in step; how many there were.

    Nobody is woken for them, so they would wait, and grow in number, until a sync is started, which looks at
    the whole book in any case. What is dropped was committed before the start that it does not see yet:
    that start reads it from the book.
    """
    dropped = 0
    while True:
        with database.cursor() as cursor:
            cursor.execute(_DROP, {"off": Connection.Mode.OFF.value, "limit": CHANGES_AT_ONCE})
            now = cursor.rowcount
        dropped += now
        if now < CHANGES_AT_ONCE:
            return dropped
