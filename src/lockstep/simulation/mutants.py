"""Defects planted on purpose, and the hunt for them: the histories must notice each one.

A checker that never fails proves nothing. `hunt` plays histories against a mutant until a promise breaks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from lockstep.simulation.events import History, make_history
from lockstep.simulation.plants import PLANTS
from lockstep.simulation.play import Result, play

MOST_SEEDS = range(2000)


@dataclass(frozen=True, slots=True)
class Mutant:
    """`name` is how it is asked for, `what` says what it does wrong."""

    name: str
    what: str

    @contextmanager
    def planted(self) -> Iterator[None]:
        """The defect is there inside."""
        with ExitStack() as stack:
            for owner, name, value in PLANTS[self.name]():
                stack.callback(setattr, owner, name, getattr(owner, name))
                setattr(owner, name, value)
            yield


@dataclass(frozen=True, slots=True)
class Catch:
    """How a hunt ended: the result of the history that noticed, or None, and how many were played."""

    mutant: Mutant
    caught: Result | None
    plays: int


def hunt(
    mutant: Mutant, seeds: Sequence[int] = MOST_SEEDS, *, player: Callable[[History], Result] = play
) -> Catch:
    """Play histories against a mutant until one breaks a promise."""
    with mutant.planted():
        for plays, seed in enumerate(seeds, 1):
            result = player(make_history(seed))
            if result.broken:
                return Catch(mutant, result, plays)
    return Catch(mutant, None, len(seeds))


MUTANTS = tuple(Mutant(name, (plant.__doc__ or name).strip()) for name, plant in PLANTS.items())
