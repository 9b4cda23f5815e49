"""Imports on real PostgreSQL: what a file makes of the book, once, twice, dry, and for whom."""

import csv
import io

import pytest
from tests.factories import ClientFactory, ContactFactory, ListValueFactory, SeatFactory

from lockstep.apps.accounts.permissions import NotPermitted, Role
from lockstep.apps.book.errors import Invalid, NotFound
from lockstep.apps.book.models import (
    Client,
    ClientAddress,
    Contact,
    HistoryEntry,
    Import,
    ImportChunk,
    ImportRefusal,
    ListValue,
    Tag,
)
from lockstep.apps.book.services import delete_client, delete_contact
from lockstep.apps.book.services.imports import (
    UnreadableFile,
    confirm_import,
    delete_old_files,
    preview_import,
    refused_rows_csv,
    run_import,
    start_import,
    upload_import,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def actor():
    return SeatFactory().actor()


def as_file(rows):
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return io.BytesIO(text.getvalue().encode())


def load(actor, header, *rows, **choices):
    """Import rows given as comma-separated lines under a comma-separated header."""
    cells = [[cell.strip() for cell in line.split(",")] for line in (header, *rows)]
    parent = start_import(actor, as_file(cells), "contacts.csv", queue=False, **choices)
    return run_import(parent.pk)


def numbers(parent, *names):
    return tuple(parent.counts[name] for name in names)


def assert_adds_up(parent):
    counts = parent.counts
    assert counts["rows"] == sum(
        counts[name]
        for name in (
            "new_contacts",
            "changed_contacts",
            "unchanged_contacts",
            "skipped_rows",
            "merged_rows",
            "client_rows",
            "refused_rows",
        )
    )


NAMES = "Client Name, Contact First Name, Contact Last Name, Contact Email"


def test_everything_of_b4_arrives(actor):
    rep = SeatFactory(company=actor.company, user__email="Priya@Staff.example.net").user
    header = (
        "Client Name, Account Number, Contact First Name, Contact Last Name, Contact Email, Department,"
        " Position, Address Name, Address Line 1, Address Line 2, Address City, Address State,"
        " Address Postal, Address Country, Company Phone, Contact Phone, Contact Cell, Contact Fax,"
        " Sales Rep Email, Industry, Client Status, Client Tags, Contact Tags, No Marketing"
    )
    row = (
        "Kestrel, K-1, Dana, Whitfield, dana@kestrel.example.net, Marketing, Director, HQ, 18 Foothill Road,"
        " Suite 2, Boulder, Colorado, 80302, United States, 111, 222, 333, 444, priya@staff.example.net,"
        " Retail, Key account, Drinkware; Holiday, VIP, yes"
    )
    parent = load(actor, header, row)
    assert (parent.state, parent.error, parent.warnings) == ("done", "", [])
    client, contact = Client.objects.get(), Contact.objects.get()
    assert (client.name, client.account_number, client.phone, client.rep) == ("Kestrel", "K-1", "111", rep)
    assert (client.status.name, client.industry.name) == ("Key account", "Retail")
    address = ClientAddress.objects.get()
    assert (address.name, address.is_primary, address.line1, address.line2, address.city, address.state) == (
        "HQ",
        True,
        "18 Foothill Road",
        "Suite 2",
        "Boulder",
        "Colorado",
    )
    assert (address.postal_code, address.country) == ("80302", "United States")
    assert (contact.full_name, contact.email, contact.position) == (
        "Dana Whitfield",
        "dana@kestrel.example.net",
        "Director",
    )
    assert (contact.phone, contact.cell, contact.fax, contact.department.name) == (
        "222",
        "333",
        "444",
        "Marketing",
    )
    assert contact.state == ""  # the client's address is the contact's
    assert (contact.no_marketing, contact.no_marketing_reason) == (True, "Import of contacts.csv")
    assert contact.no_marketing_at is not None
    names = dict(Tag.objects.values_list("id", "name"))
    assert [names[i] for i in client.tag_ids] == ["Drinkware", "Holiday"]
    assert [names[i] for i in contact.tag_ids] == ["VIP"]
    assert numbers(parent, "new_contacts", "new_clients", "new_tags", "new_list_values") == (1, 1, 3, 3)
    entries = HistoryEntry.objects.order_by("subject_kind").values_list("subject_kind", "action", "changes")
    assert list(entries) == [
        ("client", "imported", {"import": ["", "contacts.csv"]}),
        ("contact", "imported", {"import": ["", "contacts.csv"]}),
    ]
    assert load(actor, header, row).counts["unchanged_contacts"] == 1
    assert HistoryEntry.objects.count() == 2


def test_the_second_load_changes_nothing_and_a_dry_run_writes_nothing(actor):
    rows = (
        "Kestrel, Dana, Whitfield, dana@kestrel.example.net",
        "kestrel, Jon, Abara, ",
        "Oakline, , , info@oakline.example.net",
        "Oakline, Mina, , not an address",
        ", Nobody, , ",
        "Hollow Oak, , , ",
    )
    dry = load(actor, NAMES, *rows, dry_run=True)
    assert dry.state == "checked"
    assert not Client.objects.exists()
    assert not Contact.objects.exists()
    first = load(actor, NAMES, *rows)
    assert first.counts == dry.counts
    assert first.warnings == dry.warnings
    assert_adds_up(first)
    assert numbers(first, "rows", "new_contacts", "client_rows", "refused_rows", "new_clients") == (
        6,
        4,
        1,
        1,
        3,
    )
    stamps = dict(Contact.objects.values_list("id", "updated_at"))
    second = load(actor, NAMES, *rows)
    assert_adds_up(second)
    assert numbers(second, "new_contacts", "changed_contacts", "unchanged_contacts", "new_clients") == (
        0,
        0,
        4,
        0,
    )
    assert dict(Contact.objects.values_list("id", "updated_at")) == stamps


def test_a_dry_run_foretells_changes_too(actor):
    ContactFactory(
        client=ClientFactory(company=actor.company, name="Kestrel"), email="dana@kestrel.example.net"
    )
    rows = (NAMES, "Kestrel, Dana, Whitfield, dana@kestrel.example.net", "Kestrel, New, One, ")
    dry = load(actor, *rows, dry_run=True)
    assert numbers(dry, "changed_contacts", "new_contacts") == (1, 1)
    assert load(actor, *rows).counts == dry.counts


def test_a_checked_import_can_be_confirmed(actor):
    parent = load(actor, NAMES, "Kestrel, Dana, , ", dry_run=True)
    confirm_import(actor, import_id=parent.pk, queue=False)
    assert run_import(parent.pk).state == "done"
    assert Contact.objects.count() == 1
    with pytest.raises(Invalid, match="is done already"):
        confirm_import(actor, import_id=parent.pk, queue=False)
    assert run_import(parent.pk).counts["new_contacts"] == 1  # a job delivered twice does nothing


def test_clients_merge_by_name_and_by_account_number(actor):
    ClientFactory(company=actor.company, name="Kestrel Outdoor Co.", account_number="K-1")
    ClientFactory(name="Oakline")  # another company's
    parent = load(
        actor,
        "Client Name, Account Number, Contact First Name",
        "KESTREL OUTDOOR CO., , a",
        "Kestrel, K-1, b",
        ", K-1, c",
        "Oakline, O-1, d",
        "Oakline Builders, O-1, e",
        ", O-1, f",
        "Oakline Builders, , g",
        ", X-9, h",
    )
    by_client = {}
    for contact in Contact.objects.filter(company=actor.company).order_by("id"):
        by_client.setdefault(contact.client.name, []).append(contact.first_name)
    assert by_client == {"Kestrel Outdoor Co.": ["a", "b", "c"], "Oakline": ["d", "e", "f", "g"]}
    refusal = ImportRefusal.objects.get()
    assert (refusal.row_number, refusal.cells) == (9, ["", "X-9", "h"])
    assert "no client has this account number" in refusal.reason
    again = load(actor, "Client Name, Account Number, Contact First Name", "Oakline Builders, O-1, e")
    assert numbers(again, "unchanged_contacts", "new_clients") == (1, 0)
    assert parent.counts["new_clients"] == 1


def test_an_account_number_of_many_names_tells_nobody_apart(actor):
    rows = [f"Client {n}, 1000, P{n}" for n in range(7)]
    parent = load(actor, "Client Name, Account Number, Contact First Name", *rows)
    assert Client.objects.count() == 7
    (warning,) = parent.warnings
    assert "not used to tell clients apart" in warning["text"]
    assert warning["count"] == 7


@pytest.mark.parametrize(
    ("book", "row", "new"),
    [
        # (first, last, email, external id) in the book, in the file; whether a new contact is made
        (("Dana", "Whitfield", "d@k.example.net", ""), ("Dana", "Whitfield", "D@K.example.net", ""), False),
        (("Dana", "Whitfield", "d@k.example.net", ""), ("Dana", "Married", "d@k.example.net", ""), False),
        (("", "", "d@k.example.net", ""), ("Dana", "W", "d@k.example.net", ""), False),
        (("Dana", "W", "d@k.example.net", ""), ("", "", "d@k.example.net", ""), False),
        (("Dana", "W", "", ""), ("dana", "w", "", ""), False),
        (("Dana", "W", "d@k.example.net", ""), ("dana", "w", "", ""), False),
        (("Dana", "W", "", ""), ("Dana", "W", "d@k.example.net", ""), False),
        (("Dana", "W", "other@k.example.net", ""), ("Dana", "W", "d@k.example.net", ""), True),
        (("Dana", "W", "d@k.example.net", ""), ("Jon", "A", "", ""), True),
        (("Dana", "W", "d@k.example.net", "7"), ("Dana", "New", "new@k.example.net", "7"), False),
        (("Dana", "W", "d@k.example.net", "7"), ("Dana", "W", "d@k.example.net", "8"), True),
        (("Dana", "W", "d@k.example.net", "7"), ("Dana", "W", "d@k.example.net", ""), False),
        (("Dana", "W", "d@k.example.net", ""), ("Dana", "W", "d@k.example.net", "7"), False),
    ],
)
def test_how_contacts_are_known(actor, book, row, new):
    client = ClientFactory(company=actor.company, name="K")
    first, last, email, external_id = book
    known = ContactFactory(
        client=client, first_name=first, last_name=last, email=email, external_id=external_id
    )
    ContactFactory(
        company=actor.company, first_name=row[0], last_name=row[1], email=row[2]
    )  # another client's
    header = f"{NAMES}, Contact External ID"
    parent = load(actor, header, f"K, {', '.join(row)}")
    assert parent.counts["new_contacts"] == int(new)
    assert Contact.objects.filter(client=client).count() == 1 + int(new)
    known.refresh_from_db()
    if not new:
        assert known.external_id == (row[3] or external_id)
        assert known.email == (row[2] or email)
    again = load(actor, header, f"K, {', '.join(row)}")
    assert numbers(again, "new_contacts", "changed_contacts", "unchanged_contacts") == (0, 0, 1)


def test_people_who_share_a_mailbox_stay_two(actor):
    rows = (
        "Kestrel, Hannah, Brooks, orders@kestrel.example.net",
        "Kestrel, Wei-Ling, Tan, orders@kestrel.example.net",
        "Kestrel, HANNAH, Brooks, Orders@kestrel.example.net",
        "Kestrel, , , orders@kestrel.example.net",
        "Other, Hannah, Brooks, orders@kestrel.example.net",
    )
    parent = load(actor, NAMES, *rows)
    assert_adds_up(parent)
    assert numbers(parent, "new_contacts", "merged_rows") == (3, 2)
    again = load(actor, NAMES, *rows)
    assert_adds_up(again)
    assert numbers(again, "new_contacts", "changed_contacts", "merged_rows") == (0, 0, 2)


def test_two_namesakes_do_not_both_learn_one_contact_s_address(actor):
    client = ClientFactory(company=actor.company, name="K")
    ContactFactory(client=client, first_name="John", last_name="Smith", email="")
    rows = ("K, John, Smith, a@k.example.net", "K, John, Smith, b@k.example.net")
    load(actor, NAMES, *rows)
    assert sorted(Contact.objects.values_list("email", flat=True)) == ["a@k.example.net", "b@k.example.net"]
    assert load(actor, NAMES, *rows).counts["unchanged_contacts"] == 2


def test_one_external_id_is_one_contact(actor):
    client = ClientFactory(company=actor.company, name="K")
    ContactFactory(client=client, first_name="Dana", last_name="W", email="a@k.example.net")
    header = f"{NAMES}, Contact External ID"
    rows = (
        "K, Dana, W, a@k.example.net, E1",
        "K, Dana, Z, b@k.example.net, E1",
        "K, Dana, W, a@k.example.net, E2",
    )
    parent = load(actor, header, *rows)
    assert_adds_up(parent)
    assert sorted(Contact.objects.values_list("external_id", "email")) == [
        ("E1", "a@k.example.net"),
        ("E2", "a@k.example.net"),
    ]
    assert load(actor, header, *rows).counts["changed_contacts"] == 0


@pytest.mark.parametrize(
    ("on_match", "phone", "position", "count"),
    [
        ("overwrite", "2", "Buyer", "changed_contacts"),
        ("fill", "1", "Buyer", "changed_contacts"),
        ("skip", "1", "", "skipped_rows"),
    ],
)
def test_what_happens_to_contacts_that_are_there_already(actor, on_match, phone, position, count):
    client = ClientFactory(company=actor.company, name="K", phone="1")
    contact = ContactFactory(client=client, email="a@k.example.net", phone="1", cell="9")
    parent = load(
        actor,
        "Client Name, Contact Email, Contact Phone, Position, Contact Cell, Company Phone",
        "K, a@k.example.net, 2, Buyer, , 2",
        on_match=on_match,
    )
    contact.refresh_from_db()
    client.refresh_from_db()
    assert (contact.phone, contact.position, contact.cell) == (phone, position, "9")
    assert client.phone == phone
    assert parent.counts[count] == 1
    assert_adds_up(parent)


def test_history_tells_what_an_import_changed(actor):
    client = ClientFactory(company=actor.company, name="K")
    old = Tag.objects.create(company=actor.company, kind="contact", name="Old")
    contact = ContactFactory(client=client, email="a@k.example.net", phone="1", tag_ids=[old.pk])
    load(
        actor,
        "Client Name, Contact Email, Contact Phone, Department, Contact Tags, Client Status",
        "K, a@k.example.net, 2, Sales, New; old, Active",
    )
    changes = {e.subject_kind: e.changes for e in HistoryEntry.objects.all()}
    assert changes["contact"] == {
        "phone": ["1", "2"],
        "department": ["", "Sales"],
        "tags": ["Old", "Old, New"],
        "import": ["", "contacts.csv"],
    }
    assert changes["client"] == {"status": ["", "Active"], "import": ["", "contacts.csv"]}
    contact.refresh_from_db()
    assert contact.tag_ids[0] == old.pk
    assert len(contact.tag_ids) == 2


@pytest.mark.parametrize("on_match", ["overwrite", "fill", "skip"])
@pytest.mark.parametrize(
    ("word", "before", "lift", "after"),
    [
        ("yes", False, False, True),
        ("no", True, False, True),
        ("", True, False, True),
        ("", True, True, True),
        ("no", True, True, False),
        ("no", False, False, False),
    ],
)
def test_a_file_sets_no_marketing_but_lifts_it_only_when_asked(actor, on_match, word, before, lift, after):
    contact = ContactFactory(
        client=ClientFactory(company=actor.company, name="K"), email="a@k.example.net", no_marketing=before
    )
    load(
        actor,
        "Client Name, Contact Email, No Marketing",
        f"K, a@k.example.net, {word}",
        on_match=on_match,
        lift_no_marketing=lift,
    )
    contact.refresh_from_db()
    expected = True if lift and word == "no" and on_match != "overwrite" else after
    assert contact.no_marketing is expected


def test_who_was_deleted_with_no_marketing_does_not_come_back_without_it(actor):
    gone = ContactFactory(
        client=ClientFactory(company=actor.company, name="K"), email="a@k.example.net", no_marketing=True
    )
    delete_contact(actor, contact_id=gone.pk)
    parent = load(actor, NAMES, "Other, Dana, , A@k.example.net")
    contact = Contact.objects.get(deleted_at=None)
    assert contact.no_marketing
    assert "carried over" in parent.warnings[0]["text"]


def test_deleted_ones_are_not_brought_back_by_a_file(actor):
    client = ClientFactory(company=actor.company, name="K", external_id="C1")
    contact = ContactFactory(company=actor.company, external_id="P1")
    delete_client(actor, client_id=client.pk)
    delete_contact(actor, contact_id=contact.pk)
    load(
        actor,
        "Client Name, Client External ID, Contact External ID, Contact First Name",
        "K, C1, , a",
        "Z, , P1, b",
    )
    assert sorted(ImportRefusal.objects.values_list("row_number", "reason")) == [
        (2, "This client was deleted. Restore it first."),
        (3, "This contact was deleted. Restore it first."),
    ]
    assert not Contact.objects.filter(deleted_at=None).exists()


def test_addresses_that_differ_from_the_client_s_are_the_contact_s_own(actor):
    header = "Client Name, Contact First Name, Address City, Address State"
    rows = ("K, a, Boulder, Colorado", "K, b, Reno, Nevada", "K, c, , ", "K, d, boulder, COLORADO")
    load(actor, header, *rows)
    assert ClientAddress.objects.get().state == "Colorado"
    assert dict(Contact.objects.values_list("first_name", "state")) == {
        "a": "",
        "b": "Nevada",
        "c": "",
        "d": "",
    }
    assert load(actor, header, *rows).counts["unchanged_contacts"] == 4


def test_unknown_reps_are_said_not_guessed(actor):
    outsider = SeatFactory(user__email="out@side.example.net")
    parent = load(
        actor,
        "Client Name, Contact First Name, Sales Rep Email",
        f"K, a, {outsider.user.email}",
        "K, b, nobody@staff.example.net",
    )
    assert Client.objects.get().rep is None
    assert sorted(w["text"].split(":")[0] for w in parent.warnings) == [
        "No user has the e-mail address nobody@staff.example.net",
        "No user has the e-mail address out@side.example.net",
    ]


def test_tagging_all_of_them(actor):
    load(actor, f"{NAMES}, Contact Tags", "K, a, , , VIP", "K, b, , , ", extra_tags=["Trade shows"])
    names = dict(Tag.objects.values_list("id", "name"))
    assert [[names[i] for i in c.tag_ids] for c in Contact.objects.order_by("id")] == [
        ["VIP", "Trade shows"],
        ["Trade shows"],
    ]


def test_known_list_values_are_used_whatever_their_case_retired_or_not(actor):
    value = ListValueFactory(company=actor.company, name="Active", retired=True)
    load(actor, "Client Name, Client Status", "K, ACTIVE")
    assert Client.objects.get().status == value
    assert ListValue.objects.count() == 1


def test_refused_rows_can_be_mended_and_loaded_again(actor):
    rows = [
        ["Client Name", "Contact First Name", "No Marketing", "Booth notes"],
        ["Kestrel", "Dana", "perhaps", '=HYPERLINK("http://x")'],
        ["", "Jon", "no", "a, b"],
        ["Kestrel", "Good", "", ""],
    ]
    parent = run_import(start_import(actor, as_file(rows), "leads.csv", queue=False).pk)
    text = "".join(refused_rows_csv(actor, import_id=parent.pk))
    assert text.startswith("\ufeff")
    lines = list(csv.reader(io.StringIO(text[1:])))
    assert lines == [
        ["Client Name", "Contact First Name", "No Marketing", "Booth notes", "Why it was refused"],
        [
            "Kestrel",
            "Dana",
            "perhaps",
            '\'=HYPERLINK("http://x")',
            "No Marketing: “perhaps” is neither yes nor no.",
        ],
        ["", "Jon", "no", "a, b", "The client's name is missing."],
    ]
    lines[1][2] = "yes"
    lines[2][0] = "Oakline"
    mended = run_import(start_import(actor, as_file(lines), "mended.csv", queue=False).pk)
    assert numbers(mended, "new_contacts", "refused_rows") == (2, 0)
    assert Contact.objects.get(first_name="Dana").no_marketing


def test_the_preview_shows_columns_and_first_rows(actor):
    rows = [
        ["Company", "First", "Email", "Notes"],
        ["Kestrel", "Dana", "dana@kestrel.example.net", "x"],
        ["Oakline", "Jon", "jon@@oakline", ""],
        ["", "Nobody", "", ""],
    ]
    parent = upload_import(actor, file=as_file(rows), filename="C:\\Users\\me\\leads.csv")
    assert (parent.filename, parent.state) == ("leads.csv", "uploaded")
    preview = preview_import(actor, import_id=parent.pk)
    assert [(c.name, c.values, c.label) for c in preview.columns] == [
        ("Company", ("Kestrel", "Oakline"), "Client Name"),
        ("First", ("Dana", "Jon", "Nobody"), "Contact First Name"),
        ("Email", ("dana@kestrel.example.net", "jon@@oakline"), "Contact Email"),
        ("Notes", ("x",), ""),
    ]
    assert [(r.number, r.contact, r.email_valid, r.refused) for r in preview.rows] == [
        (2, "Dana", True, ""),
        (3, "Jon", False, ""),
        (4, "", False, "The client's name is missing."),
    ]
    assert (preview.kind, preview.problem) == ("Comma, UTF-8", "")
    other = preview_import(actor, import_id=parent.pk, mapping={1: "first_name"})
    assert other.problem == "Choose the column that holds the client's name."
    assert not Contact.objects.exists()


def test_progress_ends_at_a_hundred_and_the_file_is_read_in_pieces(actor):
    rows = [["Client Name", "Contact First Name"]] + [[f"Client {n % 100}", f"P{n}"] for n in range(12_000)]
    parent = start_import(actor, as_file(rows), "many.csv", queue=False)
    reports = []
    run_import(parent.pk, progress=reports.append)
    assert [r.rows for r in reports if r.stage == "Reading the file"] == [0, 5_000, 10_000, 12_000]
    percents = [r.percent for r in reports]
    assert percents == sorted(percents)
    assert percents[-1] == 100
    assert Contact.objects.count() == 12_000


def test_a_file_that_breaks_off_saves_nothing_and_says_where(actor):
    data = b"Client Name,Contact First Name\nKestrel,Dana\n" + b'Oakline,"never closed' + b"x" * 200_000
    parent = start_import(actor, io.BytesIO(data), "broken.csv", queue=False)
    parent = run_import(parent.pk)
    assert parent.state == "failed"
    assert "quotation mark" in parent.error
    assert not Client.objects.exists()


def test_a_wrongly_matched_column_is_stopped_before_it_makes_a_mess(actor):
    rows = [["Client Name", "Contact First Name", "Department"]] + [
        ["K", f"P{n}", f"Unique {n}"] for n in range(1_200)
    ]
    parent = run_import(start_import(actor, as_file(rows), "x.csv", queue=False).pk)
    assert parent.state == "failed"
    assert "matched wrongly" in parent.error
    assert not ListValue.objects.exists()


def test_people_limited_to_own_clients_touch_no_other(actor):
    seat = SeatFactory(company=actor.company, role=Role.MANAGER, own_clients_only=True)
    limited = seat.actor()
    ClientFactory(company=actor.company, name="Foreign")
    ClientFactory(company=actor.company, name="Own", rep=seat.user)
    parent = load(limited, "Client Name, Contact First Name", "Foreign, a", "Own, b", "New, c")
    assert sorted(Contact.objects.values_list("client__name", flat=True)) == ["New", "Own"]
    assert Client.objects.get(name="New").rep == seat.user
    assert ImportRefusal.objects.get().reason == "You can't change this client."
    assert parent.counts["refused_rows"] == 1
    with pytest.raises(NotFound):
        preview_import(limited, import_id=load(actor, NAMES, "K, a, , ").pk)


def test_who_may_import(actor):
    for role in (Role.SALES, Role.LIMITED, Role.READ_ONLY):
        someone = SeatFactory(company=actor.company, role=role).actor()
        with pytest.raises(NotPermitted):
            start_import(someone, as_file([["Client Name"], ["K"]]), "x.csv", queue=False)
    foreign = load(SeatFactory().actor(), NAMES, "K, a, , ")
    with pytest.raises(NotFound):
        refused_rows_csv(actor, import_id=foreign.pk)
    with pytest.raises(NotFound):
        confirm_import(actor, import_id=foreign.pk, queue=False)


def test_unreadable_files_are_refused_at_once_and_leave_nothing(actor):
    for data in (b"", b"%PDF-1.7", b"PK\x03\x04junk"):
        with pytest.raises(UnreadableFile):
            upload_import(actor, file=io.BytesIO(data), filename="x")
    assert not Import.objects.exists()
    assert not ImportChunk.objects.exists()


def test_a_mapping_without_client_does_not_start(actor):
    with pytest.raises(Invalid) as refusal:
        start_import(actor, as_file([["Email"], ["a@b.example.net"]]), "x.csv", queue=False)
    assert refusal.value.fields == {"mapping": "Choose the column that holds the client's name."}
    assert not Import.objects.exists()


def test_old_files_go_and_the_record_stays(actor):
    parent = load(actor, NAMES, ", a, , ", "K, b, , ")
    assert delete_old_files(older_than_days=30) == 0
    assert delete_old_files(older_than_days=-1) == 1
    parent.refresh_from_db()
    assert parent.file_deleted_at is not None
    assert parent.counts["new_contacts"] == 1
    assert not ImportChunk.objects.exists()
    assert not ImportRefusal.objects.exists()


def test_starting_queues_a_job_with_the_transaction(actor):
    from procrastinate.contrib.django.models import ProcrastinateJob

    parent = start_import(actor, as_file([["Client Name"], ["K"]]), "x.csv")
    job = ProcrastinateJob.objects.get(task_name="book.run_import")
    assert (job.args, job.status) == ({"import_id": parent.pk}, "todo")
    from lockstep.apps.book import tasks

    tasks.run_import.func(**job.args)
    parent.refresh_from_db()
    assert parent.state == "done"
