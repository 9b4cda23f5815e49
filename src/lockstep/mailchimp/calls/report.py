"""Calls about campaigns and their reports (contract 9). All of them only read.

`since` and `before` are moments as `times.write_moment` writes them; windows are `(since, before]`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from lockstep.mailchimp.calls.call import PAGE_SIZE, Call, path, query, trimmed
from lockstep.mailchimp.replies import Reader
from lockstep.mailchimp.wire import (
    Campaign,
    CampaignPage,
    ClickedUrlPage,
    ClickMemberPage,
    EmailActivityPage,
    OpenDetailPage,
    Report,
    ReportPage,
    SentToPage,
    UnsubscribePage,
)

_CAMPAIGN = Reader(Campaign)
_CAMPAIGNS = Reader(CampaignPage)
_REPORT = Reader(Report)
_REPORTS = Reader(ReportPage)
_ACTIVITY = Reader(EmailActivityPage)
_SENT_TO = Reader(SentToPage)
_UNSUBSCRIBED = Reader(UnsubscribePage)
_OPENS = Reader(OpenDetailPage)
_CLICKS = Reader(ClickedUrlPage)
_CLICK_MEMBERS = Reader(ClickMemberPage)


def get_campaigns(
    *,
    list_id: str = "",
    status: str = "",
    since_send_time: str = "",
    before_send_time: str = "",
    sort_field: Literal["create_time", "send_time"] | None = None,
    sort_dir: Literal["ASC", "DESC"] = "ASC",
    fields: Sequence[str] | None = None,
    count: int = PAGE_SIZE,
    offset: int = 0,
) -> Call[CampaignPage]:
    parameters = query(
        {
            "count": count,
            "offset": offset,
            "list_id": list_id,
            "status": status,
            "since_send_time": since_send_time,
            "before_send_time": before_send_time,
            "sort_field": sort_field,
            "sort_dir": sort_dir if sort_field else None,
            "fields": trimmed("campaigns", fields),
        }
    )
    return Call("campaigns.list", "GET", "/campaigns", _CAMPAIGNS, parameters)


def get_campaign(campaign_id: str) -> Call[Campaign]:
    return Call("campaigns.get", "GET", path("/campaigns/{}", campaign_id), _CAMPAIGN)


def get_reports(
    *,
    since_send_time: str = "",
    before_send_time: str = "",
    fields: Sequence[str] | None = None,
    count: int = PAGE_SIZE,
    offset: int = 0,
) -> Call[ReportPage]:
    """Reports of all sent campaigns of the account, whatever their audience."""
    parameters = query(
        {
            "count": count,
            "offset": offset,
            "since_send_time": since_send_time,
            "before_send_time": before_send_time,
            "fields": trimmed("reports", fields),
        }
    )
    return Call("reports.list", "GET", "/reports", _REPORTS, parameters)


def get_report(campaign_id: str, *, fields: Sequence[str] | None = None) -> Call[Report]:
    parameters = query({"fields": ",".join(("id", *fields)) if fields is not None else None})
    return Call("reports.get", "GET", path("/reports/{}", campaign_id), _REPORT, parameters)


def get_email_activity(
    campaign_id: str, *, since: str = "", count: int = PAGE_SIZE, offset: int = 0
) -> Call[EmailActivityPage]:
    """All recipients; `since` only thins what they did."""
    parameters = query(
        {
            "count": count,
            "offset": offset,
            "since": since,
            "fields": trimmed("emails", ("email_address", "activity"), ("email_id",)),
        }
    )
    return Call(
        "reports.email_activity",
        "GET",
        path("/reports/{}/email-activity", campaign_id),
        _ACTIVITY,
        parameters,
    )


def get_sent_to(campaign_id: str, *, count: int = PAGE_SIZE, offset: int = 0) -> Call[SentToPage]:
    fields = trimmed("sent_to", ("email_address", "status", "open_count", "last_open"), ("email_id",))
    parameters = query({"count": count, "offset": offset, "fields": fields})
    return Call("reports.sent_to", "GET", path("/reports/{}/sent-to", campaign_id), _SENT_TO, parameters)


def get_unsubscribed(campaign_id: str, *, count: int = PAGE_SIZE, offset: int = 0) -> Call[UnsubscribePage]:
    fields = trimmed("unsubscribes", ("email_address", "timestamp", "reason"), ("email_id",))
    parameters = query({"count": count, "offset": offset, "fields": fields})
    return Call(
        "reports.unsubscribed",
        "GET",
        path("/reports/{}/unsubscribed", campaign_id),
        _UNSUBSCRIBED,
        parameters,
    )


def get_open_details(
    campaign_id: str, *, since: str = "", count: int = PAGE_SIZE, offset: int = 0
) -> Call[OpenDetailPage]:
    fields = trimmed("members", ("email_address", "contact_status", "opens_count", "opens"), ("email_id",))
    parameters = query({"count": count, "offset": offset, "since": since, "fields": fields})
    return Call(
        "reports.open_details", "GET", path("/reports/{}/open-details", campaign_id), _OPENS, parameters
    )


def get_click_details(campaign_id: str, *, count: int = PAGE_SIZE, offset: int = 0) -> Call[ClickedUrlPage]:
    parameters = query({"count": count, "offset": offset})
    return Call(
        "reports.click_details", "GET", path("/reports/{}/click-details", campaign_id), _CLICKS, parameters
    )


def get_click_members(
    campaign_id: str, link_id: str, *, count: int = PAGE_SIZE, offset: int = 0
) -> Call[ClickMemberPage]:
    fields = trimmed("members", ("email_address", "contact_status", "clicks"), ("email_id",))
    parameters = query({"count": count, "offset": offset, "fields": fields})
    return Call(
        "reports.click_members",
        "GET",
        path("/reports/{}/click-details/{}/members", campaign_id, link_id),
        _CLICK_MEMBERS,
        parameters,
    )
