"""The rows of a dry run, as people browse and export them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from django.db.models import Count, Value

from lockstep.apps.book.models import Contact
from lockstep.apps.book.queries.paging import Order, Page, keyset_page
from lockstep.apps.sync.models import PlanRow, SyncRun


@dataclass(frozen=True, slots=True)
class PlannedContact:
    contact_id: int
    name: str
    email: str
    client: str
    step: str
    differing: dict[str, tuple[str, str]]
    text: str


def plan_counts(run: SyncRun) -> dict[str, int]:
    """Contacts of a planned run by step, for the tabs."""
    found = PlanRow.objects.filter(run=run).values_list("step").annotate(number=Count("id"))
    return dict(found.order_by("step"))


def plan_rows(
    run: SyncRun, steps: Sequence[str], *, total: int, cursor: str | None = None, size: int = 5
) -> Page[PlannedContact]:
    """One page of the contacts with one of these steps; `total` is what `plan_counts` says of them."""
    rows = PlanRow.objects.filter(run=run, step__in=steps).annotate(nothing=Value(""))
    return keyset_page(
        rows, order=BY_ID, cursor=cursor, size=size, total=(total, True), shape=lambda found: _named(found)
    )


BY_ID = Order("nothing")
"""Rows in the order in which they were written: every other key is the same text."""


def every_plan_row(run: SyncRun) -> Iterator[PlannedContact]:
    """All rows by contact id, streamed for a CSV."""
    after = 0
    while True:
        rows = list(PlanRow.objects.filter(run=run, contact_id__gt=after).order_by("contact_id")[:2_000])
        if not rows:
            return
        yield from _named(rows)
        after = rows[-1].contact_id


def _named(rows: Sequence[PlanRow]) -> list[PlannedContact]:
    contacts = Contact.objects.filter(pk__in=[row.contact_id for row in rows]).select_related("client")
    found = {contact.pk: contact for contact in contacts}
    return [
        PlannedContact(
            contact_id=row.contact_id,
            name=found[row.contact_id].full_name if row.contact_id in found else "",
            email=found[row.contact_id].email if row.contact_id in found else "",
            client=found[row.contact_id].client.name if row.contact_id in found else "",
            step=row.step,
            differing={name: (old, new) for name, (old, new) in row.differing.items()},
            text=row.text,
        )
        for row in rows
    ]
