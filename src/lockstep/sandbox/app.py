"""The ASGI application: API under `/3.0`, OAuth under `/oauth2`, control door under `/_sandbox`, pages."""

from __future__ import annotations

import asyncio

from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.types import ASGIApp, Receive, Scope, Send

from . import control, oauth_pages, pages
from .api import Api
from .door import ApiDoor, Sleep
from .routes import COLLECTIONS
from .sandbox import Sandbox

__all__ = ["SandboxApp", "create_app"]


class SandboxApp:
    """The practice Mailchimp as an ASGI application; `sandbox` is its state, `api` the API without HTTP.

    The API door is called directly rather than through a framework: it must see the server's own `send` to be
    able to cut a connection.
    """

    def __init__(
        self, sandbox: Sandbox, *, api_endpoint: str | None = None, sleep: Sleep = asyncio.sleep
    ) -> None:
        self.sandbox = sandbox
        self.api = Api(sandbox, COLLECTIONS)
        self._door = ApiDoor(sandbox, self.api, sleep=sleep)
        self._rest: ASGIApp = Starlette(
            routes=[
                Mount("/oauth2", routes=oauth_pages.routes(sandbox, api_endpoint)),
                Mount("/_sandbox", routes=control.routes(sandbox)),
                *pages.routes(sandbox),
            ]
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        if scope["type"] == "http" and (path == "/3.0" or path.startswith("/3.0/")):
            await self._door(scope, receive, send)
        else:
            await self._rest(scope, receive, send)


def create_app(
    state: Sandbox | None = None, *, api_endpoint: str | None = None, sleep: Sleep = asyncio.sleep
) -> SandboxApp:
    """A practice Mailchimp over `state`, or over a fresh one with the default key and audience.

    `api_endpoint` is what `/oauth2/metadata` answers (without `/3.0`); by default the address that the
    request came to. `sleep` waits real seconds where a fault or latency says so; tests pass their own.
    """
    return SandboxApp(state or Sandbox.practice(), api_endpoint=api_endpoint, sleep=sleep)
