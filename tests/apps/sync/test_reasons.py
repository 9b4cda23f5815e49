"""The tallies and the bits of reasons say, at every moment, exactly what SQL over the whole book says."""

import pytest
from django.db import connection as database
from tests.factories.random_book import Book

from lockstep.apps.book.models import Client, Contact, Tag
from lockstep.apps.book.queries import ContactFilter, contacts_page, filtered_contacts, sidebar_counts
from lockstep.apps.book.tallies import CLIENT, CONTACT, EVERYONE, Clause, numbers_of, read_sheet
from lockstep.apps.book.tallies.building import make_tallies
from lockstep.apps.book.tallies.models import Tally, TallyMark
from lockstep.apps.book.tallies.sheets import BLOCK
from lockstep.apps.connections.preferences import Preferences
from lockstep.apps.connections.queries import choices
from lockstep.apps.connections.queries.picks import _counts
from lockstep.apps.sync.eligibility import parameters, reason_sql
from lockstep.apps.sync.queries import duplicates, reason_counts
from lockstep.apps.sync.queries.reasons import read_reasons
from lockstep.core.member import Reason

pytestmark = pytest.mark.django_db


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
