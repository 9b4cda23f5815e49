"""Audience webhooks: which events they want, and what they are told (contract, section 8)."""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from .audience import Audience
from .clock import webhook_time
from .events import CampaignEvent, MemberEvent
from .ids import unique_email_id
from .member import Member, merge_values
from .post_office import post_office_of

if TYPE_CHECKING:
    from .sandbox import Sandbox

__all__ = ["EVENTS", "SOURCES", "Webhook", "Webhooks", "event_fields", "hear", "webhooks_of"]

EVENTS = ("subscribe", "unsubscribe", "profile", "cleaned", "upemail", "campaign")
#: Taken, kept and never fired: the sandbox sends no text messages.
SMS_EVENTS = ("sms_subscribe", "sms_unsubscribe", "upsms", "sms_campaign")
SOURCES = ("user", "admin", "api")

#: Too many failures at once switch a webhook off (trap 35): "51% failure rate" was in the mail after 3,000
#: unsubscribes.
# INFERRED: failures are counted over the last hundred tries.
_WINDOW = 100


@dataclass(slots=True)
class Webhook:
    """A webhook. `secret` signs its calls; it is told once, when the webhook is made."""

    id: str
    url: str
    events: dict[str, bool]
    sources: dict[str, bool]
    secret: str
    created_at: int
    enabled: bool = True
    disabled_why: str = ""
    recent: deque[bool] = field(default_factory=lambda: deque(maxlen=_WINDOW))

    def wants(self, kind: str, source: str | None) -> bool:
        """Is it to be told? `source` is None for a campaign's sending."""
        # INFERRED: a campaign's sending ignores the sources.
        return self.enabled and self.events.get(kind, False) and (source is None or self.sources[source])

    def disable(self, why: str) -> None:
        """No more calls until somebody enables it again."""
        self.enabled, self.disabled_why = False, why

    def enable(self) -> None:
        """Calls from now on; former failures are forgotten."""
        self.enabled, self.disabled_why = True, ""
        self.recent.clear()


class Webhooks:
    """The webhooks of all audiences."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._of: dict[str, dict[str, Webhook]] = {}

    def of(self, audience: Audience) -> list[Webhook]:
        """The webhooks of an audience, in the order of their making."""
        return list(self._of.get(audience.id, {}).values())

    def find(self, audience: Audience, webhook_id: str) -> Webhook | None:
        """The webhook with this id."""
        return self._of.get(audience.id, {}).get(webhook_id)

    def at_url(self, audience: Audience, url: str) -> Webhook | None:
        """The webhook with this address; parameters make no difference (codegen issue 11)."""
        wanted = url.partition("?")[0]
        return next((hook for hook in self.of(audience) if hook.url.partition("?")[0] == wanted), None)

    def add(self, audience: Audience, url: str, events: dict[str, bool], sources: dict[str, bool]) -> Webhook:
        """A new webhook."""
        ids = self._sandbox.ids
        made = Webhook(ids.hex(10), url, events, sources, ids.hex(32), self._sandbox.clock.second())
        self._of.setdefault(audience.id, {})[made.id] = made
        return made

    def delete(self, audience: Audience, webhook: Webhook) -> None:
        """Take a webhook away; what was on its way is given up."""
        webhook.disable("deleted")
        del self._of[audience.id][webhook.id]

    def tell(self, audience: Audience, kind: str, fields: dict[str, str], at: int, source: str | None) -> int:
        """Call every webhook that wants this; returns how many."""
        told = 0
        for webhook in self.of(audience):
            if webhook.wants(kind, source):
                self._call(webhook, kind, fields, at)
                told += 1
        return told

    def _call(self, webhook: Webhook, kind: str, fields: dict[str, str], at: int) -> None:
        def heard(taken: bool, for_good: bool) -> None:
            webhook.recent.append(not taken)
            if for_good:
                webhook.disable("repeats were not answered")
            elif len(webhook.recent) == _WINDOW and sum(webhook.recent) > _WINDOW / 2:
                rate = round(100 * sum(webhook.recent) / _WINDOW)
                webhook.disable(f"{rate}% failure rate")

        body = urlencode({"type": kind, "fired_at": webhook_time(at), **fields}).encode()
        post_office_of(self._sandbox).post(
            webhook.id,
            webhook.url,
            kind,
            body,
            at,
            secret=webhook.secret,
            gone=lambda: not webhook.enabled,
            heard=heard,
        )

    def hear(self, event: MemberEvent | CampaignEvent) -> None:
        """Something happened."""
        if not self._of.get(event.audience.id):
            return
        if isinstance(event, CampaignEvent):
            self.tell(event.audience, "campaign", campaign_fields(event), event.at, None)
            return
        omit_action = self._sandbox.switches.webhook_omits_action
        for kind, fields in event_fields(event):
            if omit_action:
                fields.pop("data[action]", None)
            self.tell(event.audience, kind, fields, event.at, event.source)

    def dump(self) -> dict[str, Any]:
        """For the snapshot. Calls on their way are not kept."""
        return {
            audience: [dataclasses.asdict(hook) | {"recent": list(hook.recent)} for hook in hooks.values()]
            for audience, hooks in self._of.items()
        }

    def load(self, data: dict[str, Any]) -> None:
        """The reverse of `dump`."""
        self._of = {
            audience: {
                row["id"]: Webhook(**row | {"recent": deque(row["recent"], maxlen=_WINDOW)}) for row in rows
            }
            for audience, rows in data.items()
        }


def event_fields(event: MemberEvent) -> Iterator[tuple[str, dict[str, str]]]:
    """What webhooks are told of an event: (type, fields besides type and fired_at)."""
    member, audience, detail = event.member, event.audience, event.detail
    match event.kind:
        case "subscribe" | "profile":
            yield event.kind, _person(member, audience)
        case "unsubscribe" | "delete":
            action = {
                "data[action]": "unsub" if event.kind == "unsubscribe" else "delete",
                "data[reason]": str(detail.get("reason", "manual")),
            }
            campaign = {"data[campaign_id]": str(detail.get("campaign_id") or "")}
            yield "unsubscribe", action | _person(member, audience) | campaign
        case "upemail":
            yield (
                "upemail",
                {
                    "data[list_id]": audience.id,
                    "data[new_id]": str(detail["new_id"]),
                    "data[new_email]": member.email,
                    "data[old_email]": str(detail["old_email"]),
                },
            )
        case "cleaned":
            yield (
                "cleaned",
                {
                    "data[list_id]": audience.id,
                    "data[campaign_id]": str(detail.get("campaign_id") or ""),
                    "data[reason]": str(detail.get("reason", "hard")),
                    "data[email]": member.email,
                },
            )


def campaign_fields(event: CampaignEvent) -> dict[str, str]:
    """What webhooks are told of a campaign."""
    return {
        "data[id]": event.campaign_id,
        "data[subject]": event.subject,
        "data[status]": event.status,
        "data[reason]": event.reason,
        "data[list_id]": event.audience.id,
    }


def _person(member: Member, audience: Audience) -> dict[str, str]:
    fields = {
        "data[id]": unique_email_id(member.id),  # not the subscriber hash
        "data[email]": member.email,
        "data[email_type]": member.email_type,
        "data[ip_opt]": member.ip_opt,
    }
    if member.ip_signup:
        fields["data[ip_signup]"] = member.ip_signup
    fields |= {
        "data[web_id]": str(audience.web_id_base + member.serial),
        "data[merges][EMAIL]": member.email,
    }
    for tag, value in merge_values(member, audience).items():
        # INFERRED: an address comes as its parts with two blanks between them.
        text = "  ".join(part for part in value.values() if part) if isinstance(value, dict) else str(value)
        fields[f"data[merges][{tag}]"] = text
    if audience.interests:
        names = [audience.interests[key][1] for key in audience.interests if key in member.interests]
        fields["data[merges][INTERESTS]"] = ", ".join(names)
    return fields | {"data[list_id]": audience.id}


def webhooks_of(sandbox: Sandbox) -> Webhooks:
    """The webhooks of a sandbox."""
    return sandbox.store("webhooks", lambda: Webhooks(sandbox))


def hear(sandbox: Sandbox, event: MemberEvent | CampaignEvent) -> None:
    """The webhooks' ear on the event bus."""
    webhooks_of(sandbox).hear(event)
