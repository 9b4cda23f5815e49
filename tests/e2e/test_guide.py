"""The pictures of the user guide: pages in the states that the guide speaks of.

`./lockstep docs --pictures` keeps them in ``docs/guide/pictures``; otherwise they are taken and thrown away,
so the guide's way through the pages is walked with every run of the tests.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client as Browser
from playwright.sync_api import Page, expect, sync_playwright
from pytest_django.live_server_helper import LiveServer

from lockstep.apps.book.models import Contact, Import
from lockstep.apps.book.sample import load_sample
from lockstep.apps.book.services.imports import run_import
from lockstep.apps.connections.models import MailchimpAccount
from lockstep.apps.sync import services
from lockstep.apps.sync.models import MemberRecord
from lockstep.sandbox.testing import SandboxServer, serve
from tests.apps.campaigns.world import MUGS, SALE, CampaignWorld
from tests.factories import CompanyFactory, SeatFactory
from tests.scenarios.world import SyncWorld

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.postgres,
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.django_db(transaction=True),
]

KEPT = Path(__file__).parents[2] / "docs" / "guide" / "pictures"
KEEP = "LOCKSTEP_KEEP_PICTURES"

LEADS = (
    "Company,First name,Last name,E-mail,Job title,Tags\n"
    "Finch & Sons,Leila,Finch,leila@finch.internal,Owner,Gifts\n"
    "Finch & Sons,Rosa,Finch,rosa@@finch.internal,Buyer,\n"
    'Harbour Light Coffee,Tomás,Ávila,tomas@harbour.internal,Head of marketing,"Gifts, Coffee"\n'
)


class Camera:
    """Looks at pages as one person does, and keeps what it saw."""

    def __init__(self, page: Page, folder: Path) -> None:
        self.page = page
        self.folder = folder

    def open(self, address: str) -> Page:
        self.page.goto(address)
        self.page.wait_for_load_state("networkidle")
        return self.page

    def take(self, name: str, *, width: int = 1240, height: int = 800) -> None:
        self.page.set_viewport_size({"width": width, "height": height})
        self.page.mouse.move(0, 0)
        self.page.evaluate("document.fonts.ready")
        self.page.screenshot(path=self.folder / f"{name}.png", animations="disabled")


@pytest.fixture
def practice_mailchimp() -> Iterator[SandboxServer]:
    with serve() as server:
        yield server


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    if not os.environ.get(KEEP):
        return tmp_path
    KEPT.mkdir(exist_ok=True)
    return KEPT


def test_every_picture_of_the_guide(
    transactional_db: None,
    live_server: LiveServer,
    chromium: Path,
    practice_mailchimp: SandboxServer,
    folder: Path,
) -> None:
    company = CompanyFactory(name="Promo Partners")
    seat = SeatFactory(company=company, user__first_name="Alex", user__last_name="Rivera")
    browser = Browser()
    browser.force_login(seat.user, backend="django.contrib.auth.backends.ModelBackend")
    session = browser.cookies[settings.SESSION_COOKIE_NAME].value

    @contextmanager
    def camera() -> Iterator[Camera]:
        with sync_playwright() as playwright:
            chrome = playwright.chromium.launch(
                executable_path=chromium, args=["--no-sandbox", "--disable-gpu", "--no-first-run"]
            )
            context = chrome.new_context(
                base_url=live_server.url, color_scheme="light", reduced_motion="reduce"
            )
            context.add_cookies(
                [{"name": settings.SESSION_COOKIE_NAME, "value": session, "url": live_server.url}]
            )
            page = context.new_page()
            page.set_default_timeout(30_000)
            yield Camera(page, folder)
            chrome.close()

    browser.post("/import", {"file": SimpleUploadedFile("trade-show.csv", LEADS.encode())})
    mapping = Import.objects.get()
    run_import(mapping.pk)
    with camera() as see:
        see.open("/")
        see.take("first-run")
        see.open("/settings/mailchimp/")
        see.take("connect")
        see.open(f"/import/{mapping.pk}")
        see.take("import-mapping")

    mapping.delete()
    load_sample(company, clients=60, contacts=480)
    world = SyncWorld(practice_mailchimp, company=company)
    MailchimpAccount.objects.filter(pk=world.account.pk).update(account_name="Promo Partners")
    fits = list(
        Contact.objects.filter(company=company, active=True, no_marketing=False, email__contains="@")
        .exclude(email__contains=" ")
        .order_by("-id")[:60]
    )
    for number, contact in enumerate(fits):
        what = {0: "unsubscribe", 1: "archive", 2: "delete", 3: "unsubscribe", 4: "archive"}.get(number % 12)
        if what:
            world.happen(contact.email, "sign_up")
            world.happen(contact.email, what)
    services.start_preview(world.actor, world.connection)
    world.work()
    here = f"/settings/mailchimp/{world.connection.pk}"
    with camera() as see:
        see.open("/settings/mailchimp/")
        see.take("connected")
        page = see.open(f"{here}/configure")
        expect(page.get_by_role("heading", name="Configure the sync")).to_be_visible()
        see.take("configure", width=1440, height=900)
        see.open(f"{here}/duplicates")
        see.take("duplicates")

    services.start_sync(world.actor, world.connection)
    window = f"/sync/{world.connection.pk}"
    with camera() as see:
        see.open(window)
        see.take("window-started")
    run = world.work()
    synced = MemberRecord.objects.filter(connection=world.connection, state="synced").values("contact_id")
    reader = Contact.objects.filter(pk__in=synced).order_by("id").first()
    failed = MemberRecord.objects.filter(connection=world.connection, state="failed").first()
    assert reader is not None
    assert failed is not None
    mailed = CampaignWorld(world)
    mailed.send("Holiday gifts that get kept", machine=0.4)
    mailed.hours(50)
    newer = mailed.send("Three mugs, one afternoon", machine=0.2)
    mailed.hours(30)
    for what, url in (("open", ""), ("click", SALE), ("click", MUGS)):
        mailed.play(newer, reader.email, what, url)
    mailed.read()
    clicked = mailed.campaign(mailed.sent[0])
    with camera() as see:
        for tab in ("synced", "failed", "unsubscribed"):
            page = see.open(f"{window}?tab={tab}")
            expect(page.get_by_role("navigation", name="Outcomes")).to_be_visible()
            see.take(f"window-{tab}")
        page.get_by_role("button", name="Stop Sync").click()
        see.take("stop")
        see.open(f"{window}/history/{run.pk}")
        see.take("run")
        for name, address in (
            ("client-contacts", f"/clients/{reader.client_id}/contacts"),
            ("contact-marketing", f"/contacts/{reader.pk}/marketing"),
            ("contact-failed", f"/contacts/{failed.contact_id}/marketing"),
            ("mailing-list", "/report"),
            ("campaign", f"/campaigns/{clicked.pk}"),
        ):
            see.open(address)
            see.take(name)
    world.stop()
    with camera() as see:
        page = see.open("/settings/mailchimp/")
        page.get_by_role("button", name="Disconnect Mailchimp").click()
        see.take("disconnect")
