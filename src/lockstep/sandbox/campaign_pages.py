"""Pages of the marketer: campaigns, a new one, its sending, its report, and playing its readers."""

from __future__ import annotations

from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from . import marketer
from .account import Account
from .campaign import Campaign, campaigns_of
from .page_frame import Frame
from .sandbox import Sandbox
from .segment import Segments
from .subscriber import CannotHappen
from .templates import render

__all__ = ["routes"]

PART = "/campaigns"


def routes(sandbox: Sandbox, frame: Frame) -> list[Route]:
    """The routes of these pages."""

    def show_list(request: Request, *, error: str = "", sent: dict[str, str] | None = None) -> Response:
        account = frame.account(request)
        if account is None:
            return frame.sign_in()
        return frame.show(
            request, "campaigns.html", part=PART, status=400 if error else 200, error=error, sent=sent or {},
            campaigns=list(reversed(campaigns_of(sandbox).of(account))), targets=_targets(sandbox, account),
        )  # fmt: skip

    async def index(request: Request) -> Response:
        return show_list(request)

    async def create(request: Request) -> Response:
        form = {name: str(value) for name, value in (await request.form()).items()}
        audience, _, segment = form.get("target", "").partition("/")
        links = [line.strip() for line in form.get("links", "").splitlines() if line.strip()]
        subject = form.get("subject", "").strip()
        try:
            if not subject:
                raise CannotHappen("a campaign needs a subject")
            made = marketer.create_campaign(
                sandbox, audience, subject, links=links, segment=int(segment) if segment else None
            )
        except (CannotHappen, ValueError) as refusal:
            return show_list(request, error=str(refusal), sent=form)
        return RedirectResponse(f"/campaigns/{made['id']}", 303)

    def show_one(request: Request, campaign: Campaign, *, error: str = "") -> Response:
        return frame.show(
            request, "campaign.html", part=PART, status=400 if error else 200, error=error,
            account=sandbox.accounts[campaign.account_id],
            done=request.query_params.get("done", ""), **_report(sandbox, campaign),
        )  # fmt: skip

    async def one(request: Request) -> Response:
        return show_one(request, _campaign(sandbox, request))

    async def report(request: Request) -> Response:
        """The part that is asked again and again."""
        return render("campaign_report.html", **_report(sandbox, _campaign(sandbox, request)))

    async def act(request: Request) -> Response:
        campaign = _campaign(sandbox, request)
        form = {name: str(value) for name, value in (await request.form()).items()}
        what, email = form.get("what", ""), form.get("email", "").strip()
        try:
            match what:
                case "send":
                    campaigns_of(sandbox).send(campaign)
                case "delete":
                    campaigns_of(sandbox).delete(campaign)
                    return RedirectResponse("/campaigns", 303)
                case "open" | "click":
                    marketer.play(sandbox, campaign.id, email, what, form.get("url", ""))
                case _:
                    raise CannotHappen(f"{what!r} cannot happen to a campaign")
        except CannotHappen as refusal:
            return show_one(request, campaign, error=str(refusal))
        return RedirectResponse(f"/campaigns/{campaign.id}?done={what}", 303)

    return [
        Route("/campaigns", index, methods=["GET"]),
        Route("/campaigns", create, methods=["POST"]),
        Route("/campaigns/{campaign}", one, methods=["GET"]),
        Route("/campaigns/{campaign}", act, methods=["POST"]),
        Route("/campaigns/{campaign}/report", report, methods=["GET"]),
    ]


def _campaign(sandbox: Sandbox, request: Request) -> Campaign:
    found = campaigns_of(sandbox).find(request.path_params["campaign"])
    if found is None:
        raise HTTPException(404)
    return found


def _targets(sandbox: Sandbox, account: Account) -> list[tuple[str, str]]:
    """(value, label) of what a campaign can go to: audiences and their segments."""
    segments = sandbox.store("segments", Segments)
    found = []
    for audience in account.audiences.values():
        count = len(audience.shelves["subscribed"])
        found.append((audience.id, f"{audience.name}: all {count} subscribed"))
        found += [
            (f"{audience.id}/{segment.id}", f"{audience.name}: {segment.name}")
            for segment in segments.all(audience)
        ]
    return found


def _report(sandbox: Sandbox, campaign: Campaign) -> dict[str, Any]:
    campaigns = campaigns_of(sandbox)
    audience, mailing = campaigns.audience(campaign), campaign.mailing
    segment = None
    if audience is not None and campaign.segment_id is not None:
        segment = sandbox.store("segments", Segments).find(audience, campaign.segment_id)
    return {
        "campaign": campaign,
        "audience": audience,
        "segment": segment,
        "mailing": mailing,
        "recipients": len(mailing) if mailing else len(campaigns.recipients(campaign)),
    }
