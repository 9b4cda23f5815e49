"""PostgreSQL knows how large the tables are before anybody asks it something hard."""

import pytest
from django.db import connection
from tests.factories import ClientFactory

from lockstep.apps.book.models import Client, Contact
from lockstep.apps.book.statistics import BOOK_TABLES, freshen_statistics

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]


def add(client: Client, many: int) -> None:
    Contact.objects.bulk_create(
        Contact(company=client.company, client=client, first_name=f"F{n}", email=f"p{n}@x.example.net")
        for n in range(many)
    )


def known_rows(table: str) -> int:
    """How many rows PostgreSQL believes there are; -1 where it never looked."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT reltuples FROM pg_class WHERE oid = %s::regclass", [table])
        return int(cursor.fetchone()[0])


def test_only_what_has_grown_is_looked_at() -> None:
    with connection.cursor() as cursor:  # an ANALYZE outlives the rolled-back test that ran it
        cursor.execute(f"TRUNCATE {', '.join(BOOK_TABLES)} CASCADE")
    client = ClientFactory()
    assert freshen_statistics(*BOOK_TABLES) == []
    add(client, 1_000)
    assert freshen_statistics(*BOOK_TABLES) == ["book_contact"]
    assert known_rows("book_contact") == 1_000
    assert known_rows("book_client") == -1
    assert freshen_statistics(*BOOK_TABLES) == []
    add(client, 100)
    assert freshen_statistics(*BOOK_TABLES) == []
    add(client, 1_000)
    assert freshen_statistics(*BOOK_TABLES) == ["book_contact"]
    assert known_rows("book_contact") == 2_100
