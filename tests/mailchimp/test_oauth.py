"""OAuth: the address people are sent to, the exchange, and what is refused."""

from __future__ import annotations

from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest
from tests.mailchimp.scripted import Pauses, ScriptedTransport, ok

from lockstep.mailchimp import errors, oauth
from lockstep.mailchimp.exchange import HttpReply

APP = oauth.OAuthApp(client_id="635", client_secret="hush", redirect_uri="https://crm.example/back?a=1")
# contract 1.2
METADATA = {
    "dc": "us6",
    "role": "owner",
    "accountname": "Example Club",
    "user_id": 1234567,
    "login": {
        "email": "owner@example.com",
        "avatar": None,
        "login_id": 7654321,
        "login_name": "owner@example.com",
    },
    "login_url": "https://login.mailchimp.com",
    "api_endpoint": "https://us6.api.mailchimp.com",
}


async def connect(*steps: HttpReply | errors.MailchimpError) -> tuple[oauth.Grant, ScriptedTransport]:
    transport = ScriptedTransport(*steps)
    grant = await oauth.connect(transport, APP, "the-code", sleep=Pauses(), jitter=lambda: 0.0)
    return grant, transport


def test_people_are_sent_to_mailchimp_with_a_state() -> None:
    url = urlsplit(oauth.authorize_url(APP, "s+t/ate"))

    assert f"{url.scheme}://{url.netloc}{url.path}" == "https://login.mailchimp.com/oauth2/authorize"
    assert parse_qs(url.query) == {
        "response_type": ["code"],
        "client_id": ["635"],
        "redirect_uri": ["https://crm.example/back?a=1"],
        "state": ["s+t/ate"],
    }


async def test_a_code_becomes_a_token_and_its_account() -> None:
    grant, transport = await connect(
        ok({"access_token": "tok", "expires_in": 0, "scope": None}), ok(METADATA)
    )

    assert grant.token.token == "tok"
    assert (grant.metadata.dc, grant.metadata.role, grant.metadata.login.login_id) == (
        "us6",
        "owner",
        7654321,
    )
    exchange, question = transport.requests
    assert (exchange.method, exchange.url) == ("POST", "https://login.mailchimp.com/oauth2/token")
    assert dict(parse_qsl((exchange.body or b"").decode())) == {
        "grant_type": "authorization_code",
        "client_id": "635",
        "client_secret": "hush",
        "redirect_uri": "https://crm.example/back?a=1",
        "code": "the-code",
    }
    assert (question.method, question.url) == ("GET", "https://login.mailchimp.com/oauth2/metadata")
    assert question.headers["Authorization"] == "OAuth tok"
    assert "hush" not in repr(APP) + repr(exchange)
    assert "tok" not in repr(grant.token) + repr(question.headers.keys())


async def test_the_observed_minimum_of_metadata_is_enough() -> None:
    grant, _ = await connect(ok({"access_token": "tok"}), ok({"dc": "us1"}))

    assert grant.metadata.dc == "us1"


async def test_the_practice_mailchimp_has_its_own_addresses() -> None:
    app = oauth.OAuthApp("1", "s", "http://x/", "http://localhost:8099/", "http://sandbox:8099/")

    assert oauth.authorize_url(app, "s").startswith("http://localhost:8099/oauth2/authorize?")
    assert oauth.token_request(app, "c").url == "http://sandbox:8099/oauth2/token"


async def test_a_used_code_is_refused() -> None:
    with pytest.raises(errors.OAuthRefused) as caught:
        await connect(ok({"error": "invalid_grant", "error_description": "Code expired"}, 400))

    assert caught.value.error == "invalid_grant"
    assert caught.value.detail == "Code expired"


@pytest.mark.parametrize("dc", ["", "us6.evil.example", "US6", "us6/"])
async def test_a_data_centre_that_is_none_is_not_believed(dc: str) -> None:
    with pytest.raises(errors.UnreadableReply):
        await connect(ok({"access_token": "tok"}), *[ok({**METADATA, "dc": dc})] * 2)


async def test_the_exchange_is_repeated_only_if_it_did_not_happen() -> None:
    token, metadata = ok({"access_token": "tok"}), ok(METADATA)

    assert (await connect(errors.NotSent(), token, metadata))[0].token.token == "tok"
    with pytest.raises(errors.ServerError):
        await connect(ok(None, 500), token, metadata)
    with pytest.raises(errors.AnswerLost):
        await connect(ok(None, 200), token, metadata)
    assert (await connect(token, ok(None, 500), metadata))[0].metadata.dc == "us6"


@pytest.mark.parametrize("body", [None, {}, [], "nonsense", {"error": ""}])
async def test_a_refusal_without_a_code_is_not_made_up(body: object) -> None:
    """A page of something in between, not an answer about this code."""
    with pytest.raises(errors.EdgeRefused):
        await connect(*[ok(body, 403)] * 2)


async def test_a_token_that_is_not_accepted() -> None:
    with pytest.raises(errors.OAuthRefused):
        await connect(ok({"access_token": "tok"}), ok({"error": "invalid_token"}, 401))
