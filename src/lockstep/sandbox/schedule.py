"""Things that happen later: batch steps, webhook retries, opens and clicks.

Nothing here runs by itself. Whoever moves the clock, answers a request or ticks in the background calls
`run_due`; so a test that moves the clock by an hour sees the hour's events at once, in order.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from itertools import count

__all__ = ["Schedule"]


class Schedule:
    """Calls that are due at a simulated time."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Callable[[float], None]]] = []
        self._numbers = count()

    def at(self, moment: float, action: Callable[[float], None]) -> None:
        """Call `action(moment)` once the clock has reached `moment`."""
        heapq.heappush(self._heap, (moment, next(self._numbers), action))

    def run_due(self, now: float) -> int:
        """Run what is due by `now`, also what the runs add; returns how many ran."""
        ran = 0
        while self._heap and self._heap[0][0] <= now:
            moment, _, action = heapq.heappop(self._heap)
            action(moment)
            ran += 1
        return ran

    def next_due(self) -> float | None:
        """When the next call is due, or None."""
        return self._heap[0][0] if self._heap else None

    def __len__(self) -> int:
        return len(self._heap)

    def clear(self) -> None:
        """Forget everything that was to come."""
        self._heap.clear()
