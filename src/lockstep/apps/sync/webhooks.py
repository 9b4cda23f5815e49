"""Mailchimp's webhook: registered, checked, received (contract 8).

A delivery is a hint and nothing more. It is stored raw and answered within
milliseconds; the worker looks at the members it names. What comes late, twice,
out of order or never does no harm: looking again is all that follows.
"""

from __future__ import annotations

import hmac
import secrets
import time
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from django.conf import settings
from django.db import transaction
from django.urls import reverse
from django.utils import timezone

from lockstep.apps.connections.models import Connection
from lockstep.apps.connections.secrets import SecretUnreadable, seal, unseal
from lockstep.apps.sync.database_thread import DatabaseThread
from lockstep.apps.sync.models import WebhookDelivery
from lockstep.apps.sync.opting_out import note_said
from lockstep.apps.sync.waking import wake
from lockstep.bridge.events import Hint, read_hint
from lockstep.bridge.failures import SetupRefused
from lockstep.bridge.webhooks import WebhookSetUp, WebhookState, register_webhook, verify_webhook
from lockstep.core.errors import ConnectionBroken
from lockstep.core.identity import SubscriberHash
from lockstep.mailchimp.api import MailchimpAPI
from lockstep.mailchimp.hooks import signature_matches

MAX_BODY = 256 * 1024
"""Bytes of a delivery that are kept; Mailchimp's are a few thousand."""

CHECK_EVERY = timedelta(hours=1)
KEEP = timedelta(days=14)
AT_ONCE = 500
"""Deliveries heeded together: a mass unsubscribe comes as thousands of them (trap 35)."""


class WebhookRefused(Exception):
    """The caller does not know the secret, or did not sign; it is told nothing more."""


# --- the door ---------------------------------------------------------------------------------


def knows_secret(connection_id: int, secret: str) -> Connection:
    """The connection whose webhook URL carries this secret. Raises `WebhookRefused`.

    Takes the same time whether the connection or the secret is wrong.
    """
    connection = Connection.objects.filter(pk=connection_id).first()
    known = _open(connection.webhook_secret) if connection else ""
    fits = hmac.compare_digest((known or "no such webhook").encode(), secret.encode())
    if connection is None or not known or not fits:
        raise WebhookRefused
    return connection


@transaction.atomic
def receive(connection_id: int, secret: str, body: bytes, signature: str) -> None:
    """Keep a delivery and wake the worker. Raises `WebhookRefused`; never looks into the body."""
    connection = knows_secret(connection_id, secret)
    signing = _open(connection.webhook_signing_secret)
    if signing and not signature_matches(signing, signature, body, now=time.time()):
        raise WebhookRefused
    if len(body) > MAX_BODY or not connection.on:
        return
    WebhookDelivery.objects.create(connection=connection, body=body)
    wake(connection.account_id)


def _open(sealed: bytes | memoryview) -> str:
    try:
        return unseal(sealed) if sealed else ""
    except SecretUnreadable:
        return ""


# --- registering ------------------------------------------------------------------------------


def webhook_url(connection: Connection) -> str:
    """The URL that Mailchimp calls; makes the secret in it the first time."""
    if not connection.webhook_secret:
        connection.webhook_secret = seal(secrets.token_urlsafe(32))
        connection.save(update_fields=["webhook_secret"])
    path = reverse("mailchimp-webhook", args=[connection.pk, unseal(connection.webhook_secret)])
    return f"{settings.LOCKSTEP_BASE_URL}{path}"


def check_is_due(connection: Connection, now: datetime) -> bool:
    checked = connection.webhook_checked_at
    return checked is None or now - checked >= CHECK_EVERY


async def see_to_webhook(connection: Connection, api: MailchimpAPI, database: DatabaseThread) -> None:
    """Register the webhook where it is missing or was dropped (trap 35), and note how it stands.

    Where Mailchimp can't reach Lockstep, that is noted for the page and polling does the work: a webhook
    that can't be had pauses nothing. Raises `AudienceUnavailable`.
    """
    url = await database.run(webhook_url, connection)
    trouble = _unreachable(connection, url)
    if not trouble:
        try:
            known = connection.webhook_id
            state = WebhookState.MISSING
            if known:
                state = await verify_webhook(api, connection.list_id, known, url)
            if state is WebhookState.MISSING:
                made = await register_webhook(api, connection.list_id, url)
                await database.run(_note_registered, connection.pk, made)
        except (SetupRefused, ConnectionBroken) as error:
            # If the account or the audience is gone indeed, the next call of the sync itself will say so.
            trouble = str(error)
    await database.run(_note_checked, connection.pk, trouble)


def _unreachable(connection: Connection, url: str) -> str:
    """Why the real Mailchimp surely can't call this URL; '' where it may."""
    host = urlsplit(url).hostname or ""
    practice = bool(settings.MAILCHIMP_API_BASE_OVERRIDE) or not connection.account.api_base.endswith(
        ".api.mailchimp.com"
    )
    if practice or host not in {"127.0.0.1", "localhost", "::1"}:
        return ""
    return "Lockstep's address is only known on this machine, so Mailchimp can't call it."


def _note_registered(connection_id: int, made: WebhookSetUp) -> None:
    Connection.objects.filter(pk=connection_id).update(
        webhook_id=made.webhook_id,
        webhook_signing_secret=seal(made.signing_secret) if made.signing_secret else b"",
    )


def _note_checked(connection_id: int, trouble: str) -> None:
    Connection.objects.filter(pk=connection_id).update(
        webhook_checked_at=timezone.now(), webhook_trouble=trouble
    )


# --- heeding ----------------------------------------------------------------------------------


def take(connection_id: int) -> tuple[list[int], tuple[SubscriberHash, ...], list[Hint]]:
    """Waiting deliveries, the members that they say to look at, each once, and what else they tell."""
    waiting = list(
        WebhookDelivery.objects.filter(connection_id=connection_id, heeded_at=None).order_by("id")[:AT_ONCE]
    )
    hints = [read_hint(bytes(delivery.body)) for delivery in waiting]
    members = dict.fromkeys(member for hint in hints if hint for member in hint.members)
    return [delivery.pk for delivery in waiting], tuple(members), [hint for hint in hints if hint]


def note_heeded(connection_id: int, deliveries: list[int], hints: list[Hint]) -> None:
    """Their members were looked at: what they told of an unsubscribe can be believed now."""
    note_said(connection_id, hints, now=timezone.now())
    WebhookDelivery.objects.filter(pk__in=deliveries).update(heeded_at=timezone.now())


def forget_old() -> None:
    """Deliveries carry addresses of people: they are not kept longer than they are of use."""
    WebhookDelivery.objects.filter(received_at__lt=timezone.now() - KEEP).delete()
