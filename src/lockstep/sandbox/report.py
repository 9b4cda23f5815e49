"""A campaign's numbers, people and events as the API answers them (contract, section 9). Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .audience import Audience
from .campaign import Campaign
from .clock import iso
from .ids import contact_id
from .mailing import ABUSE, HARD, MACHINE, SOFT, Event, Mailing
from .member import Member, hash_of, merge_values

__all__ = [
    "Person",
    "activity_row",
    "campaign_document",
    "clicker_row",
    "ip_of",
    "link_row",
    "opener_row",
    "report_document",
    "sent_row",
    "unsubscribe_row",
]

_HOUR = 3600
_STATUSES = {0: "sent", SOFT: "soft", HARD: "hard"}


def rate(part: int, whole: int) -> float:
    """A fraction with four digits; 0 of nothing."""
    # INFERRED: rates and "percentages" are fractions of 1.
    return round(part / whole, 4) if whole else 0


def ip_of(serial: int, machine: bool) -> str:
    """Where somebody opens: always the same address of a documentation network; machines share one."""
    return "192.0.2.1" if machine else f"198.51.100.{serial % 254 + 1}"


# --- campaigns ---


def campaign_document(
    campaign: Campaign, audience: Audience | None, recipients: int, segment_text: str, base: str
) -> dict[str, Any]:
    """A campaign; `recipients` is how many got it, or would get it now."""
    site = base.removesuffix("/3.0")
    mailing = campaign.mailing
    document: dict[str, Any] = {
        "id": campaign.id,
        "web_id": campaign.web_id,
        "type": "regular",
        "create_time": iso(campaign.created_at),
        "archive_url": f"{site}/c/{campaign.id}",
        "long_archive_url": f"{site}/c/{campaign.id}?u={campaign.account_id}",
        "status": campaign.status,
        "emails_sent": len(mailing) if mailing and campaign.status == "sent" else 0,
        "send_time": iso(campaign.send_time),
        "content_type": "html",
        "needs_block_refresh": False,
        "resendable": campaign.status == "sent",
        "recipients": {
            "list_id": campaign.audience_id,
            "list_is_active": audience is not None,
            "list_name": audience.name if audience else "",
            "segment_text": segment_text,
            "recipient_count": recipients,
        },
        "settings": {
            "subject_line": campaign.subject,
            "preview_text": campaign.preview,
            "title": campaign.title,
            "from_name": campaign.from_name,
            "reply_to": campaign.reply_to,
            "use_conversation": False,
            "to_name": "*|FNAME|*",
            "folder_id": "",
            "authenticate": True,
            "auto_footer": False,
            "inline_css": False,
            "auto_tweet": False,
            "fb_comments": False,
            "timewarp": False,
            "template_id": 0,
            "drag_and_drop": True,
        },
        "tracking": {
            "opens": True,
            "html_clicks": True,
            "text_clicks": False,
            "goal_tracking": False,
            "ecomm360": False,
            "google_analytics": "",
            "clicktale": "",
        },
        "delivery_status": {"enabled": False},
        "_links": [
            {"rel": "self", "href": f"{base}/campaigns/{campaign.id}", "method": "GET"},
            {"rel": "parent", "href": f"{base}/campaigns", "method": "GET"},
        ],
    }
    if campaign.segment_id is not None:
        document["recipients"]["segment_opts"] = {
            "saved_segment_id": campaign.segment_id,
            "match": "any",
            "conditions": [],
        }
    if mailing is not None and campaign.status == "sent":
        document["report_summary"] = {
            "opens": mailing.opens_total,
            "unique_opens": len(mailing.openers),
            "open_rate": rate(len(mailing.openers), mailing.delivered),
            "clicks": mailing.clicks_total,
            "subscriber_clicks": len(mailing.clickers),
            "click_rate": rate(len(mailing.clickers), mailing.delivered),
            "ecommerce": {"total_orders": 0, "total_spent": 0, "total_revenue": 0},
        }
    return document


def report_document(
    campaign: Campaign, mailing: Mailing, audience: Audience | None, base: str
) -> dict[str, Any]:
    """The report of a campaign that was sent."""
    unsubscribed = len(mailing.unsubscribed)
    here = f"{base}/reports/{campaign.id}"
    below = ("sent-to", "open-details", "click-details", "email-activity", "unsubscribed")
    return {
        "id": campaign.id,
        "campaign_title": campaign.title,
        "type": "regular",
        "list_id": campaign.audience_id,
        "list_is_active": audience is not None,
        "list_name": audience.name if audience else "",
        "subject_line": campaign.subject,
        "preview_text": campaign.preview,
        "emails_sent": len(mailing),
        "abuse_reports": mailing.complaints,
        "unsubscribed": unsubscribed,
        "send_time": iso(campaign.send_time),
        "bounces": {
            "hard_bounces": mailing.hard_bounces,
            "soft_bounces": mailing.soft_bounces,
            "syntax_errors": 0,
        },
        "forwards": {"forwards_count": 0, "forwards_opens": 0},
        "opens": {
            "opens_total": mailing.opens_total,
            "unique_opens": len(mailing.openers),
            "open_rate": rate(len(mailing.openers), mailing.delivered),
            "last_open": iso(mailing.last_open),
        },
        "clicks": {
            "clicks_total": mailing.clicks_total,
            "unique_clicks": sum(map(len, mailing.link_clickers)),
            "unique_subscriber_clicks": len(mailing.clickers),
            "click_rate": rate(len(mailing.clickers), mailing.delivered),
            "last_click": iso(mailing.last_click),
        },
        "facebook_likes": {"recipient_likes": 0, "unique_likes": 0, "facebook_likes": 0},
        "list_stats": {
            "sub_rate": 0,
            "unsub_rate": rate(unsubscribed, mailing.delivered),
            "open_rate": audience.stats.open_rate if audience else 0,
            "click_rate": audience.stats.click_rate if audience else 0,
        },
        "timeseries": _timeseries(mailing, campaign.send_time or 0),
        "ecommerce": {"total_orders": 0, "total_spent": 0, "total_revenue": 0, "currency_code": "USD"},
        "delivery_status": {"enabled": False},
        "_links": [
            {"rel": "self", "href": here, "method": "GET"},
            {"rel": "campaign", "href": f"{base}/campaigns/{campaign.id}", "method": "GET"},
            *({"rel": name, "href": f"{here}/{name}", "method": "GET"} for name in below),
        ],
    }


def _timeseries(mailing: Mailing, sent: int) -> list[dict[str, Any]]:
    """The first 24 hours by the hour: mails, people who opened, people who clicked."""
    opened: list[set[int]] = [set() for _ in range(24)]
    clicked: list[set[int]] = [set() for _ in range(24)]
    for event in mailing.events():
        hour = (event.at - sent) // _HOUR
        if hour >= 24:
            break
        if event.is_open:
            opened[hour].add(event.recipient)
        elif event.link is not None:
            clicked[hour].add(event.recipient)
    return [
        {
            "timestamp": iso(sent - sent % _HOUR + hour * _HOUR),
            "emails_sent": len(mailing) if hour == 0 else 0,
            "unique_opens": len(opened[hour]),
            "recipients_clicks": len(clicked[hour]),
        }
        for hour in range(24)
    ]


# --- people ---


class Person:
    """A recipient as rows name them."""

    def __init__(self, campaign: Campaign, mailing: Mailing, audience: Audience | None, number: int) -> None:
        self.number = number
        self.serial = mailing.serials[number]
        self.member: Member | None = audience.member(self.serial) if audience else None
        self._audience = audience
        self._campaign = campaign

    def row(self, *, merges: bool = True) -> dict[str, Any]:
        """The keys that all rows share."""
        member, audience = self.member, self._audience
        # INFERRED: contacts that were permanently deleted stay in the counts, with an empty address.
        row: dict[str, Any] = {
            "email_id": member.id if member else hash_of(contact_id(self.serial, 0)),
            "email_address": member.email if member else "",
            "campaign_id": self._campaign.id,
            "list_id": self._campaign.audience_id,
            "list_is_active": audience is not None,
        }
        if merges:
            row["merge_fields"] = merge_values(member, audience) if member and audience else {}
            row["vip"] = member.vip if member else False
        return row

    @property
    def contact_status(self) -> str:
        """What the contact is now."""
        # INFERRED: one that was deleted for good is `archived`.
        return self.member.shown_status if self.member else "archived"


def sent_row(person: Person, mailing: Mailing) -> dict[str, Any]:
    """A row of sent-to."""
    opens = [event.at for event in mailing.events_of(person.number) if event.is_open]
    return person.row() | {
        "status": _STATUSES[mailing.status[person.number]],
        "open_count": len(opens),
        "last_open": iso(opens[-1] if opens else None),
        "gmt_offset": 0,
    }


def opener_row(person: Person, mailing: Mailing, since: int | None) -> dict[str, Any]:
    """A row of open-details: the opens after `since`."""
    opens = [event.at for event in _after(mailing.events_of(person.number), since) if event.is_open]
    return person.row() | {
        "contact_status": person.contact_status,
        "opens_count": len(opens),
        "opens": [{"timestamp": iso(at)} for at in opens],
    }


def activity_row(person: Person, campaign: Campaign, mailing: Mailing, since: int | None) -> dict[str, Any]:
    """A row of email-activity: opens, clicks and bounces after `since`, no unsubscribes; it comes even if
    nothing is left of it."""
    told = (
        told_event(event, campaign, person.serial)
        for event in _after(mailing.events_of(person.number), since)
    )
    return person.row(merges=False) | {"activity": [entry for entry in told if entry is not None]}


def told_event(event: Event, campaign: Campaign, serial: int) -> dict[str, Any] | None:
    """An event as email-activity tells it; None for what it does not tell."""
    at = iso(event.at)
    if event.is_open:
        return {"action": "open", "timestamp": at, "ip": ip_of(serial, event.what == MACHINE)}
    if event.link is not None:
        url = campaign.links[event.link][1]
        return {"action": "click", "timestamp": at, "url": url, "ip": ip_of(serial, False)}
    if event.what in (SOFT, HARD):
        return {"action": "bounce", "type": _STATUSES[event.what], "timestamp": at}
    return None


def _after(events: Iterable[Event], since: int | None) -> Iterable[Event]:
    return events if since is None else (event for event in events if event.at > since)


def clicker_row(person: Person, mailing: Mailing, link: int, link_id: str) -> dict[str, Any]:
    """A row of the members of a link: how often, but not when."""
    return person.row() | {
        "clicks": mailing.link_clickers[link][person.number],
        "url_id": link_id,
        "contact_status": person.contact_status,
    }


def unsubscribe_row(person: Person, event: Event) -> dict[str, Any]:
    """A row of unsubscribed."""
    if event.what == ABUSE:
        reason = "Reported as spam"
    else:
        reason = (person.member.unsubscribe_reason if person.member else "") or "None given"
    return person.row() | {"timestamp": iso(event.at), "reason": reason}


def link_row(campaign: Campaign, mailing: Mailing, link: int, base: str) -> dict[str, Any]:
    """A link with its clicks."""
    key, url = campaign.links[link]
    unique = len(mailing.link_clickers[link])
    return {
        "id": key,
        "url": url,
        "total_clicks": mailing.link_clicks[link],
        "click_percentage": rate(mailing.link_clicks[link], mailing.clicks_total),
        "unique_clicks": unique,
        "unique_click_percentage": rate(unique, sum(map(len, mailing.link_clickers))),
        "last_click": iso(mailing.link_last[link]),
        "campaign_id": campaign.id,
        "_links": [
            {
                "rel": "self",
                "href": f"{base}/reports/{campaign.id}/click-details/{key}",
                "method": "GET",
            }
        ],
    }
