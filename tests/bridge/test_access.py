"""Opening an account: where a secret may go, and that it never shows."""

from __future__ import annotations

import pytest
from tests.mailchimp.scripted import ScriptedTransport, ok

from lockstep.bridge import AccountAccess, AuthKind, Gates, Purpose, api_base, data_center_of, open_api
from lockstep.core.errors import BrokenKind, ConnectionBroken
from lockstep.mailchimp.throttle import Gate, Lane

KEY = "0123456789abcdef0123456789abcdef-us6"
ROOT = {"account_id": "x"}


def gate() -> Gate:
    return Gate(now=lambda: 0.0)


@pytest.mark.parametrize(
    ("kind", "header"),
    [
        (AuthKind.API_KEY, "Basic bG9ja3N0ZXA6MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWYtdXM2"),
        (AuthKind.OAUTH, f"Bearer {KEY}"),
    ],
)
async def test_where_a_call_goes_and_what_proves_it(kind: AuthKind, header: str) -> None:
    transport = ScriptedTransport(ok(ROOT))
    api = open_api(AccountAccess(api_base("us6"), KEY, kind), transport=transport, gate=gate())
    await api.root()
    [request] = transport.requests
    assert request.url == "https://us6.api.mailchimp.com/3.0/"
    assert request.headers["Authorization"] == header


def test_a_practice_address_takes_the_place_of_mailchimp_s() -> None:
    assert api_base("us6", "http://127.0.0.1:8099/3.0") == "http://127.0.0.1:8099"
    assert api_base("us6", "http://127.0.0.1:8099") == "http://127.0.0.1:8099"


@pytest.mark.parametrize("data_center", ["", "evil.example/", "us6.evil", "us6@evil", "US6", "us6\n"])
def test_nothing_else_becomes_a_host_name(data_center: str) -> None:
    with pytest.raises(ValueError):
        api_base(data_center)


def test_the_data_centre_of_a_key() -> None:
    assert data_center_of(f" {KEY} ") == "us6"
    for wrong in ("", "0123", "0123-", "0123-evil.example"):
        with pytest.raises(ValueError):
            data_center_of(wrong)


@pytest.mark.parametrize("base", ["", "us6.api.mailchimp.com", "file:///etc", "https://", "https://x/?a=b"])
def test_an_address_that_is_none(base: str) -> None:
    with pytest.raises(ValueError):
        open_api(AccountAccess(base, KEY, AuthKind.OAUTH), transport=ScriptedTransport(), gate=gate())


@pytest.mark.parametrize("secret", ["", "two words", "line\r\nX-Evil: 1", "schlüssel"])
def test_a_secret_that_could_not_be_one(secret: str) -> None:
    for kind in AuthKind:
        with pytest.raises(ConnectionBroken) as caught:
            open_api(AccountAccess(api_base("us6"), secret, kind), transport=ScriptedTransport(), gate=gate())
        assert caught.value.kind is BrokenKind.KEY_REVOKED


def test_a_secret_never_shows() -> None:
    access = AccountAccess(api_base("us6"), KEY, AuthKind.API_KEY)
    assert KEY not in repr(access)
    assert KEY not in str(access)


@pytest.mark.parametrize(
    ("purpose", "lane"),
    [(Purpose.SYNC, Lane.BULK), (Purpose.PAGE, Lane.URGENT), (Purpose.CAMPAIGNS, Lane.CAMPAIGNS)],
)
async def test_whose_turn_it_is(purpose: Purpose, lane: Lane, monkeypatch: pytest.MonkeyPatch) -> None:
    the_gate, lanes = gate(), []
    passing = the_gate.passing
    monkeypatch.setattr(the_gate, "passing", lambda one: (lanes.append(one), passing(one))[1])
    api = open_api(
        AccountAccess(api_base("us6"), KEY, AuthKind.OAUTH),
        transport=ScriptedTransport(ok(ROOT)),
        gate=the_gate,
        purpose=purpose,
    )
    await api.root()
    assert lanes == [lane]


def test_one_gate_for_an_account() -> None:
    gates = Gates(now=lambda: 0.0, max_width=4)
    assert gates.of(1) is gates.of(1)
    assert gates.of(1) is not gates.of(2)
    assert gates.of(1).state().max_width == 4
