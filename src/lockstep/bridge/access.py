"""What opens an account, as one frozen value, and the API made from it."""

from __future__ import annotations

import asyncio
import enum
import random
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from lockstep.core.errors import BrokenKind, ConnectionBroken
from lockstep.mailchimp.api import MailchimpAPI
from lockstep.mailchimp.calls import base_address, check_datacenter, datacenter_of_key
from lockstep.mailchimp.credentials import AccessToken, ApiKey
from lockstep.mailchimp.errors import InvalidCall
from lockstep.mailchimp.exchange import Transport
from lockstep.mailchimp.retry import IMPATIENT, RetryPolicy
from lockstep.mailchimp.throttle import DEFAULT_WIDTH, Gate, Lane

API_PATH = "/3.0"

SYNC_PATIENCE = RetryPolicy(attempts=5, first=0.5, edge_first=2.0, cap=8.0)
"""For a run: short enough that Stop is obeyed within seconds. Longer waits belong to whoever reads
`AudienceUnavailable.retry_after` and looks at what people want in between."""


class AuthKind(enum.StrEnum):
    """How the account was connected (contract 1.1, 1.2)."""

    OAUTH = "oauth"
    API_KEY = "api_key"


class Purpose(enum.Enum):
    """What an API is opened for: decides whose turn it is at the gate, and how patient it is."""

    SYNC = "sync"
    PAGE = "page"
    """Somebody waits at a page."""
    CAMPAIGNS = "campaigns"


_MANNERS = {
    Purpose.SYNC: (Lane.BULK, SYNC_PATIENCE),
    Purpose.PAGE: (Lane.URGENT, IMPATIENT),
    Purpose.CAMPAIGNS: (Lane.CAMPAIGNS, SYNC_PATIENCE),
}


@dataclass(frozen=True, slots=True)
class AccountAccess:
    """How to reach one account. `api_base` is without `/3.0`; the secret never shows in a repr."""

    api_base: str
    secret: str = field(repr=False)
    auth_kind: AuthKind


def api_base(data_center: str, practice_base: str = "") -> str:
    """The address (without `/3.0`) of the API of a data centre, or of the practice Mailchimp.

    `practice_base` is a setting of the installation and never comes from an
    answer. Raises ValueError for a data centre that could not be one: it
    becomes part of a host name to which the secret is sent.
    """
    try:
        return base_address(check_datacenter(data_center), practice_base).removesuffix(API_PATH)
    except InvalidCall as error:
        raise ValueError(str(error)) from None


def data_center_of(api_key: str) -> str:
    """The data centre that an API key names (contract 1.1); raises ValueError where it names none."""
    try:
        return datacenter_of_key(api_key)
    except InvalidCall as error:
        raise ValueError(str(error)) from None


def open_api(
    access: AccountAccess,
    *,
    transport: Transport,
    gate: Gate,
    purpose: Purpose = Purpose.SYNC,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    jitter: Callable[[], float] = random.random,
) -> MailchimpAPI:
    """The API of an account, over the process's transport and through the account's gate.

    `sleep` and `jitter` are for tests and simulations. Raises `ConnectionBroken`
    for a secret that could not be one, ValueError for an address that is none.
    """
    parts = urlsplit(access.api_base)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("The API's base is not an http(s) address.")
    kind = ApiKey if access.auth_kind is AuthKind.API_KEY else AccessToken
    lane, policy = _MANNERS[purpose]
    try:
        return MailchimpAPI(
            base_url=access.api_base.rstrip("/") + API_PATH,
            credential=kind(access.secret),
            transport=transport,
            gate=gate,
            lane=lane,
            policy=policy,
            sleep=sleep,
            jitter=jitter,
        )
    except InvalidCall as error:
        raise ConnectionBroken(BrokenKind.KEY_REVOKED, str(error)) from error


class Gates:
    """One gate for each account of a process: Mailchimp's limit is per user, not per audience (contract 7).

    Belongs to one event loop, as gates do. `now` gives seconds that never run backwards.
    """

    def __init__(self, *, now: Callable[[], float], max_width: int = DEFAULT_WIDTH) -> None:
        self._now = now
        self._max_width = max_width
        self._gates: dict[Hashable, Gate] = {}

    def of(self, account: Hashable) -> Gate:
        """The gate of an account, by whatever names the account."""
        gate = self._gates.get(account)
        if gate is None:
            gate = self._gates[account] = Gate(now=self._now, max_width=self._max_width)
        return gate


__all__ = [
    "SYNC_PATIENCE",
    "AccountAccess",
    "AuthKind",
    "Gates",
    "Purpose",
    "api_base",
    "data_center_of",
    "open_api",
]
