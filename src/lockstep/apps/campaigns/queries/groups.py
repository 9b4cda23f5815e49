"""Which clients, reps and tags react: campaigns by what their recipients have in common."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import connection as database

from lockstep.apps.accounts.permissions import Actor, Permission
from lockstep.apps.campaigns.moments import moment_of
from lockstep.apps.campaigns.queries.campaigns import CampaignFilter, campaigns_of
from lockstep.apps.campaigns.queries.figures import FIGURES, Figures, own_clients

__all__ = ["CLIENT_SORTS", "ClientList", "GroupRow", "by_client", "by_rep", "by_tag"]

PAGE = 25


@dataclass(frozen=True, slots=True)
class GroupRow:
    """Some recipients with something in common. `id` is of the client, rep or tag; None for “none”."""

    id: int | None
    name: str
    figures: Figures
    last_at: datetime | None
    """When one of them last did something themselves."""


@dataclass(frozen=True, slots=True)
class ClientList:
    """One page of clients."""

    rows: Sequence[GroupRow]
    total: int
    page: int
    pages: int

    @property
    def first(self) -> int:
        return (self.page - 1) * PAGE + 1 if self.rows else 0

    @property
    def last(self) -> int:
        return self.first + len(self.rows) - 1 if self.rows else 0


_DELIVERED = "greatest(1, sum(f.recipients) - sum(f.soft_bounces) - sum(f.hard_bounces))"

#: What the list of clients can be sorted by; several campaigns count a contact once for each.
CLIENT_SORTS = {
    "-clicked": f"sum(f.clickers)::float / {_DELIVERED} DESC, sum(f.clickers) DESC, c.name, c.id",
    "-opened": f"sum(f.human_openers)::float / {_DELIVERED} DESC, sum(f.human_openers) DESC, c.name, c.id",
    "-reached": "sum(f.recipients) DESC, c.name, c.id",
    "-last": "max(f.last_at) DESC, c.name, c.id",
    "name": "c.name, c.id",
}

_SUMS = ", ".join(f"sum(f.{name})::int" for name in FIGURES)

_BY_CLIENT = f"""
SELECT c.id, c.name, max(f.last_at), count(*) OVER (), {_SUMS}
FROM campaigns_clientfigure f JOIN book_client c ON c.id = f.client_id AND c.company_id = %(company)s
    AND c.deleted_at IS NULL
WHERE f.campaign_id = ANY(%(campaigns)s) AND {{own}} AND {{search}}
GROUP BY c.id, c.name ORDER BY {{order}} LIMIT {PAGE} OFFSET %(offset)s
"""


def by_client(
    actor: Actor,
    wanted: CampaignFilter | None = None,
    *,
    campaign_id: int | None = None,
    search: str = "",
    sort: str = "-clicked",
    page: int = 1,
) -> ClientList:
    """Clients by what their contacts did with the campaigns that fit, or with one of them.

    As of the last reading of each campaign. Raises `NotPermitted`.
    """
    own, parameters = own_clients(actor, "c.id")
    parameters |= {
        "company": actor.company.pk,
        "campaigns": _campaign_ids(actor, wanted, campaign_id),
        "search": f"%{_like(search)}%",
    }
    statement = _BY_CLIENT.format(
        own=own,
        search="c.name ILIKE %(search)s" if search.strip() else "TRUE",
        order=CLIENT_SORTS.get(sort, CLIENT_SORTS["-clicked"]),
    )
    page = max(1, min(page, 100_000))
    with database.cursor() as cursor:
        cursor.execute(statement, parameters | {"offset": (page - 1) * PAGE})
        found = cursor.fetchall()
    rows = [GroupRow(row[0], row[1], Figures(*row[4:]), _moment(row[2])) for row in found]
    total = found[0][3] if found else 0
    return ClientList(rows, total, page, max(1, -(-total // PAGE)))


_BY_REP = f"""
SELECT u.id, coalesce(nullif(btrim(u.first_name || ' ' || u.last_name), ''), u.email, ''), max(f.last_at),
    {_SUMS}
FROM campaigns_clientfigure f JOIN book_client c ON c.id = f.client_id AND c.company_id = %(company)s
LEFT JOIN accounts_user u ON u.id = c.rep_id
WHERE f.campaign_id = ANY(%(campaigns)s) AND {{own}}
GROUP BY 1, 2 ORDER BY sum(f.clickers) DESC, 2, 1
"""


def by_rep(
    actor: Actor, wanted: CampaignFilter | None = None, *, campaign_id: int | None = None
) -> list[GroupRow]:
    """The same by the clients' reps. Raises `NotPermitted`."""
    own, parameters = own_clients(actor, "c.id")
    parameters |= {"company": actor.company.pk, "campaigns": _campaign_ids(actor, wanted, campaign_id)}
    with database.cursor() as cursor:
        cursor.execute(_BY_REP.format(own=own), parameters)
        return [
            GroupRow(row[0], row[1] or "No rep", Figures(*row[3:]), _moment(row[2]))
            for row in cursor.fetchall()
        ]


_PEOPLE_SUMS = """count(*)::int, sum(r.opens)::int, sum(r.machine_opens)::int,
    count(*) FILTER (WHERE r.opens > 0)::int, count(*) FILTER (WHERE r.opens > r.machine_opens)::int,
    sum(r.clicks)::int, count(*) FILTER (WHERE r.clicks > 0)::int,
    count(*) FILTER (WHERE r.bounce = 1)::int, count(*) FILTER (WHERE r.bounce = 2)::int,
    count(*) FILTER (WHERE r.unsubscribed)::int"""

_BY_TAG = f"""
SELECT t.id, t.name, max(r.last_at), {_PEOPLE_SUMS}
FROM campaigns_recipient r JOIN campaigns_person p ON p.id = r.person_id
JOIN book_contact k ON k.id = p.contact_id AND k.company_id = %(company)s
JOIN book_client c ON c.id = k.client_id
JOIN book_tag t ON t.company_id = %(company)s AND t.id = ANY({{tags}})
WHERE r.campaign_id = %(campaign)s AND {{own}}
GROUP BY t.id, t.name ORDER BY count(*) FILTER (WHERE r.clicks > 0) DESC, count(*) DESC, t.name LIMIT 100
"""


def by_tag(actor: Actor, campaign_id: int, *, of_clients: bool = False) -> list[GroupRow]:
    """One campaign by contact tags, or by client tags; who has several tags counts under each.

    The hundred tags most clicked. Raises `NotPermitted`.
    """
    own, parameters = own_clients(actor, "c.id")
    parameters |= {"company": actor.company.pk}
    tags = "c.tag_ids" if of_clients else "k.tag_ids"
    rows: list[GroupRow] = []
    with database.cursor() as cursor:
        for campaign in _campaign_ids(actor, None, campaign_id):
            cursor.execute(_BY_TAG.format(own=own, tags=tags), parameters | {"campaign": campaign})
            rows = [GroupRow(row[0], row[1], Figures(*row[3:]), _moment(row[2])) for row in cursor.fetchall()]
    return rows


def _campaign_ids(actor: Actor, wanted: CampaignFilter | None, campaign_id: int | None) -> list[int]:
    actor.require(Permission.VIEW_SYNC)
    found = campaigns_of(actor, wanted)
    if campaign_id is not None:
        found = found.filter(pk=campaign_id)
    return list(found.values_list("pk", flat=True))


def _like(text: str) -> str:
    return text.strip().replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _moment(seconds: int | None) -> datetime | None:
    return moment_of(seconds) if seconds else None
