"""axe on every main page: light, dark, and on a telephone. Nothing serious may be found."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client as Browser
from django.utils import timezone
from playwright.sync_api import Page, sync_playwright
from pytest_django.live_server_helper import LiveServer

from lockstep.apps.accounts.models import Seat, SignIn
from lockstep.apps.accounts.services import note_sign_in
from lockstep.apps.book.models import Contact, Import
from lockstep.apps.book.queries import ContactFilter
from lockstep.apps.book.queries.selection import Selection
from lockstep.apps.book.services import BulkEdit, add_starting_values, advance_bulk, start_bulk_edit
from lockstep.apps.book.services.imports import run_import
from lockstep.apps.sync import services
from lockstep.sandbox.testing import SandboxServer, serve
from tests.apps.campaigns.world import CampaignWorld
from tests.factories import ClientFactory, ContactFactory, ListValueFactory, SeatFactory, TagFactory
from tests.scenarios.world import SyncWorld

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.postgres,
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.django_db(transaction=True),
]

AXE = (files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")
STILL = """() => { const sheet = new CSSStyleSheet()
    sheet.replaceSync("*, *::before, *::after { transition: none !important }")
    document.adoptedStyleSheets = [sheet] }"""
"""Colours fade from one look into the next: what axe would see meanwhile is neither."""

OPEN = """id => { const part = document.getElementById(id)
    part.popover ? part.showPopover() : part.showModal() }"""

SERIOUS = ("serious", "critical")

LOOKS: dict[str, dict[str, Any]] = {
    "light": {"scheme": "light", "size": (1280, 900)},
    "dark": {"scheme": "dark", "size": (1280, 900)},
    "telephone": {"scheme": "light", "size": (390, 844)},
}

LEADS = (
    "Company,First,Email,Notes\nFinch,Leila,leila@x.example.com,\nFinch,Rosa,rosa@@x.example,\n,Nobody,,\n"
)


@pytest.fixture
def practice_mailchimp() -> Iterator[SandboxServer]:
    with serve() as server:
        yield server


def session_of(seat: Seat) -> Browser:
    browser = Browser()
    browser.force_login(seat.user, backend="django.contrib.auth.backends.ModelBackend")
    return browser


def fill(world: SyncWorld) -> dict[str, Contact]:
    """A book whose contacts stand in every way that there is."""
    add_starting_values(world.company)
    client = ClientFactory(company=world.company, name="Kestrel Outdoor Co.")
    ClientFactory(company=world.company, name="Low Lantern Brewing", active=False)

    def person(name: str, **more: Any) -> Contact:
        return ContactFactory(
            client=client, first_name=name, email=f"{name.lower()}@kestrel.example.net", **more
        )

    contacts = {name: person(name, position="Buyer") for name in ("Synced", "Failed", "Gone", "Left")}
    contacts["Flagged"] = person("Flagged", no_marketing=True, no_marketing_reason="Asked by phone")
    contacts["Older"] = person("Older")
    ContactFactory(client=client, first_name="Newer", email="older@kestrel.example.net")
    ContactFactory(client=client, email="")
    for name, what in (("Failed", "delete"), ("Gone", "archive"), ("Left", "unsubscribe")):
        world.happen(contacts[name].email, "sign_up")
        world.happen(contacts[name].email, what)
    return contacts


def _bulk_change(seat: Seat) -> int:
    """A bulk change that is done, of a tag for everybody."""
    everybody = Selection(wanted=ContactFilter(), everything=True)
    edit = BulkEdit(subject="contact", add_tags=("Trade fair",))
    bulk = start_bulk_edit(seat.actor(), everybody, edit)
    return advance_bulk(bulk.pk, more=lambda: True).pk


@pytest.fixture
def at_work(transactional_db: None, practice_mailchimp: SandboxServer) -> tuple[str, list[str]]:
    """A session, and the pages of a company whose sync is on."""
    world = SyncWorld(practice_mailchimp)
    contacts = fill(world)
    seat = SeatFactory(company=world.company)
    services.start_preview(world.actor, world.connection)
    world.work()
    run = world.start()
    mailed = CampaignWorld(world)
    mailed.send("Holiday gifts", machine=0.5)
    mailed.hours(30)
    mailed.read()
    campaign = mailed.campaign(mailed.sent[0]).pk
    client = contacts["Synced"].client_id
    sync, settings_of = f"/sync/{world.connection.pk}", "/settings"
    pages = [
        *(
            "/clients",
            "/contacts",
            "/report",
            "/report/segment?active=yes",
            f"/clients/{client}",
            f"/clients/{client}/contacts",
        ),
        *(f"/clients/{client}/activity", f"/clients/{client}/edit", f"/clients/{client}/contacts/new"),
        *(f"/contacts/{contact.pk}/marketing" for contact in contacts.values()),
        f"/contacts/{contacts['Synced'].pk}",
        f"/contacts/{contacts['Synced'].pk}/edit",
        f"/contacts/{contacts['Synced'].pk}/history",
        *(f"{sync}?tab={tab}" for tab in ("synced", "pending", "failed", "archived", "unsubscribed")),
        *(f"{sync}?tab=failed&list=1", f"{sync}/history", f"{sync}/history/{run.pk}"),
        *("/clients/bulk?everything=1&to-active=no", f"/contacts/bulk?pick={contacts['Synced'].pk}"),
        f"/contacts/merge?pick={contacts['Synced'].pk}&pick={contacts['Older'].pk}",
        *("/clients/duplicates", "/contacts/duplicates", "/changes", f"/changes/{_bulk_change(seat)}"),
        *("/clients#cols", f"/clients/{client}#client-more", "/report#saved-views"),
        *(f"{settings_of}/profile", f"{settings_of}/mailchimp/"),
        *("/campaigns/?sent=all", "/campaigns/clients?sent=all", "/campaigns/quiet", "/campaigns/settings"),
        *(f"/campaigns/{campaign}", f"/campaigns/{campaign}/contacts?reaction=sent"),
    ]
    return session_of(seat).cookies[settings.SESSION_COOKIE_NAME].value, pages


@pytest.fixture
def before_the_start(transactional_db: None, practice_mailchimp: SandboxServer) -> tuple[str, list[str]]:
    """A session, and the pages of a company that is on its way to the first sync."""
    world = SyncWorld(practice_mailchimp)
    fill(world)
    seat = SeatFactory(company=world.company)
    services.start_preview(world.actor, world.connection)
    world.work()
    browser = session_of(seat)
    imports = []
    for act in ("check", "import"):
        browser.post("/import", {"file": SimpleUploadedFile("leads.csv", LEADS.encode())})
        parent = Import.objects.latest("id")
        run_import(parent.pk)
        if act == "import":
            Import.objects.filter(pk=parent.pk).update(dry_run=False, state=Import.State.QUEUED)
            run_import(parent.pk)
        imports.append(f"/import/{parent.pk}")
    imports.append(f"/import/{parent.pk}#undo-import")
    here = f"/settings/mailchimp/{world.connection.pk}"
    pages = [
        *("/import", *imports, "/styleguide"),
        *(f"{here}/configure", f"{here}/checks", f"{here}/dry-run", f"{here}/duplicates"),
        "/settings/mailchimp/",
    ]
    return browser.cookies[settings.SESSION_COOKIE_NAME].value, pages


@pytest.fixture
def under_way(transactional_db: None, practice_mailchimp: SandboxServer) -> tuple[str, list[str]]:
    """A session, and the window of a sync that has begun."""
    world = SyncWorld(practice_mailchimp)
    fill(world)
    seat = SeatFactory(company=world.company)
    services.start_sync(world.actor, world.connection)
    return session_of(seat).cookies[settings.SESSION_COOKIE_NAME].value, [f"/sync/{world.connection.pk}"]


@pytest.fixture
def undoing(transactional_db: None, practice_mailchimp: SandboxServer) -> tuple[str, list[str]]:
    """A session, and the pages of a stopped sync of which a run is about to be undone."""
    world = SyncWorld(practice_mailchimp)
    fill(world)
    seat = SeatFactory(company=world.company)
    run = world.start()
    world.stop()
    services.undo_run(world.actor, run)
    undo = world.work()
    sync = f"/sync/{world.connection.pk}"
    pages = [sync, f"{sync}/history/{undo.pk}", f"{sync}/history/{run.pk}?rows=refused"]
    return session_of(seat).cookies[settings.SESSION_COOKIE_NAME].value, pages


@pytest.fixture
def newcomer(transactional_db: None) -> tuple[str, list[str]]:
    """A session of a company with an empty book and no Mailchimp, and the pages that it begins with."""
    seat = SeatFactory()
    return session_of(seat).cookies[settings.SESSION_COOKIE_NAME].value, [
        "/",
        "/settings/mailchimp/",
        "/import",
    ]


@pytest.fixture
def in_settings(transactional_db: None) -> tuple[str, list[str]]:
    """A session of an admin, and the settings of a company with people, lists, tags and a history."""
    seat = SeatFactory()
    add_starting_values(seat.company)
    colleague = SeatFactory(company=seat.company, role="sales", own_clients_only=True)
    gone = SeatFactory(company=seat.company, role="sales", deactivated_at=timezone.now())
    tag = TagFactory(company=seat.company, name="VIP")
    status = ListValueFactory(company=seat.company, name="Retired", retired=True)
    browser = session_of(seat)
    browser.post("/settings/users/invite", {"email": "new@x.example", "role": "sales"})
    browser.post(f"/settings/lists/contact-tags/{tag.pk}/rename", {"name": "Very important"})
    note_sign_in(colleague.user, SignIn.Kind.WRONG_PASSWORD, at=timezone.now(), address="192.0.2.1")
    pages = [
        *("sign-in", "company", "roles", "users", "users/invite", "sign-ins", "audit"),
        *(f"users/{one.pk}" for one in (seat, colleague, gone)),
        *("lists/statuses", "lists/contact-tags", f"lists/statuses/{status.pk}/merge"),
    ]
    return browser.cookies[settings.SESSION_COOKIE_NAME].value, [f"/settings/{page}" for page in pages]


def findings(page: Page, address: str) -> list[str]:
    """What axe calls serious, in each look, and what is wider than a telephone.

    An address ends with “#” and the id of a dialog or menu that is open while axe looks.
    """
    found = []
    page.goto(address)
    page.wait_for_load_state("networkidle")
    opened = address.partition("#")[2]
    if opened:
        page.evaluate(OPEN, opened)
    page.evaluate(STILL)
    page.evaluate(AXE)
    for name, look in LOOKS.items():
        page.emulate_media(color_scheme=look["scheme"], reduced_motion="reduce")
        page.set_viewport_size({"width": look["size"][0], "height": look["size"][1]})
        spill = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        if spill > 0:
            found.append(f"{address} ({name}): {spill} pixels wider than the screen")
        result = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        for violation in result["violations"]:
            if violation["impact"] in SERIOUS:
                nodes = [f"{node['html'][:160]} {_why(node)}" for node in violation["nodes"][:3]]
                found.append(f"{address} ({name}): {violation['id']}\n    " + "\n    ".join(nodes))
    return found


def _why(node: dict[str, Any]) -> str:
    data = [check.get("data") for check in [*node["any"], *node["all"]] if check.get("data")]
    return json.dumps(data)[:200]


def check(live_server: LiveServer, chromium: Path, session: str, pages: list[str]) -> None:
    found: list[str] = []
    with sync_playwright() as playwright:
        chrome = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-gpu", "--no-first-run"]
        )
        context = chrome.new_context(base_url=live_server.url)
        if session:
            context.add_cookies(
                [{"name": settings.SESSION_COOKIE_NAME, "value": session, "url": live_server.url}]
            )
        page = context.new_page()
        page.set_default_timeout(30_000)
        for address in pages:
            found += findings(page, address)
        chrome.close()
    assert not found, "\n".join(["axe found:", *found])


def test_the_book_and_the_sync(
    live_server: LiveServer, chromium: Path, at_work: tuple[str, list[str]]
) -> None:
    check(live_server, chromium, *at_work)


def test_before_the_start(
    live_server: LiveServer, chromium: Path, before_the_start: tuple[str, list[str]]
) -> None:
    check(live_server, chromium, *before_the_start)


def test_while_it_syncs(live_server: LiveServer, chromium: Path, under_way: tuple[str, list[str]]) -> None:
    check(live_server, chromium, *under_way)


def test_an_undo(live_server: LiveServer, chromium: Path, undoing: tuple[str, list[str]]) -> None:
    check(live_server, chromium, *undoing)


def test_the_first_steps(live_server: LiveServer, chromium: Path, newcomer: tuple[str, list[str]]) -> None:
    check(live_server, chromium, *newcomer)


def test_the_settings(live_server: LiveServer, chromium: Path, in_settings: tuple[str, list[str]]) -> None:
    check(live_server, chromium, *in_settings)


def test_the_entrance(live_server: LiveServer, chromium: Path) -> None:
    check(live_server, chromium, "", ["/accounts/login/", "/accounts/password/reset/"])
