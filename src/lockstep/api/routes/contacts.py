"""Contacts."""

from typing import Annotated

from django.db import transaction
from ninja import Path, Query, Router
from pydantic import Field

from lockstep.api.authentication import AccessToken, Asked
from lockstep.api.bulk import LARGEST, Bulk, BulkAnswer
from lockstep.api.idempotency import DESCRIBED, repeatable
from lockstep.api.problems import ERRORS, Problem
from lockstep.api.resolving import Names
from lockstep.api.shapes import (
    ContactInput,
    ContactItem,
    ContactPage,
    ContactShape,
    ExternalId,
    Id,
    ListWanted,
    Strict,
    UpsertAnswer,
)
from lockstep.apps.book.errors import Invalid
from lockstep.apps.book.queries import ContactFilter, contact_details, contacts_in_full
from lockstep.apps.book.services import delete_contact, restore_contact, save_contact, upsert_contact
from lockstep.apps.integrations.scopes import Scope

router = Router(tags=["Contacts"])


class ContactsWanted(ListWanted):
    client_id: Id | None = None
    no_marketing: bool | None = None
    has_email: bool | None = Field(None, description="Whether there is an address that could be one.")


class ContactItems(Strict):
    items: Annotated[list[ContactItem], Field(min_length=1, max_length=LARGEST)]


@router.get(
    "",
    auth=AccessToken(Scope.BOOK_READ),
    response={200: ContactPage, ERRORS: Problem},
    summary="List contacts",
)
def list_contacts(request: Asked, wanted: Query[ContactsWanted]) -> ContactPage:
    """A page of the contacts; follow `next` until it is null.

    Sorted by `changed`, with `changed_since`, it is what happened since you last asked.
    """
    narrowed = ContactFilter(
        search=wanted.search,
        client_id=wanted.client_id,
        no_marketing=wanted.no_marketing,
        has_email=wanted.has_email,
        active=wanted.active,
        deleted=wanted.deleted,
        changed_since=wanted.changed_since,
    )
    page = contacts_in_full(
        request.auth.actor, narrowed, sort=wanted.sort, cursor=wanted.cursor, size=wanted.size
    )
    return ContactPage(
        next=page.next,
        total=page.total,
        total_is_exact=page.total_is_exact,
        items=[ContactShape.of(contact) for contact in page.rows],
    )


@router.post(
    "",
    auth=AccessToken(Scope.BOOK_WRITE),
    response={201: ContactShape, ERRORS: Problem},
    summary="Add a contact",
    openapi_extra=DESCRIBED,
)
@repeatable
def add_contact(request: Asked, given: ContactInput) -> tuple[int, ContactShape]:
    """A contact needs a client, and a name or an e-mail address."""
    actor = request.auth.actor
    saved = save_contact(actor, **Names(actor).contact_values(given))
    return 201, ContactShape.of(contact_details(actor, saved.pk))


@router.post(
    "/bulk",
    auth=AccessToken(Scope.BOOK_WRITE),
    response={200: BulkAnswer, ERRORS: Problem},
    summary="Add or change up to 1,000 contacts",
    openapi_extra=DESCRIBED,
)
@repeatable
def upsert_contacts(request: Asked, given: ContactItems) -> tuple[int, BulkAnswer]:
    """Each is found by its external id, or added. One that is refused stops no other."""
    actor = request.auth.actor
    names = Names(actor)
    bulk = Bulk[ContactItem](
        lambda item: upsert_contact(
            actor,
            external_id=item.external_id,
            values=names.contact_values(item),
            lift_no_marketing=item.lift_no_marketing,
        ),
        lambda item: item.external_id,
    )
    return 200, bulk.run(given.items)


@router.put(
    "/by-external-id/{external_id}",
    auth=AccessToken(Scope.BOOK_WRITE),
    response={200: UpsertAnswer, ERRORS: Problem},
    summary="Add or change the contact of an external id",
)
def upsert_one_contact(request: Asked, external_id: Path[ExternalId], given: ContactInput) -> UpsertAnswer:
    """The only contact of the client with that e-mail address and no external id is taken for the one meant.

    `no_marketing: false` without `lift_no_marketing` leaves the mark where it is, and says so in `warnings`.
    """
    actor = request.auth.actor
    with transaction.atomic():
        values = Names(actor).contact_values(given)
        done = upsert_contact(
            actor, external_id=external_id, values=values, lift_no_marketing=given.lift_no_marketing
        )
    return UpsertAnswer.of(done, external_id)


@router.get(
    "/{contact_id}",
    auth=AccessToken(Scope.BOOK_READ),
    response={200: ContactShape, ERRORS: Problem},
    summary="Read a contact",
)
def read_contact(request: Asked, contact_id: Path[Id]) -> ContactShape:
    """A deleted one can be read too; `deleted_at` says so."""
    return ContactShape.of(contact_details(request.auth.actor, contact_id))


@router.patch(
    "/{contact_id}",
    auth=AccessToken(Scope.BOOK_WRITE),
    response={200: ContactShape, ERRORS: Problem},
    summary="Change a contact",
)
def change_contact(request: Asked, contact_id: Path[Id], given: ContactInput) -> ContactShape:
    """What is not sent stays as it is. Taking No Marketing off needs `lift_no_marketing`."""
    actor = request.auth.actor
    values = Names(actor).contact_values(given)
    with transaction.atomic():
        lifting = values.get("no_marketing") is False and contact_details(actor, contact_id).no_marketing
        if lifting and not given.lift_no_marketing:
            text = "Taking No Marketing off needs lift_no_marketing: true, on the person's own word."
            raise Invalid({"no_marketing": text})
        save_contact(actor, contact_id=contact_id, **values)
    return ContactShape.of(contact_details(actor, contact_id))


@router.delete(
    "/{contact_id}",
    auth=AccessToken(Scope.BOOK_DELETE),
    response={200: ContactShape, ERRORS: Problem},
    summary="Delete a contact",
)
def remove_contact(request: Asked, contact_id: Path[Id]) -> ContactShape:
    """It can be restored. The person stays in Mailchimp, with Sync Status Inactive."""
    actor = request.auth.actor
    delete_contact(actor, contact_id=contact_id)
    return ContactShape.of(contact_details(actor, contact_id))


@router.post(
    "/{contact_id}/restore",
    auth=AccessToken(Scope.BOOK_DELETE),
    response={200: ContactShape, ERRORS: Problem},
    summary="Bring a deleted contact back",
)
def bring_contact_back(request: Asked, contact_id: Path[Id]) -> ContactShape:
    """While its client is deleted, that one has to be restored first."""
    actor = request.auth.actor
    restore_contact(actor, contact_id=contact_id)
    return ContactShape.of(contact_details(actor, contact_id))
