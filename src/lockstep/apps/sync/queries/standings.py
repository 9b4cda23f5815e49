"""How every contact stands, for other systems: page by page, in the order of contact ids."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from lockstep.apps.accounts.permissions import Actor, Permission
from lockstep.apps.book.errors import NotFound
from lockstep.apps.connections.models import Connection
from lockstep.apps.connections.queries.current import connections_of
from lockstep.apps.sync.models import MemberRecord
from lockstep.core.member import Reason, SyncState


@dataclass(frozen=True, slots=True)
class Standing:
    """One contact's one answer: `state` where it fits, None with a `reason` where it is left out."""

    contact_id: int
    external_id: str
    reason: Reason
    state: SyncState | None
    refusal_kind: str
    refusal_text: str
    refusal_field: str
    first_synced_at: datetime | None
    synced_at: datetime | None


def connection_of(actor: Actor, connection_id: int) -> Connection:
    """The company's connection of that id. Raises `NotFound`."""
    actor.require(Permission.VIEW_SYNC)
    connections = Connection.objects.select_related("account")
    found = connections.filter(company=actor.company, pk=connection_id).first()
    if found is None:
        raise NotFound("sync")
    return found


def visible_connections(actor: Actor) -> list[Connection]:
    """The company's audiences, those at work first."""
    actor.require(Permission.VIEW_SYNC)
    return connections_of(actor.company.pk)


def standings(
    actor: Actor,
    connection: Connection,
    *,
    states: Sequence[SyncState] = (),
    reasons: Sequence[Reason] = (),
    after: int = 0,
    size: int = 200,
) -> list[Standing]:
    """Up to `size` contacts with ids above `after`; only the actor's own where limited to them. One query."""
    actor.require(Permission.VIEW_SYNC)
    records = MemberRecord.objects.filter(
        connection=connection, connection__company=actor.company, contact_id__gt=after
    )
    if states:
        records = records.filter(state__in=[state.value for state in states])
    if reasons:
        records = records.filter(reason__in=[reason.value for reason in reasons])
    if actor.own_clients_only:
        records = records.filter(contact__client__rep=actor.user)
    columns = records.order_by("contact_id").values_list(
        "contact_id",
        "contact__external_id",
        "reason",
        "state",
        "refusal_kind",
        "refusal_text",
        "refusal_field",
        "first_synced_at",
        "synced_at",
    )
    return [
        Standing(contact, external_id or "", Reason(reason), SyncState(state) if state else None, *rest)
        for contact, external_id, reason, state, *rest in columns[:size]
    ]
