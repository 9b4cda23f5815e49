"""Nothing of one company is ever seen or touched from another (A2), nor of other reps' clients (A1).

Every address that the project has is visited; an address that is new is
visited as well, or fails here for want of a sample argument. What is proved:

- with ids of somebody else, in the path or anywhere in what is sent, the
  answer holds no text of theirs and no row of theirs changes;
- ids of somebody else in the path lead to 403, 404 or 405;
- every page reads the same to the last letter before and after somebody else's
  data came into being, so that no number of theirs is counted anywhere;
- without signing in, everything but a short list leads to sign-in.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from zipfile import ZipFile

import pytest
from django.conf import settings
from django.db import connection, transaction
from django.http.response import HttpResponseBase
from django.test import Client as Browser
from django.utils import timezone
from tests.factories import CompanyFactory, SeatFactory
from tests.factories.filled import Lists, Part, Window, add_lists, add_part, add_window
from tests.web.walking import Address, addresses, rows, scrubbed

from lockstep.apps.accounts.models import Seat
from lockstep.apps.accounts.permissions import Role

BrowserOf = Callable[[Seat], Browser]


def ways(address: Address) -> list[tuple[str, bool]]:
    """(method, by htmx); pages of signing in are not made for htmx."""
    kinds = (False,) if address.template.startswith("accounts/") else (False, True)
    return [(method, htmx) for method in ("get", "post") for htmx in kinds]


#: Signed out: pages of signing in, and doors that check something else than a session.
OPEN = {
    "healthz",
    "metrics",
    "readyz",
    "account_login",
    "account_logout",
    "account_signup",
    "account_inactive",
    "account_email_verification_sent",
    "account_confirm_email",
    "account_confirm_login_code",
    "account_reset_password",
    "account_reset_password_done",
    "account_reset_password_from_key",
    "account_reset_password_from_key_done",
    "mfa_authenticate",
    "mailchimp-webhook",
    "invitation",
}

#: Tells how the installation is, and nothing of a book; 503 where no worker lives, as in these tests.
OF_THE_INSTALLATION = {"readyz", "readyz (htmx)"}

#: Lead elsewhere, where it is decided; they look at nothing.
FORWARDS = {"clients/%(client_id)s/", "contacts/%(contact_id)s/", "accounts/2fa/", "accounts/sessions/"}

#: Cookies that hold chance alone.
TOKENS = {settings.CSRF_COOKIE_NAME, settings.SESSION_COOKIE_NAME}

NOBODY = 2_000_000_000


@dataclass
class World:
    """Who looks (`seat`, with `mine`), and whose data must stay unseen and untouched."""

    seat: Seat
    mine: dict[str, Any]
    theirs: dict[str, Any]
    word: str
    their_rows: set[tuple[str, str]]
    fill: Callable[[], None]


def samples(part: Part, lists: Lists, window: Window, *, deleted: bool = False) -> dict[str, Any]:
    """One of everything that a path may name; add here what a new address asks for."""
    return {
        "client_id": (part.deleted_client if deleted else part.clients[0]).pk,
        "contact_id": (part.deleted_contact if deleted else part.contacts[2]).pk,
        "import_id": part.imports[1 if deleted else 0].pk,
        "bulk_id": part.bulk.pk,
        "entry_id": part.entry.pk,
        "view_id": part.view.pk,
        "account_id": window.on.account_id,
        "token_id": window.token.pk,
        "connection_id": (window.off if deleted else window.on).pk,
        "run_id": window.runs["waiting"].pk,
        "value_id": (lists.contact_tag if deleted else lists.status).pk,
        "campaign_id": window.campaign.pk,
        "tag_id": (lists.client_tag if deleted else lists.contact_tag).pk,
        "seat_id": part.seat.pk,
        "user_id": part.seat.user_id,
        "session_id": part.session.pk,
        "invitation_id": part.invitation.pk,
        # theirs opens theirs to whoever holds the link, so what is tried is one that opens nothing
        "token": "not-a-token",
        "kind": "contact-tags" if deleted else "statuses",
        "reason": "fits",
        "secret": "not-the-secret",
        # of allauth, about no row of ours
        "uidb36": "1",
        "key": "set-password",
        "pk": NOBODY,
    }


def naming(part: Part, lists: Lists, window: Window) -> dict[str, Any]:
    """Every id that is somebody's, under every name by which pages are told one."""
    return {
        "account": window.on.account_id,
        "audience": window.on.list_id,
        "client": part.clients[0].pk,
        "client_id": part.clients[0].pk,
        "client_tag": lists.client_tag.pk,
        "client_tags": lists.client_tag.pk,
        "company": part.seat.company_id,
        "connection": window.on.pk,
        "contact": [part.contacts[4].pk, part.contacts[2].pk],
        "contact_id": part.contacts[0].pk,
        "contact_tags": lists.contact_tag.pk,
        "department": lists.department.pk,
        "department_id": lists.department.pk,
        "departments": lists.department.pk,
        "import": part.imports[0].pk,
        "import_id": part.imports[0].pk,
        "industries": lists.industry.pk,
        "industry": lists.industry.pk,
        "industry_id": lists.industry.pk,
        "into": lists.client_tag.pk,
        "into_id": lists.client_tag.pk,
        "list_id": window.on.list_id,
        "approved": window.runs["preview"].fingerprint,
        "rep": part.seat.user_id,
        "rep_id": part.seat.user_id,
        "reps": part.seat.user_id,
        "run": window.runs["waiting"].pk,
        "campaign": window.campaign.pk,
        "link": 0,
        "reaction": "clicked",
        "seat": part.seat.pk,
        "status": lists.status.pk,
        "status_id": lists.status.pk,
        "statuses": lists.status.pk,
        "tag": lists.contact_tag.pk,
        "user": part.seat.user_id,
        "view": part.view.pk,
        "value": lists.status.pk,
        # so that forms and buttons get as far as they can
        "name": "Harmless",
        "first_name": "Harmless",
        "new_status": "subscribed",
        "which": "failed",
        "do": "import",
        "on_match": "overwrite",
        "column-0": "client_name",
        # bulk edits and merges: rows of theirs, chosen in lists of one's own
        "pick": [part.clients[0].pk, part.clients[1].pk, part.contacts[0].pk, part.contacts[1].pk],
        "keep": part.clients[0].pk,
        "to-active": "no",
        "to-rep_id": part.seat.user_id,
    }


def visit(
    browser: Browser, method: str, path: str, data: dict[str, Any] | None, *, htmx: bool
) -> tuple[HttpResponseBase, str]:
    """The answer and all its text: body, streamed or not, and headers."""
    browser.raise_request_exception = False
    headers = {"HX-Request": "true"} if htmx else {}
    response = getattr(browser, method)(path, data or {}, headers=headers)
    body = b"".join(response.streaming_content) if response.streaming else response.content
    if body.startswith(b"PK"):
        body = unpacked(body)
    told = [f"{name}: {value}" for name, value in response.headers.items() if name != "Expires"]
    # Messages travel signed with the time: what is said, without the signature.
    told += [
        cookie.value.rsplit(":", 2)[0] for name, cookie in response.cookies.items() if name not in TOKENS
    ]
    return response, "\n".join([body.decode("utf-8", "replace"), *told])


def unpacked(workbook: bytes) -> bytes:
    """What a workbook says, without when it was made: packed, nobody would see whose words are in it."""
    with ZipFile(io.BytesIO(workbook)) as parts:
        return b"\n".join(parts.read(name) for name in parts.namelist() if name != "docProps/core.xml")


@pytest.fixture
def undone() -> Iterator[Callable[[], Any]]:
    """Give me a block whose changes to the database are taken back."""

    class Undone:
        def __enter__(self) -> None:
            self.atomic = transaction.atomic()
            self.atomic.__enter__()

        def __exit__(self, *error: Any) -> None:
            transaction.set_rollback(True)
            self.atomic.__exit__(*error)

    return Undone


def other_company(seat: Seat | None = None) -> World:
    """An admin of one company, and another company full of data."""
    seat = seat or SeatFactory(company=CompanyFactory(name="Alpaca company"))
    lists, window = add_lists(seat, "alpaca"), add_window(seat, "alpaca")
    part = add_part(seat, "alpaca", lists, window)
    world = World(seat, samples(part, lists, window), {}, "zebulon", set(), lambda: None)

    def fill() -> None:
        before = rows()
        other = SeatFactory(company=CompanyFactory(name="zebulon company"))
        their_lists, their_window = add_lists(other, "zebulon"), add_window(other, "zebulon")
        their_part = add_part(other, "zebulon", their_lists, their_window)
        world.their_rows = rows() - before
        world.theirs = {
            "first": samples(their_part, their_lists, their_window),
            "second": samples(their_part, their_lists, their_window, deleted=True),
            "named": naming(their_part, their_lists, their_window),
            "company": other.company_id,
            "secret": their_window.secret,
        }

    world.fill = fill
    return world


def other_rep(role: Role) -> World:
    """A person limited to own clients, and another rep of the same company."""
    seat = SeatFactory(role=role, own_clients_only=True)
    lists, window = add_lists(seat, "alpaca"), add_window(seat, "alpaca")
    part = add_part(seat, "alpaca", lists, window)
    other = SeatFactory(company=seat.company, role=Role.SALES)
    world = World(seat, samples(part, lists, window), {}, "zebulon", set(), lambda: None)

    def fill() -> None:
        before = rows()
        their_part = add_part(other, "zebulon", lists, window)
        world.their_rows = rows() - before
        world.theirs = {
            "first": samples(their_part, lists, window),
            "second": samples(their_part, lists, window, deleted=True),
            "named": naming(their_part, lists, window),
        }

    world.fill = fill
    return world


LOOKING: dict[str, Callable[[], World]] = {
    "another company": other_company,
    "manager limited to own clients": lambda: other_rep(Role.MANAGER),
}


@pytest.fixture(params=LOOKING)
def world(request: pytest.FixtureRequest, db: None) -> World:
    return LOOKING[request.param]()


def of_somebody(address: Address, world: World) -> bool:
    """Whether the path names a row that is not the looker's."""
    mine, theirs = world.mine, world.theirs["first"]
    return any(mine.get(name) != theirs.get(name) for name in address.arguments)


def test_every_address_has_sample_arguments(db: None) -> None:
    known = other_company().mine
    missing = {
        f"{name} (of {address.label})"
        for address in addresses()
        for name in address.arguments
        if name not in known
    }
    assert not missing, "Give `samples` in this file one of each, so that the new pages are visited, too."


def test_what_is_somebody_elses_is_not_there(world: World, browser_of: BrowserOf) -> None:
    """Ids of theirs in the path: 403, 404 or 405, without a word of theirs, and not a row changed."""
    world.fill()
    browser, before, faults = browser_of(world.seat), rows(), []
    visited = 0
    for address in addresses():
        if not of_somebody(address, world) or address.template in FORWARDS:
            continue
        for which in ("first", "second"):
            path = address.fill(world.theirs[which])
            for method, htmx in ways(address):
                visited += 1
                response, text = visit(browser, method, path, world.theirs["named"], htmx=htmx)
                what = f"{method} {address.label} ({which}{', htmx' if htmx else ''})"
                if response.status_code not in (403, 404, 405):
                    faults.append(f"{what} answers {response.status_code} {text[-400:]}")
                if world.word in text:
                    faults.append(f"{what} tells of them: {around(text, world.word)}")
        if changed := rows() ^ before:
            faults.append(f"{address.label} changes {sorted(table for table, _ in changed)}")
            before = rows()
    assert visited > 100
    assert not faults


def test_ids_of_somebody_else_in_forms_and_queries_do_nothing(
    world: World, browser_of: BrowserOf, undone: Callable[[], Any]
) -> None:
    """Own ids in the path, theirs in everything that is sent."""
    world.fill()
    browser, before, faults = browser_of(world.seat), rows(), []
    for address in addresses():
        path = address.fill(world.mine)
        for method, htmx in ways(address):
            with undone():
                response, text = visit(browser, method, path, world.theirs["named"], htmx=htmx)
                after = rows()
            what = f"{method} {address.label}{' (htmx)' if htmx else ''}"
            if response.status_code >= 500 and address.name not in OF_THE_INSTALLATION:
                faults.append(f"{what} answers {response.status_code}")
            if world.word in text:
                faults.append(f"{what} tells of them: {around(text, world.word)}")
            if lost := world.their_rows - after:
                faults.append(f"{what} changes {sorted(table for table, _ in lost)}")
            if planted := [row for row in after - before if names_them(row, world)]:
                faults.append(f"{what} writes {planted}")
    assert not faults


def around(text: str, word: str) -> str:
    place = text.index(word)
    return text[max(0, place - 150) : place + 50]


def names_them(row: tuple[str, str], world: World) -> bool:
    """Whether a new row belongs to them or points at what is theirs."""
    values, named = json.loads(row[1]), world.theirs["named"]
    theirs = {
        "client_id": {named["client"]},
        "contact_id": {named["contact_id"], *named["contact"]},
        "parent_id": {named["import"]},
    }
    if "company" in world.theirs:
        theirs |= {
            "company_id": {world.theirs["company"]},
            "connection_id": {named["connection"]},
            "account_id": {named["account"]},
            "rep_id": {named["rep"]},
            "status_id": {named["status"]},
            "industry_id": {named["industry"]},
            "department_id": {named["department"]},
            "run_id": {named["run"]},
        }
    return any(values.get(column) in ids for column, ids in theirs.items())


def test_pages_read_the_same_whatever_somebody_else_has(
    world: World, browser_of: BrowserOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not one number counts what is theirs: the page is the same to the letter before they came."""
    moment = timezone.now()
    monkeypatch.setattr(timezone, "now", lambda: moment)
    browser = browser_of(world.seat)

    def read() -> dict[str, str]:
        found = {}
        for address in addresses():
            for method, htmx in ways(address):
                if method == "post":
                    continue
                response, text = visit(browser, "get", address.fill(world.mine), None, htmx=htmx)
                found[f"{address.label}{' (htmx)' if htmx else ''}"] = (
                    f"{response.status_code} {scrubbed(text)}"
                )
        return found

    before = read()
    world.fill()
    after = read()
    faults = [f"{name}: {apart(text, after[name])}" for name, text in before.items() if text != after[name]]
    assert not faults
    broken = {name for name, text in before.items() if text.startswith("5")}
    assert not broken - OF_THE_INSTALLATION
    assert sum(text.startswith("200") for text in before.values()) > 20


def apart(one: str, other: str) -> tuple[str, str]:
    """Where two texts begin to differ."""
    place = next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), 0)
    begin = max(0, place - 60)
    return one[begin : place + 60], other[begin : place + 60]


def test_signed_out_everything_leads_to_sign_in(db: None) -> None:
    world = other_company()
    before, faults, named = rows(), [], set()
    for address in addresses():
        named.add(address.name)
        path = address.fill(world.mine)
        for method, htmx in ways(address):
            response, text = visit(Browser(), method, path, None, htmx=htmx)
            what = f"{method} {address.label}{' (htmx)' if htmx else ''}"
            if "alpaca" in text:
                faults.append(f"{what} tells something: {around(text, 'alpaca')}")
            if address.name in OPEN or address.template in FORWARDS:
                continue
            to = response.headers.get("Location", "") + response.headers.get("HX-Redirect", "")
            if not to.startswith("/accounts/login") and response.status_code not in (401, 403, 404, 405):
                faults.append(f"{what} answers {response.status_code} {to}")
        assert rows() == before, address
    assert not faults
    assert named >= OPEN, "an open page that is gone leaves the list"


def test_webhook_door_of_one_company_knows_no_secret_of_another(db: None) -> None:
    world = other_company()
    world.fill()
    browser = Browser()
    mine, theirs = world.mine["connection_id"], world.theirs["first"]["connection_id"]
    statuses = [
        browser.post(f"/hooks/mailchimp/{pk}/{secret}", {"type": "unsubscribe"}).status_code
        for pk, secret in ((theirs, world.theirs["secret"]), (mine, world.theirs["secret"]), (NOBODY, "x"))
    ]
    assert statuses == [200, 404, 404]


def test_a_person_of_two_companies_sees_one_at_a_time(db: None, browser_of: BrowserOf) -> None:
    """The company is chosen, not guessed from an id: even one's own other company is 404 until then."""
    world = other_company()
    world.fill()
    second = SeatFactory(company_id=world.theirs["company"], user=world.seat.user, role=Role.READ_ONLY)
    browser = browser_of(world.seat)
    theirs = f"/clients/{world.theirs['first']['client_id']}"
    assert browser.get(theirs).status_code == 404
    browser.post("/settings/choose-company", {"company": second.company_id})
    assert browser.get(theirs).status_code == 200
    assert browser.get(f"/clients/{world.mine['client_id']}").status_code == 404
    assert browser.post(f"{theirs}/delete").status_code == 403, "the role of that seat holds there"


def test_a_company_that_one_has_no_seat_in_cannot_be_chosen(db: None, browser_of: BrowserOf) -> None:
    world = other_company()
    world.fill()
    browser = browser_of(world.seat)
    browser.post("/settings/choose-company", {"company": world.theirs["company"]})
    assert browser.get(f"/clients/{world.theirs['first']['client_id']}").status_code == 404
    assert browser.get(f"/clients/{world.mine['client_id']}").status_code == 200


def test_row_digests_see_a_change(db: None) -> None:
    """The walk would notice: a row that is changed is another row."""
    world = other_company()
    before = rows()
    with connection.cursor() as cursor:
        cursor.execute("UPDATE book_client SET notes = notes || '.' WHERE id = %s", [world.mine["client_id"]])
    assert "book_client" in {table for table, _ in rows() - before}
