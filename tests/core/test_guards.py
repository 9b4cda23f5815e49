"""Guards: which number stops a run, and which does not."""

from dataclasses import replace

import pytest

from lockstep.core.guards import Census, Thresholds, check

QUIET = Census(synced_before=100, observed=100, updates=0, releases=0, gone=0)
LIMITS = Thresholds(updates=0.30, releases=0.30, gone=0.10, at_least=25)


@pytest.mark.parametrize(
    ("census", "names"),
    [
        (QUIET, []),
        (replace(QUIET, updates=30), []),
        (replace(QUIET, updates=31), ["many_updates"]),
        (replace(QUIET, releases=30), []),
        (replace(QUIET, releases=31), ["many_releases"]),
        (replace(QUIET, gone=10), []),
        (replace(QUIET, gone=11), ["many_gone"]),
        (replace(QUIET, updates=99, releases=99, gone=99), ["many_updates", "many_releases", "many_gone"]),
        (replace(QUIET, observed=0, gone=100), ["audience_looks_empty", "many_gone"]),
        # below `at_least` contacts shares mean nothing, an empty audience still does
        (Census(24, 24, 24, 24, 24), []),
        (Census(24, 0, 0, 0, 24), ["audience_looks_empty"]),
        (Census(25, 25, 25, 0, 0), ["many_updates"]),
        # a first sync has nothing to lose, whatever it finds
        (Census(0, 0, 0, 0, 0), []),
        (Census(0, 5000, 5000, 5000, 5000), []),
    ],
)
def test_which_guards_trip(census: Census, names: list[str]) -> None:
    assert [trip.name for trip in check(census, LIMITS)] == names


def test_a_trip_carries_its_numbers_and_says_them() -> None:
    [trip] = check(replace(QUIET, synced_before=5000, observed=5000, releases=1501), LIMITS)
    assert (trip.number, trip.allowed) == (1501, 1500)
    assert "1,501 of 5,000" in trip.text
    assert "1,500" in trip.text
