"""An audience as the API answers it (contract, section 2)."""

from __future__ import annotations

from typing import Any

from .account import Account
from .audience import Audience
from .clock import iso

__all__ = ["LIST_FIELDS", "describe_list"]

LIST_FIELDS = (
    "id", "web_id", "name", "contact", "permission_reminder", "use_archive_bar", "campaign_defaults",
    "notify_on_subscribe", "notify_on_unsubscribe", "date_created", "list_rating", "email_type_option",
    "subscribe_url_short", "subscribe_url_long", "beamer_address", "visibility", "double_optin",
    "has_welcome", "marketing_permissions", "modules", "stats", "_links",
)  # fmt: skip


def describe_list(
    audience: Audience, account: Account, base: str, *, now: int, cache_seconds: int, total_contacts: bool
) -> dict[str, Any]:
    """The audience; `total_contacts` only where it was asked for. `base` is the address of the API."""
    settings = audience.settings
    site = base.removesuffix("/3.0")
    here = f"{base}/lists/{audience.id}"
    stats = dict(_stats(audience, now, cache_seconds))
    if not total_contacts:
        del stats["total_contacts"]
    return {
        "id": audience.id,
        "web_id": audience.web_id,
        "name": audience.name,
        "contact": settings["contact"],
        "permission_reminder": settings["permission_reminder"],
        "use_archive_bar": settings["use_archive_bar"],
        "campaign_defaults": settings["campaign_defaults"],
        "notify_on_subscribe": settings["notify_on_subscribe"],
        "notify_on_unsubscribe": settings["notify_on_unsubscribe"],
        "date_created": iso(audience.created),
        "list_rating": 0,
        "email_type_option": settings["email_type_option"],
        "subscribe_url_short": f"{site}/s/{audience.id}",
        "subscribe_url_long": f"{site}/subscribe?u={account.id}&id={audience.id}",
        "beamer_address": f"{account.data_centre}-{audience.id}@inbound.example.com",
        "visibility": settings["visibility"],
        "double_optin": settings["double_optin"],
        "has_welcome": False,
        "marketing_permissions": settings["marketing_permissions"],
        "modules": [],
        "stats": stats,
        "_links": [
            {"rel": "self", "href": here, "method": "GET"},
            {"rel": "parent", "href": f"{base}/lists", "method": "GET"},
            {"rel": "update", "href": here, "method": "PATCH"},
            {"rel": "batch-sub-unsub-members", "href": here, "method": "POST"},
            {"rel": "delete", "href": here, "method": "DELETE"},
            {"rel": "members", "href": f"{here}/members", "method": "GET"},
            {"rel": "merge-fields", "href": f"{here}/merge-fields", "method": "GET"},
            {"rel": "webhooks", "href": f"{here}/webhooks", "method": "GET"},
        ],
    }


def _stats(audience: Audience, now: int, cache_seconds: int) -> dict[str, Any]:
    """The numbers, up to `cache_seconds` old (contract, section 2; trap 47)."""
    cached = audience.stats_cache
    if cache_seconds and cached and 0 <= now - cached[0] < cache_seconds:
        return cached[1]
    stats = _count(audience)
    audience.stats_cache = (now, stats)
    return stats


def _count(audience: Audience) -> dict[str, Any]:
    shelves, kept = audience.shelves, audience.stats
    sent = kept.since_send
    subscribed, unsubscribed, cleaned = (
        len(shelves[name]) for name in ("subscribed", "unsubscribed", "cleaned")
    )
    return {
        "member_count": subscribed,
        "total_contacts": len(audience),
        "unsubscribe_count": unsubscribed,
        "cleaned_count": cleaned,
        "member_count_since_send": subscribed - sent.get("subscribed", 0),
        "unsubscribe_count_since_send": unsubscribed - sent.get("unsubscribed", 0),
        "cleaned_count_since_send": cleaned - sent.get("cleaned", 0),
        "campaign_count": kept.campaigns,
        "campaign_last_sent": iso(kept.last_campaign),
        # EMAIL is left out (contract, section 2).
        "merge_field_count": len(audience.merge_fields),
        "avg_sub_rate": 0,
        "avg_unsub_rate": 0,
        "target_sub_rate": 0,
        "open_rate": kept.open_rate,
        "click_rate": kept.click_rate,
        "last_sub_date": iso(kept.last_sub),
        "last_unsub_date": iso(kept.last_unsub),
    }
