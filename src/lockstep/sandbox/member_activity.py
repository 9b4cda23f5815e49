"""What one member did about the campaigns they were sent, newest first (contract, section 9).

Both forms: `activity` (the last 50 events) and the newer `activity-feed`, whose items differ by type.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from .audience import Audience
from .campaign import Campaign
from .clock import iso
from .mailing import ABUSE, HARD, SOFT, UNSUBSCRIBE
from .member import ADMIN_REASON, Member

__all__ = ["FEED_TYPES", "LAST", "Deed", "activity_document", "deeds", "feed"]

#: How many events `activity` tells (contract, 7).
LAST = 50
FEED_TYPES = (
    "bounce", "click", "conversation", "ecommerce_signup", "event", "web_engagement", "generic_signup",
    "landing_page_signup", "marketing_permission", "note", "open", "order", "postcard_sent", "sent", "signup",
    "squatter_signup", "unsub", "website_signup", "survey_response", "sms_bulk_sent", "inbox_thread",
    "qbo_payment_link", "video_call_transcripts",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Deed:
    """One thing a member did, or that was done to their mail. `kind` is an action of `activity`."""

    at: int
    kind: str
    campaign: Campaign
    url: str = ""
    bounce: str = ""
    after_open: bool = False


def deeds(campaigns: Iterable[Campaign], member: Member) -> list[Deed]:
    """Everything about the campaigns of the member's audience, newest first."""
    found = []
    for campaign in campaigns:
        mailing = campaign.mailing
        number = mailing.recipient(member.serial) if mailing else None
        if mailing is None or number is None:
            continue
        found.append(Deed(campaign.send_time or 0, "sent", campaign))
        opened = False
        for event in mailing.events_of(number):
            if event.is_open:
                found.append(Deed(event.at, "open", campaign))
                opened = True
            elif event.link is not None:
                found.append(Deed(event.at, "click", campaign, url=campaign.links[event.link][1]))
            elif event.what in (SOFT, HARD):
                kind = "soft" if event.what == SOFT else "hard"
                found.append(Deed(event.at, "bounce", campaign, bounce=kind, after_open=opened))
            elif event.what in (UNSUBSCRIBE, ABUSE):
                found.append(Deed(event.at, "unsub" if event.what == UNSUBSCRIBE else "abuse", campaign))
    # Of one second, the later deed comes first too.
    found.reverse()
    return sorted(found, key=lambda deed: -deed.at)


def activity_document(deed: Deed) -> dict[str, Any]:
    """A row of `activity`."""
    return {
        "action": deed.kind,
        "timestamp": iso(deed.at),
        "url": deed.url,
        "type": deed.bounce,
        "campaign_id": deed.campaign.id,
        "title": deed.campaign.title,
        "parent_campaign": "",
    }


def feed(audience: Audience, member: Member, done: Iterable[Deed]) -> list[dict[str, Any]]:
    """The items of `activity-feed`, newest first: mails, the sign-up, and unsubscribes without a campaign."""
    items = [_item(deed, member) for deed in done if deed.kind != "abuse"]
    unsubscribed = any(item["activity_type"] == "unsub" for item in items)
    if member.status == "unsubscribed" and member.unsubscribed_at is not None and not unsubscribed:
        items.append(
            {
                "activity_type": "unsub",
                "created_at_timestamp": iso(member.unsubscribed_at),
                "campaign_id": "",
                "campaign_title": "",
                "unsubscribe_reason": member.unsubscribe_reason,
                "is_admin_unsubscribed": member.unsubscribe_reason == ADMIN_REASON,
            }
        )
    joined = member.timestamp_signup if member.timestamp_signup is not None else member.timestamp_opt
    if joined is not None:
        kind = "signup" if member.timestamp_signup is not None else "generic_signup"
        items.append({"activity_type": kind, "created_at_timestamp": iso(joined)})
    return sorted(items, key=lambda item: str(item["created_at_timestamp"]), reverse=True)


def _item(deed: Deed, member: Member) -> dict[str, Any]:
    item: dict[str, Any] = {
        "activity_type": deed.kind,
        "created_at_timestamp": iso(deed.at),
        "campaign_id": deed.campaign.id,
        "campaign_title": deed.campaign.title,
    }
    match deed.kind:
        case "click":
            item["link_clicked"] = deed.url
        case "bounce":
            item |= {"bounce_type": deed.bounce, "bounce_has_open_activity": deed.after_open}
        case "unsub":
            item |= {"unsubscribe_reason": member.unsubscribe_reason, "is_admin_unsubscribed": False}
    return item
