"""Campaigns, their reports, and what members did with them (contract 9)."""

from __future__ import annotations

from typing import Any

from lockstep.mailchimp.wire.base import Reply

# Dates are text, "" for "never"; rates are between 0 and 1.


class CampaignRecipients(Reply, frozen=True, kw_only=True):
    list_id: str = ""
    list_is_active: bool = True
    list_name: str = ""
    segment_text: str = ""
    recipient_count: int = 0


class CampaignSettings(Reply, frozen=True, kw_only=True):
    subject_line: str = ""
    preview_text: str = ""
    title: str = ""
    from_name: str = ""
    reply_to: str = ""


class Campaign(Reply, frozen=True, kw_only=True):
    id: str
    web_id: int = 0
    type: str = ""
    create_time: str = ""
    archive_url: str = ""
    long_archive_url: str = ""
    status: str = ""
    emails_sent: int = 0
    send_time: str = ""
    content_type: str = ""
    recipients: CampaignRecipients = CampaignRecipients()
    settings: CampaignSettings = CampaignSettings()


class CampaignPage(Reply, frozen=True, kw_only=True):
    campaigns: list[Campaign]
    total_items: int = 0


class ReportBounces(Reply, frozen=True, kw_only=True):
    hard_bounces: int = 0
    soft_bounces: int = 0
    syntax_errors: int = 0


class ReportOpens(Reply, frozen=True, kw_only=True):
    """Machines' prefetching counts as opening (contract trap 44)."""

    opens_total: int = 0
    unique_opens: int = 0
    open_rate: float = 0
    last_open: str = ""


class ReportClicks(Reply, frozen=True, kw_only=True):
    clicks_total: int = 0
    unique_clicks: int = 0
    unique_subscriber_clicks: int = 0
    click_rate: float = 0
    last_click: str = ""


class TimeseriesPoint(Reply, frozen=True, kw_only=True):
    timestamp: str = ""
    emails_sent: int = 0
    unique_opens: int = 0
    recipients_clicks: int = 0


class Report(Reply, frozen=True, kw_only=True):
    """`unsubscribed` is a count."""

    id: str
    campaign_title: str = ""
    type: str = ""
    list_id: str = ""
    list_is_active: bool = True
    list_name: str = ""
    subject_line: str = ""
    preview_text: str = ""
    emails_sent: int = 0
    abuse_reports: int = 0
    unsubscribed: int = 0
    send_time: str = ""
    bounces: ReportBounces = ReportBounces()
    opens: ReportOpens = ReportOpens()
    clicks: ReportClicks = ReportClicks()
    timeseries: list[TimeseriesPoint] = []


class ReportPage(Reply, frozen=True, kw_only=True):
    reports: list[Report]
    total_items: int = 0


class ActivityEvent(Reply, frozen=True, kw_only=True):
    """One of open, click (with `url`), bounce (with `type`, hard or soft)."""

    action: str = ""
    timestamp: str = ""
    url: str = ""
    type: str = ""
    ip: str = ""


class EmailActivity(Reply, frozen=True, kw_only=True):
    """A recipient of a campaign with what they did; with `since` all recipients still come, most of them with
    no activity (contract 9). `email_id` is the subscriber hash."""

    email_id: str
    campaign_id: str = ""
    list_id: str = ""
    email_address: str = ""
    activity: list[ActivityEvent] = []


class EmailActivityPage(Reply, frozen=True, kw_only=True):
    emails: list[EmailActivity]
    total_items: int = 0


class SentTo(Reply, frozen=True, kw_only=True):
    """`status` is sent, hard or soft."""

    email_id: str
    email_address: str = ""
    status: str = ""
    open_count: int = 0
    last_open: str = ""
    campaign_id: str = ""
    list_id: str = ""


class SentToPage(Reply, frozen=True, kw_only=True):
    sent_to: list[SentTo]
    total_items: int = 0


class Unsubscribe(Reply, frozen=True, kw_only=True):
    email_id: str
    email_address: str = ""
    timestamp: str = ""
    reason: str = ""
    campaign_id: str = ""
    list_id: str = ""


class UnsubscribePage(Reply, frozen=True, kw_only=True):
    unsubscribes: list[Unsubscribe]
    total_items: int = 0


class OpenMoment(Reply, frozen=True, kw_only=True):
    timestamp: str = ""


class OpenDetail(Reply, frozen=True, kw_only=True):
    email_id: str
    email_address: str = ""
    contact_status: str = ""
    opens_count: int = 0
    opens: list[OpenMoment] = []
    campaign_id: str = ""
    list_id: str = ""


class OpenDetailPage(Reply, frozen=True, kw_only=True):
    members: list[OpenDetail]
    total_opens: int = 0
    total_items: int = 0


class ClickedUrl(Reply, frozen=True, kw_only=True):
    """A link of a campaign; `id` is the link id of the next call."""

    id: str
    url: str = ""
    total_clicks: int = 0
    click_percentage: float = 0
    unique_clicks: int = 0
    unique_click_percentage: float = 0
    last_click: str = ""
    campaign_id: str = ""


class ClickedUrlPage(Reply, frozen=True, kw_only=True):
    urls_clicked: list[ClickedUrl]
    total_items: int = 0


class ClickMember(Reply, frozen=True, kw_only=True):
    """Who clicked a link, and how often; never when (contract 9)."""

    email_id: str
    email_address: str = ""
    contact_status: str = ""
    clicks: int = 0
    campaign_id: str = ""
    url_id: str = ""
    list_id: str = ""


class ClickMemberPage(Reply, frozen=True, kw_only=True):
    members: list[ClickMember]
    total_items: int = 0


class FeedItem(Reply, frozen=True, kw_only=True):
    """An item of a member's activity feed; which keys are filled depends on `activity_type` (contract 9)."""

    activity_type: str = ""
    created_at_timestamp: str = ""
    campaign_id: str = ""
    campaign_title: str = ""
    link_clicked: str = ""
    bounce_type: str = ""
    bounce_has_open_activity: bool = False
    unsubscribe_reason: str = ""
    is_admin_unsubscribed: bool = False
    note_text: str = ""
    signup_category: Any = None


class ActivityFeed(Reply, frozen=True, kw_only=True):
    activity: list[FeedItem]
    email_id: str = ""
    list_id: str = ""
