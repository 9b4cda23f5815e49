"""Choosing rows of a list and editing, merging, undoing them, as a browser asks for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from tests.factories import ClientFactory, ContactFactory, ListValueFactory, SeatFactory, TagFactory

from lockstep.apps.accounts.models import Seat
from lockstep.apps.accounts.permissions import Role
from lockstep.apps.book.models import BulkChange, Client, Contact, HistoryEntry, ListValue
from lockstep.apps.book.services import advance_bulk, save_contact
from lockstep.web.book import bulk

pytestmark = pytest.mark.django_db

BrowserOf = Callable[[Seat], Browser]
HTMX = {"HX-Request": "true"}


@pytest.fixture
def seat() -> Seat:
    return SeatFactory(role=Role.MANAGER)


@pytest.fixture
def browser(seat: Seat, browser_of: BrowserOf) -> Browser:
    return browser_of(seat)


@pytest.fixture
def contacts(seat: Seat) -> list[Contact]:
    client = ClientFactory(company=seat.company, name="Kestrel")
    return [ContactFactory(client=client) for _ in range(4)]


def picked(rows: list[Any], **more: Any) -> dict[str, Any]:
    return {"pick": [row.pk for row in rows], **more}


def test_the_list_offers_boxes_to_who_may_edit(
    browser: Browser, browser_of: BrowserOf, contacts: Any
) -> None:
    for name in ("book:clients", "book:contacts"):
        assert 'name="pick"' in browser.get(reverse(name)).text
        reader = browser_of(SeatFactory(company=contacts[0].company, role=Role.READ_ONLY))
        assert 'name="pick"' not in reader.get(reverse(name)).text


def test_preview_while_choosing_and_then_the_deed(browser: Browser, contacts: list[Contact]) -> None:
    address = reverse("book:bulk_contacts")
    page = browser.get(address, picked(contacts[:3]))
    assert "Change 3 contacts" in page.text
    asked = picked(contacts[:3], **{"to-add_tags_more": "VIP", "to-no_marketing": "yes"})
    preview = browser.get(address, asked, headers=HTMX).text
    assert "of 3 contacts will change" in preview
    assert "<html" not in preview
    assert "Flagged No Marketing, tag “VIP” added" in preview
    assert not BulkChange.objects.exists()
    answer = browser.post(address, asked, follow=True)
    assert "Flagged No Marketing, tag “VIP” added: 3 contacts." in answer.text
    assert Contact.objects.filter(no_marketing=True).count() == 3
    change = BulkChange.objects.get()
    assert reverse("book:undo_bulk", args=[change.pk]) in answer.text
    browser.post(reverse("book:undo_bulk", args=[change.pk]))
    assert not Contact.objects.filter(no_marketing=True).exists()


def test_all_that_match_follow_the_filters_of_the_list(browser: Browser, contacts: list[Contact]) -> None:
    Contact.objects.filter(pk=contacts[0].pk).update(no_marketing=True)
    data = {"everything": "1", "marketing": "may", "to-active": "no"}
    browser.post(reverse("book:bulk_contacts"), data)
    assert set(Contact.objects.filter(active=False)) == set(contacts[1:])


def test_contacts_of_chosen_clients(browser: Browser, contacts: list[Contact]) -> None:
    other = ContactFactory(company=contacts[0].company)
    data = {"pick": contacts[0].client_id, "of_clients": "1", "to-no_marketing": "yes"}
    assert "4 contacts" in browser.get(reverse("book:bulk_contacts"), data).text
    browser.post(reverse("book:bulk_contacts"), data)
    assert set(Contact.objects.filter(no_marketing=True)) == set(contacts)
    assert not Contact.objects.get(pk=other.pk).no_marketing


def test_delete_and_restore(browser: Browser, contacts: list[Contact]) -> None:
    client = contacts[0].client
    assert "Delete 1 client" in browser.get(reverse("book:bulk_clients"), picked([client], do="delete")).text
    browser.post(reverse("book:bulk_clients"), picked([client], do="delete"))
    assert Client.objects.get(pk=client.pk).deleted_at
    assert "Restore" in browser.get(reverse("book:clients"), {"show": "deleted"}).text
    data = picked([client], do="restore", show="deleted")
    assert "Restore 1 client" in browser.get(reverse("book:bulk_clients"), data).text
    browser.post(reverse("book:bulk_clients"), data)
    assert Contact.objects.filter(deleted_at=None).count() == 4


def test_what_cannot_be_says_so_and_does_nothing(browser: Browser, contacts: list[Contact]) -> None:
    address = reverse("book:bulk_contacts")
    assert browser.post(address, picked(contacts)).status_code == 422
    asked = picked(contacts, **{"to-no_marketing_reason": "why"})
    answer = browser.post(address, asked)
    assert answer.status_code == 422
    assert "A reason belongs to No Marketing" in answer.text
    assert "No contact is chosen" in browser.get(address, {"to-active": "no"}).text
    assert not BulkChange.objects.exists()


def test_what_takes_longer_goes_on_in_a_worker(
    browser: Browser, contacts: list[Contact], monkeypatch: pytest.MonkeyPatch
) -> None:
    queued: list[int] = []
    monkeypatch.setattr(bulk, "AT_ONCE", -1)
    monkeypatch.setattr(bulk, "queue_bulk_change", queued.append)
    monkeypatch.setattr("lockstep.apps.book.services.bulk.SLICE", 2)
    answer = browser.post(reverse("book:bulk_contacts"), picked(contacts, **{"to-active": "no"}), follow=True)
    change = BulkChange.objects.get()
    assert queued == [change.pk]
    assert "2 of 4" in answer.text
    assert 'role="progressbar"' in answer.text
    page = reverse("book:change", args=[change.pk])
    assert 'hx-trigger="every 1s"' in browser.get(page, headers=HTMX).text
    advance_bulk(change.pk)
    done = browser.get(page, headers=HTMX).text
    assert "every 1s" not in done
    assert "Undo" in done


def test_what_was_left_alone_is_named(browser: Browser, seat: Seat, contacts: list[Contact]) -> None:
    browser.post(reverse("book:bulk_contacts"), picked(contacts, **{"to-active": "no"}))
    change = BulkChange.objects.get()
    save_contact(seat.actor(), contact_id=contacts[0].pk, active=True)
    save_contact(seat.actor(), contact_id=contacts[1].pk, phone="1")
    browser.post(reverse("book:undo_bulk", args=[change.pk]))
    undone = BulkChange.objects.get(kind="undo")
    assert (undone.changed, undone.skipped) == (4, 0)
    browser.post(reverse("book:bulk_clients"), {"pick": contacts[0].client_id, "to-active": "no"})
    again = BulkChange.objects.exclude(pk__in=[change.pk, undone.pk]).get()
    Client.objects.update(active=True)
    HistoryEntry.objects.filter(bulk=again).update(after={"active": "else"}, before={"active": "never"})
    answer = browser.post(reverse("book:undo_bulk", args=[again.pk]), follow=True)
    assert "Left alone" in answer.text
    assert "Kestrel" in answer.text


def test_a_change_is_undone_from_history(browser: Browser, seat: Seat, contacts: list[Contact]) -> None:
    contact = contacts[0]
    save_contact(seat.actor(), contact_id=contact.pk, phone="77")
    entry = HistoryEntry.objects.filter(subject_id=contact.pk, subject_kind="contact").latest("pk")
    page = reverse("book:contact_history", args=[contact.pk])
    address = reverse("book:undo_change", args=[entry.pk])
    assert address in browser.get(page).text
    answer = browser.post(address, {"back": page})
    assert answer.url == page
    assert Contact.objects.get(pk=contact.pk).phone == ""
    assert address not in browser.get(page).text
    for bad in ("//elsewhere.example", "https://elsewhere.example", "/clients//x", "/clients/\\x"):
        assert browser.post(address, {"back": bad}).url == reverse("book:clients")


def test_merge_side_by_side(browser: Browser, seat: Seat) -> None:
    one = ClientFactory(company=seat.company, name="Kestrel Inc", phone="1")
    two = ClientFactory(company=seat.company, name="Kestrel", website="kestrel.example")
    ContactFactory(client=two)
    assert "Kestrel" in browser.get(reverse("book:twin_clients")).text
    page = browser.get(reverse("book:merge_clients"), picked([one, two]))
    assert f'name="keep" value="{two.pk}"' in page.text.replace(" checked", "")
    data = picked([one, two], keep=one.pk, do="merge", **{"take-name": two.pk})
    answer = browser.post(reverse("book:merge_clients"), data, follow=True)
    one.refresh_from_db()
    assert (one.name, one.phone, one.website) == ("Kestrel", "1", "kestrel.example")
    assert "Undo" in answer.text
    gone = browser.get(reverse("book:client", args=[two.pk]))
    assert gone.url == reverse("book:client", args=[one.pk])
    change = BulkChange.objects.get()
    browser.post(reverse("book:undo_bulk", args=[change.pk]))
    assert Client.objects.get(pk=two.pk).name == "Kestrel"


def test_merge_contacts_side_by_side(browser: Browser, seat: Seat, contacts: list[Contact]) -> None:
    Contact.objects.filter(pk=contacts[1].pk).update(email=contacts[0].email, no_marketing=True)
    assert contacts[0].email in browser.get(reverse("book:twin_contacts")).text
    page = browser.get(reverse("book:merge_contacts"), picked(contacts[:2]))
    assert "No Marketing" in page.text
    browser.post(reverse("book:merge_contacts"), picked(contacts[:2], keep=contacts[0].pk, do="merge"))
    assert Contact.objects.get(pk=contacts[0].pk).no_marketing
    gone = browser.get(reverse("book:contact", args=[contacts[1].pk]))
    assert gone.url == reverse("book:contact", args=[contacts[0].pk])


@pytest.mark.parametrize("count", [0, 1, 11])
def test_too_few_or_too_many_to_merge(browser: Browser, count: int, contacts: list[Contact]) -> None:
    ids = [row.pk for row in contacts] * 3
    answer = browser.get(reverse("book:merge_contacts"), {"pick": list(range(ids[0], ids[0] + count))})
    assert answer.status_code == 302


@pytest.mark.parametrize("way", ["name", "email"])
def test_twins_of_contacts(browser: Browser, contacts: list[Contact], way: str) -> None:
    one, two = contacts[:2]
    Contact.objects.filter(pk=two.pk).update(
        first_name=one.first_name, last_name=one.last_name, email=one.email
    )
    page = browser.get(reverse("book:twin_contacts"), {"way": way}).text
    assert "Compare and merge" in page
    assert contacts[2].full_name not in page
    assert browser.get(reverse("book:twin_contacts"), {"way": way, "page": "\x00x"}).status_code == 200


def test_twins_of_clients_by_site(browser: Browser, seat: Seat) -> None:
    ClientFactory(company=seat.company, name="One", website="https://www.kestrel.example/about")
    ClientFactory(company=seat.company, name="Two", website="kestrel.example")
    ClientFactory(company=seat.company, name="Three", website="other.example")
    page = browser.get(reverse("book:twin_clients"), {"way": "site"}).text
    assert "One" in page
    assert "Two" in page
    assert "Three" not in page


@pytest.mark.parametrize("name", ["bulk_contacts", "bulk_clients", "merge_contacts", "merge_clients"])
def test_who_only_reads_gets_nowhere(browser_of: BrowserOf, contacts: list[Contact], name: str) -> None:
    reader = browser_of(SeatFactory(company=contacts[0].company, role=Role.READ_ONLY))
    data = picked(contacts, **{"to-active": "no"})
    assert reader.get(reverse(f"book:{name}"), data).status_code == 403
    assert reader.post(reverse(f"book:{name}"), data).status_code == 403
    sales = browser_of(SeatFactory(company=contacts[0].company, role=Role.SALES))
    assert sales.post(reverse("book:bulk_contacts"), picked(contacts, do="delete")).status_code == 403


def test_pages_cost_the_same_however_many_rows(browser: Browser, seat: Seat) -> None:
    tag = TagFactory(company=seat.company)
    status = ListValueFactory(company=seat.company, kind=ListValue.Kind.STATUS)

    def add(rows: int) -> None:
        for _ in range(rows):
            client = ClientFactory(company=seat.company, status=status, website="same.example")
            ContactFactory(client=client, email="same@x.example", tag_ids=[tag.pk])
        browser.post(reverse("book:bulk_contacts"), {"everything": "1", "to-active": "no"})

    def costs() -> dict[str, int]:
        change = BulkChange.objects.latest("pk")
        found = {}
        for name, address in {
            "changes": reverse("book:changes"),
            "change": reverse("book:change", args=[change.pk]),
            "twin clients": reverse("book:twin_clients") + "?way=site",
            "twin contacts": reverse("book:twin_contacts"),
            "bulk": reverse("book:bulk_contacts") + "?everything=1&to-active=yes",
            "clients": reverse("book:clients"),
            "contacts": reverse("book:contacts"),
        }.items():
            with CaptureQueriesContext(connection) as queries:
                assert browser.get(address).status_code == 200, address
            found[name] = len(queries)
        return found

    add(2)
    few = costs()
    add(5)
    assert costs() == few
    assert max(few.values()) <= 40


def test_from_the_client_page_to_its_contacts_and_back(browser: Browser, contacts: list[Contact]) -> None:
    """A link with the choice made, a preview, and after the deed the page again."""
    client = contacts[0].client
    ContactFactory(client=ClientFactory(company=client.company))
    page = browser.get(reverse("book:client", args=[client.pk])).text
    assert f"?everything=1&amp;client={client.pk}&amp;to-no_marketing=yes" in page
    asked = {"everything": "1", "client": client.pk, "to-no_marketing": "yes"}
    assert "Change 4 contacts" in browser.get(reverse("book:bulk_contacts"), asked).text
    done = browser.post(reverse("book:bulk_contacts"), asked)
    assert done.headers["Location"] == reverse("book:client_contacts", args=[client.pk])
    assert Contact.objects.filter(no_marketing=True).count() == 4
    asked = {"pick": client.pk, "from": "client", "to-active": "no"}
    done = browser.post(reverse("book:bulk_clients"), asked)
    assert done.headers["Location"] == reverse("book:client", args=[client.pk])
    client.refresh_from_db()
    assert not client.active
    assert "to-active=yes" in browser.get(reverse("book:client", args=[client.pk])).text


def test_who_was_deactivated_is_offered_as_no_ones_rep(browser: Browser, seat: Seat) -> None:
    gone = SeatFactory(company=seat.company, role=Role.SALES, deactivated_at=timezone.now())
    gone.user.first_name, gone.user.last_name = "Gone", "Fisher"
    gone.user.save()
    kestrel = ClientFactory(company=seat.company, name="Kestrel")
    new, every = reverse("book:new_client"), reverse("book:clients")
    assert "Gone Fisher" not in browser.get(new).text
    assert "Gone Fisher" not in browser.get(every).text
    Client.objects.filter(pk=kestrel.pk).update(rep=gone.user)
    assert "Gone Fisher" not in browser.get(new).text
    assert "Gone Fisher" in browser.get(every).text, "their clients have to be found to be given on"
    assert "Gone Fisher" in browser.get(reverse("book:edit_client", args=[kestrel.pk])).text
    asked = {"pick": kestrel.pk, "to-rep_id": gone.user_id}
    assert browser.post(reverse("book:bulk_clients"), asked).status_code == 422


@pytest.mark.parametrize("way", ["name", "email"])
def test_who_is_called_different_is_not_asked_about_again(
    browser: Browser, contacts: list[Contact], way: str
) -> None:
    one, two, three = contacts[:3]
    same = {"first_name": "Noor", "last_name": "Haddad", "email": "noor@x.example.com"}
    Contact.objects.filter(pk__in=[one.pk, two.pk]).update(**same)
    page, deed = reverse("book:twin_contacts") + f"?way={way}", reverse("book:distinct_contacts")
    assert "Not duplicates" in browser.get(page).text
    said = browser.post(deed, picked([one, two], way=way), follow=True).text
    assert "No duplicates found this way" in said
    assert "Kept apart. Nobody is asked about them again." in said
    assert f"{deed}?pick={one.pk}" in said, "the toast offers to undo it"
    assert "May be the same after all" in browser.get(f"{page}&distinct=1").text
    Contact.objects.filter(pk=three.pk).update(**same)
    assert "Compare and merge" in browser.get(page).text, "a third one is a new question"
    Contact.objects.filter(pk=three.pk).update(email="else@x.example.com", first_name="Else")
    browser.post(f"{deed}?pick={one.pk}&pick={two.pk}&way={way}&same=1")
    assert "Compare and merge" in browser.get(page).text


def test_clients_are_kept_apart_too_and_only_ones_own(
    browser: Browser, browser_of: BrowserOf, seat: Seat
) -> None:
    twins = [ClientFactory(company=seat.company, name=name) for name in ("Kestrel Inc.", "Kestrel Ltd")]
    page, deed = reverse("book:twin_clients"), reverse("book:distinct_clients")
    browser_of(SeatFactory(role=Role.MANAGER)).post(deed, picked(twins))
    assert "Compare and merge" in browser.get(page).text, "another company says nothing here"
    browser.post(deed, picked(twins[:1]))
    assert "Compare and merge" in browser.get(page).text, "one alone is no pair"
    browser.post(deed, picked(twins))
    browser.post(deed, picked(twins))
    assert "Compare and merge" not in browser.get(page).text
