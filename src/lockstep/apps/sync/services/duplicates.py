"""“Sync this contact instead” (S3), and back."""

from __future__ import annotations

from django.db import transaction

from lockstep.apps.accounts.permissions import Actor, Permission
from lockstep.apps.book.errors import NotFound
from lockstep.apps.book.models import Contact, HistoryEntry
from lockstep.apps.book.queries.scope import contacts_of
from lockstep.apps.sync.models import DuplicateChoice


@transaction.atomic
def choose_duplicate(actor: Actor, contact: Contact) -> DuplicateChoice:
    """Of the contacts that share this contact's address, this one is synced from now on.

    Raises `NotPermitted`, and `NotFound` for a contact that the actor can't see.
    """
    actor.require(Permission.EDIT_BOOK)
    contact = _visible(actor, contact)
    choice, _ = DuplicateChoice.objects.update_or_create(
        company=actor.company,
        email_key=contact.email_key,
        defaults={"contact": contact, "chosen_by": actor.user},
    )
    _note(actor, contact, "sync_instead")
    return choice


@transaction.atomic
def unchoose_duplicate(actor: Actor, contact: Contact) -> None:
    """Back to the rule: the most recently created contact of the address is synced."""
    actor.require(Permission.EDIT_BOOK)
    contact = _visible(actor, contact)
    DuplicateChoice.objects.filter(company=actor.company, email_key=contact.email_key).delete()
    _note(actor, contact, "sync_newest")


def _visible(actor: Actor, contact: Contact) -> Contact:
    found = contacts_of(actor, deleted=None).filter(pk=contact.pk).first()
    if found is None:
        raise NotFound("contact")
    return found


def _note(actor: Actor, contact: Contact, action: str) -> None:
    HistoryEntry.objects.create(
        company=actor.company, user=actor.user, subject_kind="contact", subject_id=contact.pk, action=action
    )
