"""Webhooks as the control door and the page see them: all of them, their calls, and events fired by hand."""

from __future__ import annotations

from typing import Any

from .events import CampaignEvent, EventKind, MemberEvent, Source
from .ids import unique_email_id
from .member import hash_of
from .post_office import post_office_of
from .sandbox import Sandbox
from .subscriber import CannotHappen
from .webhook import SOURCES, Webhook, webhooks_of

__all__ = ["deliveries", "enable", "fire", "list_webhooks"]

_KINDS: dict[str, EventKind] = {
    "subscribe": "subscribe",
    "unsubscribe": "unsubscribe",
    "delete": "delete",
    "profile": "profile",
    "upemail": "upemail",
    "cleaned": "cleaned",
}


def list_webhooks(sandbox: Sandbox) -> list[dict[str, Any]]:
    """All audience webhooks with what the API does not tell: the secret, and why one is disabled."""
    return [
        {
            "audience": audience.id,
            "id": hook.id,
            "url": hook.url,
            "events": hook.events,
            "sources": hook.sources,
            "signing_secret": hook.secret,
            "enabled": hook.enabled,
            "disabled_why": hook.disabled_why,
        }
        for account in sandbox.accounts.values()
        for audience in account.audiences.values()
        for hook in webhooks_of(sandbox).of(audience)
    ]


def deliveries(sandbox: Sandbox, *, after: int = 0, webhook: str = "") -> list[dict[str, Any]]:
    """Webhook calls with a number above `after`, oldest first."""
    return [
        delivery.document()
        for delivery in list(post_office_of(sandbox).deliveries)
        if delivery.number > after and webhook in ("", delivery.webhook)
    ]


def enable(sandbox: Sandbox, webhook: str, enabled: bool = True) -> dict[str, Any]:
    """Switch a webhook on or off, as on Mailchimp's page. Raises CannotHappen."""
    found = _find(sandbox, webhook)
    if enabled:
        found.enable()
    else:
        found.disable("switched off by hand")
    return {"id": found.id, "enabled": found.enabled}


def fire(
    sandbox: Sandbox,
    audience: str,
    type: str,
    email: str = "",
    source: str = "admin",
    detail: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Call the webhooks of an audience as if something had happened; nothing does happen.

    `detail` are the details of the event (`events.MemberEvent`), for `campaign` its id, subject and status.
    Raises CannotHappen, ValueError.
    """
    found = sandbox.find_audience(audience)
    if found is None:
        raise CannotHappen(f"there is no audience {audience}")
    held, at, more = found[1], sandbox.clock.second(), detail or {}
    hooks = webhooks_of(sandbox)
    before = post_office_of(sandbox).number
    if type == "campaign":
        hooks.hear(
            CampaignEvent(
                at,
                held,
                str(more.get("id", "")),
                str(more.get("subject", "")),
                str(more.get("status", "sent")),
            )
        )
        return {"calls": post_office_of(sandbox).number - before}
    if type not in _KINDS:
        raise ValueError(f"there is no event {type!r}; there are {', '.join((*_KINDS, 'campaign'))}")
    if source not in SOURCES:
        raise ValueError(f"there is no source {source!r}; there are {', '.join(SOURCES)}")
    member = held.get(hash_of(email))
    if member is None:
        raise CannotHappen(f"{email} is not in the audience {held.name}")
    if type == "upemail":
        more = {"old_email": email, "new_id": unique_email_id(member.id)} | more
    whence: Source = "user" if source == "user" else "api" if source == "api" else "admin"
    hooks.hear(MemberEvent(_KINDS[type], at, whence, held, member, more))
    return {"calls": post_office_of(sandbox).number - before}


def _find(sandbox: Sandbox, webhook_id: str) -> Webhook:
    for account in sandbox.accounts.values():
        for audience in account.audiences.values():
            if found := webhooks_of(sandbox).find(audience, webhook_id):
                return found
    raise CannotHappen(f"there is no webhook {webhook_id}")
