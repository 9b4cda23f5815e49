"""The sample book: deterministic, with everything that real books have."""

import pytest
from django.db.models import Count
from tests.factories import CompanyFactory, SeatFactory

from lockstep.apps.accounts.services import create_company
from lockstep.apps.book.errors import Invalid
from lockstep.apps.book.models import Client, Contact, Tag
from lockstep.apps.book.sample import generate_book, load_sample, remove_sample

pytestmark = pytest.mark.django_db


def content(company):
    contacts = Contact.objects.filter(company=company).order_by("id")
    return list(
        contacts.values_list(
            "client__name", "first_name", "last_name", "email", "position", "no_marketing", "active"
        )
    )


def test_the_sample_has_what_real_books_have():
    company = create_company(name="Northbeam Promo")
    load_sample(company)
    contacts = Contact.objects.filter(company=company)
    assert Client.objects.filter(company=company).count() == 500
    assert contacts.count() == 4_000
    assert contacts.filter(email="").count() > 100
    assert contacts.filter(email_valid=False).exclude(email="").count() > 10
    assert contacts.filter(no_marketing=True).count() > 100
    assert contacts.filter(active=False).count() > 50
    shared = contacts.exclude(email="").values("email_key").annotate(n=Count("id")).filter(n__gt=1)
    assert shared.count() > 20
    assert contacts.filter(last_name__contains="Ł").exists()
    assert contacts.filter(position__contains="🎉").exists()
    names = dict(Tag.objects.filter(company=company).values_list("id", "name"))
    lengths = [len(", ".join(names[i] for i in c.tag_ids).encode()) for c in contacts]
    assert sum(length > 255 for length in lengths) >= 10
    assert Client.objects.filter(company=company).values("rep").distinct().count() == 5
    assert not Client.objects.filter(company=company, contacts=None).exists()
    domains = {c.email.rpartition("@")[2] for c in contacts if c.email_valid}
    assert {d for d in domains if not d.endswith(".internal")} == {"gmial.com", "example.com"}


def test_the_same_numbers_make_the_same_book():
    first, second = create_company(name="A"), create_company(name="A")
    load_sample(first, clients=40, contacts=300, seed=7)
    load_sample(second, clients=40, contacts=300, seed=7)
    assert content(first) == content(second)
    other = create_company(name="A")
    load_sample(other, clients=40, contacts=300, seed=8)
    assert content(other) != content(first)


def test_the_sample_is_for_an_empty_book_and_goes_as_a_whole():
    company = create_company(name="A")
    load_sample(company, clients=5, contacts=20)
    with pytest.raises(Invalid):
        load_sample(company)
    assert remove_sample(company) == 20
    assert not Contact.objects.filter(company=company, deleted_at=None).exists()
    load_sample(company, clients=5, contacts=20)
    assert Contact.objects.filter(company=company, deleted_at=None).count() == 20


def test_a_generated_book_has_the_numbers_asked_for():
    company = CompanyFactory()
    SeatFactory(company=company)
    generate_book(company, clients=50, contacts=700, batch=300)
    assert Client.objects.filter(company=company).count() == 50
    contacts = Contact.objects.filter(company=company)
    assert contacts.count() == 700
    assert contacts.filter(email="").exists()
    assert contacts.filter(no_marketing=True).exists()
    assert contacts.values("client").distinct().count() == 50
    assert contacts.values("first_name").distinct().count() > 50
    generate_book(company, clients=10, contacts=20)
    assert Client.objects.filter(company=company).count() == 60
