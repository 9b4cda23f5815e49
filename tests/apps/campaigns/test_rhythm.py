"""When campaigns are read: the rule, row by row."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from lockstep.apps.campaigns.reading import rhythm
from lockstep.apps.campaigns.reading.rhythm import Counted, Known, agrees, is_due
from lockstep.bridge.reports import ReportNumbers

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
NUMBERS = ReportNumbers(sent=800, opens=10, openers=8)
MOVED = ReportNumbers(sent=800, opens=11, openers=8)


def known(age: timedelta, read: timedelta | None, reported: ReportNumbers = MOVED, **more: object) -> Known:
    facts = Known(
        send_time=NOW - age,
        reported=reported,
        read_at=None if read is None else NOW - read,
        read_numbers=NUMBERS,
        full_wanted=False,
        full_tries=0,
        asked=False,
        under_way=False,
    )
    return replace(facts, **more)  # type: ignore[arg-type]


def minutes(n: float) -> timedelta:
    return timedelta(minutes=n)


def days(n: float) -> timedelta:
    return timedelta(days=n)


@pytest.mark.parametrize(
    ("facts", "due"),
    [
        (known(days(400), None), True),
        # moved: the younger, the sooner
        (known(minutes(30), minutes(1)), False),
        (known(minutes(30), minutes(2)), True),
        (known(minutes(600), minutes(9)), False),
        (known(minutes(600), minutes(10)), True),
        (known(days(2), minutes(59)), False),
        (known(days(2), minutes(60)), True),
        (known(days(10), minutes(359)), False),
        (known(days(10), minutes(360)), True),
        (known(days(100), days(6)), False),
        (known(days(100), days(7)), True),
        # nothing moved: fresh ones now and then all the same, for their bounces
        (known(days(1), minutes(719), NUMBERS), False),
        (known(days(1), minutes(720), NUMBERS), True),
        (known(days(6), days(5), NUMBERS), False),
        (known(days(300), days(299), NUMBERS), False),
        # whatever the age
        (known(days(300), minutes(1), asked=True), True),
        (known(days(300), minutes(1), under_way=True), True),
        # a pass that did not add up is made again, but not for ever
        (known(days(10), minutes(360), NUMBERS, full_wanted=True, full_tries=2), True),
        (known(days(10), minutes(360), NUMBERS, full_wanted=True, full_tries=3), False),
        # a pass of a hundred calls is not repeated every other minute
        (known(minutes(30), minutes(16), replace(MOVED, sent=100_000)), False),
        (known(minutes(30), minutes(17), replace(MOVED, sent=100_000)), True),
    ],
)
def test_when_a_campaign_is_due(facts: Known, due: bool) -> None:
    assert is_due(facts, NOW) is due


@pytest.mark.parametrize(
    ("read", "newest", "due"),
    [
        (None, None, True),
        (minutes(0.9), days(1), False),
        (minutes(1), days(1), True),
        (minutes(9), days(4), False),
        (minutes(10), days(4), True),
        (minutes(10), None, True),
    ],
)
def test_when_the_index_is_due(read: timedelta | None, newest: timedelta | None, due: bool) -> None:
    read_at = None if read is None else NOW - read
    newest_sent = None if newest is None else NOW - newest
    assert rhythm.index_is_due(read_at, newest_sent, NOW) is due


def test_every_number_lies_between_the_reports_before_and_after() -> None:
    before = ReportNumbers(sent=10, opens=5, openers=4, clicks=2, clickers=1, soft_bounces=1)
    after = replace(before, opens=7, openers=5)
    ours = Counted(recipients=10, opens=6, openers=4, clicks=2, clickers=1, soft_bounces=1)
    assert agrees(ours, before, after)
    for name in ("recipients", "opens", "openers", "clicks", "clickers", "soft_bounces", "hard_bounces"):
        for wrong in (-3, 3):
            assert not agrees(replace(ours, **{name: getattr(ours, name) + wrong}), before, after), name


def test_since_reaches_back_behind_the_newest_event() -> None:
    assert rhythm.since(NOW) == NOW - timedelta(minutes=10)
    assert rhythm.since(None) is None


def test_numbers_of_another_version_are_other_numbers() -> None:
    assert ReportNumbers.from_json({"sent": 3, "gone": 1}) == ReportNumbers(sent=3)
    assert ReportNumbers.from_json(NUMBERS.as_json()) == NUMBERS
