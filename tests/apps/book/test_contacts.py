"""Contacts: what can be saved, what is refused and how, what history says."""

import pytest
from tests.factories import ClientFactory, ContactFactory, ListValueFactory, SeatFactory

from lockstep.apps.accounts.permissions import NotPermitted, Role
from lockstep.apps.book.errors import Invalid, NotFound
from lockstep.apps.book.models import Contact, HistoryEntry, ListValue, Tag
from lockstep.apps.book.services import (
    delete_client,
    delete_contact,
    restore_client,
    restore_contact,
    save_contact,
    set_contact_active,
    set_no_marketing,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def actor():
    return SeatFactory(user__first_name="Priya", user__last_name="Nair").actor()


@pytest.fixture
def client(actor):
    return ClientFactory(company=actor.company, name="Kestrel Outdoor Co.")


def history_of(contact):
    entries = HistoryEntry.objects.filter(subject_kind="contact", subject_id=contact.pk).order_by("id")
    return [(entry.action, entry.changes) for entry in entries]


def test_a_new_contact_is_saved_with_its_history(actor, client):
    department = ListValueFactory(company=actor.company, kind=ListValue.Kind.DEPARTMENT, name="Marketing")
    contact = save_contact(
        actor,
        client_id=client.pk,
        first_name="  Dana ",
        last_name="Whitfield",
        email="dana.whitfield@kestrel.example.net",
        department_id=department.pk,
        tags=["VIP", "vip", " Holiday  gifts "],
    )
    contact.refresh_from_db()
    assert contact.full_name == "Dana Whitfield"
    assert contact.email_key == "dana.whitfield@kestrel.example.net"
    assert list(Tag.objects.order_by("id").values_list("name", flat=True)) == ["VIP", "Holiday gifts"]
    assert history_of(contact) == [
        (
            "created",
            {
                "first_name": ["", "Dana"],
                "last_name": ["", "Whitfield"],
                "email": ["", "dana.whitfield@kestrel.example.net"],
                "no_marketing": ["", "no"],
                "active": ["", "yes"],
                "client": ["", "Kestrel Outdoor Co."],
                "department": ["", "Marketing"],
                "tags": ["", "VIP, Holiday gifts"],
            },
        )
    ]


def test_only_what_is_given_changes_and_history_reads_like_people_do(actor, client):
    contact = save_contact(actor, client_id=client.pk, first_name="Dana", phone="1", tags=["VIP"])
    other = ClientFactory(company=actor.company, name="Oakline")
    save_contact(actor, contact_id=contact.pk, phone="2", client_id=other.pk, tags=["VIP", "New"])
    contact.refresh_from_db()
    assert (contact.first_name, contact.phone, contact.client_id) == ("Dana", "2", other.pk)
    assert history_of(contact)[1] == (
        "changed",
        {
            "phone": ["1", "2"],
            "client": ["Kestrel Outdoor Co.", "Oakline"],
            "tags": ["VIP", "VIP, New"],
        },
    )


def test_saving_what_is_there_already_writes_nothing(actor, client):
    contact = save_contact(actor, client_id=client.pk, first_name="Dana", tags=["VIP"])
    save_contact(actor, contact_id=contact.pk, first_name="Dana ", tags=["vip"])
    assert len(history_of(contact)) == 1
    assert Contact.objects.get(pk=contact.pk).updated_at == contact.updated_at


@pytest.mark.parametrize(
    ("values", "field", "text"),
    [
        ({"first_name": ""}, "first_name", "Give the contact a name or an e-mail address."),
        (
            {"email": "dana@@kestrel"},
            "email",
            "“dana@@kestrel” can't be an e-mail address. Check it for typing mistakes.",
        ),
        ({"first_name": "x" * 101}, "first_name", "This is too long: 101 characters, 100 fit."),
        ({"tags": ["a,b"]}, "tags", "The tag “a,b” can't contain a comma or a semicolon."),
        ({"department_id": 0}, "department_id", "Choose one of the values in the list."),
        ({"client_id": 0}, "client_id", "This client does not exist, or you can't see it."),
        ({"client_id": None}, "client_id", "Choose the client that this contact belongs to."),
    ],
)
def test_what_cannot_be_taken_is_said_field_by_field(actor, client, values, field, text):
    given = {"client_id": client.pk, "first_name": "Dana", **values}
    with pytest.raises(Invalid) as refusal:
        save_contact(actor, **given)
    assert refusal.value.fields == {field: text}
    assert not Contact.objects.exists()
    assert not Tag.objects.exists()


def test_all_complaints_come_at_once(actor, client):
    with pytest.raises(Invalid) as refusal:
        save_contact(actor, client_id=client.pk, email="nonsense", phone="1" * 61)
    assert set(refusal.value.fields) == {"email", "phone"}


def test_an_imported_invalid_address_does_not_stand_in_the_way(actor, client):
    contact = ContactFactory(client=client, email="not an address")
    save_contact(actor, contact_id=contact.pk, position="Buyer", email="not an address")
    contact.refresh_from_db()
    assert (contact.position, contact.email_valid) == ("Buyer", False)


def test_what_postgresql_cannot_hold_is_dropped(actor, client):
    contact = save_contact(
        actor, client_id=client.pk, first_name="Da\x00na\ud800 \u202e🎁", position="a\tb\r\nc"
    )
    contact.refresh_from_db()
    assert (contact.first_name, contact.position) == ("Da na 🎁", "a b c")


def test_no_marketing_keeps_its_date_and_reason_until_undone(actor, client):
    contact = ContactFactory(client=client)
    first = set_no_marketing(actor, contact_id=contact.pk, no_marketing=True, reason="Asked by phone")
    again = set_no_marketing(actor, contact_id=contact.pk, no_marketing=True)
    assert again.no_marketing_at == first.no_marketing_at is not None
    assert again.no_marketing_reason == "Asked by phone"
    assert len(history_of(contact)) == 1
    undone = set_no_marketing(actor, contact_id=contact.pk, no_marketing=False)
    assert (undone.no_marketing, undone.no_marketing_at, undone.no_marketing_reason) == (False, None, "")
    assert history_of(contact)[1] == (
        "changed",
        {"no_marketing": ["yes", "no"], "no_marketing_reason": ["Asked by phone", ""]},
    )


def test_deleted_contacts_come_back(actor, client):
    contact = ContactFactory(client=client)
    delete_contact(actor, contact_id=contact.pk)
    with pytest.raises(NotFound):
        set_contact_active(actor, contact_id=contact.pk, active=False)
    restore_contact(actor, contact_id=contact.pk)
    contact.refresh_from_db()
    assert contact.deleted_at is None
    assert [action for action, _ in history_of(contact)] == ["deleted", "restored"]


def test_contacts_leave_and_return_with_their_client_but_not_those_deleted_before(actor, client):
    stays = ContactFactory(client=client)
    gone_before = ContactFactory(client=client)
    delete_contact(actor, contact_id=gone_before.pk)
    assert delete_client(actor, client_id=client.pk) == 1
    stays.refresh_from_db()
    client.refresh_from_db()
    assert stays.deleted_at == client.deleted_at is not None
    with pytest.raises(Invalid, match=r"Restore the client first\."):
        restore_contact(actor, contact_id=stays.pk)
    assert restore_client(actor, client_id=client.pk) == 1
    stays.refresh_from_db()
    gone_before.refresh_from_db()
    assert stays.deleted_at is None
    assert gone_before.deleted_at is not None


def test_another_company_s_contact_does_not_exist(actor):
    foreign = ContactFactory()
    with pytest.raises(NotFound):
        save_contact(actor, contact_id=foreign.pk, first_name="Mine")
    with pytest.raises(Invalid):
        save_contact(actor, client_id=foreign.client_id, first_name="Mine")


def test_people_limited_to_own_clients_reach_no_other(actor, client):
    seat = SeatFactory(company=actor.company, role=Role.SALES, own_clients_only=True)
    foreign = ContactFactory(client=client)
    own = ContactFactory(client=ClientFactory(company=actor.company, rep=seat.user))
    save_contact(seat.actor(), contact_id=own.pk, position="Buyer")
    with pytest.raises(NotFound):
        save_contact(seat.actor(), contact_id=foreign.pk, position="Buyer")
    with pytest.raises(Invalid):
        save_contact(seat.actor(), contact_id=own.pk, client_id=client.pk)


@pytest.mark.parametrize(
    ("role", "may_save", "may_delete"),
    [
        (Role.ADMIN, True, True),
        (Role.MANAGER, True, True),
        (Role.SALES, True, False),
        (Role.LIMITED, True, False),
        (Role.READ_ONLY, False, False),
    ],
)
def test_roles(actor, client, role, may_save, may_delete):
    someone = SeatFactory(company=actor.company, role=role).actor()
    contact = ContactFactory(client=client)
    for allowed, call in (
        (may_save, lambda: save_contact(someone, contact_id=contact.pk, position="Buyer")),
        (may_delete, lambda: delete_contact(someone, contact_id=contact.pk)),
    ):
        if allowed:
            call()
        else:
            with pytest.raises(NotPermitted):
                call()
