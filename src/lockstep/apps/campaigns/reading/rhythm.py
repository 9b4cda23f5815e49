"""When campaigns are read: decided here without looking at anything. Pure.

Reading is a luxury beside contact sync, so it costs little: one call tells which campaigns moved, and of
those the fresh ones are read often, the older ones rarely, and big ones never so often that most of the time
goes into them (a pass costs a call for each thousand recipients, contract 9).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from lockstep.bridge.reports import ReportNumbers

#: How old a campaign is, and how often it is then read while it moves.
STEPS = (
    (timedelta(hours=3), timedelta(minutes=2)),
    (timedelta(days=1), timedelta(minutes=10)),
    (timedelta(days=3), timedelta(hours=1)),
    (timedelta(days=14), timedelta(hours=6)),
    (timedelta(days=60), timedelta(days=1)),
)
RARELY = timedelta(days=7)

FRESH = timedelta(days=5)
LOOK_AGAIN = timedelta(hours=12)
"""A fresh campaign is read so often even if its report never moves: reports are cached for a while, and
bounces carry no time in them (contract 2, 9)."""

CALL_TAKES = timedelta(seconds=10)
"""A pass is repeated after at least so long for each of its calls: two calls of some seconds may be under way
at a time, and no campaign should have the reader to itself."""

OVERLAP = timedelta(minutes=10)
"""How far `since` reaches back behind the newest event known: events show within about four minutes
(contract 9), not always in their order."""

PASS_LASTS = timedelta(hours=2)
"""A pass that was broken off is taken up again where it was; after so long it begins anew."""

INDEX_OFTEN = timedelta(minutes=1)
INDEX_RARELY = timedelta(minutes=10)
"""How often the list of reports is read: while a campaign is younger than three days, and else."""

FULL_TRIES = 2
"""So often in a row everything is read again because the rows do not equal the report; then the difference is
Mailchimp's own and is left alone until the campaign moves."""


@dataclass(frozen=True, slots=True)
class Known:
    """How one campaign stands: what the newest report says, and what the last pass that ended knew."""

    send_time: datetime
    reported: ReportNumbers
    read_at: datetime | None
    read_numbers: ReportNumbers
    full_wanted: bool
    full_tries: int
    asked: bool
    under_way: bool


def is_due(known: Known, now: datetime) -> bool:
    """Whether the campaign is to be read now."""
    if known.read_at is None or known.asked or known.under_way:
        return True
    moved = known.reported != known.read_numbers
    since_read = now - known.read_at
    if not moved and not (known.full_wanted and known.full_tries <= FULL_TRIES):
        return now - known.send_time < FRESH and since_read >= max(LOOK_AGAIN, _cost(known))
    return since_read >= max(_step(now - known.send_time), _cost(known))


def _step(age: timedelta) -> timedelta:
    return next((every for limit, every in STEPS if age < limit), RARELY)


def _cost(known: Known) -> timedelta:
    return CALL_TAKES * (known.reported.sent // 1_000)


def index_is_due(read_at: datetime | None, newest_sent: datetime | None, now: datetime) -> bool:
    """Whether the list of reports is to be read; `newest_sent` is when the youngest campaign went out."""
    if read_at is None:
        return True
    fresh = newest_sent is not None and now - newest_sent < timedelta(days=3)
    return now - read_at >= (INDEX_OFTEN if fresh else INDEX_RARELY)


def since(read_through: datetime | None) -> datetime | None:
    """From when on a pass that is not full asks; None for everything."""
    return None if read_through is None else read_through - OVERLAP


def may_go_on(began: datetime, now: datetime) -> bool:
    """Whether a pass that was broken off is taken up where it was."""
    return now - began < PASS_LASTS


@dataclass(frozen=True, slots=True)
class Counted:
    """What our rows add up to."""

    recipients: int = 0
    opens: int = 0
    openers: int = 0
    clicks: int = 0
    clickers: int = 0
    soft_bounces: int = 0
    hard_bounces: int = 0
    unsubscribed: int = 0


def bounces_agree(ours: Counted, before: ReportNumbers, after: ReportNumbers) -> bool:
    return all(
        low <= own <= high
        for own, low, high in (
            (ours.soft_bounces, before.soft_bounces, after.soft_bounces),
            (ours.hard_bounces, before.hard_bounces, after.hard_bounces),
        )
    )


def agrees(ours: Counted, before: ReportNumbers, after: ReportNumbers) -> bool:
    """Whether what we hold is what Mailchimp reports; people go on reading while we do, so every number may
    lie anywhere between the report before the pass and the one after it."""
    return bounces_agree(ours, before, after) and all(
        low <= own <= high
        for own, low, high in (
            (ours.recipients, before.sent, after.sent),
            (ours.opens, before.opens, after.opens),
            (ours.openers, before.openers, after.openers),
            (ours.clicks, before.clicks, after.clicks),
            (ours.clickers, before.clickers, after.clickers),
        )
    )
