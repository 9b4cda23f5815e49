"""Writes contacts as CSV or XLSX: every column that an import reads, so that the book comes back the same."""

from __future__ import annotations

import csv
from collections.abc import Iterator

from django.db.models import Exists, OuterRef

from lockstep.apps.accounts.permissions import Actor, Permission
from lockstep.apps.book.models import Client, ClientAddress, Contact, Tag
from lockstep.apps.book.queries.filters import ContactFilter, filtered_contacts
from lockstep.apps.book.queries.scope import clients_of
from lockstep.apps.book.services.imports.columns import COLUMNS
from lockstep.apps.book.services.imports.formulas import safe_cell
from lockstep.apps.book.services.imports.refused import Line
from lockstep.apps.book.services.spreadsheets import xlsx

BATCH = 2_000
"""Contacts fetched at a time. Batches go by id: no cursor stays open while somebody downloads slowly."""

_ADDRESS = ("line1", "line2", "city", "state", "postal_code", "country")


def contacts_csv(actor: Actor, wanted: ContactFilter | None = None) -> Iterator[str]:
    """The lines of a CSV file with the contacts that fit, oldest first, streamed.

    UTF-8 with a byte order mark, safe to open in a spreadsheet. Without any
    filter it also holds the clients that have no contact. The address is the
    contact's own or else the client's. Raises `NotPermitted` at once.
    """
    actor.require(Permission.EXPORT_BOOK)
    return _lines(actor, wanted or ContactFilter())


def contacts_xlsx(actor: Actor, wanted: ContactFilter | None = None) -> Iterator[bytes]:
    """The same as a workbook whose cells are all text, streamed. Raises `NotPermitted` at once."""
    actor.require(Permission.EXPORT_BOOK)
    return xlsx([column.label for column in COLUMNS], _rows(actor, wanted or ContactFilter()))


def _lines(actor: Actor, wanted: ContactFilter) -> Iterator[str]:
    line = Line()
    writer = csv.writer(line)
    writer.writerow([column.label for column in COLUMNS])
    yield "\ufeff" + line.text
    for row in _rows(actor, wanted):
        writer.writerow([safe_cell(cell) for cell in row])
        yield line.text


def _rows(actor: Actor, wanted: ContactFilter) -> Iterator[list[str]]:
    tags = dict(Tag.objects.filter(company=actor.company).values_list("id", "name"))
    batches = [_contact_batches(actor, wanted)]
    if wanted.is_empty:
        batches.append(_client_batches(actor))
    for batch in batches:
        for cells in batch:
            yield [_text(cells.get(column.key, ""), tags) for column in COLUMNS]


def _text(value: object, tags: dict[int, str]) -> str:
    if isinstance(value, list):
        return ", ".join(tags[tag_id] for tag_id in value if tag_id in tags)
    return str(value)


def _contact_batches(actor: Actor, wanted: ContactFilter) -> Iterator[dict[str, object]]:
    contacts = filtered_contacts(actor, wanted, whole=True).select_related(
        "department", "client", "client__status", "client__industry", "client__rep"
    )
    last = 0
    while batch := list(contacts.filter(pk__gt=last).order_by("pk")[:BATCH]):
        last = batch[-1].pk
        addresses = _addresses([contact.client_id for contact in batch])
        for contact in batch:
            yield {
                **_client_cells(contact.client, addresses.get(contact.client_id)),
                **_contact_cells(contact),
            }


def _client_batches(actor: Actor) -> Iterator[dict[str, object]]:
    clients = (
        clients_of(actor)
        .filter(~Exists(Contact.objects.filter(client=OuterRef("pk"), deleted_at=None)))
        .select_related("status", "industry", "rep")
    )
    last = 0
    while batch := list(clients.filter(pk__gt=last).order_by("pk")[:BATCH]):
        last = batch[-1].pk
        addresses = _addresses([client.pk for client in batch])
        for client in batch:
            yield _client_cells(client, addresses.get(client.pk))


def _addresses(client_ids: list[int]) -> dict[int, ClientAddress]:
    primary = ClientAddress.objects.filter(client__in=set(client_ids), is_primary=True)
    return {address.client_id: address for address in primary}


def _client_cells(client: Client, address: ClientAddress | None) -> dict[str, object]:
    cells: dict[str, object] = {
        "client_name": client.name,
        "account_number": client.account_number,
        "company_phone": client.phone,
        "website": client.website,
        "rep_email": client.rep.email if client.rep else "",
        "industry": client.industry.name if client.industry else "",
        "status": client.status.name if client.status else "",
        "client_tags": client.tag_ids,
        "client_external_id": client.external_id,
    }
    if address is not None:
        cells["address_name"] = address.name
        cells.update((part, getattr(address, part)) for part in _ADDRESS)
    return cells


def _contact_cells(contact: Contact) -> dict[str, object]:
    cells: dict[str, object] = {
        "first_name": contact.first_name,
        "last_name": contact.last_name,
        "email": contact.email,
        "department": contact.department.name if contact.department else "",
        "position": contact.position,
        "phone": contact.phone,
        "cell": contact.cell,
        "fax": contact.fax,
        "extension": contact.extension,
        "contact_tags": contact.tag_ids,
        "no_marketing": "yes" if contact.no_marketing else "no",
        "active": "yes" if contact.active else "no",
        "external_id": contact.external_id,
    }
    own = {part: getattr(contact, part) for part in _ADDRESS}
    return {**cells, "address_name": "", **own} if any(own.values()) else cells
