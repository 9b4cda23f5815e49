"""Remembers that some who look like one and the same are not, so that nobody is asked again."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

from lockstep.apps.accounts.permissions import Actor, Permission
from lockstep.apps.book.errors import Invalid
from lockstep.apps.book.models import DistinctPair
from lockstep.apps.book.queries.scope import clients_of, contacts_of
from lockstep.apps.book.queries.twins import MOST_IN_GROUP


def mark_distinct(actor: Actor, *, subject: str, ids: Sequence[int]) -> int:
    """Say that these clients (or contacts) are all different ones; idempotent. Answers how many they are.

    Raises `NotPermitted`, or `Invalid` where they are not two to ten of the book.
    """
    known = _known(actor, subject, ids)
    DistinctPair.objects.bulk_create(
        [
            DistinctPair(
                company=actor.company, user=actor.user, subject_kind=subject, low_id=low, high_id=high
            )
            for low, high in combinations(known, 2)
        ],
        ignore_conflicts=True,
    )
    return len(known)


def unmark_distinct(actor: Actor, *, subject: str, ids: Sequence[int]) -> int:
    """Take it back: they are shown as possible duplicates again. Raises as `mark_distinct`."""
    known = _known(actor, subject, ids)
    DistinctPair.objects.filter(
        company=actor.company, subject_kind=subject, low_id__in=known, high_id__in=known
    ).delete()
    return len(known)


def _known(actor: Actor, subject: str, ids: Sequence[int]) -> list[int]:
    actor.require(Permission.EDIT_BOOK)
    rows = clients_of(actor) if subject == "client" else contacts_of(actor)
    known = sorted(rows.filter(pk__in=list(ids)[: MOST_IN_GROUP + 1]).values_list("pk", flat=True))
    if not 2 <= len(known) <= MOST_IN_GROUP:
        raise Invalid({"": f"Choose two to {MOST_IN_GROUP} {subject}s of the book."})
    return known
