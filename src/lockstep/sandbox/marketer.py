"""What the marketer does in the web application, for the control door and the page: build and send campaigns,
and, one by one, what a subscriber does with a mail."""

from __future__ import annotations

from typing import Any

from .behaviour import Temper
from .campaign import Campaign, campaigns_of
from .clock import iso
from .member import hash_of
from .sandbox import Sandbox
from .subscriber import CannotHappen

__all__ = ["create_campaign", "describe", "list_campaigns", "play", "send_campaign"]


def create_campaign(
    sandbox: Sandbox,
    audience: str,
    subject: str,
    title: str = "",
    preview: str = "",
    links: list[str] | None = None,
    segment: int | None = None,
    send: bool = False,
    behaviour: dict[str, Any] | None = None,
    seed: int | None = None,
) -> dict[str, Any]:
    """A draft to an audience or one of its segments; with `send` it goes out at once.

    `behaviour` are numbers of `Temper`, `seed` makes the reactions repeatable. Raises CannotHappen,
    ValueError.
    """
    found = sandbox.find_audience(audience)
    if found is None:
        raise CannotHappen(f"there is no audience {audience}")
    account, held = found
    temper = Temper.of(behaviour or {})
    more: dict[str, Any] = {} if links is None else {"links": links}
    campaigns = campaigns_of(sandbox)
    made = campaigns.add(
        account, held, subject=subject, title=title, preview=preview, segment_id=segment, **more
    )
    if send:
        campaigns.send(made, temper=temper, seed=seed)
    return describe(made)


def send_campaign(
    sandbox: Sandbox, campaign: str, behaviour: dict[str, Any] | None = None, seed: int | None = None
) -> dict[str, Any]:
    """Send a draft. Raises CannotHappen, ValueError."""
    found = _find(sandbox, campaign)
    campaigns_of(sandbox).send(found, temper=Temper.of(behaviour or {}), seed=seed)
    return describe(found)


def play(sandbox: Sandbox, campaign: str, email: str, what: str, url: str = "") -> dict[str, Any]:
    """A subscriber opens the mail, or clicks a link in it. Raises CannotHappen.

    Unsubscribes, complaints and bounces are `happen` with the campaign's id.
    """
    found = _find(sandbox, campaign)
    campaigns = campaigns_of(sandbox)
    audience = campaigns.audience(found)
    member = audience.get(hash_of(email)) if audience else None
    if member is None:
        raise CannotHappen(f"{email} is not in the audience of this campaign")
    campaigns.play_one(found, member, what, url=url)
    return describe(found)


def list_campaigns(sandbox: Sandbox) -> list[dict[str, Any]]:
    """All campaigns of all accounts."""
    campaigns = campaigns_of(sandbox)
    return [describe(c) for account in sandbox.accounts.values() for c in campaigns.of(account)]


def describe(campaign: Campaign) -> dict[str, Any]:
    """A campaign with its numbers, as the control door tells it."""
    mailing = campaign.mailing
    return {
        "id": campaign.id,
        "audience": campaign.audience_id,
        "segment": campaign.segment_id,
        "subject": campaign.subject,
        "title": campaign.title,
        "status": campaign.status,
        "send_time": iso(campaign.send_time),
        "links": [url for _, url in campaign.links],
        "recipients": len(mailing) if mailing else 0,
        "opens": mailing.opens_total if mailing else 0,
        "opened": len(mailing.openers) if mailing else 0,
        "clicks": mailing.clicks_total if mailing else 0,
        "clicked": len(mailing.clickers) if mailing else 0,
        "bounced": mailing.soft_bounces + mailing.hard_bounces if mailing else 0,
        "unsubscribed": len(mailing.unsubscribed) if mailing else 0,
    }


def _find(sandbox: Sandbox, campaign_id: str) -> Campaign:
    found = campaigns_of(sandbox).find(campaign_id)
    if found is None:
        raise CannotHappen(f"there is no campaign {campaign_id}")
    return found
