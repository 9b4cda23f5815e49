"""A week with the sync window, on the real stack: every button, and what each leaves at Mailchimp."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from lockstep.apps.accounts.models import Company
from lockstep.apps.book.models import ListValue
from lockstep.apps.book.services import add_starting_values
from lockstep.sandbox.sandbox import DEFAULT_CLIENT_ID
from tests.e2e.conftest import EMAIL, PASSWORD
from tests.factories import ClientFactory, ContactFactory
from tests.processes import Stack, until

pytestmark = [pytest.mark.e2e, pytest.mark.postgres, pytest.mark.slow, pytest.mark.timeout(420)]

LONG = 90_000
"""Milliseconds for a run of a handful of contacts, on a machine that does other things as well."""

DEPARTMENT = "Kestrel Marketing"
NAMES = ("steady", "busy", "archie", "leaver", "former", "goner")


def address(name: str) -> str:
    return f"{name}@kestrel.example.net"


@dataclass
class Book:
    """One client with everybody; made before the browser is, whose loop forbids Django's own queries."""

    client: int
    twins: tuple[int, int]
    """Two contacts of one address, the older first."""


@pytest.fixture
def book(stack: Stack) -> Book:
    company = Company.objects.get()
    add_starting_values(company)
    client = ClientFactory(company=company, name="Kestrel Outdoor Co.")
    department = ListValue.objects.filter(company=company, kind=ListValue.Kind.DEPARTMENT).first()
    assert department is not None
    ListValue.objects.filter(pk=department.pk).update(name=DEPARTMENT)
    for name in NAMES:
        ContactFactory(
            client=client,
            first_name=name.title(),
            last_name="Kestrel",
            email=address(name),
            position="Buyer",
            department=department if name == "former" else None,
        )
    older, newer = (
        ContactFactory(client=client, first_name=name, last_name="Twin", email=address("twin")).pk
        for name in ("Older", "Newer")
    )
    return Book(client.pk, (older, newer))


class Week:
    """A person in front of the pages, and what people do at Mailchimp meanwhile."""

    def __init__(self, page: Page, stack: Stack, book: Book) -> None:
        self.page, self.stack, self.book = page, stack, book
        self.audience = str(stack.ask("GET", "/_sandbox/")["accounts"][0]["audiences"][0]["id"])

    def happen(self, name: str, what: str, **more: Any) -> None:
        body = {"audience": self.audience, "email": address(name), "what": what} | more
        self.stack.ask("POST", "/_sandbox/happen", body)

    def member(self, name: str) -> dict[str, Any]:
        found = self.stack.member(self.audience, address(name))
        assert found is not None
        return found

    def until_there(self, name: str, is_so: Callable[[dict[str, Any]], bool], what: str) -> None:
        until(lambda: is_so(self.member(name)), within=30, what=what)

    # --- pages ---

    def tab(self, name: str) -> Any:
        return self.page.get_by_role("navigation", name="Outcomes").get_by_role("link", name=name)

    def expect_counts(self, **counts: int) -> None:
        for name, number in counts.items():
            expect(self.tab(name.title())).to_contain_text(re.compile(rf"\D{number}\s*$"), timeout=LONG)

    def open_tab(self, name: str) -> None:
        self.tab(name).click()
        expect(self.tab(name)).to_have_attribute("aria-current", "page")

    def press(self, name: str) -> None:
        """A button that begins a run; back when the run has ended."""
        self.page.get_by_role("button", name=name, exact=True).click()
        expect(self.page.get_by_role("navigation", name="Outcomes")).to_be_visible(timeout=LONG)


def test_a_week(book: Book, page: Page, stack: Stack) -> None:
    week = Week(page, stack, book)
    sign_in_and_connect(page)
    start(week)
    retry_failed(week)
    retry_archived(week)
    an_unsubscribe_comes_back_while_the_page_is_open(week)
    refresh(week)
    sync_instead_from_both_places(week)
    stop(week)
    undo(week)
    restart_with_new_filters(week)
    restart_with_narrower_filters(week)
    a_revoked_login_pauses_and_connects_again(week)
    change_of_audience(week)
    disconnect(week)


def sign_in_and_connect(page: Page) -> None:
    page.goto("/settings/mailchimp/")
    page.get_by_label("E-mail").fill(EMAIL)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("button", name="Connect to Mailchimp").click()
    page.get_by_role("button", name="Log in").click()
    page.get_by_role("button", name="Allow").click()
    expect(page.get_by_text("Connected", exact=True)).to_be_visible()


def start(week: Week) -> None:
    """Somebody has many sign-ups, somebody is archived, somebody deleted for good, one was there before."""
    week.happen("busy", "too_many_signups")
    for name, what in (("archie", "archive"), ("goner", "delete")):
        week.happen(name, "sign_up")
        week.happen(name, what)
    week.happen("former", "sign_up", merges={"FNAME": "Formerly"})
    page = week.page
    page.get_by_role("button", name="Configure").click()
    page.get_by_role("complementary", name="Who is synced").get_by_role("button", name="Start Sync").click()
    week.expect_counts(synced=4, pending=0, failed=2, archived=1, unsubscribed=0)
    assert week.member("steady")["merge_fields"]["CSKU_POS"] == "Buyer"


def retry_failed(week: Week) -> None:
    week.open_tab("Failed")
    expect(week.page.get_by_text("Too many recent sign-ups", exact=True)).to_be_visible()
    week.happen("busy", "calm_down")
    week.press("Retry failed/pending")
    week.expect_counts(synced=5, failed=1)
    assert week.member("busy")["status"] == "subscribed"


def retry_archived(week: Week) -> None:
    """Only the person can come back: who signed up again joins, nobody else."""
    week.open_tab("Archived")
    week.happen("archie", "sign_up")
    week.press("Retry archived/deleted")
    week.expect_counts(synced=6, archived=0)
    assert week.member("archie")["merge_fields"]["CSKU_SYNC"] == "Active"


def an_unsubscribe_comes_back_while_the_page_is_open(week: Week) -> None:
    week.open_tab("Synced")
    week.happen("leaver", "unsubscribe")
    week.expect_counts(synced=5, unsubscribed=1)  # nobody pressed anything
    week.open_tab("Unsubscribed")
    row = week.page.get_by_role("row", name=re.compile("Leaver"))
    row.get_by_role("button", name="No Marketing").click()
    week.expect_counts(unsubscribed=0)
    assert week.member("leaver")["status"] == "unsubscribed"


def refresh(week: Week) -> None:
    week.happen("steady", "edit", merges={"CSKU_POS": "Edited in Mailchimp"})
    week.press("Refresh")
    week.until_there("steady", lambda m: m["merge_fields"]["CSKU_POS"] == "Buyer", "our field is back")


def sync_instead_from_both_places(week: Week) -> None:
    page = week.page

    def named(name: str) -> Callable[[dict[str, Any]], bool]:
        return lambda member: bool(member["merge_fields"]["CSKU_FNAME"] == name)

    assert named("Newer")(week.member("twin"))
    page.goto(f"/contacts/{week.book.twins[0]}/marketing")
    page.get_by_role("button", name="Sync this contact instead").click()
    page.get_by_role("dialog").get_by_role("button", name=re.compile("instead")).click()
    week.until_there("twin", named("Older"), "the older twin is synced instead")

    page.goto(f"/clients/{week.book.client}/contacts")
    page.get_by_role("row", name=re.compile("Newer Twin")).hover()
    page.get_by_role("link", name="Edit Newer Twin").click()
    page.get_by_role("button", name="Sync this contact instead").click()
    page.wait_for_url("**/marketing")  # nothing else may be opened while this is under way
    week.until_there("twin", named("Newer"), "the newer twin is synced again")


def stop(week: Week) -> None:
    page = week.page
    page.goto("/sync/")
    page.get_by_role("button", name="Stop Sync").click()
    page.get_by_role("dialog").get_by_role("button", name="Stop Sync").click()
    expect(page.get_by_text("Stopped", exact=True)).to_be_visible(timeout=LONG)
    for name in ("steady", "busy", "archie", "former", "twin"):
        fields = week.member(name)["merge_fields"]
        assert (fields["CSKU_SYNC"], fields["CSKU_URL"]) == ("Inactive", "")
        assert week.member(name)["status"] == "subscribed"


def undo(week: Week) -> None:
    """Of the first start: whom it added is archived, who was there before has no field of ours any more."""
    page = week.page
    page.get_by_role("link", name="History").click()
    page.get_by_role("row", name=re.compile("Start sync")).get_by_role("link").first.click()
    page.get_by_role("button", name="Undo this run").click()
    expect(page.get_by_role("heading", name=re.compile("waits for you"))).to_be_visible(timeout=LONG)
    page.get_by_role("link", name="See who, and old and new values").click()
    expect(page.get_by_role("navigation", name="Kinds")).to_contain_text("To archive")
    page.go_back()
    page.get_by_label(re.compile("^Archive the")).check()
    page.get_by_role("button", name="Undo it").click()
    expect(page.get_by_text("Stopped", exact=True)).to_be_visible(timeout=LONG)
    assert week.member("steady")["status"] == "archived"
    former = week.member("former")
    assert former["status"] == "subscribed"
    assert former["merge_fields"]["FNAME"] == "Formerly"
    assert not any(value for tag, value in former["merge_fields"].items() if tag.startswith("CSKU_"))
    # Who unsubscribed meanwhile is not archived.
    assert week.member("leaver")["status"] == "unsubscribed"


def restart_with_new_filters(week: Week) -> None:
    page = week.page
    page.get_by_role("link", name="Configure").click()
    page.get_by_role("group", name="Client Status").get_by_role("checkbox").first.check()
    who = page.get_by_role("complementary", name="Who is synced")
    expect(who.get_by_role("row", name=re.compile("Will be synced"))).to_contain_text("0")
    page.get_by_role("link", name="Clear all").click()
    expect(who.get_by_role("row", name=re.compile("Will be synced"))).to_contain_text("6")
    who.get_by_role("button", name="Start Sync").click()
    expect(page.get_by_text("On", exact=True)).to_be_visible(timeout=LONG)
    week.until_there(
        "former", lambda m: m["merge_fields"]["CSKU_SYNC"] == "Active", "a person started, so it is back"
    )
    assert week.member("steady")["status"] == "archived"  # only their own sign-up brings them back


def stop_here(week: Week) -> None:
    page = week.page
    page.get_by_role("button", name="Stop Sync").click()
    page.get_by_role("dialog").get_by_role("button", name="Stop Sync").click()
    expect(page.get_by_text("Stopped", exact=True)).to_be_visible(timeout=LONG)


def restart_with_narrower_filters(week: Week) -> None:
    """Who no longer fits stays in Mailchimp as they are, Inactive; nobody is archived for it."""
    page = week.page
    week.happen("twin", "sign_up")
    week.open_tab("Archived")
    week.press("Retry archived/deleted")
    week.until_there("twin", lambda m: m["merge_fields"]["CSKU_SYNC"] == "Active", "who came back is Active")
    stop_here(week)
    page.get_by_role("link", name="Configure").click()
    page.get_by_role("checkbox", name=re.compile(DEPARTMENT)).check()
    who = page.get_by_role("complementary", name="Who is synced")
    expect(who.get_by_role("row", name=re.compile("Will be synced"))).to_contain_text("1")
    who.get_by_role("button", name="Start Sync").click()
    expect(page.get_by_text("On", exact=True)).to_be_visible(timeout=LONG)
    week.until_there("former", lambda m: m["merge_fields"]["CSKU_SYNC"] == "Active", "who fits is Active")
    left = week.member("twin")
    assert (left["status"], left["merge_fields"]["CSKU_SYNC"]) == ("subscribed", "Inactive")
    week.expect_counts(synced=1, pending=0, failed=0, archived=0, unsubscribed=0)


def a_revoked_login_pauses_and_connects_again(week: Week) -> None:
    page = week.page
    week.stack.ask("POST", "/_sandbox/revoke", {"client_id": DEFAULT_CLIENT_ID})
    page.get_by_role("button", name="Refresh").click()
    paused = page.get_by_role("alert").filter(has_text="Mailchimp no longer accepts our login")
    expect(paused).to_be_visible(timeout=LONG)
    paused.get_by_role("link", name="Connect again").click()
    page.get_by_role("button", name="Connect again").click()
    page.get_by_role("button", name="Log in").click()
    page.get_by_role("button", name="Allow").click()
    expect(page.get_by_text("Connected, sync is on")).to_be_visible()
    week.happen("former", "edit", merges={"CSKU_POS": "Edited in Mailchimp"})
    page.get_by_role("link", name="View Sync").click()
    week.press("Refresh")
    week.until_there("former", lambda m: m["merge_fields"]["CSKU_POS"] == "Buyer", "it keeps step again")


def change_of_audience(week: Week) -> None:
    """Stopped in the one, started in the other: in the former everybody stays as they are, Inactive."""
    page = week.page
    other = str(week.stack.ask("POST", "/_sandbox/audiences", {"name": "Second audience"})["id"])
    stop_here(week)
    page.goto("/settings/mailchimp/")
    page.get_by_label("Select Audience").select_option(value=other)
    page.wait_for_load_state("networkidle")
    page.get_by_role("button", name="Configure").click()
    expect(page.get_by_text("Second audience", exact=True).first).to_be_visible()
    who = page.get_by_role("complementary", name="Who is synced")
    who.get_by_role("button", name="Start Sync").click()
    expect(page.get_by_text("On", exact=True)).to_be_visible(timeout=LONG)
    joined = week.stack.member(other, address("former"))
    assert joined is not None
    assert (joined["status"], joined["merge_fields"]["CSKU_SYNC"]) == ("subscribed", "Active")
    former = week.member("former")
    assert (former["status"], former["merge_fields"]["CSKU_SYNC"]) == ("subscribed", "Inactive")


def disconnect(week: Week) -> None:
    page = week.page
    page.goto("/settings/mailchimp/")
    expect(page.get_by_role("button", name="Disconnect Mailchimp")).to_have_attribute("aria-disabled", "true")
    page.get_by_role("link", name="Stop the sync first").click()
    page.get_by_role("button", name="Stop Sync").click()
    page.get_by_role("dialog").get_by_role("button", name="Stop Sync").click()
    expect(page.get_by_text("Stopped", exact=True)).to_be_visible(timeout=LONG)
    page.goto("/settings/mailchimp/")
    page.get_by_role("button", name="Disconnect Mailchimp").click()
    page.get_by_role("dialog").get_by_role("button", name="Disconnect Mailchimp").click()
    expect(page.get_by_role("button", name="Connect to Mailchimp")).to_be_visible()
    assert week.member("former")["status"] == "subscribed"
