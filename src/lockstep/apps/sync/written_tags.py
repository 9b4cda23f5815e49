"""What was written of tags: remembered before it is sent, forgotten once it is surely gone."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from django.db import connection as database

from lockstep.apps.sync.rows import execute_rows
from lockstep.core.identity import SubscriberHash
from lockstep.core.plan import Change, TagMember, tags_of

_TAG = [("member_hash", "text"), ("name", "text")]


def remember(connection_id: int, changes: Sequence[Change]) -> None:
    """These changes are about to be sent: from now on their tags count as ours, whatever comes of it."""
    execute_rows(
        """INSERT INTO sync_writtentag (connection_id, member_hash, name)
           SELECT %(connection)s, n.member_hash, n.name FROM n
           WHERE NOT EXISTS (SELECT FROM sync_writtentag w WHERE w.connection_id = %(connection)s
               AND w.member_hash = n.member_hash AND w.name = n.name)""",
        _TAG,
        [(change.hash, name) for change in changes for name in tags_of(change).add],
        {"connection": connection_id},
    )


def settle(connection_id: int, changes: Sequence[TagMember]) -> None:
    """Mailchimp confirmed these: the mirror shows it, and what was taken off is forgotten."""
    execute_rows(
        """DELETE FROM sync_writtentag w USING n
           WHERE w.connection_id = %(connection)s AND w.member_hash = n.member_hash AND w.name = n.name""",
        _TAG,
        [(change.hash, name) for change in changes for name in change.tags.remove],
        {"connection": connection_id},
    )
    hashes = [change.hash for change in changes]
    with database.cursor() as cursor:
        cursor.execute(
            """SELECT member_hash, tags FROM sync_observedrecord
               WHERE connection_id = %s AND member_hash = ANY(%s) FOR UPDATE""",
            [connection_id, hashes],
        )
        known = {row[0]: msgspec.json.decode(row[1], type=tuple[str, ...]) for row in cursor if row[1]}
    execute_rows(
        """UPDATE sync_observedrecord o SET tags = n.tags::jsonb FROM n
           WHERE o.connection_id = %(connection)s AND o.member_hash = n.member_hash""",
        [("member_hash", "text"), ("tags", "text")],
        [
            (change.hash, msgspec.json.encode(change.tags.after(known.get(change.hash, ()))).decode())
            for change in changes
        ],
        {"connection": connection_id},
    )


def follow(connection_id: int, moves: Sequence[tuple[SubscriberHash, SubscriberHash]]) -> None:
    """Members that go on under another address take with them what was written to them."""
    execute_rows(
        """UPDATE sync_writtentag w SET member_hash = n.after FROM n
           WHERE w.connection_id = %(connection)s AND w.member_hash = n.before""",
        [("before", "text"), ("after", "text")],
        moves,
        {"connection": connection_id},
    )
