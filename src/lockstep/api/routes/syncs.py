"""How contacts stand with Mailchimp, and the buttons of the sync window."""

from typing import Annotated, Literal

from ninja import Path, Query, Router, Schema, Status
from pydantic import Field

from lockstep.api.authentication import AccessToken, Asked
from lockstep.api.problems import ERRORS, Problem
from lockstep.api.shapes import Id, Strict
from lockstep.api.sync_shapes import (
    AskedAnswer,
    ContactSyncShape,
    StandingsAnswer,
    StandingShape,
    SyncsAnswer,
    SyncShape,
)
from lockstep.apps.book.errors import NotFound
from lockstep.apps.book.queries.scope import contacts_of
from lockstep.apps.integrations.scopes import Scope
from lockstep.apps.sync.queries import (
    connection_of,
    contact_sync,
    run_progress,
    standings,
    state_counts,
    visible_connections,
)
from lockstep.apps.sync.services import refresh, retry, start_sync, stop_sync
from lockstep.core.member import Reason, SyncState

router = Router(tags=["Sync"])


class StandingsWanted(Schema):
    state: list[SyncState] = Field([], description="Only these states.")
    reason: list[Reason] = Field([], description="Only these reasons.")
    after: Annotated[int, Field(ge=0, le=2**63 - 1, description="`next` of the page before.")] = 0
    size: Annotated[int, Field(ge=1, le=1_000)] = 200


class RetryInput(Strict):
    states: Annotated[
        list[Literal["failed", "pending", "archived"]], Field(min_length=1, description="Whom to try again.")
    ]


@router.get(
    "/syncs",
    auth=AccessToken(Scope.SYNC_READ),
    response={200: SyncsAnswer, ERRORS: Problem},
    summary="List syncs",
)
def list_syncs(request: Asked) -> SyncsAnswer:
    """Each audience, with counts that add up to everyone who fits."""
    actor = request.auth.actor
    return SyncsAnswer(
        items=[
            SyncShape.of(
                connection,
                {} if actor.own_clients_only else state_counts(connection),
                None if actor.own_clients_only else run_progress(connection, latest=0),
            )
            for connection in visible_connections(actor)
        ]
    )


@router.get(
    "/syncs/{sync_id}/contacts",
    auth=AccessToken(Scope.SYNC_READ),
    response={200: StandingsAnswer, ERRORS: Problem},
    summary="Read how contacts stand",
)
def list_standings(request: Asked, sync_id: Path[Id], wanted: Query[StandingsWanted]) -> StandingsAnswer:
    """In the order of contact ids; follow `next` until it is null."""
    actor = request.auth.actor
    found = standings(
        actor,
        connection_of(actor, sync_id),
        states=wanted.state,
        reasons=wanted.reason,
        after=wanted.after,
        size=wanted.size,
    )
    more = found[-1].contact_id if len(found) == wanted.size else None
    return StandingsAnswer(next=more, items=[StandingShape.of(standing) for standing in found])


@router.get(
    "/contacts/{contact_id}/mailchimp",
    auth=AccessToken(Scope.SYNC_READ),
    response={200: ContactSyncShape, ERRORS: Problem},
    summary="Read how one contact stands, field by field",
)
def read_contact_sync(request: Asked, contact_id: Path[Id]) -> ContactSyncShape:
    """404 also where no audience was chosen yet."""
    contact = contacts_of(request.auth.actor, deleted=None).filter(pk=contact_id).first()
    if contact is None:
        raise NotFound("contact")
    found = contact_sync(contact, events=0)
    if found is None:
        raise NotFound("sync")
    return ContactSyncShape.of(found)


@router.post(
    "/syncs/{sync_id}/start",
    auth=AccessToken(Scope.SYNC_MANAGE),
    response={202: AskedAnswer, ERRORS: Problem},
    summary="Start the sync",
)
def start(request: Asked, sync_id: Path[Id]) -> Status[AskedAnswer]:
    """With the filters it has. Guards may stop the run until a person confirms it on the page."""
    actor = request.auth.actor
    run = start_sync(actor, connection_of(actor, sync_id))
    return Status(202, AskedAnswer(run_id=run.pk, mode="on"))


@router.post(
    "/syncs/{sync_id}/stop",
    auth=AccessToken(Scope.SYNC_MANAGE),
    response={202: AskedAnswer, ERRORS: Problem},
    summary="Stop the sync",
)
def stop(request: Asked, sync_id: Path[Id]) -> Status[AskedAnswer]:
    """It ends within seconds, then every member's Sync Status turns Inactive."""
    actor = request.auth.actor
    stop_sync(actor, connection_of(actor, sync_id))
    return Status(202, AskedAnswer(run_id=None, mode=connection_of(actor, sync_id).mode))


@router.post(
    "/syncs/{sync_id}/refresh",
    auth=AccessToken(Scope.SYNC_MANAGE),
    response={202: AskedAnswer, ERRORS: Problem},
    summary="Read what changed in Mailchimp",
)
def read_again(request: Asked, sync_id: Path[Id]) -> Status[AskedAnswer]:
    """And bring everything in step."""
    actor = request.auth.actor
    run = refresh(actor, connection_of(actor, sync_id))
    return Status(202, AskedAnswer(run_id=run.pk, mode="on"))


@router.post(
    "/syncs/{sync_id}/retry",
    auth=AccessToken(Scope.SYNC_MANAGE),
    response={202: AskedAnswer, ERRORS: Problem},
    summary="Try again whatever was refused",
)
def try_again(request: Asked, sync_id: Path[Id], given: RetryInput) -> Status[AskedAnswer]:
    """Archived people are looked at, and go on only if they signed up again themselves."""
    actor = request.auth.actor
    run = retry(actor, connection_of(actor, sync_id), states=[SyncState(state) for state in given.states])
    return Status(202, AskedAnswer(run_id=run.pk, mode="on"))
