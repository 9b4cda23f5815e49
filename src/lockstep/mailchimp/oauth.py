"""OAuth 2, authorization code, as Mailchimp has it (contract 1.2): no scopes, no refresh; valid until
revoked.

The requests and readings are pure; `connect` sends them. Where Mailchimp's login lives is a setting,
because the practice Mailchimp runs at a local address; nothing from an answer ever becomes an address
we send a token to, but the data centre, which `calls.base_address` checks.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeVar
from urllib.parse import urlencode

import msgspec

from lockstep.mailchimp import errors, replies, retry
from lockstep.mailchimp.calls import Repeat, check_datacenter
from lockstep.mailchimp.credentials import AccessToken
from lockstep.mailchimp.errors import Facts, MailchimpError, OAuthRefused
from lockstep.mailchimp.exchange import HttpReply, HttpRequest, Transport
from lockstep.mailchimp.replies import Reader
from lockstep.mailchimp.retry import IMPATIENT, RetryPolicy
from lockstep.mailchimp.sending import USER_AGENT
from lockstep.mailchimp.wire import OAuthMetadata, OAuthToken

T = TypeVar("T")

LOGIN_BASE = "https://login.mailchimp.com"
MAX_REPLY_BYTES = 256 * 1024

_TOKEN = Reader(OAuthToken)
_METADATA = Reader(OAuthMetadata)


@dataclass(frozen=True, slots=True)
class OAuthApp:
    """The app as registered with Mailchimp. `browser_base` is where people are sent to log in,
    `server_base` where this program asks for the token; they differ only when a practice Mailchimp is
    seen under two addresses.
    """

    client_id: str
    client_secret: str = field(repr=False)
    redirect_uri: str
    browser_base: str = LOGIN_BASE
    server_base: str = LOGIN_BASE


@dataclass(frozen=True, slots=True)
class Grant:
    """What a person's "Allow" gave us."""

    token: AccessToken
    metadata: OAuthMetadata


class _Refusal(msgspec.Struct, frozen=True):
    error: str = ""
    error_description: str = ""


def authorize_url(app: OAuthApp, state: str) -> str:
    """Where to send the person; `state` is a secret of this browser session, to be compared on return."""
    parameters = {
        "response_type": "code",
        "client_id": app.client_id,
        "redirect_uri": app.redirect_uri,
        "state": state,
    }
    return f"{app.browser_base.rstrip('/')}/oauth2/authorize?{urlencode(parameters)}"


def token_request(app: OAuthApp, code: str) -> HttpRequest:
    """The exchange of the code that came back for a token; a code can be used once."""
    form = {
        "grant_type": "authorization_code",
        "client_id": app.client_id,
        "client_secret": app.client_secret,
        "redirect_uri": app.redirect_uri,
        "code": code,
    }
    headers = {"Content-Type": "application/x-www-form-urlencoded", **_common_headers()}
    url = f"{app.server_base.rstrip('/')}/oauth2/token"
    return HttpRequest("POST", url, headers, urlencode(form).encode("ascii"), MAX_REPLY_BYTES)


def read_token(reply: HttpReply) -> AccessToken:
    """The token. Raises `OAuthRefused` for a code or app that is not accepted, and the errors of
    `replies`.
    """
    if 400 <= reply.status < 500 and reply.status not in (408, 429):
        refusal = _read_refusal(reply.body)
        if refusal is not None:
            raise OAuthRefused(
                "",
                Facts("oauth.token", reply.status, detail=refusal.error_description),
                error=refusal.error[:100],
            )
    answer = replies.read_reply(
        _TOKEN, reply.status, reply.headers, reply.body, writes=True, call="oauth.token"
    )
    return AccessToken(answer.access_token)


def metadata_request(app: OAuthApp, token: AccessToken) -> HttpRequest:
    """Asks which account and data centre a token belongs to; the scheme is `OAuth` here, not `Bearer`."""
    headers = {"Authorization": f"OAuth {token.token}", **_common_headers()}
    url = f"{app.server_base.rstrip('/')}/oauth2/metadata"
    return HttpRequest("GET", url, headers, None, MAX_REPLY_BYTES, repeatable=True)


def read_metadata(reply: HttpReply) -> OAuthMetadata:
    """The account behind a token. Raises `OAuthRefused` for a token that is not accepted,
    `UnreadableReply` for a data centre that is none, and the errors of `replies`.
    """
    if 400 <= reply.status < 500 and reply.status not in (408, 429):
        refusal = _read_refusal(reply.body)
        if refusal is not None:
            raise OAuthRefused("", Facts("oauth.metadata", reply.status), error=refusal.error[:100])
    metadata = replies.read_reply(
        _METADATA, reply.status, reply.headers, reply.body, writes=False, call="oauth.metadata"
    )
    try:
        check_datacenter(metadata.dc)
    except errors.InvalidCall:
        raise errors.UnreadableReply("", Facts("oauth.metadata", reply.status)) from None
    return metadata


async def connect(
    transport: Transport,
    app: OAuthApp,
    code: str,
    *,
    policy: RetryPolicy = IMPATIENT,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    jitter: Callable[[], float] = random.random,
) -> Grant:
    """Turns the code that came back from Mailchimp into a token and the account it belongs to.

    The exchange is repeated only if it surely was not sent or was turned away for load, because a code can be
    used once; the question about the account is repeated as `policy` allows. Raises `OAuthRefused` when the
    person has to begin again, and other `MailchimpError`s.
    """

    async def send(request: HttpRequest, repeat: Repeat, read: Callable[[HttpReply], T]) -> T:
        attempt = 1
        while True:
            try:
                return read(await transport.send(request))
            except MailchimpError as error:
                decision = retry.decide(error, repeat, attempt, jitter(), policy)
                if not decision.repeat:
                    raise
            await sleep(decision.pause)
            attempt += 1

    token = await send(token_request(app, code), Repeat.ONCE, read_token)
    return Grant(token, await send(metadata_request(app, token), Repeat.READ, read_metadata))


def _common_headers() -> dict[str, str]:
    return {"Accept": "application/json", "User-Agent": USER_AGENT}


def _read_refusal(body: bytes) -> _Refusal | None:
    try:
        refusal = msgspec.json.decode(body, type=_Refusal)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return refusal if refusal.error else None
