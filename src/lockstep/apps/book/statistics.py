"""What PostgreSQL knows of the tables' sizes, without waiting for autovacuum to come by.

Of a table that has just been filled it knows nothing, and guesses that a company has one contact: it then
compares each of 20,000 with all others where an index leads to the one in question. Measured on the query
that decides who fits: 7.4 s for 2,000 of 20,000 contacts before ANALYZE, 11 ms after.
"""

from __future__ import annotations

from django.db import connection

__all__ = ["BOOK_TABLES", "freshen_statistics", "refresh_statistics"]

BOOK_TABLES = ("book_client", "book_clientaddress", "book_contact")

#: A table is looked at again when it has this many times the pages of the last look, and some more.
_GROWN = 1.5
_PAGES = 8


def refresh_statistics() -> None:
    """Let PostgreSQL look at the book after many rows came at once."""
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE " + ", ".join(BOOK_TABLES))


def freshen_statistics(*tables: str) -> list[str]:
    """ANALYZE those of `tables` that have grown by half since that was last done; returns their names.

    One cheap question where nothing grew. May be called inside a transaction, whose own rows count.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT relname FROM pg_class WHERE oid = ANY(%s::regclass[])
               AND pg_relation_size(oid) / current_setting('block_size')::int > %s * relpages + %s
               ORDER BY relname""",
            [list(tables), _GROWN, _PAGES],
        )
        grown = [name for (name,) in cursor.fetchall()]
        if grown:
            cursor.execute("ANALYZE " + ", ".join(map(connection.ops.quote_name, grown)))
    return grown
