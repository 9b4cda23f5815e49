"""What a member did: `activity` and `activity-feed` (contract, section 9)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from lockstep.sandbox import problems
from lockstep.sandbox.api import Call, Routes
from lockstep.sandbox.audience import Audience
from lockstep.sandbox.campaign import campaigns_of
from lockstep.sandbox.ids import contact_id
from lockstep.sandbox.member import Member
from lockstep.sandbox.member_activity import FEED_TYPES, LAST, Deed, activity_document, deeds, feed
from lockstep.sandbox.shapes import collection, instance

routes = Routes("Lists/Members/Activity")

_ACTIVITY = ("action", "timestamp", "url", "type", "campaign_id", "title", "parent_campaign")
_ACTIONS = ("abuse", "bounce", "click", "open", "sent", "unsub", "ecomm")


def _done(call: Call) -> tuple[Audience, Member, list[Deed]]:
    audience = call.audience()
    member = audience.find(call.params["subscriber_hash"])
    if member is None:
        raise problems.not_found()
    campaigns = campaigns_of(call.sandbox).of(call.account)
    return audience, member, deeds([c for c in campaigns if c.audience_id == audience.id], member)


def _chosen(call: Call, name: str, choices: Iterable[str]) -> set[str]:
    """Several words with commas between them; all of `choices` if there are none. Raises Problem."""
    wanted = {word.strip() for word in (call.text(name) or "").split(",") if word.strip()}
    if wanted - set(choices):
        raise problems.invalid_resource((name, "The value you selected is not a valid choice."))
    return wanted or set(choices)


@routes.get("/lists/{list_id}/members/{subscriber_hash}/activity")
def list_activity(call: Call) -> dict[str, Any]:
    audience, member, done = _done(call)
    wanted = _chosen(call, "action", _ACTIONS)
    return collection(
        call,
        "activity",
        [deed for deed in done if deed.kind in wanted][:LAST],
        activity_document,
        known=_ACTIVITY,
        links=f"/lists/{audience.id}/members/{member.id}/activity",
        extra={
            "email_id": member.id,
            "contact_id": contact_id(member.serial, audience.salt),
            "list_id": audience.id,
        },
    )


@routes.get("/lists/{list_id}/members/{subscriber_hash}/activity-feed")
def list_feed(call: Call) -> dict[str, Any]:
    """The answer has no `total_items`: none is described."""
    audience, member, done = _done(call)
    wanted = _chosen(call, "activity_filters", FEED_TYPES)
    count, offset = call.page()
    items = [item for item in feed(audience, member, done) if item["activity_type"] in wanted]
    path = f"{call.base}/lists/{audience.id}/members/{member.id}/activity-feed"
    return instance(
        call,
        {
            "activity": items[offset : offset + count],
            "email_id": member.id,
            "list_id": audience.id,
            "_links": [{"rel": "self", "href": path, "method": "GET"}],
        },
    )
