"""The one place where a page asks Mailchimp: from Django's threads into the client and back.

Views and services stay synchronous; each question opens a transport, asks, and
closes it. Pages ask a handful of questions, and every one of them within the
patience of somebody who waits.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from asgiref.sync import async_to_sync
from django.conf import settings

from lockstep.apps.connections.errors import CredentialsRefused, MailchimpAway, MailchimpRefused
from lockstep.bridge.access import AccountAccess, Purpose, open_api
from lockstep.bridge.failures import SetupRefused
from lockstep.core.errors import AudienceUnavailable
from lockstep.mailchimp.api import MailchimpAPI
from lockstep.mailchimp.errors import Advice, MailchimpError, OAuthRefused
from lockstep.mailchimp.oauth import Grant, OAuthApp, connect
from lockstep.mailchimp.throttle import Gate
from lockstep.mailchimp.transport import AiohttpTransport

T = TypeVar("T")

PAGE_SECONDS = 25.0
CONNECT_SECONDS = 6.0


def ask(access: AccountAccess, question: Callable[[MailchimpAPI], Awaitable[T]]) -> T:
    """The answer to one question about an account.

    Raises `core.errors.ConnectionBroken` where Mailchimp refuses everything,
    `MailchimpRefused` where it refuses this, `MailchimpAway` where it can't be asked.
    """
    return async_to_sync(_ask)(access, question)


async def _ask(access: AccountAccess, question: Callable[[MailchimpAPI], Awaitable[T]]) -> T:
    async with AiohttpTransport(total_seconds=PAGE_SECONDS, connect_seconds=CONNECT_SECONDS) as transport:
        # Somebody waits here, for one or two calls: they need no share in the worker's gate.
        gate = Gate(now=time.monotonic)
        api = open_api(access, transport=transport, gate=gate, purpose=Purpose.PAGE)
        try:
            return await question(api)
        except AudienceUnavailable as error:
            raise MailchimpAway(error.raw) from error
        except SetupRefused as error:
            raise MailchimpRefused("Mailchimp refused this.", error.raw) from error


def oauth_app(return_address: str) -> OAuthApp | None:
    """Lockstep as registered with Mailchimp; None where this installation is not.

    `return_address` is where Mailchimp sends people back to; it has to be registered with the app.
    """
    if not (settings.MAILCHIMP_CLIENT_ID and settings.MAILCHIMP_CLIENT_SECRET):
        return None
    return OAuthApp(
        client_id=settings.MAILCHIMP_CLIENT_ID,
        client_secret=settings.MAILCHIMP_CLIENT_SECRET,
        redirect_uri=return_address,
        browser_base=settings.MAILCHIMP_OAUTH_BASE_URL,
        server_base=settings.MAILCHIMP_OAUTH_BASE_URL,
    )


def exchange(app: OAuthApp, code: str) -> Grant:
    """The token that the code stands for. Raises `CredentialsRefused`, `MailchimpAway`."""
    return async_to_sync(_exchange)(app, code)


async def _exchange(app: OAuthApp, code: str) -> Grant:
    async with AiohttpTransport(total_seconds=PAGE_SECONDS, connect_seconds=CONNECT_SECONDS) as transport:
        try:
            return await connect(transport, app, code)
        except OAuthRefused as error:
            raise CredentialsRefused(
                "Mailchimp did not accept the log-in. Press Connect to Mailchimp once more."
            ) from error
        except MailchimpError as error:
            if error.advice is Advice.RETRY:
                raise MailchimpAway(str(error)) from error
            raise CredentialsRefused(
                "Mailchimp answered the log-in with something that Lockstep can't use. Try it once more, "
                "or connect with an API key."
            ) from error
