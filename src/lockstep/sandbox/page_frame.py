"""What all pages share: who is signed in, the frame around a page, and the assets.

There are no passwords here. Signing in chooses the account whose pages are shown; a link into another account
signs in there.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from .account import Account
from .audience import Audience
from .sandbox import Sandbox
from .templates import render

__all__ = ["Frame", "number_in"]

COOKIE = "practice_account"
_ASSETS = Path(__file__).parent / "assets"
_KINDS = {"practice.css": "text/css; charset=utf-8", "practice.js": "text/javascript; charset=utf-8"}
_YEAR = 365 * 86_400

#: Address and label of each part of the pages.
PARTS = (
    ("/", "Audiences"),
    ("/campaigns", "Campaigns"),
    ("/webhooks", "Webhooks"),
    ("/log", "Request log"),
    ("/faults", "Faults"),
    ("/clock", "Clock and switches"),
)


class Frame:
    """Shows pages within the frame."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox

    def account(self, request: Request) -> Account | None:
        """Who is signed in; None if nobody is, or the account is gone."""
        return self.sandbox.accounts.get(request.cookies.get(COOKIE, ""))

    def audience(self, request: Request) -> tuple[Account, Audience]:
        """The audience in the path, of whatever account. Raises HTTPException (404)."""
        found = self.sandbox.find_audience(request.path_params["audience"])
        if found is None:
            raise HTTPException(404)
        return found

    def show(
        self,
        request: Request,
        template: str,
        *,
        part: str,
        account: Account | None = None,
        status: int = 200,
        **context: Any,
    ) -> Response:
        """A page of an account (by default that of whoever is signed in); nobody signed in is asked to.

        `part` is the address of the part of the pages it belongs to.
        """
        signed_in = self.account(request)
        account = account or signed_in
        if account is None:
            return self.sign_in()
        response = render(
            template, status=status, account=account, frame={"parts": PARTS, "part": part}, **context
        )
        if account is not signed_in:
            _remember(response, account)
        return response

    def sign_in(self) -> Response:
        """The page that asks who you are."""
        return render("sign_in.html", accounts=list(self.sandbox.accounts.values()))

    def routes(self) -> list[Route]:
        """Signing in and out, and the assets."""

        async def login(request: Request) -> Response:
            if request.method == "GET":
                return self.sign_in()
            account = self.sandbox.accounts.get(str((await request.form()).get("account", "")))
            if account is None:
                return RedirectResponse("/login", 303)
            response = RedirectResponse("/", 303)
            _remember(response, account)
            return response

        async def logout(request: Request) -> Response:
            response = RedirectResponse("/login", 303)
            response.delete_cookie(COOKIE)
            return response

        async def asset(request: Request) -> Response:
            kind = _KINDS.get(request.path_params["name"])
            if kind is None:
                raise HTTPException(404)
            content = (_ASSETS / request.path_params["name"]).read_bytes()
            return Response(content, media_type=kind, headers={"Cache-Control": "no-cache"})

        async def favicon(request: Request) -> Response:
            return Response(status_code=204)

        return [
            Route("/login", login, methods=["GET", "POST"]),
            Route("/logout", logout, methods=["POST"]),
            Route("/assets/{name}", asset, methods=["GET"]),
            Route("/favicon.ico", favicon, methods=["GET"]),
        ]


def _remember(response: Response, account: Account) -> None:
    response.set_cookie(COOKIE, account.id, max_age=_YEAR, httponly=True, samesite="lax")


def number_in(text: str, default: int = 1) -> int:
    """A number that somebody typed, or `default`."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else default
