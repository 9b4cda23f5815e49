"""The ASGI application: API under `/3.0`, OAuth under `/oauth2`, control door under `/_sandbox`, pages."""

from __future__ import annotations

import asyncio
from pathlib import Path
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.routing import Mount
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from . import batch_results, control, oauth_pages, pages
from .api import Api
from .conformance import watched
from .door import ApiDoor, Sleep
from .heart import Heart
from .journal import Journal
from .routes import COLLECTIONS
from .sandbox import Sandbox

__all__ = ["SandboxApp", "create_app"]


class SandboxApp:
    """The practice Mailchimp as an ASGI application; `sandbox` is its state, `api` the API without HTTP.

    The API door is called directly rather than through a framework: it must see the server's own `send` to be
    able to cut a connection.
    """

    def __init__(
        self,
        sandbox: Sandbox,
        *,
        api_endpoint: str | None = None,
        sleep: Sleep = asyncio.sleep,
        state_file: Path | None = None,
    ) -> None:
        self.sandbox = sandbox
        self.api = Api(sandbox, COLLECTIONS)
        #: How much happened by the passing of time, of which a journal has not everything.
        self.ticks = 0
        self._door: ASGIApp = watched(ApiDoor(sandbox, self.api, sleep=sleep))
        self._rest: ASGIApp = Starlette(
            routes=[
                Mount("/oauth2", routes=oauth_pages.routes(sandbox, api_endpoint)),
                Mount("/_sandbox", routes=control.routes(sandbox, state_file)),
                *batch_results.routes(sandbox),
                *pages.routes(sandbox),
            ]
        )
        self._heart = Heart(self._tick)
        self._state_file = state_file

    def keep_journal(self) -> Journal | None:
        """From now on write down every change beside the state file, if there is one."""
        if self._state_file is not None:
            self.sandbox.journal = Journal(self.sandbox, self._state_file)
        return self.sandbox.journal

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        await self._answer(path, scope, receive, send)
        self._heart.beat()

    def _tick(self) -> bool:
        """Let happen what is due; is anything still to come?"""
        happened = self.sandbox.tick()
        self.ticks += happened
        return self.sandbox.is_busy()

    async def _answer(self, path: str, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and (path == "/3.0" or path.startswith("/3.0/")):
            await self._door(scope, receive, send)
        elif scope["type"] == "http" and _is_foreign(scope):
            answer = PlainTextResponse("The sandbox takes forms from its own pages only.\n", 403)
            await answer(scope, receive, send)
        elif scope["type"] == "http" and scope["method"] not in ("GET", "HEAD"):
            await _kept(self._rest, self.sandbox)(scope, receive, send)
        else:
            await self._rest(scope, receive, send)


def _kept(app: ASGIApp, sandbox: Sandbox) -> ASGIApp:
    """The application with a journal of what a request changes, written before its answer leaves."""

    async def keeping(scope: Scope, receive: Receive, send: Send) -> None:
        journal = sandbox.journal
        if journal is None:
            await app(scope, receive, send)
            return
        open_ = True

        def end() -> None:
            nonlocal open_
            if open_:
                open_ = False
                journal.end(scope["path"])

        async def send_kept(message: Message) -> None:
            end()
            await send(message)

        journal.begin()
        try:
            await app(scope, receive, send_kept)
        finally:
            end()

    return keeping


def _is_foreign(scope: Scope) -> bool:
    """Does a page of another site write here? Browsers say so in `Origin`; nobody else sends it."""
    headers = Headers(scope=scope)
    origin = headers.get("origin")
    if origin is None or scope["method"] in ("GET", "HEAD"):
        return False
    return urlsplit(origin).netloc != headers.get("host")


def create_app(
    state: Sandbox | None = None,
    *,
    api_endpoint: str | None = None,
    sleep: Sleep = asyncio.sleep,
    state_file: Path | None = None,
) -> SandboxApp:
    """A practice Mailchimp over `state`, or over a fresh one with the default key and audience.

    `api_endpoint` is what `/oauth2/metadata` answers (without `/3.0`); by default the address that the
    request came to. `sleep` waits real seconds where a fault or latency says so; tests pass their own.
    `state_file` is where the control door's `save` puts a snapshot.
    """
    return SandboxApp(
        state or Sandbox.practice(), api_endpoint=api_endpoint, sleep=sleep, state_file=state_file
    )
