"""From rows of the database to an audience that can be asked: credentials, gate, transport, fields."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from weakref import WeakKeyDictionary

from django.conf import settings

from lockstep.apps.connections.models import Connection, MailchimpAccount
from lockstep.apps.connections.secrets import SecretUnreadable, unseal
from lockstep.bridge.access import AccountAccess, AuthKind, Gates, Purpose, open_api
from lockstep.bridge.audience import MailchimpAudience
from lockstep.bridge.audience_fields import ensure_fields
from lockstep.core.errors import BrokenKind, ConnectionBroken
from lockstep.core.field_map import FieldMap
from lockstep.core.ports import Clock
from lockstep.mailchimp.api import MailchimpAPI
from lockstep.mailchimp.throttle import Gate, GateState
from lockstep.mailchimp.transport import AiohttpTransport


class SystemClock:
    """The time of this machine."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def access_to(account: MailchimpAccount) -> AccountAccess:
    """The opened credentials of an account. Raises `ConnectionBroken` where they can't be opened."""
    try:
        secret = unseal(account.secret)
    except SecretUnreadable as error:
        raise ConnectionBroken(
            BrokenKind.KEY_REVOKED, "The stored credentials can't be decrypted with this installation's keys."
        ) from error
    return AccountAccess(account.api_base, secret, AuthKind(account.auth_kind))


@dataclass(frozen=True, slots=True)
class OpenAccount:
    """An account for as long as one job works on it: every connection goes through its one gate."""

    api: MailchimpAPI
    gate: Gate
    clock: Clock

    def audience(self, connection: Connection) -> MailchimpAudience:
        return MailchimpAudience(
            self.api,
            connection.list_id,
            FieldMap(connection.prefix),
            now=self.clock.now,
            tag_rule=connection.tag_rule,
        )

    async def ensure_fields(self, connection: Connection) -> None:
        """Our audience fields are there, with their default labels (S5)."""
        report = await ensure_fields(self.api, connection.list_id, FieldMap(connection.prefix))
        report.require_room()

    def gate_state(self) -> GateState:
        return self.gate.state()


_gates: WeakKeyDictionary[asyncio.AbstractEventLoop, Gates] = WeakKeyDictionary()


def gate_of(account: MailchimpAccount) -> Gate:
    """The account's one gate in this process: its contact sync and its campaign reading share it.

    To be called with a running event loop, to which the gate belongs.
    """
    loop = asyncio.get_running_loop()
    gates = _gates.get(loop)
    if gates is None:
        gates = _gates[loop] = Gates(now=time.monotonic, max_width=settings.LOCKSTEP_MAILCHIMP_CALLS)
    return gates.of(account.pk)


@asynccontextmanager
async def open_account(
    account: MailchimpAccount, purpose: Purpose = Purpose.SYNC, *, clock: Clock | None = None
) -> AsyncIterator[OpenAccount]:
    """Open an account for a job of the worker; the clock sleeps the pauses between repeats.

    Raises `ConnectionBroken`.
    """
    clock = clock or SystemClock()
    gate = gate_of(account)
    async with AiohttpTransport() as transport:
        api = open_api(access_to(account), transport=transport, gate=gate, purpose=purpose, sleep=clock.sleep)
        yield OpenAccount(api, gate, clock)
