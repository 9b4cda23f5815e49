"""Bulk changes: what was done to many rows at once, and how far it is."""

from __future__ import annotations

from django.db.models import Exists, OuterRef, QuerySet

from lockstep.apps.accounts.permissions import Actor, Permission
from lockstep.apps.book.errors import NotFound
from lockstep.apps.book.models import BulkChange, Client, Contact
from lockstep.apps.book.queries.scope import clients_of, contacts_of

SHOWN = 50


def _visible(actor: Actor) -> QuerySet[BulkChange]:
    """All of the company's; who is limited to own clients sees only their own."""
    actor.require(Permission.VIEW_BOOK)
    changes = BulkChange.objects.filter(company=actor.company).select_related("user", "undoes")
    if actor.own_clients_only:
        changes = changes.filter(user=actor.user)
    undone = BulkChange.objects.filter(undoes=OuterRef("pk")).exclude(state=BulkChange.State.FAILED)
    return changes.annotate(is_undone=Exists(undone))


def bulk_change(actor: Actor, bulk_id: int) -> BulkChange:
    """One of them, with `is_undone`. Raises `NotFound`."""
    found = _visible(actor).filter(pk=bulk_id).first()
    if found is None:
        raise NotFound("change")
    return found


def recent_bulk_changes(actor: Actor) -> list[BulkChange]:
    """The newest `SHOWN`; one query."""
    return list(_visible(actor).order_by("-created_at", "-pk")[:SHOWN])


def skipped_rows(actor: Actor, bulk: BulkChange) -> list[tuple[str, int, str, str]]:
    """Those left alone that the actor can see: (kind, id, name, why); two queries."""
    ids = {
        kind: [skip["id"] for skip in bulk.skips if skip["kind"] == kind] for kind in ("client", "contact")
    }
    clients: dict[int, Client] = clients_of(actor, deleted=None).in_bulk(ids["client"])
    contacts: dict[int, Contact] = contacts_of(actor, deleted=None).in_bulk(ids["contact"])
    names = {("client", pk): client.name for pk, client in clients.items()}
    names |= {("contact", pk): contact.full_name or contact.email for pk, contact in contacts.items()}
    return [
        (skip["kind"], skip["id"], names[skip["kind"], skip["id"]], skip["why"])
        for skip in bulk.skips
        if (skip["kind"], skip["id"]) in names
    ]
