"""The pages at `/`: look at an audience and play its subscribers. Plain HTML forms, marked as practice."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from .sandbox import Sandbox
from .templates import render

__all__ = ["routes"]


def routes(sandbox: Sandbox) -> list[Route]:
    """The pages."""

    async def home(request: Request) -> Response:
        return render("home.html", accounts=list(sandbox.accounts.values()))

    async def favicon(request: Request) -> Response:
        return Response(status_code=204)

    async def to_home(request: Request) -> Response:
        return RedirectResponse("/", 303)

    return [
        Route("/", home, methods=["GET"]),
        Route("/favicon.ico", favicon),
        Route("/audiences", to_home),
    ]
