"""Clients, the company's lists, and tags."""

import pytest
from tests.factories import ClientFactory, ContactFactory, ListValueFactory, SeatFactory, TagFactory

from lockstep.apps.accounts.permissions import NotPermitted, Role
from lockstep.apps.accounts.services import create_company, create_first_company
from lockstep.apps.book.errors import Invalid, NotFound
from lockstep.apps.book.models import Client, HistoryEntry, ListValue, Tag
from lockstep.apps.book.services import (
    add_list_value,
    delete_client,
    delete_tag,
    ensure_tags,
    merge_list_values,
    merge_tags,
    rename_list_value,
    rename_tag,
    reorder_list_values,
    restore_client,
    retire_list_value,
    save_client,
    set_client_active,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def actor():
    return SeatFactory().actor()


def test_a_client_with_everything(actor):
    status = ListValueFactory(company=actor.company, name="Active")
    rep = SeatFactory(company=actor.company, user__first_name="Ana", user__last_name="Souza").user
    client = save_client(
        actor,
        name="Kestrel Outdoor Co.",
        status_id=status.pk,
        rep_id=rep.pk,
        tags=["Drinkware"],
        notes="One\n\ttwo ",
        address={"city": "Boulder", "state": "Colorado"},
    )
    client.refresh_from_db()
    assert (client.status, client.rep, client.notes) == (status, rep, "One\ntwo")
    assert client.addresses.get().city == "Boulder"
    entry = HistoryEntry.objects.get(subject_kind="client", subject_id=client.pk)
    assert entry.changes["rep"] == ["", "Ana Souza"]
    assert entry.changes["state"] == ["", "Colorado"]

    save_client(actor, client_id=client.pk, address={"city": "Denver"})
    address = client.addresses.get()
    assert (address.city, address.state) == ("Denver", "Colorado")
    latest = HistoryEntry.objects.filter(subject_kind="client").latest("id")
    assert latest.changes == {"city": ["Boulder", "Denver"]}


def test_names_are_unique_in_any_case_but_only_within_the_company(actor):
    save_client(actor, name="Kestrel")
    with pytest.raises(Invalid) as refusal:
        save_client(actor, name="KESTREL")
    assert refusal.value.fields == {"name": "There is a client called “KESTREL” already."}
    assert save_client(SeatFactory().actor(), name="Kestrel").pk


def test_a_name_is_needed(actor):
    for values in ({}, {"name": " "}):
        with pytest.raises(Invalid) as refusal:
            save_client(actor, **values)
        assert refusal.value.fields == {"name": "Give the client a name."}


def test_choices_of_another_company_are_no_choices(actor):
    with pytest.raises(Invalid) as refusal:
        save_client(actor, name="X", status_id=ListValueFactory().pk, rep_id=SeatFactory().user_id)
    assert set(refusal.value.fields) == {"status_id", "rep_id"}


def test_a_retired_value_stays_where_it_is_but_is_no_new_choice(actor):
    status = ListValueFactory(company=actor.company, name="Old", retired=True)
    has_it = ClientFactory(company=actor.company, status=status)
    save_client(actor, client_id=has_it.pk, status_id=status.pk, phone="1")
    with pytest.raises(Invalid):
        save_client(actor, name="New one", status_id=status.pk)


def test_restoring_needs_the_name_to_be_free(actor):
    client = save_client(actor, name="Kestrel")
    delete_client(actor, client_id=client.pk)
    usurper = save_client(actor, name="kestrel")
    with pytest.raises(Invalid, match="already"):
        restore_client(actor, client_id=client.pk)
    save_client(actor, client_id=usurper.pk, name="Other")
    restore_client(actor, client_id=client.pk)
    assert Client.objects.get(pk=client.pk).deleted_at is None


def test_people_limited_to_own_clients(actor):
    seat = SeatFactory(company=actor.company, role=Role.SALES, own_clients_only=True)
    limited = seat.actor()
    own = save_client(limited, name="Mine")
    assert own.rep == seat.user
    with pytest.raises(Invalid) as refusal:
        save_client(limited, client_id=own.pk, rep_id=actor.user.pk)
    assert set(refusal.value.fields) == {"rep_id"}
    with pytest.raises(NotFound):
        set_client_active(limited, client_id=ClientFactory(company=actor.company).pk, active=False)


def test_a_company_starts_with_lists(db):
    company = create_company(name="Northbeam Promo")
    statuses = ListValue.objects.filter(company=company, kind="status").order_by("position")
    assert [(s.name, s.glyph) for s in statuses] == [
        ("Active", "full"),
        ("Key account", "star"),
        ("Prospect", "half"),
        ("Lead", "empty"),
        ("Dormant", "dashed"),
    ]
    assert ListValue.objects.filter(company=company, kind="industry").count() == 22
    assert ListValue.objects.filter(company=company, kind="department").count() == 11


def test_so_does_the_first_company(db):
    company, user = create_first_company(name="N", email="a@staff.example.net", password="p" * 12)
    again, same_user = create_first_company(name="M", email="b@staff.example.net", password="q" * 12)
    assert (again, same_user) == (company, user)
    assert ListValue.objects.filter(kind="status").count() == 5


def test_list_values_are_added_renamed_reordered_retired_merged(actor):
    lead, active = (
        add_list_value(actor, kind=ListValue.Kind.STATUS, name=name) for name in ("Lead", "Active")
    )
    with pytest.raises(Invalid):
        add_list_value(actor, kind=ListValue.Kind.STATUS, name="LEAD")
    with pytest.raises(Invalid):
        rename_list_value(actor, value_id=lead.pk, name="active")
    rename_list_value(actor, value_id=lead.pk, name="Suspect", glyph="empty")
    reorder_list_values(actor, kind=ListValue.Kind.STATUS, value_ids=[active.pk])
    retire_list_value(actor, value_id=lead.pk)
    assert list(ListValue.objects.order_by("position").values_list("name", "glyph", "retired")) == [
        ("Active", "", False),
        ("Suspect", "empty", True),
    ]
    assert add_list_value(actor, kind=ListValue.Kind.STATUS, name="suspect").pk == lead.pk
    client = ClientFactory(company=actor.company, status=lead)
    assert merge_list_values(actor, value_id=lead.pk, into_id=active.pk) == 1
    client.refresh_from_db()
    assert client.status == active


def test_tags_are_made_once_whatever_their_case(actor):
    first = ensure_tags(actor.company, Tag.Kind.CLIENT, ["VIP", "Drinkware", "vip"])
    again = ensure_tags(actor.company, Tag.Kind.CLIENT, ["drinkware", "Vip"])
    assert again == first[::-1]
    assert Tag.objects.count() == 2


def test_tags_are_renamed_merged_deleted_everywhere(actor):
    vip, top = TagFactory(company=actor.company, name="VIP"), TagFactory(company=actor.company, name="Top")
    both = ContactFactory(company=actor.company, tag_ids=[top.pk, vip.pk])
    one = ContactFactory(company=actor.company, tag_ids=[vip.pk])
    with pytest.raises(Invalid):
        rename_tag(actor, tag_id=vip.pk, name="TOP")
    assert rename_tag(actor, tag_id=vip.pk, name="Best").name == "Best"
    assert merge_tags(actor, tag_id=vip.pk, into_id=top.pk) == 2
    both.refresh_from_db()
    one.refresh_from_db()
    assert (both.tag_ids, one.tag_ids) == ([top.pk], [top.pk])
    assert delete_tag(actor, tag_id=top.pk) == 2
    one.refresh_from_db()
    assert one.tag_ids == []
    assert not Tag.objects.exists()


@pytest.mark.parametrize("role", [Role.MANAGER, Role.SALES, Role.LIMITED, Role.READ_ONLY])
def test_lists_and_tags_are_for_who_manages_the_company(actor, role):
    someone = SeatFactory(company=actor.company, role=role).actor()
    value, tag = ListValueFactory(company=actor.company), TagFactory(company=actor.company)
    for call in (
        lambda: add_list_value(someone, kind=ListValue.Kind.STATUS, name="X"),
        lambda: rename_list_value(someone, value_id=value.pk, name="X"),
        lambda: reorder_list_values(someone, kind=ListValue.Kind.STATUS, value_ids=[value.pk]),
        lambda: retire_list_value(someone, value_id=value.pk),
        lambda: merge_list_values(someone, value_id=value.pk, into_id=value.pk),
        lambda: rename_tag(someone, tag_id=tag.pk, name="X"),
        lambda: merge_tags(someone, tag_id=tag.pk, into_id=tag.pk),
        lambda: delete_tag(someone, tag_id=tag.pk),
    ):
        with pytest.raises(NotPermitted):
            call()


def test_other_companies_lists_and_tags_do_not_exist(actor):
    value, tag = ListValueFactory(), TagFactory()
    for call in (
        lambda: rename_list_value(actor, value_id=value.pk, name="X"),
        lambda: retire_list_value(actor, value_id=value.pk),
        lambda: rename_tag(actor, tag_id=tag.pk, name="X"),
        lambda: delete_tag(actor, tag_id=tag.pk),
    ):
        with pytest.raises(NotFound):
            call()
