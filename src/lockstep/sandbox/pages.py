"""The pages at `/`: look at an audience and play its subscribers. Plain HTML forms, marked as practice.

Each group of pages is a function that gives its routes, so that more can be put beside it.
"""

from __future__ import annotations

import math
from typing import Any
from urllib.parse import quote

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from . import happenings, subscriber
from .account import Account
from .audience import SHELVES, Audience
from .ids import contact_id, unique_email_id
from .member import Member, answered_value, hash_of
from .merge_field import ADDRESS_PARTS, BadValue
from .problems import Problem
from .sandbox import Sandbox
from .subscriber import CannotHappen
from .templates import render

__all__ = ["routes"]

_PAGE = 50

#: What the buttons of a member's page do: action, label, and whether it cannot be undone.
ACTIONS = (
    ("unsubscribe", "Unsubscribe (the person)", False),
    ("complain", "Report as spam (the person)", False),
    ("confirm", "Confirm (the person)", False),
    ("bounce", "Bounce and be cleaned", False),
    ("admin_unsubscribe", "Unsubscribe (an admin)", False),
    ("archive", "Archive (an admin)", False),
    ("delete", "Delete for good (an admin)", True),
)


def routes(sandbox: Sandbox) -> list[Route]:
    """All pages."""
    return [*_account_pages(sandbox), *_audience_pages(sandbox), *_hosted_form(sandbox)]


def _account_pages(sandbox: Sandbox) -> list[Route]:
    async def home(request: Request) -> Response:
        return render("home.html", accounts=list(sandbox.accounts.values()), oauth=sandbox.oauth)

    async def revoke(request: Request) -> Response:
        """The user removes an app from the account's authorised applications (contract, 1.2)."""
        form = await request.form()
        happenings.revoke(sandbox, client_id=str(form.get("client_id", "")))
        return RedirectResponse("/", 303)

    async def favicon(request: Request) -> Response:
        return Response(status_code=204)

    return [
        Route("/", home, methods=["GET"]),
        Route("/apps/revoke", revoke, methods=["POST"]),
        Route("/favicon.ico", favicon, methods=["GET"]),
    ]


def _audience_pages(sandbox: Sandbox) -> list[Route]:
    async def members(request: Request) -> Response:
        account, audience = _audience(sandbox, request)
        query = request.query_params.get("q", "").strip()
        shelf = request.query_params.get("status", "")
        number = max(_number(request.query_params.get("page", "1")), 1)
        if shelf not in SHELVES:
            shelf = "current"
        if query:
            rows, total = _search(audience, shelf, query, (number - 1) * _PAGE)
        else:
            rows, total = audience.rows(shelf, offset=(number - 1) * _PAGE, count=_PAGE)
        return render(
            "members.html", account=account, audience=audience, rows=rows, total=total, query=query,
            shelf=shelf, shelves=SHELVES, number=number, pages=max(math.ceil(total / _PAGE), 1),
        )  # fmt: skip

    async def member(request: Request) -> Response:
        account, audience = _audience(sandbox, request)
        found = _member(audience, request)
        return _member_page(account, audience, found, done=request.query_params.get("done", ""))

    async def act(request: Request) -> Response:
        account, audience = _audience(sandbox, request)
        found = _member(audience, request)
        form = {name: str(value) for name, value in (await request.form()).items()}
        what = form.get("what", "")
        try:
            more = _edited(audience, form) if what == "edit" else {}
            after = happenings.happen(sandbox, audience.id, found.email, what, **more)
        except (CannotHappen, BadValue, Problem) as error:
            return _member_page(account, audience, found, error=str(error))
        here = f"/audiences/{audience.id}"
        if after["status"] is None:
            return RedirectResponse(here, 303)
        return RedirectResponse(f"{here}/members/{after['id']}?done={quote(what)}", 303)

    return [
        Route("/audiences/{audience}", members, methods=["GET"]),
        Route("/audiences/{audience}/members/{member}", member, methods=["GET"]),
        Route("/audiences/{audience}/members/{member}", act, methods=["POST"]),
    ]


def _hosted_form(sandbox: Sandbox) -> list[Route]:
    """The sign-up form behind `subscribe_url_long`: the way back for the forgotten (contract, 4.5)."""

    async def short(request: Request) -> Response:
        account, audience = _audience(sandbox, request)
        return RedirectResponse(f"/subscribe?u={account.id}&id={audience.id}", 303)

    async def form(request: Request) -> Response:
        found = sandbox.find_audience(request.query_params.get("id", ""))
        if found is None:
            raise HTTPException(404)
        audience = found[1]
        fields = [f for f in audience.merge_fields.values() if f.public or f.required]
        sent: dict[str, str] = {}
        error = done = ""
        if request.method == "POST":
            sent = {name: str(value).strip() for name, value in (await request.form()).items()}
            try:
                if missing := [f.name for f in fields if f.required and not sent.get(f.tag)]:
                    raise CannotHappen(f"Please enter a value: {', '.join(missing)}")
                subscriber.sign_up(
                    audience,
                    sent.get("EMAIL", ""),
                    _merges(audience, sent),
                    sandbox.clock.second(),
                    sandbox.ids,
                    sandbox.switches,
                    ip=request.client.host if request.client else "",
                )
                done = sent["EMAIL"]
            except (CannotHappen, BadValue) as refusal:
                error = str(refusal)
        return render(
            "sign_up.html", status=400 if error else 200, audience=audience, fields=fields, sent=sent,
            error=error, done=done, address_parts=ADDRESS_PARTS,
        )  # fmt: skip

    return [
        Route("/s/{audience}", short, methods=["GET"]),
        Route("/subscribe", form, methods=["GET", "POST"]),
    ]


def _audience(sandbox: Sandbox, request: Request) -> tuple[Account, Audience]:
    found = sandbox.find_audience(request.path_params["audience"])
    if found is None:
        raise HTTPException(404)
    return found


def _member(audience: Audience, request: Request) -> Member:
    member = audience.find(request.path_params["member"])
    if member is None:
        raise HTTPException(404)
    return member


def _member_page(
    account: Account, audience: Audience, member: Member, *, error: str = "", done: str = ""
) -> Response:
    values = {
        tag: answered_value(member.values[column]) if column < len(member.values) else ""
        for tag, column in audience.columns
    }
    return render(
        "member.html", status=400 if error else 200, account=account, audience=audience, member=member,
        values=values, error=error, done=done, actions=ACTIONS, address_parts=ADDRESS_PARTS,
        contact_id=contact_id(member.serial, audience.salt), unique=unique_email_id(member.id),
        tags=[audience.tags.by_id[tag_id].name for tag_id, _ in member.tags],
    )  # fmt: skip


def _edited(audience: Audience, form: dict[str, str]) -> dict[str, Any]:
    return {"merges": _merges(audience, form), "new_email": form.get("EMAIL") or None, "by": "user"}


def _merges(audience: Audience, form: dict[str, str]) -> dict[str, Any]:
    """Merge values from a form; an address comes in parts named `ADDRESS.addr1` and so on."""
    merges: dict[str, Any] = {}
    for field in audience.merge_fields.values():
        if field.type == "address":
            parts = {part: form.get(f"{field.tag}.{part}") for part in ADDRESS_PARTS}
            if any(value is not None for value in parts.values()):
                merges[field.tag] = {part: value or "" for part, value in parts.items()}
        elif field.tag in form:
            merges[field.tag] = form[field.tag]
    return merges


def _search(audience: Audience, status: str, query: str, offset: int) -> tuple[list[Member], int]:
    """Members whose address or any text value holds `query`; a whole address is found at once."""
    exact = audience.get(hash_of(query))
    if exact is not None:
        return [exact], 1
    wanted = query.casefold()
    rows, _ = audience.rows(status)
    found = [
        member
        for member in rows
        if wanted in member.email.casefold()
        or any(isinstance(value, str) and wanted in value.casefold() for value in member.values)
    ]
    return found[offset : offset + _PAGE], len(found)


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 1
