"""Planted defects are noticed, and a history that notices one is made small and plays again to the letter."""

import pytest

from lockstep.simulation import make_history, play
from lockstep.simulation.mutants import MUTANTS, hunt
from lockstep.simulation.shrink import shrink

BY_NAME = {mutant.name: mutant for mutant in MUTANTS}

NOTICED = {
    "send-status": 1,
    "write-others-fields": 1,
    "believe-the-canary": 47,
    "ignore-the-flag-of-others": 2,
    "act-without-looking": 72,
    "never-poll": 78,
    "forget-to-mark": 34,
    "try-the-refused-again": 10,
    "try-compliance-again": 17,
    "count-wrong": 10,
    "ignore-no-marketing": 2,
    "write-to-the-archived": 15,
    "never-release": 1,
    "believe-every-200": 86,
    "synced-before-the-outcome": 19,
    "ignore-busy-members": 36,
}
"""The seed that noticed it first, tried first here."""


@pytest.mark.parametrize("name", NOTICED)
def test_a_planted_defect_is_noticed(name: str) -> None:
    catch = hunt(BY_NAME[name], [NOTICED[name], *range(60)])
    assert catch.caught is not None, BY_NAME[name].what


def test_a_defect_is_gone_after_the_hunt() -> None:
    hunt(BY_NAME["send-status"], [1])
    assert play(make_history(1)).broken == []


def test_a_history_that_fails_is_made_small_and_plays_again_to_the_letter() -> None:
    mutant = BY_NAME["ignore-no-marketing"]
    with mutant.planted():
        failed = hunt(mutant, [2, *range(60)]).caught
        assert failed is not None
        small = shrink(failed)
        again = play(make_history(small.history.seed).only([event.number for event in small.history.events]))
    assert small.broken
    assert len(small.history.events) < len(failed.history.events)
    assert (again.digest, again.broken) == (small.digest, small.broken)
