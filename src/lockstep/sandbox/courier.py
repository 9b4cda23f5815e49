"""The edge over which webhooks leave: HTTP with the standard library, bounded, to the loopback only.

A `Transport` sends one request and waits for the answer. `ThreadCourier` calls it in threads of its own, one
for each address, so that nobody else waits; what came of it is handed over in `collect`, which the sandbox
calls in its own thread. `InlineCourier` calls it at once, for tests without threads.
"""

from __future__ import annotations

import asyncio
import http.client
import ipaddress
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import SplitResult, urlsplit

__all__ = [
    "Courier",
    "HttpTransport",
    "InlineCourier",
    "Outcome",
    "Post",
    "ThreadCourier",
    "Transport",
    "is_http_url",
]

#: Real seconds to answer in (contract, section 8).
TIMEOUT = 10.0
_ANSWER_BYTES = 64 * 1024
_WAITING = 10_000
_LANES = 16
_IDLE_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Post:
    """A request to send: a webhook call, or the GET that asks whether the address works."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The answer's status, or why there was none; real milliseconds."""

    status: int | None
    error: str = ""
    milliseconds: float = 0.0

    @property
    def good(self) -> bool:
        """Was it taken?"""
        return self.status is not None and 200 <= self.status < 300


Transport = Callable[[Post], Outcome]


class Courier(Protocol):
    """Sends posts. `now` is real time in seconds since 1970: signatures carry it, because the receiver
    compares them with its own clock, which is not the sandbox's."""

    def now(self) -> float: ...

    def send(self, post: Post, told: Callable[[Outcome], None]) -> None:
        """Send; `told` is called in the sandbox's thread, now or in a later `collect`."""

    def collect(self) -> int:
        """Hand over what has come back; returns how much."""

    def outstanding(self) -> int:
        """How many posts are on their way or not handed over."""

    async def ask(self, post: Post) -> Outcome:
        """Send and wait for the answer."""


class InlineCourier:
    """Sends in the caller's thread."""

    def __init__(self, transport: Transport, *, now: Callable[[], float] = time.time) -> None:
        self._transport = transport
        self.now = now

    def send(self, post: Post, told: Callable[[Outcome], None]) -> None:
        told(self._transport(post))

    def collect(self) -> int:
        return 0

    def outstanding(self) -> int:
        return 0

    async def ask(self, post: Post) -> Outcome:
        return self._transport(post)


class ThreadCourier:
    """Sends in threads, in order for each host and port. A thread ends when it has been idle for a while."""

    def __init__(self, transport: Transport, *, now: Callable[[], float] = time.time) -> None:
        self._transport = transport
        self.now = now
        self._lock = threading.Condition()
        self._lanes: dict[str, deque[tuple[Post, Callable[[Outcome], None]]]] = {}
        self._done: deque[tuple[Callable[[Outcome], None], Outcome]] = deque()
        self._outstanding = 0

    def send(self, post: Post, told: Callable[[Outcome], None]) -> None:
        name = urlsplit(post.url).netloc
        with self._lock:
            new = name not in self._lanes
            if self._outstanding >= _WAITING or (new and len(self._lanes) >= _LANES):
                self._outstanding += 1
                self._done.append((told, Outcome(None, "too many webhook calls are waiting")))
                return
            self._outstanding += 1
            self._lanes.setdefault(name, deque()).append((post, told))
            self._lock.notify_all()
        if new:
            threading.Thread(target=self._work, args=(name,), name="sandbox-courier", daemon=True).start()

    def _work(self, name: str) -> None:
        while True:
            with self._lock:
                lane = self._lanes[name]
                if not self._lock.wait_for(lane.__len__, timeout=_IDLE_SECONDS):
                    del self._lanes[name]
                    return
                post, told = lane.popleft()
            outcome = self._transport(post)
            with self._lock:
                self._done.append((told, outcome))

    def collect(self) -> int:
        collected = 0
        while self._done:
            told, outcome = self._done.popleft()
            with self._lock:
                self._outstanding -= 1
            told(outcome)
            collected += 1
        return collected

    def outstanding(self) -> int:
        return self._outstanding

    async def ask(self, post: Post) -> Outcome:
        return await asyncio.to_thread(self._transport, post)


class HttpTransport:
    """Sends over HTTP or HTTPS; follows no redirects. Never raises.

    Unless `anywhere`, only addresses of the loopback are called, whatever a name resolves to: a practice
    Mailchimp must not be a way into somebody's network.
    """

    def __init__(self, *, anywhere: bool = False, timeout: float = TIMEOUT) -> None:
        self._anywhere = anywhere
        self._timeout = timeout

    def __call__(self, post: Post) -> Outcome:
        started = time.monotonic()

        def passed() -> float:
            return round((time.monotonic() - started) * 1000, 1)

        try:
            status = self._send(post)
        except (OSError, http.client.HTTPException, ValueError) as error:
            return Outcome(None, str(error) or type(error).__name__, passed())
        return Outcome(status, "", passed())

    def _send(self, post: Post) -> int:
        parts = urlsplit(post.url)
        if not is_http_url(post.url) or parts.hostname is None:
            raise ValueError("this is no http address")
        host = self._checked(parts)
        if parts.scheme == "https":
            # By name, so that the certificate can be checked.
            connection: http.client.HTTPConnection = http.client.HTTPSConnection(
                parts.hostname, parts.port, timeout=self._timeout
            )
        else:
            connection = http.client.HTTPConnection(host, parts.port, timeout=self._timeout)
        try:
            target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            connection.request(
                post.method,
                target,
                post.body or None,
                {"Host": parts.netloc.rpartition("@")[2], **post.headers},
            )
            answer = connection.getresponse()
            answer.read(_ANSWER_BYTES)
            return answer.status
        finally:
            connection.close()

    def _checked(self, parts: SplitResult) -> str:
        """The address to connect to. Raises OSError, ValueError."""
        host = parts.hostname or ""
        if self._anywhere:
            return host
        for address in _addresses(host):
            if ipaddress.ip_address(address).is_loopback:
                return address
        raise ValueError("only addresses on this machine are called; --webhooks-anywhere allows others")


def _addresses(host: str) -> list[str]:
    """What a name resolves to; an address as it is. Raises OSError."""
    try:
        return [str(ipaddress.ip_address(host))]
    except ValueError:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return [str(address[0]).partition("%")[0] for *_, address in found]


def is_http_url(text: str) -> bool:
    """Is this an absolute http or https address without control characters or blanks?"""
    try:
        parts = urlsplit(text)
        port_is_fine = parts.port is None or parts.port > 0
    except ValueError:
        return False
    printable = text.isascii() and text.isprintable() and " " not in text
    return printable and parts.scheme in ("http", "https") and bool(parts.hostname) and port_is_fine
