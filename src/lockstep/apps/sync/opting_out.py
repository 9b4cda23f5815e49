"""An unsubscribe at Mailchimp: noted with its reason and campaign, and heeded in the book (S12)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from django.db import connection as database
from django.utils import timezone

from lockstep.apps.accounts.permissions import Actor
from lockstep.apps.book.services import set_no_marketing
from lockstep.apps.connections.models import Connection
from lockstep.apps.sync.models import MemberRecord, OptOut
from lockstep.apps.sync.rows import execute_rows
from lockstep.bridge.events import Hint

REASON = "Unsubscribed in Mailchimp"
ABUSE = "abuse"

CampaignNames = Callable[[int, Sequence[str]], Mapping[str, str]]
"""(connection, Mailchimp's campaign ids) to names of those that are known."""


def _no_names(connection_id: int, campaign_ids: Sequence[str]) -> Mapping[str, str]:
    return {}


_campaign_names: CampaignNames = _no_names


def name_campaigns_with(names: CampaignNames) -> None:
    """Campaigns are read by an app above this one, which says here how it names them."""
    global _campaign_names
    _campaign_names = names


_NOTE_SAID = """
INSERT INTO sync_optout AS s (connection_id, member_hash, at, reason, campaign_id)
SELECT DISTINCT ON (n.member_hash) %(connection)s, n.member_hash, n.at::timestamptz, n.reason, n.campaign_id
FROM n JOIN sync_observedrecord o ON o.connection_id = %(connection)s AND o.member_hash = n.member_hash
WHERE o.status = 'unsubscribed'
ORDER BY n.member_hash, n.at DESC
ON CONFLICT (connection_id, member_hash) DO UPDATE SET
    at = excluded.at, reason = excluded.reason, campaign_id = excluded.campaign_id
WHERE s.reason = '' OR s.at < excluded.at
"""


def note_said(connection_id: int, hints: Sequence[Hint], *, now: datetime) -> None:
    """Keep what deliveries told of unsubscribes, of members who were looked at since and are unsubscribed."""
    rows = [
        (
            hint.opt_out.member,
            (hint.fired_at or now).isoformat(),
            hint.opt_out.reason[:20],
            hint.opt_out.campaign_id[:40],
        )
        for hint in hints
        if hint.opt_out is not None
    ]
    columns = [("member_hash", "text"), ("at", "text"), ("reason", "text"), ("campaign_id", "text")]
    execute_rows(_NOTE_SAID, columns, rows, {"connection": connection_id})


def heed_opt_outs(connection: Connection) -> int:
    """Flag contacts whose member unsubscribed since; returns how many.

    Once for each unsubscribe: whoever takes the flag away again is not
    overruled. A person who subscribes again is forgotten here, not unflagged:
    No Marketing is taken away by people only.
    """
    _forget_who_came_back(connection.pk)
    _note_seen(connection.pk)
    if not connection.unsubscribe_sets_no_marketing:
        return 0
    actor = Actor.lockstep(connection.company)
    flagged = 0
    records = _newly_unsubscribed(connection.pk)
    reasons = _reasons(connection.pk, [record.member_hash for record in records])
    for record in records:
        if not record.contact.no_marketing:
            reason = reasons.get(record.member_hash, REASON)
            set_no_marketing(actor, contact_id=record.contact_id, no_marketing=True, reason=reason)
            flagged += 1
        MemberRecord.objects.filter(pk=record.pk).update(opt_out_heeded=True)
    return flagged


def _reasons(connection_id: int, members: Sequence[str]) -> dict[str, str]:
    """By member, why it is flagged, with the campaign's name where that is known."""
    if not members:
        return {}
    found = list(OptOut.objects.filter(connection_id=connection_id, member_hash__in=members))
    names = _campaign_names(connection_id, [o.campaign_id for o in found if o.campaign_id])
    return {o.member_hash: reason_in_words(o.reason, names.get(o.campaign_id, "")) for o in found}


def reason_in_words(reason: str, campaign: str) -> str:
    """“Reported a campaign as spam in Mailchimp (Spring news)”; `campaign` is a name or ''."""
    said = "Reported a campaign as spam in Mailchimp" if reason == ABUSE else REASON
    return f"{said} (campaign “{campaign[:120]}”)" if campaign else said


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
        cursor.execute(
            """DELETE FROM sync_optout s USING sync_observedrecord o
               WHERE s.connection_id = %s AND o.connection_id = s.connection_id
                 AND o.member_hash = s.member_hash AND o.status NOT IN ('unsubscribed', 'cleaned')""",
            [connection_id],
        )


def _note_seen(connection_id: int) -> None:
    """Who is found unsubscribed or cleaned without a webhook having told: since when, as far as we know."""
    with database.cursor() as cursor:
        cursor.execute(
            """INSERT INTO sync_optout (connection_id, member_hash, at, reason, campaign_id)
               SELECT r.connection_id, o.member_hash, CASE WHEN o.last_changed ~ '^\\d{4}-\\d\\d-\\d\\dT'
                   THEN o.last_changed::timestamptz ELSE %s END, '', ''
               FROM sync_memberrecord r JOIN sync_observedrecord o
                   ON o.connection_id = r.connection_id AND o.member_hash = r.member_hash
               WHERE r.connection_id = %s AND r.state = 'unsubscribed'
                 AND o.status IN ('unsubscribed', 'cleaned') AND NOT EXISTS (SELECT FROM sync_optout s
                     WHERE s.connection_id = r.connection_id AND s.member_hash = o.member_hash)
               ON CONFLICT DO NOTHING""",
            [timezone.now(), connection_id],
        )
