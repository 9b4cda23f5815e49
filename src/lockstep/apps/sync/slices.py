"""Slices out of the database: contacts with all that a plan for them needs, closed over addresses."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import replace
from typing import Any

import msgspec
from django.db import connection as database

from lockstep.apps.connections.models import Connection
from lockstep.apps.connections.preferences import Preferences
from lockstep.apps.sync.desired import read_desired
from lockstep.apps.sync.eligibility import parameters, reason_sql
from lockstep.core.identity import AddressKey, SubscriberHash, address_key, subscriber_hash
from lockstep.core.member import DesiredMember, MemberStatus, ObservedMember, SyncedMember
from lockstep.core.observation import ABSENT, UNKNOWN, Observation, Present
from lockstep.core.outcome import Refusal, RefusalKind
from lockstep.core.planner import Slice

_OBSERVED_COLUMNS = "member_hash, email, status, values, contact_key, web_id, rating, last_changed, tags"


def read_marks(connection_id: int, limit: int, but: Set[int]) -> dict[int, list[int]]:
    """Up to `limit` marks, oldest first, by the contact they are on.

    The ids themselves, for `delete_marks`: an id below them may belong to a transaction
    that has not committed yet, and appear later.
    """
    with database.cursor() as cursor:
        cursor.execute(
            """SELECT contact_id, array_agg(id ORDER BY id) FROM (
                   SELECT contact_id, id FROM sync_mark
                   WHERE connection_id = %s AND contact_id <> ALL(%s::bigint[])
                   ORDER BY id LIMIT %s) oldest
               GROUP BY contact_id""",
            [connection_id, list(but), limit],
        )
        return dict(cursor.fetchall())


def delete_marks(ids: Sequence[int]) -> None:
    """These were read, and what they asked for is recorded."""
    with database.cursor() as cursor:
        cursor.execute("DELETE FROM sync_mark WHERE id = ANY(%s)", [list(ids)])


def closed_slice(connection: Connection, marks: Mapping[int, int], *, nobody_fits: bool = False) -> Slice:
    """The marked contacts and everybody who shares an address with them, now or when last looked at.

    The latter come without a mark of their own: a contact that lost or won a
    shared address needs an answer too, though nobody touched it. That holds for
    contacts that a call concerns right now as well: who leaves them for later
    must know of them, or nobody would ever look.
    """
    with database.cursor() as cursor:
        cursor.execute(
            """WITH keys AS (
                   SELECT email_key AS key FROM book_contact WHERE id = ANY(%(ids)s)
                   UNION SELECT wanted_key FROM sync_memberrecord
                       WHERE connection_id = %(connection)s AND contact_id = ANY(%(ids)s)
                   UNION SELECT synced_key FROM sync_memberrecord
                       WHERE connection_id = %(connection)s AND contact_id = ANY(%(ids)s)
               )
               SELECT ct.id FROM book_contact ct JOIN keys ON ct.email_key = keys.key
                   WHERE ct.company_id = %(company)s AND keys.key <> ''
               UNION SELECT r.contact_id FROM sync_memberrecord r JOIN keys ON r.synced_key = keys.key
                   WHERE r.connection_id = %(connection)s AND keys.key <> ''
               UNION SELECT r.contact_id FROM keys
                   JOIN sync_observedrecord o
                       ON o.connection_id = %(connection)s AND o.member_hash = md5(keys.key)
                   JOIN sync_memberrecord r
                       ON r.connection_id = %(connection)s AND r.contact_key = o.contact_key
                   WHERE keys.key <> '' AND o.contact_key <> '' AND r.contact_key <> ''""",
            {"ids": list(marks), "connection": connection.pk, "company": connection.company_id},
        )
        ids = {row[0] for row in cursor.fetchall()} | marks.keys()
    preferences = Preferences.from_json(connection.preferences)
    desired = read_desired(
        connection.company_id,
        preferences,
        contact_ids=sorted(ids),
        nobody_fits=nobody_fits,
        tag_rule=connection.tag_rule,
        clear_tags=connection.clears_tags,
    )
    return _slice(connection, preferences, desired, marks, nobody_fits=nobody_fits)


def range_slice(connection: Connection, after: int, limit: int, *, nobody_fits: bool = False) -> Slice | None:
    """The next `limit` contacts of the book after an id, deleted ones included; None at the end."""
    preferences = Preferences.from_json(connection.preferences)
    desired = read_desired(
        connection.company_id,
        preferences,
        after=after,
        limit=limit,
        nobody_fits=nobody_fits,
        tag_rule=connection.tag_rule,
        clear_tags=connection.clears_tags,
    )
    if not desired:
        return None
    part = _slice(connection, preferences, desired, {}, nobody_fits=nobody_fits)
    return replace(part, through=desired[-1].contact_id)


def _slice(
    connection: Connection,
    preferences: Preferences,
    desired: Sequence[DesiredMember],
    receipts: Mapping[int, int],
    *,
    nobody_fits: bool,
) -> Slice:
    synced = _read_synced(connection.pk, [wanted.contact_id for wanted in desired])
    own = {wanted.key for wanted in desired if wanted.fits}
    theirs = {key for s in synced.values() for key in (s.key, s.sent_key) if key}
    moved = _read_moved(connection.pk, synced.values())
    elsewhere = (theirs | {address_key(member.email) for member in moved.values()}) - own
    claimed: frozenset[AddressKey] = frozenset()
    silenced: frozenset[AddressKey] = frozenset()
    if elsewhere and not nobody_fits:
        silenced = _read_silenced(connection.company_id, elsewhere)
        claimed = _read_claimed(connection.company_id, preferences, elsewhere)
        claimed |= _read_followed(connection.pk, elsewhere, [wanted.contact_id for wanted in desired])
    observed = read_observed(connection, [subscriber_hash(key) for key in own | theirs])
    written: dict[SubscriberHash, frozenset[str]] = {}
    if connection.member_tags or connection.clears_tags:
        written = _read_written(connection.pk, [*observed, *(member.hash for member in moved.values())])
    return Slice(
        desired=tuple(desired),
        synced=synced,
        observed=observed,
        moved=moved,
        claimed=claimed,
        silenced=silenced,
        receipts=receipts,
        written=written,
    )


def _read_synced(connection_id: int, contact_ids: Sequence[int]) -> dict[int, SyncedMember]:
    with database.cursor() as cursor:
        cursor.execute(
            """SELECT contact_id, synced_key, synced_digest, contact_key, uncertain, sent_key, asked,
                      refusal_kind, refusal_text, refusal_field, refusal_digest
               FROM sync_memberrecord WHERE connection_id = %s AND contact_id = ANY(%s)""",
            [connection_id, list(contact_ids)],
        )
        return {row[0]: _synced(row) for row in cursor.fetchall()}


def _synced(row: tuple[Any, ...]) -> SyncedMember:
    contact_id, key, digest, contact_key, uncertain, sent_key, asked, kind, text, field, refused = row
    return SyncedMember(
        contact_id=contact_id,
        key=AddressKey(key),
        digest=bytes(digest),
        contact_key=contact_key,
        uncertain=uncertain,
        sent_key=AddressKey(sent_key),
        refusal=Refusal(RefusalKind(kind), text, field, bytes(refused)) if kind else None,
        asked=asked,
    )


def _read_written(
    connection_id: int, hashes: Sequence[SubscriberHash]
) -> dict[SubscriberHash, frozenset[str]]:
    """The tags that we wrote to these members, or may have written."""
    with database.cursor() as cursor:
        cursor.execute(
            """SELECT member_hash, array_agg(name) FROM sync_writtentag
               WHERE connection_id = %s AND member_hash = ANY(%s) GROUP BY member_hash""",
            [connection_id, list(hashes)],
        )
        return {SubscriberHash(member): frozenset(names) for member, names in cursor.fetchall()}


def read_observed(
    connection: Connection, hashes: Sequence[SubscriberHash]
) -> dict[SubscriberHash, Observation]:
    """The mirror for these members. Not in the mirror is absent only after a complete reading."""
    missing: Observation = ABSENT if connection.mirror_complete_at else UNKNOWN
    found: dict[SubscriberHash, Observation] = dict.fromkeys(hashes, missing)
    with database.cursor() as cursor:
        cursor.execute(
            f"""SELECT {_OBSERVED_COLUMNS} FROM sync_observedrecord
                WHERE connection_id = %s AND member_hash = ANY(%s)""",
            [connection.pk, list(hashes)],
        )
        for row in cursor.fetchall():
            found[SubscriberHash(row[0])] = Present(_observed(row)) if row[2] else ABSENT
    return found


def _read_moved(connection_id: int, synced: Iterable[SyncedMember]) -> dict[int, ObservedMember]:
    """Members that are now under another address than the one we confirmed, by contact (contract 4.1)."""
    known = {contact.contact_id: contact for contact in synced if contact.contact_key}
    if not known:
        return {}
    with database.cursor() as cursor:
        cursor.execute(
            f"""SELECT {_OBSERVED_COLUMNS} FROM sync_observedrecord
                WHERE connection_id = %s AND contact_key = ANY(%s) AND contact_key <> '' AND status <> ''
                  AND member_hash <> ALL(%s)""",
            [
                connection_id,
                [contact.contact_key for contact in known.values()],
                [subscriber_hash(contact.key) for contact in known.values()],
            ],
        )
        moved = {member.contact_key: member for member in map(_observed, cursor.fetchall())}
    return {pk: moved[contact.contact_key] for pk, contact in known.items() if contact.contact_key in moved}


def _read_claimed(
    company_id: int, preferences: Preferences, keys: Iterable[AddressKey]
) -> frozenset[AddressKey]:
    """Which of these addresses a contact that fits owns."""
    with database.cursor() as cursor:
        cursor.execute(
            f"""SELECT email_key FROM (
                    SELECT ct.email_key, {reason_sql(preferences)} AS reason
                    FROM book_contact ct JOIN book_client cl ON cl.id = ct.client_id
                    WHERE ct.company_id = %(company)s AND ct.email_key = ANY(%(keys)s)) judged
                WHERE reason = 'fits'""",
            parameters(company_id, preferences) | {"keys": list(keys)},
        )
        return frozenset(AddressKey(row[0]) for row in cursor.fetchall())


def _read_silenced(company_id: int, keys: Iterable[AddressKey]) -> frozenset[AddressKey]:
    """Which of these addresses a contact flags No Marketing."""
    with database.cursor() as cursor:
        cursor.execute(
            """SELECT DISTINCT email_key FROM book_contact
               WHERE company_id = %s AND email_key = ANY(%s) AND no_marketing AND deleted_at IS NULL""",
            [company_id, list(keys)],
        )
        return frozenset(AddressKey(row[0]) for row in cursor.fetchall())


def _read_followed(
    connection_id: int, keys: Iterable[AddressKey], but: Sequence[int]
) -> frozenset[AddressKey]:
    """At which of these addresses is a member that a contact outside the slice fits and follows."""
    with database.cursor() as cursor:
        cursor.execute(
            """WITH here AS MATERIALIZED (
                   SELECT email, member_hash, contact_key FROM sync_observedrecord
                   WHERE connection_id = %(connection)s AND member_hash = ANY(%(hashes)s)
                     AND contact_key <> '')
               SELECT lower(btrim(here.email)) FROM here JOIN sync_memberrecord r
                   ON r.connection_id = %(connection)s AND r.contact_key = here.contact_key
               WHERE r.contact_key <> '' AND r.reason = 'fits' AND r.synced_key = r.wanted_key
                 AND here.member_hash <> md5(r.synced_key) AND r.contact_id <> ALL(%(but)s::bigint[])""",
            {
                "connection": connection_id,
                "hashes": [subscriber_hash(key) for key in keys],
                "but": list(but),
            },
        )
        return frozenset(AddressKey(row[0]) for row in cursor.fetchall())


def _observed(row: Sequence[Any]) -> ObservedMember:
    member_hash, email, status, values, contact_key, web_id, rating, last_changed, tags = row
    return ObservedMember(
        hash=SubscriberHash(member_hash),
        email=email,
        status=MemberStatus(status),
        values=tuple(msgspec.json.decode(values, type=list[str])),
        contact_key=contact_key,
        web_id=web_id,
        rating=rating,
        last_changed=last_changed,
        tags=None if tags is None else tuple(msgspec.json.decode(tags, type=list[str])),
    )
