"""The wire between workers and the practice Mailchimp: slow, lossy, and indifferent to who dies at its ends.

A request that was sent goes on without its sender: it may arrive after the worker was killed, and what it
does then is done.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter, deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from lockstep.core.identity import address_key, subscriber_hash
from lockstep.mailchimp.asgi import AsgiTransport
from lockstep.mailchimp.errors import AnswerLost, Applied, Facts, MailchimpError, NotSent, TimedOut
from lockstep.mailchimp.exchange import HttpReply, HttpRequest
from lockstep.mailchimp.transport import TOTAL_SECONDS
from lockstep.simulation.loop import Group, SimulatedLoop

_MAYBE = Facts(applied=Applied.UNKNOWN)


@dataclass(frozen=True, slots=True)
class Mishap:
    """What goes wrong on the wire with one request: the next one, or the next write.

    `unsent`: no connection. `lost`: it never arrives, and the connection breaks. `late`: the connection
    breaks, and it arrives `seconds` later. `slow`: all is well, `seconds` later.
    """

    kind: str
    seconds: float = 0.0
    writes: bool = True


@dataclass(slots=True)
class Network:
    loop: SimulatedLoop
    server: AsgiTransport
    dice: random.Random
    tell: Callable[[str], None]
    seen: Counter[str]
    group: Group = field(default_factory=lambda: Group("network"))
    mishaps: deque[Mishap] = field(default_factory=deque)
    under_way: int = 0
    """Requests that have not arrived, or whose work is not done."""
    sent: int = 0
    broken: list[str] = field(default_factory=list)

    def _mishap(self, request: HttpRequest) -> Mishap | None:
        for mishap in self.mishaps:
            if not mishap.writes or request.method != "GET":
                self.mishaps.remove(mishap)
                self.seen[f"on the wire, {mishap.kind}"] += 1
                return mishap
        return None

    def send(self, sender: str, request: HttpRequest) -> asyncio.Future[HttpReply]:
        """The answer to come. Whoever sent need not live to see it."""
        self.sent += 1
        number = self.sent
        answer: asyncio.Future[HttpReply] = self.loop.create_future()
        mishap = self._mishap(request)
        where = request.url.partition("/3.0")[2].partition("?")[0]
        self.tell(f"{sender} sends #{number} {request.method} {where}{f' ({mishap.kind})' if mishap else ''}")
        if mishap is not None and mishap.kind == "unsent":
            answer.set_exception(NotSent("No connection to Mailchimp could be made (simulated)."))
            return answer
        there, back = self._latency(), self._latency()
        if mishap is not None and mishap.kind in ("lost", "late"):
            self.loop.call_later(there, _fail, answer, AnswerLost("The answer was lost (simulated).", _MAYBE))
            if mishap.kind == "lost":
                return answer
        if mishap is not None:
            there += mishap.seconds
        self.loop.call_later(TOTAL_SECONDS, _fail, answer, TimedOut("", _MAYBE))
        self.under_way += 1
        self.loop.spawn(self.group, self._carry(number, request, answer, there, back))
        return answer

    async def _carry(
        self,
        number: int,
        request: HttpRequest,
        answer: asyncio.Future[HttpReply],
        there: float,
        back: float,
    ) -> None:
        try:
            await self.loop.pause(there)
            try:
                reply = await self.server.send(request)
            finally:
                self.under_way -= 1
            self.tell(f"  #{number} answered {reply.status}")
            await self.loop.pause(back)
            if not answer.done():
                answer.set_result(reply)
        except MailchimpError as error:
            self.tell(f"  #{number} {type(error).__name__}")
            _fail(answer, error)

    def _latency(self) -> float:
        """Seconds for one way; now and then much longer, so that calls overtake each other."""
        return self.dice.choice((0.01, 0.05, 0.05, 0.2, 1.0)) * (0.5 + self.dice.random())


def _fail(answer: asyncio.Future[HttpReply], error: MailchimpError) -> None:
    if not answer.done():
        answer.set_exception(error)
        answer.exception()  # whoever waits still gets it; that nobody may is no fault


@dataclass(frozen=True, slots=True)
class Wire:
    """A `mailchimp.exchange.Transport` of one worker."""

    network: Network
    sender: str
    beat: Callable[[], Awaitable[None]]
    busy: set[str] = field(default_factory=set)
    """Whom its writes under way concern: no member may be in two (contract 7)."""

    async def send(self, request: HttpRequest) -> HttpReply:
        await self.beat()
        written = _written(request)
        twice = written & self.busy
        self.network.broken += [f"P3: {self.sender} writes {who} twice at once." for who in sorted(twice)]
        self.busy.update(written)
        try:
            return await self.network.send(self.sender, request)
        finally:
            self.busy.difference_update(written)
            await self.beat()

    async def close(self) -> None:
        """Nothing to close."""


def _written(request: HttpRequest) -> set[str]:
    """The members that a request writes, each with its audience."""
    audience, _, rest = request.url.partition("/lists/")[2].partition("?")[0].partition("/")
    if request.method == "GET" or not audience:
        return set()
    if rest.startswith("members/"):
        return {f"{audience} {rest.split('/')[1]}"}
    if rest or request.body is None:
        return set()
    items = json.loads(request.body).get("members", ())
    return {f"{audience} {subscriber_hash(address_key(item['email_address']))}" for item in items}
