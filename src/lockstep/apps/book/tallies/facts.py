"""Which facets contacts and clients have, read from the book as it is now."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from django.db import connection

from lockstep.apps.book.tallies.sheets import BLOCK, EVERYONE, Facet

CONTACT, CLIENT = "contact", "client"

NONE_GIVEN = "0"
"""The value that stands for “none”, as in the filters."""

YES, NO = "1", "0"

#: A contact's kinds in the order of `_CONTACTS`' columns after the id. State and country are those of the
#: contact's own address where any part of it is filled in, else of the client's primary one.
_CONTACTS = """
    SELECT ct.id, cl.status_id, cl.industry_id, cl.rep_id, ct.department_id, cl.tag_ids, ct.tag_ids,
        CASE WHEN own.address THEN btrim(ct.state) ELSE btrim(coalesce(ad.state, '')) END,
        CASE WHEN own.address THEN btrim(ct.country) ELSE btrim(coalesce(ad.country, '')) END,
        ct.active, cl.active, ct.no_marketing,
        ct.no_marketing OR (ct.email_key <> '' AND EXISTS (SELECT FROM book_contact f
            WHERE f.company_id = ct.company_id AND f.email_key = ct.email_key AND f.no_marketing
                AND f.deleted_at IS NULL)),
        CASE WHEN ct.email_key = '' THEN 'none' WHEN ct.email_valid THEN 'valid' ELSE 'invalid' END,
        ct.email_key <> '' AND EXISTS (SELECT FROM book_contact f
            WHERE f.company_id = ct.company_id AND f.email_key = ct.email_key AND f.id <> ct.id
                AND f.deleted_at IS NULL)
    FROM book_contact ct
    JOIN book_client cl ON cl.id = ct.client_id
    LEFT JOIN book_clientaddress ad ON ad.client_id = cl.id AND ad.is_primary
    CROSS JOIN LATERAL (SELECT (ct.line1 || ct.line2 || ct.city || ct.state || ct.postal_code || ct.country)
        <> '' AS address) own
    WHERE ct.company_id = %(company)s AND ct.deleted_at IS NULL AND cl.deleted_at IS NULL AND {which}
"""
_FLAGS = ("active", "client_active", "no_marketing", "flagged")

_CLIENTS = """
    SELECT cl.id, cl.status_id, cl.industry_id, cl.rep_id, cl.tag_ids, cl.active FROM book_client cl
    WHERE cl.company_id = %(company)s AND cl.deleted_at IS NULL AND {which}
"""


def read_facts(
    company_id: int, subject: str, *, block: int | None = None, ids: Sequence[int] | None = None
) -> Iterator[tuple[int, list[Facet]]]:
    """(id, facets) of one block, of these ids, or of all; what is deleted does not come."""
    column = "ct.id" if subject == CONTACT else "cl.id"
    which = "TRUE"
    if block is not None:
        which = f"{column} >= %(from)s AND {column} < %(to)s"
    elif ids is not None:
        which = f"{column} = ANY(%(ids)s)"
    query, shape = (_CONTACTS, _of_contact) if subject == CONTACT else (_CLIENTS, _of_client)
    values = {
        "company": company_id,
        "from": (block or 0) * BLOCK,
        "to": ((block or 0) + 1) * BLOCK,
        "ids": list(ids or ()),
    }
    with connection.cursor() as cursor:
        cursor.execute(query.format(which=which), values)
        for row in cursor.fetchall():
            yield row[0], shape(row)


def _id(value: int | None) -> str:
    return NONE_GIVEN if value is None else str(value)


def _tags(kind: str, ids: Sequence[int]) -> list[Facet]:
    return [(kind, str(tag)) for tag in ids] or [(kind, NONE_GIVEN)]


def _of_contact(row: tuple[Any, ...]) -> list[Facet]:
    _, status, industry, rep, department, client_tags, tags, state, country, *flags, email, shared = row
    facets = [
        EVERYONE,
        ("status", _id(status)),
        ("industry", _id(industry)),
        ("rep", _id(rep)),
        ("department", _id(department)),
        ("state", state),
        ("country", country),
        ("email", email),
        *_tags("client_tag", client_tags),
        *_tags("tag", tags),
    ]
    facets += [(kind, YES if flag else NO) for kind, flag in zip(_FLAGS, flags, strict=True)]
    if shared:
        facets.append(("shared", YES))
    return facets


def _of_client(row: tuple[Any, ...]) -> list[Facet]:
    _, status, industry, rep, tags, active = row
    return [
        EVERYONE,
        ("status", _id(status)),
        ("industry", _id(industry)),
        ("rep", _id(rep)),
        *_tags("tag", tags),
        ("active", YES if active else NO),
    ]
