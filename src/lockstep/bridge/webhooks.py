"""The audience webhook: set up, checked, taken away (C2, C3; contract 8).

The URL carries a secret of ours, because webhooks made before 2026 are not
signed. Never put it in a log.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

from lockstep.bridge.failures import translated
from lockstep.mailchimp.api import MailchimpAPI
from lockstep.mailchimp.errors import Applied, MailchimpError, NotFound
from lockstep.mailchimp.wire import NewWebhook, Webhook, WebhookEvents, WebhookPatch, WebhookSources

EVENTS = WebhookEvents(
    subscribe=True, unsubscribe=True, profile=True, cleaned=True, upemail=True, campaign=True
)
SOURCES = WebhookSources(user=True, admin=True, api=False)
"""`api` would send our own writes back to us (contract trap 33)."""


@dataclass(frozen=True, slots=True)
class WebhookSetUp:
    """A webhook just made. `signing_secret` is shown this once, and is '' where Mailchimp gives none."""

    webhook_id: str
    signing_secret: str = field(repr=False)


class WebhookState(enum.Enum):
    WORKING = "working"
    MENDED = "mended"
    """It was there with other events or sources, and was set back."""
    MISSING = "missing"
    """Gone, or made for another URL: register it again."""


async def register_webhook(api: MailchimpAPI, list_id: str, url: str) -> WebhookSetUp:
    """Make the webhook; Mailchimp asks the URL with a GET first.

    One with the same URL is replaced, because its signing secret is known from its creation
    only. Others are left alone. Raises `SetupRefused` where the URL did not answer Mailchimp.
    """
    wanted = NewWebhook(url=url, events=EVENTS, sources=SOURCES)
    with translated():
        await _remove(api, list_id, url)
        try:
            made = await api.create_webhook(list_id, wanted)
        except MailchimpError as error:
            if error.applied is not Applied.UNKNOWN:
                raise
            await _remove(api, list_id, url)
            made = await api.create_webhook(list_id, wanted)
    return WebhookSetUp(made.id, made.signing_secret)


async def verify_webhook(api: MailchimpAPI, list_id: str, webhook_id: str, url: str) -> WebhookState:
    """Whether the webhook is still there; events and sources that somebody changed are set back.

    Mailchimp disables a webhook after many failures (trap 35), and people remove them.
    """
    with translated():
        found = next((hook for hook in await api.webhooks(list_id) if hook.id == webhook_id), None)
        if found is None or found.url != url:
            return WebhookState.MISSING
        if _complete(found):
            return WebhookState.WORKING
        await api.patch_webhook(list_id, webhook_id, WebhookPatch(events=EVENTS, sources=SOURCES))
        return WebhookState.MENDED


async def delete_webhook(api: MailchimpAPI, list_id: str, webhook_id: str) -> None:
    """Take the webhook away; fine if it, or the whole audience, is gone already."""
    with translated():
        try:
            await api.delete_webhook(list_id, webhook_id)
        except NotFound:
            return
        except MailchimpError as error:
            if error.applied is not Applied.UNKNOWN:
                raise
            if any(hook.id == webhook_id for hook in await api.webhooks(list_id)):
                raise


async def _remove(api: MailchimpAPI, list_id: str, url: str) -> None:
    for hook in await api.webhooks(list_id):
        if hook.url == url:
            await api.delete_webhook(list_id, hook.id)


def _complete(hook: Webhook) -> bool:
    return hook.sources == SOURCES and hook.events == EVENTS
