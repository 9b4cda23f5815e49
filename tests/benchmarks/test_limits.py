"""The model of the queue before Mailchimp: it agrees with the arithmetic where that is exact."""

import pytest
from benchmarks.limits import Setup, play
from hypothesis import given
from hypothesis import strategies as st

setups = st.builds(
    Setup,
    contacts=st.integers(1, 60_000),
    accounts=st.integers(1, 12),
    hosts=st.integers(1, 4),
    seconds=st.floats(0.01, 20),
    cpu=st.floats(0, 0.001),
)


@given(setups)
def test_nothing_is_done_sooner_than_the_arithmetic_allows(setup):
    # What is short of a call counts as a whole one, so the cores may have up to a call less to do.
    assert play(setup) >= setup.by_mailchimp - 1e-6
    assert play(setup) >= setup.by_us - 1e-6


@given(setups)
def test_the_same_numbers_give_the_same_answer(setup):
    assert play(setup) == play(setup)


@pytest.mark.parametrize(("contacts", "expected"), [(500, 2.0), (5_000, 2.0), (5_001, 4.0), (100_000, 40.0)])
def test_with_endlessly_fast_hosts_only_the_ten_places_count(contacts, expected):
    setup = Setup(contacts, accounts=1, hosts=1, seconds=2.0, cpu=0.0)
    assert play(setup) == pytest.approx(expected)
    assert setup.by_arithmetic == pytest.approx(expected)


def test_with_answers_at_once_only_the_cores_count():
    setup = Setup(1_000_000, accounts=1, hosts=1, seconds=0.0, cpu=0.0002)
    assert play(setup) == pytest.approx(100.0)
    assert setup.by_us == pytest.approx(100.0)


def test_more_hosts_do_not_help_one_account():
    alone = Setup(50_000, accounts=1, hosts=1, seconds=0.2, cpu=0.0002)
    assert play(alone) == play(Setup(50_000, accounts=1, hosts=8, seconds=0.2, cpu=0.0002))


def test_accounts_on_hosts_of_their_own_do_not_wait_for_each_other():
    one = Setup(50_000, accounts=1, hosts=1, seconds=1.0, cpu=0.0002)
    assert play(Setup(400_000, accounts=8, hosts=8, seconds=1.0, cpu=0.0002)) == pytest.approx(play(one))
