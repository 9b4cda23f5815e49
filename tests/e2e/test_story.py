"""From an empty book to an audience in step, as a person does it: on pages, and seen at Mailchimp."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.e2e.conftest import EMAIL, PASSWORD
from tests.processes import Stack, until

pytestmark = [pytest.mark.e2e, pytest.mark.postgres, pytest.mark.slow, pytest.mark.timeout(420)]

ROWS = 5_000
NO_EMAIL, INVALID, NO_MARKETING, SHARED = 40, 20, 30, 10
"""Rows of the file that do not fit, by reason; the last share an address with a later contact."""
FITS = ROWS - NO_EMAIL - INVALID - NO_MARKETING - SHARED

UNSUBSCRIBED, ARCHIVED, REFUSED = 25, 5, 3
"""What the audience knows of people of the file beforehand; the last were deleted for good."""

LONG = 120_000
"""Milliseconds for work on thousands of contacts."""


def address(number: int) -> str:
    return f"person{number}@kestrel.example.net"


EDITED = 2_000
"""The row of a contact that fits and gets synced."""


def write_file(path: Path) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(
            ["Client Name", "Contact First Name", "Contact Last Name", "Contact Email", "Position",
             "Address State", "Address Country", "Contact Phone", "Client Tags", "Contact Tags",
             "No Marketing"]
        )  # fmt: skip
        for n in range(ROWS):
            email = address(n)
            if n < NO_EMAIL:
                email = ""
            elif n < NO_EMAIL + INVALID:
                email = f"person {n} at kestrel"
            elif n < NO_EMAIL + INVALID + SHARED:
                email = address(ROWS - 1 - n)
            no_marketing = "Yes" if ROWS // 2 <= n < ROWS // 2 + NO_MARKETING else ""
            writer.writerow(
                [f"Client {n % 500}", f"First{n}", f"Last{n}", email, "Buyer", "CA", "USA", f"+1 555 {n:04}",
                 "Gifts, Key account", "Newsletter", no_marketing]
            )  # fmt: skip


def prepare_audience(stack: Stack) -> str:
    """What people did at Mailchimp before anybody here pressed Start; returns the audience's id."""
    audience = str(stack.ask("GET", "/_sandbox/")["accounts"][0]["audiences"][0]["id"])
    numbers = iter(range(3_000, 4_000, 7))
    for many, what in ((UNSUBSCRIBED, "unsubscribe"), (ARCHIVED, "archive"), (REFUSED, "delete")):
        for _ in range(many):
            email = address(next(numbers))
            stack.ask("POST", "/_sandbox/happen", {"audience": audience, "email": email, "what": "sign_up"})
            stack.ask("POST", "/_sandbox/happen", {"audience": audience, "email": email, "what": what})
    return audience


def number_in(found: Locator) -> int:
    return int(re.sub(r"\D", "", found.inner_text()))


def test_the_whole_story(page: Page, stack: Stack) -> None:
    audience = prepare_audience(stack)
    sign_in(page)
    import_the_file(page, stack)
    connect(page)
    configure(page)
    preview(page)
    assert stack.requests(writes=True) == [], "nothing was written before the start"
    start_and_watch(page)
    outcomes(page)
    open_a_failed_contact(page)
    edit_a_synced_contact(page, stack, audience)


def sign_in(page: Page) -> None:
    page.goto("/")
    page.get_by_label("E-mail").fill(EMAIL)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Welcome, Alex. Your book is empty.")).to_be_visible()


def import_the_file(page: Page, stack: Stack) -> None:
    file = stack.folder / "contacts.csv"
    write_file(file)
    page.get_by_role("link", name="Import CSV or Excel").click()
    page.get_by_label("File", exact=True).set_input_files(file)
    page.get_by_role("button", name="Read the file").click()
    expect(page.get_by_role("heading", name="Match the columns")).to_be_visible()
    go = page.get_by_role("button", name="Import 5,000 contacts")
    expect(go).to_be_enabled(timeout=LONG)
    expect(page.get_by_text("11 of 11 matched")).to_be_visible()
    go.click()
    expect(page.get_by_role("heading", name="What happened")).to_be_visible(timeout=LONG)
    page.get_by_role("link", name="Open the contacts").click()
    sidebar = page.get_by_role("navigation", name="Main")
    expect(sidebar.get_by_role("link", name="Contacts")).to_contain_text("5,000")
    expect(sidebar.get_by_role("link", name="Clients")).to_contain_text("500")


def connect(page: Page) -> None:
    """Settings > Company settings > Integrations, and through Mailchimp's own pages."""
    page.get_by_role("button", name="Your account").click()
    page.get_by_role("link", name="Settings").click()
    page.get_by_role("link", name="Integrations").click()
    page.get_by_role("button", name="Connect to Mailchimp").click()
    expect(page).to_have_title(re.compile("Practice Mailchimp"))
    page.get_by_role("button", name="Log in").click()
    page.get_by_role("button", name="Allow").click()
    expect(page.get_by_text("Connected", exact=True)).to_be_visible()


def configure(page: Page) -> None:
    page.get_by_role("button", name="Configure").click()
    expect(page.get_by_role("heading", name="Configure the sync")).to_be_visible()
    who = page.get_by_role("complementary", name="Who is synced")
    expect(who).to_contain_text(f"{FITS:,}")
    for reason, many in (
        ("No e-mail", NO_EMAIL),
        ("Invalid", INVALID),
        ("No Marketing", NO_MARKETING),
        ("Duplicate", SHARED),
    ):
        expect(who.get_by_role("row", name=re.compile(reason, re.IGNORECASE))).to_contain_text(f"−{many}")
    # A tag that everybody's client has lets everybody through; one that nobody chose is no filter.
    page.get_by_role("group", name="Client tags").get_by_label("Gifts").check()
    expect(page.locator("#rule")).to_contain_text("Gifts")
    expect(who).to_contain_text(f"{FITS:,}")


def preview(page: Page) -> None:
    dry = page.get_by_role("region", name="Dry run")
    dry.get_by_role("button", name="Run it").click()
    tabs = dry.get_by_role("navigation", name="Dry run")
    expect(tabs).to_be_visible(timeout=LONG)
    expect(tabs.get_by_role("link", name=re.compile("add", re.IGNORECASE))).to_contain_text(
        f"{FITS - UNSUBSCRIBED - ARCHIVED:,}"
    )
    expect(dry.get_by_text("Nothing was sent.")).to_be_visible()


def start_and_watch(page: Page) -> None:
    who = page.get_by_role("complementary", name="Who is synced")
    # More than a thousand: the number has to be typed.
    who.get_by_role("button", name="Start Sync").click()
    expect(page.get_by_text(f"type {FITS:,} to go on")).to_be_visible()
    who.get_by_label(f"Type {FITS:,} to start").fill(str(FITS))
    who.get_by_role("button", name="Start Sync").click()
    expect(page.get_by_role("heading", name="Mailchimp sync")).to_be_visible()
    expect(page.get_by_role("navigation", name="Outcomes")).to_be_visible(timeout=LONG)


def outcomes(page: Page) -> None:
    """The five counts, and that they add up to those who fit."""
    tabs = page.get_by_role("navigation", name="Outcomes").get_by_role("link")
    expect(tabs).to_have_count(5)
    shown = {tab.inner_text().split()[0]: number_in(tab) for tab in tabs.all()}
    assert shown == {
        "Synced": FITS - UNSUBSCRIBED - ARCHIVED - REFUSED,
        "Pending": 0,
        "Failed": REFUSED,
        "Archived": ARCHIVED,
        "Unsubscribed": UNSUBSCRIBED,
    }
    assert sum(shown.values()) == FITS


def open_a_failed_contact(page: Page) -> None:
    page.get_by_role("navigation", name="Outcomes").get_by_role("link", name="Failed").click()
    group = page.get_by_role("group").filter(has_text="permanently deleted").first
    group.get_by_role("link", name=re.compile("First3")).first.click()
    page.get_by_role("navigation", name=re.compile("First3")).get_by_role("link", name="Marketing").click()
    expect(page.get_by_text("was permanently deleted and cannot be re-imported").first).to_be_visible()
    expect(page.get_by_role("heading", name="How to fix it")).to_be_visible()


def edit_a_synced_contact(page: Page, stack: Stack, audience: str) -> None:
    sidebar = page.get_by_role("navigation", name="Main")
    sidebar.get_by_role("link", name="Contacts").click()
    page.get_by_role("searchbox").fill(address(EDITED))
    page.get_by_role("link", name=f"First{EDITED} Last{EDITED}").click()
    page.get_by_role("button", name="Edit Contact").click()
    dialog = page.get_by_role("dialog", name=f"Edit First{EDITED} Last{EDITED}")
    dialog.get_by_label("Position").fill("Head of Gifts")
    before = stack.number_of_requests()
    dialog.get_by_role("button", name="Save Contact").click()

    def arrived() -> bool:
        member = stack.member(audience, address(EDITED))
        return member is not None and member["merge_fields"]["CSKU_POS"] == "Head of Gifts"

    # About a second; the timers that would find it as well come round every ten.
    until(arrived, within=8, what="the new value is in Mailchimp")
    assert len(stack.requests(after=before, writes=True)) == 1
    expect(page.get_by_text("is saved.")).to_be_visible()
    page.get_by_role("navigation", name=f"First{EDITED}").get_by_role("link", name="Marketing").click()
    field = page.get_by_role("row", name=re.compile("^CSKU Position"))
    expect(field.get_by_text("Head of Gifts")).to_have_count(2)
