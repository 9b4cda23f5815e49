"""Sums: from reactions to recipients, from recipients to campaigns and clients. Counted, never guessed.

Called inside the transaction that wrote what is counted, so that no page ever shows a sum without its parts.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, fields

from django.db import connection as database
from django.db.models import F

from lockstep.apps.campaigns.models import Campaign

_OF_PEOPLE = """
WITH done AS (
    SELECT person_id,
        count(*) FILTER (WHERE what = 1) AS opens,
        count(*) FILTER (WHERE what = 1 AND machine) AS machine_opens,
        count(*) FILTER (WHERE what >= 16) AS clicks,
        coalesce(max(what - 1) FILTER (WHERE what IN (2, 3)), 0) AS bounce,
        coalesce(max(at) FILTER (WHERE what >= 16 OR what = 1 AND NOT machine), 0) AS last_at
    FROM campaigns_reaction WHERE campaign_id = %(campaign)s AND person_id = ANY(%(people)s)
    GROUP BY person_id
), left_ AS (
    SELECT DISTINCT person_id FROM campaigns_unsubscribe
    WHERE campaign_id = %(campaign)s AND person_id = ANY(%(people)s)
), now_ AS (
    SELECT p.person_id, coalesce(opens, 0) AS opens, coalesce(machine_opens, 0) AS machine_opens,
        coalesce(clicks, 0) AS clicks, coalesce(bounce, 0) AS bounce, coalesce(last_at, 0) AS last_at,
        left_.person_id IS NOT NULL AS unsubscribed
    FROM unnest(%(people)s) AS p(person_id) LEFT JOIN done USING (person_id) LEFT JOIN left_ USING (person_id)
)
UPDATE campaigns_recipient r SET opens = now_.opens, machine_opens = now_.machine_opens,
    clicks = now_.clicks, bounce = now_.bounce, last_at = now_.last_at, unsubscribed = now_.unsubscribed
FROM now_
WHERE r.campaign_id = %(campaign)s AND r.person_id = now_.person_id
  AND (r.opens, r.machine_opens, r.clicks, r.bounce, r.last_at, r.unsubscribed) IS DISTINCT FROM
      (now_.opens, now_.machine_opens, now_.clicks, now_.bounce, now_.last_at, now_.unsubscribed)
"""

SUMS = """
    count(*) AS recipients, coalesce(sum(r.opens), 0) AS opens,
    coalesce(sum(r.machine_opens), 0) AS machine_opens, count(*) FILTER (WHERE r.opens > 0) AS openers,
    count(*) FILTER (WHERE r.opens > r.machine_opens) AS human_openers,
    coalesce(sum(r.clicks), 0) AS clicks, count(*) FILTER (WHERE r.clicks > 0) AS clickers,
    count(*) FILTER (WHERE r.bounce = 1) AS soft_bounces, count(*) FILTER (WHERE r.bounce = 2) AS hard_bounces
"""
"""What is added up of recipients `r`; the columns of `Sums`, in their order."""


@dataclass(frozen=True, slots=True)
class Sums:
    """What some recipients of a campaign add up to; the columns of `Campaign` with these names."""

    recipients: int = 0
    opens: int = 0
    machine_opens: int = 0
    openers: int = 0
    human_openers: int = 0
    clicks: int = 0
    clickers: int = 0
    soft_bounces: int = 0
    hard_bounces: int = 0


NAMES = tuple(field.name for field in fields(Sums))


def count_people(campaign_id: int, people: Collection[int]) -> None:
    """Make the sums of these recipients anew from what they did."""
    if people:
        with database.cursor() as cursor:
            cursor.execute(_OF_PEOPLE, {"campaign": campaign_id, "people": sorted(people)})


def sums_of(campaign_id: int, people: Collection[int]) -> Sums:
    """What these recipients add up to; people who did not get the campaign count for nothing."""
    with database.cursor() as cursor:
        cursor.execute(
            f"SELECT {SUMS} FROM campaigns_recipient r WHERE campaign_id = %s AND person_id = ANY(%s)",
            [campaign_id, sorted(people)],
        )
        return Sums(*cursor.fetchone())


def add_to_campaign(campaign_id: int, before: Sums, after: Sums) -> None:
    """The campaign's totals move by what its recipients' sums moved by."""
    moved = {name: getattr(after, name) - getattr(before, name) for name in NAMES}
    if any(moved.values()):
        Campaign.objects.filter(pk=campaign_id).update(
            **{name: F(name) + by for name, by in moved.items() if by}
        )


_CAMPAIGN = f"""
UPDATE campaigns_campaign c SET ({", ".join(NAMES)}, unsubscribed) =
    (SELECT {SUMS}, (SELECT count(*) FROM campaigns_unsubscribe u WHERE u.campaign_id = %(campaign)s)
     FROM campaigns_recipient r WHERE r.campaign_id = %(campaign)s)
WHERE c.id = %(campaign)s
"""


def count_campaign(campaign_id: int) -> None:
    """Make the campaign's totals anew from all its recipients."""
    with database.cursor() as cursor:
        cursor.execute(_CAMPAIGN, {"campaign": campaign_id})


_CLIENTS = f"""
WITH figures AS (
    SELECT k.client_id, {SUMS}, count(*) FILTER (WHERE r.unsubscribed) AS unsubscribed,
        max(r.last_at) AS last_at
    FROM campaigns_recipient r JOIN campaigns_person p ON p.id = r.person_id
    JOIN book_contact k ON k.id = p.contact_id AND k.company_id = %(company)s
    WHERE r.campaign_id = %(campaign)s GROUP BY k.client_id
), gone AS (
    DELETE FROM campaigns_clientfigure f WHERE f.campaign_id = %(campaign)s
        AND NOT EXISTS (SELECT FROM figures WHERE figures.client_id = f.client_id)
), written AS (
    INSERT INTO campaigns_clientfigure AS f
        (campaign_id, client_id, {", ".join(NAMES)}, unsubscribed, last_at)
    SELECT %(campaign)s, client_id, {", ".join(NAMES)}, unsubscribed, last_at FROM figures
    ON CONFLICT (campaign_id, client_id) DO UPDATE SET
        ({", ".join(NAMES)}, unsubscribed, last_at) =
        ({", ".join(f"excluded.{name}" for name in NAMES)}, excluded.unsubscribed, excluded.last_at)
    WHERE ({", ".join(f"f.{name}" for name in NAMES)}, f.unsubscribed, f.last_at) IS DISTINCT FROM
        ({", ".join(f"excluded.{name}" for name in NAMES)}, excluded.unsubscribed, excluded.last_at)
)
UPDATE campaigns_campaign SET in_book = (SELECT coalesce(sum(recipients), 0) FROM figures)
WHERE id = %(campaign)s
"""


def count_clients(campaign: Campaign) -> None:
    """Make the figures by client anew, and how many recipients are in the book."""
    with database.cursor() as cursor:
        cursor.execute(_CLIENTS, {"campaign": campaign.pk, "company": campaign.company_id})
