"""Merging clients and contacts: what wins, what moves, and the way back."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from django.utils import timezone
from tests.apps.book.test_bulk import last_entry, state_of, undo
from tests.factories import ClientFactory, ContactFactory, SeatFactory, TagFactory

from lockstep.apps.accounts.permissions import NotPermitted, Role
from lockstep.apps.book.errors import Invalid, NotFound
from lockstep.apps.book.models import Client, ClientAddress, Contact, Tag
from lockstep.apps.book.services import (
    merge_clients,
    merge_contacts,
    save_client,
    save_contact,
    undo_entry,
    upsert_client,
)


@pytest.fixture
def book(db: None) -> SimpleNamespace:
    seat = SeatFactory(role=Role.MANAGER)
    company = seat.company
    tags = [TagFactory(company=company, kind=Tag.Kind.CLIENT) for _ in range(2)]
    one = ClientFactory(
        company=company, name="Kestrel Inc", tag_ids=[tags[0].pk], notes="First note", phone=""
    )
    two = ClientFactory(
        company=company,
        name="Kestrel",
        tag_ids=[tags[1].pk, tags[0].pk],
        notes="Second note",
        phone="555",
        external_id="crm-2",
    )
    ClientAddress.objects.create(company=company, client=two, line1="2 Second", city="Boulder")
    contacts = [ContactFactory(client=two), ContactFactory(client=two, deleted_at=timezone.now())]
    return SimpleNamespace(
        seat=seat, actor=seat.actor(), company=company, one=one, two=two, tags=tags, contacts=contacts
    )


def test_everything_of_the_other_client_comes_along(book: SimpleNamespace) -> None:
    merge_clients(book.actor, keep_id=book.one.pk, other_ids=[book.two.pk], picks={"name": book.two.pk})
    kept, gone = Client.objects.get(pk=book.one.pk), Client.objects.get(pk=book.two.pk)
    assert (kept.name, kept.phone, kept.notes) == ("Kestrel", "555", "First note\n\nSecond note")
    assert kept.tag_ids == [book.tags[0].pk, book.tags[1].pk]
    assert [a.line1 for a in kept.addresses.all()] == ["2 Second"]
    assert Contact.objects.filter(client=kept).count() == 2
    assert gone.deleted_at is not None
    assert gone.merged_into == kept
    assert last_entry(kept).changes["merged"] == ["", "Kestrel"]
    assert last_entry(gone).changes["merged_into"] == ["", "Kestrel Inc"]


def test_a_merge_is_undone_as_a_whole(book: SimpleNamespace) -> None:
    before = state_of(book.company)
    addresses = list(ClientAddress.objects.values_list("client_id", "line1", "is_primary"))
    bulk = merge_clients(
        book.actor, keep_id=book.one.pk, other_ids=[book.two.pk], picks={"name": book.two.pk}
    )
    after = state_of(book.company)
    with pytest.raises(Invalid, match="as a whole"):
        undo_entry(book.actor, entry_id=last_entry(book.one).pk)
    undone = undo(book.actor, bulk)
    assert (undone.state, undone.skipped) == ("done", 0)
    assert state_of(book.company) == before
    assert list(ClientAddress.objects.values_list("client_id", "line1", "is_primary")) == addresses
    again = undo(book.actor, undone)
    assert (again.state, again.skipped) == ("done", 0)
    assert [row[:9] for row in state_of(book.company)] == [row[:9] for row in after]


def test_undo_leaves_what_was_changed_since_the_merge(book: SimpleNamespace) -> None:
    bulk = merge_clients(book.actor, keep_id=book.one.pk, other_ids=[book.two.pk])
    save_client(book.actor, client_id=book.one.pk, notes="Rewritten")
    undone = undo(book.actor, bulk)
    assert undone.skips == [{"kind": "client", "id": book.one.pk, "why": "Changed since: Notes."}]
    assert Client.objects.get(pk=book.one.pk).notes == "Rewritten"
    assert Client.objects.get(pk=book.two.pk).deleted_at is None


def test_who_was_merged_before_follows(book: SimpleNamespace) -> None:
    three = ClientFactory(company=book.company)
    merge_clients(book.actor, keep_id=book.two.pk, other_ids=[three.pk])
    bulk = merge_clients(book.actor, keep_id=book.one.pk, other_ids=[book.two.pk])
    assert Client.objects.get(pk=three.pk).merged_into_id == book.one.pk
    undo(book.actor, bulk)
    assert Client.objects.get(pk=three.pk).merged_into_id == book.two.pk


def test_contacts_keep_no_marketing_whoever_had_it(book: SimpleNamespace) -> None:
    one, two = (ContactFactory(client=book.one, phone=""), ContactFactory(client=book.two, phone="7"))
    Contact.objects.filter(pk=two.pk).update(no_marketing=True, no_marketing_reason="Asked")
    before = state_of(book.company)
    bulk = merge_contacts(book.actor, keep_id=one.pk, other_ids=[two.pk], picks={"email": two.pk})
    kept = Contact.objects.get(pk=one.pk)
    assert (kept.phone, kept.email, kept.no_marketing, kept.no_marketing_reason) == (
        "7",
        two.email,
        True,
        "Asked",
    )
    assert kept.client == book.one
    undo(book.actor, bulk)
    assert state_of(book.company) == before


REFUSED: dict[str, Any] = {
    "itself": lambda b: {"keep_id": b.one.pk, "other_ids": [b.one.pk]},
    "nobody": lambda b: {"keep_id": b.one.pk, "other_ids": []},
    "too many": lambda b: {"keep_id": b.one.pk, "other_ids": list(range(10_000, 10_020))},
    "a field there is not": lambda b: {
        "keep_id": b.one.pk,
        "other_ids": [b.two.pk],
        "picks": {"id": b.two.pk},
    },
    "a value of somebody else": lambda b: {
        "keep_id": b.one.pk,
        "other_ids": [b.two.pk],
        "picks": {"name": 1},
    },
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_makes_no_sense_is_refused(book: SimpleNamespace, name: str) -> None:
    before = state_of(book.company)
    with pytest.raises(Invalid):
        merge_clients(book.actor, **REFUSED[name](book))
    assert state_of(book.company) == before


def test_only_who_may_delete_merges_and_only_what_is_theirs(book: SimpleNamespace) -> None:
    sales = SeatFactory(company=book.company, role=Role.SALES).actor()
    with pytest.raises(NotPermitted):
        merge_clients(sales, keep_id=book.one.pk, other_ids=[book.two.pk])
    stranger = SeatFactory(role=Role.ADMIN).actor()
    with pytest.raises(NotFound):
        merge_clients(stranger, keep_id=book.one.pk, other_ids=[book.two.pk])
    rep = SeatFactory(company=book.company, role=Role.MANAGER, own_clients_only=True)
    Client.objects.filter(pk=book.one.pk).update(rep=rep.user)
    with pytest.raises(NotFound):
        merge_clients(rep.actor(), keep_id=book.one.pk, other_ids=[book.two.pk])
    contact = ContactFactory(client=book.two)
    with pytest.raises(NotFound):
        merge_contacts(rep.actor(), keep_id=ContactFactory(client=book.one).pk, other_ids=[contact.pk])


def test_history_of_both_is_read_together(book: SimpleNamespace) -> None:
    from lockstep.apps.book.queries import history_page

    save_contact(book.actor, contact_id=book.contacts[0].pk, phone="1")
    save_client(book.actor, client_id=book.two.pk, phone="556")
    merge_clients(book.actor, keep_id=book.one.pk, other_ids=[book.two.pk])
    rows = history_page(book.actor, subject="client", subject_id=book.one.pk).rows
    assert ("Phone", "555", "556") in [change for row in rows for change in row.changes]


def test_another_system_that_knows_the_old_id_writes_to_the_one_that_stayed(book: SimpleNamespace) -> None:
    merge_clients(book.actor, keep_id=book.one.pk, other_ids=[book.two.pk])
    saved = upsert_client(book.actor, external_id="crm-2", values={"phone": "777"})
    assert saved.id == book.one.pk
    kept = Client.objects.get(pk=book.one.pk)
    assert (kept.phone, kept.external_id) == ("777", "")
