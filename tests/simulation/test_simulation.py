"""The simulation in small: every history keeps the promises, and a seed always plays the same one."""

import pytest

from lockstep.cli.failure import Failure
from lockstep.cli.simulate import run
from lockstep.simulation import make_history, play


@pytest.mark.parametrize("seed", range(30))
def test_the_promises_hold(seed: int) -> None:
    assert play(make_history(seed)).broken == []


def test_a_seed_plays_the_same_history_to_the_letter() -> None:
    first, second = play(make_history(7)), play(make_history(7))
    assert first.trace == second.trace
    assert first.digest == second.digest
    assert play(make_history(8)).digest != first.digest


def test_the_command_says_how_much_was_played(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--seeds", "0..3", "--processes", "1"]) == 0
    told = capsys.readouterr().out
    assert "4 histories" in told
    assert "Every promise was kept." in told


def test_nonsense_for_seeds_is_refused() -> None:
    with pytest.raises((SystemExit, Failure)):
        run(["--seeds", "nine"])
