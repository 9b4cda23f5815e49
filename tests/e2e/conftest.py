"""The real stack and a real browser: web, worker and practice Mailchimp are processes of their own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.test import override_settings
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

from lockstep.apps.accounts.services import create_first_company
from lockstep.sandbox.sandbox import DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET
from tests.processes import Stack, stack_on_test_database

EMAIL = "alex@promo.example.net"
PASSWORD = "correct horse battery"

REAL_HASHER = "django.contrib.auth.hashers.ScryptPasswordHasher"
"""The tests' own is fast, and unknown to the real settings of the processes."""

PATIENCE = 30_000
"""Milliseconds that a page may take for one step, on a machine that does other things as well."""


@pytest.fixture
def stack(transactional_db: None, tmp_path: Path) -> Iterator[Stack]:
    """Everything is running; there is a company with an admin, and an empty book."""
    with stack_on_test_database(tmp_path) as stack:
        stack.environment |= {
            "MAILCHIMP_CLIENT_ID": DEFAULT_CLIENT_ID,
            "MAILCHIMP_CLIENT_SECRET": DEFAULT_CLIENT_SECRET,
        }
        with override_settings(PASSWORD_HASHERS=[REAL_HASHER]):
            create_first_company(
                name="Promo Partners", email=EMAIL, password=PASSWORD, first_name="Alex", last_name="Admin"
            )
        stack.sandbox()
        stack.web()
        stack.worker()
        yield stack


@pytest.fixture
def browser(stack: Stack, chromium: Path) -> Iterator[Browser]:
    flags = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]
    flags += ["--disable-background-networking", "--disable-component-update"]
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=flags)
        yield started
        started.close()


@pytest.fixture
def page(browser: Browser, stack: Stack) -> Iterator[Page]:
    """A page that fails the test for whatever its console calls an error, violations of the policy too."""
    complaints: list[str] = []

    def heard(said: ConsoleMessage) -> None:
        # A form that is sent back with what is wrong answers 422, which Chromium calls an error.
        if said.type == "error" and "status of 422" not in said.text:
            complaints.append(f"{said.text} ({said.location['url']})")

    context = browser.new_context(base_url=stack.url)
    context.set_default_timeout(PATIENCE)
    expect.set_options(timeout=PATIENCE)
    context.on("console", heard)
    context.on("weberror", lambda error: complaints.append(str(error.error)))
    opened = context.new_page()
    yield opened
    opened.screenshot(path=stack.folder / "last.png")
    context.close()
    assert complaints == []
