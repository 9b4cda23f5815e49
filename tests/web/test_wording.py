"""Decision tables of how things are said."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from lockstep.web.wording import avatar_hue, full_moment, initials, moment, number, percent, plural

NOW = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("ago", "words"),
    [
        (timedelta(seconds=0), "a moment ago"),
        (timedelta(seconds=59), "a moment ago"),
        (timedelta(minutes=1), "1 min ago"),
        (timedelta(minutes=14, seconds=59), "14 min ago"),
        (timedelta(minutes=59, seconds=59), "59 min ago"),
        (timedelta(hours=1), "Today, 13:00"),
        (timedelta(hours=14), "Today, 00:00"),
        (timedelta(hours=14, minutes=1), "Yesterday"),
        (timedelta(days=1, hours=14), "Yesterday"),
        (timedelta(days=1, hours=14, minutes=1), "21 Nov"),
        (timedelta(days=326), "1 Jan"),
        (timedelta(days=327), "31 Dec 2025"),
        (timedelta(seconds=-30), "in a moment"),
        (timedelta(minutes=-14), "in 14 min"),
        (timedelta(hours=-2), "Today, 16:00"),
        (timedelta(days=-1), "Tomorrow"),
        (timedelta(days=-60), "22 Jan 2027"),
    ],
)
def test_moment(ago: timedelta, words: str) -> None:
    assert moment(NOW - ago, NOW) == words


def test_under_an_hour_wins_over_the_change_of_day() -> None:
    midnight = datetime(2026, 11, 23, 0, 10, tzinfo=UTC)
    assert moment(midnight - timedelta(minutes=20), midnight) == "20 min ago"


def test_full_moment_names_the_zone() -> None:
    at = datetime(2026, 3, 3, 9, 5, tzinfo=timezone(timedelta(hours=1), "CET"))
    assert full_moment(at) == "3 March 2026, 09:05 CET"


def test_numbers() -> None:
    assert number(2146) == "2,146"
    assert number(0) == "0"
    assert number(None) == "—"
    assert percent(40.66) == "40.7%"
    assert percent(None) == "—"
    assert plural(1, "contact") == "1 contact"
    assert plural(2146, "contact") == "2,146 contacts"
    assert plural(0, "entry", "entries") == "0 entries"


@pytest.mark.parametrize(
    ("name", "letters"),
    [
        ("Dana Whitfield", "DW"),
        ("Kestrel Outdoor Co.", "KC"),
        ("Harbour & Pine Coffee", "HC"),
        ("Wei-Ling Tan", "WT"),
        ("Patrick O’Dell", "PO"),
        ("Prince", "PR"),
        ("x", "X"),
        ("李", "李"),
        ("Łukasik", "ŁU"),
        ("", "?"),
        ("123 456", "?"),
    ],
)
def test_initials(name: str, letters: str) -> None:
    assert initials(name) == letters


def test_a_name_always_has_the_same_hue() -> None:
    assert {avatar_hue("Dana Whitfield") for _ in range(3)} == {avatar_hue("Dana Whitfield")}
    assert len({avatar_hue(f"Person {i}") for i in range(100)}) == 6
