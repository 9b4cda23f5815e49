"""What an actor may see: the one place where the company and “own clients only” narrow a query."""

from __future__ import annotations

from django.db.models import QuerySet

from lockstep.apps.accounts.permissions import Actor
from lockstep.apps.book.models import Client, Contact


def clients_of(actor: Actor, *, deleted: bool | None = False) -> QuerySet[Client]:
    """Clients of the actor's company, only the actor's own where limited to them (A1).

    `deleted`: False leaves deleted ones out, True takes only them, None takes both.
    """
    clients = Client.objects.filter(company=actor.company)
    if actor.own_clients_only:
        clients = clients.filter(rep=actor.user)
    return clients if deleted is None else clients.filter(deleted_at__isnull=not deleted)


def contacts_of(actor: Actor, *, deleted: bool | None = False) -> QuerySet[Contact]:
    """Contacts of those clients; `deleted` as in `clients_of`, and about the contact."""
    contacts = Contact.objects.filter(company=actor.company)
    if actor.own_clients_only:
        contacts = contacts.filter(client__rep=actor.user)
    return contacts if deleted is None else contacts.filter(deleted_at__isnull=not deleted)
