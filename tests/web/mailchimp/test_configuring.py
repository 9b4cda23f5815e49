"""Configure: numbers that add up, checks, duplicates, the dry run's card, Start Sync."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client as Browser
from django.urls import reverse
from django.utils import timezone
from tests.factories import (
    ClientFactory,
    ConnectionFactory,
    ContactFactory,
    ListValueFactory,
    MailchimpAccountFactory,
    SeatFactory,
)

from lockstep.apps.accounts.models import Seat
from lockstep.apps.accounts.permissions import Actor
from lockstep.apps.book.models import ListValue
from lockstep.apps.connections.models import Connection
from lockstep.apps.sync.models import DuplicateChoice, PlanRow, SyncRun
from lockstep.sandbox.audience import Audience

BrowserOf = Callable[[Seat], Browser]
HTMX = {"HX-Request": "true"}


@pytest.fixture
def admin(db: None) -> Seat:
    return SeatFactory()


@pytest.fixture
def status(admin: Seat) -> ListValue:
    return ListValueFactory(company=admin.company, name="Prospect & more")


@pytest.fixture
def link(admin: Seat) -> Connection:
    return ConnectionFactory(account=MailchimpAccountFactory(company=admin.company), member_count=10)


@pytest.fixture
def book(admin: Seat, status: ListValue) -> None:
    """Three who fit, one of each reason for leaving out, one outside the filter."""
    client = ClientFactory(company=admin.company, status=status)
    ContactFactory.create_batch(2, client=client)
    ContactFactory(client=client, email="shared@x.example.net", created_at=timezone.now() - timedelta(days=9))
    ContactFactory(client=client, email="Shared@x.example.net", first_name="New", last_name="One")
    ContactFactory(client=client, email="")
    ContactFactory(client=client, email="nonsense")
    ContactFactory(client=client, no_marketing=True)
    ContactFactory(client=client, active=False)
    ContactFactory(company=admin.company)


def address(name: str, link: Connection) -> str:
    return reverse(f"mailchimp:{name}", args=[link.pk])


def test_the_page_shows_choices_numbers_and_duplicates(
    admin: Seat, browser_of: BrowserOf, link: Connection, status: ListValue, book: None
) -> None:
    page = browser_of(admin).get(address("configure", link))
    assert page.status_code == 200
    counts = page.context["counts"]
    assert (counts.book, counts.fits) == (9, 4)
    assert sum(left for _, _, left in page.context["left_out"]) + counts.fits == counts.book
    assert "Prospect &amp; more" in page.text
    assert "shared@x.example.net" in page.text
    assert "Fits: everybody in the book." in page.text


def test_choosing_changes_only_the_numbers(
    admin: Seat, browser_of: BrowserOf, link: Connection, status: ListValue, book: None
) -> None:
    chosen = {"status_ids": [status.pk], "new_status": "subscribed"}
    fragment = browser_of(admin).post(address("count", link), chosen, headers=HTMX)
    assert "<html" not in fragment.text
    by_reason = {reason: left for reason, _, left in fragment.context["left_out"]}
    assert by_reason == {
        "outside": 1,
        "inactive": 1,
        "no_marketing": 1,
        "no_email": 1,
        "invalid_email": 1,
        "duplicate": 1,
    }
    assert fragment.context["counts"].fits == 3
    assert "whose client is <b>Prospect &amp; more</b>" in fragment.text
    link.refresh_from_db()
    assert link.preferences == {}


@pytest.mark.parametrize(
    ("reason", "number"), [("outside", 1), ("duplicate", 1), ("fits", 3), ("no_email", 1)]
)
def test_each_number_leads_to_its_contacts(
    admin: Seat,
    browser_of: BrowserOf,
    link: Connection,
    status: ListValue,
    book: None,
    reason: str,
    number: int,
) -> None:
    chosen = {"status_ids": [status.pk]}
    page = browser_of(admin).post(reverse("mailchimp:left_out", args=[link.pk, reason]), chosen)
    assert len(page.context["page"].rows) == number


def test_another_duplicate_can_be_chosen_and_taken_back(
    admin: Seat, browser_of: BrowserOf, link: Connection, book: None
) -> None:
    browser = browser_of(admin)
    [group] = browser.get(address("configure", link)).context["duplicate_groups"]
    newest, older = group.contacts
    assert (newest.name, newest.synced, newest.newest) == ("New One", True, True)
    fragment = browser.post(address("duplicates", link), {"contact": older.contact_id}, headers=HTMX)
    assert f'value="{older.contact_id}" checked' in fragment.text
    assert f'value="{newest.contact_id}" checked' not in fragment.text
    assert "is synced for this address." in fragment.text
    browser.post(address("duplicates", link), {"contact": newest.contact_id, "newest": "1"}, headers=HTMX)
    assert not DuplicateChoice.objects.exists()


def test_a_contact_of_another_company_cannot_be_chosen(
    admin: Seat, browser_of: BrowserOf, link: Connection
) -> None:
    foreign = ContactFactory()
    answer = browser_of(admin).post(address("duplicates", link), {"contact": foreign.pk}, headers=HTMX)
    assert answer.status_code == 404
    assert not DuplicateChoice.objects.exists()


def test_start_keeps_the_choices_and_begins(
    admin: Seat, browser_of: BrowserOf, link: Connection, status: ListValue
) -> None:
    answer = browser_of(admin).post(
        address("start", link), {"status_ids": [status.pk], "new_status": "pending", "approved": "abc"}
    )
    assert answer["Location"] == reverse("sync:window", args=[link.pk])
    link.refresh_from_db()
    assert (link.preferences, link.new_status, link.mode) == (
        {"status_ids": [status.pk]},
        "pending",
        Connection.Mode.ON,
    )
    run = SyncRun.objects.get()
    # What the dry run showed was another choice, so nothing was approved.
    assert (run.kind, run.approved) == (SyncRun.Kind.START, "")


def test_start_after_an_unchanged_dry_run_approves_its_plan(
    admin: Seat, browser_of: BrowserOf, link: Connection
) -> None:
    browser_of(admin).post(address("start", link), {"new_status": "subscribed", "approved": "abc"})
    assert SyncRun.objects.get().approved == "abc"


def test_start_is_refused_in_words_while_a_run_is_under_way(
    admin: Seat, browser_of: BrowserOf, link: Connection
) -> None:
    SyncRun.objects.create(company=admin.company, connection=link, kind=SyncRun.Kind.PREVIEW)
    page = browser_of(admin).post(address("start", link), {"new_status": "subscribed"})
    assert page.status_code == 422
    assert "Another run is under way" in page.text


def test_configure_leads_to_the_window_while_the_sync_is_on(
    admin: Seat, browser_of: BrowserOf, link: Connection
) -> None:
    link.mode = Connection.Mode.ON
    link.save()
    answer = browser_of(admin).get(address("configure", link))
    assert answer["Location"] == reverse("sync:window", args=[link.pk])


def test_a_dry_run_polls_until_it_has_ended(admin: Seat, browser_of: BrowserOf, link: Connection) -> None:
    browser = browser_of(admin)
    begun = browser.post(address("dry_run", link), {"new_status": "subscribed"}, headers=HTMX)
    assert 'hx-trigger="every 1s"' in begun.text
    run = SyncRun.objects.get()
    assert run.kind == SyncRun.Kind.PREVIEW
    contact = ContactFactory(company=admin.company, first_name="=cmd", last_name="|calc")
    PlanRow.objects.create(
        run=run, contact_id=contact.pk, step="update", differing={"position": ["Buyer", "<i>CEO</i>"]}
    )
    PlanRow.objects.create(run=run, contact_id=ContactFactory(company=admin.company).pk, step="add")
    SyncRun.objects.update(
        state=SyncRun.State.FINISHED,
        finished_at=timezone.now(),
        fingerprint="f1",
        plan={"adds": 1, "updates": 1},
    )
    ended = browser.get(address("dry_run", link), headers=HTMX)
    assert "every 1s" not in ended.text
    assert "<html" not in ended.text
    ended = browser.get(address("dry_run", link))
    assert [(tab.key, tab.count) for tab in ended.context["dry_tabs"]] == [
        ("add", 1),
        ("update", 1),
        ("same", 0),
        ("fail", 0),
    ]
    assert "&lt;i&gt;CEO&lt;/i&gt;" in ended.text
    assert "CSKU Position" in ended.text
    assert 'value="f1"' in ended.text
    assert (ended.context["billable_before"], ended.context["billable_after"]) == (10, 11)
    sheet = b"".join(browser.get(address("dry_run_csv", link)).streaming_content).decode()  # type: ignore[attr-defined]
    assert "'=cmd |calc" in sheet
    assert "Buyer,<i>CEO</i>" in sheet


def test_required_fields_are_named_and_made_optional_after_the_question(
    actor: Actor, connection: Connection, audience: Audience, browser_of: BrowserOf
) -> None:
    audience.add_merge_field(tag="SHIRT", name="T-shirt size", type="text", required=True)
    browser = browser_of(Seat.objects.get(company=actor.company))
    warned = browser.get(address("checks", connection), headers=HTMX)
    assert "1 audience field is marked as required in Mailchimp." in warned.text
    assert "<b>T-shirt size</b> (SHIRT)" in warned.text
    answer = browser.post(address("optional", connection), {"tag": ["SHIRT"]})
    assert answer.status_code == 302
    field = audience.merge_field("SHIRT")
    assert field is not None
    assert field.required is False
    assert (
        "Nothing stands in the way"
        in browser.get(address("checks", connection) + "?again=1", headers=HTMX).text
    )
