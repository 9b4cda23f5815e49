"""What one contact, or the contacts of one client, did with campaigns: live, from their own rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.db import connection as database

from lockstep.apps.accounts.permissions import Actor, Permission
from lockstep.apps.book.errors import NotFound
from lockstep.apps.book.queries.scope import clients_of, contacts_of
from lockstep.apps.campaigns.models import Recipient
from lockstep.apps.campaigns.moments import moment_of
from lockstep.apps.campaigns.queries.figures import Figures

__all__ = [
    "ActivityLine",
    "ClientActivity",
    "ContactActivity",
    "MailedCampaign",
    "activity_stamp",
    "client_activity",
    "contact_activity",
]

CAMPAIGNS = 50
LINES = 20


@dataclass(frozen=True, slots=True)
class MailedCampaign:
    """One campaign that a contact got, or contacts of a client got."""

    id: int
    title: str
    subject: str
    sent_at: datetime
    figures: Figures
    last_at: datetime | None
    bounce: int = 0
    """0, or `Recipient.Bounce`; only of one contact."""
    links: Sequence[str] = ()
    """The addresses clicked, the latest first; only of one contact."""


@dataclass(frozen=True, slots=True)
class ActivityLine:
    """Something that happened. `kind`: sent, open, machine, click, soft, hard, unsubscribe.

    Opens of one campaign are one line, with how many there were and when the last was.
    """

    kind: str
    at: datetime
    campaign_id: int
    campaign: str
    url: str = ""
    times: int = 1
    reason: str = ""
    contact_id: int | None = None
    contact: str = ""


@dataclass(frozen=True, slots=True)
class ContactActivity:
    """All that campaigns know of one contact."""

    campaigns: Sequence[MailedCampaign]
    """The newest fifty, newest first."""
    total: int
    figures: Figures
    """Over all campaigns, not only those listed."""
    lines: Sequence[ActivityLine]


@dataclass(frozen=True, slots=True)
class ContactFigures:
    """A contact of a client with sums over all campaigns."""

    id: int
    name: str
    figures: Figures
    last_at: datetime | None


@dataclass(frozen=True, slots=True)
class ClientActivity:
    """What the contacts of one client did."""

    campaigns: Sequence[MailedCampaign] = ()
    total: int = 0
    figures: Figures = field(default_factory=Figures)
    contacts: Sequence[ContactFigures] = ()
    lines: Sequence[ActivityLine] = ()


_SUMS = """count(*)::int, sum(r.opens)::int, sum(r.machine_opens)::int,
    count(*) FILTER (WHERE r.opens > 0)::int, count(*) FILTER (WHERE r.opens > r.machine_opens)::int,
    sum(r.clicks)::int, count(*) FILTER (WHERE r.clicks > 0)::int,
    count(*) FILTER (WHERE r.bounce = 1)::int, count(*) FILTER (WHERE r.bounce = 2)::int,
    count(*) FILTER (WHERE r.unsubscribed)::int"""

_MINE = """
FROM campaigns_person p JOIN campaigns_recipient r ON r.person_id = p.id
JOIN campaigns_campaign c ON c.id = r.campaign_id AND c.company_id = %(company)s
"""

_CAMPAIGNS = f"""
SELECT c.id, coalesce(nullif(c.title, ''), c.subject), c.subject, c.send_time, max(r.last_at),
    max(r.bounce)::int, {_SUMS}
{_MINE} WHERE p.contact_id = ANY(%(contacts)s)
GROUP BY c.id ORDER BY c.send_time DESC, c.id DESC LIMIT {CAMPAIGNS}
"""

_TOTAL = f"""
SELECT count(DISTINCT c.id)::int, {_SUMS} {_MINE} WHERE p.contact_id = ANY(%(contacts)s)
"""

_LINKS = """
SELECT v.campaign_id, l.url, max(v.at) FROM campaigns_person p
JOIN campaigns_reaction v ON v.person_id = p.id AND v.campaign_id = ANY(%(campaigns)s) AND v.what >= 16
JOIN campaigns_link l ON l.campaign_id = v.campaign_id AND l.number = v.what - 16
WHERE p.contact_id = ANY(%(contacts)s) GROUP BY 1, 2 ORDER BY 3 DESC, 1 DESC, 2
"""

_CLICKS_AND_BOUNCES = f"""
(SELECT CASE v.what WHEN 2 THEN 'soft' WHEN 3 THEN 'hard' ELSE 'click' END AS kind, v.at, v.campaign_id,
    coalesce(l.url, ''), 1, '', p.contact_id
FROM campaigns_person p
JOIN campaigns_reaction v ON v.person_id = p.id AND v.campaign_id = ANY(%(campaigns)s) AND v.what >= 2
LEFT JOIN campaigns_link l ON l.campaign_id = v.campaign_id AND l.number = v.what - 16
WHERE p.contact_id = ANY(%(contacts)s)
ORDER BY v.at DESC, v.campaign_id DESC, v.what, p.contact_id LIMIT {LINES})
UNION ALL
(SELECT CASE WHEN v.machine THEN 'machine' ELSE 'open' END, max(v.at), v.campaign_id, '', count(*), '',
    p.contact_id
FROM campaigns_person p
JOIN campaigns_reaction v ON v.person_id = p.id AND v.campaign_id = ANY(%(campaigns)s) AND v.what = 1
WHERE p.contact_id = ANY(%(contacts)s) GROUP BY v.campaign_id, v.machine, p.contact_id
ORDER BY 2 DESC, 3 DESC, 1, 7 LIMIT {LINES})
UNION ALL
(SELECT 'unsubscribe', u.at, u.campaign_id, '', 1, u.reason, p.contact_id FROM campaigns_person p
JOIN campaigns_unsubscribe u ON u.person_id = p.id AND u.campaign_id = ANY(%(campaigns)s)
WHERE p.contact_id = ANY(%(contacts)s))
ORDER BY 2 DESC, 3 DESC, 1, 4, 7 LIMIT {LINES}
"""


def contact_activity(actor: Actor, contact_id: int) -> ContactActivity:
    """The campaigns of one contact, under whatever addresses they got them. Four queries.

    Raises `NotFound`, `NotPermitted`.
    """
    actor.require(Permission.VIEW_SYNC)
    if not contacts_of(actor, deleted=None).filter(pk=contact_id).exists():
        raise NotFound("contact")
    campaigns, total, figures = _campaigns(actor, [contact_id])
    lines = _lines(actor, [contact_id], campaigns)
    lines += [ActivityLine("sent", one.sent_at, one.id, one.title) for one in campaigns]
    lines.sort(key=lambda line: line.at, reverse=True)
    return ContactActivity(campaigns, total, figures, lines[:LINES])


def activity_stamp(actor: Actor, contact_id: int) -> str:
    """A text that changes when anything that `contact_activity` shows does; one small query.

    For pages that stay open: while it is the same, there is nothing new to show. Raises as that.
    """
    actor.require(Permission.VIEW_SYNC)
    if not contacts_of(actor, deleted=None).filter(pk=contact_id).exists():
        raise NotFound("contact")
    with database.cursor() as cursor:
        cursor.execute(
            f"SELECT {_SUMS}, max(r.last_at), sum(r.bounce) {_MINE} WHERE p.contact_id = %(contact)s",
            {"company": actor.company.pk, "contact": contact_id},
        )
        return "-".join(str(value or 0) for value in cursor.fetchone())


_CONTACTS = f"""
SELECT k.id, coalesce(nullif(btrim(k.first_name || ' ' || k.last_name), ''), k.email), max(r.last_at), {_SUMS}
{_MINE} JOIN book_contact k ON k.id = p.contact_id
WHERE p.contact_id = ANY(%(contacts)s) GROUP BY k.id
ORDER BY sum(r.clicks) DESC, sum(r.opens - r.machine_opens) DESC, 2, 1 LIMIT 50
"""


def client_activity(actor: Actor, client_id: int) -> ClientActivity:
    """The roll-up of a client: its contacts' campaigns, the most active of them, and the latest clicks.

    Counted from the rows of those who are its contacts now, deleted ones included. Raises `NotFound`,
    `NotPermitted`.
    """
    actor.require(Permission.VIEW_SYNC)
    if not clients_of(actor, deleted=None).filter(pk=client_id).exists():
        raise NotFound("client")
    contacts = list(contacts_of(actor, deleted=None).filter(client_id=client_id).values_list("pk", flat=True))
    campaigns, total, figures = _campaigns(actor, contacts)
    if not campaigns:
        return ClientActivity()
    with database.cursor() as cursor:
        cursor.execute(_CONTACTS, {"company": actor.company.pk, "contacts": contacts})
        people = [
            ContactFigures(row[0], row[1], Figures(*row[3:]), _moment(row[2])) for row in cursor.fetchall()
        ]
    names = {one.id: one.name for one in people}
    lines = [
        ActivityLine(
            line.kind,
            line.at,
            line.campaign_id,
            line.campaign,
            line.url,
            line.times,
            line.reason,
            line.contact_id,
            names.get(line.contact_id or 0, ""),
        )
        for line in _lines(actor, contacts, campaigns)
        if line.kind != "machine"
    ]
    return ClientActivity(campaigns, total, figures, people, lines)


def _campaigns(actor: Actor, contacts: Sequence[int]) -> tuple[list[MailedCampaign], int, Figures]:
    parameters = {"company": actor.company.pk, "contacts": list(contacts)}
    with database.cursor() as cursor:
        cursor.execute(_CAMPAIGNS, parameters)
        rows = cursor.fetchall()
        if not rows:
            return [], 0, Figures()
        cursor.execute(_TOTAL, parameters)
        total, *sums = cursor.fetchone()
        links: dict[int, list[str]] = {}
        if len(contacts) == 1:
            cursor.execute(_LINKS, parameters | {"campaigns": [row[0] for row in rows]})
            for campaign, url, _ in cursor.fetchall():
                links.setdefault(campaign, []).append(url)
    return (
        [
            MailedCampaign(
                id=row[0],
                title=row[1] or "Untitled",
                subject=row[2],
                sent_at=row[3],
                last_at=_moment(row[4]),
                bounce=row[5] if len(contacts) == 1 else Recipient.Bounce.NONE,
                figures=Figures(*row[6:]),
                links=links.get(row[0], ()),
            )
            for row in rows
        ],
        total,
        Figures(*sums),
    )


def _lines(actor: Actor, contacts: Sequence[int], campaigns: Sequence[MailedCampaign]) -> list[ActivityLine]:
    titles = {one.id: one.title for one in campaigns}
    with database.cursor() as cursor:
        cursor.execute(_CLICKS_AND_BOUNCES, {"contacts": list(contacts), "campaigns": list(titles)})
        return [
            ActivityLine(kind, moment_of(at), campaign, titles[campaign], url, times, reason, contact)
            for kind, at, campaign, url, times, reason, contact in cursor.fetchall()
        ]


def _moment(seconds: int | None) -> datetime | None:
    return moment_of(seconds) if seconds else None
