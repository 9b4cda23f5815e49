"""The pages in real Chromium: what htmx and the script do, and where the focus goes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client as Browser
from playwright.sync_api import Page, expect, sync_playwright
from pytest_django.live_server_helper import LiveServer
from tests.factories import ClientFactory, ContactFactory, SeatFactory

from lockstep.apps.book.services import add_starting_values

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]


@dataclass(frozen=True)
class Book:
    """Read before the browser starts: with it runs an event loop, in which Django answers no query."""

    session: str
    client: int
    contact: int


@pytest.fixture
def book(transactional_db: None) -> Book:
    seat = SeatFactory()
    add_starting_values(seat.company)
    kestrel = ClientFactory(company=seat.company, name="Kestrel Outdoor Co.")
    dana = ContactFactory(client=kestrel, first_name="Dana", last_name="Whitfield")
    ContactFactory(client=kestrel, first_name="Wei-Ling", last_name="Tan", email="tan@kestrel.example.com")
    ClientFactory(company=seat.company, name="Low Lantern Brewing", active=False)
    browser = Browser()
    browser.force_login(seat.user, backend="django.contrib.auth.backends.ModelBackend")
    return Book(browser.cookies[settings.SESSION_COOKIE_NAME].value, kestrel.pk, dana.pk)


@pytest.fixture
def page(book: Book, live_server: LiveServer, chromium: Path) -> Iterator[Page]:
    """A signed-in page; whatever the console complains of fails the test."""
    complaints: list[str] = []
    with sync_playwright() as playwright:
        chrome = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-gpu", "--no-first-run"]
        )
        context = chrome.new_context(base_url=live_server.url)
        context.add_cookies(
            [{"name": settings.SESSION_COOKIE_NAME, "value": book.session, "url": live_server.url}]
        )
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
        yield page
        chrome.close()
    # A refused form is an error to the console, not to us.
    assert [text for text in complaints if "422" not in text] == []


def test_search_as_you_type(page: Page) -> None:
    page.goto("/clients")
    rows = page.locator("#rows tbody tr.row-link")
    expect(rows).to_have_count(2)
    page.keyboard.press("/")
    page.keyboard.type("lant")
    expect(rows).to_have_count(1)
    expect(page.locator("input[type=search][name=q]")).to_be_focused()
    expect(page).to_have_url(re.compile("q=lant"))
    page.reload()
    expect(rows).to_have_count(1)


def test_a_filter_stays_open_while_the_list_changes(page: Page) -> None:
    page.goto("/clients")
    page.locator("#chip-show button").click()
    page.locator("#f-show label", has_text="Inactive").click()
    expect(page.locator("#rows tbody tr.row-link")).to_have_count(1)
    expect(page.locator("#chip-show .k")).to_have_text("Show")
    expect(page.locator("#f-show")).to_be_visible()
    expect(page.locator("#views [aria-current]")).to_have_count(0)
    page.locator("#f-show [data-done]").click()
    expect(page.locator("#f-show")).to_be_hidden()
    page.locator("#chip-show a.x").click()
    expect(page.locator("#rows tbody tr.row-link")).to_have_count(2)


def test_a_row_opens_its_contacts_and_asks_once(page: Page) -> None:
    page.goto("/clients")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "nested" in request.url else None)
    twist = page.locator(".twist").first
    for shown in (True, False, True):
        twist.click()
        expect(page.locator("tr.nest a", has_text="Dana Whitfield")).to_be_visible(visible=shown)
        expect(twist).to_have_attribute("aria-expanded", str(shown).lower())
    assert len(asked) == 1


def test_edit_in_the_row_keeps_the_hand_on_the_keyboard(page: Page, book: Book) -> None:
    page.goto(f"/clients/{book.client}/contacts")
    pencil = page.get_by_role("link", name="Edit Wei-Ling Tan")
    pencil.click()
    form = page.locator("form.rowform")
    expect(form.get_by_label("First name")).to_be_focused()
    page.keyboard.press("Escape")
    expect(form).to_have_count(0)
    expect(pencil).to_be_focused()

    page.keyboard.press("Enter")
    form.get_by_label("E-mail").fill("tan@@kestrel")
    form.get_by_role("button", name="Save").click()
    expect(form.locator(".err")).to_contain_text("can't be an e-mail address")
    form.get_by_label("E-mail").fill("tan@kestrel.example.com")
    form.get_by_label("No Marketing").check()
    form.get_by_role("button", name="Save").click()
    row = page.locator("tr", has_text="Wei-Ling Tan")
    expect(row).to_contain_text("No Marketing")
    expect(page.locator(".toast")).to_contain_text("Wei-Ling Tan is saved.")
    page.locator(".toast").get_by_role("button", name="Dismiss").click()
    expect(page.locator(".toast")).to_have_count(0)


def test_edit_contact_in_the_dialog(page: Page, book: Book) -> None:
    page.goto(f"/contacts/{book.contact}")
    page.get_by_role("button", name="Edit Contact").click()
    dialog = page.locator("dialog#edit")
    dialog.get_by_label("E-mail").fill("dana@@kestrel")
    dialog.get_by_role("button", name="Save Contact").click()
    expect(dialog.locator(".err")).to_be_visible()
    expect(dialog).to_be_visible()
    dialog.get_by_label("E-mail").fill("dana@kestrel.example.com")
    dialog.get_by_text("No Marketing", exact=False).first.click()
    dialog.get_by_label("Reason").fill("Asked by phone")
    dialog.get_by_role("button", name="Save Contact").click()
    expect(page.locator(".toast")).to_contain_text("is saved.")
    expect(page.locator("#sync-card")).to_contain_text("Asked by phone")
    expect(page.locator("h1 .mk")).to_have_attribute("aria-label", "No Marketing")


def test_the_switch_takes_no_marketing_off(page: Page, book: Book) -> None:
    page.goto(f"/contacts/{book.contact}")
    switch = page.get_by_role("switch")
    switch.check()
    expect(page.locator(".toast")).to_contain_text("is kept out of Mailchimp.")
    expect(switch).to_be_checked()
    switch.uncheck()
    expect(page.locator(".toast")).to_contain_text("is no longer No Marketing.")


def test_an_expired_session_leads_to_sign_in_and_back(page: Page) -> None:
    page.goto("/clients")
    page.context.clear_cookies()
    page.locator("[name=q]").fill("lant")
    expect(page).to_have_url(re.compile(r"/accounts/login/\?next=%2Fclients"))


def test_the_theme_is_kept(page: Page) -> None:
    page.goto("/clients")
    page.get_by_role("button", name="Your account").click()
    page.get_by_role("button", name="Dark").click()
    page.goto("/contacts")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")


@pytest.mark.parametrize("width", [320, 390, 768, 1024, 1440])
def test_nothing_is_wider_than_the_screen(page: Page, book: Book, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    for address in (
        "/clients",
        f"/clients/{book.client}",
        f"/clients/{book.client}/contacts",
        f"/contacts/{book.contact}",
        f"/contacts/{book.contact}/edit",
        "/contacts",
        "/import",
        "/styleguide",
        "/settings/profile",
    ):
        page.goto(address)
        spill = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert spill == 0, f"{address} at {width}"
