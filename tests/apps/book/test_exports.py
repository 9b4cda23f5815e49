"""The book goes out as CSV and comes back the same."""

import csv
import io

import pytest
from tests.factories import ClientFactory, ContactFactory, SeatFactory

from lockstep.apps.accounts.permissions import NotPermitted, Role
from lockstep.apps.accounts.services import create_company
from lockstep.apps.book.models import Client, Contact, Tag
from lockstep.apps.book.queries import ContactFilter
from lockstep.apps.book.sample import load_sample
from lockstep.apps.book.services import contacts_csv, contacts_xlsx, save_client
from lockstep.apps.book.services.imports import run_import, start_import

pytestmark = pytest.mark.django_db


def read(lines):
    text = "".join(lines)
    assert text.startswith("\ufeff")
    return list(csv.DictReader(io.StringIO(text[1:])))


def test_every_column_is_there_and_nothing_is_a_formula():
    actor = SeatFactory().actor()
    client = save_client(
        actor, name="=Kestrel()", phone="+1 303 555 0100", tags=["A", "B"], address={"city": "Boulder"}
    )
    ContactFactory(
        client=client,
        first_name="@SUM(A1)",
        last_name="-1",
        email="d@k.internal",
        no_marketing=True,
        state="Nevada",
    )
    ClientFactory(company=actor.company, name="Alone")
    ContactFactory()
    with_contact, alone = read(contacts_csv(actor))
    assert with_contact["Client Name"] == "'=Kestrel()"
    assert with_contact["Company Phone"] == "'+1 303 555 0100"
    assert (with_contact["Contact First Name"], with_contact["Contact Last Name"]) == ("'@SUM(A1)", "'-1")
    assert (with_contact["Address State"], with_contact["Address City"]) == ("Nevada", "")
    assert (with_contact["No Marketing"], with_contact["Client Tags"]) == ("yes", "A, B")
    assert (alone["Client Name"], alone["Contact Email"]) == ("Alone", "")
    assert list(with_contact)[:3] == ["Client Name", "Account Number", "Contact First Name"]
    assert len(with_contact) == 29


def book_of(company):
    names = dict(Tag.objects.filter(company=company).values_list("id", "name"))

    def text(value):
        return value.name if value else ""

    def tags(row):
        return tuple(names[tag_id] for tag_id in row.tag_ids)

    contacts = {
        (
            *(c.client.name, c.first_name, c.last_name, c.email, c.position, c.phone, c.extension, c.cell),
            *(text(c.department), tags(c), c.no_marketing, c.active, c.external_id),
        )
        for c in Contact.objects.filter(company=company).select_related("client", "department")
    }
    clients = {
        (
            *(c.name, c.account_number, text(c.status), text(c.industry), c.rep_id, c.website, c.phone),
            *(tags(c), c.external_id),
        )
        for c in Client.objects.filter(company=company).select_related("status", "industry")
    }
    return contacts, clients


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_a_book_survives_the_way_out_and_back_in(kind, django_assert_max_num_queries):
    first = SeatFactory(company=create_company(name="Northbeam"))
    second = SeatFactory(company=create_company(name="Northbeam"), user=first.user)
    load_sample(first.company, clients=60, contacts=600)
    for seat in first.company.seats.exclude(pk=first.pk):
        SeatFactory(company=second.company, user=seat.user)
    with django_assert_max_num_queries(8):
        if kind == "csv":
            data = "".join(contacts_csv(first.actor())).encode()
        else:
            data = b"".join(contacts_xlsx(first.actor()))
    parent = run_import(start_import(second.actor(), io.BytesIO(data), f"book.{kind}", queue=False).pk)
    assert (parent.error, parent.counts["refused_rows"], parent.counts["merged_rows"]) == ("", 0, 0)
    out, back = book_of(first.company), book_of(second.company)
    assert [out[0] - back[0], back[0] - out[0]] == [set(), set()]
    assert [out[1] - back[1], back[1] - out[1]] == [set(), set()]
    again = run_import(start_import(first.actor(), io.BytesIO(data), f"book.{kind}", queue=False).pk)
    assert again.counts["unchanged_contacts"] == 600
    assert again.counts["changed_clients"] == 0


def test_only_what_fits_and_only_for_who_may():
    seat = SeatFactory()
    wanted = ContactFactory(company=seat.company, no_marketing=True)
    ContactFactory(company=seat.company)
    ClientFactory(company=seat.company)
    rows = read(contacts_csv(seat.actor(), ContactFilter(no_marketing=True)))
    assert [row["Contact Email"] for row in rows] == [wanted.email]
    limited = SeatFactory(company=seat.company, role=Role.SALES, own_clients_only=True).actor()
    assert read(contacts_csv(limited)) == []
    with pytest.raises(NotPermitted):
        contacts_csv(SeatFactory(role=Role.READ_ONLY).actor())
