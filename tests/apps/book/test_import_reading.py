"""Reading files: encodings, delimiters, workbooks, bounds; and which column is which."""

import contextlib
import io
import zipfile

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockstep.apps.book.services.imports import reading
from lockstep.apps.book.services.imports.checking import (
    TEXTS,
    Accepted,
    Refused,
    RowChecker,
    bare_address,
    cell_text,
)
from lockstep.apps.book.services.imports.columns import COLUMNS, guess_mapping, wrong_mapping
from lockstep.apps.book.services.imports.errors import UnreadableFile
from lockstep.apps.book.services.imports.formulas import safe_cell
from lockstep.apps.book.services.imports.reading import guess_delimiter, read_table

B4 = (
    "Client Name, Account Number, Contact First Name, Contact Last Name, Contact Email, Department, Position,"
    " Address Name, Address Line 1, Address Line 2, Address City, Address State, Address Postal,"
    " Address Country, Company Phone, Contact Phone, Contact Cell, Contact Fax, Sales Rep Email, Industry,"
    " Client Status, Client Tags, Contact Tags, No Marketing"
).split(", ")


def table(data: bytes):
    read = read_table(io.BytesIO(data))
    return read.header, [row.cells for row in read.rows], read.kind


@pytest.mark.parametrize(
    ("encoding", "kind"),
    [
        ("utf-8", "Comma, UTF-8"),
        ("utf-8-sig", "Comma, UTF-8"),
        ("utf-16", "Comma, UTF-16"),
        ("utf-16-le", "Comma, UTF-16"),
        ("utf-16-be", "Comma, UTF-16"),
        ("utf-32", "Comma, UTF-32"),
        ("cp1252", "Comma, Windows-1252"),
        ("mac-roman", "Comma, Mac Roman"),
    ],
)
def test_encodings(encoding, kind):
    text = "Client Name,Contact First Name\r\nCafé “Lucía”,Zoë\r\n"
    assert table(text.encode(encoding)) == (
        ["Client Name", "Contact First Name"],
        [["Café “Lucía”", "Zoë"]],
        kind,
    )


@pytest.mark.parametrize(
    "name", ["Siobhán O’Neil", "Škoda Žižkov", "Zoë", "O’Neil’s", "Ünal", "Œuvre d’art €"]
)
def test_words_of_windows_are_not_taken_for_a_mac(name):
    assert table(f"Client Name\r\n{name}".encode("cp1252")) == (
        ["Client Name"],
        [[name]],
        "Comma, Windows-1252",
    )


def test_utf8_that_breaks_late_is_read_as_windows_1252():
    data = b"Client Name,City\n" + b"Kestrel,Boulder\n" * 20_000 + "Café,Paris\n".encode("cp1252")
    _header, rows, kind = table(data)
    assert (rows[-1], kind) == (["Café", "Paris"], "Comma, Windows-1252")


def test_bytes_that_mean_nothing_are_replaced_not_fatal():
    assert table(b"Client Name,City\nCaf\x81\xe9,Paris\n")[1] == [["Caf\ufffdé", "Paris"]]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiters(delimiter):
    lines = [["Client Name", "Notes", "City"], ["Kestrel, Inc; Co", "a", "b"], ["x", "1,5", "c"]]
    text = "".join(delimiter.join(f'"{cell}"' for cell in line) + "\n" for line in lines)
    assert guess_delimiter(text) == delimiter
    assert table(text.encode())[:2] == (lines[0], lines[1:])


def test_excel_s_own_word_for_the_delimiter():
    assert table(b"sep=;\r\nClient Name;City\r\nA,B;C\r\n")[:2] == (["Client Name", "City"], [["A,B", "C"]])


def test_blank_rows_short_rows_and_line_breaks_in_cells():
    data = b'\n\nClient Name,City,\n\n"Kest\nrel",Boulder\nOakline\n,,\n'
    assert table(data)[:2] == (["Client Name", "City"], [["Kest\nrel", "Boulder"], ["Oakline", ""]])


def test_row_numbers_are_those_of_a_spreadsheet():
    read = read_table(io.BytesIO(b'A,B\n"x\ny",1\n\nz,2\n'))
    assert [row.number for row in read.rows] == [2, 4]


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", "no rows"),
        (b"\n \n,,\n", "no rows"),
        (b"%PDF-1.7 ...", "not a table"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1rest", "old Excel file"),
        (b"PK\x03\x04 nonsense", "can't be read"),
        (b'Client Name,City\n"never closed' + b"x" * 200_000, "quotation mark"),
        (b"A,B\n" + b"y" * 1_100_000, "longer than"),
        (b"A,B\n" + b"y," * 5_000 + b"y\n", "columns"),
    ],
)
def test_what_is_no_table_says_so(data, text):
    with pytest.raises(UnreadableFile, match=text):
        table(data)


def test_too_many_rows(monkeypatch):
    monkeypatch.setattr(reading, "MAX_ROWS", 10)
    with pytest.raises(UnreadableFile, match="more than 10 rows"):
        table(b"A,B\n" + b"x,y\n" * 11)


def workbook(rows, *, hidden_first=False):
    book = openpyxl.Workbook()
    sheet = book.active
    if hidden_first:
        sheet.append(["secret"])
        sheet.sheet_state = "hidden"
        sheet = book.create_sheet("Contacts")
    for row in rows:
        sheet.append(row)
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def test_workbooks():
    import datetime

    data = workbook(
        [
            ["Client Name", "Zip", "Since", "No Marketing", "x"],
            ["Kestrel", 80302.0, datetime.date(2024, 5, 17), True, 1.5],
            [None] * 5,
            ["Oakline", "01234", None, False, "#N/A"],
        ],
        hidden_first=True,
    )
    header, rows, kind = table(data)
    assert header == ["Client Name", "Zip", "Since", "No Marketing", "x"]
    assert rows == [["Kestrel", "80302", "2024-05-17", "yes", "1.5"], ["Oakline", "01234", "", "no", ""]]
    assert kind == "Excel, sheet Contacts"


def test_a_workbook_that_unpacks_to_too_much_is_refused(monkeypatch):
    monkeypatch.setattr(reading, "MAX_UNPACKED", 10_000)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("xl/worksheets/sheet1.xml", b"0" * 1_000_000)
    assert len(file.getvalue()) < 10_000
    with pytest.raises(UnreadableFile, match="unpacks to more"):
        table(file.getvalue())


def test_a_truncated_workbook_breaks_off_with_a_clear_word():
    data = workbook([["Client Name", "City"]] + [["Kestrel", "Boulder"]] * 50)
    with pytest.raises(UnreadableFile):
        table(data[: len(data) // 2])


@given(st.binary(max_size=300))
def test_no_bytes_break_the_reader(data):
    with contextlib.suppress(UnreadableFile):
        table(data)


# --- Columns --------------------------------------------------------------------------------------


def test_every_b4_column_is_known_by_its_label():
    mapping = guess_mapping(B4)
    assert [COLUMNS[i].label for i in range(24)] == B4
    assert mapping == {position: COLUMNS[position].key for position in range(24)}


@pytest.mark.parametrize(
    ("header", "keys"),
    [
        (
            [
                "Company",
                "First",
                "Last",
                "Email Address",
                "Job title",
                "Cell",
                "Sector",
                "Opt out",
                "Booth notes",
            ],
            [
                "client_name",
                "first_name",
                "last_name",
                "email",
                "position",
                "cell",
                "industry",
                "no_marketing",
                "",
            ],
        ),
        (
            ["company_name", "FirstName", "E-MAIL", "ZIP"],
            ["client_name", "first_name", "email", "postal_code"],
        ),
        (["Client", "Client Name", "Status"], ["", "client_name", "status"]),
        (["Email", "Email"], ["email", ""]),
        (["", "???"], ["", ""]),
    ],
)
def test_guesses(header, keys):
    mapping = guess_mapping(header)
    assert [mapping.get(position, "") for position in range(len(header))] == keys


@pytest.mark.parametrize(
    ("mapping", "text"),
    [
        ({0: "client_name", 1: "email"}, ""),
        ({0: "account_number"}, ""),
        ({0: "email"}, "Choose the column that holds the client's name."),
        ({0: "client_name", 1: "client_name"}, "Two columns go to “Client Name”. Choose one of them."),
        ({0: "client_name", 7: "email"}, "The file doesn't have that many columns."),
        ({0: "nonsense"}, "There is no column “nonsense”."),
    ],
)
def test_wrong_mappings(mapping, text):
    assert wrong_mapping(mapping, 2) == text


# --- Rows -----------------------------------------------------------------------------------------


def check(**cells):
    keys = list(cells)
    return RowChecker(dict(enumerate(keys))).check(list(cells.values()))


def test_an_accepted_row():
    row = check(
        client_name=" Kestrel  Outdoor ",
        first_name="Dana",
        email="Dana W <dana@kestrel.example.net>",
        contact_tags="VIP, Drinkware; vip|Events",
        no_marketing="Yes",
        account_number="n/a",
    )
    assert isinstance(row, Accepted)
    texts = dict(zip(TEXTS, row.texts, strict=True))
    assert (texts["client_name"], texts["account_number"]) == ("Kestrel Outdoor", "")
    assert texts["email"] == "dana@kestrel.example.net"
    assert row.contact_tags == ["VIP", "Drinkware", "Events"]
    assert (row.no_marketing, row.active, row.has_contact) == (True, None, True)


@pytest.mark.parametrize(
    ("cells", "reasons"),
    [
        ({"client_name": "", "first_name": "Dana"}, ("The client's name is missing.",)),
        (
            {"client_name": "K", "phone": "1", "email": "-"},
            ("The contact has neither a name nor an e-mail address.",),
        ),
        (
            {"client_name": "K", "first_name": "x" * 101},
            ("Contact First Name is too long: 101 characters, 100 fit.",),
        ),
        (
            {"client_name": "K", "first_name": "D", "no_marketing": "maybe"},
            ("No Marketing: “maybe” is neither yes nor no.",),
        ),
        (
            {"client_name": "", "email": "", "phone": "1"},
            ("The client's name is missing.", "The contact has neither a name nor an e-mail address."),
        ),
    ],
)
def test_refused_rows_say_everything_that_is_wrong(cells, reasons):
    assert check(**cells) == Refused(reasons)


@pytest.mark.parametrize(
    ("word", "meaning"),
    [
        *((word, True) for word in ("yes", "Y", "TRUE", "1", "x", "Opted out")),
        *((word, False) for word in ("no", "N", "0", "Subscribed")),
        *((word, None) for word in ("", " ")),
    ],
)
def test_words_of_no_marketing(word, meaning):
    assert check(client_name="K", first_name="D", no_marketing=word).no_marketing is meaning


def test_a_row_about_a_client_alone():
    assert check(client_name="K", first_name=" ", city="Boulder").has_contact is False


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("mailto:a@b.example", "a@b.example"),
        ("MAILTO:a@b.example", "a@b.example"),
        ("A <a@b.example>", "a@b.example"),
        ("a@b.example", "a@b.example"),
    ],
)
def test_bare_addresses(text, address):
    assert bare_address(text) == address


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_formulas_are_disarmed_on_the_way_out_and_whole_on_the_way_in(start):
    cell = f"{start}cmd|' /C calc'!A0"
    assert safe_cell(cell) == "'" + cell
    assert cell_text(safe_cell(cell)) == cell_text(cell)


@given(st.text(st.characters(codec="utf-8"), max_size=30))
def test_no_cell_is_a_formula_and_none_is_changed_by_the_round_trip(text):
    safe = safe_cell(text)
    assert not safe.startswith(("=", "+", "-", "@", "\t", "\r"))
    assert cell_text(safe) == cell_text(text) or text.startswith("'")
    assert cell_text(safe_cell(cell_text(text))) == cell_text(text)
