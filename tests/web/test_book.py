"""The book's pages: what is shown, to whom, page and fragment, and at what cost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.test import AsyncRequestFactory
from django.test import Client as Browser
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries
from tests.factories import ClientFactory, ContactFactory, ListValueFactory, SeatFactory, TagFactory

from lockstep.apps.accounts.models import Seat
from lockstep.apps.accounts.permissions import Role
from lockstep.apps.book.models import Client, Contact, ListValue
from lockstep.apps.sync.desired import client_url, contact_url
from lockstep.web.book import sample
from lockstep.web.book.list_columns import CLIENT_COLUMNS, CONTACT_COLUMNS
from lockstep.web.streams import csv_file

pytestmark = pytest.mark.django_db

BrowserOf = Callable[[Seat], Browser]
HTMX = {"HX-Request": "true"}


@pytest.fixture
def seat() -> Seat:
    return SeatFactory()


@pytest.fixture
def browser(seat: Seat, browser_of: BrowserOf) -> Browser:
    return browser_of(seat)


def _pages(contact: Contact) -> list[tuple[str, str]]:
    """Every address that names a client or a contact, with the method that it takes."""
    of_client = [
        ("GET", reverse(f"book:{name}", args=[contact.client_id]))
        for name in ("client", "client_contacts", "client_activity", "edit_client", "new_contact")
    ]
    of_contact = [
        ("GET", reverse(f"book:{name}", args=[contact.pk]))
        for name in ("contact", "contact_marketing", "contact_history", "edit_contact")
    ]
    fragments = [
        ("HTMX", reverse("book:nested_contacts", args=[contact.client_id])),
        ("HTMX", reverse("book:contact_row", args=[contact.pk])),
    ]
    writes = [
        ("POST", reverse(f"book:{name}", args=[contact.client_id]))
        for name in ("edit_client", "new_contact", "delete_client", "restore_client")
    ] + [
        ("POST", reverse(f"book:{name}", args=[contact.pk]))
        for name in (
            "edit_contact",
            "no_marketing",
            "delete_contact",
            "restore_contact",
            "sync_instead",
            "sync_newest",
            "sync_now",
        )
    ]
    return of_client + of_contact + fragments + writes


def _ask(browser: Browser, method: str, address: str) -> Any:
    if method == "POST":
        return browser.post(address, {"name": "x", "first_name": "x"})
    return browser.get(address, headers=HTMX if method == "HTMX" else {})


def test_what_belongs_to_another_company_does_not_exist(browser: Browser, browser_of: BrowserOf) -> None:
    foreign = ContactFactory(last_name="Unmistakable")
    before = list(Client.objects.values()), list(Contact.objects.values())
    for method, address in _pages(foreign):
        answer = _ask(browser, method, address)
        assert answer.status_code == 404, address
        assert foreign.last_name not in answer.text, address
    assert (list(Client.objects.values()), list(Contact.objects.values())) == before
    theirs = browser_of(SeatFactory(company=foreign.company))
    assert foreign.last_name in theirs.get(reverse("book:contact", args=[foreign.pk])).text


def test_of_another_reps_client_nothing_is_seen(browser_of: BrowserOf) -> None:
    seat = SeatFactory(role=Role.SALES, own_clients_only=True)
    own = ClientFactory(company=seat.company, rep=seat.user, name="Mine and only mine")
    other = ContactFactory(company=seat.company, client__name="Somebody else's")
    browser = browser_of(seat)
    page = browser.get("/clients").text
    assert own.name in page
    assert "Somebody else" not in page
    assert browser.get(reverse("book:contact", args=[other.pk])).status_code == 404


def test_read_only_reads_and_writes_nothing(browser_of: BrowserOf) -> None:
    seat = SeatFactory(role=Role.READ_ONLY)
    contact = ContactFactory(company=seat.company)
    browser = browser_of(seat)
    before = list(Client.objects.values()), list(Contact.objects.values())
    for method, address in _pages(contact):
        writing = method == "POST" or address.endswith(("/edit", "/new"))
        assert _ask(browser, method, address).status_code == (403 if writing else 200), address
    assert (list(Client.objects.values()), list(Contact.objects.values())) == before
    for address in ("/clients", reverse("book:client_contacts", args=[contact.client_id])):
        page = browser.get(address).text
        assert "New client" not in page
        assert "New contact" not in page
        assert 'aria-label="Edit' not in page


def test_the_addresses_that_mailchimp_holds_lead_here(browser: Browser, seat: Seat) -> None:
    contact = ContactFactory(company=seat.company)
    for address in (contact_url(contact.pk), client_url(contact.client_id)):
        assert address.startswith("http://127.0.0.1:8000/")
        answer = browser.get(address.removeprefix("http://127.0.0.1:8000"), follow=True)
        assert answer.status_code == 200


class TestClientsList:
    def test_a_row_says_what_matters(self, browser: Browser, seat: Seat) -> None:
        status = ListValueFactory(company=seat.company, name="Key account", glyph="star")
        client = ClientFactory(company=seat.company, name="Fern & Co", status=status, rep=seat.user)
        ContactFactory(client=client, first_name="Dana", last_name="Whitfield")
        ContactFactory(client=client, no_marketing=True)
        page = browser.get("/clients").text
        assert "Fern &amp; Co" in page
        assert "stage star" in page
        assert "Dana Whitfield" in page
        assert 'aria-label="1 flagged No Marketing"' in page
        assert "1–1 of 1" in page

    def test_search_and_filters_narrow(self, browser: Browser, seat: Seat) -> None:
        lead = ListValueFactory(company=seat.company, name="Lead")
        ClientFactory(company=seat.company, name="Low Lantern Brewing", status=lead)
        ClientFactory(company=seat.company, name="Kestrel Outdoor")
        found = browser.get("/clients", {"q": "lant", "status": [lead.pk]}).text
        assert "Low Lantern Brewing" in found
        assert "Kestrel" not in found
        assert 'value="lant"' in found
        assert '<span class="k">Status</span>' in found

    def test_nothing_found_says_what_would_be_without_the_filters(self, browser: Browser, seat: Seat) -> None:
        lead = ListValueFactory(company=seat.company, name="Lead")
        ClientFactory(company=seat.company, name="Low Lantern Brewing")
        page = browser.get("/clients", {"q": "lantern", "status": [lead.pk]}).text
        assert "No client matches “lantern” with these filters" in page
        assert "Without the filters, 1 client matches: Low Lantern Brewing" in page

    def test_htmx_gets_the_rows_and_the_chips(self, browser: Browser, seat: Seat) -> None:
        ClientFactory(company=seat.company, name="Kestrel")
        answer = browser.get("/clients", {"q": "kest"}, headers=HTMX)
        assert answer.text.lstrip().startswith('<div class="tw roomy" id="rows">')
        assert '<span id="chip-status" hx-swap-oob="innerHTML">' in answer.text
        assert '<nav id="views" hx-swap-oob="innerHTML">' in answer.text
        assert "<html" not in answer.text
        assert "HX-Request" in answer["Vary"]

    def test_a_restored_page_is_whole(self, browser: Browser, seat: Seat) -> None:
        ClientFactory(company=seat.company)
        answer = browser.get("/clients", headers={**HTMX, "HX-History-Restore-Request": "true"})
        assert "<html" in answer.text

    def test_pages_follow_one_another(self, browser: Browser, seat: Seat) -> None:
        ClientFactory.create_batch(60, company=seat.company)
        first = browser.get("/clients?sort=name")
        assert "1–50 of 60" in first.text
        onward = first.context["page"].next
        second = browser.get("/clients", {"sort": "name", "page": onward})
        assert "51–60 of 60" in second.text
        assert 'rel="next"' not in second.text
        names = [row.name for answer in (first, second) for row in answer.context["page"].rows]
        assert len(set(names)) == 60

    @pytest.mark.parametrize("junk", ["x", "%00", "-1", "9" * 400, "MQ"])
    def test_what_is_no_filter_is_ignored(self, browser: Browser, seat: Seat, junk: str) -> None:
        ClientFactory(company=seat.company, name="Kestrel")
        answer = browser.get(f"/clients?page={junk}&sort={junk}&rep={junk}&show={junk}")
        assert answer.status_code == 200

    @pytest.mark.parametrize("address", ["/clients", "/contacts"])
    def test_a_longer_list_costs_no_more(
        self,
        address: str,
        browser: Browser,
        seat: Seat,
        django_assert_num_queries: DjangoAssertNumQueries,
    ) -> None:
        def add() -> None:
            status = ListValueFactory(company=seat.company)
            tag = TagFactory(company=seat.company, kind="client")
            client = ClientFactory(company=seat.company, status=status, rep=seat.user, tag_ids=[tag.pk])
            ContactFactory(client=client, tag_ids=[TagFactory(company=seat.company).pk])

        add()
        browser.get(address)
        cost = 35 if address == "/clients" else 24
        with django_assert_num_queries(cost):
            browser.get(address)
        for _ in range(2):
            add()
        with django_assert_num_queries(cost):
            browser.get(address)

    def test_first_run(self, browser: Browser, browser_of: BrowserOf) -> None:
        page = browser.get("/clients").text
        assert "Your book is empty" in page
        assert "New client" in page
        reader = browser_of(SeatFactory(role=Role.READ_ONLY)).get("/clients").text
        assert "Your book is empty" in reader
        assert "New client" not in reader

    def test_the_rows_contacts(self, browser: Browser, seat: Seat) -> None:
        client = ClientFactory(company=seat.company)
        ContactFactory.create_batch(8, client=client)
        address = reverse("book:nested_contacts", args=[client.pk])
        fragment = browser.get(address, headers=HTMX).text
        assert fragment.count('href="/contacts/') == 6
        assert "All 8 contacts" in fragment
        assert browser.get(address)["Location"] == reverse("book:client_contacts", args=[client.pk])


class TestClientPages:
    def test_profile(self, browser: Browser, seat: Seat) -> None:
        client = ClientFactory(company=seat.company, website="javascript:alert(1)", notes="<b>Bold</b>")
        ContactFactory(client=client, email="")
        page = browser.get(reverse("book:client", args=[client.pk])).text
        assert 'href="javascript' not in page
        assert "&lt;b&gt;Bold&lt;/b&gt;" in page
        assert "No e-mail" in page
        assert 'aria-current="page">Profile' in page

    def test_contacts_tab_and_its_rows(self, browser: Browser, seat: Seat) -> None:
        contact = ContactFactory(company=seat.company, last_name="Marten", no_marketing=True)
        other = ContactFactory(company=seat.company, last_name="Weasel")
        address = reverse("book:client_contacts", args=[contact.client_id])
        page = browser.get(address).text
        assert contact.last_name in page
        assert other.last_name not in page
        assert "No Marketing" in page
        rows = browser.get(address, {"marketing": "may"}, headers=HTMX).text
        assert contact.last_name not in rows
        assert "No contact of this client fits" in rows

    def test_new_client(self, browser: Browser, seat: Seat) -> None:
        status = ListValueFactory(company=seat.company, name="Lead")
        answer = browser.post(
            "/clients/new",
            {
                "name": "Fern & Co",
                "status_id": status.pk,
                "tags_more": "Holiday gifts, Drinkware",
                "city": "Boulder",
                "active": "on",
            },
            follow=True,
        )
        assert "Fern &amp; Co is in the book." in answer.text
        client = Client.objects.get(company=seat.company)
        assert (client.status, client.active, len(client.tag_ids)) == (status, True, 2)
        assert client.addresses.get().city == "Boulder"

    def test_a_name_that_is_taken(self, browser: Browser, seat: Seat) -> None:
        ClientFactory(company=seat.company, name="Fern & Co")
        answer = browser.post("/clients/new", {"name": "fern & co"}, headers=HTMX)
        assert answer.status_code == 422
        assert answer.text.lstrip().startswith('<form id="form"')
        assert 'id="id_name_error"' in answer.text
        assert Client.objects.count() == 1

    def test_edit_takes_tags_off_and_keeps_the_rest(self, browser: Browser, seat: Seat) -> None:
        tags = [TagFactory(company=seat.company, kind="client", name=name) for name in ("Keep", "Drop")]
        client = ClientFactory(company=seat.company, tag_ids=[tag.pk for tag in tags], external_id="x-1")
        address = reverse("book:edit_client", args=[client.pk])
        assert 'value="Drop" checked' in browser.get(address).text
        browser.post(address, {"name": client.name, "tags": ["Keep"], "active": "on"})
        client.refresh_from_db()
        assert client.tag_ids == [tags[0].pk]
        assert client.external_id == "x-1"

    def test_a_retired_value_that_is_held_stays_a_choice(self, browser: Browser, seat: Seat) -> None:
        old = ListValueFactory(company=seat.company, kind=ListValue.Kind.INDUSTRY, name="Fax", retired=True)
        client = ClientFactory(company=seat.company, industry=old)
        address = reverse("book:edit_client", args=[client.pk])
        assert f'<option value="{old.pk}" selected>Fax</option>' in browser.get(address).text
        browser.post(address, {"name": client.name, "industry_id": old.pk, "active": "on"})
        client.refresh_from_db()
        assert client.industry == old

    def test_delete_and_undo(self, browser: Browser, seat: Seat) -> None:
        contact = ContactFactory(company=seat.company)
        answer = browser.post(reverse("book:delete_client", args=[contact.client_id]), follow=True)
        undo = reverse("book:restore_client", args=[contact.client_id])
        assert f'action="{undo}"' in answer.text
        contact.refresh_from_db()
        assert contact.deleted_at is not None
        page = browser.get(reverse("book:client", args=[contact.client_id])).text
        assert "This client is deleted." in page
        browser.post(undo)
        contact.refresh_from_db()
        assert contact.deleted_at is None

    def test_activity_says_who_changed_what(self, browser: Browser, seat: Seat) -> None:
        browser.post("/clients/new", {"name": "Fern", "active": "on"})
        client = Client.objects.get()
        browser.post(reverse("book:edit_client", args=[client.pk]), {"name": "Fernhill", "active": "on"})
        page = browser.get(reverse("book:client_activity", args=[client.pk])).text
        assert f"Changed by {seat.user.full_name}" in page
        assert "Fern → Fernhill" in page


class TestContacts:
    def test_list_and_fragment(self, browser: Browser, seat: Seat) -> None:
        contact = ContactFactory(company=seat.company, email="not an address")
        page = browser.get("/contacts").text
        assert contact.last_name in page
        assert "Invalid e-mail" in page
        rows = browser.get("/contacts", {"q": contact.last_name}, headers=HTMX).text
        assert rows.lstrip().startswith('<div class="tw roomy" id="rows">')

    def test_details(self, browser: Browser, seat: Seat) -> None:
        contact = ContactFactory(
            company=seat.company, no_marketing=True, no_marketing_reason="Asked by phone", email="a@b.example"
        )
        page = browser.get(reverse("book:contact", args=[contact.pk])).text
        assert 'aria-label="No Marketing"' in page
        assert "Asked by phone" in page
        assert "Edit Contact" in page
        assert 'role="switch" name="no_marketing" aria-describedby="nmh" checked' in page

    def test_edit_in_the_row(self, browser: Browser, seat: Seat) -> None:
        contact = ContactFactory(company=seat.company, cell="+1 555 0100", city="Boulder")
        address = reverse("book:edit_contact", args=[contact.pk])
        form = browser.get(f"{address}?in=row", headers=HTMX).text
        assert form.lstrip().startswith(f'<tr id="contact-{contact.pk}" class="nest">')
        assert 'name="cell"' not in form
        answer = browser.post(
            f"{address}?in=row",
            {"first_name": "Wei-Ling", "last_name": "Tan", "no_marketing": "on", "active": "on"},
            headers=HTMX,
        )
        assert f'id="contact-{contact.pk}"' in answer.text
        assert "No Marketing" in answer.text
        assert 'hx-swap-oob="beforeend"' in answer.text
        assert "is saved." in answer.text
        contact.refresh_from_db()
        assert (contact.full_name, contact.no_marketing, contact.active) == ("Wei-Ling Tan", True, True)
        assert (contact.cell, contact.city) == ("+1 555 0100", "Boulder")

    def test_an_edit_that_is_wrong_comes_back(self, browser: Browser, seat: Seat) -> None:
        contact = ContactFactory(company=seat.company)
        address = reverse("book:edit_contact", args=[contact.pk])
        for place, begins in (("row", "<tr"), ("dialog", "<form")):
            answer = browser.post(f"{address}?in={place}", {"email": "a@@b", "active": "on"}, headers=HTMX)
            assert answer.status_code == 422
            assert answer.text.lstrip().startswith(begins)
            assert 'aria-invalid="true"' in answer.text
        plain = browser.post(address, {"email": "a@@b", "active": "on"})
        assert plain.status_code == 422
        assert "<html" in plain.text
        contact.refresh_from_db()
        assert contact.email != "a@@b"

    def test_edit_in_the_dialog_leads_back_to_the_page(self, browser: Browser, seat: Seat) -> None:
        contact = ContactFactory(company=seat.company)
        answer = browser.post(
            reverse("book:edit_contact", args=[contact.pk]) + "?in=dialog",
            {"first_name": "Ada", "no_marketing": "on", "no_marketing_reason": "Asked", "active": "on"},
            headers=HTMX,
        )
        assert answer["HX-Redirect"] == reverse("book:contact", args=[contact.pk])
        contact.refresh_from_db()
        assert (contact.first_name, contact.no_marketing_reason) == ("Ada", "Asked")

    def test_cancelled_edit_gives_the_row_and_the_focus_back(self, browser: Browser, seat: Seat) -> None:
        contact = ContactFactory(company=seat.company)
        row = browser.get(reverse("book:contact_row", args=[contact.pk]), headers=HTMX).text
        assert row.lstrip().startswith("<tr")
        assert "autofocus" in row

    def test_no_marketing_switch(self, browser: Browser, seat: Seat) -> None:
        contact = ContactFactory(company=seat.company)
        address = reverse("book:no_marketing", args=[contact.pk])
        answer = browser.post(address, {"no_marketing": "on"}, follow=True)
        assert "is kept out of Mailchimp." in answer.text
        contact.refresh_from_db()
        assert contact.no_marketing
        browser.post(address, {})
        contact.refresh_from_db()
        assert not contact.no_marketing

    def test_new_contact(self, browser: Browser, seat: Seat) -> None:
        client = ClientFactory(company=seat.company)
        address = reverse("book:new_contact", args=[client.pk])
        assert client.name in browser.get(address).text
        answer = browser.post(address, {"first_name": "Ada", "email": "ada@example.com", "active": "on"})
        assert answer["Location"] == reverse("book:client_contacts", args=[client.pk])
        assert Contact.objects.get().client == client
        empty = browser.post(address, {"active": "on"})
        assert empty.status_code == 422
        assert Contact.objects.count() == 1

    def test_delete_and_restore(self, browser: Browser, seat: Seat) -> None:
        contact = ContactFactory(company=seat.company)
        browser.post(reverse("book:delete_contact", args=[contact.pk]))
        page = browser.get(reverse("book:contact", args=[contact.pk])).text
        assert "This contact is deleted." in page
        assert "Edit Contact" not in page
        browser.post(reverse("book:restore_contact", args=[contact.pk]))
        contact.refresh_from_db()
        assert contact.deleted_at is None

    def test_history(self, browser: Browser, seat: Seat) -> None:
        contact = ContactFactory(company=seat.company)
        browser.post(reverse("book:no_marketing", args=[contact.pk]), {"no_marketing": "on"})
        page = browser.get(reverse("book:contact_history", args=[contact.pk])).text
        assert f"Changed by {seat.user.full_name}" in page


class TestSampleAndExport:
    def test_sample_comes_and_goes(self, browser: Browser, seat: Seat) -> None:
        assert reverse("book:load_sample") in browser.get("/clients").text
        answer = browser.post(reverse("book:load_sample"), follow=True)
        assert "The sample book is here." in answer.text
        assert Client.objects.filter(company=seat.company).count() == sample.CLIENTS
        own = ClientFactory(company=seat.company)
        assert "The book holds the sample." in browser.get("/import").text
        answer = browser.post(reverse("book:remove_sample"), follow=True)
        assert f"The sample is removed: {sample.CONTACTS} contacts." in answer.text
        assert list(Client.objects.filter(company=seat.company, deleted_at=None)) == [own]
        assert "The book holds the sample." not in browser.get("/import").text

    def test_sample_is_for_an_empty_book(self, browser: Browser, seat: Seat) -> None:
        ClientFactory(company=seat.company)
        answer = browser.post(reverse("book:load_sample"), follow=True)
        assert "has clients already" in answer.text
        assert Client.objects.count() == 1

    @pytest.mark.parametrize("name", ["load_sample", "remove_sample"])
    def test_sample_needs_who_manages(self, name: str, browser_of: BrowserOf) -> None:
        browser = browser_of(SeatFactory(role=Role.MANAGER))
        assert browser.post(reverse(f"book:{name}")).status_code == 403

    def test_export_holds_what_the_list_shows(self, browser: Browser, seat: Seat) -> None:
        ContactFactory(company=seat.company, first_name="=cmd", no_marketing=True)
        ContactFactory(company=seat.company, first_name="Other")
        ContactFactory(first_name="Foreign")
        file = browser.get(reverse("book:export_contacts"), {"marketing": "no_marketing"})
        text = b"".join(file.streaming_content).decode("utf-8-sig")
        assert file["Content-Disposition"] == 'attachment; filename="contacts.csv"'
        assert "'=cmd" in text
        assert "Other" not in text
        assert "Foreign" not in text

    def test_export_needs_the_permission(self, browser_of: BrowserOf) -> None:
        browser = browser_of(SeatFactory(role=Role.LIMITED))
        assert browser.get(reverse("book:export_contacts")).status_code == 403
        assert "Export CSV" not in browser.get("/contacts").text

    @pytest.mark.django_db(transaction=True)
    async def test_under_asgi_a_file_goes_out_by_and_by(self) -> None:
        taken = 0

        def lines() -> Iterator[str]:
            nonlocal taken
            for number in range(2_000):
                taken += 1
                yield f"{number}\n"

        request = AsyncRequestFactory().get("/contacts.csv")
        content = csv_file(request, lines(), "x.csv").__aiter__()
        first = await anext(content)
        assert first.startswith(b"0\n1\n")
        assert taken < 1_000
        rest = [chunk async for chunk in content]
        assert (first + b"".join(rest)).count(b"\n") == 2_000


class TestAddressesAndQuickAdd:
    def test_several_addresses_one_primary(self, browser: Browser, seat: Seat) -> None:
        client = ClientFactory(company=seat.company, name="Kestrel")
        edit = reverse("book:edit_client", args=[client.pk])
        data = {"name": "Kestrel", "line1": "1 First", "further": "2", "further0-line1": "2 Second"}
        browser.post(edit, {**data, "further0-name": "Warehouse", "further1-line1": ""})
        held = list(client.addresses.order_by("-is_primary", "id").values_list("name", "line1", "is_primary"))
        assert held == [("", "1 First", True), ("Warehouse", "2 Second", False)]
        page = browser.get(reverse("book:client", args=[client.pk])).text
        assert "Warehouse" in page
        assert "2 Second" in page
        form = browser.get(edit).text
        assert 'name="further" value="2"' in form
        assert 'value="2 Second"' in form
        browser.post(edit, {**data, "further0-first": "on"})
        assert client.addresses.get(is_primary=True).line1 == "2 Second"
        browser.post(edit, {"name": "Kestrel", "line1": "2 Second", "further": "1"})
        assert client.addresses.count() == 1

    def test_contacts_are_added_one_after_the_other(self, browser: Browser, seat: Seat) -> None:
        client = ClientFactory(company=seat.company)
        tab = reverse("book:client_contacts", args=[client.pk])
        address = reverse("book:quick_contact", args=[client.pk])
        assert address in browser.get(tab).text
        answer = browser.post(address, {"first_name": "Ann", "email": "ann@x.example"}, headers=HTMX)
        assert answer.headers["HX-Trigger"] == "contact-added"
        assert "autofocus" in answer.text
        assert 'value="Ann"' not in answer.text
        assert client.contacts.get().email == "ann@x.example"
        wrong = browser.post(address, {"first_name": "Bob", "email": "bob@@x"}, headers=HTMX)
        assert wrong.status_code == 422
        assert 'value="Bob"' in wrong.text
        assert browser.post(address, {"first_name": "Carl"}).url == tab
        assert client.contacts.count() == 2


class TestColumns:
    @pytest.mark.parametrize(
        ("address", "more", "head", "value"),
        [
            ("/clients", "account", "Account number", "K-77"),
            ("/clients", "tags", "Tags", "Golden"),
            ("/contacts", "cell", "Cell", "0170 5551"),
            ("/contacts", "department", "Department", "Procurement"),
        ],
    )
    def test_a_column_is_shown_and_remembered(
        self, address: str, more: str, head: str, value: str, browser: Browser, seat: Seat
    ) -> None:
        tag = TagFactory(company=seat.company, kind="client", name="Golden")
        client = ClientFactory(company=seat.company, account_number="K-77", tag_ids=[tag.pk])
        department = ListValueFactory(company=seat.company, kind="department", name="Procurement")
        ContactFactory(client=client, cell="0170 5551", department=department)

        def table(query: str = "") -> str:
            return browser.get(address + query).text.split("<table", 1)[1].split("</table", 1)[0]

        assert f">{head}</th>" not in table()
        shown = table(f"?cols={more}")
        assert f">{head}</th>" in shown
        assert value in shown
        again = table()
        assert f">{head}</th>" in again, "a person's choice stays for the session"
        assert value in again
        assert f"cols={more}" in browser.get(address).text, "and goes into a saved view"
        assert f">{head}</th>" not in table("?cols="), "an empty choice is the usual one"
        assert f">{head}</th>" not in table()

    def test_each_column_can_be_shown_and_what_is_none_is_left_out(
        self, browser: Browser, seat: Seat
    ) -> None:
        ContactFactory(client=ClientFactory(company=seat.company))
        for address, columns in (("/clients", CLIENT_COLUMNS), ("/contacts", CONTACT_COLUMNS)):
            query = "&".join(f"cols={key}" for key in [*columns, "nonsense"])
            text = browser.get(f"{address}?{query}").text
            row = text.split("<tbody", 1)[1].split("</tr>", 1)[0]
            head = text.split("<thead", 1)[1].split("</thead", 1)[0]
            assert row.count("<td") == head.count("<th "), "as many cells as heads"
            assert all(f">{label}<" in head for label in columns.values())
