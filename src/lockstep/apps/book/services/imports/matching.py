"""Finds out, set-based and without writing to the book, which client and which contact each staged row is.

**Clients** are known by external id, else by name in any case, else by account
number. Rows that share any of these make one client, so that a file that
spells a name in two ways under one account number is the same at the second
load as at the first.

**Contacts** are known by external id, else by e-mail address within the client,
else (rows without an address) by name within the client. Two people may share
a mailbox: where the file or the book has several contacts of one address, the
name decides between them; where there is one in each, the address is enough.
"""

from __future__ import annotations

from typing import Any

from django.db import connection

from lockstep.apps.accounts.permissions import Actor

MAX_NAMES_PER_ACCOUNT = 5
"""An account number beside more client names than this (“N/A”, a wrong column) tells nobody apart."""

_PAIRS = """
    CREATE TEMP TABLE import_pair AS
        SELECT min(row_no) AS grp, lower(client_name) AS client_key, account_number AS account,
            account_number AS account_key, client_external_id AS ext, NULL::bigint AS client_id
        FROM import_row GROUP BY 2, 3, 5;
    ANALYZE import_row, import_pair;
    UPDATE import_pair SET account_key = '' WHERE account IN (
        SELECT account FROM import_pair WHERE account <> '' AND client_key <> ''
        GROUP BY 1 HAVING count(DISTINCT client_key) > %(max_names)s);
    INSERT INTO import_warning SELECT 'The account number “' || p.account || '” stands beside more than '
            || %(max_names)s || ' client names, so it was not used to tell clients apart.', r.row_no
        FROM import_pair p JOIN import_row r ON r.account_number = p.account
            AND lower(r.client_name) = p.client_key AND r.client_external_id = p.ext
        WHERE p.account_key <> p.account;

    -- Who was merged into another is looked for by the old id still, and is the other one.
    UPDATE import_pair p SET client_id = coalesce(c.merged_into_id, c.id) FROM book_client c
        WHERE c.company_id = %(company)s AND p.ext <> '' AND c.external_id = p.ext;
    UPDATE import_pair p SET client_id = c.id FROM book_client c
        WHERE p.client_id IS NULL AND p.client_key <> '' AND c.company_id = %(company)s
            AND lower(c.name) = p.client_key AND c.deleted_at IS NULL;
    UPDATE import_pair p SET client_id = c.id
        FROM (SELECT account_number, min(id) AS id FROM book_client
            WHERE company_id = %(company)s AND deleted_at IS NULL AND account_number <> ''
            GROUP BY 1 HAVING count(*) = 1) c
        WHERE p.client_id IS NULL AND p.account_key <> '' AND c.account_number = p.account_key;
"""

# Rows that share a name, an account number or an external id fall into one group; the group is named by its
# first row. Repeated until nothing moves: chains are short.
_JOIN_GROUPS = tuple(
    f"""
    UPDATE import_pair p SET grp = m.grp
        FROM (SELECT {key}, min(grp) AS grp FROM import_pair WHERE {key} <> '' GROUP BY 1) m
        WHERE p.{key} = m.{key} AND p.grp > m.grp
    """
    for key in ("client_key", "account_key", "ext")
)
_MAX_ROUNDS = 50

_GROUP_CLIENTS = """
    UPDATE import_pair p SET client_id = g.client_id
        FROM (SELECT grp, min(client_id) AS client_id FROM import_pair
            WHERE client_id IS NOT NULL GROUP BY 1) g
        WHERE p.grp = g.grp AND p.client_id IS NULL;
"""

_REFUSE_CLIENTS = """
    WITH judged AS (
        SELECT p.*, CASE
            WHEN c.deleted_at IS NOT NULL THEN 'This client was deleted. Restore it first.'
            WHEN %(own_only)s AND c.rep_id IS DISTINCT FROM %(user)s AND c.id IS NOT NULL
                THEN 'You can''t change this client.'
            WHEN p.ext <> '' AND c.external_id NOT IN ('', p.ext) AND NOT EXISTS (
                    SELECT FROM book_client m WHERE m.merged_into_id = c.id AND m.external_id = p.ext)
                THEN 'The client has another external id in the book: “' || c.external_id || '”.'
            WHEN p.client_id IS NULL AND NOT EXISTS (
                    SELECT FROM import_pair n WHERE n.grp = p.grp AND n.client_key <> '')
                THEN 'The client''s name is missing, and no client has this account number or external id.'
            END AS reason
        FROM import_pair p LEFT JOIN book_client c ON c.id = p.client_id
    )
    INSERT INTO import_refused SELECT r.row_no, j.reason
        FROM judged j JOIN import_row r ON lower(r.client_name) = j.client_key
            AND r.account_number = j.account AND r.client_external_id = j.ext
        WHERE j.reason IS NOT NULL
        ON CONFLICT DO NOTHING;
"""

_KEYS = """
    CREATE TEMP TABLE import_key AS
        SELECT r.row_no, coalesce(p.client_id, -p.grp) AS slot, r.has_contact, r.external_id AS ext,
            lockstep_email_key(r.email) AS email_key,
            lower(btrim(r.first_name || ' ' || r.last_name)) AS name_key,
            NULL::bigint AS contact_id, NULL::text AS target, NULL::int AS first_row
        FROM import_row r JOIN import_pair p ON lower(r.client_name) = p.client_key
            AND r.account_number = p.account AND r.client_external_id = p.ext
        WHERE NOT EXISTS (SELECT FROM import_refused x WHERE x.row_no = r.row_no);
    ANALYZE import_key;
"""

_BY_EXTERNAL_ID = """
    UPDATE import_key r SET contact_id = coalesce(k.merged_into_id, k.id) FROM book_contact k
        WHERE k.company_id = %(company)s AND r.has_contact AND r.ext <> '' AND k.external_id = r.ext;
    -- The old id stays with who was merged away: nobody else can have it.
    UPDATE import_row w SET external_id = '' FROM import_key r JOIN book_contact k ON k.external_id = r.ext
        WHERE w.row_no = r.row_no AND r.ext <> '' AND k.company_id = %(company)s
            AND k.merged_into_id = r.contact_id;
    UPDATE import_row w SET client_external_id = '' FROM book_client m
        WHERE w.client_external_id <> '' AND m.company_id = %(company)s
            AND m.external_id = w.client_external_id AND m.merged_into_id IS NOT NULL;
    INSERT INTO import_refused
        SELECT r.row_no, CASE WHEN k.deleted_at IS NOT NULL THEN 'This contact was deleted. Restore it first.'
            ELSE 'You can''t change this contact.' END
        FROM import_key r JOIN book_contact k ON k.id = r.contact_id JOIN book_client c ON c.id = k.client_id
        WHERE k.deleted_at IS NOT NULL OR (%(own_only)s AND c.rep_id IS DISTINCT FROM %(user)s)
        ON CONFLICT DO NOTHING;
    INSERT INTO import_refused
        SELECT r.row_no, 'The contact has neither a name nor an e-mail address,'
            || ' and no contact has the external id “' || r.ext || '”.'
        FROM import_key r
        WHERE r.has_contact AND r.contact_id IS NULL AND r.name_key = '' AND r.email_key = ''
        ON CONFLICT DO NOTHING;
    DELETE FROM import_key r USING import_refused x WHERE x.row_no = r.row_no;
"""

# An address may be several people's. The same name wins, then a missing name on either side; another name is
# taken for a correction only where there is one contact and one name of that address.
_BY_EMAIL = """
    WITH in_file AS (
        SELECT slot, email_key, count(DISTINCT name_key) AS names FROM import_key
        WHERE has_contact AND email_key <> '' GROUP BY 1, 2
    ), found AS (
        SELECT r.row_no, k.id, f.names,
            lower(btrim(k.first_name || ' ' || k.last_name)) AS book_name, r.name_key,
            k.external_id <> '' AND r.ext <> '' AS other_person,
            count(*) OVER (PARTITION BY r.row_no) AS in_book
        FROM import_key r
        JOIN in_file f ON f.slot = r.slot AND f.email_key = r.email_key
        JOIN book_contact k ON k.company_id = %(company)s AND k.client_id = r.slot
            AND k.email_key = r.email_key AND k.deleted_at IS NULL
        WHERE r.has_contact AND r.contact_id IS NULL AND r.slot > 0 AND r.email_key <> ''
    ), best AS (
        SELECT DISTINCT ON (row_no) row_no, id FROM found
        WHERE NOT other_person
            AND (book_name = name_key OR name_key = '' OR book_name = '' OR (names = 1 AND in_book = 1))
        ORDER BY row_no, book_name = name_key DESC, id
    )
    UPDATE import_key r SET contact_id = b.id FROM best b WHERE b.row_no = r.row_no;
"""

_NAMESAKES = """
        SELECT DISTINCT ON (r.row_no) r.row_no, r.email_key, k.id
        FROM import_key r
        JOIN book_contact k ON k.company_id = %(company)s AND k.client_id = r.slot AND k.deleted_at IS NULL
            AND lower(btrim(k.first_name || ' ' || k.last_name)) = r.name_key
        WHERE r.has_contact AND r.contact_id IS NULL AND r.slot > 0 AND r.name_key <> ''
            AND NOT (k.external_id <> '' AND r.ext <> '')
"""

# A row without address is its namesake. A contact without address learns that of its namesake's row, unless
# the contact is another row's already; of several rows with different addresses the first one is it.
_BY_NAME = f"""
    WITH best AS ({_NAMESAKES} AND r.email_key = '' ORDER BY r.row_no, (k.email_key = '') DESC, k.id)
    UPDATE import_key r SET contact_id = b.id FROM best b WHERE b.row_no = r.row_no;
    WITH best AS ({_NAMESAKES} AND r.email_key <> '' AND k.email_key = ''
            AND NOT EXISTS (SELECT FROM import_key o WHERE o.contact_id = k.id)
        ORDER BY r.row_no, k.id
    ), winner AS (
        SELECT DISTINCT ON (id) id, email_key FROM best ORDER BY id, row_no
    )
    UPDATE import_key r SET contact_id = b.id FROM best b JOIN winner w USING (id, email_key)
        WHERE b.row_no = r.row_no;
"""

# One external id, one contact: rows that found the same contact under different ids are different people,
# and rows of one id are one person whichever of them was found.
_ONE_PER_EXTERNAL_ID = """
    UPDATE import_key r SET contact_id = NULL
        FROM (SELECT contact_id, (array_agg(ext ORDER BY row_no))[1] AS ext FROM import_key
            WHERE contact_id IS NOT NULL AND ext <> '' GROUP BY 1 HAVING count(DISTINCT ext) > 1) m
        WHERE r.contact_id = m.contact_id AND r.ext NOT IN ('', m.ext);
    UPDATE import_key r SET contact_id = m.contact_id
        FROM (SELECT ext, min(contact_id) AS contact_id FROM import_key
            WHERE contact_id IS NOT NULL AND ext <> '' GROUP BY 1) m
        WHERE r.has_contact AND r.ext = m.ext AND r.contact_id IS DISTINCT FROM m.contact_id;
"""

_TARGETS = """
    UPDATE import_key SET target = CASE
            WHEN contact_id IS NOT NULL THEN 'c' || contact_id
            WHEN ext <> '' THEN 'x' || ext
            WHEN email_key <> '' THEN 'e' || slot || ' ' || email_key || ' ' || name_key
            ELSE 'n' || slot || ' ' || name_key END
        WHERE has_contact;
    -- A row without a name is the first one of its address; one without external id joins one that has it.
    WITH named AS (
        SELECT DISTINCT ON (slot, email_key) slot, email_key, target FROM import_key
        WHERE has_contact AND email_key <> '' AND name_key <> '' ORDER BY slot, email_key, row_no
    )
    UPDATE import_key r SET target = n.target FROM named n
        WHERE r.contact_id IS NULL AND r.ext = '' AND r.has_contact AND r.name_key = ''
            AND n.slot = r.slot AND n.email_key = r.email_key;
    WITH known AS (
        SELECT DISTINCT ON (slot, email_key, name_key) slot, email_key, name_key, target FROM import_key
        WHERE has_contact AND ext <> '' ORDER BY slot, email_key, name_key, row_no
    )
    UPDATE import_key r SET target = n.target FROM known n
        WHERE r.contact_id IS NULL AND r.ext = '' AND r.has_contact
            AND n.slot = r.slot AND n.email_key = r.email_key AND n.name_key = r.name_key;
    UPDATE import_key q SET first_row = g.row_no
        FROM (SELECT target, min(row_no) AS row_no FROM import_key WHERE has_contact GROUP BY 1) g
        WHERE q.target = g.target;
    ANALYZE import_key;
"""


def match_rows(actor: Actor) -> None:
    """Fill `import_key` with the slot (client) and target (contact) of every row that is not refused.

    A slot is a client's id, or minus the number of the group of rows that make a new client.
    """
    values = {
        "company": actor.company.pk,
        "own_only": actor.own_clients_only,
        "user": actor.user.pk if actor.user else None,
        "max_names": MAX_NAMES_PER_ACCOUNT,
    }
    with connection.cursor() as cursor:
        cursor.execute(_PAIRS, values)
        for _round in range(_MAX_ROUNDS):
            if not _moved(cursor):
                break
        for step in (
            _GROUP_CLIENTS,
            _REFUSE_CLIENTS,
            _KEYS,
            _BY_EXTERNAL_ID,
            _BY_EMAIL,
            _BY_NAME,
            _ONE_PER_EXTERNAL_ID,
            _TARGETS,
        ):
            cursor.execute(step, values)


def _moved(cursor: Any) -> bool:
    moved = 0
    for step in _JOIN_GROUPS:
        cursor.execute(step)
        moved += cursor.rowcount
    return moved > 0
