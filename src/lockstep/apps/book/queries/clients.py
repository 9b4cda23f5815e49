"""The clients list and the client page."""

from __future__ import annotations

import datetime
import re
from collections.abc import Sequence

from django.db import connection
from django.db.models import QuerySet

from lockstep.apps.accounts.permissions import Actor, Permission
from lockstep.apps.book.errors import NotFound
from lockstep.apps.book.models import Client, ClientAddress
from lockstep.apps.book.queries.filters import ClientFilter, clients_of_page
from lockstep.apps.book.queries.lookups import named_rep, named_value, pick_tags, tags_by_id
from lockstep.apps.book.queries.paging import DEFAULT_SIZE, Order, Page, keyset_page
from lockstep.apps.book.queries.rows import Address, ClientDetails, ClientRow, Named
from lockstep.apps.book.queries.scope import clients_of

CLIENT_SORTS = {
    "name": Order("name_key"),
    "-name": Order("name_key", descending=True),
    "changed": Order("updated_at", kind=datetime.datetime),
    "-changed": Order("updated_at", descending=True, kind=datetime.datetime),
}
"""What `clients_page` can sort by; '-changed' is most recently changed first."""


def clients_page(
    actor: Actor,
    wanted: ClientFilter | None = None,
    *,
    sort: str = "-changed",
    cursor: str | None = None,
    size: int = DEFAULT_SIZE,
) -> Page[ClientRow]:
    """A page of the clients that fit, in five queries.

    Reading a search takes up to four more. An unknown `sort` counts as the default.
    """
    actor.require(Permission.VIEW_BOOK)
    wanted = wanted or ClientFilter()
    order = CLIENT_SORTS.get(sort, CLIENT_SORTS["-changed"])
    clients, total = clients_of_page(actor, wanted, order=order, cursor=cursor, size=size)
    return keyset_page(
        clients.select_related("status", "industry", "rep"),
        order=order,
        cursor=cursor,
        size=size,
        total=total,
        shape=lambda found: _client_rows(actor, found),
    )


def client_details(actor: Actor, client_id: int) -> ClientDetails:
    """The client, deleted or not. Raises `NotFound`."""
    actor.require(Permission.VIEW_BOOK)
    client = _in_full(clients_of(actor, deleted=None)).filter(pk=client_id).first()
    if client is None:
        raise NotFound("client")
    return _details(actor, [client])[0]


def clients_in_full(
    actor: Actor,
    wanted: ClientFilter | None = None,
    *,
    sort: str = "name",
    cursor: str | None = None,
    size: int = DEFAULT_SIZE,
) -> Page[ClientDetails]:
    """As `clients_page`, with all that there is to know of each client: for other systems."""
    actor.require(Permission.VIEW_BOOK)
    wanted = wanted or ClientFilter()
    order = CLIENT_SORTS.get(sort, CLIENT_SORTS["name"])
    clients, total = clients_of_page(actor, wanted, order=order, cursor=cursor, size=size)
    return keyset_page(
        _in_full(clients),
        order=order,
        cursor=cursor,
        size=size,
        total=total,
        shape=lambda found: _details(actor, found),
    )


def _in_full(clients: QuerySet[Client]) -> QuerySet[Client]:
    return clients.select_related("status", "industry", "rep")


def _details(actor: Actor, clients: Sequence[Client]) -> list[ClientDetails]:
    """Everything of clients fetched by `_in_full`, in three queries however many they are."""
    figures = _contact_figures(clients)
    tags = tags_by_id(actor.company.pk, (client.tag_ids for client in clients))
    addresses = _all_addresses(clients)
    return [
        _client_details(
            client,
            pick_tags(client.tag_ids, tags),
            addresses.get(client.pk, [Address()]),
            figures.get(client.pk, (0, 0, None)),
        )
        for client in clients
    ]


def _client_details(
    client: Client,
    tags: tuple[Named, ...],
    addresses: Sequence[Address],
    figures: tuple[int, int, Named | None],
) -> ClientDetails:
    contacts, no_marketing, _main = figures
    return ClientDetails(
        id=client.pk,
        name=client.name,
        account_number=client.account_number,
        status=named_value(client.status),
        industry=named_value(client.industry),
        rep=named_rep(client.rep),
        rep_email=client.rep.email if client.rep else "",
        tags=tags,
        website=client.website,
        website_link=web_address(client.website),
        phone=client.phone,
        notes=client.notes,
        address=addresses[0],
        more_addresses=tuple(addresses[1:]),
        active=client.active,
        external_id=client.external_id,
        contacts=contacts,
        no_marketing=no_marketing,
        created_at=client.created_at,
        updated_at=client.updated_at,
        deleted_at=client.deleted_at,
        merged_into_id=client.merged_into_id,
    )


def _all_addresses(clients: Sequence[Client]) -> dict[int, list[Address]]:
    """By client, the primary one first."""
    found: dict[int, list[Address]] = {}
    rows = ClientAddress.objects.filter(client__in=clients).order_by("-is_primary", "id")
    for row in rows:
        found.setdefault(row.client_id, []).append(address_of(row))
    return found


def _primary_addresses(clients: Sequence[Client]) -> dict[int, Address]:
    primary = ClientAddress.objects.filter(client__in=clients, is_primary=True)
    return {address.client_id: address_of(address) for address in primary}


def address_of(columns: ClientAddress | None) -> Address:
    if columns is None:
        return Address()
    return Address(
        name=columns.name,
        line1=columns.line1,
        line2=columns.line2,
        city=columns.city,
        state=columns.state,
        postal_code=columns.postal_code,
        country=columns.country,
    )


def web_address(website: str) -> str:
    """What was typed as an http(s) address, '' for anything else: a link must never run a script."""
    if re.match(r"https?://[^\s/]", website, re.IGNORECASE):
        return website
    if re.fullmatch(r"[\w.-]+\.[a-z]{2,}(:\d+)?([/?#]\S*)?", website, re.IGNORECASE):
        return f"https://{website}"
    return ""


def _client_rows(actor: Actor, clients: Sequence[Client]) -> list[ClientRow]:
    figures = _contact_figures(clients)
    tags = tags_by_id(actor.company.pk, (client.tag_ids for client in clients))
    addresses = _primary_addresses(clients)
    rows = []
    for client in clients:
        contacts, no_marketing, main_contact = figures.get(client.pk, (0, 0, None))
        rows.append(
            ClientRow(
                id=client.pk,
                name=client.name,
                account_number=client.account_number,
                place=addresses.get(client.pk, Address()).place,
                status=named_value(client.status),
                industry=named_value(client.industry),
                rep=named_rep(client.rep),
                tags=pick_tags(client.tag_ids, tags),
                active=client.active,
                deleted_at=client.deleted_at,
                contacts=contacts,
                no_marketing=no_marketing,
                main_contact=main_contact,
                created_at=client.created_at,
                updated_at=client.updated_at,
            )
        )
    return rows


def _contact_figures(clients: Sequence[Client]) -> dict[int, tuple[int, int, Named | None]]:
    """By client: how many contacts, how many of them No Marketing, and the main one."""
    if not clients:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT k.client_id, count(*), count(*) FILTER (WHERE k.no_marketing),
                (array_agg(k.id ORDER BY (k.active AND k.email <> '') DESC, k.id))[1],
                (array_agg(coalesce(nullif(btrim(k.first_name || ' ' || k.last_name), ''), k.email)
                    ORDER BY (k.active AND k.email <> '') DESC, k.id))[1]
            FROM book_contact k
            WHERE k.client_id = ANY(%s) AND k.deleted_at IS NULL
            GROUP BY k.client_id
            """,
            [[client.pk for client in clients]],
        )
        return {
            client_id: (contacts, no_marketing, Named(main_id, main_name))
            for client_id, contacts, no_marketing, main_id, main_name in cursor.fetchall()
        }
