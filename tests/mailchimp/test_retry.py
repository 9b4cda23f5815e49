"""May a call be repeated, and when: a table of decisions, and bounds that always hold."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockstep.mailchimp import errors
from lockstep.mailchimp.calls import Repeat
from lockstep.mailchimp.errors import Applied, Facts, MailchimpError
from lockstep.mailchimp.retry import PATIENT, RetryPolicy, decide, pause_before_repeat

MAYBE = Facts(applied=Applied.UNKNOWN)
READ, SAME, ONCE = Repeat.READ, Repeat.SAME_EFFECT, Repeat.ONCE

# error, then whether a read, a write of the same effect, and a once-only write are repeated
TABLE: list[tuple[MailchimpError, bool, bool, bool]] = [
    (errors.NotSent(), True, True, True),
    (errors.TooManyRequests(), True, True, True),
    (errors.EdgeRefused(), True, True, True),
    (errors.EdgeRefused("", MAYBE), True, True, False),
    (errors.ServerError("", MAYBE), True, True, False),
    (errors.AnswerLost("", MAYBE), True, False, False),
    (errors.TimedOut("", MAYBE), True, False, False),
    (errors.UnreadableReply(), True, True, True),
    (errors.ApiKeyInvalid(), False, False, False),
    (errors.UserDisabled(), False, False, False),
    (errors.NotFound(), False, False, False),
    (errors.InvalidResource(), False, False, False),
    (errors.MemberExists(), False, False, False),
    (errors.InvalidCall(), False, False, False),
]


@pytest.mark.parametrize(("error", "read", "same", "once"), TABLE, ids=lambda v: type(v).__name__)
def test_what_is_repeated(error: MailchimpError, read: bool, same: bool, once: bool) -> None:
    for kind, expected in ((READ, read), (SAME, same), (ONCE, once)):
        assert decide(error, kind, 1, 0.5, PATIENT).repeat is expected


def test_a_lost_answer_to_a_harmless_write_is_repeated_on_request_only() -> None:
    eager = RetryPolicy(repeat_lost_writes=True)
    lost = errors.AnswerLost("", MAYBE)

    assert decide(lost, SAME, 1, 0.5, eager).repeat
    assert not decide(lost, ONCE, 1, 0.5, eager).repeat


def test_attempts_are_counted() -> None:
    policy = RetryPolicy(attempts=3)

    assert [decide(errors.NotSent(), READ, n, 0.5, policy).repeat for n in (1, 2, 3, 4)] == [
        True,
        True,
        False,
        False,
    ]


def test_pauses_double_up_to_the_cap() -> None:
    policy = RetryPolicy(first=1, cap=10)
    pauses = [pause_before_repeat(errors.NotSent(), n, 1.0, policy) for n in range(1, 7)]

    assert pauses == [1, 2, 4, 8, 10, 10]


def test_edge_refusals_wait_longer() -> None:
    assert pause_before_repeat(errors.EdgeRefused(), 1, 0, PATIENT) > pause_before_repeat(
        errors.ServerError(), 1, 1, PATIENT
    )


@pytest.mark.parametrize(("asked", "pause"), [(7.0, 7.0), (1e6, 60.0), (0.0, 0.25)])
def test_what_mailchimp_asks_for_is_the_least(asked: float, pause: float) -> None:
    assert pause_before_repeat(errors.TooManyRequests(retry_after=asked), 1, 0.0, PATIENT) == pause


@given(
    row=st.sampled_from(TABLE),
    attempt=st.integers(1, 10_000),
    jitter=st.floats(0, 1, exclude_max=True),
    first=st.floats(0.001, 100),
    cap=st.floats(0.001, 1000),
)
def test_no_pause_is_negative_or_above_the_cap(
    row: tuple[MailchimpError, bool, bool, bool], attempt: int, jitter: float, first: float, cap: float
) -> None:
    pause = pause_before_repeat(row[0], attempt, jitter, RetryPolicy(first=first, cap=cap))

    assert 0 <= pause <= cap
