"""The tallies and the bits of reasons say, at every moment, exactly what SQL over the whole book says."""

import itertools
import random

import pytest
from django.db import connection as database
from tests.factories import (
    ClientFactory,
    CompanyFactory,
    ContactFactory,
    ListValueFactory,
    TagFactory,
    UserFactory,
)

from lockstep.apps.accounts.permissions import Actor
from lockstep.apps.book.models import Client, ClientAddress, Contact, ListValue, Tag
from lockstep.apps.book.queries import ContactFilter, contacts_page, filtered_contacts, sidebar_counts
from lockstep.apps.book.tallies import CLIENT, CONTACT, EVERYONE, Clause, numbers_of, read_sheet
from lockstep.apps.book.tallies.building import make_tallies
from lockstep.apps.book.tallies.models import Tally, TallyMark
from lockstep.apps.book.tallies.sheets import BLOCK
from lockstep.apps.connections.preferences import NONE_GIVEN, Preferences
from lockstep.apps.connections.queries import choices
from lockstep.apps.connections.queries.picks import _counts
from lockstep.apps.sync.eligibility import parameters, reason_sql
from lockstep.apps.sync.models import DuplicateChoice
from lockstep.apps.sync.queries import duplicates, reason_counts
from lockstep.apps.sync.queries.reasons import read_reasons
from lockstep.core.member import Reason

pytestmark = pytest.mark.django_db

NUMBERS = itertools.count(10_000_000)
PLACES = [("CA", "USA"), ("ON", "Canada"), ("", ""), (" CA ", "USA")]
EMAILS = ["", "not an address", *(f"p{n}@shared.example.net" for n in range(6))]


class Book:
    """A company whose book changes at random, over three blocks of ids that lie apart."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.company = CompanyFactory()
        self.actor = Actor.lockstep(self.company)
        kinds = ListValue.Kind
        self.lists = {
            kind: [ListValueFactory(company=self.company, kind=kind).pk for _ in range(3)] + [None]
            for kind in (kinds.STATUS, kinds.INDUSTRY, kinds.DEPARTMENT)
        }
        self.tags = {
            kind: [TagFactory(company=self.company, kind=kind).pk for _ in range(3)] for kind in Tag.Kind
        }
        self.reps = [UserFactory().pk, None]
        self.clients = [self.client() for _ in range(8)]
        for _ in range(60):
            self.contact()

    def some_tags(self, kind: Tag.Kind) -> list[int]:
        return self.chance.sample(self.tags[kind], self.chance.randrange(3))

    def client(self) -> Client:
        client = ClientFactory(company=self.company, **self.of_client())
        if self.chance.random() < 0.7:
            state, country = self.chance.choice(PLACES)
            ClientAddress.objects.create(company=self.company, client=client, state=state, country=country)
        return client

    def of_client(self) -> dict:
        return {
            "status_id": self.chance.choice(self.lists[ListValue.Kind.STATUS]),
            "industry_id": self.chance.choice(self.lists[ListValue.Kind.INDUSTRY]),
            "rep_id": self.chance.choice(self.reps),
            "tag_ids": self.some_tags(Tag.Kind.CLIENT),
            "active": self.chance.random() < 0.85,
        }

    def contact(self) -> Contact:
        number = next(NUMBERS)
        pk = number + self.chance.choice((0, 20, 50)) * BLOCK
        return ContactFactory(pk=pk, client=self.chance.choice(self.clients), **self.of_contact(number))

    def of_contact(self, number: int) -> dict:
        state, country = self.chance.choice(PLACES) if self.chance.random() < 0.3 else ("", "")
        email = self.chance.choice(EMAILS) if self.chance.random() < 0.6 else f"p{number}@own.example.net"
        return {
            "email": email.upper() if self.chance.random() < 0.2 else email,
            "department_id": self.chance.choice(self.lists[ListValue.Kind.DEPARTMENT]),
            "tag_ids": self.some_tags(Tag.Kind.CONTACT),
            "state": state,
            "country": country,
            "no_marketing": self.chance.random() < 0.08,
            "active": self.chance.random() < 0.9,
        }

    def change(self) -> None:
        from django.utils import timezone

        some = Contact.objects.filter(company=self.company).order_by("id")
        one = some[self.chance.randrange(some.count())]
        client = Client.objects.filter(pk=self.chance.choice(self.clients).pk)
        match self.chance.randrange(9):
            case 0 | 1:
                some.filter(pk=one.pk).update(**self.of_contact(one.pk))
            case 2:
                client.update(**self.of_client())
            case 3:
                self.contact()
            case 4:
                some.filter(pk=one.pk).update(deleted_at=None if one.deleted_at else timezone.now())
            case 5:
                state, country = self.chance.choice(PLACES)
                ClientAddress.objects.filter(client__in=client).update(state=state, country=country)
            case 6:
                some.filter(pk=one.pk).update(client=self.chance.choice(self.clients))
            case 7:
                one.delete()
            case 8 if one.email_key:
                DuplicateChoice.objects.update_or_create(
                    company=self.company, email_key=one.email_key, defaults={"contact": one}
                )

    def preferences(self) -> Preferences:
        kinds = {
            "status_ids": self.lists[ListValue.Kind.STATUS],
            "industry_ids": self.lists[ListValue.Kind.INDUSTRY],
            "department_ids": self.lists[ListValue.Kind.DEPARTMENT],
            "client_tag_ids": [*self.tags[Tag.Kind.CLIENT], None],
            "contact_tag_ids": [*self.tags[Tag.Kind.CONTACT], None],
        }
        chosen = self.chance.sample(list(kinds), self.chance.randrange(3))
        return Preferences.from_json(
            {kind: [value or NONE_GIVEN for value in self.chance.sample(kinds[kind], 2)] for kind in chosen}
        )


def judged(book: Book, preferences: Preferences) -> dict[int, Reason]:
    """By contact, what the one SQL expression says."""
    with database.cursor() as cursor:
        cursor.execute(
            f"""SELECT ct.id, {reason_sql(preferences)} FROM book_contact ct
                JOIN book_client cl ON cl.id = ct.client_id
                WHERE ct.company_id = %(company)s AND ct.deleted_at IS NULL AND cl.deleted_at IS NULL""",
            parameters(book.company.pk, preferences),
        )
        return {pk: Reason(reason) for pk, reason in cursor.fetchall()}


@pytest.mark.parametrize("seed", range(6))
def test_every_reason_is_the_one_that_sql_gives_whatever_changed_since_the_bits_were_made(seed):
    book = Book(seed)
    for step in range(12):
        if step % 4 == 1:
            make_tallies(book.company.pk, smallest=1)
        for _ in range(4):
            book.change()
        preferences = book.preferences()
        found = read_reasons(book.company.pk, preferences)
        by_bits = {pk: reason for reason, bits in found.bits.items() for pk in found.sheet.ids(bits)}
        expected = judged(book, preferences)
        assert by_bits == expected
        counted = {reason: list(expected.values()).count(reason) for reason in set(expected.values())}
        assert reason_counts(book.company.pk, preferences).by_reason == counted
        left_out, groups, more = duplicates(book.company.pk, preferences)
        assert (left_out, more) == (counted.get(Reason.DUPLICATE, 0), 0)
        synced = [contact.contact_id for group in groups for contact in group.contacts if contact.synced]
        assert all(expected[pk] is Reason.FITS for pk in synced)
        assert len(synced) == len(groups)


@pytest.mark.parametrize("seed", range(4))
def test_counts_are_those_of_the_tables(seed):
    book = Book(100 + seed)
    for step in range(8):
        if step % 3 == 1:
            make_tallies(book.company.pk, smallest=1)
        for _ in range(5):
            book.change()
        contacts = Contact.objects.filter(company=book.company, deleted_at=None)
        counts = sidebar_counts(book.actor)
        assert counts.contacts == contacts.count()
        assert counts.clients == Client.objects.filter(company=book.company, deleted_at=None).count()
        wanted = ContactFilter(
            status_ids=[book.lists["status"][0], 0],
            contact_tag_ids=book.tags[Tag.Kind.CONTACT][:2],
            has_email=book.chance.choice([True, False, None]),
            no_marketing=book.chance.choice([True, False, None]),
        )
        rows = filtered_contacts(book.actor, wanted)
        page = contacts_page(book.actor, wanted)
        assert (page.total, page.total_is_exact) == (rows.count(), True)
        offered = choices(book.company.pk)
        for kind, listed in offered.items():
            by_sql = _counts(book.company.pk, kind)
            assert {one.id: one.count for one in listed if one.count} == by_sql


def test_bits_that_hold_are_left_alone_and_marks_go_when_they_are_made():
    book = Book(7)
    make_tallies(book.company.pk, smallest=1)
    assert not TallyMark.objects.filter(company_id=book.company.pk).exists()
    before = set(Tally.objects.filter(company=book.company).values_list("pk", flat=True))
    contact = Contact.objects.filter(company=book.company, deleted_at=None, active=True).first()
    Contact.objects.filter(pk=contact.pk).update(position="Buyer")  # no facet
    assert not TallyMark.objects.filter(company_id=book.company.pk).exists()
    Contact.objects.filter(pk=contact.pk).update(active=False)
    assert TallyMark.objects.filter(company_id=book.company.pk).count() == 1
    make_tallies(book.company.pk, smallest=1)
    after = Tally.objects.filter(company=book.company)
    changed = after.exclude(pk__in=before)
    assert {(tally.kind, tally.block) for tally in changed} == {("active", contact.pk // BLOCK)}
    assert not TallyMark.objects.filter(company_id=book.company.pk).exists()


def test_a_book_that_became_small_is_counted_as_it_is():
    book = Book(8)
    make_tallies(book.company.pk, smallest=1)
    assert numbers_of(book.company.pk, CONTACT, ())[EVERYONE] > 0
    make_tallies(book.company.pk)
    assert numbers_of(book.company.pk, CONTACT, ()) is None
    assert not TallyMark.objects.filter(company_id=book.company.pk).exists()
    active = Clause.of("active", ["1"])
    sheet = read_sheet(book.company.pk, CLIENT, active.facets)
    expected = Client.objects.filter(company=book.company, deleted_at=None, active=True)
    assert sorted(sheet.ids(sheet.fitting([active]))) == sorted(expected.values_list("pk", flat=True))


def test_the_marks_of_another_company_count_for_nothing():
    book, other = Book(9), Book(10)
    make_tallies(book.company.pk, smallest=1)
    make_tallies(other.company.pk, smallest=1)
    before = numbers_of(book.company.pk, CONTACT, ["tag", "status"])
    for _ in range(10):
        other.change()
    assert numbers_of(book.company.pk, CONTACT, ["tag", "status"]) == before
