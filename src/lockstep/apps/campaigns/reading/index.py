"""The list of reports, kept; and which campaign is read next."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction

from lockstep.apps.campaigns.models import Campaign, Reading, ReportIndex
from lockstep.apps.campaigns.reading import rhythm
from lockstep.apps.connections.models import Connection, MailchimpAccount
from lockstep.bridge.reports import CampaignReport, ReportNumbers
from lockstep.mailchimp.times import read_moment, write_moment

__all__ = [
    "another_is_asked",
    "index_due",
    "keep_reports",
    "known_of",
    "next_reading",
    "note_index",
    "readable",
    "since_of",
    "trouble",
]


def readable(account: MailchimpAccount) -> list[Connection]:
    """The account's audiences whose campaigns are read: those that were ever synced, once the mirror tells
    who is who there. Whether their sync is on does not matter; whether it is broken does."""
    return list(
        Connection.objects.filter(
            account=account,
            account__disconnected_at=None,
            account__broken_kind="",
            broken_kind="",
            mirror_complete_at__isnull=False,
        ).order_by("id")
    )


def index_due(links: Sequence[Connection], now: datetime) -> bool:
    """Whether the list of reports is to be read now."""
    kept = {row.pk: row for row in ReportIndex.objects.filter(pk__in=[link.pk for link in links])}
    for link in links:
        row = kept.get(link.pk)
        newest = Campaign.objects.filter(connection=link).order_by("-send_time").first()
        if rhythm.index_is_due(row.read_at if row else None, newest.send_time if newest else None, now):
            return True
    return False


@transaction.atomic
def keep_reports(links: Sequence[Connection], reports: Sequence[CampaignReport]) -> None:
    """Keep what the reports of campaigns to these audiences say; others are passed over."""
    by_list = {link.list_id: link for link in links}
    mine = [(by_list[report.list_id], report) for report in reports if report.list_id in by_list]
    known = {
        (row.connection_id, row.mailchimp_id): row
        for row in Campaign.objects.filter(
            connection__in=links, mailchimp_id__in=[report.campaign_id for _, report in mine]
        )
    }
    for link, report in mine:
        facts = {
            "title": report.title[:500],
            "subject": report.subject[:1000],
            "kind": report.kind[:20],
            "send_time": report.send_time,
            "complaints": report.numbers.complaints,
            "reported": report.numbers.as_json(),
        }
        row = known.get((link.pk, report.campaign_id))
        if row is None:
            row = Campaign.objects.create(
                company_id=link.company_id, connection=link, mailchimp_id=report.campaign_id, **facts
            )
            Reading.objects.create(campaign=row, connection=link)
        elif any(getattr(row, name) != value for name, value in facts.items()):
            Campaign.objects.filter(pk=row.pk).update(**facts)


def note_index(links: Sequence[Connection], at: datetime) -> None:
    """The list of reports was read to its end; it had been begun at `at`."""
    for link in links:
        ReportIndex.objects.update_or_create(pk=link.pk, defaults={"read_at": at, "trouble": ""})


def trouble(links: Sequence[Connection], text: str) -> None:
    """Campaigns can't be read now; the page says why."""
    for link in links:
        ReportIndex.objects.update_or_create(pk=link.pk, defaults={"trouble": text})


def known_of(reading: Reading) -> rhythm.Known:
    """What `rhythm` decides by."""
    return rhythm.Known(
        send_time=reading.campaign.send_time,
        reported=ReportNumbers.from_json(reading.campaign.reported),
        read_at=reading.read_at,
        read_numbers=ReportNumbers.from_json(reading.read_numbers),
        full_wanted=reading.full_wanted,
        full_tries=reading.full_tries,
        asked=reading.asked_at is not None,
        under_way=reading.pass_began_at is not None,
    )


def next_reading(
    links: Sequence[Connection], now: datetime, *, keep_after: datetime | None
) -> Reading | None:
    """The campaign to read now: one that somebody looks at, else the newest that is due; None if none is.

    Campaigns sent before `keep_after` are not read any more: their recipients would be deleted at once.
    """
    rows = (
        Reading.objects.filter(connection__in=links, campaign__forgotten_at=None)
        .select_related("campaign", "connection")
        .order_by("-campaign__send_time", "-campaign_id")
    )
    if keep_after is not None:
        rows = rows.filter(campaign__send_time__gte=keep_after)
    due = [row for row in rows if rhythm.is_due(known_of(row), now)]
    return next((row for row in due if row.asked_at is not None), due[0] if due else None)


def another_is_asked(links: Sequence[Connection], campaign_id: int) -> bool:
    """Whether somebody looks at another campaign, and nobody at this one."""
    asked = Reading.objects.filter(connection__in=links, asked_at__isnull=False).values_list("pk", flat=True)
    found = set(asked)
    return bool(found) and campaign_id not in found


def since_of(reading: Reading) -> str:
    """What a thin pass of this campaign asks for; '' for everything."""
    moment = rhythm.since(read_moment(reading.read_through))
    return write_moment(moment) if moment else ""
