"""Webhook bodies become hints: whom to look at again, and nothing to store."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import urlencode

import pytest
from tests.bridge.world import hash_of

from lockstep.bridge.events import Hint, OptOut, read_hint

FIRED = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)
PAT = hash_of("pat@example.com")


def body(kind: str, **data: str) -> bytes:
    form = {"type": kind, "fired_at": "2024-05-06 07:08:09", **{f"data[{k}]": v for k, v in data.items()}}
    return urlencode(form).encode()


@pytest.mark.parametrize("kind", ["subscribe", "profile", "cleaned"])
def test_members_are_named_by_hash(kind: str) -> None:
    hint = read_hint(body(kind, email="Pat@Example.com", list_id="a1", id="7ee8f2229e"))
    assert hint == Hint("a1", FIRED, (PAT,))


def test_a_change_of_address_names_both() -> None:
    hint = read_hint(body("upemail", old_email="pat@example.com", new_email="New@example.com", list_id="a1"))
    assert hint == Hint("a1", FIRED, (PAT, hash_of("new@example.com")))


def test_an_unsubscribe_tells_why() -> None:
    hint = read_hint(
        body(
            "unsubscribe",
            email="pat@example.com",
            list_id="a1",
            action="unsub",
            reason="abuse",
            campaign_id="c1",
        )
    )
    assert hint == Hint("a1", FIRED, (PAT,), OptOut(PAT, "abuse", "c1"))


def test_an_unsubscribe_without_action_is_one_all_the_same() -> None:
    """`data[action]` is sometimes missing (trap 34)."""
    hint = read_hint(body("unsubscribe", email="pat@example.com", list_id="a1"))
    assert hint is not None
    assert hint.opt_out == OptOut(PAT, "", "")


def test_a_deletion_is_no_opt_out() -> None:
    """Archiving and deleting show as unsubscribe with action=delete (contract 8): nobody said no."""
    hint = read_hint(body("unsubscribe", email="pat@example.com", list_id="a1", action="delete"))
    assert hint == Hint("a1", FIRED, (PAT,))


def test_a_campaign_names_itself() -> None:
    hint = read_hint(body("campaign", id="c1", status="sent", list_id="a1", subject="Hello"))
    assert hint == Hint("a1", FIRED, campaign_id="c1")


@pytest.mark.parametrize("kind", ["batch_operation_completed", "sms_subscribe", "something new"])
def test_other_kinds_name_nobody(kind: str) -> None:
    assert read_hint(body(kind, id="x", list_id="a1")) == Hint("a1", FIRED)


def test_a_member_without_an_address_is_nobody() -> None:
    hint = read_hint(body("unsubscribe", email=" ", list_id="a1"))
    assert hint == Hint("a1", FIRED)


@pytest.mark.parametrize("raw", [b"", b"\xff", b"fired_at=2024-05-06", b"x" * 300_000])
def test_a_body_that_mailchimp_does_not_send_is_no_hint(raw: bytes) -> None:
    assert read_hint(raw) is None
