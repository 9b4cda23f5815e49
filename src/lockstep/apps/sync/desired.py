"""The desired tree: what the book says of contacts, read set by set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import connection as database

from lockstep.apps.book.models import ListValue, Tag
from lockstep.apps.connections.preferences import Preferences
from lockstep.apps.sync.eligibility import parameters, reason_sql
from lockstep.core import field_map
from lockstep.core.identity import AddressKey
from lockstep.core.member import DesiredMember, Reason
from lockstep.core.tags import TagRule

_COLUMNS = """
    ct.id, ct.email, ct.email_key, ct.first_name, ct.last_name, ct.position, ct.phone, ct.extension,
    ct.department_id, ct.tag_ids, cl.id, cl.status_id, cl.industry_id, cl.tag_ids,
    CASE WHEN own.address THEN ct.state ELSE coalesce(ad.state, '') END,
    CASE WHEN own.address THEN ct.country ELSE coalesce(ad.country, '') END,
    coalesce(rep.first_name, ''), coalesce(rep.last_name, '')
"""

_FROM = """
    FROM book_contact ct
    JOIN book_client cl ON cl.id = ct.client_id
    LEFT JOIN accounts_user rep ON rep.id = cl.rep_id
    LEFT JOIN book_clientaddress ad ON ad.client_id = cl.id AND ad.is_primary
    CROSS JOIN LATERAL (SELECT (ct.line1 || ct.line2 || ct.city || ct.state || ct.postal_code || ct.country)
        <> '' AS address) own
"""


@dataclass(frozen=True, slots=True)
class Names:
    """The company's lists and tags by id, as they are written into fields. Small; read once a slice."""

    values: dict[int, str]
    tags: dict[int, str]

    @classmethod
    def of(cls, company_id: int) -> Names:
        return cls(
            values=dict(ListValue.objects.filter(company_id=company_id).values_list("id", "name")),
            tags=dict(Tag.objects.filter(company_id=company_id).values_list("id", "name")),
        )


def read_desired(
    company_id: int,
    preferences: Preferences,
    *,
    contact_ids: Sequence[int] | None = None,
    after: int = 0,
    limit: int = 0,
    nobody_fits: bool = False,
    tag_rule: TagRule | None = None,
    clear_tags: bool = False,
) -> list[DesiredMember]:
    """What the book says now: of `contact_ids`, or of the next `limit` contacts after id `after`.

    `tag_rule` and `clear_tags` are the connection's: which tags members should carry.
    Contacts asked for that the book no longer holds come as deleted. With
    `nobody_fits` every contact is left out (the sync is being stopped).
    Ordered by contact id.
    """
    where = "ct.id = ANY(%(ids)s)" if contact_ids is not None else "ct.id > %(after)s"
    query = f"""
        SELECT {_COLUMNS}, {"'outside'" if nobody_fits else reason_sql(preferences)} {_FROM}
        WHERE ct.company_id = %(company)s AND {where}
        ORDER BY ct.id {"LIMIT %(limit)s" if contact_ids is None else ""}
    """
    values = parameters(company_id, preferences) | {
        "ids": list(contact_ids or ()),
        "after": after,
        "limit": limit,
    }
    names = Names.of(company_id)
    with database.cursor() as cursor:
        cursor.execute(query, values)
        rows = cursor.fetchall()
    found = [_desired(row, names, tag_rule, clear_tags) for row in rows]
    if contact_ids is not None and len(found) < len(contact_ids):
        there = {wanted.contact_id for wanted in found}
        found += [
            DesiredMember(
                contact_id=pk,
                email="",
                key=AddressKey(""),
                reason=Reason.DELETED,
                tags=() if clear_tags else None,
            )
            for pk in contact_ids
            if pk not in there
        ]
        found.sort(key=lambda wanted: wanted.contact_id)
    return found


def _desired(row: tuple[Any, ...], names: Names, tag_rule: TagRule | None, clear_tags: bool) -> DesiredMember:
    (
        contact_id, email, key, first_name, last_name, position, phone, extension,
        department_id, contact_tags, client_id, status_id, industry_id, client_tags,
        state, country, rep_first, rep_last, reason,
    ) = row  # fmt: skip
    if reason != Reason.FITS.value:
        no_tags = () if clear_tags else None
        return DesiredMember(contact_id, email, AddressKey(key), Reason(reason), tags=no_tags)
    of_client = [names.tags[tag] for tag in client_tags if tag in names.tags]
    of_contact = [names.tags[tag] for tag in contact_tags if tag in names.tags]
    values = field_map.make_values(
        {
            "email": email,
            "first_name": first_name,
            "last_name": last_name,
            "position": position,
            "phone": phone,
            "extension": extension,
            "department": names.values.get(department_id, ""),
            "state": state,
            "country": country,
            "client_status": names.values.get(status_id, ""),
            "rep_first_name": rep_first,
            "rep_last_name": rep_last,
            "industry": names.values.get(industry_id, ""),
            "contact_url": contact_url(contact_id),
            "client_url": client_url(client_id),
        },
        client_tags=of_client,
        contact_tags=of_contact,
    )
    tags = () if clear_tags else None
    if tag_rule is not None:
        tags = tag_rule.wanted(client_tags=of_client, contact_tags=of_contact)
    digest = field_map.digest((*values, *tags) if tags else values)
    return DesiredMember(contact_id, email, AddressKey(key), Reason.FITS, values, digest, tags)


def contact_url(contact_id: int) -> str:
    """The contact's page, as it stands in the audience field Contact URL."""
    return f"{contact_urls()}{contact_id}/"


def contact_urls() -> str:
    """What the Contact URL of every contact begins with; the id and a slash follow."""
    return f"{settings.LOCKSTEP_BASE_URL}/contacts/"


def client_url(client_id: int) -> str:
    """The client's page, as it stands in the audience field Client URL."""
    return f"{settings.LOCKSTEP_BASE_URL}/clients/{client_id}/"
