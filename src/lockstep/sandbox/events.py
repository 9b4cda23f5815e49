"""What happens to members and campaigns, told to whoever listens (webhooks, histories, the page)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from .audience import Audience
    from .member import Member

__all__ = ["CampaignEvent", "EventBus", "EventKind", "Listener", "MemberEvent", "Source"]

#: Who did it, as webhooks tell it apart in `sources` (contract, section 8).
Source = Literal["user", "admin", "api"]

#: `subscribe` also for somebody who comes back; `delete` = archived or deleted for good.
EventKind = Literal[
    "subscribe", "unsubscribe", "profile", "upemail", "cleaned", "delete", "confirmation_mail"
]


@dataclass(frozen=True, slots=True)
class MemberEvent:
    """One thing that happened to one member.

    `detail` by kind: unsubscribe and delete have `reason` (manual|abuse) and `campaign_id`; cleaned `reason`
    (hard|abuse) and `campaign_id`; upemail `old_email`, `old_id`, `new_id` (both unique_email_id).
    """

    kind: EventKind
    at: int
    source: Source
    audience: Audience
    member: Member
    detail: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CampaignEvent:
    """A campaign went out (`status` sent) or was stopped (cancelled)."""

    at: int
    audience: Audience
    campaign_id: str
    subject: str
    status: str
    reason: str = ""


Listener = Callable[[MemberEvent | CampaignEvent], None]


class EventBus:
    """Calls every listener for every event, in order, at once; listeners must not raise or take long."""

    def __init__(self) -> None:
        self._listeners: list[Listener] = []

    def subscribe(self, listener: Listener) -> None:
        """Hear of everything from now on."""
        self._listeners.append(listener)

    def publish(self, event: MemberEvent | CampaignEvent) -> None:
        """Tell everybody."""
        for listener in self._listeners:
            listener(event)
