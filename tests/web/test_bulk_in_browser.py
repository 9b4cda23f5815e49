"""Choosing, editing and undoing in real Chromium, by keyboard alone."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect
from tests.web.test_in_browser import Book, book, page  # noqa: F401  -- fixtures

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]


def test_rows_are_chosen_edited_and_undone_by_keyboard(page: Page) -> None:  # noqa: F811
    page.goto("/contacts")
    expect(page.locator(".selbar")).to_be_hidden()
    page.keyboard.press("j")
    page.keyboard.press("x")
    page.keyboard.press("j")
    page.keyboard.press("x")
    expect(page.locator("[data-count]")).to_have_text("2")
    expect(page.locator("[data-choose-page]")).to_be_checked()
    page.get_by_role("button", name="Edit", exact=True).press("Enter")
    expect(page.get_by_role("heading", name="Change 2 contacts")).to_be_visible()
    page.locator("[name='to-add_tags_more']").focus()
    page.keyboard.type("VIP")
    deed = page.get_by_role("button", name="Change 2 contacts")
    expect(deed).to_be_enabled()
    deed.press("Enter")
    expect(page.locator(".toast")).to_contain_text("Tag “VIP” added: 2 contacts.")
    expect(page.locator("#rows .tag", has_text="VIP")).to_have_count(2)
    page.get_by_role("button", name="Undo").press("Enter")
    expect(page.locator(".toast")).to_contain_text("Undone: Tag “VIP” added")
    expect(page.locator("#rows .tag", has_text="VIP")).to_have_count(0)


def test_the_keys_are_listed_and_open_what_they_say(page: Page, book: Book) -> None:  # noqa: F811
    page.goto("/clients")
    page.keyboard.press("?")
    expect(page.locator("#keys")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#keys")).to_be_hidden()
    page.keyboard.press("n")
    expect(page).to_have_url(re.compile("/clients/new$"))
    page.goto(f"/contacts/{book.contact}")
    page.keyboard.press("e")
    expect(page.locator("#edit")).to_be_visible()


def test_contacts_are_added_one_after_the_other(page: Page, book: Book) -> None:  # noqa: F811
    page.goto(f"/clients/{book.client}/contacts")
    rows = page.locator("#rows tbody tr.row-link")
    expect(rows).to_have_count(2)
    page.locator("#quick_first_name").focus()
    page.keyboard.type("Noor")
    page.keyboard.press("Enter")
    expect(rows).to_have_count(3)
    expect(page.locator("#quick_first_name")).to_be_focused()
    page.keyboard.type("Otis")
    page.keyboard.press("Enter")
    expect(rows).to_have_count(4)
