"""Which rows of a list a person chose: some by id, or all that the list's search and filters leave."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from django.db.models import QuerySet

from lockstep.apps.accounts.permissions import Actor
from lockstep.apps.book.models import Client, Contact
from lockstep.apps.book.queries.filters import (
    ClientFilter,
    ContactFilter,
    filtered_clients,
    filtered_contacts,
)
from lockstep.apps.book.queries.scope import clients_of, contacts_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Clients or contacts: those of `ids`, or where `everything` is set all that `wanted` leaves.

    `contacts_of_clients`: the contacts (not deleted) of the clients that are
    chosen so, instead of the clients.
    """

    wanted: ClientFilter | ContactFilter
    ids: Sequence[int] = ()
    everything: bool = False
    contacts_of_clients: bool = False

    @property
    def subject(self) -> str:
        return "contact" if self.contacts_of_clients or isinstance(self.wanted, ContactFilter) else "client"

    def deleted(self, *, deleted: bool) -> Selection:
        """The same choice among what is deleted, or among what is not."""
        return replace(self, wanted=replace(self.wanted, deleted=deleted))


def chosen_clients(actor: Actor, chosen: Selection) -> QuerySet[Client]:
    """The clients; a short search is not cut off here."""
    assert isinstance(chosen.wanted, ClientFilter)
    if chosen.everything:
        return filtered_clients(actor, chosen.wanted, whole=True)
    return clients_of(actor, deleted=chosen.wanted.deleted).filter(pk__in=list(chosen.ids))


def chosen_contacts(actor: Actor, chosen: Selection) -> QuerySet[Contact]:
    """The contacts; a short search is not cut off here."""
    if isinstance(chosen.wanted, ClientFilter):
        clients = chosen_clients(actor, chosen)
        return contacts_of(actor).filter(client_id__in=clients.values("id"))
    if chosen.everything:
        return filtered_contacts(actor, chosen.wanted, whole=True)
    return contacts_of(actor, deleted=chosen.wanted.deleted).filter(pk__in=list(chosen.ids))


def chosen_rows(actor: Actor, chosen: Selection) -> QuerySet[Client] | QuerySet[Contact]:
    return chosen_clients(actor, chosen) if chosen.subject == "client" else chosen_contacts(actor, chosen)
