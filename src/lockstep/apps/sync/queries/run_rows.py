"""What a run did, contact by contact: the rows behind its numbers, as people browse and export them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Value

from lockstep.apps.book.models import Contact
from lockstep.apps.book.queries.paging import Page, keyset_page
from lockstep.apps.sync.models import SyncEvent, SyncRun
from lockstep.apps.sync.queries.plans import BY_ID

AT_ONCE = 2_000


@dataclass(frozen=True, slots=True)
class DoneContact:
    """One thing that a run did to one contact. `name` is '' where the book no longer holds the contact."""

    contact_id: int
    name: str
    email: str
    client: str
    kind: str
    differing: dict[str, tuple[str, str]]
    text: str
    at: datetime


def run_counts(run: SyncRun) -> dict[str, int]:
    """What the run did by kind; a contact that was written twice counts twice."""
    found = SyncEvent.objects.filter(run=run).values_list("kind").annotate(number=Count("id"))
    return dict(found.order_by("kind"))


def run_rows(
    run: SyncRun, kind: str, *, total: int, cursor: str | None = None, size: int = 50
) -> Page[DoneContact]:
    """One page of what a run did of one kind, in the order in which it happened."""
    rows = SyncEvent.objects.filter(run=run, kind=kind).annotate(nothing=Value(""))
    return keyset_page(rows, order=BY_ID, cursor=cursor, size=size, total=(total, True), shape=_named)


def every_run_row(run: SyncRun) -> Iterator[DoneContact]:
    """All that a run did, streamed for a CSV."""
    after = 0
    while rows := list(SyncEvent.objects.filter(run=run, pk__gt=after).order_by("pk")[:AT_ONCE]):
        yield from _named(rows)
        after = rows[-1].pk


def _named(rows: Sequence[SyncEvent]) -> list[DoneContact]:
    contacts = Contact.objects.filter(pk__in=[row.contact_id for row in rows]).select_related("client")
    found = {contact.pk: contact for contact in contacts}
    done = []
    for row in rows:
        contact = found.get(row.contact_id)
        done.append(
            DoneContact(
                contact_id=row.contact_id,
                name=contact.full_name if contact else "",
                email=contact.email if contact else "",
                client=contact.client.name if contact else "",
                kind=row.kind,
                differing={name: (old, new) for name, (old, new) in row.differing.items()},
                text=row.text,
                at=row.at,
            )
        )
    return done
