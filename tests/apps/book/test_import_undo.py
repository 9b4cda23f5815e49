"""An import is taken back: what it added leaves, what it changed returns, what people touched since stays."""

from __future__ import annotations

import io
from types import SimpleNamespace

import pytest
from tests.apps.book.test_bulk import state_of, undo
from tests.factories import ClientFactory, ContactFactory, SeatFactory

from lockstep.apps.accounts.permissions import NotPermitted, Role
from lockstep.apps.book.models import BulkChange, Client, ClientAddress, Contact, Import
from lockstep.apps.book.services import merge_clients, merge_contacts, save_contact, start_undo
from lockstep.apps.book.services.imports import run_import, start_import

FILE = """Client Name,Account Number,Contact First Name,Contact Last Name,Contact Email,\
Address Line 1,Address City,Department,Client Tags,Contact Tags,Client Status,No Marketing
Known,77,Ann,Known,ann@known.example,9 Side,Denver,Sales,gold,vip,Customer,yes
Known,77,New,Person,new@known.example,,,,,,,
Fresh,,Fred,Fresh,fred@fresh.example,1 Main,Boulder,,,,,
Empty,,,,,,,,,,,
"""


@pytest.fixture
def book(db: None) -> SimpleNamespace:
    seat = SeatFactory(role=Role.MANAGER)
    known = ClientFactory(company=seat.company, name="Known")
    ann = ContactFactory(client=known, first_name="Anna", last_name="Known", email="ann@known.example")
    return SimpleNamespace(seat=seat, actor=seat.actor(), company=seat.company, known=known, ann=ann)


def load(book: SimpleNamespace, text: str = FILE) -> BulkChange:
    parent = start_import(
        book.actor, io.BytesIO(text.encode()), "leads.csv", queue=False, on_match=Import.OnMatch.OVERWRITE
    )
    parent = run_import(parent.pk)
    assert parent.state == Import.State.DONE, parent.error
    return parent.bulk


def alive(company: object) -> set[str]:
    clients = Client.objects.filter(company=company, deleted_at=None).values_list("name", flat=True)
    contacts = Contact.objects.filter(company=company, deleted_at=None).values_list("email", flat=True)
    return {*clients, *contacts}


def test_everything_is_as_before(book: SimpleNamespace) -> None:
    before, people = state_of(book.company), alive(book.company)
    bulk = load(book)
    assert alive(book.company) - people == {"new@known.example", "fred@fresh.example", "Fresh", "Empty"}
    assert ClientAddress.objects.filter(client=book.known).count() == 1
    after = state_of(book.company)
    undone = undo(book.actor, bulk)
    assert (undone.state, undone.skipped) == ("done", 0)
    assert alive(book.company) == people
    assert [row for row in state_of(book.company) if row in before] == before
    assert not ClientAddress.objects.filter(client=book.known).exists()
    again = undo(book.actor, undone)
    assert again.skipped == 0
    assert [row[:8] for row in state_of(book.company)] == [row[:8] for row in after]


def test_what_was_touched_since_stays_and_is_told(book: SimpleNamespace) -> None:
    bulk = load(book)
    fred = Contact.objects.get(email="fred@fresh.example")
    save_contact(book.actor, contact_id=fred.pk, phone="1")
    save_contact(book.actor, contact_id=book.ann.pk, first_name="Annie")
    undone = undo(book.actor, bulk)
    assert {"fred@fresh.example", "Fresh"} <= alive(book.company)
    assert "Empty" not in alive(book.company)
    ann = Contact.objects.get(pk=book.ann.pk)
    assert (ann.first_name, ann.no_marketing, ann.tag_ids) == ("Annie", False, [])
    whys = {(skip["kind"], skip["id"]): skip["why"] for skip in undone.skips}
    assert whys == {
        ("contact", fred.pk): "Changed since it was added, so it stays.",
        ("client", fred.client_id): "There are contacts at it that stay, so it stays.",
        ("contact", book.ann.pk): "Changed since: First name.",
    }


def test_a_change_that_was_undone_again_keeps_nothing(book: SimpleNamespace) -> None:
    from tests.apps.book.test_bulk import last_entry

    from lockstep.apps.book.services import undo_entry

    bulk = load(book)
    fred = Contact.objects.get(email="fred@fresh.example")
    save_contact(book.actor, contact_id=fred.pk, phone="1")
    undo_entry(book.actor, entry_id=last_entry(fred).pk)
    assert undo(book.actor, bulk).skipped == 0
    assert "fred@fresh.example" not in alive(book.company)


def test_only_who_imports_and_deletes_takes_it_back(book: SimpleNamespace) -> None:
    bulk = load(book)
    sales = SeatFactory(company=book.company, role=Role.SALES).actor()
    with pytest.raises(NotPermitted):
        start_undo(sales, bulk_id=bulk.pk)


def test_a_file_that_knows_the_ids_of_who_was_merged_away_finds_the_one_that_stayed(
    book: SimpleNamespace,
) -> None:
    gone = ClientFactory(company=book.company, name="Known two", external_id="c-2")
    ben = ContactFactory(client=gone, external_id="k-2", email="ben@known.example")
    merge_clients(book.actor, keep_id=book.known.pk, other_ids=[gone.pk])
    merge_contacts(book.actor, keep_id=book.ann.pk, other_ids=[ben.pk])
    load(
        book,
        "Client External ID,Client Name,Contact External ID,Contact Email,Contact Phone\n"
        "c-2,Known two,k-2,ann@known.example,12345\n",
    )
    ann = Contact.objects.get(pk=book.ann.pk)
    assert (ann.phone, ann.client_id, ann.external_id) == ("12345", book.known.pk, "")
    assert Contact.objects.filter(company=book.company, deleted_at=None).count() == 1
    assert Contact.objects.get(pk=ben.pk).external_id == "k-2"
