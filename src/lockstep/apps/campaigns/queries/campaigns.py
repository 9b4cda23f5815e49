"""The list of campaigns, and one campaign: totals, links, and how it went over time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection as database
from django.db.models import Q, QuerySet, Sum

from lockstep.apps.accounts.permissions import Actor, Permission
from lockstep.apps.book.errors import NotFound
from lockstep.apps.campaigns.models import Campaign, ClientFigure, Reading, ReportIndex
from lockstep.apps.campaigns.moments import moment_of, seconds_at
from lockstep.apps.campaigns.queries.figures import FIGURES, Figures, own_clients

__all__ = [
    "Bucket",
    "CampaignFilter",
    "CampaignList",
    "CampaignRow",
    "LinkRow",
    "activity_over_time",
    "campaign_list",
    "campaign_row",
    "campaigns_of",
    "last_read",
    "links_of",
]

PAGE = 25


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignFilter:
    """Which campaigns. The empty filter is all of the company's."""

    search: str = ""
    """In titles and subjects, without regard to case."""
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class CampaignRow:
    """A campaign with its numbers, for a limited rep those of own clients' contacts."""

    id: int
    title: str
    subject: str
    audience: str
    sent_at: datetime
    figures: Figures
    in_book: int
    """Recipients who are contacts of the book (of this rep)."""
    complaints: int
    is_read: bool
    """All its recipients were gone through at least once; before that the numbers are still growing."""
    read_at: datetime | None
    being_read: bool
    progress: int
    """Per cent of the recipients gone through in the reading under way."""
    forgotten: bool
    """Only the totals are left: it is older than the company keeps who did what."""

    @property
    def not_in_book(self) -> int:
        return max(0, self.figures.recipients - self.in_book)


@dataclass(frozen=True, slots=True)
class CampaignList:
    """One page of campaigns, newest first, and what all that fit add up to."""

    rows: Sequence[CampaignRow]
    total: int
    page: int
    pages: int
    sums: Figures

    @property
    def first(self) -> int:
        return (self.page - 1) * PAGE + 1 if self.rows else 0

    @property
    def last(self) -> int:
        return self.first + len(self.rows) - 1 if self.rows else 0


def campaigns_of(actor: Actor, wanted: CampaignFilter | None = None) -> QuerySet[Campaign]:
    """The company's campaigns that fit, newest first."""
    actor.require(Permission.VIEW_SYNC)
    wanted = wanted or CampaignFilter()
    found = Campaign.objects.filter(company=actor.company)
    if wanted.search.strip():
        found = found.filter(
            Q(title__icontains=wanted.search.strip()) | Q(subject__icontains=wanted.search.strip())
        )
    if wanted.since is not None:
        found = found.filter(send_time__gte=wanted.since)
    return found.order_by("-send_time", "-id")


def campaign_list(actor: Actor, wanted: CampaignFilter | None = None, *, page: int = 1) -> CampaignList:
    """A page of 25 campaigns; a constant number of queries. Raises `NotPermitted`."""
    found = campaigns_of(actor, wanted)
    total = found.count()
    pages = max(1, -(-total // PAGE))
    page = max(1, min(page, pages))
    rows = _rows(actor, found[(page - 1) * PAGE : page * PAGE])
    return CampaignList(rows=rows, total=total, page=page, pages=pages, sums=_sums(actor, found))


def campaign_row(actor: Actor, campaign_id: int) -> CampaignRow:
    """One campaign. Raises `NotFound`, `NotPermitted`."""
    rows = _rows(actor, campaigns_of(actor).filter(pk=campaign_id))
    if not rows:
        raise NotFound("campaign")
    return rows[0]


def _rows(actor: Actor, found: QuerySet[Campaign]) -> list[CampaignRow]:
    campaigns = list(found.select_related("reading", "connection"))
    own = _own_figures(actor, [campaign.pk for campaign in campaigns]) if actor.own_clients_only else None
    return [_row(campaign, own) for campaign in campaigns]


def _row(campaign: Campaign, own: dict[int, Figures] | None) -> CampaignRow:
    reading: Reading = campaign.reading
    being_read = reading.pass_began_at is not None
    sent = campaign.reported.get("sent", 0)
    figures = (
        own.get(campaign.pk, Figures())
        if own is not None
        else Figures(*(getattr(campaign, name) for name in FIGURES))
    )
    return CampaignRow(
        id=campaign.pk,
        title=campaign.title or campaign.subject or "Untitled",
        subject=campaign.subject,
        audience=campaign.connection.list_name,
        sent_at=campaign.send_time,
        figures=figures,
        in_book=campaign.in_book if own is None else figures.recipients,
        complaints=campaign.complaints if own is None else 0,
        is_read=reading.first_read_at is not None,
        read_at=reading.read_at,
        being_read=being_read,
        progress=min(100, 100 * reading.pass_offset // sent) if being_read and sent else 0,
        forgotten=campaign.forgotten_at is not None,
    )


def _own_figures(actor: Actor, campaigns: Sequence[int]) -> dict[int, Figures]:
    rows = (
        ClientFigure.objects.filter(
            campaign__in=campaigns, client__company=actor.company, client__rep=actor.user
        )
        .values("campaign_id")
        .annotate(**{f"sum_{name}": Sum(name) for name in FIGURES})
    )
    return {row["campaign_id"]: Figures(*(row[f"sum_{name}"] for name in FIGURES)) for row in rows}


def _sums(actor: Actor, found: QuerySet[Campaign]) -> Figures:
    if actor.own_clients_only:
        rows = ClientFigure.objects.filter(
            campaign__in=found.order_by().values("pk"),
            client__company=actor.company,
            client__rep=actor.user,
        )
        sums = rows.aggregate(**{f"sum_{name}": Sum(name) for name in FIGURES})
    else:
        sums = found.order_by().aggregate(**{f"sum_{name}": Sum(name) for name in FIGURES})
    return Figures(*(sums[f"sum_{name}"] or 0 for name in FIGURES))


def last_read(actor: Actor) -> tuple[datetime | None, str]:
    """When the list of campaigns was last read from Mailchimp, and what kept it from being read since."""
    actor.require(Permission.VIEW_SYNC)
    rows = list(
        ReportIndex.objects.filter(connection__company=actor.company).values_list("read_at", "trouble")
    )
    moments = [read_at for read_at, _ in rows if read_at is not None]
    return max(moments, default=None), next((text for _, text in rows if text), "")


# --- one campaign ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class LinkRow:
    """A link of a campaign that was clicked. `clickers` counts people."""

    number: int
    url: str
    clicks: int
    clickers: int


_LINKS = """
SELECT l.number, l.url, count(*), count(DISTINCT r.person_id) FROM campaigns_reaction r
JOIN campaigns_link l ON l.campaign_id = r.campaign_id AND l.number = r.what - 16
{people}
WHERE r.campaign_id = %(campaign)s AND r.what >= 16
GROUP BY 1, 2 ORDER BY 4 DESC, 3 DESC, 1
"""

_OWN_PEOPLE = """
JOIN campaigns_person p ON p.id = r.person_id JOIN book_contact k ON k.id = p.contact_id AND {condition}
"""


def _people(actor: Actor) -> tuple[str, dict[str, object]]:
    """A join that leaves only the contacts that the actor may see; nothing for who sees all."""
    if not actor.own_clients_only:
        return "", {}
    condition, parameters = own_clients(actor, "k.client_id")
    return _OWN_PEOPLE.format(condition=condition), parameters


def links_of(actor: Actor, campaign_id: int) -> list[LinkRow]:
    """The links that were clicked, those that most people clicked first. Raises `NotFound`."""
    campaign = _campaign(actor, campaign_id)
    people, parameters = _people(actor)
    with database.cursor() as cursor:
        cursor.execute(_LINKS.format(people=people), {"campaign": campaign.pk, **parameters})
        return [LinkRow(*row) for row in cursor.fetchall()]


def _campaign(actor: Actor, campaign_id: int) -> Campaign:
    campaign = campaigns_of(actor).filter(pk=campaign_id).first()
    if campaign is None:
        raise NotFound("campaign")
    return campaign


@dataclass(frozen=True, slots=True)
class Bucket:
    """What happened from `begin` on for `length`."""

    begin: datetime
    length: timedelta
    opens: int
    """By people."""
    machine_opens: int
    clicks: int


#: What is shown of a campaign that went on for so long, in pieces of so long; never more than 60 pieces.
_LENGTHS = (
    (timedelta(hours=48), timedelta(hours=1)),
    (timedelta(days=10), timedelta(hours=6)),
    (timedelta(days=60), timedelta(days=1)),
    (timedelta(days=60 * 7), timedelta(days=7)),
    (timedelta.max, timedelta(days=91)),
)

_OVER_TIME = """
SELECT greatest(0, (r.at - %(sent)s) / %(length)s),
    count(*) FILTER (WHERE r.what = 1 AND NOT r.machine), count(*) FILTER (WHERE r.what = 1 AND r.machine),
    count(*) FILTER (WHERE r.what >= 16)
FROM campaigns_reaction r {people}
WHERE r.campaign_id = %(campaign)s AND (r.what = 1 OR r.what >= 16) GROUP BY 1
"""

_SPAN = """
SELECT max(r.at) FROM campaigns_reaction r {people}
WHERE r.campaign_id = %(campaign)s AND (r.what = 1 OR r.what >= 16)
"""


def activity_over_time(actor: Actor, campaign_id: int) -> list[Bucket]:
    """Opens and clicks since it was sent, in pieces of an hour up to a quarter; empty while there are none.

    Pieces without anything are there too. Raises `NotFound`.
    """
    campaign = _campaign(actor, campaign_id)
    people, parameters = _people(actor)
    sent = seconds_at(campaign.send_time)
    parameters |= {"campaign": campaign.pk, "sent": sent}
    with database.cursor() as cursor:
        cursor.execute(_SPAN.format(people=people), parameters)
        [last] = cursor.fetchone()
        if last is None:
            return []
        span = timedelta(seconds=max(0, last - sent) + 1)
        length = next(step for limit, step in _LENGTHS if span <= limit)
        seconds = int(length.total_seconds())
        cursor.execute(_OVER_TIME.format(people=people), parameters | {"length": seconds})
        found = {row[0]: row[1:] for row in cursor.fetchall()}
    return [
        Bucket(moment_of(sent + number * seconds), length, *found.get(number, (0, 0, 0)))
        for number in range(max(found) + 1)
    ]
