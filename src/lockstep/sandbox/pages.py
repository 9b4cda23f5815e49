"""The pages at `/`: look at an audience and play its subscribers. Plain HTML forms, marked as practice.

Each group of pages is a function that gives its routes; further groups are in `campaign_pages`,
`webhook_pages` and `tool_pages`.
"""

from __future__ import annotations

import math
from typing import Any
from urllib.parse import quote

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from . import campaign_pages, happenings, seeding, subscriber, tool_pages, webhook_pages
from .account import Account
from .audience import SHELVES, Audience
from .campaign import campaigns_of
from .ids import contact_id, unique_email_id
from .member import Member, answered_value, hash_of
from .member_activity import deeds
from .merge_field import ADDRESS_PARTS, BadValue
from .page_frame import Frame, number_in
from .problems import Problem
from .sandbox import Sandbox
from .subscriber import CannotHappen
from .tag import add_tag, remove_tag
from .templates import render

__all__ = ["routes"]

_PAGE = 50
#: Most subscribers that a button makes up at once.
_MADE_UP = 100_000

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
    frame = Frame(sandbox)
    return [
        *frame.routes(),
        *_account_pages(sandbox, frame),
        *_audience_pages(sandbox, frame),
        *_hosted_form(sandbox, frame),
        *campaign_pages.routes(sandbox, frame),
        *webhook_pages.routes(sandbox, frame),
        *tool_pages.routes(sandbox, frame),
    ]


def _account_pages(sandbox: Sandbox, frame: Frame) -> list[Route]:
    async def home(request: Request) -> Response:
        account = frame.account(request)
        if account is None:
            return frame.sign_in()
        return frame.show(
            request, "home.html", part="/", oauth=sandbox.oauth, error=request.query_params.get("error", "")
        )

    async def revoke(request: Request) -> Response:
        """The user removes an app from the account's authorised applications (contract, 1.2)."""
        form = await request.form()
        happenings.revoke(sandbox, client_id=str(form.get("client_id", "")))
        return RedirectResponse("/", 303)

    async def add_audience(request: Request) -> Response:
        account = frame.account(request)
        name = str((await request.form()).get("name", "")).strip()
        if account is None or not name:
            return RedirectResponse("/", 303)
        made = sandbox.add_audience(account, name[:100])
        return RedirectResponse(f"/audiences/{made.id}", 303)

    return [
        Route("/", home, methods=["GET"]),
        Route("/apps/revoke", revoke, methods=["POST"]),
        Route("/audiences", add_audience, methods=["POST"]),
    ]


def _audience_pages(sandbox: Sandbox, frame: Frame) -> list[Route]:
    async def members(request: Request) -> Response:
        account, audience = frame.audience(request)
        query = request.query_params.get("q", "").strip()
        shelf = request.query_params.get("status", "")
        number = max(number_in(request.query_params.get("page", "1")), 1)
        if shelf not in SHELVES:
            shelf = "current"
        if query:
            rows, total = _search(audience, shelf, query, (number - 1) * _PAGE)
        else:
            rows, total = audience.rows(shelf, offset=(number - 1) * _PAGE, count=_PAGE)
        return frame.show(
            request, "members.html", part="/", account=account, audience=audience, rows=rows, total=total,
            query=query, shelf=shelf, shelves=SHELVES, number=number, pages=max(math.ceil(total / _PAGE), 1),
        )  # fmt: skip

    def member_page(
        request: Request,
        account: Account,
        audience: Audience,
        member: Member,
        *,
        error: str = "",
        done: str = "",
    ) -> Response:
        values = {
            tag: answered_value(member.values[column]) if column < len(member.values) else ""
            for tag, column in audience.columns
        }
        mine = [c for c in campaigns_of(sandbox).of(account) if c.audience_id == audience.id]
        return frame.show(
            request, "member.html", part="/", status=400 if error else 200, account=account,
            audience=audience, member=member, values=values, error=error, done=done, actions=ACTIONS,
            address_parts=ADDRESS_PARTS, contact_id=contact_id(member.serial, audience.salt),
            unique=unique_email_id(member.id), deeds=deeds(mine, member)[:_PAGE],
            tags=[audience.tags.by_id[tag_id].name for tag_id, _ in member.tags],
        )  # fmt: skip

    async def member(request: Request) -> Response:
        account, audience = frame.audience(request)
        found = _member(audience, request)
        return member_page(request, account, audience, found, done=request.query_params.get("done", ""))

    async def act(request: Request) -> Response:
        account, audience = frame.audience(request)
        found = _member(audience, request)
        form = {name: str(value) for name, value in (await request.form()).items()}
        what = form.get("what", "")
        if what in ("tag", "untag"):
            _change_tag(sandbox, audience, found, form.get("tag", "").strip(), on=what == "tag")
            return RedirectResponse(f"/audiences/{audience.id}/members/{found.id}#tags", 303)
        try:
            more = _edited(audience, form) if what == "edit" else {}
            after = happenings.happen(sandbox, audience.id, found.email, what, **more)
        except (CannotHappen, BadValue, Problem) as error:
            return member_page(request, account, audience, found, error=str(error))
        here = f"/audiences/{audience.id}"
        if after["status"] is None:
            return RedirectResponse(here, 303)
        return RedirectResponse(f"{here}/members/{after['id']}?done={quote(what)}", 303)

    async def generate(request: Request) -> Response:
        _, audience = frame.audience(request)
        count = number_in(str((await request.form()).get("count", "")), 0)
        if 0 < count <= _MADE_UP:
            seeding.generate(sandbox, audience, count)
        return RedirectResponse(f"/audiences/{audience.id}", 303)

    return [
        Route("/audiences/{audience}", members, methods=["GET"]),
        Route("/audiences/{audience}/generate", generate, methods=["POST"]),
        Route("/audiences/{audience}/members/{member}", member, methods=["GET"]),
        Route("/audiences/{audience}/members/{member}", act, methods=["POST"]),
    ]


def _hosted_form(sandbox: Sandbox, frame: Frame) -> list[Route]:
    """The sign-up form behind `subscribe_url_long`: the way back for the forgotten (contract, 4.5)."""

    async def short(request: Request) -> Response:
        account, audience = frame.audience(request)
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


def _member(audience: Audience, request: Request) -> Member:
    member = audience.find(request.path_params["member"])
    if member is None:
        raise HTTPException(404)
    return member


def _change_tag(sandbox: Sandbox, audience: Audience, member: Member, name: str, *, on: bool) -> None:
    """Put a tag on or take it off, as on Mailchimp's page of a contact."""
    at = sandbox.clock.second()
    if on and name:
        add_tag(member, audience.tag_named(name[:100], sandbox.ids, at).id, at)
    elif (tag := audience.tags.find(name)) is not None:
        remove_tag(member, tag.id)


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
