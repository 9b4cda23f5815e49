"""Mailchimp's moments, in and out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockstep.mailchimp.times import read_moment, write_moment


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("", None),
        ("2024-05-06T07:08:09+00:00", datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)),
        ("2024-05-06T07:08:09Z", datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)),
        ("2024-05-06T07:08:09-04:00", datetime(2024, 5, 6, 11, 8, 9, tzinfo=UTC)),
        ("2024-05-06 07:08:09", datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)),
        ("0001-01-01T00:00:00+14:00", None),
        ("yesterday", None),
    ],
)
def test_reading(text: str, moment: datetime | None) -> None:
    assert read_moment(text) == moment


def test_writing_is_in_utc_and_whole_seconds() -> None:
    there = datetime(2024, 5, 6, 7, 8, 9, 999_999, tzinfo=timezone(timedelta(hours=-4)))

    assert write_moment(there) == "2024-05-06T11:08:09+00:00"
    with pytest.raises(ValueError, match="zone"):
        write_moment(datetime(2024, 5, 6))  # noqa: DTZ001  -- the point of the test


@given(st.datetimes(timezones=st.just(UTC)))
def test_what_is_written_is_read_again(moment: datetime) -> None:
    assert read_moment(write_moment(moment)) == moment.replace(microsecond=0)


@given(st.text())
def test_reading_never_raises(text: str) -> None:
    read_moment(text)
