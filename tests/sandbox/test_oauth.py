"""Contract 1.2: the authorization code flow, from the pages to revocation."""

from __future__ import annotations

import base64
import html
import re
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest

from lockstep.sandbox import DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET, Sandbox, create_app
from lockstep.sandbox.oauth import OAuthApp
from lockstep.sandbox.testing import Answer, SandboxClient

BACK = "http://127.0.0.1:8000/connect/back?next=1"
ASKED = {"response_type": "code", "client_id": DEFAULT_CLIENT_ID, "redirect_uri": BACK, "state": "s&<te>"}
FORM = {"content-type": "application/x-www-form-urlencoded"}


def post(
    client: SandboxClient, path: str, form: dict[str, str], query: dict[str, str] | None = None
) -> Answer:
    return client.raw("POST", path, urlencode(form).encode(), query=query, headers=FORM)


def hidden(page: str) -> dict[str, str]:
    found = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page)
    return {name: html.unescape(value) for name, value in found}


def allowed(client: SandboxClient) -> dict[str, str]:
    """Go through the pages to the end; what the app gets back."""
    login = client.raw("GET", "/oauth2/authorize", query=ASKED)
    assert login.status == 200
    assert "Lockstep" in login.text
    account = re.search(r'<option value="([^"]+)">', login.text)
    assert account
    question = post(client, "/oauth2/authorize", {"step": "login", "account": account[1]}, ASKED)
    assert "Allow Lockstep to use Example Club?" in question.text
    done = post(client, "/oauth2/authorize", hidden(question.text) | {"step": "allow"}, ASKED)
    assert done.status == 303
    target = done.headers["location"]
    assert target.startswith(BACK + "&")
    return dict(parse_qsl(urlsplit(target).query))


def exchange(client: SandboxClient, code: str, **more: str) -> Answer:
    form = {
        "grant_type": "authorization_code", "client_id": DEFAULT_CLIENT_ID,
        "client_secret": DEFAULT_CLIENT_SECRET, "redirect_uri": BACK, "code": code,
    }  # fmt: skip
    return post(client, "/oauth2/token", form | more)


def metadata(client: SandboxClient, token: str) -> Answer:
    return client.raw("GET", "/oauth2/metadata", headers={"authorization": f"OAuth {token}"})


def test_1_2_the_whole_flow(mailchimp: SandboxClient) -> None:
    back = allowed(mailchimp)
    assert back["state"] == "s&<te>"
    token = exchange(mailchimp, back["code"])
    assert token.json == {"access_token": token.json["access_token"], "expires_in": 0, "scope": None}
    secret = token.json["access_token"]
    about = metadata(mailchimp, secret).json
    assert about["api_endpoint"] == about["login_url"] == "http://sandbox.test"
    assert (about["dc"], about["role"], about["accountname"]) == ("us6", "owner", "Example Club")
    assert about["login"].keys() == {"email", "avatar", "login_id", "login_name", "login_email"}
    bearer = {"authorization": f"Bearer {secret}"}
    basic = {"authorization": "Basic " + base64.b64encode(f"x:{secret}-us6".encode()).decode()}
    for headers in (bearer, basic):
        assert mailchimp.raw("GET", "/3.0/ping", headers=headers).status == 200


def test_1_2_members_made_with_a_token_name_the_app_as_their_source(mailchimp: SandboxClient) -> None:
    secret = exchange(mailchimp, allowed(mailchimp)["code"]).json["access_token"]
    client = SandboxClient(app=mailchimp.app, api_key=secret)
    body = {"email_address": "new@club.example", "status": "subscribed"}
    assert client.post(f"/lists/{mailchimp.audience.id}/members", body).json["source"] == "Lockstep"


def test_1_2_the_api_endpoint_can_be_set() -> None:
    client = SandboxClient(app=create_app(Sandbox.practice(), api_endpoint="http://127.0.0.1:9999/"))
    secret = exchange(client, allowed(client)["code"]).json["access_token"]
    assert metadata(client, secret).json["api_endpoint"] == "http://127.0.0.1:9999"


def test_1_2_deny_goes_back_without_a_code(mailchimp: SandboxClient) -> None:
    answer = post(mailchimp, "/oauth2/authorize", {"step": "deny"}, ASKED)
    query = dict(parse_qsl(urlsplit(answer.headers["location"]).query))
    assert query == {"next": "1", "error": "access_denied", "state": "s&<te>"}


def test_the_pages_escape_what_they_are_given(mailchimp: SandboxClient) -> None:
    page = mailchimp.raw("GET", "/oauth2/authorize", query=ASKED | {"state": '"><script>alert(1)</script>'})
    assert "<script>" not in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"client_id": "nobody"},
        {"redirect_uri": "javascript:alert(1)"},
        {"redirect_uri": ""},
        {"response_type": "token"},
    ],
)
def test_a_malformed_request_is_not_sent_back_to_anybody(
    mailchimp: SandboxClient, wrong: dict[str, str]
) -> None:
    answer = mailchimp.raw("GET", "/oauth2/authorize", query=ASKED | wrong)
    assert (answer.status, "location" in answer.headers) == (400, False)


def test_1_2_the_redirect_uri_must_fit_the_registered_one(mailchimp: SandboxClient) -> None:
    app = OAuthApp("app", "secret", "Other", (BACK,))
    mailchimp.sandbox.oauth.apps["app"] = app
    good = mailchimp.raw("GET", "/oauth2/authorize", query=ASKED | {"client_id": "app"})
    other = ASKED | {"client_id": "app", "redirect_uri": "http://elsewhere.example/"}
    assert (good.status, mailchimp.raw("GET", "/oauth2/authorize", query=other).status) == (200, 400)


@pytest.mark.parametrize(
    ("more", "status", "error"),
    [
        ({"client_secret": "wrong"}, 401, "invalid_client"),
        ({"client_id": "wrong"}, 401, "invalid_client"),
        ({"code": "wrong"}, 400, "invalid_grant"),
        ({"redirect_uri": "http://127.0.0.1:8000/other"}, 400, "invalid_grant"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
    ],
)
def test_codes_are_not_given_away(
    mailchimp: SandboxClient, more: dict[str, str], status: int, error: str
) -> None:
    form = {"code": allowed(mailchimp)["code"]} | more
    answer = exchange(mailchimp, form.pop("code"), **form)
    assert (answer.status, answer.json["error"]) == (status, error)


def test_a_code_works_once_and_not_for_long(mailchimp: SandboxClient) -> None:
    code = allowed(mailchimp)["code"]
    assert exchange(mailchimp, code).status == 200
    assert exchange(mailchimp, code).json["error"] == "invalid_grant"
    late = allowed(mailchimp)["code"]
    mailchimp.control("/clock", {"advance": 31})
    assert exchange(mailchimp, late).json["error"] == "invalid_grant"


@pytest.mark.parametrize("how", ["page", "control door"])
def test_1_2_revocation_works_at_once(mailchimp: SandboxClient, how: str) -> None:
    secret = exchange(mailchimp, allowed(mailchimp)["code"]).json["access_token"]
    if how == "page":
        signed_in = {"cookie": f"practice_account={next(iter(mailchimp.sandbox.accounts))}"}
        assert "Authorised applications" in mailchimp.raw("GET", "/", headers=signed_in).text
        assert post(mailchimp, "/apps/revoke", {"client_id": DEFAULT_CLIENT_ID}).status == 303
        assert "Authorised applications" not in mailchimp.raw("GET", "/", headers=signed_in).text
    else:
        mailchimp.control("/revoke", {"client_id": DEFAULT_CLIENT_ID})
    answer: Any = mailchimp.raw("GET", "/3.0/ping", headers={"authorization": f"Bearer {secret}"})
    assert (answer.status, answer.json["title"]) == (401, "API Key Invalid")
    assert metadata(mailchimp, secret).status == 401
    assert mailchimp.get("/ping").status == 200, "the key of the account still works"
