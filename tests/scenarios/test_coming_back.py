"""What happens at Mailchimp comes back: by webhook within a second, by poll within a minute."""

import hashlib
import hmac
import time
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

import pytest
from django.test import Client as Browser
from django.urls import reverse
from django.utils import timezone

from lockstep.apps.book.models import Contact
from lockstep.apps.book.services import set_no_marketing
from lockstep.apps.campaigns.models import Campaign
from lockstep.apps.connections.models import Connection
from lockstep.apps.connections.secrets import seal, unseal
from lockstep.apps.sync import webhooks
from lockstep.apps.sync.models import OptOut, WebhookDelivery
from lockstep.core.member import SyncState
from tests.factories import ContactFactory
from tests.scenarios.world import SyncWorld

EMAIL = "ann@kestrel.example.net"
SIGNING = "whsec-0123456789"


@pytest.fixture
def contact(world: SyncWorld) -> Contact:
    made = ContactFactory(company=world.company, email=EMAIL)
    world.start()
    webhooks.webhook_url(world.connection)
    return made


def unsubscribed(email: str) -> bytes:
    return urlencode(
        {
            "type": "unsubscribe",
            "fired_at": "2026-05-06 07:08:09",
            "data[action]": "unsub",
            "data[reason]": "manual",
            "data[email]": email,
            "data[list_id]": "x",
        }
    ).encode()


def url_of(connection: Connection) -> str:
    return reverse("mailchimp-webhook", args=[connection.pk, unseal(connection.webhook_secret)])


def deliver(url: str, body: bytes, **headers: str) -> int:
    answer = Browser().post(url, body, content_type="application/x-www-form-urlencoded", headers=headers)
    return answer.status_code


def test_an_unsubscribe_comes_back_by_webhook(world: SyncWorld, contact: Contact) -> None:
    world.happen(EMAIL, "unsubscribe")
    assert deliver(url_of(world.connection), unsubscribed(EMAIL)) == 200
    assert world.states() == {SyncState.SYNCED: 1}, "the door does no work"
    world.work()
    assert world.states() == {SyncState.UNSUBSCRIBED: 1}
    assert WebhookDelivery.objects.get().heeded_at is not None


def test_an_unsubscribe_comes_back_by_poll(world: SyncWorld, contact: Contact) -> None:
    world.happen(EMAIL, "unsubscribe")
    Connection.objects.update(last_polled_at=None)
    world.work()
    assert world.states() == {SyncState.UNSUBSCRIBED: 1}


def test_a_delivery_that_lies_changes_nothing(world: SyncWorld, contact: Contact) -> None:
    deliver(url_of(world.connection), unsubscribed(EMAIL))
    deliver(url_of(world.connection), b"\xff\x00 nonsense")
    world.work()
    assert world.states() == {SyncState.SYNCED: 1}


@pytest.mark.parametrize("method", ["get", "post"])
def test_who_does_not_know_the_secret_is_told_nothing(
    world: SyncWorld, contact: Contact, method: str
) -> None:
    browser = Browser()
    for args in ([world.connection.pk, "wrong"], [world.connection.pk + 1, "wrong"]):
        answer = getattr(browser, method)(reverse("mailchimp-webhook", args=args))
        assert (answer.status_code, answer.content) == (404, b"")
    assert Browser().get(url_of(world.connection)).status_code == 200
    assert not WebhookDelivery.objects.exists()


def test_where_mailchimp_signs_only_signed_deliveries_count(world: SyncWorld, contact: Contact) -> None:
    Connection.objects.update(webhook_signing_secret=seal(SIGNING))
    body, url = unsubscribed(EMAIL), url_of(world.connection)

    def signature(at: int, secret: str = SIGNING) -> str:
        signed = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
        return f"t={at},v1={signed}"

    now = int(time.time())
    assert deliver(url, body) == 404
    assert deliver(url, body, **{"X-Mailchimp-Signature": signature(now, "another")}) == 404
    assert deliver(url, body, **{"X-Mailchimp-Signature": signature(now - 1000)}) == 404
    assert deliver(url, body, **{"X-Mailchimp-Signature": signature(now)}) == 200
    assert WebhookDelivery.objects.count() == 1


def test_by_setting_an_unsubscribe_sets_no_marketing_once_and_can_be_undone(
    world: SyncWorld, contact: Contact
) -> None:
    Connection.objects.update(unsubscribe_sets_no_marketing=True)
    world.happen(EMAIL, "unsubscribe")
    deliver(url_of(world.connection), unsubscribed(EMAIL))
    world.work()
    contact.refresh_from_db()
    assert contact.no_marketing
    assert contact.no_marketing_reason == "Unsubscribed in Mailchimp"
    assert world.fields(EMAIL)["SYNC"] == "Inactive"

    set_no_marketing(world.actor, contact_id=contact.pk, no_marketing=False)
    world.work()
    world.refresh()
    contact.refresh_from_db()
    assert not contact.no_marketing
    assert world.member(EMAIL)["status"] == "unsubscribed"
    assert world.states() == {SyncState.UNSUBSCRIBED: 1}


def after_campaign(email: str, reason: str) -> bytes:
    told = {"data[reason]": reason, "data[campaign_id]": "cb398d21d2"}
    return unsubscribed(email).replace(b"data%5Breason%5D=manual", urlencode(told).encode())


def test_what_a_webhook_tells_of_an_unsubscribe_is_kept_until_the_person_comes_back(
    world: SyncWorld, contact: Contact
) -> None:
    world.happen(EMAIL, "unsubscribe")
    deliver(url_of(world.connection), after_campaign(EMAIL, "abuse"))
    world.work()
    told = OptOut.objects.get()
    assert (told.reason, told.campaign_id) == ("abuse", "cb398d21d2")
    assert told.at == datetime(2026, 5, 6, 7, 8, 9, tzinfo=UTC)

    world.happen(EMAIL, "sign_up")
    world.refresh()
    assert world.states() == {SyncState.SYNCED: 1}
    assert not OptOut.objects.exists()


def test_a_webhook_that_lies_of_an_unsubscribe_leaves_no_note(world: SyncWorld, contact: Contact) -> None:
    deliver(url_of(world.connection), after_campaign(EMAIL, "manual"))
    world.work()
    assert not OptOut.objects.exists()


def test_an_unsubscribe_that_only_the_poll_told_has_its_date(world: SyncWorld, contact: Contact) -> None:
    before = timezone.now()
    world.happen(EMAIL, "unsubscribe")
    Connection.objects.update(last_polled_at=None)
    world.work()
    seen = OptOut.objects.get()
    assert (seen.reason, seen.campaign_id) == ("", "")
    assert abs(seen.at - before) < timedelta(minutes=10)


def test_the_flag_names_the_campaign_and_the_reason(world: SyncWorld, contact: Contact) -> None:
    Connection.objects.update(unsubscribe_sets_no_marketing=True)
    Campaign.objects.create(
        company=world.company,
        connection=world.connection,
        mailchimp_id="cb398d21d2",
        title="Spring catalogue",
        send_time=timezone.now(),
    )
    world.happen(EMAIL, "unsubscribe")
    deliver(url_of(world.connection), after_campaign(EMAIL, "abuse"))
    world.work()
    contact.refresh_from_db()
    assert contact.no_marketing_reason == (
        "Reported a campaign as spam in Mailchimp (campaign “Spring catalogue”)"
    )


def test_without_the_setting_the_book_is_left_alone(world: SyncWorld, contact: Contact) -> None:
    world.happen(EMAIL, "unsubscribe")
    world.refresh()
    contact.refresh_from_db()
    assert not contact.no_marketing


def test_old_deliveries_are_forgotten(world: SyncWorld, contact: Contact) -> None:
    deliver(url_of(world.connection), unsubscribed(EMAIL))
    webhooks.forget_old()
    assert WebhookDelivery.objects.count() == 1
    WebhookDelivery.objects.update(received_at=timezone.now() - webhooks.KEEP * 2)
    webhooks.forget_old()
    assert not WebhookDelivery.objects.exists()
