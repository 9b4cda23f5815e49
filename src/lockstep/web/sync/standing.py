"""Why a row of the sync window stands where it stands: what it waits for, or how the person left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from lockstep.apps.campaigns.queries import campaigns_by_mailchimp_id, departures
from lockstep.apps.connections.models import Connection
from lockstep.apps.sync.models import SyncRun
from lockstep.apps.sync.queries import MemberRow
from lockstep.core.member import MemberStatus

__all__ = ["Leaving", "Waiting", "leavings", "waiting_of"]

SWEEP = timedelta(seconds=10)
"""The worker looks again at the latest after this, should a notice to it be lost."""

_REASONS = {"abuse": "Reported as spam"}
#: what Mailchimp says where nobody gave a reason
_NO_REASON = {"", "manual", "none given", "n/a"}


@dataclass(frozen=True, slots=True)
class Waiting:
    """Why a contact is pending, and when it is tried next; None where only a person can make it go on."""

    why: str
    next_try: datetime | None
    at_once: bool = False
    """It goes with the next batch, within seconds."""


def waiting_of(
    row: MemberRow, connection: Connection, run: SyncRun | None, *, broken: str, now: datetime
) -> Waiting:
    """What a pending row waits for.

    `broken` is the title of why the connection pauses, or ''; `run` the one that is open or waits.
    """
    if broken:
        return Waiting(f"Paused: {broken[0].lower()}{broken[1:]}", None)
    if connection.mode == Connection.Mode.OFF:
        return Waiting("The sync is stopped", None)
    if run is not None and run.state == SyncRun.State.WAITING:
        return Waiting("A plan waits for a person’s confirmation", None)
    moments = [connection.unavailable_until, run.waiting_until if run else None]
    patience = max((moment for moment in moments if moment and moment > now), default=None)
    if patience is not None:
        return Waiting("Mailchimp asked Lockstep to wait", patience)
    if row.uncertain:
        return Waiting("Sent, and no answer came: Lockstep looks before it sends again", now + SWEEP, True)
    if row.refusal_text:
        return Waiting("Refused before, and tried again now", now + SWEEP, True)
    if run is not None:
        return Waiting("Its turn comes in the run under way", None, True)
    return Waiting("Changed in the book; goes with the next batch", now + SWEEP, True)


@dataclass(frozen=True, slots=True)
class Leaving:
    """How somebody left: `campaign` is (our id or None, name), None where no campaign is known."""

    status: str
    """Key of the look of the marketing status."""
    at: datetime | None
    reason: str
    campaign: tuple[int | None, str] | None


def leavings(connection: Connection, rows: Sequence[MemberRow]) -> Mapping[int, Leaving]:
    """By contact. Two queries: the campaign is told by the webhook at once, and by its report later."""
    told = departures(connection.company_id, connection.pk, [row.contact_id for row in rows])
    named = campaigns_by_mailchimp_id(connection.pk, [row.left_campaign for row in rows])
    found: dict[int, Leaving] = {}
    for row in rows:
        report = told.get(row.contact_id)
        campaign: tuple[int | None, str] | None = named.get(row.left_campaign)
        if campaign is None and row.left_campaign:
            campaign = (None, f"Campaign {row.left_campaign}, not read yet")
        if campaign is None and report is not None:
            campaign = (report.campaign_id, report.title)
        words = _REASONS.get(row.left_reason, "")
        if not words and report is not None and report.reason.strip().casefold() not in _NO_REASON:
            words = report.reason
        if not words and row.status == MemberStatus.CLEANED:
            words = "The address bounced"
        found[row.contact_id] = Leaving(
            row.status, row.left_at or (report.at if report else None), words, campaign
        )
    return found
