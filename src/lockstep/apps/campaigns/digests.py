"""The weekly digest: on Mondays each rep hears which of their clients clicked in the week before.

Only where the company switched it on, only to reps with clients, only when somebody clicked, and not to who
said no. A row is made before each mail, so none is sent twice; one whose sending failed is tried again.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo

from django.conf import settings
from django.core.mail import send_mail
from django.db import connection as database
from django.db import transaction
from django.urls import reverse

from lockstep.apps.accounts.models import Seat
from lockstep.apps.campaigns.models import CampaignSettings, Digest, DigestChoice
from lockstep.apps.campaigns.moments import seconds_at

__all__ = ["clicks_of", "digest_text", "digest_week", "send_digests"]

log = logging.getLogger("lockstep.campaigns")

HOUR = 8
"""Time of the company at which digests go out."""

LINES = 30


def digest_week(now: datetime, zone: tzinfo) -> date | None:
    """The Monday whose digests are due: from eight that morning until the end of the Tuesday after, in the
    company's time zone. None else. Pure."""
    local = now.astimezone(zone)
    monday = local.date() - timedelta(days=local.weekday())
    if local.weekday() > 1 or (local.weekday() == 0 and local.hour < HOUR):
        return None
    return monday


@dataclass(frozen=True, slots=True)
class Clicked:
    """A contact of the rep's who clicked."""

    contact_id: int
    name: str
    client: str
    campaign: str
    clicks: int


_CLICKS = """
SELECT k.id, coalesce(nullif(btrim(k.first_name || ' ' || k.last_name), ''), k.email), c.name,
    coalesce(nullif(g.title, ''), g.subject), count(*)
FROM book_client c JOIN book_contact k ON k.client_id = c.id AND k.deleted_at IS NULL
JOIN campaigns_person p ON p.contact_id = k.id
JOIN campaigns_recipient r ON r.person_id = p.id AND r.clicks > 0 AND r.last_at >= %(begin)s
JOIN campaigns_reaction v ON v.campaign_id = r.campaign_id AND v.person_id = p.id AND v.what >= 16
    AND v.at >= %(begin)s AND v.at < %(end)s
JOIN campaigns_campaign g ON g.id = r.campaign_id AND g.company_id = %(company)s
WHERE c.company_id = %(company)s AND c.rep_id = %(rep)s AND c.deleted_at IS NULL
GROUP BY k.id, c.name, g.id ORDER BY c.name, 2, count(*) DESC, g.id
"""


def clicks_of(seat: Seat, week: date) -> list[Clicked]:
    """Who of the rep's own clients clicked in the seven days before this Monday."""
    zone = seat.company.zone
    end = datetime.combine(week, time(), zone)
    begin = datetime.combine(week - timedelta(days=7), time(), zone)
    with database.cursor() as cursor:
        cursor.execute(
            _CLICKS,
            {
                "company": seat.company_id,
                "rep": seat.user_id,
                "begin": seconds_at(begin),
                "end": seconds_at(end),
            },
        )
        return [Clicked(*row) for row in cursor.fetchall()]


def digest_text(name: str, found: list[Clicked]) -> tuple[str, str]:
    """Subject and text of the mail. Pure but for the address of the installation."""
    clients = len({one.client for one in found})
    subject = (
        f"{clients} of your clients clicked last week" if clients != 1 else "One client clicked last week"
    )
    base = settings.LOCKSTEP_BASE_URL
    lines = [f"Hello {name},", "", "these contacts of your clients clicked in a campaign last week:", ""]
    client = None
    for one in found[:LINES]:
        if one.client != client:
            client = one.client
            lines += ["", client]
        times = "once" if one.clicks == 1 else f"{one.clicks} times"
        lines.append(f"  {one.name}: {times} in “{one.campaign}”")
        lines.append(f"  {base}{reverse('book:contact_marketing', args=[one.contact_id])}")
    if len(found) > LINES:
        lines += ["", f"and {len(found) - LINES} more."]
    lines += ["", f"All campaigns: {base}{reverse('campaigns:index')}"]
    lines += [f"No digest any more: {base}{reverse('campaigns:settings')}"]
    return subject, "\n".join(lines)


def send_digests(now: datetime) -> int:
    """Send the digests that are due and were not sent; returns how many went out."""
    seats = (
        Seat.objects.filter(
            company__in=CampaignSettings.objects.filter(digest=True).values("company"), user__is_active=True
        )
        .exclude(pk__in=DigestChoice.objects.filter(wanted=False).values("seat"))
        .select_related("user", "company")
    )
    sent = 0
    for seat in seats.order_by("pk"):
        week = digest_week(now, seat.company.zone)
        if (
            week is not None
            and not Digest.objects.filter(seat=seat, week=week, sent_at__isnull=False).exists()
        ):
            sent += _send(seat, week, now)
    return sent


def _send(seat: Seat, week: date, now: datetime) -> bool:
    Digest.objects.get_or_create(seat=seat, week=week)
    # Locked until the mail is out: another worker passes by, and one that is killed leaves it unsent.
    with transaction.atomic():
        waiting = Digest.objects.select_for_update(skip_locked=True)
        row = waiting.filter(seat=seat, week=week, sent_at=None).first()
        if row is None:
            return False
        found = clicks_of(seat, week)
        if found:
            subject, text = digest_text(seat.user.first_name or seat.user.full_name, found)
            try:
                send_mail(subject, text, None, [seat.user.email])
            except OSError:  # smtplib's errors are among them
                log.warning("a digest could not be sent", extra={"seat": seat.pk})
                return False
        row.sent_at, row.clicks = now, sum(one.clicks for one in found)
        row.save()
    return bool(found)
