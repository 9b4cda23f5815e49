"""The observed tree in the database: what pages, looks, webhooks and our own writes told of members."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import msgspec
from django.db import connection as database
from django.utils import timezone

from lockstep.apps.connections.models import Connection
from lockstep.apps.sync.desired import contact_urls
from lockstep.apps.sync.models import ObservedRecord
from lockstep.apps.sync.rows import execute_rows
from lockstep.core import field_map
from lockstep.core.identity import SubscriberHash, address_key, subscriber_hash
from lockstep.core.member import ObservedMember

_COLUMNS = [
    ("member_hash", "text"),
    ("email", "text"),
    ("status", "text"),
    ("values", "text"),
    ("contact_key", "text"),
    ("web_id", "bigint"),
    ("rating", "smallint"),
    ("last_changed", "text"),
    ("tags", "text"),
]


@dataclass(frozen=True, slots=True)
class Seen:
    """A member that is not as it was known, by what its owner is found by."""

    key: str
    contact_key: str


_UPSERT = """
WITH moved AS (
    DELETE FROM sync_observedrecord o USING n
    WHERE o.connection_id = %(connection)s AND n.contact_key <> '' AND o.contact_key = n.contact_key
      AND o.member_hash <> n.member_hash AND n.status <> ''
    RETURNING o.email, o.contact_key, o.member_hash
), followed AS (
    UPDATE sync_writtentag w SET member_hash = n.member_hash FROM n JOIN moved USING (contact_key)
    WHERE w.connection_id = %(connection)s AND w.member_hash = moved.member_hash
), before AS (
    SELECT o.member_hash, o.email, o.status, o.values, o.tags FROM sync_observedrecord o
    WHERE o.connection_id = %(connection)s AND o.member_hash IN (SELECT n.member_hash FROM n)
), written AS (
    INSERT INTO sync_observedrecord AS o (connection_id, member_hash, email, status, values, contact_key,
        web_id, rating, last_changed, tags, observed_at)
    SELECT %(connection)s, n.member_hash, n.email, n.status, n.values::jsonb, n.contact_key, n.web_id,
        n.rating, n.last_changed, n.tags::jsonb, %(now)s
    FROM n
    ON CONFLICT (connection_id, member_hash) DO UPDATE SET
        email = CASE WHEN excluded.email <> '' THEN excluded.email ELSE o.email END,
        status = excluded.status, values = excluded.values,
        contact_key = CASE WHEN excluded.contact_key <> '' THEN excluded.contact_key ELSE o.contact_key END,
        web_id = CASE WHEN excluded.web_id <> 0 THEN excluded.web_id ELSE o.web_id END,
        rating = CASE WHEN excluded.rating <> 0 THEN excluded.rating ELSE o.rating END,
        last_changed = CASE WHEN excluded.last_changed <> '' THEN excluded.last_changed
            ELSE o.last_changed END,
        tags = coalesce(excluded.tags, o.tags),
        observed_at = excluded.observed_at
    RETURNING o.member_hash, o.email, o.status, o.values, o.contact_key, o.tags
)
SELECT lower(btrim(email)), contact_key FROM moved
UNION ALL
SELECT lower(btrim(coalesce(nullif(w.email, ''), b.email, ''))), w.contact_key
FROM written w LEFT JOIN before b USING (member_hash)
WHERE (b.status, b.values, b.email, b.tags) IS DISTINCT FROM (w.status, w.values, w.email, w.tags)
"""


def write(connection_id: int, members: Sequence[ObservedMember]) -> list[Seen]:
    """Put what was observed into the mirror; returns the members that are new or not as they were known."""
    return _write(connection_id, {member.hash: _row(member) for member in members}.values())


def _row(member: ObservedMember) -> tuple[object, ...]:
    return (
        member.hash,
        member.email,
        member.status.value,
        msgspec.json.encode(member.values).decode(),
        member.contact_key,
        member.web_id,
        member.rating,
        member.last_changed,
        None if member.tags is None else msgspec.json.encode(member.tags).decode(),
    )


def write_absent(connection_id: int, members: Sequence[SubscriberHash]) -> list[Seen]:
    """These were looked for and are not there; returns those that were known to be there."""
    return _write(connection_id, [(member, "", "", "[]", "", 0, 0, "", "[]") for member in members])


def _write(connection_id: int, rows: Iterable[tuple[object, ...]]) -> list[Seen]:
    extra = {"connection": connection_id, "now": timezone.now()}
    return [Seen(*row) for row in execute_rows(_UPSERT, _COLUMNS, list(rows), extra)]


# --- reading the whole audience ---------------------------------------------------------------

# Whom a reading has met is noted in a table of the database session: what it met lasts no longer than the
# reading does, and most rows of the mirror need not be touched at all.
_MET = """
WITH met AS (
    INSERT INTO sync_audit_met SELECT member_hash FROM n ON CONFLICT DO NOTHING
)
SELECT n.member_hash FROM n LEFT JOIN sync_observedrecord o
    ON o.connection_id = %(connection)s AND o.member_hash = n.member_hash
WHERE o.member_hash IS NULL OR (o.email, o.status, o.values) IS DISTINCT FROM
        (coalesce(nullif(n.email, ''), o.email), n.status, n.values::jsonb)
    OR (o.contact_key, o.web_id, o.rating, o.last_changed, o.tags) IS DISTINCT FROM (
        coalesce(nullif(n.contact_key, ''), o.contact_key), coalesce(nullif(n.web_id, 0), o.web_id),
        coalesce(nullif(n.rating, 0), o.rating), coalesce(nullif(n.last_changed, ''), o.last_changed),
        coalesce(n.tags::jsonb, o.tags))
"""


def begin_audit(connection_id: int) -> None:
    """A reading of the whole audience begins, in this database session: `write_met` is its part."""
    with database.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE IF NOT EXISTS sync_audit_met (member_hash text PRIMARY KEY)")
        cursor.execute("TRUNCATE sync_audit_met")
    Connection.objects.filter(pk=connection_id).update(audit_began_at=timezone.now())


def write_met(connection_id: int, members: Sequence[ObservedMember]) -> list[Seen]:
    """As `write`, for a page of the reading: rows that are right already are left alone."""
    rows = {member.hash: _row(member) for member in members}
    news = execute_rows(_MET, _COLUMNS, list(rows.values()), {"connection": connection_id})
    return _write(connection_id, [rows[member] for (member,) in news])


def finish_audit(connection: Connection) -> int:
    """The reading came to its end: members that it did not meet are not there. Returns how many are.

    What was written or looked at while the reading went on may have been passed by, and stays.
    """
    with database.cursor() as cursor:
        cursor.execute("ANALYZE sync_audit_met")
        cursor.execute(
            """DELETE FROM sync_observedrecord o
               WHERE o.connection_id = %s AND o.observed_at < %s
                 AND NOT EXISTS (SELECT FROM sync_audit_met m WHERE m.member_hash = o.member_hash)
               RETURNING lower(btrim(o.email)), o.contact_key""",
            [connection.pk, connection.audit_began_at],
        )
        mark_owners(connection.pk, [Seen(*row) for row in cursor.fetchall()])
        cursor.execute("DROP TABLE sync_audit_met")
        cursor.execute(_LINK_STRAYS, _stray_parameters(connection.pk))
        # The plans of the push would otherwise be made for the empty table of a minute ago.
        cursor.execute("ANALYZE sync_observedrecord")
    Connection.objects.filter(pk=connection.pk).update(mirror_complete_at=connection.audit_began_at)
    return ObservedRecord.objects.filter(connection_id=connection.pk).exclude(status="").count()


# The safety net of `core.ports.Store.finish_audit`: what a lost write left behind unseen. A member that a
# contact that fits owns is the planner's to recognise; here that only spares most of the marks.
_LINK_STRAYS = """
WITH active AS (
    SELECT lower(btrim(o.email)) AS key, o.contact_key, o.values ->> %(contact_url)s AS url
    FROM sync_observedrecord o
    WHERE o.connection_id = %(connection)s AND o.status NOT IN ('', 'archived')
      AND o.values ->> %(sync_status)s = %(active)s
      AND (%(hashes)s::text[] IS NULL OR o.member_hash = ANY(%(hashes)s::text[]))
), named AS (
    SELECT key, contact_key, substring(url FROM length(%(urls)s) + 1) AS rest FROM active
    WHERE starts_with(url, %(urls)s)
), strays AS (
    SELECT DISTINCT ON (r.id) r.id, named.key FROM named
    JOIN sync_memberrecord r ON r.connection_id = %(connection)s
        AND r.contact_id = CASE WHEN named.rest ~ '^[0-9]{1,18}/$' THEN rtrim(named.rest, '/')::bigint END
    WHERE named.key NOT IN (r.synced_key, r.sent_key)
      AND (%(hashes)s::text[] IS NULL OR NOT r.uncertain)
      AND (named.contact_key = '' OR named.contact_key <> r.contact_key)
      AND NOT EXISTS (SELECT FROM sync_memberrecord w WHERE w.connection_id = %(connection)s
          AND w.wanted_key = named.key AND w.wanted_key <> '' AND w.reason = 'fits')
    ORDER BY r.id, named.key
), linked AS (
    UPDATE sync_memberrecord r SET sent_key = strays.key FROM strays WHERE r.id = strays.id
    RETURNING r.contact_id
)
INSERT INTO sync_mark (connection_id, contact_id, marked_at)
SELECT %(connection)s, contact_id, clock_timestamp() FROM linked
"""


def link_strays(connection_id: int, members: Sequence[Seen]) -> None:
    """Give those of these members that read Active, and are nobody's, to the contact that they name, and mark
    it. Contacts that a write may be under way for are left alone; the next audit looks at all."""
    hashes = [subscriber_hash(address_key(member.key)) for member in members if member.key]
    if hashes:
        with database.cursor() as cursor:
            cursor.execute(_LINK_STRAYS, _stray_parameters(connection_id, hashes))


def _stray_parameters(
    connection_id: int, hashes: Sequence[SubscriberHash] | None = None
) -> dict[str, object]:
    return {
        "connection": connection_id,
        "hashes": None if hashes is None else list(hashes),
        "contact_url": field_map.CONTACT_URL,
        "sync_status": field_map.SYNC_STATUS,
        "active": field_map.ACTIVE,
        "urls": contact_urls(),
    }


_MARK_OWNERS = """
INSERT INTO sync_mark (connection_id, contact_id, marked_at)
SELECT %(connection)s, contact_id, clock_timestamp() FROM (
    SELECT r.contact_id FROM sync_memberrecord r JOIN n ON r.synced_key = n.key
        WHERE r.connection_id = %(connection)s AND r.synced_key <> ''
    UNION SELECT r.contact_id FROM sync_memberrecord r JOIN n ON r.wanted_key = n.key
        WHERE r.connection_id = %(connection)s AND r.wanted_key <> ''
    UNION SELECT r.contact_id FROM sync_memberrecord r JOIN n ON r.sent_key = n.key
        WHERE r.connection_id = %(connection)s AND r.sent_key <> ''
    UNION SELECT r.contact_id FROM sync_memberrecord r JOIN n ON r.contact_key = n.contact_key
        WHERE r.connection_id = %(connection)s AND r.contact_key <> '') owners
"""


def mark_owners(connection_id: int, members: Sequence[Seen]) -> None:
    """Mark the contacts planned before whose member, or whose address, is among these."""
    execute_rows(
        _MARK_OWNERS,
        [("key", "text"), ("contact_key", "text")],
        [(member.key, member.contact_key) for member in members],
        {"connection": connection_id},
    )
