"""An unsubscribe at Mailchimp sets No Marketing in the book, where the connection says so (S12)."""

from __future__ import annotations

from django.db import connection as database

from lockstep.apps.accounts.permissions import Actor
from lockstep.apps.book.services import set_no_marketing
from lockstep.apps.connections.models import Connection
from lockstep.apps.sync.models import MemberRecord

REASON = "Unsubscribed in Mailchimp"


def heed_opt_outs(connection: Connection) -> int:
    """Flag contacts whose member unsubscribed since; returns how many.

    Once for each unsubscribe: whoever takes the flag away again is not
    overruled. A person who subscribes again is forgotten here, not unflagged:
    No Marketing is taken away by people only.
    """
    _forget_who_came_back(connection.pk)
    if not connection.unsubscribe_sets_no_marketing:
        return 0
    actor = Actor.lockstep(connection.company)
    flagged = 0
    for record in _newly_unsubscribed(connection.pk):
        if not record.contact.no_marketing:
            set_no_marketing(actor, contact_id=record.contact_id, no_marketing=True, reason=REASON)
            flagged += 1
        MemberRecord.objects.filter(pk=record.pk).update(opt_out_heeded=True)
    return flagged


def _newly_unsubscribed(connection_id: int) -> list[MemberRecord]:
    with database.cursor() as cursor:
        cursor.execute(
            """SELECT r.id FROM sync_memberrecord r JOIN sync_observedrecord o
                   ON o.connection_id = r.connection_id AND o.member_hash = r.member_hash
               WHERE r.connection_id = %s AND r.state = 'unsubscribed' AND NOT r.opt_out_heeded
                 AND o.status = 'unsubscribed'""",
            [connection_id],
        )
        found = [row[0] for row in cursor.fetchall()]
    return list(MemberRecord.objects.filter(pk__in=found, contact__deleted_at=None).select_related("contact"))


def _forget_who_came_back(connection_id: int) -> None:
    with database.cursor() as cursor:
        cursor.execute(
            """UPDATE sync_memberrecord r SET opt_out_heeded = FALSE FROM sync_observedrecord o
               WHERE r.connection_id = %s AND r.opt_out_heeded AND o.connection_id = r.connection_id
                 AND o.member_hash = r.member_hash AND o.status = 'subscribed'""",
            [connection_id],
        )
