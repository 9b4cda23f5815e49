"""A first sync right after a bulk load asks PostgreSQL nothing that it has no statistics for."""

from django.db import connection

from lockstep.apps.book.models import Contact
from tests.factories import ClientFactory
from tests.scenarios.world import SyncWorld


def test_the_tables_of_a_first_sync_are_known_to_the_planner(world: SyncWorld) -> None:
    client = ClientFactory(company=world.company)
    Contact.objects.bulk_create(
        Contact(company=world.company, client=client, first_name=f"F{n}", email=f"p{n}@kestrel.example.net")
        for n in range(1_000)
    )
    world.start()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname, reltuples FROM pg_class WHERE relname IN"
            " ('book_contact', 'sync_memberrecord', 'sync_observedrecord') AND relkind = 'r'"
        )
        known = dict(cursor.fetchall())
    assert min(known.values()) > 0, known
