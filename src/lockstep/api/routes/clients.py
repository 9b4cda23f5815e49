"""Clients."""

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
    ClientInput,
    ClientItem,
    ClientPage,
    ClientShape,
    ExternalId,
    Id,
    ListWanted,
    Strict,
    UpsertAnswer,
)
from lockstep.apps.book.queries import ClientFilter, client_details, clients_in_full
from lockstep.apps.book.services import delete_client, restore_client, save_client, upsert_client
from lockstep.apps.integrations.scopes import Scope

router = Router(tags=["Clients"])


class ClientItems(Strict):
    items: Annotated[list[ClientItem], Field(min_length=1, max_length=LARGEST)]


@router.get(
    "", auth=AccessToken(Scope.BOOK_READ), response={200: ClientPage, ERRORS: Problem}, summary="List clients"
)
def list_clients(request: Asked, wanted: Query[ListWanted]) -> ClientPage:
    """A page of the clients; follow `next` until it is null.

    Sorted by `changed`, with `changed_since`, it is what happened since you last asked.
    """
    narrowed = ClientFilter(
        search=wanted.search,
        active=wanted.active,
        deleted=wanted.deleted,
        changed_since=wanted.changed_since,
    )
    page = clients_in_full(
        request.auth.actor, narrowed, sort=wanted.sort, cursor=wanted.cursor, size=wanted.size
    )
    return ClientPage(
        next=page.next,
        total=page.total,
        total_is_exact=page.total_is_exact,
        items=[ClientShape.of(client) for client in page.rows],
    )


@router.post(
    "",
    auth=AccessToken(Scope.BOOK_WRITE),
    response={201: ClientShape, ERRORS: Problem},
    summary="Add a client",
    openapi_extra=DESCRIBED,
)
@repeatable
def add_client(request: Asked, given: ClientInput) -> tuple[int, ClientShape]:
    """A client needs a name that no other one has."""
    actor = request.auth.actor
    saved = save_client(actor, **Names(actor).client_values(given))
    return 201, ClientShape.of(client_details(actor, saved.pk))


@router.post(
    "/bulk",
    auth=AccessToken(Scope.BOOK_WRITE),
    response={200: BulkAnswer, ERRORS: Problem},
    summary="Add or change up to 1,000 clients",
    openapi_extra=DESCRIBED,
)
@repeatable
def upsert_clients(request: Asked, given: ClientItems) -> tuple[int, BulkAnswer]:
    """Each is found by its external id, or added. One that is refused stops no other."""
    actor = request.auth.actor
    names = Names(actor)
    bulk = Bulk[ClientItem](
        lambda item: upsert_client(actor, external_id=item.external_id, values=names.client_values(item)),
        lambda item: item.external_id,
    )
    return 200, bulk.run(given.items)


@router.put(
    "/by-external-id/{external_id}",
    auth=AccessToken(Scope.BOOK_WRITE),
    response={200: UpsertAnswer, ERRORS: Problem},
    summary="Add or change the client of an external id",
)
def upsert_one_client(request: Asked, external_id: Path[ExternalId], given: ClientInput) -> UpsertAnswer:
    """A client of the same name that has no external id yet is taken for the one meant."""
    actor = request.auth.actor
    with transaction.atomic():
        values = Names(actor).client_values(given)
        done = upsert_client(actor, external_id=external_id, values=values)
    return UpsertAnswer.of(done, external_id)


@router.get(
    "/{client_id}",
    auth=AccessToken(Scope.BOOK_READ),
    response={200: ClientShape, ERRORS: Problem},
    summary="Read a client",
)
def read_client(request: Asked, client_id: Path[Id]) -> ClientShape:
    """A deleted one can be read too; `deleted_at` says so."""
    return ClientShape.of(client_details(request.auth.actor, client_id))


@router.patch(
    "/{client_id}",
    auth=AccessToken(Scope.BOOK_WRITE),
    response={200: ClientShape, ERRORS: Problem},
    summary="Change a client",
)
def change_client(request: Asked, client_id: Path[Id], given: ClientInput) -> ClientShape:
    """What is not sent stays as it is."""
    actor = request.auth.actor
    save_client(actor, client_id=client_id, **Names(actor).client_values(given))
    return ClientShape.of(client_details(actor, client_id))


@router.delete(
    "/{client_id}",
    auth=AccessToken(Scope.BOOK_DELETE),
    response={200: ClientShape, ERRORS: Problem},
    summary="Delete a client with its contacts",
)
def remove_client(request: Asked, client_id: Path[Id]) -> ClientShape:
    """It can be restored. Its contacts stay in Mailchimp, with Sync Status Inactive."""
    actor = request.auth.actor
    delete_client(actor, client_id=client_id)
    return ClientShape.of(client_details(actor, client_id))


@router.post(
    "/{client_id}/restore",
    auth=AccessToken(Scope.BOOK_DELETE),
    response={200: ClientShape, ERRORS: Problem},
    summary="Bring a deleted client back",
)
def bring_client_back(request: Asked, client_id: Path[Id]) -> ClientShape:
    """Together with the contacts that were deleted with it."""
    actor = request.auth.actor
    restore_client(actor, client_id=client_id)
    return ClientShape.of(client_details(actor, client_id))
