"""The page of webhooks and their calls."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from . import webhook_desk
from .account import Account
from .batch import batches_of
from .page_frame import Frame
from .post_office import Delivery, post_office_of
from .sandbox import Sandbox
from .subscriber import CannotHappen
from .templates import render
from .webhook import webhooks_of

__all__ = ["routes"]

_SHOWN = 200


def routes(sandbox: Sandbox, frame: Frame) -> list[Route]:
    """The routes of this page."""

    async def index(request: Request) -> Response:
        account = frame.account(request)
        if account is None:
            return frame.sign_in()
        return frame.show(
            request, "webhooks.html", part="/webhooks", rows=_rows(sandbox, account, 0),
            hooks=[
                (audience, hook)
                for audience in account.audiences.values()
                for hook in webhooks_of(sandbox).of(audience)
            ],
            batch_hooks=[h for h in batches_of(sandbox).webhooks.values() if h.account_id == account.id],
        )  # fmt: skip

    async def rows(request: Request) -> Response:
        account = frame.account(request)
        if account is None:
            return Response(status_code=204)
        return render("delivery_rows.html", rows=_rows(sandbox, account, 0))

    async def act(request: Request) -> Response:
        form = await request.form()
        try:
            webhook_desk.enable(sandbox, str(form.get("webhook", "")), form.get("what") == "enable")
        except CannotHappen:
            return RedirectResponse("/webhooks", 303)  # it has been deleted meanwhile
        return RedirectResponse("/webhooks", 303)

    return [
        Route("/webhooks", index, methods=["GET"]),
        Route("/webhooks", act, methods=["POST"]),
        Route("/webhooks/deliveries", rows, methods=["GET"]),
    ]


def _rows(sandbox: Sandbox, account: Account, after: int) -> list[tuple[Delivery, list[tuple[str, str]]]]:
    """The newest calls of an account's webhooks, with the fields of their bodies."""
    mine: set[str] = {
        hook.id for audience in account.audiences.values() for hook in webhooks_of(sandbox).of(audience)
    }
    mine |= {hook.id for hook in batches_of(sandbox).webhooks.values() if hook.account_id == account.id}
    found: list[tuple[Delivery, Any]] = []
    for delivery in reversed(post_office_of(sandbox).deliveries):
        if delivery.number <= after or len(found) == _SHOWN:
            break
        if delivery.webhook in mine:
            found.append((delivery, parse_qsl(delivery.body.decode(), keep_blank_values=True)))
    return found
