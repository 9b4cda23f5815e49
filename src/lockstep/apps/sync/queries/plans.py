"""The rows of a dry run, as people browse and export them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from django.db.models import Count

from lockstep.apps.book.models import Contact
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


@dataclass(frozen=True, slots=True)
class PlanPage:
    rows: list[PlannedContact]
    counts: dict[str, int]
    """Contacts by step, for the tabs."""
    page: int
    size: int
    total: int

    @property
    def first(self) -> int:
        return (self.page - 1) * self.size + 1 if self.rows else 0

    @property
    def last(self) -> int:
        return self.first + len(self.rows) - 1 if self.rows else 0

    @property
    def has_next(self) -> bool:
        return self.last < self.total


def plan_rows(run: SyncRun, steps: list[str], *, page: int = 1, size: int = 5) -> PlanPage:
    """One page of the contacts with one of these steps, and the numbers of every step."""
    counts = dict(
        PlanRow.objects.filter(run=run).values_list("step").annotate(number=Count("id")).order_by("step")
    )
    page = max(page, 1)
    rows = PlanRow.objects.filter(run=run, step__in=steps).order_by("contact_id")
    return PlanPage(
        _named(list(rows[(page - 1) * size : page * size])),
        counts,
        page,
        size,
        sum(counts.get(step, 0) for step in steps),
    )


def every_plan_row(run: SyncRun) -> Iterator[PlannedContact]:
    """All rows by contact id, streamed for a CSV."""
    after = 0
    while True:
        rows = list(PlanRow.objects.filter(run=run, contact_id__gt=after).order_by("contact_id")[:2_000])
        if not rows:
            return
        yield from _named(rows)
        after = rows[-1].contact_id


def _named(rows: list[PlanRow]) -> list[PlannedContact]:
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
