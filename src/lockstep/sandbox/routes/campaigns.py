"""Campaigns, read only: `/campaigns` (contract, section 9)."""

from __future__ import annotations

from typing import Any

from lockstep.sandbox import problems
from lockstep.sandbox.api import Call, Routes
from lockstep.sandbox.campaign import Campaign, campaigns_of
from lockstep.sandbox.report import campaign_document
from lockstep.sandbox.segment import Segments
from lockstep.sandbox.shapes import collection, instance

routes = Routes("Campaigns")

_TYPES = ("regular", "plaintext", "absplit", "rss", "variate")
_STATUSES = ("save", "paused", "schedule", "sending", "sent")
#: What a row may have, also what this sandbox never fills.
_FIELDS = (
    "id", "web_id", "parent_campaign_id", "type", "create_time", "archive_url", "long_archive_url", "status",
    "emails_sent", "send_time", "content_type", "needs_block_refresh", "resendable", "recipients", "settings",
    "variate_settings", "tracking", "rss_opts", "ab_split_opts", "social_card", "report_summary",
    "delivery_status", "resend_shortcut_eligibility", "_links",
)  # fmt: skip


def inside(moment: int | None, since: int | None, before: int | None) -> bool:
    """`(since, before]` (contract, section 2); what has no time is in no window."""
    if since is None and before is None:
        return True
    return moment is not None and (since is None or moment > since) and (before is None or moment <= before)


def _describe(call: Call, campaign: Campaign) -> dict[str, Any]:
    campaigns = campaigns_of(call.sandbox)
    audience = campaigns.audience(campaign)
    segment = None
    if audience is not None and campaign.segment_id is not None:
        segment = call.sandbox.store("segments", Segments).find(audience, campaign.segment_id)
    mailing = campaign.mailing
    recipients = len(mailing) if mailing is not None else len(campaigns.recipients(campaign))
    text = f"Contacts in the segment {segment.name}" if segment else ""
    document = campaign_document(campaign, audience, recipients, text, call.base)
    if call.flag("include_resend_shortcut_eligibility"):
        no = {"is_eligible": False, "reason": "The sandbox does not resend."}
        names = ("to_non_openers", "to_new_subscribers", "to_non_clickers")
        document["resend_shortcut_eligibility"] = {name: dict(no) for name in names}
    return document


@routes.get("/campaigns")
def list_campaigns(call: Call) -> dict[str, Any]:
    type_, status = call.choice("type", _TYPES), call.choice("status", _STATUSES)
    sent = call.moment("since_send_time"), call.moment("before_send_time")
    made = call.moment("since_create_time"), call.moment("before_create_time")
    list_id, folder, member = call.text("list_id"), call.text("folder_id"), call.text("member_id")
    found = [
        campaign
        for campaign in campaigns_of(call.sandbox).of(call.account)
        if type_ in (None, "regular")
        and status in (None, campaign.status)
        and inside(campaign.send_time, *sent)
        and inside(campaign.created_at, *made)
        and list_id in (None, campaign.audience_id)
        and folder is None  # there are no folders here
        and (member is None or _was_sent_to(call, campaign, member))
    ]
    field = call.choice("sort_field", ("create_time", "send_time"))
    if field is not None:
        found.sort(key=lambda c: (c.send_time or 0) if field == "send_time" else c.created_at)
    # INFERRED: without an order the newest come first.
    if field is None or call.choice("sort_dir", ("ASC", "DESC")) == "DESC":
        found.reverse()
    return collection(
        call,
        "campaigns",
        found,
        lambda campaign: _describe(call, campaign),
        known=_FIELDS,
        links="/campaigns",
    )


def _was_sent_to(call: Call, campaign: Campaign, name: str) -> bool:
    """Did the member with this id (its hash or unique_email_id) get the campaign?"""
    audience = campaigns_of(call.sandbox).audience(campaign)
    if audience is None or campaign.mailing is None:
        return False
    member = audience.find(name) or audience.find_unique(name)
    return member is not None and campaign.mailing.recipient(member.serial) is not None


@routes.get("/campaigns/{campaign_id}")
def get_campaign(call: Call) -> dict[str, Any]:
    campaign = find_campaign(call)
    return instance(call, _describe(call, campaign), known=_FIELDS)


def find_campaign(call: Call) -> Campaign:
    """The campaign in the path. Raises Problem (404)."""
    campaign = campaigns_of(call.sandbox).find(call.params["campaign_id"])
    if campaign is None or campaign.account_id != call.account.id:
        raise problems.not_found()
    return campaign
