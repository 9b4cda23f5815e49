"""How the contacts of a client stand, for the clients list and the client page."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import connection as database

from lockstep.apps.connections.models import Connection


def client_figures(company_id: int, client_ids: Sequence[int]) -> dict[int, dict[str, int]]:
    """By client: how many of its contacts stand where, by the value of their `SyncState` or else `Reason`.

    Of the company's first connection that is on; empty while none is. Contacts
    that were not looked at yet are in no figure. Two queries.
    """
    connection = (
        Connection.objects.filter(company_id=company_id, mode=Connection.Mode.ON)
        .order_by("id")
        .values_list("pk", flat=True)
        .first()
    )
    if connection is None:
        return {}
    with database.cursor() as cursor:
        cursor.execute(
            """
            SELECT k.client_id, coalesce(nullif(m.state, ''), m.reason), count(*)
            FROM book_contact k JOIN sync_memberrecord m ON m.connection_id = %s AND m.contact_id = k.id
            WHERE k.company_id = %s AND k.client_id = ANY(%s) AND k.deleted_at IS NULL
            GROUP BY 1, 2
            """,
            [connection, company_id, list(client_ids)],
        )
        figures: dict[int, dict[str, int]] = {client_id: {} for client_id in client_ids}
        for client_id, standing, number in cursor.fetchall():
            figures[client_id][standing] = number
        return figures
