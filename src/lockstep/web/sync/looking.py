"""Who may look at a sync window, and at whose contacts in it."""

from __future__ import annotations

from lockstep.apps.accounts.permissions import NotPermitted, Permission
from lockstep.apps.connections import services
from lockstep.apps.connections.models import Connection
from lockstep.web.doors import AskedRequest

__all__ = ["find", "find_for_all", "rep_of"]


def find(request: AskedRequest, connection_id: int) -> Connection:
    """The company's connection, 404 where there is none. Narrow what is shown of it by `rep_of`."""
    return services.find_connection(request.actor, connection_id)


def find_for_all(request: AskedRequest, connection_id: int) -> Connection:
    """The same for pages that count or list contacts of all clients: not for whoever sees own ones only."""
    if request.actor.own_clients_only:
        raise NotPermitted(Permission.VIEW_SYNC)
    return find(request, connection_id)


def rep_of(request: AskedRequest) -> int | None:
    """Whose clients' contacts the person sees: None is everybody's."""
    if not request.actor.own_clients_only:
        return None
    assert request.actor.user is not None
    return request.actor.user.pk
