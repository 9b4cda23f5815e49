"""Bulk edits, and the undo of bulk edits and of single changes."""

from __future__ import annotations

import itertools
from types import SimpleNamespace
from typing import Any

import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st
from tests.factories import (
    ClientFactory,
    CompanyFactory,
    ContactFactory,
    ListValueFactory,
    SeatFactory,
    TagFactory,
)

from lockstep.apps.accounts.permissions import NotPermitted, Role
from lockstep.apps.book.errors import Invalid, NotFound
from lockstep.apps.book.models import (
    BulkChange,
    BulkTarget,
    Change,
    Client,
    Contact,
    HistoryEntry,
    ListValue,
    Tag,
)
from lockstep.apps.book.queries import ClientFilter, ContactFilter
from lockstep.apps.book.queries.selection import Selection
from lockstep.apps.book.services import (
    BulkEdit,
    advance_bulk,
    delete_client,
    delete_contact,
    delete_tag,
    preview_bulk_edit,
    restore_client,
    save_client,
    save_contact,
    start_bulk_edit,
    start_undo,
    undo_entry,
)
from lockstep.apps.book.services.bulk import editing
from lockstep.apps.book.services.setting_back import set_back


@pytest.fixture
def book(db: None) -> SimpleNamespace:
    seat = SeatFactory(role=Role.MANAGER)
    company = seat.company
    clients = [ClientFactory(company=company, name=f"Client {n}", rep=seat.user) for n in range(3)]
    contacts = [ContactFactory(client=clients[n % 3], last_name=f"Name {n}") for n in range(9)]
    lead = ListValueFactory(company=company, kind=ListValue.Kind.STATUS, name="Lead")
    return SimpleNamespace(
        seat=seat, actor=seat.actor(), company=company, clients=clients, contacts=contacts, lead=lead
    )


def of(rows: list[Any]) -> Selection:
    wanted: Any = ClientFilter() if isinstance(rows[0], Client) else ContactFilter()
    return Selection(wanted=wanted, ids=[row.pk for row in rows])


ALL_CONTACTS = Selection(wanted=ContactFilter(), everything=True)
ALL_CLIENTS = Selection(wanted=ClientFilter(), everything=True)


def do(actor: Any, chosen: Selection, edit: BulkEdit) -> BulkChange:
    return advance_bulk(start_bulk_edit(actor, chosen, edit).pk)


def undo(actor: Any, bulk: BulkChange) -> BulkChange:
    return advance_bulk(start_undo(actor, bulk_id=bulk.pk).pk)


def state_of(company: Any) -> list[tuple[Any, ...]]:
    """All that matters of the company's book, for comparing."""
    skip = {"updated_at", "search"}
    found: list[tuple[Any, ...]] = []
    for model in (Client, Contact):
        names = [f.attname for f in model._meta.concrete_fields if f.attname not in skip]
        found += [
            tuple(tuple(v) if isinstance(v, list) else v for v in row)
            for row in model.objects.filter(company=company).order_by("pk").values_list(*names)
        ]
    return found


def tag_edit(*add: str, remove: list[int] | None = None, subject: str = "contact") -> BulkEdit:
    return BulkEdit(subject=subject, add_tags=add, remove_tag_ids=remove or [])


def test_preview_counts_what_the_edit_then_does(book: SimpleNamespace) -> None:
    held = TagFactory(company=book.company, name="VIP")
    Contact.objects.filter(pk=book.contacts[0].pk).update(tag_ids=[held.pk])
    preview = preview_bulk_edit(book.actor, ALL_CONTACTS, tag_edit("vip"))
    assert (preview.total, preview.changing, preview.already, preview.impossible) == (9, 8, 1, 0)
    bulk = do(book.actor, ALL_CONTACTS, tag_edit("vip"))
    assert (bulk.state, bulk.total, bulk.done, bulk.changed) == ("done", 9, 9, 8)
    assert Contact.objects.filter(tag_ids=[held.pk]).count() == 9
    assert not BulkTarget.objects.exists()


def test_preview_of_a_new_tag_makes_none(book: SimpleNamespace) -> None:
    assert preview_bulk_edit(book.actor, ALL_CONTACTS, tag_edit("Brand new")).changing == 9
    assert not Tag.objects.exists()


def test_tags_are_added_and_taken_off_in_one_go(book: SimpleNamespace) -> None:
    old = TagFactory(company=book.company, name="Old")
    other = TagFactory(company=book.company, name="Other")
    Contact.objects.filter(pk=book.contacts[0].pk).update(tag_ids=[old.pk, other.pk])
    bulk = do(book.actor, of(book.contacts[:2]), tag_edit("New", remove=[old.pk]))
    new = Tag.objects.get(name="New")
    assert Contact.objects.get(pk=book.contacts[0].pk).tag_ids == [other.pk, new.pk]
    assert Contact.objects.get(pk=book.contacts[1].pk).tag_ids == [new.pk]
    first, second = bulk.entries.order_by("subject_id")
    assert first.changes == {"tags_added": ["", "New"], "tags_removed": ["Old", ""]}
    assert second.changes == {"tags_added": ["", "New"], "tags_removed": ["", ""]}
    undo(book.actor, bulk)
    assert Contact.objects.get(pk=book.contacts[0].pk).tag_ids == [old.pk, other.pk]


SETS: dict[str, tuple[str, Any]] = {
    "status": ("client", lambda book: {"status_id": book.lead.pk}),
    "no status": ("client", lambda book: {"status_id": None}),
    "rep": ("client", lambda book: {"rep_id": SeatFactory(company=book.company).user_id}),
    "no rep": ("client", lambda book: {"rep_id": None}),
    "client inactive": ("client", lambda book: {"active": False}),
    "clients deleted": ("client", lambda book: {"deleted": True}),
    "department": (
        "contact",
        lambda book: {
            "department_id": ListValueFactory(company=book.company, kind=ListValue.Kind.DEPARTMENT).pk
        },
    ),
    "inactive": ("contact", lambda book: {"active": False}),
    "no marketing": ("contact", lambda book: {"no_marketing": True, "no_marketing_reason": "Asked by phone"}),
    "may be mailed": ("contact", lambda book: {"no_marketing": False}),
    "deleted": ("contact", lambda book: {"deleted": True}),
    "several": ("contact", lambda book: {"active": False, "no_marketing": True}),
}


@pytest.mark.parametrize("name", SETS)
def test_every_edit_does_what_it_says_and_is_undone_without_trace(book: SimpleNamespace, name: str) -> None:
    subject, values = SETS[name]
    Contact.objects.filter(pk=book.contacts[4].pk).update(
        no_marketing=True, no_marketing_reason="Before", no_marketing_at=timezone.now()
    )
    Client.objects.filter(pk=book.clients[1].pk).update(status=book.lead)
    before = state_of(book.company)
    edit = BulkEdit(subject=subject, sets=values(book))
    chosen = ALL_CLIENTS if subject == "client" else ALL_CONTACTS
    preview = preview_bulk_edit(book.actor, chosen, edit)
    bulk = do(book.actor, chosen, edit)
    assert bulk.changed == preview.changing == bulk.entries.count()
    assert preview.changing > 0
    assert state_of(book.company) != before
    assert all(entry.before and entry.after for entry in bulk.entries.all())
    undone = undo(book.actor, bulk)
    assert (undone.state, undone.changed, undone.skipped) == ("done", bulk.changed, 0)
    assert state_of(book.company) == before
    again = undo(book.actor, undone)
    assert again.changed == bulk.changed
    assert state_of(book.company) != before


def test_no_marketing_set_again_keeps_date_and_reason(book: SimpleNamespace) -> None:
    first = timezone.now()
    Contact.objects.filter(pk=book.contacts[0].pk).update(
        no_marketing=True, no_marketing_reason="First", no_marketing_at=first
    )
    do(book.actor, of(book.contacts[:2]), BulkEdit(subject="contact", sets={"no_marketing": True}))
    kept = Contact.objects.get(pk=book.contacts[0].pk)
    assert (kept.no_marketing_reason, kept.no_marketing_at) == ("First", first)
    assert Contact.objects.get(pk=book.contacts[1].pk).no_marketing_at is not None


def test_clients_leave_with_their_contacts_and_come_back_with_them(book: SimpleNamespace) -> None:
    delete_contact(book.actor, contact_id=book.contacts[0].pk)
    bulk = do(book.actor, of(book.clients), BulkEdit(subject="client", sets={"deleted": True}))
    assert not Contact.objects.filter(deleted_at=None).exists()
    assert bulk.entries.first().changes == {"contacts": ["", "2"]}
    back = do(book.actor, of(book.clients), BulkEdit(subject="client", sets={"deleted": False}))
    assert back.changed == 3
    assert Contact.objects.filter(deleted_at=None).count() == 8
    undo(book.actor, back)
    assert not Client.objects.filter(deleted_at=None).exists()
    assert not Contact.objects.filter(deleted_at=None).exists()


def test_a_client_whose_name_is_taken_is_not_restored_and_is_told(book: SimpleNamespace) -> None:
    do(book.actor, of(book.clients), BulkEdit(subject="client", sets={"deleted": True}))
    save_client(book.actor, name="client 1")
    back = do(book.actor, of(book.clients), BulkEdit(subject="client", sets={"deleted": False}))
    assert (back.changed, back.skipped) == (2, 1)
    assert back.skips[0]["id"] == book.clients[1].pk
    assert "client 1" in back.skips[0]["why"].lower()


def test_contacts_of_chosen_clients(book: SimpleNamespace) -> None:
    chosen = Selection(wanted=ClientFilter(), ids=[book.clients[0].pk], contacts_of_clients=True)
    bulk = do(book.actor, chosen, BulkEdit(subject="contact", sets={"no_marketing": True}))
    assert bulk.changed == 3
    assert set(Contact.objects.filter(no_marketing=True).values_list("client_id", flat=True)) == {
        book.clients[0].pk
    }


def test_who_is_chosen_is_settled_at_the_start(book: SimpleNamespace) -> None:
    """The edit takes rows out of the very filter that chose them, and it goes on slice by slice."""
    Client.objects.filter(company=book.company).update(active=True)
    chosen = Selection(wanted=ContactFilter(active=True), everything=True)
    bulk = start_bulk_edit(book.actor, chosen, BulkEdit(subject="contact", sets={"active": False}))
    late = ContactFactory(client=book.clients[0])
    steps = 0
    while bulk.state == BulkChange.State.RUNNING:
        bulk = editing.advance_by(bulk.pk, editing.edit_slice, more=lambda: False, size=2)
        steps += 1
    assert (steps, bulk.changed) == (5, 9)
    assert Contact.objects.get(pk=late.pk).active


def test_a_slice_that_breaks_leaves_what_was_done_and_can_be_undone(
    book: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    bulk = start_bulk_edit(book.actor, ALL_CONTACTS, BulkEdit(subject="contact", sets={"active": False}))
    turns = itertools.count()

    def breaks(bulk: BulkChange, ids: list[int]) -> editing.SliceResult:
        if next(turns) == 2:
            raise RuntimeError("pulled the plug")
        return editing.edit_slice(bulk, ids)

    with pytest.raises(RuntimeError):
        editing.advance_by(bulk.pk, breaks, more=lambda: True, size=2)
    bulk.refresh_from_db()
    assert (bulk.state, bulk.done, bulk.changed) == ("failed", 4, 4)
    assert Contact.objects.filter(active=False).count() == 4
    assert undo(book.actor, bulk).changed == 4
    assert not Contact.objects.filter(active=False).exists()


def test_a_deadline_ends_after_the_time_by_the_clock_given() -> None:
    clock = iter([10.0, 10.5, 10.9, 11.1])
    more = editing.deadline(1.0, lambda: next(clock))
    assert [more(), more(), more()] == [True, True, False]


def test_what_was_changed_since_is_left_alone_and_told(book: SimpleNamespace) -> None:
    bulk = do(book.actor, of(book.clients), BulkEdit(subject="client", sets={"status_id": book.lead.pk}))
    other = ListValueFactory(company=book.company, kind=ListValue.Kind.STATUS, name="Customer")
    save_client(book.actor, client_id=book.clients[0].pk, status_id=other.pk)
    undone = undo(book.actor, bulk)
    assert (undone.changed, undone.skipped) == (2, 1)
    assert undone.skips == [{"kind": "client", "id": book.clients[0].pk, "why": "Changed since: Status."}]
    assert Client.objects.get(pk=book.clients[0].pk).status == other


def test_a_tag_added_by_somebody_meanwhile_survives_the_undo(book: SimpleNamespace) -> None:
    bulk = do(book.actor, of(book.contacts[:1]), tag_edit("One"))
    save_contact(book.actor, contact_id=book.contacts[0].pk, tags=["One", "Two"])
    undo(book.actor, bulk)
    assert Contact.objects.get(pk=book.contacts[0].pk).tag_ids == [Tag.objects.get(name="Two").pk]


def test_a_deleted_tag_does_not_return(book: SimpleNamespace) -> None:
    admin = SeatFactory(company=book.company, role=Role.ADMIN).actor()
    tag = TagFactory(company=book.company, name="Gone")
    Contact.objects.filter(pk=book.contacts[0].pk).update(tag_ids=[tag.pk])
    bulk = do(book.actor, of(book.contacts[:1]), tag_edit(remove=[tag.pk]))
    delete_tag(admin, tag_id=tag.pk)
    undo(book.actor, bulk)
    assert Contact.objects.get(pk=book.contacts[0].pk).tag_ids == []


def test_nothing_is_undone_twice(book: SimpleNamespace) -> None:
    bulk = do(book.actor, of(book.contacts[:1]), tag_edit("One"))
    undo(book.actor, bulk)
    with pytest.raises(Invalid, match="undone already"):
        start_undo(book.actor, bulk_id=bulk.pk)


def last_entry(row: Any) -> HistoryEntry:
    kind = "client" if isinstance(row, Client) else "contact"
    return HistoryEntry.objects.filter(subject_kind=kind, subject_id=row.pk).latest("pk")


def test_a_single_change_is_undone_field_by_field(book: SimpleNamespace) -> None:
    contact = book.contacts[0]
    save_contact(book.actor, contact_id=contact.pk, first_name="Ann", phone="1", tags=["A"])
    entry = last_entry(contact)
    save_contact(book.actor, contact_id=contact.pk, phone="2")
    outcome = undo_entry(book.actor, entry_id=entry.pk)
    assert outcome.set_back
    assert outcome.kept == ("Phone",)
    now = Contact.objects.get(pk=contact.pk)
    assert (now.first_name, now.phone, now.tag_ids) == (contact.first_name, "2", [])
    assert last_entry(contact).action == "undone"
    assert last_entry(contact).changes["first_name"] == ["Ann", contact.first_name]
    with pytest.raises(Invalid, match="undone already"):
        undo_entry(book.actor, entry_id=entry.pk)
    undo_entry(book.actor, entry_id=last_entry(contact).pk)
    assert Contact.objects.get(pk=contact.pk).first_name == "Ann"


def test_addresses_are_set_back_as_a_whole(book: SimpleNamespace) -> None:
    client = save_client(
        book.actor,
        name="Moving",
        addresses=[{"line1": "1 First"}, {"name": "Warehouse", "line1": "2 Second"}, {"line1": " "}],
    )
    assert [a.line1 for a in client.addresses.order_by("-is_primary", "id")] == ["1 First", "2 Second"]
    save_client(book.actor, client_id=client.pk, addresses=[{"name": "Warehouse", "line1": "2 Second"}])
    assert [(a.line1, a.is_primary) for a in client.addresses.all()] == [("2 Second", True)]
    entry = last_entry(client)
    assert entry.changes["other_addresses"] == ["Warehouse: 2 Second", ""]
    undo_entry(book.actor, entry_id=entry.pk)
    assert [(a.line1, a.is_primary) for a in client.addresses.order_by("id")] == [
        ("1 First", True),
        ("2 Second", False),
    ]


def test_a_deletion_is_undone_with_the_contacts(book: SimpleNamespace) -> None:
    client = book.clients[0]
    delete_client(book.actor, client_id=client.pk)
    undo_entry(book.actor, entry_id=last_entry(client).pk)
    assert Client.objects.get(pk=client.pk).deleted_at is None
    assert Contact.objects.filter(client=client, deleted_at=None).count() == 3


def test_a_name_that_is_taken_does_not_return(book: SimpleNamespace) -> None:
    client = book.clients[0]
    save_client(book.actor, client_id=client.pk, name="Renamed", phone="5")
    entry = last_entry(client)
    save_client(book.actor, name="Client 0")
    outcome = undo_entry(book.actor, entry_id=entry.pk)
    assert outcome.kept == ("Name",)
    now = Client.objects.get(pk=client.pk)
    assert (now.name, now.phone) == ("Renamed", "")
    delete_client(book.actor, client_id=book.clients[1].pk)
    gone = last_entry(book.clients[1])
    save_client(book.actor, name="Client 1")
    with pytest.raises(Invalid, match="Client 1"):
        undo_entry(book.actor, entry_id=gone.pk)


def test_undo_asks_for_what_deleting_takes(book: SimpleNamespace) -> None:
    sales = SeatFactory(company=book.company, role=Role.SALES).actor()
    contact = book.contacts[0]
    delete_contact(book.actor, contact_id=contact.pk)
    with pytest.raises(NotPermitted):
        undo_entry(sales, entry_id=last_entry(contact).pk)
    bulk = do(book.actor, of(book.contacts[1:3]), BulkEdit(subject="contact", sets={"deleted": True}))
    with pytest.raises(NotPermitted):
        start_undo(sales, bulk_id=bulk.pk)
    with pytest.raises(NotPermitted):
        start_bulk_edit(sales, ALL_CONTACTS, BulkEdit(subject="contact", sets={"deleted": True}))


def test_limited_to_own_clients_nobody_else_is_touched(book: SimpleNamespace) -> None:
    rep = SeatFactory(company=book.company, role=Role.SALES, own_clients_only=True)
    mine = ContactFactory(client=ClientFactory(company=book.company, rep=rep.user))
    theirs = book.contacts[0]
    chosen = Selection(wanted=ContactFilter(), ids=[mine.pk, theirs.pk])
    bulk = do(rep.actor(), chosen, tag_edit("Mine"))
    assert (bulk.total, bulk.changed) == (1, 1)
    everybody = do(book.actor, ALL_CONTACTS, tag_edit("All"))
    with pytest.raises(NotFound):
        start_undo(rep.actor(), bulk_id=everybody.pk)
    with pytest.raises(Invalid, match="only your own clients"):
        start_bulk_edit(
            rep.actor(), ALL_CLIENTS, BulkEdit(subject="client", sets={"rep_id": book.seat.user_id})
        )
    entry = HistoryEntry.objects.filter(bulk=everybody, subject_id=theirs.pk).get()
    with pytest.raises(NotFound):
        undo_entry(rep.actor(), entry_id=entry.pk)


def test_another_company_s_rows_values_and_changes_are_not_there(book: SimpleNamespace) -> None:
    stranger = SeatFactory(company=CompanyFactory(), role=Role.ADMIN).actor()
    with pytest.raises(Invalid, match="No contact is chosen"):
        start_bulk_edit(stranger, of(book.contacts), tag_edit("Ours now"))
    with pytest.raises(Invalid, match="values in the list"):
        start_bulk_edit(stranger, ALL_CLIENTS, BulkEdit(subject="client", sets={"status_id": book.lead.pk}))
    bulk = do(book.actor, of(book.contacts), tag_edit("One"))
    with pytest.raises(NotFound):
        start_undo(stranger, bulk_id=bulk.pk)


WRONG: dict[str, BulkEdit] = {
    "nothing": BulkEdit(subject="contact"),
    "a field of clients": BulkEdit(subject="contact", sets={"status_id": None}),
    "deleting and more": BulkEdit(subject="contact", sets={"deleted": True, "active": False}),
    "a reason alone": BulkEdit(subject="contact", sets={"no_marketing_reason": "why"}),
    "an unknown tag taken off": BulkEdit(subject="contact", remove_tag_ids=[1]),
    "a tag with a comma": BulkEdit(subject="contact", add_tags=["a,b"]),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_makes_no_sense_is_refused(book: SimpleNamespace, name: str) -> None:
    with pytest.raises(Invalid):
        preview_bulk_edit(book.actor, ALL_CONTACTS, WRONG[name])
    with pytest.raises(Invalid):
        start_bulk_edit(book.actor, ALL_CONTACTS, WRONG[name])
    assert not BulkChange.objects.exists()


def test_more_tags_than_fit_are_told_and_leave_the_rest_alone(book: SimpleNamespace) -> None:
    Contact.objects.filter(pk=book.contacts[0].pk).update(tag_ids=list(range(10**9, 10**9 + 200)))
    bulk = do(book.actor, of(book.contacts[:2]), tag_edit("One more"))
    assert (bulk.changed, bulk.skipped) == (1, 1)
    assert bulk.skips[0]["id"] == book.contacts[0].pk


def test_the_sync_hears_of_every_row_that_changed(book: SimpleNamespace) -> None:
    Change.objects.all().delete()
    do(book.actor, of(book.contacts[:4]), tag_edit("Heard"))
    assert set(Change.objects.values_list("kind", "object_id")) == {
        ("contact", contact.pk) for contact in book.contacts[:4]
    }


def test_restoring_one_client_by_hand_can_be_undone(book: SimpleNamespace) -> None:
    delete_client(book.actor, client_id=book.clients[0].pk)
    restore_client(book.actor, client_id=book.clients[0].pk)
    undo_entry(book.actor, entry_id=last_entry(book.clients[0]).pk)
    assert Contact.objects.filter(client=book.clients[0], deleted_at=None).count() == 0


VALUES = st.sampled_from([None, "", "a", "b", 1, 2])
ROWS = st.fixed_dictionaries({"x": VALUES, "y": VALUES, "tag_ids": st.lists(st.integers(1, 5), unique=True)})


@given(ROWS, ROWS)
def test_undone_at_once_everything_is_as_before(old: dict[str, Any], new: dict[str, Any]) -> None:
    before = {k: v for k, v in old.items() if new[k] != v}
    after = {k: v for k, v in new.items() if old[k] != v}
    back = set_back(before, after, new)
    assert not back.changed_since
    assert {**new, **back.values} == old


@given(ROWS, ROWS, ROWS)
def test_what_somebody_made_of_it_since_stays(
    old: dict[str, Any], new: dict[str, Any], now: dict[str, Any]
) -> None:
    back = set_back(old, new, now)
    for column in ("x", "y"):
        result = back.values.get(column, now[column])
        if now[column] != new[column]:
            assert result == now[column]
            assert (column in back.changed_since) == (now[column] != old[column])
    tags = back.values.get("tag_ids", now["tag_ids"])
    foreign = set(now["tag_ids"]) - set(new["tag_ids"]) - set(old["tag_ids"])
    assert foreign <= set(tags)
    assert not (set(new["tag_ids"]) - set(old["tag_ids"])) & set(tags)
    assert set(old["tag_ids"]) - set(new["tag_ids"]) <= set(tags)


@pytest.mark.parametrize("changed", ["no_marketing_reason", "no_marketing_at", "no_marketing"])
def test_no_marketing_reason_and_date_stay_together(changed: str) -> None:
    before = {"no_marketing": False, "no_marketing_reason": "", "no_marketing_at": None}
    after = {"no_marketing": True, "no_marketing_reason": "r", "no_marketing_at": "2026-01-01T10:00:00+00:00"}
    same_moment = {**after, "no_marketing_at": "2026-01-01T12:00:00+02:00"}
    assert set_back(before, after, same_moment).values == before
    since = {
        "no_marketing": False,
        "no_marketing_reason": "s",
        "no_marketing_at": "2026-02-01T10:00:00+00:00",
    }
    back = set_back(before, after, {**after, changed: since[changed]})
    assert back.values == {}
