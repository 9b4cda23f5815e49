"""The contacts lists and the contact page."""

from __future__ import annotations

import datetime
from collections.abc import Sequence

from django.db.models import QuerySet

from lockstep.apps.accounts.permissions import Actor, Permission
from lockstep.apps.book.errors import NotFound
from lockstep.apps.book.models import ClientAddress, Contact
from lockstep.apps.book.queries.clients import address_of
from lockstep.apps.book.queries.filters import ContactFilter, contacts_of_page
from lockstep.apps.book.queries.lookups import named_rep, named_value, pick_tags, tags_by_id
from lockstep.apps.book.queries.paging import DEFAULT_SIZE, Order, Page, keyset_page
from lockstep.apps.book.queries.rows import Address, ContactDetails, ContactRow, Named
from lockstep.apps.book.queries.scope import contacts_of

CONTACT_SORTS = {
    "name": Order("name_key"),
    "-name": Order("name_key", descending=True),
    "changed": Order("updated_at", kind=datetime.datetime),
    "-changed": Order("updated_at", descending=True, kind=datetime.datetime),
}
"""What `contacts_page` can sort by; names go by last name."""


def contacts_page(
    actor: Actor,
    wanted: ContactFilter | None = None,
    *,
    sort: str = "name",
    cursor: str | None = None,
    size: int = DEFAULT_SIZE,
) -> Page[ContactRow]:
    """A page of the contacts that fit, in three queries.

    Reading a search takes up to four more. An unknown `sort` counts as the default.
    """
    actor.require(Permission.VIEW_BOOK)
    wanted = wanted or ContactFilter()
    order = CONTACT_SORTS.get(sort, CONTACT_SORTS["name"])
    contacts, total = contacts_of_page(actor, wanted, order=order, cursor=cursor, size=size)
    return keyset_page(
        contacts.select_related("client", "department"),
        order=order,
        cursor=cursor,
        size=size,
        total=total,
        shape=lambda found: contact_rows(actor, found),
    )


def contact_details(actor: Actor, contact_id: int) -> ContactDetails:
    """The contact, deleted or not. Raises `NotFound`."""
    actor.require(Permission.VIEW_BOOK)
    contact = _in_full(contacts_of(actor, deleted=None)).filter(pk=contact_id).first()
    if contact is None:
        raise NotFound("contact")
    return _details(actor, [contact])[0]


def contacts_in_full(
    actor: Actor,
    wanted: ContactFilter | None = None,
    *,
    sort: str = "name",
    cursor: str | None = None,
    size: int = DEFAULT_SIZE,
) -> Page[ContactDetails]:
    """As `contacts_page`, with all that there is to know of each contact: for other systems."""
    actor.require(Permission.VIEW_BOOK)
    wanted = wanted or ContactFilter()
    order = CONTACT_SORTS.get(sort, CONTACT_SORTS["name"])
    contacts, total = contacts_of_page(actor, wanted, order=order, cursor=cursor, size=size)
    return keyset_page(
        _in_full(contacts),
        order=order,
        cursor=cursor,
        size=size,
        total=total,
        shape=lambda found: _details(actor, found),
    )


def _in_full(contacts: QuerySet[Contact]) -> QuerySet[Contact]:
    return contacts.select_related("client", "client__status", "client__rep", "department")


def _details(actor: Actor, contacts: Sequence[Contact]) -> list[ContactDetails]:
    """Everything of contacts fetched by `_in_full`, in two queries however many they are."""
    tags = tags_by_id(actor.company.pk, (contact.tag_ids for contact in contacts))
    addresses = {
        address.client_id: address_of(address)
        for address in ClientAddress.objects.filter(
            client_id__in={contact.client_id for contact in contacts}, is_primary=True
        )
    }
    return [
        _contact_details(
            contact, pick_tags(contact.tag_ids, tags), addresses.get(contact.client_id, Address())
        )
        for contact in contacts
    ]


def _contact_details(contact: Contact, tags: tuple[Named, ...], client_address: Address) -> ContactDetails:
    client = contact.client
    return ContactDetails(
        id=contact.pk,
        name=contact.full_name or contact.email,
        first_name=contact.first_name,
        last_name=contact.last_name,
        position=contact.position,
        email=contact.email,
        email_valid=contact.email_valid,
        phone=contact.phone,
        extension=contact.extension,
        cell=contact.cell,
        fax=contact.fax,
        department=named_value(contact.department),
        tags=tags,
        client=Named(client.pk, client.name),
        client_external_id=client.external_id,
        client_status=named_value(client.status),
        client_deleted=client.deleted_at is not None,
        rep=named_rep(client.rep),
        own_address=Address(
            line1=contact.line1,
            line2=contact.line2,
            city=contact.city,
            state=contact.state,
            postal_code=contact.postal_code,
            country=contact.country,
        ),
        client_address=client_address,
        no_marketing=contact.no_marketing,
        no_marketing_reason=contact.no_marketing_reason,
        no_marketing_at=contact.no_marketing_at,
        active=contact.active,
        external_id=contact.external_id,
        created_at=contact.created_at,
        updated_at=contact.updated_at,
        deleted_at=contact.deleted_at,
        merged_into_id=contact.merged_into_id,
    )


def contact_rows(actor: Actor, contacts: Sequence[Contact]) -> list[ContactRow]:
    """Rows of contacts that were fetched with `client` and `department`; one more query for all tags."""
    tags = tags_by_id(actor.company.pk, (contact.tag_ids for contact in contacts))
    return [
        ContactRow(
            id=contact.pk,
            name=contact.full_name or contact.email,
            first_name=contact.first_name,
            last_name=contact.last_name,
            position=contact.position,
            email=contact.email,
            email_valid=contact.email_valid,
            phone=contact.phone,
            extension=contact.extension,
            cell=contact.cell,
            department=named_value(contact.department),
            tags=pick_tags(contact.tag_ids, tags),
            client=Named(contact.client.pk, contact.client.name),
            no_marketing=contact.no_marketing,
            active=contact.active,
            deleted_at=contact.deleted_at,
            created_at=contact.created_at,
            updated_at=contact.updated_at,
        )
        for contact in contacts
    ]
