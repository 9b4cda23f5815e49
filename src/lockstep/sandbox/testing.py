"""The sandbox in tests: in-process without a socket, or on a real port in a thread.

    from lockstep.sandbox.testing import SandboxClient, serve

    client = SandboxClient()                       # a fresh practice Mailchimp
    answer = client.get("/lists")                  # answer.status, answer.json, answer.headers

    with serve() as server:                        # over HTTP
        requests.get(f"{server.url}/3.0/ping", auth=("any", server.api_key))

`pytest_plugins = ["lockstep.sandbox.fixtures"]` gives the fixtures `sandbox_client` and `sandbox_server`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import uvicorn
from starlette.types import ASGIApp, Message

from .app import SandboxApp, create_app
from .audience import Audience
from .sandbox import Sandbox

__all__ = ["Answer", "SandboxClient", "SandboxServer", "serve"]


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer. `json` is None for an empty body; header names are lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body) if self.body else None

    @property
    def text(self) -> str:
        return self.body.decode()


class SandboxClient:
    """Calls a sandbox application in-process. Paths of the API are given without `/3.0`."""

    def __init__(
        self, sandbox: Sandbox | None = None, *, app: ASGIApp | None = None, api_key: str | None = None
    ) -> None:
        self.app: ASGIApp = app or create_app(sandbox)
        self.sandbox = _sandbox_of(self.app)
        self.api_key = api_key or next(
            secret for account in self.sandbox.accounts.values() for secret in account.credentials
        )

    @property
    def audience(self) -> Audience:
        """The first audience of the first account."""
        account = next(iter(self.sandbox.accounts.values()))
        return next(iter(account.audiences.values()))

    def get(self, path: str, **query: Any) -> Answer:
        return self.request("GET", path, query=query)

    def post(self, path: str, body: Any = None, **query: Any) -> Answer:
        return self.request("POST", path, body, query=query)

    def put(self, path: str, body: Any = None, **query: Any) -> Answer:
        return self.request("PUT", path, body, query=query)

    def patch(self, path: str, body: Any = None, **query: Any) -> Answer:
        return self.request("PATCH", path, body, query=query)

    def delete(self, path: str, **query: Any) -> Answer:
        return self.request("DELETE", path, query=query)

    def control(self, path: str, body: Any = None, *, method: str | None = None, **query: Any) -> Any:
        """The control door; raises AssertionError with its complaint if it refuses."""
        method = method or ("GET" if body is None else "POST")
        answer = self.raw(method, f"/_sandbox{path}", _bytes(body), query=query)
        if answer.status != 200:
            raise AssertionError(f"{method} /_sandbox{path}: {answer.status} {answer.text}")
        return answer.json

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        query: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """A call of the API with the key; `body` is JSON, or bytes as they are."""
        given = {"authorization": f"Bearer {self.api_key}"} | (headers or {})
        return self.raw(method, f"/3.0{path}", _bytes(body), query=query, headers=given)

    def raw(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        *,
        query: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """Any request at all; nothing is added to it."""
        return asyncio.run(self.araw(method, path, body, query=query, headers=headers))

    async def araw(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        *,
        query: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """`raw` for tests that have a running loop."""
        text = urlencode({name: _text(value) for name, value in (query or {}).items()})
        started: list[Message] = []
        chunks: list[bytes] = []

        async def receive() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                started.append(message)
            else:
                chunks.append(message.get("body", b""))

        await self.app(
            {
                "type": "http",
                "asgi": {"version": "3.0"},
                "http_version": "1.1",
                "method": method,
                "scheme": "http",
                "path": path,
                "raw_path": path.encode(),
                "root_path": "",
                "query_string": text.encode(),
                "headers": [
                    (name.lower().encode(), value.encode())
                    for name, value in ({"host": "sandbox.test"} | (headers or {})).items()
                ],
                "client": ("192.0.2.10", 50000),
                "server": ("sandbox.test", 80),
            },
            receive,
            send,
        )
        start = started[0]
        return Answer(
            start["status"],
            {name.decode("latin-1"): value.decode("latin-1") for name, value in start["headers"]},
            b"".join(chunks),
        )


def _sandbox_of(app: Any) -> Sandbox:
    """The state behind an application; middleware keeps what it wraps in `app`."""
    while not isinstance(app, SandboxApp):
        app = app.app
    return app.sandbox


def _bytes(body: Any) -> bytes:
    if body is None:
        return b""
    return body if isinstance(body, bytes) else json.dumps(body).encode()


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


@dataclass(frozen=True, slots=True)
class SandboxServer:
    """A sandbox that listens. `url` is without `/3.0`."""

    url: str
    port: int
    api_key: str
    sandbox: Sandbox
    app: ASGIApp


@contextlib.contextmanager
def serve(app: ASGIApp | None = None, *, deadline: float = 10.0) -> Iterator[SandboxServer]:
    """Run a sandbox application on a free port of the loopback in a thread of its own."""
    client = SandboxClient(app=app) if app is not None else SandboxClient()
    config = uvicorn.Config(
        client.app, host="127.0.0.1", port=0, log_level="error", access_log=False, server_header=False,
        lifespan="off", timeout_graceful_shutdown=1,
    )  # fmt: skip
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, name="sandbox", daemon=True)
    thread.start()
    until = time.monotonic() + deadline
    while not server.started:
        if not thread.is_alive() or time.monotonic() > until:
            raise RuntimeError("the sandbox did not start")
        time.sleep(0.005)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield SandboxServer(f"http://127.0.0.1:{port}", port, client.api_key, client.sandbox, client.app)
    finally:
        server.should_exit = True
        thread.join(deadline)
