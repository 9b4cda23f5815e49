"""OAuth 2 over HTTP: the pages (log in, Allow, Deny), the token and the metadata (contract, 1.2).

Mailchimp serves these at login.mailchimp.com; here they share host and port with the API.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from .account import Account
from .oauth import OAuthError
from .sandbox import Sandbox
from .templates import render

__all__ = ["routes"]

_ASKED = ("response_type", "client_id", "redirect_uri", "state")


def routes(sandbox: Sandbox, api_endpoint: str | None) -> list[Route]:
    """The routes below `/oauth2`."""

    async def authorize(request: Request) -> Response:
        """GET shows the login, POST `step=login` the question, POST `step=allow|deny` answers the app."""
        given: dict[str, Any] = dict(request.query_params)
        if request.method == "POST":
            given |= dict(await request.form())
        asked = {name: str(given.get(name, "")) for name in _ASKED}
        try:
            app = sandbox.oauth.app_for(asked["client_id"], asked["redirect_uri"])
            if asked["response_type"] != "code":
                raise OAuthError("unsupported_response_type", "response_type must be code.")
        except OAuthError as error:
            return render("oauth_error.html", status=400, error=error)
        account = sandbox.accounts.get(str(given.get("account", "")))
        step = given.get("step", "") if request.method == "POST" else ""
        if step == "deny":
            return _back(asked, {"error": "access_denied"})
        if account is None or step not in ("login", "allow"):
            return render("oauth_login.html", asked=asked, app=app, accounts=list(sandbox.accounts.values()))
        if step == "login":
            return render("oauth_allow.html", asked=asked, app=app, account=account)
        code = sandbox.oauth.grant(
            app, account, account.owner, asked["redirect_uri"], sandbox.ids, sandbox.clock.now()
        )
        return _back(asked, {"code": code})

    async def token(request: Request) -> Response:
        form = await request.form()
        try:
            if form.get("grant_type") != "authorization_code":
                raise OAuthError("unsupported_grant_type", "grant_type must be authorization_code.")
            account, credential = sandbox.oauth.exchange(
                code=str(form.get("code", "")),
                client_id=str(form.get("client_id", "")),
                client_secret=str(form.get("client_secret", "")),
                redirect_uri=str(form.get("redirect_uri", "")),
                ids=sandbox.ids,
                now=sandbox.clock.now(),
            )
        except OAuthError as error:
            body = {"error": error.code, "error_description": error.description}
            return JSONResponse(body, 401 if error.code == "invalid_client" else 400)
        sandbox.add_credential(account, credential)
        # The last two keys are not established (contract, 1.2 and 13.4).
        return JSONResponse({"access_token": credential.secret, "expires_in": 0, "scope": None})

    async def metadata(request: Request) -> Response:
        scheme, _, secret = request.headers.get("authorization", "").partition(" ")
        opened = sandbox.opened_by(secret.strip()) if scheme.lower() in ("oauth", "bearer") else None
        if opened is None or opened[1].revoked:
            return JSONResponse({"error": "invalid_token", "error_description": "The token is invalid."}, 401)
        account, credential = opened
        here = str(request.base_url).removesuffix("/").removesuffix("/oauth2")
        return JSONResponse(_metadata(account, credential.user.email, here, api_endpoint or here))

    return [
        Route("/authorize", authorize, methods=["GET", "POST"]),
        Route("/token", token, methods=["POST"]),
        Route("/metadata", metadata, methods=["GET"]),
    ]


def _metadata(account: Account, email: str, login_url: str, api_endpoint: str) -> dict[str, Any]:
    user = account.owner
    return {
        "dc": account.data_centre,
        "role": user.role,
        "accountname": account.name,
        "user_id": user.id,
        "login": {
            "email": email,
            "avatar": None,
            "login_id": user.id,
            "login_name": user.username,
            "login_email": email,
        },
        "login_url": login_url,
        "api_endpoint": api_endpoint.removesuffix("/"),
    }


def _back(asked: dict[str, str], answer: dict[str, str]) -> Response:
    """Send the browser to the app with the answer and the app's `state`."""
    if asked["state"]:
        answer = answer | {"state": asked["state"]}
    target = asked["redirect_uri"]
    return RedirectResponse(f"{target}{'&' if '?' in target else '?'}{urlencode(answer)}", 303)
