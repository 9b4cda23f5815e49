"""Flag many contacts as No Marketing at once: a statement for each thousand, one history entry a contact."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import transaction
from django.utils import timezone

from lockstep.apps.accounts.permissions import Actor, Permission
from lockstep.apps.book.models import Contact, HistoryEntry
from lockstep.apps.book.queries.scope import contacts_of

AT_ONCE = 1_000


def flag_no_marketing(actor: Actor, *, contact_ids: Sequence[int], reason: str) -> int:
    """Keep these contacts out of all marketing from now on; returns how many were not flagged before.

    Contacts that the actor can't see, or that are deleted, are passed over.
    Each thousand is a transaction: what was flagged stays flagged. Raises `NotPermitted`.
    """
    actor.require(Permission.EDIT_BOOK)
    flagged = 0
    for start in range(0, len(contact_ids), AT_ONCE):
        flagged += _flag(actor, contact_ids[start : start + AT_ONCE], reason)
    return flagged


@transaction.atomic
def _flag(actor: Actor, contact_ids: Sequence[int], reason: str) -> int:
    unflagged = contacts_of(actor).filter(pk__in=list(contact_ids), no_marketing=False)
    found = list(
        unflagged.order_by("pk").select_for_update(of=("self",)).values_list("pk", flat=True)
    )  # in one order, so that two people who flag at once don't wait for each other
    now = timezone.now()
    Contact.objects.filter(pk__in=found).update(
        no_marketing=True, no_marketing_reason=reason, no_marketing_at=now, updated_at=now
    )
    changes = {"no_marketing": ["no", "yes"], "no_marketing_reason": ["", reason]}
    HistoryEntry.objects.bulk_create(
        HistoryEntry(
            company=actor.company,
            user=actor.user,
            at=now,
            subject_kind="contact",
            subject_id=contact,
            action="changed",
            changes=changes,
        )
        for contact in found
    )
    return len(found)
