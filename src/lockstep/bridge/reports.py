"""What campaigns brought about, as Mailchimp reports it, in plain values (contract 9).

Three-valued like everything that is read: an answer, `ReportGone` for a campaign that Mailchimp no longer
has, or the core's errors, from which nothing is concluded.
"""

from __future__ import annotations

import enum
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from lockstep.bridge.failures import read_error
from lockstep.core.errors import SyncError
from lockstep.core.identity import SubscriberHash, address_key
from lockstep.mailchimp.api import MailchimpAPI
from lockstep.mailchimp.errors import MailchimpError, NotFound
from lockstep.mailchimp.times import read_moment
from lockstep.mailchimp.wire import EmailActivity, Report

__all__ = [
    "CampaignReport",
    "Happened",
    "HappenedKind",
    "MailedPerson",
    "ReportGone",
    "ReportNumbers",
    "UnsubscribedPerson",
    "activity_pages",
    "bounce_pages",
    "read_report",
    "report_pages",
    "unsubscribe_pages",
]

_FIELDS = (
    "list_id",
    "campaign_title",
    "subject_line",
    "type",
    "send_time",
    "emails_sent",
    "abuse_reports",
    "unsubscribed",
    "opens",
    "clicks",
    "bounces",
)
"""All that is asked of a report: the index of what moved (contract 9, step 1)."""


class ReportGone(SyncError):
    """Mailchimp no longer has this campaign: it was deleted there."""


class HappenedKind(enum.Enum):
    OPEN = "open"
    CLICK = "click"
    SOFT_BOUNCE = "soft"
    HARD_BOUNCE = "hard"


@dataclass(frozen=True, slots=True)
class ReportNumbers:
    """The numbers of one report. Two that are equal mean that nothing moved in between.

    `last_open` and `last_click` are Mailchimp's own texts, '' where there was none (contract 9).
    """

    sent: int = 0
    opens: int = 0
    openers: int = 0
    last_open: str = ""
    clicks: int = 0
    clickers: int = 0
    last_click: str = ""
    soft_bounces: int = 0
    hard_bounces: int = 0
    unsubscribed: int = 0
    complaints: int = 0

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> ReportNumbers:
        """The reverse; what was kept by another version counts as other numbers, not as an error."""
        known = cls.__dataclass_fields__
        return cls(**{name: value for name, value in kept.items() if name in known})

    @property
    def newest(self) -> datetime | None:
        """When the newest open or click that the report knows of happened; None without any."""
        moments = [moment for text in (self.last_open, self.last_click) if (moment := read_moment(text))]
        return max(moments, default=None)


@dataclass(frozen=True, slots=True)
class CampaignReport:
    """One campaign that was sent. `send_time` has a zone."""

    campaign_id: str
    list_id: str
    title: str
    subject: str
    kind: str
    send_time: datetime
    numbers: ReportNumbers


@dataclass(frozen=True, slots=True)
class Happened:
    """One open, click (with `url`) or bounce; `at` in whole seconds since 1970, Mailchimp's resolution.

    `address` is the network address that Mailchimp saw, '' where it tells none.
    """

    kind: HappenedKind
    at: int
    url: str = ""
    address: str = ""


@dataclass(frozen=True, slots=True)
class MailedPerson:
    """A recipient of a campaign; `key` is '' where Mailchimp tells no address any more."""

    member: SubscriberHash
    key: str
    happened: tuple[Happened, ...] = ()


@dataclass(frozen=True, slots=True)
class UnsubscribedPerson:
    """Somebody who unsubscribed from a campaign; `at` in seconds since 1970."""

    member: SubscriberHash
    key: str
    at: int
    reason: str


_KINDS = {
    ("open", ""): HappenedKind.OPEN,
    ("click", ""): HappenedKind.CLICK,
    ("bounce", "hard"): HappenedKind.HARD_BOUNCE,
    ("bounce", "soft"): HappenedKind.SOFT_BOUNCE,
}


def read_happened(row: EmailActivity) -> tuple[Happened, ...]:
    """What a recipient did, of the kinds that we know. A bounce of any other type counts as soft: it says
    less of the person. What has no time is left out, for it could not be told from itself on a second look.
    """
    found = []
    for entry in row.activity:
        kind = _KINDS.get((entry.action, entry.type if entry.action == "bounce" else ""))
        if kind is None and entry.action == "bounce":
            kind = HappenedKind.SOFT_BOUNCE
        moment = read_moment(entry.timestamp)
        if kind is not None and moment is not None:
            found.append(Happened(kind, int(moment.timestamp()), entry.url, entry.ip))
    return tuple(found)


async def report_pages(api: MailchimpAPI) -> AsyncIterator[list[CampaignReport]]:
    """All campaigns that the account has sent, whatever the audience: some calls for everything.

    Raises `AudienceUnavailable`, `ConnectionBroken`.
    """
    with _reading():
        async for page in api.report_pages(fields=_FIELDS):
            yield [report for row in page if (report := _report(row)) is not None]


async def read_report(api: MailchimpAPI, campaign_id: str) -> ReportNumbers:
    """The numbers of one campaign now. Raises `ReportGone`, `AudienceUnavailable`, `ConnectionBroken`."""
    with _reading(gone=True):
        return _numbers(await api.report(campaign_id, fields=_FIELDS))


async def activity_pages(
    api: MailchimpAPI, campaign_id: str, *, since: str = "", start: int = 0
) -> AsyncIterator[list[MailedPerson]]:
    """All recipients by pages of 1,000 with what they did after `since`, whole seconds left out (contract 9);
    most of them with nothing. `start`: recipients to pass over.

    Raises `ReportGone`, `AudienceUnavailable`, `ConnectionBroken`.
    """
    with _reading(gone=True):
        async for page in api.email_activity_pages(campaign_id, since=since, start=start):
            yield [
                MailedPerson(SubscriberHash(row.email_id), address_key(row.email_address), read_happened(row))
                for row in page
            ]


async def bounce_pages(
    api: MailchimpAPI, campaign_id: str
) -> AsyncIterator[list[tuple[MailedPerson, HappenedKind]]]:
    """Whose mail bounced and how, as `sent-to` has it. Raises as `activity_pages`."""
    kinds = {"hard": HappenedKind.HARD_BOUNCE, "soft": HappenedKind.SOFT_BOUNCE}
    with _reading(gone=True):
        async for page in api.sent_to_pages(campaign_id):
            yield [
                (MailedPerson(SubscriberHash(row.email_id), address_key(row.email_address)), kind)
                for row in page
                if (kind := kinds.get(row.status)) is not None
            ]


async def unsubscribe_pages(
    api: MailchimpAPI, campaign_id: str
) -> AsyncIterator[Sequence[UnsubscribedPerson]]:
    """Who unsubscribed from this campaign; email-activity never says so (contract 9). Raises as above."""
    with _reading(gone=True):
        async for page in api.unsubscribed_pages(campaign_id):
            yield [
                UnsubscribedPerson(
                    SubscriberHash(row.email_id),
                    address_key(row.email_address),
                    int((read_moment(row.timestamp) or datetime.fromtimestamp(0, UTC)).timestamp()),
                    row.reason,
                )
                for row in page
            ]


@contextmanager
def _reading(*, gone: bool = False) -> Iterator[None]:
    try:
        yield
    except MailchimpError as error:
        if gone and isinstance(error, NotFound):
            raise ReportGone("Mailchimp no longer has this campaign.") from error
        raise read_error(error) from error


def _report(row: Report) -> CampaignReport | None:
    """None for what was never sent: it is in no report, but nothing promises that."""
    send_time = read_moment(row.send_time)
    if send_time is None:
        return None
    return CampaignReport(
        row.id,
        row.list_id,
        row.campaign_title,
        row.subject_line,
        row.type,
        send_time,
        _numbers(row),
    )


def _numbers(row: Report) -> ReportNumbers:
    return ReportNumbers(
        sent=row.emails_sent,
        opens=row.opens.opens_total,
        openers=row.opens.unique_opens,
        last_open=row.opens.last_open,
        clicks=row.clicks.clicks_total,
        clickers=row.clicks.unique_subscriber_clicks,
        last_click=row.clicks.last_click,
        soft_bounces=row.bounces.soft_bounces,
        hard_bounces=row.bounces.hard_bounces + row.bounces.syntax_errors,
        unsubscribed=row.unsubscribed,
        complaints=row.abuse_reports,
    )
