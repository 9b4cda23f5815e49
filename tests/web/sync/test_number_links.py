"""Each number of the sync pages leads to exactly its contacts (P4): every link is followed and counted."""

from __future__ import annotations

from collections.abc import Callable
from html.parser import HTMLParser

import pytest
from django.test import Client as Browser
from django.urls import reverse
from django.utils import timezone
from tests.factories import (
    ClientFactory,
    ConnectionFactory,
    ContactFactory,
    MailchimpAccountFactory,
    SeatFactory,
)

from lockstep.apps.accounts.models import Company, Seat
from lockstep.apps.connections.models import Connection
from lockstep.apps.sync.models import MemberRecord, SyncEvent, SyncRun
from lockstep.core.member import Reason, SyncState

BrowserOf = Callable[[Seat], Browser]

NUMBERS = {
    SyncState.SYNCED: 5,
    SyncState.PENDING: 2,
    SyncState.FAILED: 4,
    SyncState.ARCHIVED: 3,
    SyncState.UNSUBSCRIBED: 1,
}


class Links(HTMLParser):
    """(address, number) of every link whose words end, or whose figure is, a number."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, int]] = []
        self._href = ""
        self._words = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            self._href, self._words = dict(attrs).get("href") or "", ""

    def handle_data(self, data: str) -> None:
        self._words += f" {data}"

    def handle_endtag(self, tag: str) -> None:
        if tag == "a":
            last = (self._words.split() or [""])[-1].replace(",", "")
            if last.isdigit():
                self.found.append((self._href, int(last)))
            self._href = ""


def numbers_of(text: str, *, among: tuple[str, ...]) -> list[tuple[str, int]]:
    return [(href, n) for href, n in Links(text).found if any(part in href for part in among)]


@pytest.fixture
def admin(db: None) -> Seat:
    return SeatFactory()


def book(company: Company) -> None:
    """Contacts of every reason that a book without filters knows, each another number of them."""
    client = ClientFactory(company=company)
    for n in range(6):
        ContactFactory(client=client, email=f"fits{n}@kestrel.example.net")
    for _ in range(2):
        ContactFactory(client=client, email="")
    ContactFactory(client=client, email="no at all")
    for n in range(3):
        ContactFactory(client=client, email=f"off{n}@kestrel.example.net", active=False)
    for n in range(4):
        ContactFactory(client=client, email=f"nm{n}@kestrel.example.net", no_marketing=True)
    for _ in range(2):
        ContactFactory(client=client, email="twin@kestrel.example.net")


def link_of(admin: Seat, mode: Connection.Mode) -> Connection:
    account = MailchimpAccountFactory(company=admin.company)
    return ConnectionFactory(account=account, mode=mode, first_started_at=timezone.now())


def test_the_five_counts_lead_to_their_contacts_from_every_page(admin: Seat, browser_of: BrowserOf) -> None:
    link = link_of(admin, Connection.Mode.ON)
    for state, number in NUMBERS.items():
        for _ in range(number):
            contact = ContactFactory(company=link.company)
            MemberRecord.objects.create(
                company=link.company, connection=link, contact=contact, reason="fits", state=state.value
            )
    browser = browser_of(admin)
    window = reverse("sync:window", args=[link.pk])
    for page in (window, reverse("mailchimp:index")):
        links = numbers_of(browser.get(page).text, among=(f"{window}?tab=",))
        assert sorted(number for _, number in links) == sorted(NUMBERS.values()), page
        for href, number in links:
            reached = browser.get(f"{href}&list=1")
            assert reached.context["page"].total == number, href
            assert len(reached.context["page"].rows) == number, href


def test_each_reason_on_configure_leads_to_its_contacts_and_they_add_up(
    admin: Seat, browser_of: BrowserOf
) -> None:
    link = link_of(admin, Connection.Mode.OFF)
    book(admin.company)
    browser = browser_of(admin)
    page = browser.get(reverse("mailchimp:configure", args=[link.pk]))
    counts = page.context["counts"]
    assert counts.by_reason == {
        Reason.FITS: 7,
        Reason.INACTIVE: 3,
        Reason.NO_MARKETING: 4,
        Reason.NO_EMAIL: 2,
        Reason.INVALID_EMAIL: 1,
        Reason.DUPLICATE: 1,
    }
    assert sum(counts.by_reason.values()) == counts.book == 18
    for reason, number in counts.by_reason.items():
        address = reverse("mailchimp:left_out", args=[link.pk, reason.value])
        assert f'formaction="{address}"' in page.text
        reached = browser.post(address, {"new_status": "subscribed"})
        assert len(reached.context["page"].rows) == number, reason


def test_the_numbers_of_a_run_lead_to_what_it_did(admin: Seat, browser_of: BrowserOf) -> None:
    link = link_of(admin, Connection.Mode.ON)
    done = {"added": 3, "updated": 2, "renamed": 1, "released": 4, "refused": 5}
    run = SyncRun.objects.create(
        company=link.company, connection=link, kind=SyncRun.Kind.START, state=SyncRun.State.PARTIAL, **done
    )
    for kind, number in done.items():
        for _ in range(number):
            SyncEvent.objects.create(
                company=link.company,
                connection=link,
                run=run,
                contact_id=ContactFactory(company=link.company).pk,
                kind=kind,
            )
    browser = browser_of(admin)
    here = reverse("sync:run", args=[link.pk, run.pk])
    for page, least in ((reverse("sync:history", args=[link.pk]), 3), (here, 5)):
        links = numbers_of(browser.get(page).text, among=("?rows=",))
        assert len({href.split("#")[0].split("?")[1] for href, _ in links}) == least, page
        for href, number in links:
            reached = browser.get(href if href.startswith("/") else here + href.split("#")[0])
            assert reached.context["page"].total == number == reached.context["tab"].count, href
