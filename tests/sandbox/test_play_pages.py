"""The pages beside those of members: signing in, campaigns, webhooks, the log, faults, clock and switches."""

from __future__ import annotations

import json
import re
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from lockstep.sandbox.courier import InlineCourier, Outcome
from lockstep.sandbox.testing import Answer, SandboxClient, SandboxServer

FORM = {"content-type": "application/x-www-form-urlencoded", "origin": "http://sandbox.test"}
EVIL = '<script>alert("x")</script>'


class Pages:
    """A browser without one: keeps the cookie."""

    def __init__(self, mailchimp: SandboxClient) -> None:
        self.mailchimp = mailchimp
        self.cookie = ""

    def _headers(self, more: dict[str, str]) -> dict[str, str]:
        return more | ({"cookie": self.cookie} if self.cookie else {})

    def get(self, path: str, /, **query: str) -> Answer:
        return self._keep(self.mailchimp.raw("GET", path, query=query, headers=self._headers({})))

    def post(self, path: str, /, **form: str) -> Answer:
        body = urlencode(form).encode()
        return self._keep(self.mailchimp.raw("POST", path, body, headers=self._headers(FORM)))

    def _keep(self, answer: Answer) -> Answer:
        if "set-cookie" in answer.headers:
            self.cookie = answer.headers["set-cookie"].partition(";")[0]
        return answer

    def log_in(self) -> None:
        account = next(iter(self.mailchimp.sandbox.accounts))
        assert self.post("/login", account=account).status == 303


@pytest.fixture
def pages(mailchimp: SandboxClient) -> Pages:
    mailchimp.sandbox.courier = InlineCourier(lambda post: Outcome(200))
    pages = Pages(mailchimp)
    pages.log_in()
    return pages


PARTS = ("/", "/campaigns", "/webhooks", "/log", "/faults", "/clock")


# --- signing in ---


def test_whoever_is_not_signed_in_is_asked(mailchimp: SandboxClient) -> None:
    pages = Pages(mailchimp)
    for path in ("/", "/campaigns", "/webhooks"):
        assert "Choose one of the practice accounts" in pages.get(path).text
    assert pages.post("/login", account="nobody").headers["location"] == "/login"
    pages.log_in()
    assert "Members" in pages.get("/").text
    pages.post("/logout")
    assert "Choose one of the practice accounts" in pages.get("/").text


def test_everybody_sees_their_own_account(mailchimp: SandboxClient) -> None:
    other = mailchimp.control("/accounts", {"name": "Other"})
    made = mailchimp.control("/audiences", {"name": "Strangers", "account": other["id"]})
    pages = Pages(mailchimp)
    pages.log_in()
    assert "Strangers" not in pages.get("/").text
    assert "Strangers" in pages.get(f"/audiences/{made['id']}").text  # a link signs in there
    assert "Members" not in pages.get("/").text


def test_every_part_is_marked_and_in_the_frame(pages: Pages) -> None:
    for path in PARTS:
        answer = pages.get(path)
        assert answer.status == 200, path
        assert "Practice Mailchimp &mdash; not the real one" in answer.text
        assert f'<a href="{path}" aria-current="page">' in answer.text


def test_nothing_comes_from_elsewhere_and_no_style_or_script_is_inline(pages: Pages) -> None:
    made = pages.mailchimp.control("/campaigns", {"audience": pages.mailchimp.audience.id, "subject": "S"})
    for path in (*PARTS, f"/campaigns/{made['id']}", "/login"):
        answer = pages.get(path)
        sources = re.findall(r'(?:src|href)="([^"]+)"', answer.text)
        assert all(source.startswith(("/", "#", "?")) for source in sources), sources
        assert "<style" not in answer.text
        assert not re.search(r'\s(style|on\w+)="', answer.text)
        assert "'unsafe-inline'" not in answer.headers["content-security-policy"]
    for name in ("practice.css", "practice.js"):
        assert pages.get(f"/assets/{name}").status == 200
    assert pages.get("/assets/__init__.py").status == 404


# --- audiences and members ---


def test_subscribers_can_be_made_up(pages: Pages) -> None:
    here = f"/audiences/{pages.mailchimp.audience.id}"
    assert pages.post(f"{here}/generate", count="1000").status == 303
    assert len(pages.mailchimp.audience) == 1005
    pages.post(f"{here}/generate", count="99999999")
    assert len(pages.mailchimp.audience) == 1005


def test_an_audience_can_be_added(pages: Pages) -> None:
    made = pages.post("/audiences", name=EVIL)
    page = pages.get(made.headers["location"])
    assert page.status == 200
    assert EVIL not in page.text
    assert EVIL not in pages.get("/").text


def test_tags_on_the_page_of_a_member(pages: Pages) -> None:
    page = f"/audiences/{pages.mailchimp.audience.id}/members/pat@club.example"
    pages.post(page, what="tag", tag=f"Volunteer {EVIL}")
    shown = pages.get(page).text
    assert "Volunteer &lt;script&gt;" in shown
    assert EVIL not in shown
    pages.post(page, what="untag", tag=f"volunteer {EVIL}")
    assert "Volunteer" not in pages.get(page).text


# --- campaigns ---


def test_a_campaign_from_draft_to_report(pages: Pages) -> None:
    audience = pages.mailchimp.audience.id
    pages.mailchimp.sandbox.clock.run(0)
    made = pages.post("/campaigns", target=audience, subject=EVIL, links="https://club.example/a\n\n")
    page = made.headers["location"]
    draft = pages.get(page).text
    assert "It would go to 5 contacts" in draft
    assert EVIL not in draft
    assert pages.post(page, what="send").status == 303
    pages.mailchimp.control("/clock", {"advance": 60})
    pages.post(page, what="click", email="pat@club.example", url="https://club.example/a")
    report = pages.get(f"{page}/report").text
    assert re.search(r"<dt>Clicked</dt><dd>1 <small>20.0 %", report)
    assert EVIL not in pages.get("/campaigns").text
    member = pages.get(f"/audiences/{audience}/members/pat@club.example").text
    assert "https://club.example/a" in member
    refused = pages.post(page, what="send")
    assert (refused.status, "cannot be sent" in refused.text) == (400, True)
    nobody = pages.post(page, what="open", email=f"{EVIL}@club.example")
    assert (nobody.status, EVIL in nobody.text) == (400, False)


def test_a_campaign_to_a_segment_and_a_draft_thrown_away(pages: Pages) -> None:
    audience = pages.mailchimp.audience.id
    path = f"/lists/{audience}/segments"
    tag = pages.mailchimp.post(path, {"name": "Some", "static_segment": ["pat@club.example"]}).json
    made = pages.post("/campaigns", target=f"{audience}/{tag['id']}", subject="To some")
    page = made.headers["location"]
    assert "It would go to 1 contact." in pages.get(page).text
    assert pages.post(page, what="delete").headers["location"] == "/campaigns"
    assert pages.get(page).status == 404


@pytest.mark.parametrize(
    "form",
    [{"subject": "S", "target": "none"}, {"subject": " ", "target": ""}, {"subject": "S", "target": "a/b"}],
    ids=range(3),
)
def test_a_wrong_campaign_is_explained(pages: Pages, form: dict[str, str]) -> None:
    answer = pages.post("/campaigns", **form)
    assert answer.status == 400
    assert 'class="error"' in answer.text


# --- webhooks ---


def test_webhooks_and_their_calls(pages: Pages) -> None:
    audience = pages.mailchimp.audience.id
    hook = {"url": "http://127.0.0.1:9/hook", "events": {"profile": True}, "sources": {"admin": True}}
    made = pages.mailchimp.post(f"/lists/{audience}/webhooks", hook).json
    edit = {"what": "edit", "merges": {"FNAME": EVIL}, "email": "pat@club.example", "audience": audience}
    pages.mailchimp.control("/happen", edit)
    shown = pages.get("/webhooks").text
    assert made["signing_secret"] in shown
    assert "data[merges][FNAME]" in shown
    assert EVIL not in shown
    pages.post("/webhooks", webhook=made["id"], what="disable")
    assert "switched off by hand" in pages.get("/webhooks").text
    pages.mailchimp.control("/happen", edit | {"merges": {"FNAME": "Again"}})
    assert "Again" not in pages.get("/webhooks/deliveries").text
    pages.post("/webhooks", webhook=made["id"], what="enable")
    pages.mailchimp.control("/happen", edit | {"merges": {"FNAME": "Once more"}})
    assert "Once more" in pages.get("/webhooks/deliveries").text


# --- log, faults, clock ---


def test_the_log_shows_bodies_and_only_what_is_new(pages: Pages) -> None:
    audience = pages.mailchimp.audience.id
    pages.mailchimp.get("/ping")
    pages.mailchimp.post(f"/lists/{audience}/members", {"email_address": EVIL, "status": "subscribed"})
    page = pages.get("/log").text
    assert "&lt;script&gt;" in page
    assert EVIL not in page
    newest = re.search(r'data-after="(\d+)"', page)
    assert newest is not None
    assert pages.get("/log/rows", after=newest[1]).text.strip() == ""
    pages.mailchimp.get(f"/lists/{audience}")
    rows = pages.get("/log/rows", after=newest[1]).text
    assert rows.count("<details") == 1
    assert f"/lists/{audience}" in rows
    assert pages.get("/log", path="/ping").text.count("<details") == 1
    assert pages.get("/log", writes="1").text.count("<details") == 1
    pages.post("/log")
    assert "<details" not in pages.get("/log").text


def test_faults_are_switches(pages: Pages) -> None:
    pages.post("/faults", what="switch", kind="internal_error")
    assert pages.mailchimp.get("/ping").status == 500
    assert 'aria-checked="true" aria-label="internal error"' in pages.get("/faults").text
    pages.post("/faults", what="switch", kind="internal_error")
    assert pages.mailchimp.get("/ping").status == 200


def test_faults_for_some_requests(pages: Pages) -> None:
    pages.post("/faults", what="add", kind="unavailable", path="/ping$", nth="2", probability="", times="")
    assert [pages.mailchimp.get("/ping").status for _ in range(3)] == [200, 503, 200]
    for wrong in ({"path": "("}, {"nth": "0"}, {"probability": "2"}, {"kind": "nonsense"}):
        answer = pages.post("/faults", **({"what": "add", "kind": "unavailable"} | wrong))
        assert (answer.status, 'class="error"' in answer.text) == (400, True), wrong
    number = next(iter(pages.mailchimp.sandbox.faults.rules))
    pages.post("/faults", what="remove", number=str(number))
    pages.post("/faults", what="clear")
    assert pages.mailchimp.sandbox.faults.rules == {}


def test_the_clock_can_be_moved(pages: Pages) -> None:
    clock = pages.mailchimp.sandbox.clock
    pages.post("/clock", what="rate", rate="0")
    before = clock.now()
    pages.post("/clock", what="advance", seconds="3600")
    assert clock.now() == pytest.approx(before + 3600)
    pages.post("/clock", what="set", moment="2024-05-06 07:08:09")
    assert "2024-05-06 07:08:09" in pages.get("/clock").text
    assert pages.post("/clock", what="set", moment="soon").status == 400


def test_switches_are_set_together(pages: Pages) -> None:
    switches = pages.mailchimp.sandbox.switches
    form = {name: str(getattr(switches, name)) for name in switches.names()}
    wanted: dict[str, Any] = form | {
        "batch_validator": "status_required",
        "connections": "3",
        "translate": "on",
    }
    for name in ("newer_default_fields", "refuse_fake_addresses", "webhook_omits_action"):
        wanted.pop(name)
    assert pages.post("/clock", what="switches", latency="5", **wanted).status == 303
    assert (switches.batch_validator, switches.connections, switches.translate) == (
        "status_required",
        3,
        True,
    )
    assert switches.newer_default_fields is False
    assert pages.mailchimp.sandbox.latency.milliseconds == 5
    refused = pages.post("/clock", what="switches", **(wanted | {"batch_validator": "nonsense"}))
    assert refused.status == 400


# --- in a browser ---


def call(server: SandboxServer, method: str, path: str, body: Any = None) -> Any:
    """Over HTTP: the browser's event loop runs in this thread, so the client without a socket cannot."""
    request = urllib.request.Request(
        f"{server.url}{path}",
        json.dumps(body).encode() if body is not None else None,
        {"Authorization": f"Bearer {server.api_key}"},
        method=method,
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.loads(answer.read())


@pytest.fixture
def page(chromium: Path, server: SandboxServer) -> Iterator[Page]:
    """A page of a phone's width, signed in; whatever the console complains of fails the test."""
    complaints: list[str] = []
    with sync_playwright() as playwright:
        flags = ["--no-sandbox", "--disable-gpu", "--no-first-run"]
        chrome = playwright.chromium.launch(executable_path=chromium, args=flags)
        page = chrome.new_context(viewport={"width": 390, "height": 844}, base_url=server.url).new_page()
        page.set_default_timeout(10_000)
        page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto("/")
        page.get_by_role("button", name="Example Club").click()
        page.get_by_role("heading", name="Audiences").wait_for()
        yield page
        chrome.close()
    assert complaints == []


@pytest.mark.e2e
def test_the_log_is_live(page: Page, server: SandboxServer) -> None:
    page.goto("/log")
    call(server, "GET", "/3.0/ping")
    row = page.locator("#log > details", has_text="/ping")
    row.locator("summary").click()
    expect(row).to_contain_text("health_status")
    call(server, "GET", "/3.0/lists")
    expect(page.locator("#log > details")).to_have_count(2)
    assert row.get_attribute("open") is not None  # what is open stays open


@pytest.mark.e2e
def test_a_phone_shows_every_part_without_sideways_scrolling(page: Page, server: SandboxServer) -> None:
    audience = call(server, "GET", "/3.0/lists")["lists"][0]["id"]
    sent = {"audience": audience, "subject": "Spring " * 20, "send": True}
    made = call(server, "POST", "/_sandbox/campaigns", sent)
    member = f"/audiences/{audience}/members/pat@club.example"
    for path in (*PARTS, f"/audiences/{audience}", member, f"/campaigns/{made['id']}", "/login"):
        page.goto(path)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, path


@pytest.mark.e2e
def test_a_campaign_is_sent_with_the_keyboard(page: Page, server: SandboxServer) -> None:
    page.goto("/campaigns")
    page.get_by_label("Subject").fill("By hand")
    page.get_by_label("Subject").press("Enter")
    page.get_by_role("button", name="Send now").press("Enter")
    expect(page.get_by_text("The campaign is on its way")).to_be_visible()
    assert call(server, "GET", "/_sandbox/campaigns")[-1]["status"] in ("sending", "sent")
