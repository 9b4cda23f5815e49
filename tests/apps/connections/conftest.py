"""A practice Mailchimp on a real port, and an installation that knows it."""

from __future__ import annotations

import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator

import pytest
from pytest_django import Settings
from tests.factories import ConnectionFactory, MailchimpAccountFactory, SeatFactory

from lockstep.apps.accounts.permissions import Actor
from lockstep.apps.connections.models import Connection, MailchimpAccount
from lockstep.apps.connections.secrets import seal
from lockstep.sandbox.audience import Audience
from lockstep.sandbox.oauth import OAuthApp
from lockstep.sandbox.testing import SandboxServer, serve

RETURN = "http://127.0.0.1:8000/back"


@pytest.fixture
def mailchimp(settings: Settings) -> Iterator[SandboxServer]:
    with serve() as server:
        app = OAuthApp("lockstep-tests", "a-secret", "Lockstep", (RETURN,))
        server.sandbox.oauth.apps[app.client_id] = app
        settings.MAILCHIMP_OAUTH_BASE_URL = server.url
        settings.MAILCHIMP_API_BASE_OVERRIDE = server.url
        settings.MAILCHIMP_CLIENT_ID = app.client_id
        settings.MAILCHIMP_CLIENT_SECRET = app.client_secret
        yield server


@pytest.fixture
def actor(db: None) -> Actor:
    return SeatFactory().actor()


@pytest.fixture
def account(mailchimp: SandboxServer, actor: Actor) -> MailchimpAccount:
    """The practice account, connected by its key."""
    return MailchimpAccountFactory(
        company=actor.company, api_base=mailchimp.url, secret=seal(mailchimp.api_key), data_center="us6"
    )


@pytest.fixture
def audience(mailchimp: SandboxServer) -> Audience:
    [practice] = mailchimp.sandbox.accounts.values()
    return next(iter(practice.audiences.values()))


@pytest.fixture
def connection(account: MailchimpAccount, audience: Audience) -> Connection:
    return ConnectionFactory(account=account, list_id=audience.id, list_name=audience.name)


def press_allow(address: str, account_id: str) -> dict[str, str]:
    """What a browser brings back when the person logs in at `address` and presses Allow."""

    class Stay(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *args: object) -> None:
            return None

    parts = urllib.parse.urlsplit(address)
    form = dict(urllib.parse.parse_qsl(parts.query)) | {"account": account_id, "step": "allow"}
    request = urllib.request.Request(
        parts._replace(query="").geturl(), urllib.parse.urlencode(form).encode(), method="POST"
    )
    try:
        urllib.request.build_opener(Stay).open(request)
    except urllib.error.HTTPError as answer:
        with answer:
            target = answer.headers["Location"]
        return dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(target).query))
    raise AssertionError("Mailchimp did not send the browser back")
