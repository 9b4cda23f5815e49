"""The HTTP door of the API: reads the request, lets faults and limits strike, writes the answer and the log.

This is the only place that waits, and the only one that touches connections.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from collections.abc import Awaitable, Callable
from functools import lru_cache
from itertools import chain
from typing import Any
from urllib.parse import parse_qsl

from starlette.types import Receive, Scope, Send

from . import problems
from .api import Api, Reply, Request
from .encode import encode
from .faults import BadFault, Fault, parse_header
from .problems import Problem
from .request_log import Entry
from .sandbox import Sandbox

__all__ = ["ApiDoor", "ConnectionDropped"]

Sleep = Callable[[float], Awaitable[Any]]

_EDGE_PAGE = (
    b"<HTML><HEAD>\n<TITLE>Access Denied</TITLE>\n</HEAD><BODY>\n<H1>Access Denied</H1>\n \n"
    b"You don't have permission to access this server.<P>\nReference&#32;&#35;18&#46;0\n</BODY>\n</HTML>\n"
)
_AFTER_WORK = ("reset_after", "timeout", "slow_drip", "truncated")


class ConnectionDropped(ConnectionResetError):
    """Raised where there is no socket to cut, so that an in-process caller sees a lost connection."""


class ApiDoor:
    """ASGI application for everything below `/3.0`. `sleep` waits real seconds."""

    def __init__(self, sandbox: Sandbox, api: Api, *, sleep: Sleep = asyncio.sleep) -> None:
        self._sandbox = sandbox
        self._api = api
        self._sleep = sleep

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = await _body(receive)
        request = _request(scope, body)
        sandbox = self._sandbox
        sandbox.tick()
        request_id = sandbox.ids.request_id()
        started = time.perf_counter()
        user = self._user(request)
        if user is not None:
            sandbox.in_flight[user] += 1
        faults: tuple[Fault, ...] = ()
        reply: Reply | None = None
        try:
            faults = self._faults(request)
            reply, payload = await self._work(request, request_id, faults, user)
            self._log(request, reply, payload, faults, started)
            await self._deliver(reply, payload, faults, send)
        except BadFault as error:
            await _send(send, 400, {"Content-Type": "text/plain; charset=utf-8"}, f"{error}\n".encode())
        except ConnectionDropped:
            if reply is None:
                self._log(request, Reply(0), b"", faults, started)
            if not await _cut(send):
                raise
        finally:
            if user is not None:
                sandbox.in_flight[user] -= 1
                if not sandbox.in_flight[user]:
                    del sandbox.in_flight[user]

    def _user(self, request: Request) -> int | None:
        try:
            return self._api.authenticate(request)[1].user.id
        except Problem:
            return None

    def _faults(self, request: Request) -> tuple[Fault, ...]:
        query = "&".join(f"{name}={value}" for name, value in request.query.items())
        faults = list(self._sandbox.faults.striking(request.method, request.path, self._sandbox.ids, query))
        if header := request.headers.get("x-sandbox-fault"):
            faults += parse_header(header)
        return tuple(faults)

    async def _work(
        self, request: Request, request_id: str, faults: tuple[Fault, ...], user: int | None
    ) -> tuple[Reply, bytes]:
        """The answer, after the waits and refusals that come before the work."""
        sandbox = self._sandbox
        if user is not None and sandbox.in_flight[user] > sandbox.switches.connections:
            return _problem(problems.too_many_requests(), request_id)
        if wait := self._latency(faults):
            await self._sleep(wait)
        for fault in faults:
            match fault.kind:
                case "reset":
                    raise ConnectionDropped("the sandbox dropped the connection")
                case "too_many_requests":
                    return _problem(problems.too_many_requests(), request_id)
                case "internal_error":
                    return _problem(problems.internal_error(), request_id)
                case "too_many_requests_plain":
                    return _plain(429, b"Too Many Requests", "text/plain")
                case "forbidden_html":
                    return _plain(403, _EDGE_PAGE, "text/html")
                case "unavailable":
                    return _plain(503, b"", "text/html")
        if request.method in ("GET", "HEAD"):
            reply = self._api.answer(request, request_id, faults)
            return reply, reply.body()
        path = f"/3.0{request.path}"
        with sandbox.keeping(path):
            reply = self._api.answer(request, request_id, faults)
        if reply.later is not None:
            outcome = await sandbox.courier.ask(reply.later.post)
            with sandbox.keeping(path):
                reply = self._api.finish(reply, outcome, request, request_id)
        return reply, reply.body()

    def _latency(self, faults: tuple[Fault, ...]) -> float:
        """Real seconds to wait before the work."""
        wanted = [(self._sandbox.latency.milliseconds, self._sandbox.latency.spread)]
        wanted += [(fault["ms"], fault["spread_ms"]) for fault in faults if fault.kind == "latency"]
        total = 0.0
        for milliseconds, spread in wanted:
            if spread:
                milliseconds += spread * (2 * self._sandbox.ids.chance() - 1)
            total += max(milliseconds, 0.0)
        return total / 1000

    async def _deliver(self, reply: Reply, payload: bytes, faults: tuple[Fault, ...], send: Send) -> None:
        fault = next((fault for fault in faults if fault.kind in _AFTER_WORK), None)
        match fault.kind if fault else "":
            case "reset_after":
                raise ConnectionDropped("the sandbox dropped the connection after the work")
            case "timeout" if fault:
                # The slot stays taken meanwhile (contract, 7: request time).
                await self._sleep(fault["seconds"])
                raise ConnectionDropped("the sandbox gave up on the request after the work")
            case "truncated":
                await _start(send, reply, len(payload))
                await send(
                    {"type": "http.response.body", "body": payload[: len(payload) // 2], "more_body": True}
                )
                raise ConnectionDropped("the sandbox dropped the connection in the middle of the answer")
            case "slow_drip" if fault:
                await _start(send, reply, len(payload))
                step = max(int(fault["bytes"]), 1)
                for at in range(0, len(payload), step):
                    await send(
                        {"type": "http.response.body", "body": payload[at : at + step], "more_body": True}
                    )
                    await self._sleep(fault["ms"] / 1000)
                await send({"type": "http.response.body", "body": b""})
            case _:
                await _start(send, reply, len(payload))
                await send({"type": "http.response.body", "body": payload})

    def _log(
        self, request: Request, reply: Reply, payload: bytes, faults: tuple[Fault, ...], started: float
    ) -> None:
        """Before the answer leaves, so that whoever has the answer finds it in the log."""
        log = self._sandbox.log
        log.add(
            Entry(
                number=log.next_number(),
                at=self._sandbox.clock.now(),
                method=request.method,
                path=request.path,
                query="&".join(f"{name}={value}" for name, value in request.query.items()),
                route=reply.route,
                status=reply.status,
                milliseconds=round((time.perf_counter() - started) * 1000, 3),
                account=reply.account.id if reply.account else "",
                user_agent=request.headers.get("user-agent", ""),
                fault=", ".join(fault.kind for fault in faults),
                request=request.body,
                response=payload,
            )
        )


async def _body(receive: Receive) -> bytes:
    chunks = []
    while True:
        message = await receive()
        if message["type"] != "http.request":
            break
        chunks.append(message.get("body", b""))
        if not message.get("more_body"):
            break
    return b"".join(chunks)


@lru_cache(maxsize=1024)
def _pairs(part: str) -> list[tuple[str, str]]:
    """Name and value of one part of a query, if it has any; callers repeat the long ones all the time."""
    return parse_qsl(part, keep_blank_values=True)


def _request(scope: Scope, body: bytes) -> Request:
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
    path = (scope.get("raw_path") or scope["path"].encode()).decode("latin-1").partition("?")[0]
    client = scope.get("client")
    host = headers.get("host", "sandbox")
    query = dict(
        chain.from_iterable(map(_pairs, scope.get("query_string", b"").decode("latin-1").split("&")))
    )
    return Request(
        method=scope["method"],
        path=path.removeprefix("/3.0"),
        query=query,
        headers=headers,
        body=body,
        ip=client[0] if client else "",
        base=f"{scope.get('scheme', 'http')}://{host}/3.0",
    )


def _problem(problem: Problem, request_id: str) -> tuple[Reply, bytes]:
    document = problem.document(request_id)
    headers = {
        "Server": "openresty",
        "X-Request-Id": request_id,
        "Content-Type": "application/problem+json; charset=utf-8",
    }
    return Reply(problem.status, document, headers | problem.headers), encode(document)


def _plain(status: int, payload: bytes, kind: str) -> tuple[Reply, bytes]:
    return Reply(status, headers={"Server": "AkamaiGHost", "Content-Type": kind}), payload


async def _start(send: Send, reply: Reply, length: int) -> None:
    headers = dict(reply.headers)
    if reply.status != 204:
        headers["Content-Length"] = str(length)
    await send(
        {
            "type": "http.response.start",
            "status": reply.status,
            "headers": [
                (name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()
            ],
        }
    )


async def _send(send: Send, status: int, headers: dict[str, str], payload: bytes) -> None:
    await _start(send, Reply(status, headers=headers), len(payload))
    await send({"type": "http.response.body", "body": payload})


async def _cut(send: Send) -> bool:
    """Reset the TCP connection under `send`; False if there is none to be found.

    ASGI has no word for this; uvicorn's `send` is a method of an object that holds the transport. Middleware
    that wraps `send` may leave the original in an attribute `wrapped`.
    """
    while hasattr(send, "wrapped"):
        send = send.wrapped
    transport = getattr(getattr(send, "__self__", None), "transport", None)
    if transport is None:
        return False
    # A client that lost patience, or died, has closed its end: then there is no socket any more.
    raw = None if transport.is_closing() else transport.get_extra_info("socket")
    if raw is not None:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
    for _ in range(3):  # let the server notice, or it complains of an answer that never came
        await asyncio.sleep(0)
    return True
