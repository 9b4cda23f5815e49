"""The smallest history that still breaks a promise: events are dropped while it goes on failing."""

from __future__ import annotations

from collections.abc import Callable

from lockstep.simulation.events import History
from lockstep.simulation.play import Result, play

MOST_PLAYS = 400


def shrink(failed: Result, *, player: Callable[[History], Result] = play) -> Result:
    """The result of a history with as few of the events as can be found; it breaks a promise as well.

    Drops halves, then quarters, down to single events, until nothing more can be dropped. The promise
    that is broken in the end may be another one of the same kind (P1 to P5).
    """
    kinds = {words.partition(":")[0] for words in failed.broken}
    best, plays = failed, 0
    size = max(1, len(failed.history.events) // 2)
    while plays < MOST_PLAYS:
        dropped = False
        numbers = [event.number for event in best.history.events]
        for start in range(0, len(numbers), size):
            fewer = best.history.only(numbers[:start] + numbers[start + size :])
            plays += 1
            result = player(fewer)
            if kinds & {words.partition(":")[0] for words in result.broken}:
                best, dropped = result, True
                break
        if dropped:
            continue
        if size == 1:
            break
        size //= 2
    return best
