"""Works out what the matched rows would make of the book: new clients and contacts, and changes by field.

Still writes nothing to the book. A dry run ends after this; a real one goes on
with exactly these tables, so both give the same answers.
"""

from __future__ import annotations

from typing import Any

from django.db import connection

from lockstep.apps.accounts.permissions import Actor
from lockstep.apps.book.models import Import

OnMatch = Import.OnMatch

ADDRESS = ("line1", "line2", "city", "state", "postal_code", "country")
CONTACT_TEXTS = (
    "first_name",
    "last_name",
    "position",
    "email",
    "phone",
    "extension",
    "cell",
    "fax",
    "external_id",
)
CLIENT_TEXTS = {"account_number": "account_number", "phone": "company_phone", "website": "website"}
"""Column of the client → column of the file."""


def _first(column: str) -> str:
    """The first value that is not empty, in the order of the rows."""
    return f"coalesce((array_agg(r.{column} ORDER BY r.row_no) FILTER (WHERE r.{column} <> ''))[1], '')"


_HAS_ADDRESS = "(" + " || ".join(f"r.{part}" for part in ADDRESS) + ") <> ''"


def _same_address(one: str, other: str) -> str:
    return " AND ".join(f"lower({one}.{part}) = lower({other}.{part})" for part in ADDRESS)


_SLOTS = f"""
    CREATE TEMP TABLE import_slot AS
        SELECT q.slot, min(r.row_no) AS row_no, CASE WHEN q.slot > 0 THEN q.slot END AS client_id,
            {_first("client_name")} AS name, {_first("client_external_id")} AS external_id,
            {", ".join(f"{_first(source)} AS {column}" for column, source in CLIENT_TEXTS.items())},
            {_first("status")} AS status, {_first("industry")} AS industry,
            {_first("rep_email")} AS rep_email,
            min(r.row_no) FILTER (WHERE {_HAS_ADDRESS}) AS address_row,
            NULL::bigint AS rep_id
        FROM import_key q JOIN import_row r USING (row_no) GROUP BY q.slot;
    UPDATE import_slot s SET rep_id = u.id FROM accounts_user u JOIN accounts_seat t ON t.user_id = u.id
        WHERE t.company_id = %(company)s AND s.rep_email <> '' AND lower(u.email) = lower(s.rep_email);
    -- The client's primary address: the one in the book where it says anything, else the first of the file.
    ALTER TABLE import_slot ADD address_name text NOT NULL DEFAULT '',
        {", ".join(f"ADD {part} text NOT NULL DEFAULT ''" for part in ADDRESS)},
        ADD address_is_new boolean NOT NULL DEFAULT false;
    UPDATE import_slot s SET {", ".join(f"{part} = r.{part}" for part in ADDRESS)},
            address_name = r.address_name, address_is_new = true
        FROM import_row r WHERE r.row_no = s.address_row;
    UPDATE import_slot s SET {", ".join(f"{part} = r.{part}" for part in ADDRESS)}, address_is_new = false
        FROM book_clientaddress r WHERE r.client_id = s.client_id AND r.is_primary AND {_HAS_ADDRESS};
    CREATE UNIQUE INDEX ON import_slot (slot);
    ANALYZE import_slot;
"""

_REP_WARNINGS = """
    INSERT INTO import_warning
        SELECT 'No user has the e-mail address ' || r.rep_email
            || ': invite them, or the client has no rep.', r.row_no
        FROM import_row r JOIN import_key USING (row_no)
        WHERE r.rep_email <> '' AND NOT EXISTS (
            SELECT FROM accounts_user u JOIN accounts_seat t ON t.user_id = u.id
            WHERE t.company_id = %(company)s AND lower(u.email) = lower(r.rep_email));
"""

_PLAIN = ("slot", "contact_id", "row_no", *CONTACT_TEXTS, "department", "has_tags", "no_marketing", "active")

_CONTACTS = f"""
    CREATE TEMP TABLE import_contact AS
        WITH groups AS (
            SELECT first_row AS row_no, count(*) AS size FROM import_key WHERE has_contact GROUP BY 1
        ), singles AS (
            SELECT q.slot, q.contact_id, r.row_no, {", ".join(f"r.{column}" for column in CONTACT_TEXTS)},
                r.department, r.contact_tags <> '{{}}' AS has_tags, r.no_marketing, r.active,
                CASE WHEN {_HAS_ADDRESS} THEN r.row_no END AS address_row
            FROM groups g JOIN import_key q USING (row_no) JOIN import_row r USING (row_no) WHERE g.size = 1
        ), merged AS (
            SELECT (array_agg(q.slot ORDER BY r.row_no))[1] AS slot, min(q.contact_id) AS contact_id,
                min(r.row_no) AS row_no, {", ".join(f"{_first(c)} AS {c}" for c in CONTACT_TEXTS)},
                {_first("department")} AS department,
                bool_or(r.contact_tags <> '{{}}') AS has_tags, bool_or(r.no_marketing) AS no_marketing,
                (array_agg(r.active ORDER BY r.row_no) FILTER (WHERE r.active IS NOT NULL))[1] AS active,
                min(r.row_no) FILTER (WHERE {_HAS_ADDRESS}) AS address_row
            FROM groups g JOIN import_key q ON q.first_row = g.row_no JOIN import_row r ON r.row_no = q.row_no
            WHERE g.size > 1 GROUP BY q.first_row
        ), every AS (
            SELECT * FROM singles UNION ALL SELECT * FROM merged
        )
        SELECT e.{", e.".join(_PLAIN)}, a.row_no IS NOT NULL AS has_address,
            -- an address that is the client's own is not the contact's
            {
    ", ".join(
        f"CASE WHEN a.row_no IS NULL OR ({_same_address('a', 's')}) THEN '' ELSE a.{p} END AS {p}"
        for p in ADDRESS
    )
},
            lockstep_email_valid(e.email) AS email_valid, false AS carried
        FROM every e JOIN import_slot s USING (slot) LEFT JOIN import_row a ON a.row_no = e.address_row;
    CREATE UNIQUE INDEX ON import_contact (row_no);
    ANALYZE import_contact;
    -- Who was deleted with a No Marketing mark doesn't come back without it.
    UPDATE import_contact r SET carried = true
        FROM book_contact k
        WHERE r.contact_id IS NULL AND r.email <> '' AND r.no_marketing IS NOT TRUE
            AND k.company_id = %(company)s AND k.email_key = lockstep_email_key(r.email)
            AND k.deleted_at IS NOT NULL AND k.no_marketing;
    INSERT INTO import_warning
        SELECT 'A deleted contact with the same e-mail address was marked No Marketing:'
            || ' the mark was carried over.', row_no
        FROM import_contact WHERE carried;
    INSERT INTO import_warning
        SELECT 'The e-mail address can''t exist: the contact is in the book, but can''t be mailed.', row_no
        FROM import_contact WHERE email <> '' AND NOT email_valid;
"""

_TAGS = """
    CREATE TEMP TABLE import_tag AS
        SELECT 'contact' AS kind, q.first_row::bigint AS owner, lower(n.name) AS key, min(n.name) AS name,
                min(r.row_no::bigint * 1000 + n.place) AS place, NULL::bigint AS tag_id
            FROM import_key q JOIN import_row r USING (row_no),
                unnest(r.contact_tags) WITH ORDINALITY AS n(name, place)
            WHERE q.has_contact GROUP BY q.first_row, lower(n.name)
        UNION ALL
        SELECT 'client', q.slot, lower(n.name), min(n.name), min(r.row_no::bigint * 1000 + n.place), NULL
            FROM import_key q JOIN import_row r USING (row_no),
                unnest(r.client_tags) WITH ORDINALITY AS n(name, place)
            GROUP BY q.slot, lower(n.name);
    UPDATE import_tag i SET tag_id = t.id FROM book_tag t
        WHERE t.company_id = %(company)s AND t.kind = i.kind AND lower(t.name) = i.key;
    ANALYZE import_tag;
"""


def contact_value(column: str, on_match: str) -> str:
    """SQL of a contact's text after the import (`k` the contact, `r` the row)."""
    if column in ADDRESS:
        empty = "(" + " || ".join(f"k.{part}" for part in ADDRESS) + ") = ''"
        taken = {OnMatch.OVERWRITE: "r.has_address", OnMatch.FILL: f"r.has_address AND {empty}"}.get(
            OnMatch(on_match), "false"
        )
        return f"CASE WHEN {taken} THEN r.{column} ELSE k.{column} END"
    return _text(f"k.{column}", f"r.{column}", on_match)


def client_value(column: str, on_match: str) -> str:
    """SQL of a client's text after the import (`c` the client, `s` the slot); skipping fills empty ones."""
    return _text(f"c.{column}", f"s.{column}", _for_clients(on_match))


def reference_value(old: str, new: str, on_match: str, *, of_client: bool) -> str:
    """SQL of an id or name after the import, where empty is null."""
    match _for_clients(on_match) if of_client else OnMatch(on_match):
        case OnMatch.OVERWRITE:
            return f"coalesce({new}, {old})"
        case OnMatch.FILL:
            return f"coalesce({old}, {new})"
        case _:
            return old


def no_marketing_value(on_match: str, lift: bool) -> str:
    """SQL of the mark after the import: a “yes” always sets it, only an asked-for “no” lifts it (P1)."""
    lifted = " AND r.no_marketing IS DISTINCT FROM false" if lift and on_match == OnMatch.OVERWRITE else ""
    return f"(r.no_marketing IS TRUE OR (k.no_marketing{lifted}))"


def active_value(on_match: str) -> str:
    return "coalesce(r.active, k.active)" if on_match == OnMatch.OVERWRITE else "k.active"


def _text(old: str, new: str, on_match: str) -> str:
    match OnMatch(on_match):
        case OnMatch.OVERWRITE:
            return f"coalesce(nullif({new}, ''), {old})"
        case OnMatch.FILL:
            return f"coalesce(nullif({old}, ''), {new})"
        case _:
            return old


def _for_clients(on_match: str) -> OnMatch:
    return OnMatch.FILL if on_match == OnMatch.SKIP else OnMatch(on_match)


def _yes_no(sql: str) -> str:
    return f"CASE WHEN {sql} THEN 'yes' ELSE 'no' END"


def _tag_names(ids: str) -> str:
    """SQL of the names of tags, as history reads them; for a select list: only changed rows pay for it."""
    return (
        "(SELECT coalesce(string_agg(t.name, ', ' ORDER BY h.place), '')"
        f" FROM unnest({ids}) WITH ORDINALITY AS h(id, place) JOIN book_tag t ON t.id = h.id)"
    )


def _contact_changes(on_match: str, lift: bool) -> str:
    """Which matched contacts would change, and in which fields, as history tells it."""
    pairs = [
        (column, f"k.{column}", contact_value(column, on_match)) for column in (*CONTACT_TEXTS, *ADDRESS)
    ]
    new_department = "coalesce(nd.name, nullif(r.department, ''))"
    pairs += [
        (
            "department",
            "coalesce(od.name, '')",
            f"coalesce({reference_value('od.name', new_department, on_match, of_client=False)}, '')",
        ),
        ("no_marketing", _yes_no("k.no_marketing"), _yes_no(no_marketing_value(on_match, lift))),
        ("active", _yes_no("k.active"), _yes_no(active_value(on_match))),
    ]
    if on_match == OnMatch.OVERWRITE:
        pairs.append(("client", "oc.name", "coalesce(nc.name, s.name)"))
    held = _tag_names("k.tag_ids")
    tags = "coalesce(tg.added, '')" if on_match != OnMatch.SKIP else "''"
    old_values = ", ".join(old for _field, old, _new in pairs)
    new_values = ", ".join(new for _field, _old, new in pairs)
    listed = ", ".join(f"('{field}', {old}, {new})" for field, old, new in pairs)
    return f"""
        CREATE TEMP TABLE import_contact_change AS
            SELECT r.row_no, k.id AS contact_id,
                coalesce((SELECT jsonb_object_agg(v.field, jsonb_build_array(v.old, v.new))
                    FROM (VALUES {listed}) AS v(field, old, new) WHERE v.old IS DISTINCT FROM v.new), '{{}}')
                || CASE WHEN {tags} = '' THEN '{{}}'::jsonb ELSE jsonb_build_object('tags', jsonb_build_array(
                    {held}, concat_ws(', ', nullif({held}, ''), {tags}))) END AS changes
            FROM import_contact r
            JOIN book_contact k ON k.id = r.contact_id
            JOIN import_slot s ON s.slot = r.slot
            JOIN book_client oc ON oc.id = k.client_id
            LEFT JOIN book_client nc ON nc.id = s.client_id
            LEFT JOIN book_listvalue od ON od.id = k.department_id
            LEFT JOIN book_listvalue nd ON nd.company_id = %(company)s AND nd.kind = 'department'
                AND lower(nd.name) = lower(r.department)
            LEFT JOIN (SELECT i.owner, string_agg(i.name, ', ' ORDER BY i.place) AS added
                FROM import_tag i JOIN import_contact t ON t.row_no = i.owner
                JOIN book_contact h ON h.id = t.contact_id
                WHERE i.kind = 'contact' AND (i.tag_id IS NULL OR i.tag_id <> ALL (h.tag_ids))
                GROUP BY 1) tg ON tg.owner = r.row_no
            WHERE ({old_values}) IS DISTINCT FROM ({new_values}) OR {tags} <> '';
        ANALYZE import_contact_change;
    """


def _client_changes(on_match: str) -> str:
    """Which matched clients would change, and in which fields."""
    pairs = [(column, f"c.{column}", client_value(column, on_match)) for column in CLIENT_TEXTS]
    pairs.append(("external_id", "c.external_id", "coalesce(nullif(c.external_id, ''), s.external_id)"))
    for column in ("status", "industry"):
        after = reference_value(
            f"o{column}.name", f"coalesce(n{column}.name, nullif(s.{column}, ''))", on_match, of_client=True
        )
        pairs.append((column, f"coalesce(o{column}.name, '')", f"coalesce({after}, '')"))
    person = "coalesce(nullif(btrim({0}.first_name || ' ' || {0}.last_name), ''), {0}.email)"
    after = reference_value(person.format("ou"), person.format("nu"), on_match, of_client=True)
    pairs.append(("rep", f"coalesce({person.format('ou')}, '')", f"coalesce({after}, '')"))
    pairs += [
        (
            part,
            f"coalesce(a.{part}, '')",
            f"CASE WHEN s.address_is_new THEN s.{part} ELSE coalesce(a.{part}, '') END",
        )
        for part in ADDRESS
    ]
    lists = "".join(
        f"""
            LEFT JOIN book_listvalue o{column} ON o{column}.id = c.{column}_id
            LEFT JOIN book_listvalue n{column} ON n{column}.company_id = %(company)s
                AND n{column}.kind = '{column}' AND lower(n{column}.name) = lower(s.{column})"""
        for column in ("status", "industry")
    )
    held = _tag_names("c.tag_ids")
    old_values = ", ".join(old for _field, old, _new in pairs)
    new_values = ", ".join(new for _field, _old, new in pairs)
    listed = ", ".join(f"('{field}', {old}, {new})" for field, old, new in pairs)
    return f"""
        CREATE TEMP TABLE import_client_change AS
            SELECT s.slot, c.id AS client_id,
                coalesce((SELECT jsonb_object_agg(v.field, jsonb_build_array(v.old, v.new))
                    FROM (VALUES {listed}) AS v(field, old, new) WHERE v.old IS DISTINCT FROM v.new), '{{}}')
                || CASE WHEN tg.added IS NULL THEN '{{}}'::jsonb
                    ELSE jsonb_build_object('tags', jsonb_build_array({held},
                        concat_ws(', ', nullif({held}, ''), tg.added))) END AS changes
            FROM import_slot s
            JOIN book_client c ON c.id = s.client_id
            LEFT JOIN book_clientaddress a ON a.client_id = c.id AND a.is_primary
            LEFT JOIN accounts_user ou ON ou.id = c.rep_id
            LEFT JOIN accounts_user nu ON nu.id = s.rep_id
            {lists}
            LEFT JOIN (SELECT i.owner, string_agg(i.name, ', ' ORDER BY i.place) AS added
                FROM import_tag i JOIN book_client k ON k.id = i.owner
                WHERE i.kind = 'client' AND (i.tag_id IS NULL OR i.tag_id <> ALL (k.tag_ids))
                GROUP BY 1) tg ON tg.owner = s.slot
            WHERE ({old_values}) IS DISTINCT FROM ({new_values}) OR tg.added IS NOT NULL;
        ANALYZE import_client_change;
    """


def plan_changes(actor: Actor, *, on_match: str, lift_no_marketing: bool) -> None:
    """Fill the tables of what the import makes: slots, contacts, tags, and the changes of what exists."""
    values: dict[str, Any] = {"company": actor.company.pk}
    with connection.cursor() as cursor:
        for step in (
            _SLOTS,
            _REP_WARNINGS,
            _CONTACTS,
            _TAGS,
            _contact_changes(on_match, lift_no_marketing),
            _client_changes(on_match),
        ):
            cursor.execute(step, values)
