"""A gate before one Mailchimp account: how many calls may be open, and whose turn it is.

Mailchimp allows ten connections at once per user (contract 7); we stay at eight, so that people at its
web pages and other programs have room. The gate narrows by half when Mailchimp refuses, and widens by
one call for each `width` successes, but not before a while has passed since it narrowed (additive
increase, multiplicative decrease).

Three lanes: urgent small changes overtake bulk, and reading campaigns comes last. One place is kept
free of bulk, so that an urgent change need not wait for one of the long batch calls to end.

A gate belongs to one event loop.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import IntEnum

from lockstep.mailchimp.errors import Busy, MailchimpError, TimedOut

#: connections Mailchimp allows are ten; two are left to others
DEFAULT_WIDTH = 8


class Lane(IntEnum):
    """Who goes first."""

    URGENT = 0
    BULK = 1
    CAMPAIGNS = 2


@dataclass(frozen=True, slots=True)
class GateState:
    """A look at the gate for a progress page."""

    width: int  #: calls that may be open now
    max_width: int
    in_flight: int
    waiting: int
    slowed: bool  #: Mailchimp asked us to slow down and we have not come back to full width
    refusals: int  #: times the gate narrowed, ever
    calls: int  #: calls let through, ever


class Gate:
    """Lets calls through, no more at once than its present width.

    `now` gives seconds from any origin and never runs backwards. `calm` is how many seconds must pass
    after narrowing before the gate may widen, and during which further refusals (of calls that were
    open together) do not narrow it again.
    """

    def __init__(
        self, *, now: Callable[[], float], max_width: int = DEFAULT_WIDTH, calm: float = 5.0
    ) -> None:
        if max_width < 1:
            raise ValueError("a gate lets at least one call through")
        self._now = now
        self._calm = calm
        self._max_width = max_width
        self._width = float(max_width)
        self._in_flight = 0
        self._by_lane = dict.fromkeys(Lane, 0)
        self._waiting: list[tuple[Lane, int, asyncio.Future[None]]] = []
        self._arrivals = 0
        self._calls = 0
        self._refusals = 0
        self._narrowed_at: float | None = None

    def state(self) -> GateState:
        return GateState(
            width=int(self._width),
            max_width=self._max_width,
            in_flight=self._in_flight,
            waiting=sum(not turn.done() for _, _, turn in self._waiting),
            slowed=int(self._width) < self._max_width,
            refusals=self._refusals,
            calls=self._calls,
        )

    @asynccontextmanager
    async def passing(self, lane: Lane) -> AsyncIterator[None]:
        """Waits for a turn, and learns from how the call inside ends."""
        await self._enter(lane)
        try:
            yield
        except MailchimpError as error:
            if isinstance(error, Busy | TimedOut):
                self.note_refusal()
            elif error.status_code is not None:
                # answered, if only with a "no" about this one member
                self.note_success()
            raise
        else:
            self.note_success()
        finally:
            self._leave(lane)

    def note_success(self) -> None:
        """A call was answered; after enough of them the gate widens by one."""
        if self._width >= self._max_width or not self._is_calm():
            return
        self._width = min(float(self._max_width), self._width + 1.0 / self._width)
        self._admit()

    def note_refusal(self) -> None:
        """Mailchimp did not keep up: narrows by half. Time-outs count too, because Mailchimp may keep
        their place taken until its own 120 s are over (contract 7).
        """
        if not self._is_calm():
            return
        self._width = max(1.0, float(int(self._width / 2)))
        self._narrowed_at = self._now()
        self._refusals += 1

    def _is_calm(self) -> bool:
        return self._narrowed_at is None or self._now() - self._narrowed_at >= self._calm

    def _room(self, lane: Lane) -> bool:
        width = int(self._width)
        if self._in_flight >= width:
            return False
        if lane is Lane.URGENT or self._in_flight == 0:
            return True
        slow = self._in_flight - self._by_lane[Lane.URGENT]
        if lane is Lane.CAMPAIGNS and self._by_lane[Lane.CAMPAIGNS] >= max(1, width // 2):
            return False
        return slow < max(1, width - 1)

    async def _enter(self, lane: Lane) -> None:
        if not self._waiting and self._room(lane):
            self._take(lane)
            return
        turn = asyncio.get_running_loop().create_future()
        self._arrivals += 1
        heapq.heappush(self._waiting, (lane, self._arrivals, turn))
        self._admit()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                # our turn came in the same moment: give the place on
                self._leave(lane)
            else:
                turn.cancel()
                self._admit()
            raise

    def _take(self, lane: Lane) -> None:
        self._in_flight += 1
        self._by_lane[lane] += 1
        self._calls += 1

    def _leave(self, lane: Lane) -> None:
        self._in_flight -= 1
        self._by_lane[lane] -= 1
        self._admit()

    def _admit(self) -> None:
        """Lets in whoever is next, as long as there is room; a lane that has none does not hold up an
        earlier one, since the heap is in order of lanes.
        """
        while self._waiting:
            lane, _, turn = self._waiting[0]
            if not turn.done() and not self._room(lane):
                return
            heapq.heappop(self._waiting)
            if not turn.done():
                self._take(lane)
                turn.set_result(None)
