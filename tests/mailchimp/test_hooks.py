"""Webhook bodies become hints, whatever is missing; signatures count only when whole, fresh and right."""

from __future__ import annotations

import hashlib
import hmac
from datetime import UTC, datetime
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockstep.mailchimp import hooks
from lockstep.mailchimp.errors import MalformedHook
from lockstep.mailchimp.hooks import read_event, signature_matches

# contract 8, as printed there
UNSUBSCRIBE = (
    b"type=unsubscribe&fired_at=2024-05-06+07%3A08%3A09&data%5Baction%5D=unsub&data%5Breason%5D=manual"
    b"&data%5Bid%5D=7ee8f2229e&data%5Bemail%5D=pat%40example.com&data%5Bemail_type%5D=html"
    b"&data%5Bip_opt%5D=192.0.2.10&data%5Bweb_id%5D=400751728&data%5Bmerges%5D%5BEMAIL%5D=pat%40example.com"
    b"&data%5Bmerges%5D%5BFNAME%5D=Pat&data%5Bcampaign_id%5D=cb398d21d2&data%5Blist_id%5D=a1b2c3d4e5"
)
FIRED = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)


def form(**fields: str) -> bytes:
    return urlencode(
        {k.replace("__", "[") + ("]" if "__" in k else ""): v for k, v in fields.items()}
    ).encode()


def test_the_contracts_unsubscribe() -> None:
    assert read_event(UNSUBSCRIBE) == hooks.Unsubscribed(
        list_id="a1b2c3d4e5",
        fired_at=FIRED,
        email="pat@example.com",
        unique_email_id="7ee8f2229e",
        web_id="400751728",
        merges={"EMAIL": "pat@example.com", "FNAME": "Pat"},
        action="unsub",
        reason="manual",
        campaign_id="cb398d21d2",
    )


@pytest.mark.parametrize(
    ("body", "event"),
    [
        (
            form(
                type="upemail",
                fired_at="2024-05-06 07:08:09",
                data__list_id="a1",
                data__new_id="n1",
                data__new_email="new@example.com",
                data__old_email="old@example.com",
            ),
            hooks.AddressChanged(
                list_id="a1",
                fired_at=FIRED,
                old_email="old@example.com",
                new_email="new@example.com",
                new_unique_email_id="n1",
            ),
        ),
        (
            form(
                type="cleaned",
                data__list_id="a1",
                data__reason="hard",
                data__email="pat@example.com",
                data__campaign_id="c1",
            ),
            hooks.Cleaned(
                list_id="a1", fired_at=None, email="pat@example.com", reason="hard", campaign_id="c1"
            ),
        ),
        (
            form(type="campaign", data__list_id="a1", data__id="c1", data__subject="Hi", data__status="sent"),
            hooks.CampaignSent(
                list_id="a1", fired_at=None, campaign_id="c1", subject="Hi", campaign_status="sent", reason=""
            ),
        ),
        (
            form(
                type="batch_operation_completed",
                data__id="b1",
                data__response_body_url="https://evil.example",
            ),
            hooks.BatchCompleted(list_id="", fired_at=None, batch_id="b1"),
        ),
        (
            form(type="subscribe", data__list_id="a1", data__email="pat@example.com"),
            hooks.Subscribed(
                list_id="a1", fired_at=None, email="pat@example.com", unique_email_id="", web_id="", merges={}
            ),
        ),
        (
            b"type=profile&data[merges][EMAIL]=pat@example.com",
            hooks.ProfileChanged(
                list_id="",
                fired_at=None,
                email="pat@example.com",
                unique_email_id="",
                web_id="",
                merges={"EMAIL": "pat@example.com"},
            ),
        ),
        (
            b"type=unsubscribe",
            hooks.Unsubscribed(
                list_id="",
                fired_at=None,
                email="",
                unique_email_id="",
                web_id="",
                merges={},
                action="",
                reason="",
                campaign_id="",
            ),
        ),
        (
            form(type="sms_subscribe", data__list_id="a1"),
            hooks.UnknownEvent(list_id="a1", fired_at=None, kind="sms_subscribe"),
        ),
        (
            b"type=cleaned&fired_at=yesterday",
            hooks.Cleaned(list_id="", fired_at=None, email="", reason="", campaign_id=""),
        ),
    ],
)
def test_each_kind_with_much_or_little(body: bytes, event: hooks.HookEvent) -> None:
    assert read_event(body) == event


def test_people_are_not_in_the_repr() -> None:
    assert "pat@" not in repr(read_event(UNSUBSCRIBE))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"fired_at=2024-05-06",
        b"type=",
        b"type=%ff",
        b"\xff\xfe",
        b'{"type":"subscribe"}',
        b"type=subscribe&" + b"&".join(b"a%d=1" % n for n in range(2000)),
        b"type=subscribe&a=" + b"x" * 300_000,
    ],
)
def test_what_is_no_event_is_refused(body: bytes) -> None:
    with pytest.raises(MalformedHook):
        read_event(body)


@given(st.binary(max_size=300) | st.text(max_size=100).map(lambda t: b"type=profile&data[id]=" + t.encode()))
def test_nothing_outside_the_family_is_raised(body: bytes) -> None:
    try:
        read_event(body)
    except MalformedHook:
        return


SECRET, NOW = "s3cret", 1_715_000_000


def sign(body: bytes, moment: int = NOW, secret: str = SECRET) -> str:
    digest = hmac.new(secret.encode(), f"{moment}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={moment},v1={digest}"


def test_a_right_signature_matches() -> None:
    assert signature_matches(SECRET, sign(UNSUBSCRIBE), UNSUBSCRIBE, now=NOW)
    assert signature_matches(SECRET, sign(UNSUBSCRIBE).replace(",", ", v1=00,"), UNSUBSCRIBE, now=NOW)


@pytest.mark.parametrize(
    ("age", "matches"), [(0, True), (300, True), (301, False), (-300, True), (-301, False)]
)
def test_a_signature_is_good_for_300_seconds(age: int, matches: bool) -> None:
    assert signature_matches(SECRET, sign(UNSUBSCRIBE), UNSUBSCRIBE, now=NOW + age) is matches


@pytest.mark.parametrize(
    "header",
    [
        "",
        "t=,v1=",
        f"t={NOW}",
        sign(UNSUBSCRIBE).partition(",")[2],
        sign(UNSUBSCRIBE)[:-1],
        sign(UNSUBSCRIBE, secret="other"),
        sign(b"other"),
        f"t={NOW},v1=ü",
        f"t={NOW + 1}," + sign(UNSUBSCRIBE).partition(",")[2],
        f"t={NOW + 1}," + sign(UNSUBSCRIBE),
        "t=²,v1=00",
        "t=-5,v1=00",
        f"t={'9' * 400},v1=00",
    ],
)
def test_anything_else_does_not(header: str) -> None:
    assert not signature_matches(SECRET, header, UNSUBSCRIBE, now=NOW)


def test_an_empty_secret_signs_nothing() -> None:
    assert not signature_matches("", sign(UNSUBSCRIBE, secret=""), UNSUBSCRIBE, now=NOW)


@given(header=st.text(), body=st.binary())
def test_no_header_raises(header: str, body: bytes) -> None:
    assert not signature_matches(SECRET, header, body, now=NOW)
