"""Moments as the narrow rows hold them: whole seconds since the year 2000, in four bytes until 2068."""

from __future__ import annotations

from datetime import UTC, datetime

#: Seconds from 1970 to the beginning of 2000, UTC.
EPOCH = 946_684_800

_LOWEST, _HIGHEST = -(2**31) + 1, 2**31 - 1


def seconds_of(unix: int) -> int:
    """Seconds since 2000 of seconds since 1970; what does not fit counts as the nearest that does."""
    return max(_LOWEST, min(unix - EPOCH, _HIGHEST))


def seconds_at(moment: datetime) -> int:
    """Seconds since 2000 of a moment with a zone."""
    return seconds_of(int(moment.timestamp()))


def moment_of(seconds: int) -> datetime:
    """The moment, in UTC."""
    return datetime.fromtimestamp(seconds + EPOCH, UTC)
