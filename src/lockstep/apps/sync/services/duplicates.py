"""“Sync this contact instead” (S3), and back."""

from __future__ import annotations

from django.db import transaction

from lockstep.apps.accounts.permissions import Actor, Permission
from lockstep.apps.book.models import Contact, HistoryEntry
from lockstep.apps.sync.models import DuplicateChoice


@transaction.atomic
def choose_duplicate(actor: Actor, contact: Contact) -> DuplicateChoice:
    """Of the contacts that share this contact's address, this one is synced from now on."""
    actor.require(Permission.EDIT_BOOK)
    contact = Contact.objects.get(pk=contact.pk, company=actor.company)
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
    contact = Contact.objects.get(pk=contact.pk, company=actor.company)
    DuplicateChoice.objects.filter(company=actor.company, email_key=contact.email_key).delete()
    _note(actor, contact, "sync_newest")


def _note(actor: Actor, contact: Contact, action: str) -> None:
    HistoryEntry.objects.create(
        company=actor.company, user=actor.user, subject_kind="contact", subject_id=contact.pk, action=action
    )
