"""The Mailing List report: its number is the sync's, its rows are the book's, its files are safe."""

import csv
import io

import openpyxl
import pytest
from django.db import connection as database
from tests.factories import (
    ClientFactory,
    ConnectionFactory,
    ContactFactory,
    ListValueFactory,
    SeatFactory,
    TagFactory,
)
from tests.factories.random_book import Book

from lockstep.apps.accounts.permissions import NotPermitted, Role
from lockstep.apps.book.models import Contact, ListValue, Tag
from lockstep.apps.book.queries.paging import MAX_SIZE
from lockstep.apps.book.tallies.building import make_tallies
from lockstep.apps.connections.models import Connection
from lockstep.apps.connections.preferences import Preferences
from lockstep.apps.reports import sets
from lockstep.apps.reports.columns import COLUMNS, columns_of
from lockstep.apps.reports.filters import ReportFilter
from lockstep.apps.reports.queries import offers, open_report, report
from lockstep.apps.reports.services import report_csv, report_xlsx
from lockstep.apps.sync.eligibility import parameters, reason_sql
from lockstep.apps.sync.models import MemberRecord
from lockstep.apps.sync.queries import reason_counts
from lockstep.core.member import Reason, SyncState

pytestmark = pytest.mark.django_db

NARROWED = """SELECT ct.id, {reason} FROM book_contact ct JOIN book_client cl ON cl.id = ct.client_id
    LEFT JOIN book_clientaddress ad ON ad.client_id = cl.id AND ad.is_primary
    WHERE ct.company_id = %(company)s AND ct.deleted_at IS NULL AND cl.deleted_at IS NULL AND {where}"""

OWN = "(ct.line1 || ct.line2 || ct.city || ct.state || ct.postal_code || ct.country) <> ''"


def some_filter(book):
    """A random filter, and the same as a condition in SQL with its values."""
    chance, kinds = book.chance, ListValue.Kind
    statuses = [value or 0 for value in chance.sample(book.lists[kinds.STATUS], 2)]
    [has] = chance.sample(book.tags[Tag.Kind.CONTACT], 1)
    both = chance.sample(book.tags[Tag.Kind.CLIENT], 2)
    pieces = [
        ({"status_ids": statuses}, "coalesce(cl.status_id, 0) = ANY(%(statuses)s)", {"statuses": statuses}),
        ({"contact_tag_ids_none": [has]}, "NOT ct.tag_ids @> %(has)s::bigint[]", {"has": [has]}),
        ({"contact_tag_ids": [has, 0]}, "(ct.tag_ids @> %(h)s::bigint[] OR ct.tag_ids = '{}')", {"h": [has]}),
        ({"client_tag_ids_all": both}, "cl.tag_ids @> %(both)s::bigint[]", {"both": both}),
        ({"rep_ids": [book.reps[0]]}, "cl.rep_id = %(rep)s", {"rep": book.reps[0]}),
        ({"active": False}, "NOT ct.active", {}),
        ({"no_marketing": False}, "NOT ct.no_marketing", {}),
        ({"emails": ["valid", "none"]}, "(ct.email_valid OR ct.email_key = '')", {}),
        (
            {"states": ["CA", ""], "countries": ["USA", "Canada"]},
            f"btrim(CASE WHEN {OWN} THEN ct.state ELSE coalesce(ad.state, '') END) IN ('CA', '')"
            f" AND btrim(CASE WHEN {OWN} THEN ct.country ELSE coalesce(ad.country, '') END)"
            " IN ('USA', 'Canada')",
            {},
        ),
    ]
    chosen = chance.sample(pieces, chance.randrange(3))
    names = {name: value for piece, _, _ in chosen for name, value in piece.items()}
    where = " AND ".join(sql for _, sql, _ in chosen) or "TRUE"
    return (
        ReportFilter(**names),
        where,
        {name: value for _, _, some in chosen for name, value in some.items()},
    )


@pytest.mark.parametrize("seed", range(5))
def test_the_report_and_the_sync_never_disagree_about_anybody(seed):
    book = Book(200 + seed)
    connection = ConnectionFactory(company=book.company)
    for step in range(10):
        if step % 4 == 2:
            make_tallies(book.company.pk, smallest=1)
        for _ in range(3):
            book.change()
        preferences = book.preferences()
        connection.preferences = preferences.to_json()
        wanted, where, values = some_filter(book)
        found = open_report(book.actor, wanted, connection)
        with database.cursor() as cursor:
            cursor.execute(
                NARROWED.format(reason=reason_sql(preferences), where=where),
                parameters(book.company.pk, preferences) | values,
            )
            expected = dict(cursor.fetchall())
        assert found.total == len(expected) == sum(found.parts.values())
        assert {line.contact.pk: line.standing for line in found.every_line()} == expected
        assert found.parts == {
            Reason(reason): list(expected.values()).count(reason) for reason in set(expected.values())
        }
        everybody = open_report(book.actor, ReportFilter(), connection)
        assert everybody.parts == reason_counts(book.company.pk, preferences).by_reason
        reasons = book.chance.sample([reason.value for reason in Reason], 2)
        narrowed = open_report(book.actor, ReportFilter(standings=reasons), connection)
        assert narrowed.total == sum(everybody.parts.get(Reason(reason), 0) for reason in reasons)


def test_states_of_a_sync_that_is_on_add_up_to_those_that_fit():
    book = Book(300)
    connection = ConnectionFactory(company=book.company, mode=Connection.Mode.ON)
    contacts = list(Contact.objects.filter(company=book.company).order_by("id"))
    for place, contact in enumerate(contacts[:40]):
        state = [*SyncState, ""][place % 6]
        MemberRecord.objects.create(
            company=book.company, connection=connection, contact=contact, reason="fits", state=state
        )
    whole = open_report(book.actor, ReportFilter(), connection)
    by_state = {
        state: open_report(book.actor, ReportFilter(standings=[state.value]), connection).total
        for state in SyncState
    }
    assert sum(by_state.values()) == whole.parts[Reason.FITS] > 0
    assert all(by_state.values())
    standings = [line.standing for line in whole.every_line()]
    assert {state: standings.count(state.value) for state in SyncState} == by_state
    assert Reason.FITS.value not in standings


@pytest.mark.parametrize("few", [3_000, 0])
@pytest.mark.parametrize("sort", ["name", "-name", "changed", "-changed"])
def test_pages_hold_every_row_once_in_order_whichever_way_they_are_found(monkeypatch, few, sort):
    monkeypatch.setattr(report, "FEW", few)
    seat = SeatFactory()
    client = ClientFactory(company=seat.company)
    for n in range(90):
        ContactFactory(client=client, last_name=f"Last {n * 7 % 10}", active=n % 3 != 0)
    found = open_report(seat.actor(), ReportFilter(active=True), None)
    cursor, seen, firsts = None, [], []
    while True:
        page = found.page(sort=sort, cursor=cursor, size=17)
        seen += [line.contact for line in page.rows]
        firsts.append(page.first)
        assert page.total == 60
        cursor = page.next
        if cursor is None:
            break
    field = "name_key" if "name" in sort else "updated_at"
    keys = [(getattr(contact, field), contact.pk) for contact in seen]
    assert len(seen) == 60
    assert keys == sorted(keys, reverse=sort.startswith("-"))
    assert firsts == [1, 18, 35, 52]
    back = found.page(sort=sort, cursor=page.previous, size=17)
    assert [line.contact.pk for line in back.rows] == [contact.pk for contact in seen[34:51]]


def test_who_is_limited_to_own_clients_counts_and_is_offered_only_those():
    seat = SeatFactory(own_clients_only=True)
    mine = ClientFactory(company=seat.company, rep=seat.user)
    ContactFactory(client=mine, state="Ohio")
    for _ in range(3):
        ContactFactory(client=ClientFactory(company=seat.company), state="Utah")
    found = open_report(seat.actor(), ReportFilter(), None)
    assert (found.total, found.parts) == (1, {Reason.FITS: 1})
    assert [line.contact.client for line in found.every_line()] == [mine]
    assert [(offer.value, offer.number) for offer in offers(seat.actor())["state"]] == [("Ohio", 1)]


def test_a_set_narrows_to_its_contacts_and_to_those_one_may_see(monkeypatch):
    monkeypatch.setattr(sets, "_SOURCES", {})
    seat = SeatFactory()
    here, other = ContactFactory(client=ClientFactory(company=seat.company)), ContactFactory()
    sets.register(
        "clicked", lambda actor, value: sets.ContactSet(f"who clicked {value}", [here.pk, other.pk])
    )
    ContactFactory(client=here.client)
    found = open_report(seat.actor(), ReportFilter(set="clicked:12"), None)
    assert [line.contact for line in found.every_line()] == [here]
    assert found.among.title == "who clicked 12"
    assert sets.address_of("clicked", 12) == "/report?set=clicked%3A12"
    assert open_report(seat.actor(), ReportFilter(set="unknown:1"), None).total == 0


@pytest.fixture
def dangerous():
    seat = SeatFactory()
    client = ClientFactory(
        company=seat.company,
        name="=cmd|' /C calc'!A0",
        industry=ListValueFactory(company=seat.company, kind=ListValue.Kind.INDUSTRY, name="+1"),
        tag_ids=[TagFactory(company=seat.company, kind=Tag.Kind.CLIENT, name="@SUM(1)").pk],
    )
    ContactFactory(
        client=client, first_name="A & B", last_name="<Ltd>\x0b", position="-2+3", email="a@b.example"
    )
    return seat


def test_a_csv_has_the_chosen_columns_in_their_order_and_no_formula(dangerous):
    columns = columns_of(
        ["position", "client", "no such column", "client_tags", "industry", "sync", "position"]
    )
    text = "".join(report_csv(open_report(dangerous.actor(), ReportFilter(), None), columns))
    assert text.startswith("\ufeff")
    [head, row] = csv.reader(io.StringIO(text.lstrip("\ufeff")))
    assert head == ["Position", "Client", "Client tags", "Industry", "Sync"]
    assert row == ["'-2+3", "'=cmd|' /C calc'!A0", "'@SUM(1)", "'+1", "Will sync"]


def test_a_workbook_holds_every_cell_as_text(dangerous):
    columns = columns_of(["name", "client", "position", "email"])
    data = b"".join(report_xlsx(open_report(dangerous.actor(), ReportFilter(), None), columns))
    sheet = openpyxl.load_workbook(io.BytesIO(data)).active
    rows = list(sheet.iter_rows(values_only=True))
    assert rows == [
        ("Name", "Client", "Position", "E-mail"),
        ("A & B <Ltd>", "=cmd|' /C calc'!A0", "-2+3", "a@b.example"),
    ]
    assert {cell.data_type for row in sheet.iter_rows() for cell in row} <= {"s", "inlineStr"}


def test_a_longer_workbook_goes_on_on_further_sheets(monkeypatch):
    from lockstep.apps.book.services import spreadsheets

    monkeypatch.setattr(spreadsheets, "ROWS_A_SHEET", 4)
    data = b"".join(spreadsheets.xlsx(["n"], ([str(n)] for n in range(9)), title="List"))
    book = openpyxl.load_workbook(io.BytesIO(data))
    cells = {sheet.title: [row[0] for row in sheet.iter_rows(values_only=True)] for sheet in book}
    assert cells == {
        "List": ["n", "0", "1", "2", "3"],
        "List2": ["n", "4", "5", "6", "7"],
        "List3": ["n", "8"],
    }


@pytest.mark.parametrize("write", [report_csv, report_xlsx])
def test_a_file_takes_the_permission_to_export_and_says_so_at_once(write):
    found = open_report(SeatFactory(role=Role.LIMITED).actor(), ReportFilter(), None)
    with pytest.raises(NotPermitted):
        write(found, columns_of(()))


@pytest.mark.parametrize("rows", [1, 4])
def test_queries_do_not_grow_with_the_rows(rows, django_assert_num_queries):
    seat = SeatFactory()
    for _ in range(rows):
        tag = TagFactory(company=seat.company)
        client = ClientFactory(company=seat.company, rep=SeatFactory(company=seat.company).user)
        ContactFactory(client=client, tag_ids=[tag.pk])
    with django_assert_num_queries(7):
        page = open_report(seat.actor(), ReportFilter(), None).page(size=MAX_SIZE)
        assert len([[column.text(line) for column in COLUMNS.values()] for line in page.rows]) == rows
    with django_assert_num_queries(6):
        offers(seat.actor())


def test_without_a_connection_it_is_a_sync_of_everybody():
    book = Book(400)
    found = open_report(book.actor, ReportFilter(), None)
    assert found.parts == reason_counts(book.company.pk, Preferences()).by_reason
