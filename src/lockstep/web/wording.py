"""How numbers, times and names are written. Pure: the present moment is passed in."""

from __future__ import annotations

import re
import zlib
from datetime import datetime, timedelta

__all__ = ["avatar_hue", "full_moment", "initials", "moment", "number", "percent", "plural"]

MISSING = "—"

_HUES = (264, 155, 75, 25, 305, 205)


def number(value: int | None) -> str:
    """1234 as “1,234”; what is not known is a dash, never 0."""
    return MISSING if value is None else f"{value:,}"


def percent(value: float | None, digits: int = 1) -> str:
    """A share between 0 and 100 as “40.7%”; what is not known is a dash."""
    return MISSING if value is None else f"{value:.{digits}f}%"


def plural(count: int, one: str, many: str = "") -> str:
    """“1 contact”, “2,146 contacts”."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def moment(at: datetime, now: datetime) -> str:
    """When something was, as one would say it; both times aware and in the reader's zone.

    Under an hour “14 min ago”, on the same day “Today, 09:42”, then “Yesterday”,
    “20 Nov”, and with the year when it is another one. Future times are said
    the same way (“in 14 min”, “Tomorrow”).
    """
    gap = now - at
    minutes = int(abs(gap).total_seconds()) // 60
    if minutes == 0:
        return "a moment ago" if gap >= timedelta() else "in a moment"
    if minutes < 60:
        return f"{minutes} min ago" if gap > timedelta() else f"in {minutes} min"
    days = (now.date() - at.date()).days
    if days == 0:
        return f"Today, {at:%H:%M}"
    if days in (1, -1):
        return "Yesterday" if days == 1 else "Tomorrow"
    day = f"{at.day} {at:%b}"
    return day if at.year == now.year else f"{day} {at.year}"


def full_moment(at: datetime) -> str:
    """Date, time and zone in full, for the `title`."""
    return f"{at.day} {at:%B %Y, %H:%M} {at.tzname() or ''}".strip()


def initials(name: str) -> str:
    """Two letters for an avatar: first and last word, or the first two letters of the only one."""
    words = [word for word in re.sub(r"[^\w\s-]", "", name).split() if word[:1].isalpha()]
    if not words:
        return "?"
    return (words[0][0] + (words[-1][0] if len(words) > 1 else words[0][1:2])).upper()


def avatar_hue(name: str) -> int:
    """One of six hues, always the same for a name."""
    return _HUES[zlib.crc32(name.encode()) % len(_HUES)]
