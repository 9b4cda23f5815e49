"""Opens that programs made. Pure, but for one statement.

Some mail providers load every picture the moment a mail is delivered, and Mailchimp counts that as an open
(contract trap 44). Its API marks nothing; it tells when, and from which network address. What gives a machine
away is that one address opens for many people while the campaign is still going out. Both are needed: people
in one office share an address, and read at different times; somebody quick opens within a minute, from an
address of their own. So this finds less than there is, above all in small campaigns, and says so on the page;
clicks are the firmer sign.

Addresses themselves are not kept: `source` is enough to see that two opens of one campaign came from one.
"""

from __future__ import annotations

import zlib
from datetime import datetime, timedelta

from django.db import connection as database

from lockstep.apps.campaigns.models import Campaign
from lockstep.apps.campaigns.moments import seconds_at

PEOPLE = 5
"""An address that opened for so many people is no single person's."""

AT_ONCE = timedelta(seconds=60)
"""Pictures are fetched within seconds of delivery; clocks and queues add some."""

PER_RECIPIENT = timedelta(milliseconds=4)
LONGEST_SENDING = timedelta(minutes=15)
"""The API does not tell when each mail was delivered. Sending takes longer the more recipients there are."""


def source_of(campaign_id: int, address: str) -> int:
    """Four bytes of a network address, different in every campaign; 0 for none."""
    return zlib.crc32(f"{campaign_id} {address}".encode()) - 2**31 if address else 0


def going_out(send_time: datetime, recipients: int) -> tuple[datetime, datetime]:
    """From when to when opens may be those of machines at delivery."""
    return send_time, send_time + AT_ONCE + min(PER_RECIPIENT * recipients, LONGEST_SENDING)


_TELL_APART = """
WITH early AS (
    SELECT person_id, at, nth, source, machine FROM campaigns_reaction
    WHERE campaign_id = %(campaign)s AND what = 1 AND source <> 0 AND at BETWEEN %(begin)s AND %(end)s
), shared AS (
    SELECT source FROM early GROUP BY source HAVING count(DISTINCT person_id) >= %(people)s
)
UPDATE campaigns_reaction r SET machine = true FROM early JOIN shared USING (source)
WHERE r.campaign_id = %(campaign)s AND r.what = 1 AND NOT early.machine
  AND r.person_id = early.person_id AND r.at = early.at AND r.nth = early.nth
RETURNING r.person_id
"""


def tell_apart(campaign: Campaign) -> set[int]:
    """Mark the opens that machines made; returns the people whose sums that changes."""
    begin, end = going_out(campaign.send_time, campaign.recipients)
    with database.cursor() as cursor:
        cursor.execute(
            _TELL_APART,
            {
                "campaign": campaign.pk,
                "begin": seconds_at(begin),
                "end": seconds_at(end),
                "people": PEOPLE,
            },
        )
        return {row[0] for row in cursor.fetchall()}
