"""Sends calls: through the gate, again where that is safe, and the answer read. The one place that waits."""

from __future__ import annotations

import asyncio
import copy
import logging
import random
from collections.abc import Awaitable, Callable
from typing import Self, TypeVar

from lockstep import __version__
from lockstep.mailchimp import replies, retry
from lockstep.mailchimp.calls import Call, Repeat
from lockstep.mailchimp.credentials import AccessToken, ApiKey
from lockstep.mailchimp.errors import MailchimpError
from lockstep.mailchimp.exchange import HttpRequest, Transport
from lockstep.mailchimp.retry import PATIENT, RetryPolicy
from lockstep.mailchimp.throttle import Gate, GateState, Lane

T = TypeVar("T")

log = logging.getLogger("lockstep.mailchimp")

USER_AGENT = f"Lockstep/{__version__}"


class Sender:
    """Sends `Call`s for one account.

    `base_url` comes from `calls.base_address`. The transport and the gate are the caller's: one
    transport serves all accounts of a process, one gate all connections of an account. Sleep and chance
    (`jitter`, a number in [0, 1)) are passed in so that tests and simulations own them.
    """

    def __init__(
        self,
        *,
        base_url: str,
        credential: ApiKey | AccessToken,
        transport: Transport,
        gate: Gate,
        lane: Lane = Lane.BULK,
        policy: RetryPolicy = PATIENT,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._base_url = base_url.rstrip("/")
        self._transport = transport
        self._gate = gate
        self._lane = lane
        self._policy = policy
        self._sleep = sleep
        self._jitter = jitter
        self._headers = {
            "Authorization": credential.header(),
            "Accept": "application/json",
            "User-Agent": USER_AGENT,
        }
        self._headers_with_body = {**self._headers, "Content-Type": "application/json; charset=utf-8"}

    def in_lane(self, lane: Lane) -> Self:
        """The same API whose calls queue in another lane."""
        other = copy.copy(self)
        other._lane = lane
        return other

    def with_policy(self, policy: RetryPolicy) -> Self:
        """The same API with another patience."""
        other = copy.copy(self)
        other._policy = policy
        return other

    def gate_state(self) -> GateState:
        return self._gate.state()

    async def send(self, call: Call[T], *, lane: Lane | None = None) -> T:
        """Sends one call and reads its answer, repeating it where `retry` allows.

        The place in the gate is given back while waiting for a repeat. Raises `MailchimpError`s only.
        """
        attempt = 1
        while True:
            try:
                async with self._gate.passing(self._lane if lane is None else lane):
                    return await self._send_once(call)
            except MailchimpError as error:
                decision = retry.decide(error, call.repeat, attempt, self._jitter(), self._policy)
                if not decision.repeat:
                    raise
                log.warning(
                    "Mailchimp call %s is repeated after a pause of %.1f s: %s",
                    call.name,
                    decision.pause,
                    error,
                    extra={"action": "mailchimp_retry", "call": call.name, "attempt": attempt},
                )
            await self._sleep(decision.pause)
            attempt += 1

    async def _send_once(self, call: Call[T]) -> T:
        request = HttpRequest(
            call.method,
            self._base_url + call.target(),
            self._headers if call.body is None else self._headers_with_body,
            call.body,
            repeatable=call.repeat is Repeat.READ,
        )
        try:
            reply = await self._transport.send(request)
        except MailchimpError as error:
            error.facts = error.facts.about(call.name, writes=call.writes)
            raise
        return replies.read_reply(
            call.reads, reply.status, reply.headers, reply.body, writes=call.writes, call=call.name
        )
