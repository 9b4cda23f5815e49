"""What PostgreSQL knows of the book's size."""

from __future__ import annotations

from django.db import connection


def refresh_statistics() -> None:
    """Let PostgreSQL look at the book after many rows came at once.

    Until its own timer does (a minute or more) it takes the tables for empty, and the
    plans it makes for queries over all contacts can take minutes instead of milliseconds.
    """
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE book_client, book_clientaddress, book_contact")
