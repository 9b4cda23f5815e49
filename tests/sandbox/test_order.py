"""The orders in which a million members are read: against a plain sorted list."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockstep.sandbox import order
from lockstep.sandbox.ids import contact_id, contact_serial, hash_prefix, unique_email_id
from lockstep.sandbox.member import hash_of
from lockstep.sandbox.order import OrderedKeys

KEYS = st.integers(min_value=0, max_value=200)


@given(st.lists(st.tuples(st.booleans(), KEYS)), KEYS, KEYS, KEYS)
def test_it_is_a_sorted_list(steps: list[tuple[bool, int]], key: int, start: int, size: int) -> None:
    keys, plain = OrderedKeys(), list[int]()
    for add, step in steps:
        if add and step not in plain:
            keys.add(step)
            plain = sorted([*plain, step])
        elif step in plain:
            keys.remove(step)
            plain.remove(step)
    assert list(keys) == plain
    assert len(keys) == len(plain)
    assert (key in keys) == (key in plain)
    assert keys.rank(key) == sum(other < key for other in plain)
    assert keys.slice(start, start + size) == plain[start : start + size]


def test_it_is_a_sorted_list_over_many_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(order, "_BLOCK", 8)
    dice = random.Random(5)
    keys, plain = OrderedKeys(), set[int]()
    for step in range(3000):
        key = step if dice.random() < 0.5 else dice.randrange(3000)
        if key in plain:
            keys.remove(key)
            plain.discard(key)
        else:
            keys.add(key)
            plain.add(key)
        if step % 100 == 0:
            expected = sorted(plain)
            at = dice.randrange(len(plain) + 1)
            assert list(keys) == expected
            assert keys.slice(at, at + 20) == expected[at : at + 20]
            assert keys.rank(key) == sum(other < key for other in plain)


def test_adding_twice_and_removing_what_is_not_there_are_errors() -> None:
    keys = OrderedKeys()
    with pytest.raises(KeyError):
        keys.remove(1)
    keys.add(1)
    with pytest.raises(ValueError, match="1 is in the index already"):
        keys.add(1)
    with pytest.raises(KeyError):
        keys.remove(2)


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**128 - 1))
def test_contact_ids_lead_back(serial: int, salt: int) -> None:
    assert contact_serial(contact_id(serial, salt), salt) == serial


@given(st.emails())
def test_unique_email_ids_lead_back(address: str) -> None:
    assert hash_of(address).startswith(hash_prefix(unique_email_id(hash_of(address))))
