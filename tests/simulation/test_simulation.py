"""The simulation in small: every history keeps the promises, and a seed always plays the same one.

`./lockstep simulate` plays 2,000 and more; it is a step of `./lockstep test` of its own.
"""

import os
import subprocess
import sys
from collections import Counter

import pytest

from lockstep.cli.failure import Failure
from lockstep.cli.simulate import run
from lockstep.simulation import coverage, make_history, play
from lockstep.simulation.events import WEIGHTS

FOUND = (4960, 6160, 7375, 11673, 13856, 15133, 15284, 15762, 15928, 16580, 16846, 16898)
"""Histories that broke a promise once (docs/explanation/proof.md)."""


@pytest.mark.parametrize("seed", [*range(2000, 2012), *FOUND])
def test_the_promises_hold(seed: int) -> None:
    assert play(make_history(seed)).broken == []


def test_a_seed_plays_the_same_history_to_the_letter() -> None:
    first, second = play(make_history(7)), play(make_history(7))
    assert first.trace == second.trace
    assert first.digest == second.digest
    assert play(make_history(8)).digest != first.digest


def test_a_seed_plays_the_same_history_in_another_process() -> None:
    """Sets of strings have another order in every process."""
    environment = os.environ | {"PYTHONHASHSEED": "4711"}
    program = "from lockstep.simulation import *; print(play(make_history(7)).digest)"
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == play(make_history(7)).digest


def test_what_happened_is_counted_by_kind() -> None:
    seen = play(make_history(7)).seen
    assert seen["event start"] > 0
    assert seen["run start, finished"] > 0
    assert seen["outcome applied"] > 0


def test_what_never_happened_is_named() -> None:
    everything = Counter(coverage.MUST)
    assert coverage.missing(everything) == []
    del everything["event swap"]
    assert coverage.missing(everything) == ["event swap"]
    assert {f"event {kind}" for kind in WEIGHTS} <= set(coverage.MUST)


def test_every_kind_has_a_line_in_the_report() -> None:
    told = " ".join(line for _, line in coverage.lines(Counter(coverage.MUST)))
    assert told.count(" 1") == len(coverage.MUST)


def test_the_command_says_how_much_was_played(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--seeds", "0..3", "--jobs", "1"]) == 0
    told = capsys.readouterr().out
    assert "4 histories" in told
    assert "what happened: " in told
    assert "Every promise was kept." in told


def test_nonsense_for_seeds_is_refused() -> None:
    with pytest.raises((SystemExit, Failure)):
        run(["--seeds", "nine"])
