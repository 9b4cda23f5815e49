"""Change capture: whatever writes the book, and however, what was touched is recorded; nothing else is.

A table of writes. Each row says how somebody writes and which changes the triggers must record.
"""

import io
from dataclasses import dataclass, field

import pytest
from django.db import connection
from django.db.models import F
from django.utils import timezone
from tests.factories import (
    ClientFactory,
    ContactFactory,
    ListValueFactory,
    SeatFactory,
    TagFactory,
    UserFactory,
)

from lockstep.apps.accounts.models import Company, User
from lockstep.apps.book.capture import CHANNEL
from lockstep.apps.book.models import Change, Client, ClientAddress, Contact, ListValue, Tag
from lockstep.apps.book.services import (
    delete_client,
    delete_tag,
    merge_list_values,
    merge_tags,
    rename_list_value,
    rename_tag,
    restore_client,
    save_client,
    save_contact,
    set_no_marketing,
)
from lockstep.apps.book.services.imports import run_import, start_import

pytestmark = pytest.mark.django_db


@dataclass
class Book:
    """A small book; the names in the tables below are these."""

    actor: object
    status: ListValue
    other_status: ListValue
    department: ListValue
    client_tag: Tag
    contact_tag: Tag
    other_tag: Tag
    client: Client
    other_client: Client
    address: ClientAddress
    contact: Contact
    colleague: Contact
    rep: User = field(init=False)
    names: dict = field(init=False)
    """Names of the rows by kind and id, so that a recorded change can be told by name."""

    def __post_init__(self):
        self.rep = self.client.rep
        self.names = {
            ("contact", self.contact.pk): "contact",
            ("contact", self.colleague.pk): "colleague",
            ("client", self.client.pk): "client",
            ("client", self.other_client.pk): "other_client",
            ("address", self.client.pk): "address of client",
            ("address", self.other_client.pk): "address of other_client",
            ("list_value", self.status.pk): "status",
            ("list_value", self.department.pk): "department",
            ("list_value", self.other_status.pk): "other_status",
            ("tag", self.client_tag.pk): "client_tag",
            ("tag", self.contact_tag.pk): "contact_tag",
            ("tag", self.other_tag.pk): "other_tag",
            ("rep", self.rep.pk): "rep",
        }


@pytest.fixture
def book():
    seat = SeatFactory()
    company = seat.company
    status = ListValueFactory(company=company, name="Active")
    client_tag = TagFactory(company=company, kind="client", name="Drinkware")
    contact_tag = TagFactory(company=company, name="VIP")
    client = ClientFactory(
        company=company, name="Kestrel", status=status, rep=seat.user, tag_ids=[client_tag.pk]
    )
    department = ListValueFactory(company=company, kind="department", name="Marketing")
    made = Book(
        actor=seat.actor(),
        status=status,
        other_status=ListValueFactory(company=company, name="Lead"),
        department=department,
        client_tag=client_tag,
        contact_tag=contact_tag,
        other_tag=TagFactory(company=company, name="Golf"),
        client=client,
        other_client=ClientFactory(company=company, name="Oakline"),
        address=ClientAddress.objects.create(company=company, client=client, state="Colorado"),
        contact=ContactFactory(
            client=client, email="dana@kestrel.internal", department=department, tag_ids=[contact_tag.pk]
        ),
        colleague=ContactFactory(client=client),
    )
    ContactFactory()  # another company's, never touched
    Change.objects.all().delete()
    return made


def recorded(book):
    """What was recorded, by name; rows that are new since the book was made count as “new …”."""
    changes = Change.objects.values_list("company_id", "kind", "object_id")
    assert {company_id for company_id, _kind, _id in changes} <= {book.actor.company.pk}
    return sorted(book.names.get((kind, object_id), f"new {kind}") for _company, kind, object_id in changes)


def raw(sql, *values):
    with connection.cursor() as cursor:
        cursor.execute(sql, values)


def save(row, **values):
    for name, value in values.items():
        setattr(row, name, value)
    row.save()


def copy_contact(book):
    columns = (
        "company_id, client_id, first_name, last_name, position, email, phone, extension, cell, fax, line1,"
        " line2, city, state, postal_code, country, tag_ids, no_marketing, no_marketing_reason, active,"
        " external_id, created_at, updated_at"
    )
    row = (
        book.actor.company.pk,
        book.client.pk,
        *[""] * 14,
        [],
        False,
        "",
        True,
        "",
        timezone.now(),
        timezone.now(),
    )
    with connection.cursor() as cursor, cursor.copy(f"COPY book_contact ({columns}) FROM STDIN") as copy:
        copy.write_row(row)


def bulk_update(book):
    book.contact.phone, book.colleague.phone = "1", "2"
    Contact.objects.bulk_update([book.contact, book.colleague], ["phone"])


def bulk_create(book):
    client = book.client
    contacts.bulk_create(ContactFactory.build(company=client.company, client=client) for _ in "ab")


TEXTS = (
    "last_name, position, email, phone, extension, cell, fax, line1, line2, city, state, postal_code,"
    " country, no_marketing_reason, external_id"
)
COPIED = f"""
    INSERT INTO book_contact (id, company_id, client_id, first_name, {TEXTS},
            tag_ids, no_marketing, active, created_at, updated_at)
        SELECT {{id}}, company_id, client_id, 'Copied', {", ".join(["''"] * 15)},
            '{{{{}}}}', false, true, now(), now()
        FROM book_contact WHERE client_id = %s
"""


def load_file(book, text):
    parent = start_import(book.actor, io.BytesIO(text.encode()), "x.csv", queue=False)
    assert run_import(parent.pk).error == ""


contacts = Contact.objects
BOTH = ["colleague", "contact"]

MATTERS = {
    # Contacts, through every kind of write
    "orm save": (lambda b: save(b.contact, first_name="D"), ["contact"]),
    "orm create": (lambda b: ContactFactory(client=b.client), ["new contact"]),
    "service": (lambda b: save_contact(b.actor, contact_id=b.contact.pk, position="Boss"), ["contact"]),
    "update": (lambda b: contacts.filter(client=b.client).update(phone="9"), BOTH),
    "update with an expression": (
        lambda b: contacts.filter(pk=b.contact.pk).update(last_name=F("first_name")),
        ["contact"],
    ),
    "bulk_update": (bulk_update, BOTH),
    "bulk_create": (
        bulk_create,
        ["new contact", "new contact"],
    ),
    "raw update": (
        lambda b: raw("UPDATE book_contact SET state = 'X' WHERE id = %s", b.contact.pk),
        ["contact"],
    ),
    "raw insert … select": (
        lambda b: raw(COPIED.format(id="nextval('book_contact_id_seq')"), b.client.pk),
        ["new contact", "new contact"],
    ),
    "upsert": (
        lambda b: raw(
            COPIED.format(id="id")
            + " ON CONFLICT (id) DO UPDATE SET first_name = excluded.first_name WHERE book_contact.id = %s",
            b.client.pk,
            b.contact.pk,
        ),
        ["contact"],
    ),
    "copy": (copy_contact, ["new contact"]),
    "import": (
        lambda b: load_file(
            b, "Client Name,Contact First Name,Contact Email\nKestrel,New,dana@kestrel.internal\n"
        ),
        ["contact"],
    ),
    "hard delete": (lambda b: b.contact.delete(), ["contact"]),
    # What about a contact matters
    "e-mail": (lambda b: save(b.contact, email="new@kestrel.internal"), ["contact"]),
    "e-mail's case": (lambda b: save(b.contact, email="DANA@kestrel.internal"), ["contact"]),
    "extension": (lambda b: save(b.contact, extension="5"), ["contact"]),
    "department": (lambda b: save(b.contact, department=None), ["contact"]),
    "tags": (lambda b: save(b.contact, tag_ids=[]), ["contact"]),
    "order of tags": (
        lambda b: (
            (save(b.contact, tag_ids=[b.contact_tag.pk, b.other_tag.pk]), Change.objects.all().delete())
            and save(b.contact, tag_ids=[b.other_tag.pk, b.contact_tag.pk])
        ),
        ["contact"],
    ),
    "own address": (lambda b: save(b.contact, city="Reno"), ["contact"]),
    "no marketing": (
        lambda b: set_no_marketing(b.actor, contact_id=b.contact.pk, no_marketing=True),
        ["contact"],
    ),
    "active": (lambda b: save(b.contact, active=False), ["contact"]),
    "soft delete": (lambda b: save(b.contact, deleted_at=timezone.now()), ["contact"]),
    "move to another client": (lambda b: save(b.contact, client=b.other_client), ["contact"]),
    # Clients
    "client renamed": (lambda b: save_client(b.actor, client_id=b.client.pk, name="K"), ["client"]),
    "client status": (lambda b: save_client(b.actor, client_id=b.client.pk, status_id=None), ["client"]),
    "client industry": (
        lambda b: save(b.client, industry=ListValueFactory(company=b.client.company, kind="industry")),
        ["client"],
    ),
    "client rep": (lambda b: save_client(b.actor, client_id=b.client.pk, rep_id=None), ["client"]),
    "client tags": (
        lambda b: save_client(b.actor, client_id=b.client.pk, tags=["Drinkware", "X"]),
        ["client"],
    ),
    "client active": (lambda b: save(b.client, active=False), ["client"]),
    "client deleted with its contacts": (
        lambda b: delete_client(b.actor, client_id=b.client.pk),
        ["client", *BOTH],
    ),
    "client restored": (
        lambda b: (
            delete_client(b.actor, client_id=b.client.pk)
            and Change.objects.all().delete()
            and restore_client(b.actor, client_id=b.client.pk)
        ),
        ["client", *BOTH],
    ),
    "clients by update": (
        lambda b: Client.objects.filter(company=b.client.company).update(status=b.other_status),
        ["client", "other_client"],
    ),
    # Addresses
    "address changed": (lambda b: save(b.address, state="Nevada"), ["address of client"]),
    "address added": (
        lambda b: ClientAddress.objects.create(company=b.client.company, client=b.other_client),
        ["address of other_client"],
    ),
    "address no longer primary": (lambda b: save(b.address, is_primary=False), ["address of client"]),
    "address moved": (
        lambda b: save(b.address, client=b.other_client),
        ["address of client", "address of other_client"],
    ),
    "address deleted": (lambda b: b.address.delete(), ["address of client"]),
    "address by service": (
        lambda b: save_client(b.actor, client_id=b.client.pk, address={"country": "Canada"}),
        ["address of client"],
    ),
    # Lists, tags, reps
    "status renamed": (lambda b: rename_list_value(b.actor, value_id=b.status.pk, name="Live"), ["status"]),
    "department renamed": (lambda b: save(b.department, name="Brand"), ["department"]),
    "status merged": (
        lambda b: merge_list_values(b.actor, value_id=b.status.pk, into_id=b.other_status.pk),
        ["client"],
    ),
    "tag renamed": (lambda b: rename_tag(b.actor, tag_id=b.contact_tag.pk, name="Top"), ["contact_tag"]),
    "tag renamed by raw sql": (
        lambda b: raw("UPDATE book_tag SET name = 'Z' WHERE id = %s", b.client_tag.pk),
        ["client_tag"],
    ),
    "tag deleted": (lambda b: delete_tag(b.actor, tag_id=b.contact_tag.pk), ["contact", "contact_tag"]),
    "tags merged": (
        lambda b: merge_tags(b.actor, tag_id=b.contact_tag.pk, into_id=b.other_tag.pk),
        ["contact", "contact_tag"],
    ),
    "rep renamed": (lambda b: save(b.rep, last_name="New"), ["rep"]),
    "rep renamed by update": (lambda b: User.objects.filter(pk=b.rep.pk).update(first_name="New"), ["rep"]),
    "a colleague who may become a rep meanwhile": (
        lambda b: save(SeatFactory(company=b.actor.company).user, last_name="X"),
        ["new rep"],
    ),
    "rep deleted": (lambda b: b.rep.delete(), ["client"]),
}

DOES_NOT_MATTER = {
    "contact saved as it was": lambda b: b.contact.save(),
    "contact updated to what it was": lambda b: contacts.update(first_name=F("first_name")),
    "reason of no marketing": lambda b: save(b.contact, no_marketing_reason="x"),
    "cell": lambda b: save(b.contact, cell="1"),
    "fax": lambda b: save(b.contact, fax="1"),
    "external id of a contact": lambda b: save(b.contact, external_id="1"),
    "time of change": lambda b: contacts.update(updated_at=timezone.now()),
    "notes": lambda b: save_client(b.actor, client_id=b.client.pk, notes="x"),
    "account number": lambda b: save(b.client, account_number="1"),
    "website": lambda b: save(b.client, website="https://kestrel.internal"),
    "a new client": lambda b: save_client(b.actor, name="New one"),
    "street of a client": lambda b: save(b.address, line1="1 Main Street", city="Boulder"),
    "a new list value": lambda b: ListValueFactory(company=b.actor.company),
    "order of a list": lambda b: save(b.status, position=9),
    "a retired value": lambda b: save(b.status, retired=True),
    "a new tag": lambda b: TagFactory(company=b.actor.company),
    "a user elsewhere": lambda b: save(UserFactory(), last_name="X"),
    "a rep's e-mail address": lambda b: save(b.rep, email="other@staff.internal"),
    "a sign-in of a rep": lambda b: save(b.rep, last_login=timezone.now()),
    "an update of nothing": lambda b: contacts.filter(pk=0).update(first_name="x"),
    "a file loaded again": lambda b: load_file(
        b, "Client Name,Contact Email,Contact Fax\nKestrel,dana@kestrel.internal,7\n"
    ),
}


@pytest.mark.parametrize("write", MATTERS)
def test_what_is_touched_is_recorded(book, write):
    act, expected = MATTERS[write]
    act(book)
    assert recorded(book) == sorted(expected)


@pytest.mark.parametrize("write", DOES_NOT_MATTER)
def test_what_does_not_matter_is_not(book, write):
    DOES_NOT_MATTER[write](book)
    assert recorded(book) == []


def test_every_column_of_a_contact_was_decided_about():
    """A new column must be put on one side or the other: captured, or named here as not mattering."""
    (trigger,) = [t for t in Contact._meta.triggers if t.name == "capture_contact_update"]
    columns = {f.column for f in Contact._meta.concrete_fields}
    idle = {
        *("id", "company_id", "created_at", "updated_at", "external_id"),
        *("cell", "fax", "no_marketing_reason", "no_marketing_at"),
        "merged_into_id",  # set together with deleted_at
        *("name_key", "email_key", "email_valid"),  # follow from captured ones
    }
    captured = {name for name in columns if f"o.{name}," in trigger.func or f"o.{name})" in trigger.func}
    assert captured | idle == columns
    assert not captured & idle


@pytest.mark.django_db(transaction=True)
def test_the_workers_are_told_after_the_commit_once_a_company(transactional_db):
    client = ClientFactory()
    ContactFactory.create_batch(5, client=client)
    elsewhere = ContactFactory()
    with connection.cursor() as cursor:
        cursor.execute(f"LISTEN {CHANNEL}")
    told = list(connection.connection.notifies(timeout=0.2))
    contacts.update(phone="changed")
    told = list(connection.connection.notifies(timeout=5, stop_after=2))
    assert sorted(int(note.payload) for note in told) == sorted([client.company_id, elsewhere.company_id])
    with connection.cursor() as cursor:
        cursor.execute(f"UNLISTEN {CHANNEL}")


@pytest.mark.django_db(transaction=True)
def test_deleting_a_company_works_though_its_rows_are_captured(transactional_db):
    contact = ContactFactory()
    ClientAddress.objects.create(company=contact.company, client=contact.client)
    Company.objects.filter(pk=contact.company_id).first()
    contact.delete()
    contact.client.delete()
    contact.company.delete()
    assert not Company.objects.exists()
