"""Numbers that add up (P4): why contacts are left out, and how those that fit stand."""

from __future__ import annotations

from dataclasses import dataclass, field

from django.db.models import Count, Q

from lockstep.apps.connections.models import Connection
from lockstep.apps.connections.preferences import Preferences
from lockstep.apps.sync.models import MemberRecord
from lockstep.apps.sync.queries.reasons import read_reasons
from lockstep.core.member import Reason, SyncState


@dataclass(frozen=True, slots=True)
class ReasonCounts:
    """The book, taken apart by reason; `fits` and the reasons add up to `book`."""

    by_reason: dict[Reason, int] = field(default_factory=dict)

    @property
    def book(self) -> int:
        return sum(self.by_reason.values())

    @property
    def fits(self) -> int:
        return self.by_reason.get(Reason.FITS, 0)


def reason_counts(company_id: int, preferences: Preferences) -> ReasonCounts:
    """How many contacts would be synced under these filters, and how many are left out by each reason."""
    return ReasonCounts(read_reasons(company_id, preferences).counts())


def state_counts(connection: Connection, *, rep_id: int | None = None) -> dict[SyncState, int]:
    """Synced + pending + failed + archived + unsubscribed: everyone who fits, as last planned.

    With `rep_id`, of that rep's clients only.
    """
    narrowed = Q() if rep_id is None else Q(contact__client__rep=rep_id)
    found = (
        MemberRecord.objects.filter(narrowed, connection=connection)
        .exclude(state="")
        .values_list("state")
        .annotate(number=Count("id"))
    )
    counts = {SyncState(state): number for state, number in found}
    return {state: counts.get(state, 0) for state in SyncState}
