"""Reports: `/reports` and what is below (contract, section 9)."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from typing import Any

from lockstep.sandbox import problems
from lockstep.sandbox.api import Call, Routes
from lockstep.sandbox.audience import Audience
from lockstep.sandbox.campaign import Campaign, campaigns_of
from lockstep.sandbox.mailing import Mailing
from lockstep.sandbox.report import (
    Person,
    activity_row,
    clicker_row,
    link_row,
    opener_row,
    report_document,
    sent_row,
    unsubscribe_row,
)
from lockstep.sandbox.shapes import collection, instance

from .campaigns import find_campaign, inside

routes = Routes("Reports")

_TYPES = ("regular", "plaintext", "absplit", "rss", "variate")
_REPORT = (
    "id", "campaign_title", "type", "list_id", "list_is_active", "list_name", "subject_line", "preview_text",
    "emails_sent", "abuse_reports", "unsubscribed", "send_time", "rss_last_send", "bounces", "forwards",
    "opens", "clicks", "facebook_likes", "industry_stats", "list_stats", "ab_split", "timewarp", "timeseries",
    "share_report", "ecommerce", "delivery_status", "_links",
)  # fmt: skip
_PERSON = ("email_id", "email_address", "campaign_id", "list_id", "list_is_active")
_WHOLE = (*_PERSON, "merge_fields", "vip", "_links")
_LINK = (
    "id", "url", "total_clicks", "click_percentage", "unique_clicks", "unique_click_percentage", "last_click",
    "ab_split", "campaign_id", "_links",
)  # fmt: skip


def _audience(call: Call, campaign: Campaign) -> Audience | None:
    return campaigns_of(call.sandbox).audience(campaign)


def _mailing(campaign: Campaign) -> Mailing:
    """What went out; nothing at all of a campaign that is not sent, which is an empty answer and no error
    (contract, section 9)."""
    return campaign.mailing or Mailing(array("Q"), len(campaign.links))


def _people(
    call: Call,
    key: str,
    numbers: Sequence[int],
    row: Callable[[Person], dict[str, Any]],
    known: tuple[str, ...],
    **extra: Any,
) -> dict[str, Any]:
    """A page of recipients by number."""
    campaign = find_campaign(call)
    mailing, audience = _mailing(campaign), _audience(call, campaign)

    def describe(number: int) -> dict[str, Any]:
        return row(Person(campaign, mailing, audience, number)) | {"_links": []}

    return collection(
        call,
        key,
        numbers,
        describe,
        known=known,
        links=call.request.path,
        extra={"campaign_id": campaign.id} | extra,
    )


@routes.get("/reports")
def list_reports(call: Call) -> dict[str, Any]:
    """Only campaigns that were sent."""
    type_ = call.choice("type", _TYPES)
    window = call.moment("since_send_time"), call.moment("before_send_time")
    found = [
        (campaign, campaign.mailing)
        for campaign in campaigns_of(call.sandbox).of(call.account)
        if campaign.status == "sent"
        and campaign.mailing is not None
        and type_ in (None, "regular")
        and inside(campaign.send_time, *window)
    ]
    # INFERRED: the newest report comes first.
    found.reverse()
    return collection(
        call,
        "reports",
        found,
        lambda row: report_document(row[0], row[1], _audience(call, row[0]), call.base),
        known=_REPORT,
        links="/reports",
    )


@routes.get("/reports/{campaign_id}")
def get_report(call: Call) -> dict[str, Any]:
    campaign = find_campaign(call)
    if campaign.mailing is None or campaign.status != "sent":
        raise problems.not_found()
    document = report_document(campaign, campaign.mailing, _audience(call, campaign), call.base)
    return instance(call, document, known=_REPORT)


@routes.get("/reports/{campaign_id}/sent-to")
def list_sent_to(call: Call) -> dict[str, Any]:
    mailing = _mailing(find_campaign(call))
    return _people(
        call,
        "sent_to",
        range(len(mailing)),
        lambda person: sent_row(person, mailing),
        (*_WHOLE, "status", "open_count", "last_open", "absplit_group", "gmt_offset"),
    )


@routes.get("/reports/{campaign_id}/open-details")
def list_open_details(call: Call) -> dict[str, Any]:
    mailing, since = _mailing(find_campaign(call)), call.moment("since")
    opens: dict[int, int] = {}
    for event in mailing.events(since):
        if event.is_open:
            opens[event.recipient] = opens.get(event.recipient, 0) + 1
    numbers = list(opens)
    if call.choice("sort_field", ("opens_count",)) is not None:
        numbers.sort(key=opens.__getitem__, reverse=call.choice("sort_dir", ("ASC", "DESC")) != "ASC")
    return _people(
        call,
        "members",
        numbers,
        lambda person: opener_row(person, mailing, since),
        (*_WHOLE, "contact_status", "opens_count", "opens"),
        total_opens=sum(opens.values()),
    )


@routes.get("/reports/{campaign_id}/click-details")
def list_click_details(call: Call) -> dict[str, Any]:
    campaign = find_campaign(call)
    mailing = _mailing(campaign)
    links = list(range(len(campaign.links))) if campaign.mailing is not None else []
    field = call.choice("sort_field", ("total_clicks", "unique_clicks"))
    if field is not None:
        links.sort(
            key=lambda n: (
                mailing.link_clicks[n] if field == "total_clicks" else len(mailing.link_clickers[n])
            ),
            reverse=call.choice("sort_dir", ("ASC", "DESC")) != "ASC",
        )
    return collection(
        call,
        "urls_clicked",
        links,
        lambda number: link_row(campaign, mailing, number, call.base),
        known=_LINK,
        links=f"/reports/{campaign.id}/click-details",
        extra={"campaign_id": campaign.id},
    )


def _link(call: Call, campaign: Campaign) -> int:
    number = campaign.link(call.params["link_id"])
    if number is None or campaign.mailing is None:
        raise problems.not_found()
    return number


@routes.get("/reports/{campaign_id}/click-details/{link_id}")
def get_click_details(call: Call) -> dict[str, Any]:
    campaign = find_campaign(call)
    return instance(
        call, link_row(campaign, _mailing(campaign), _link(call, campaign), call.base), known=_LINK
    )


@routes.get("/reports/{campaign_id}/click-details/{link_id}/members")
def list_clickers(call: Call) -> dict[str, Any]:
    campaign = find_campaign(call)
    mailing, link = _mailing(campaign), _link(call, campaign)
    return _people(
        call,
        "members",
        list(mailing.link_clickers[link]),
        lambda person: clicker_row(person, mailing, link, call.params["link_id"]),
        (*_WHOLE, "clicks", "url_id", "contact_status"),
    )


@routes.get("/reports/{campaign_id}/email-activity")
def list_email_activity(call: Call) -> dict[str, Any]:
    """`since` is exclusive and thins the activities; all recipients still come."""
    campaign = find_campaign(call)
    mailing, since = _mailing(campaign), call.moment("since")
    return _people(
        call,
        "emails",
        range(len(mailing)),
        lambda person: activity_row(person, campaign, mailing, since),
        (*_PERSON, "activity", "_links"),
    )


@routes.get("/reports/{campaign_id}/email-activity/{subscriber_hash}")
def get_email_activity(call: Call) -> dict[str, Any]:
    campaign = find_campaign(call)
    mailing, audience, since = _mailing(campaign), _audience(call, campaign), call.moment("since")
    member = audience.find(call.params["subscriber_hash"]) if audience else None
    number = mailing.recipient(member.serial) if member else None
    if number is None:
        raise problems.not_found()
    person = Person(campaign, mailing, audience, number)
    return instance(call, activity_row(person, campaign, mailing, since) | {"_links": []})


@routes.get("/reports/{campaign_id}/unsubscribed")
def list_unsubscribed(call: Call) -> dict[str, Any]:
    campaign = find_campaign(call)
    mailing, audience = _mailing(campaign), _audience(call, campaign)

    def describe(number: int) -> dict[str, Any]:
        event = mailing.event(number)
        person = Person(campaign, mailing, audience, event.recipient)
        return unsubscribe_row(person, event) | {"_links": []}

    return collection(
        call,
        "unsubscribes",
        mailing.unsubscribed,
        describe,
        known=(*_WHOLE, "timestamp", "reason"),
        links=f"/reports/{campaign.id}/unsubscribed",
        extra={"campaign_id": campaign.id},
    )
