"""Webhook events → which members to look at again. Pure.

An event is a hint, never data to store: it comes late, twice, out of order, or
not at all (contract 8). What it says of a member is looked up before it counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from lockstep.core.identity import SubscriberHash, address_key, subscriber_hash
from lockstep.mailchimp.errors import MalformedHook
from lockstep.mailchimp.hooks import (
    AddressChanged,
    CampaignSent,
    Cleaned,
    HookEvent,
    ProfileChanged,
    Subscribed,
    Unsubscribed,
    read_event,
)


@dataclass(frozen=True, slots=True)
class OptOut:
    """What an unsubscribe says beside the status, which no other call tells: why, and after which campaign.

    `reason` is manual or abuse, '' where it was missing. Only to be used once the member
    was looked at and is unsubscribed indeed (S12).
    """

    member: SubscriberHash
    reason: str
    campaign_id: str


@dataclass(frozen=True, slots=True)
class Hint:
    """What an event is good for. `list_id` is '' where the event named none."""

    list_id: str
    fired_at: datetime | None
    members: tuple[SubscriberHash, ...] = ()
    """To be looked at again; an address change names both addresses."""
    opt_out: OptOut | None = None
    campaign_id: str = ""
    """A campaign that was sent or cancelled: its results are worth reading."""


def read_hint(body: bytes) -> Hint | None:
    """The hint in the body of a webhook call; None for a body that Mailchimp does not send."""
    try:
        return hint_of(read_event(body))
    except MalformedHook:
        return None


def hint_of(event: HookEvent) -> Hint:
    """The hint in an event; one without members for kinds that tell of none."""
    match event:
        case Unsubscribed():
            members = _hashes(event.email)
            opt_out = None
            if members and event.action != "delete":
                opt_out = OptOut(members[0], event.reason, event.campaign_id)
            return Hint(event.list_id, event.fired_at, members, opt_out)
        case Subscribed() | ProfileChanged() | Cleaned():
            return Hint(event.list_id, event.fired_at, _hashes(event.email))
        case AddressChanged():
            return Hint(event.list_id, event.fired_at, _hashes(event.old_email, event.new_email))
        case CampaignSent():
            return Hint(event.list_id, event.fired_at, campaign_id=event.campaign_id)
        case _:
            return Hint(event.list_id, event.fired_at)


def _hashes(*addresses: str) -> tuple[SubscriberHash, ...]:
    keys = (address_key(address) for address in addresses)
    return tuple(dict.fromkeys(subscriber_hash(key) for key in keys if key))
