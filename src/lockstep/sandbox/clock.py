"""A clock that can be moved.

Everything in the sandbox that has a time reads it here, so that a test can stop time, jump over a week of
webhook retries, or let it run fast. Times are whole or fractional seconds since 1970 in UTC; Mailchimp itself
answers with a resolution of one second (contract, section 2, paging rules).
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable
from functools import lru_cache

__all__ = ["BadTime", "Clock", "iso", "parse_time", "webhook_time"]


class BadTime(ValueError):
    """The text is not a time in one of the forms that Mailchimp takes (contract, section 4.3)."""


class Clock:
    """Simulated time: runs with real time, faster, or not at all.

    `source` gives real seconds and is only asked for differences and for the first value.
    """

    def __init__(self, source: Callable[[], float] = time.time, *, start: float | None = None) -> None:
        self._source = source
        self._real = source()
        self._simulated = self._real if start is None else start
        self._rate = 1.0

    def now(self) -> float:
        """Simulated seconds since 1970."""
        return self._simulated + (self._source() - self._real) * self._rate

    def second(self) -> int:
        """The current second: what goes into `last_changed` and its like."""
        return int(self.now())

    @property
    def rate(self) -> float:
        """Simulated seconds per real second; 0 while the clock stands still."""
        return self._rate

    def set(self, moment: float) -> None:
        """Jump to `moment`, forwards or backwards; the rate stays."""
        self._real, self._simulated = self._source(), moment

    def advance(self, seconds: float) -> None:
        """Jump by `seconds`."""
        self.set(self.now() + seconds)

    def dump(self) -> dict[str, float]:
        """State for the snapshot file."""
        return {"now": self.now(), "rate": self._rate, "real": self._source()}

    def load(self, state: dict[str, float]) -> None:
        """The reverse of `dump`: time has passed since, as fast as it did then."""
        away = self._source() - state.get("real", self._source())
        self.set(state["now"] + max(away, 0.0) * state["rate"])
        self._rate = state["rate"]

    def run(self, rate: float) -> None:
        """Let time pass at `rate` from here on; 0 freezes it."""
        if rate < 0:
            raise ValueError("the rate of a clock cannot be negative")
        self.set(self.now())
        self._rate = rate


@lru_cache(maxsize=65_536)
def iso(second: int | None) -> str:
    """`2024-05-06T07:08:09+00:00`, or `""` for a time that never was (contract, section 2: not null)."""
    if second is None:
        return ""
    return dt.datetime.fromtimestamp(second, dt.UTC).isoformat()


def webhook_time(second: int) -> str:
    """`2024-05-06 07:08:09`: UTC without saying so (contract, section 8)."""
    return dt.datetime.fromtimestamp(second, dt.UTC).strftime("%Y-%m-%d %H:%M:%S")


def parse_time(text: str) -> int | None:
    """Seconds since 1970 of `YYYY-MM-DD HH:MM:SS`, or ISO 8601 with offset or Z; None for `""`.

    A time without an offset is UTC (contract, section 4.3). Raises BadTime.
    """
    if text == "":
        return None
    try:
        # A query string turns the "+" of an offset into a blank; Mailchimp's own examples are sent so.
        moment = dt.datetime.fromisoformat(text.replace(" 00:00", "+00:00") if "T" in text else text)
    except ValueError as error:
        raise BadTime(text) from error
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=dt.UTC)
    try:
        return int(moment.timestamp())
    except (OverflowError, ValueError) as error:
        raise BadTime(text) from error
