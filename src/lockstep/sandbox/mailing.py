"""What became of one campaign's mails: a few bytes for each recipient and event, so that a hundred thousand
recipients are cheap.

Recipients are numbered from 0 in the order of their making. Events of all recipients stand in the order of
time in three parallel arrays; those of one recipient are chained.
"""

from __future__ import annotations

import base64
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from typing import Any, NamedTuple

__all__ = ["ABUSE", "CLICK", "HARD", "LINKS", "MACHINE", "OPEN", "SOFT", "UNSUBSCRIBE", "Event", "Mailing"]

OPEN, MACHINE, SOFT, HARD, UNSUBSCRIBE, ABUSE = range(6)
#: CLICK + n is a click on link n.
CLICK = 16
LINKS = 200

#: At most so many opens, and so many clicks, per contact and campaign (contract, section 9).
CAP = 1000

_NONE = -1


class Event(NamedTuple):
    """One thing a recipient (or their provider) did; `at` in seconds since 1970."""

    recipient: int
    what: int
    at: int

    @property
    def is_open(self) -> bool:
        """A machine's prefetch counts as an open (contract, 9; trap 44)."""
        return self.what in (OPEN, MACHINE)

    @property
    def link(self) -> int | None:
        """The number of the link that was clicked."""
        return self.what - CLICK if self.what >= CLICK else None


class Mailing:
    """Recipients and events of a campaign that went out, with the sums that reports want."""

    def __init__(self, serials: array[int], links: int) -> None:
        self.serials = serials
        count = len(serials)
        self.status = bytearray(count)
        self._who, self._at, self._what = array("I"), array("Q"), bytearray()
        self._next = array("i")
        self._first, self._last = array("i", (_NONE,)) * count, array("i", (_NONE,)) * count
        self._opens, self._clicks = array("H", bytes(2 * count)), array("H", bytes(2 * count))
        self.openers, self.clickers = array("I"), array("I")
        self.opens_total = 0
        self.last_open: int | None = None
        self.link_clicks = [0] * links
        self.link_clickers: list[dict[int, int]] = [{} for _ in range(links)]
        self.link_last: list[int | None] = [None] * links
        self.unsubscribed: list[int] = []
        self.complaints = self.soft_bounces = self.hard_bounces = 0

    def __len__(self) -> int:
        """How many recipients there are."""
        return len(self.serials)

    def recipient(self, serial: int) -> int | None:
        """The number of the recipient who is the contact with `serial`."""
        at = bisect_left(self.serials, serial)
        return at if at < len(self.serials) and self.serials[at] == serial else None

    def record(self, recipient: int, what: int, at: int) -> bool:
        """Note an event; False if the recipient has reached the cap. `at` must not go backwards."""
        if what in (OPEN, MACHINE):
            if not self._count_open(recipient, at):
                return False
        elif what >= CLICK:
            if not self._count_click(recipient, what - CLICK, at):
                return False
        elif what in (UNSUBSCRIBE, ABUSE):
            self.unsubscribed.append(len(self._who))
            self.complaints += what == ABUSE
        else:
            self.status[recipient] = what
            self.soft_bounces += what == SOFT
            self.hard_bounces += what == HARD
        number = len(self._who)
        self._who.append(recipient)
        self._at.append(at)
        self._what.append(what)
        self._next.append(_NONE)
        if self._first[recipient] == _NONE:
            self._first[recipient] = number
        else:
            self._next[self._last[recipient]] = number
        self._last[recipient] = number
        return True

    def _count_open(self, recipient: int, at: int) -> bool:
        if self._opens[recipient] >= CAP:
            return False
        if not self._opens[recipient]:
            self.openers.append(recipient)
        self._opens[recipient] += 1
        self.opens_total += 1
        self.last_open = at
        return True

    def _count_click(self, recipient: int, link: int, at: int) -> bool:
        if self._clicks[recipient] >= CAP:
            return False
        if not self._clicks[recipient]:
            self.clickers.append(recipient)
        self._clicks[recipient] += 1
        self.link_clicks[link] += 1
        self.link_last[link] = at
        clickers = self.link_clickers[link]
        clickers[recipient] = clickers.get(recipient, 0) + 1
        return True

    def opens_of(self, recipient: int) -> int:
        """How often somebody opened, machines included."""
        return self._opens[recipient]

    @property
    def clicks_total(self) -> int:
        return sum(self.link_clicks)

    @property
    def last_click(self) -> int | None:
        return max((at for at in self.link_last if at is not None), default=None)

    @property
    def delivered(self) -> int:
        """How many mails did not bounce."""
        return len(self) - self.soft_bounces - self.hard_bounces

    def event(self, number: int) -> Event:
        """The event with a number (as in `unsubscribed`)."""
        return Event(self._who[number], self._what[number], self._at[number])

    def events_of(self, recipient: int) -> Iterator[Event]:
        """All events of one recipient, oldest first."""
        number = self._first[recipient]
        while number != _NONE:
            yield self.event(number)
            number = self._next[number]

    def events(self, since: int | None = None) -> Iterator[Event]:
        """All events after the second `since`, oldest first."""
        start = 0 if since is None else bisect_right(self._at, since)
        for number in range(start, len(self._who)):
            yield self.event(number)

    def dump(self) -> dict[str, Any]:
        """For the snapshot: arrays as base64 of their bytes."""
        return {
            "serials": _text(self.serials),
            "links": len(self.link_clicks),
            "who": _text(self._who),
            "at": _text(self._at),
            "what": base64.b64encode(self._what).decode(),
        }

    @classmethod
    def load(cls, data: dict[str, Any]) -> Mailing:
        """The reverse of `dump`; sums and chains are made again."""
        made = cls(_array("Q", data["serials"]), data["links"])
        happened = zip(
            _array("I", data["who"]), base64.b64decode(data["what"]), _array("Q", data["at"]), strict=True
        )
        for who, what, at in happened:
            made.record(who, what, at)
        return made


def _text(values: array[int]) -> str:
    return base64.b64encode(values.tobytes()).decode()


def _array(code: str, text: str) -> array[int]:
    made = array(code)
    made.frombytes(base64.b64decode(text))
    return made
