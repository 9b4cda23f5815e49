"""Who may look at a sync window, and at which."""

from __future__ import annotations

from lockstep.apps.accounts.permissions import NotPermitted, Permission
from lockstep.apps.connections import services
from lockstep.apps.connections.models import Connection
from lockstep.web.doors import AskedRequest

__all__ = ["find"]


def find(request: AskedRequest, connection_id: int) -> Connection:
    """The company's connection, 404 where there is none.

    The window lists contacts of all clients, so that it is not for people who
    are limited to their own.
    """
    if request.actor.own_clients_only:
        raise NotPermitted(Permission.VIEW_SYNC)
    return services.find_connection(request.actor, connection_id)
