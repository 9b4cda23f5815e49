"""Makes a report a saved segment of the audience: the same meaning, on our fields."""

from __future__ import annotations

from dataclasses import dataclass

from lockstep.apps.accounts.permissions import Permission
from lockstep.apps.book.errors import Invalid
from lockstep.apps.connections.asking import ask
from lockstep.apps.connections.opening import access_to
from lockstep.apps.reports.queries.report import Report
from lockstep.apps.reports.segments import SegmentPlan
from lockstep.apps.sync.models import MemberRecord, ObservedRecord
from lockstep.bridge.segments import create_segment
from lockstep.core.field_map import FieldMap
from lockstep.core.member import MemberStatus, Reason, SyncState

LONGEST_NAME = 100


@dataclass(frozen=True, slots=True)
class MadeSegment:
    """The segment as Mailchimp counted it when it was made, beside our own number."""

    segment_id: int
    name: str
    member_count: int
    fits: int
    """Contacts of the report that fit the sync."""
    mailable: int
    """Of these, synced and subscribed when last looked: what Mailchimp counts by default."""
    unsynced: int
    """Pending, failed, archived, unsubscribed, or not planned yet."""

    @property
    def unsubscribed(self) -> int:
        """Synced, but of another status than subscribed."""
        return self.fits - self.unsynced - self.mailable

    @property
    def difference(self) -> int:
        return self.member_count - self.mailable


def make_segment(report: Report, plan: SegmentPlan, *, name: str) -> MadeSegment:
    """Create it in the report's audience; it goes on holding whoever fits later.

    Raises `NotPermitted`, `Invalid`, and what `connections.asking.ask` raises.
    """
    report.actor.require(Permission.MANAGE_COMPANY)
    connection = report.connection
    name = " ".join(name.split())[:LONGEST_NAME]
    if not name:
        raise Invalid({"name": "Give the segment a name."})
    if connection is None or connection.company_id != report.actor.company.pk:
        raise Invalid({"": "There is no audience yet. Connect Mailchimp and choose one."})
    if not plan.possible:
        raise Invalid({"": " ".join(plan.cannot) or "A segment needs at least one filter."})
    field_map = FieldMap(connection.prefix)
    made = ask(
        access_to(connection.account),
        lambda api: create_segment(api, connection.list_id, field_map, name, plan.rules, plan.match),
    )
    fits, mailable, synced = _expected(report)
    return MadeSegment(made.segment_id, made.name, made.member_count, fits, mailable, fits - synced)


def _expected(report: Report) -> tuple[int, int, int]:
    """(those that fit, of them synced and subscribed, of them synced)."""
    fits = report.chosen & report.reasons.bits[Reason.FITS]
    records = MemberRecord.objects.filter(connection=report.connection, state=SyncState.SYNCED)
    subscribed = ObservedRecord.objects.filter(
        connection=report.connection, status=MemberStatus.SUBSCRIBED.value
    )
    chosen = report.reasons.sheet.chosen
    synced = fits & chosen(records.values_list("contact_id", flat=True))
    mailable = records.filter(member_hash__in=subscribed.values("member_hash"))
    return (
        fits.bit_count(),
        (synced & chosen(mailable.values_list("contact_id", flat=True))).bit_count(),
        synced.bit_count(),
    )
