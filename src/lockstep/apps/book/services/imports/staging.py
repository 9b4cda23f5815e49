"""The table that a file is copied into before it meets the book: private to the session, gone at the end."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from django.db import connection

from lockstep.apps.book.services.imports.checking import TEXTS, Accepted

_TABLES = (
    "import_row",
    "import_refused",
    "import_warning",
    "import_pair",
    "import_key",
    "import_slot",
    "import_contact",
    "import_tag",
    "import_tags",
    "import_client_change",
    "import_contact_change",
    "import_contact_before",
    "import_client_before",
    "import_new_contact",
)

_CREATE = f"""
    CREATE TEMP TABLE import_row (
        row_no int NOT NULL,
        {", ".join(f"{name} text NOT NULL" for name in TEXTS)},
        client_tags text[] NOT NULL,
        contact_tags text[] NOT NULL,
        no_marketing boolean,
        active boolean,
        has_contact boolean NOT NULL
    );
    CREATE TEMP TABLE import_refused (row_no int PRIMARY KEY, reason text NOT NULL);
    CREATE TEMP TABLE import_warning (text text NOT NULL, row_no int NOT NULL);
"""

_COPY = (
    f"COPY import_row (row_no, {', '.join(TEXTS)}, client_tags, contact_tags,"
    " no_marketing, active, has_contact) FROM STDIN"
)


@contextmanager
def staging_tables() -> Iterator[None]:
    """Make the tables in this session, and drop them whatever happens."""
    _drop()
    with connection.cursor() as cursor:
        cursor.execute(_CREATE)
    try:
        yield
    finally:
        if not connection.needs_rollback and connection.is_usable():
            _drop()


def _drop() -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TABLE IF EXISTS {', '.join(f'pg_temp.{name}' for name in _TABLES)}")


def copy_rows(rows: Iterable[tuple[int, Accepted]]) -> None:
    """Add rows, by their numbers in the file, with one COPY."""
    with connection.cursor() as cursor, cursor.copy(_COPY) as copy:
        for number, row in rows:
            copy.write_row(
                (
                    number,
                    *row.texts,
                    row.client_tags,
                    row.contact_tags,
                    row.no_marketing,
                    row.active,
                    row.has_contact,
                )
            )
