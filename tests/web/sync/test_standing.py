"""Rows of the sync window say what they wait for, or how the person left; in the page and in its CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client as Browser
from django.urls import reverse
from django.utils import timezone
from tests.factories import ConnectionFactory, ContactFactory, MailchimpAccountFactory, SeatFactory

from lockstep.apps.accounts.models import Seat
from lockstep.apps.campaigns.models import Campaign, Person, Unsubscribe
from lockstep.apps.campaigns.moments import seconds_at
from lockstep.apps.connections.models import Connection
from lockstep.apps.sync.models import MemberRecord, ObservedRecord, OptOut, SyncRun
from lockstep.core.errors import BrokenKind
from lockstep.core.member import SyncState
from lockstep.web.failures import BROKEN

BrowserOf = Callable[[Seat], Browser]
LEFT_AT = datetime(2026, 5, 6, 7, 8, 9, tzinfo=UTC)


@pytest.fixture
def admin(db: None) -> Seat:
    return SeatFactory()


@pytest.fixture
def link(admin: Seat) -> Connection:
    return ConnectionFactory(
        account=MailchimpAccountFactory(company=admin.company),
        mode=Connection.Mode.ON,
        first_started_at=timezone.now(),
    )


def record(link: Connection, state: SyncState, name: str, **values: Any) -> MemberRecord:
    contact = ContactFactory(company=link.company, first_name=name, last_name="Row")
    return MemberRecord.objects.create(
        company=link.company,
        connection=link,
        contact=contact,
        reason="fits",
        state=state.value,
        member_hash=f"{contact.pk:032x}",
        **values,
    )


def left(link: Connection, name: str, status: str, **said: Any) -> MemberRecord:
    made = record(link, SyncState.UNSUBSCRIBED, name)
    ObservedRecord.objects.create(connection=link, member_hash=made.member_hash, email="x", status=status)
    OptOut.objects.create(connection=link, member_hash=made.member_hash, **({"at": LEFT_AT} | said))
    return made


def campaign(link: Connection, mailchimp_id: str, title: str) -> Campaign:
    return Campaign.objects.create(
        company=link.company, connection=link, mailchimp_id=mailchimp_id, title=title, send_time=LEFT_AT
    )


def tab(browser: Browser, link: Connection, query: str) -> Any:
    return browser.get(reverse("sync:window", args=[link.pk]) + query)


def lines(browser: Browser, link: Connection, state: str) -> list[dict[str, str]]:
    page = browser.get(reverse("sync:members_csv", args=[link.pk]) + f"?tab={state}")
    text = b"".join(page.streaming_content).decode("utf-8-sig")  # type: ignore[attr-defined]
    return list(csv.DictReader(io.StringIO(text)))


def test_who_unsubscribed_has_status_date_reason_and_campaign(
    admin: Seat, browser_of: BrowserOf, link: Connection
) -> None:
    spring = campaign(link, "c1", "Spring catalogue")
    autumn = campaign(link, "c2", "Autumn catalogue")
    left(link, "Spam", "unsubscribed", reason="abuse", campaign_id="c1")
    left(link, "Bounce", "cleaned", at=LEFT_AT + timedelta(days=1))
    report = left(link, "Report", "unsubscribed", at=LEFT_AT - timedelta(days=1))
    person = Person.objects.create(
        connection=link, member_hash=bytes.fromhex(report.member_hash), contact=report.contact
    )
    Unsubscribe.objects.create(
        campaign=autumn, person=person, at=seconds_at(LEFT_AT), reason="Content not relevant"
    )
    left(link, "Early", "unsubscribed", at=LEFT_AT - timedelta(days=2), campaign_id="c9")

    browser = browser_of(admin)
    page = tab(browser, link, "?tab=unsubscribed")
    assert [row.name for row in page.context["page"].rows] == [
        "Bounce Row",
        "Spam Row",
        "Report Row",
        "Early Row",
    ], "the latest first"
    shown = {row.name.split()[0]: page.context["left"][row.contact_id] for row in page.context["page"].rows}
    assert (shown["Spam"].reason, shown["Spam"].campaign) == (
        "Reported as spam",
        (spring.pk, "Spring catalogue"),
    )
    assert (shown["Bounce"].status, shown["Bounce"].reason) == ("cleaned", "The address bounced")
    assert (shown["Report"].reason, shown["Report"].campaign) == (
        "Content not relevant",
        (autumn.pk, "Autumn catalogue"),
    )
    assert shown["Early"].campaign == (None, "Campaign c9, not read yet")
    assert reverse("campaigns:campaign", args=[spring.pk]) in page.text
    assert "Cleaned" in page.text

    found = {line["Contact"]: line for line in lines(browser, link, "unsubscribed")}
    spam = found["Spam Row"]
    assert (spam["Status in Mailchimp"], spam["Reason"], spam["Campaign"]) == (
        "Unsubscribed",
        "Reported as spam",
        "Spring catalogue",
    )
    assert "2026" in spam["Since"]


def pending(page: Any) -> Any:
    [row] = page.context["page"].rows
    return page.context["waits"][row.contact_id]


def test_a_pending_row_says_why_and_when_it_is_tried_next(
    admin: Seat, browser_of: BrowserOf, link: Connection
) -> None:
    row = record(link, SyncState.PENDING, "Patient")
    browser = browser_of(admin)
    found = pending(tab(browser, link, "?tab=pending"))
    assert (found.why, found.at_once) == ("Changed in the book; goes with the next batch", True)

    MemberRecord.objects.filter(pk=row.pk).update(uncertain=True)
    assert "no answer came" in pending(tab(browser, link, "?tab=pending")).why

    later = timezone.now() + timedelta(minutes=9)
    Connection.objects.update(unavailable_until=later)
    page = tab(browser, link, "?tab=pending")
    assert (pending(page).why, pending(page).next_try) == ("Mailchimp asked Lockstep to wait", later)
    assert "in 8 min" in page.text
    assert lines(browser, link, "pending")[0]["Why"] == "Mailchimp asked Lockstep to wait"

    Connection.objects.update(broken_kind=BrokenKind.AUDIENCE_GONE)
    page = tab(browser, link, "?tab=pending")
    assert (pending(page).why, pending(page).next_try) == ("Paused: the audience is gone", None)


def test_a_pending_row_of_a_plan_that_waits_says_so(
    admin: Seat, browser_of: BrowserOf, link: Connection
) -> None:
    record(link, SyncState.PENDING, "Patient")
    SyncRun.objects.create(
        company=link.company, connection=link, kind=SyncRun.Kind.PREVIEW, state=SyncRun.State.WAITING
    )
    page = tab(browser_of(admin), link, "?tab=pending")
    assert pending(page).why == "A plan waits for a person’s confirmation"


@pytest.mark.parametrize("kind", list(BrokenKind))
def test_a_paused_connection_says_what_is_and_leads_to_the_way_back(
    admin: Seat, browser_of: BrowserOf, link: Connection, kind: BrokenKind
) -> None:
    Connection.objects.update(broken_kind=kind, broken_text="Mailchimp said <so>")
    page = tab(browser_of(admin), link, "")
    assert BROKEN[kind].title in page.text
    assert BROKEN[kind].todo in page.text
    assert "Mailchimp said &lt;so&gt;" in page.text
    assert reverse("mailchimp:index") in page.text


def test_the_way_back_from_a_pause_of_the_audience_is_one_button(
    admin: Seat, browser_of: BrowserOf, link: Connection
) -> None:
    browser = browser_of(admin)
    Connection.objects.update(broken_kind=BrokenKind.OVER_PLAN)
    page = tab(browser, link, "")
    assert "Start again" in page.text
    assert reverse("sync:refresh", args=[link.pk]) not in page.text
    browser.post(reverse("sync:start", args=[link.pk]))
    link.refresh_from_db()
    assert (link.mode, link.broken_kind) == (Connection.Mode.ON, "")
    assert link.runs.get().kind == SyncRun.Kind.START


def test_an_audience_that_is_gone_makes_room_for_another(
    admin: Seat, browser_of: BrowserOf, link: Connection
) -> None:
    record(link, SyncState.SYNCED, "Kept", synced_key="kept@kestrel.example.net")
    Connection.objects.update(broken_kind=BrokenKind.AUDIENCE_GONE)
    browser = browser_of(admin)
    assert "Choose another audience" in tab(browser, link, "").text
    page = browser.post(reverse("sync:stop", args=[link.pk]), {"then": "audience"})
    assert page.headers["Location"] == reverse("mailchimp:index")
    link.refresh_from_db()
    assert link.mode == Connection.Mode.OFF
    assert MemberRecord.objects.filter(connection=link).count() == 1, "what was known is kept"


def test_a_webhook_that_can_not_be_had_is_told_where_it_matters(
    admin: Seat, browser_of: BrowserOf, link: Connection
) -> None:
    browser = browser_of(admin)
    assert "can’t tell Lockstep" not in tab(browser, link, "").text
    Connection.objects.update(webhook_trouble="The URL <did> not answer")
    page = tab(browser, link, "")
    assert "Mailchimp can’t tell Lockstep of unsubscribes at once." in page.text
    assert "The URL &lt;did&gt; not answer" in page.text
