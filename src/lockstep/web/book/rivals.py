"""Who is synced in place of a contact that shares an e-mail address (S3)."""

from __future__ import annotations

from lockstep.apps.accounts.permissions import Actor
from lockstep.apps.book.errors import NotFound
from lockstep.apps.book.models import Contact
from lockstep.apps.book.queries import ContactDetails, contact_details
from lockstep.apps.book.queries.scope import contacts_of
from lockstep.apps.sync.queries import ContactSync, contact_sync

__all__ = ["contact_of", "rival_in", "rival_of"]


def contact_of(actor: Actor, contact_id: int) -> Contact:
    """The contact, deleted or not. Raises `NotFound`."""
    contact = contacts_of(actor, deleted=None).filter(pk=contact_id).first()
    if contact is None:
        raise NotFound("contact")
    return contact


def rival_in(actor: Actor, sync: ContactSync) -> ContactDetails | None:
    """Who is synced instead; None where nobody is, or where the actor may not see them."""
    if sync.rival_id is None:
        return None
    try:
        return contact_details(actor, sync.rival_id)
    except NotFound:
        return None


def rival_of(actor: Actor, contact_id: int) -> ContactDetails | None:
    sync = contact_sync(contact_of(actor, contact_id))
    return rival_in(actor, sync) if sync else None
