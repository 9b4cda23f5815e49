"""The import's pages, from the file to the rows that were refused."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Mapping
from datetime import date

import openpyxl
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client as Browser
from django.urls import reverse
from tests.factories import SeatFactory

from lockstep.apps.accounts.models import Seat
from lockstep.apps.accounts.permissions import Role
from lockstep.apps.book.models import Contact, Import
from lockstep.apps.book.services.imports import run_import
from lockstep.web import uploads
from lockstep.web.book.imports import outcome_of

pytestmark = pytest.mark.django_db

BrowserOf = Callable[[Seat], Browser]
HTMX = {"HX-Request": "true"}

LEADS = """\
Company,First,Email,Booth notes
Copper Finch,Leila,leila@copperfinch.example.com,Liked the tote
Copper Finch,Rosa,rosa@@copperfinch.example.com,
,Nobody,nobody@example.com,
"""


@pytest.fixture
def seat() -> Seat:
    return SeatFactory()


@pytest.fixture
def browser(seat: Seat, browser_of: BrowserOf) -> Browser:
    return browser_of(seat)


def _upload(browser: Browser, text: str = LEADS, name: str = "leads.csv") -> Import:
    answer = browser.post("/import", {"file": SimpleUploadedFile(name, text.encode())})
    parent = Import.objects.latest("id")
    assert answer["Location"] == reverse("book:import_page", args=[parent.pk])
    return parent


def _choices(parent: Import, **more: str) -> Mapping[str, str]:
    return {"on_match": "fill", **{f"column-{at}": key for at, key in parent.mapping.items()}, **more}


def test_from_the_file_to_the_book(browser: Browser, seat: Seat) -> None:
    parent = _upload(browser)
    address = reverse("book:import_page", args=[parent.pk])

    checking = browser.get(address).text
    assert 'hx-trigger="every 1s"' in checking
    assert "3 of 4 matched" in checking
    assert "Liked the tote" in checking

    run_import(parent.pk)  # what a worker does
    checked = browser.get(address).text
    assert "every 1s" not in checked
    assert "of 3 rows are imported" in checked
    assert "Import 2 contacts" in checked
    assert "New, no usable e-mail" in checked
    assert not Contact.objects.exists()

    answer = browser.post(address, _choices(parent, do="import", extra_tags="Trade shows"), headers=HTMX)
    assert answer.text.lstrip().startswith('<div class="page" id="import"')
    assert 'role="progressbar"' in answer.text
    assert "You can leave this page." in answer.text

    run_import(parent.pk)
    done = browser.get(address, headers=HTMX).text
    assert "What happened" in done
    assert "every 1s" not in done
    assert Contact.objects.filter(company=seat.company).count() == 2
    assert all(len(contact.tag_ids) == 1 for contact in Contact.objects.all())
    assert "leads.csv" in browser.get("/import").text


def test_the_refused_rows_come_back_with_the_reason(browser: Browser) -> None:
    parent = _upload(browser)
    run_import(parent.pk)
    file = browser.get(reverse("book:refused_file", args=[parent.pk]))
    assert file["Content-Disposition"] == 'attachment; filename="leads.refused.csv"'
    text = b"".join(file.streaming_content).decode("utf-8-sig")
    assert text.splitlines()[0] == "Company,First,Email,Booth notes,Why it was refused"
    assert "Nobody" in text
    assert "The client's name is missing." in text


def test_another_choice_is_checked_again(browser: Browser) -> None:
    parent = _upload(browser)
    run_import(parent.pk)
    address = reverse("book:import_page", args=[parent.pk])
    answer = browser.post(address, _choices(parent, on_match="overwrite"), headers=HTMX)
    assert "Checking" in answer.text
    parent.refresh_from_db()
    assert (parent.on_match, parent.dry_run, parent.state) == ("overwrite", True, Import.State.QUEUED)


def test_a_mapping_that_cannot_be_keeps_the_choices(browser: Browser) -> None:
    parent = _upload(browser)
    run_import(parent.pk)
    address = reverse("book:import_page", args=[parent.pk])
    answer = browser.post(address, {"on_match": "fill", "column-1": "first_name"}, headers=HTMX)
    assert answer.status_code == 422
    assert "Choose the column that holds the client" in answer.text
    assert '<option value="first_name" selected>' in answer.text
    assert '<option value="client_name" selected>' not in answer.text
    assert 'name="do" value="import" disabled' in answer.text


def test_a_file_whose_columns_nobody_knows_waits_for_the_person(browser: Browser) -> None:
    parent = _upload(browser, "a,b\n1,2\n")
    page = browser.get(reverse("book:import_page", args=[parent.pk])).text
    assert parent.state == Import.State.UPLOADED
    assert "Choose the column that holds the client" in page
    assert 'name="do" value="import" disabled' in page


@pytest.mark.parametrize("content", [b"", b"\x00\x01\x02\x03", b"one cell"])
def test_what_is_no_table_is_refused_in_words(browser: Browser, content: bytes) -> None:
    answer = browser.post("/import", {"file": SimpleUploadedFile("x.csv", content)})
    assert answer.status_code == 422
    assert 'id="id_file_error"' in answer.text
    assert not Import.objects.exists()


def test_no_file(browser: Browser) -> None:
    assert "Choose a file first." in browser.post("/import").text


def test_too_large_a_request_is_refused_before_it_is_read(
    browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "MAX_UPLOAD", 1_000)
    answer = browser.post("/import", {"file": SimpleUploadedFile("x.csv", b"a,b\n" * 1_000)})
    assert answer.status_code == 400
    assert "The file is too large." in answer.text
    assert not Import.objects.exists()


def test_names_and_cells_are_escaped(browser: Browser) -> None:
    parent = _upload(browser, 'Company,"<b>x</b>"\n<script>,<i>\n', name="<img>.csv")
    page = browser.get(reverse("book:import_page", args=[parent.pk])).text
    for text in ("<b>x", "<script>", "<i>", "<img>"):
        assert text not in page


def test_of_another_company_nothing(browser: Browser, browser_of: BrowserOf) -> None:
    parent = _upload(browser_of(SeatFactory()))
    for name in ("import_page", "refused_file"):
        assert browser.get(reverse(f"book:{name}", args=[parent.pk])).status_code == 404
    address = reverse("book:import_page", args=[parent.pk])
    assert browser.post(address, _choices(parent, do="import")).status_code == 404
    assert "leads.csv" not in browser.get("/import").text


@pytest.mark.parametrize("role", [Role.SALES, Role.LIMITED, Role.READ_ONLY])
def test_who_may_not_import(role: Role, browser_of: BrowserOf) -> None:
    browser = browser_of(SeatFactory(role=role))
    assert browser.get("/import").status_code == 403
    answer = browser.post("/import", {"file": SimpleUploadedFile("x.csv", LEADS.encode())})
    assert answer.status_code == 403
    assert not Import.objects.exists()


def test_every_row_is_in_one_part() -> None:
    counts = {
        "rows": 1000,
        "new_contacts": 700,
        "new_without_email": 30,
        "changed_contacts": 100,
        "unchanged_contacts": 80,
        "skipped_rows": 20,
        "merged_rows": 50,
        "client_rows": 10,
        "refused_rows": 40,
        "new_clients": 5,
        "changed_clients": 0,
        "new_tags": 2,
        "new_list_values": 0,
        "no_marketing": 1,
    }
    outcome = outcome_of(counts)
    assert outcome is not None
    assert sum(count for _, _, count in outcome.parts) == outcome.rows
    assert (outcome.contacts, outcome.taken, outcome.refused) == (800, 940, 40)
    assert outcome_of({}) is None


def _book(rows: list[list[object]], **also: object) -> bytes:
    book = openpyxl.Workbook()
    sheet = book.active
    for row in rows:
        sheet.append(row)
    for cells in also.get("merged", ()):  # type: ignore[attr-defined]
        sheet.merge_cells(cells)
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


#: What people really load → None where it is taken, else a word of what they are told.
NASTY: dict[str, tuple[bytes, str | None]] = {
    "UTF-16 with tabs, as Excel says Unicode text": (
        "Company\tFirst\tEmail\nCafé\tZoë\tzoe@x.example.com\n".encode("utf-16"),
        None,
    ),
    "an old Mac": ("Company;First;Email\nCafé;Hélène;h@x.example.com\n".encode("mac-roman"), None),
    "two columns of one name": (b"Company,Email,Email\nA,a@x.example.com,b@x.example.com\n", None),
    "columns without a name": (b"Company,,Email,\nA,1,a@x.example.com,2\n", None),
    "NULs within": (b"Company,First,Email\nA\x00B,Al,a@x.example.com\n", None),
    "a lone quotation mark within": (b'Company,First,Email\nA 5" B,Al,a@x.example.com\n', None),
    "no names of columns": (b"Kestrel,a@x.example.com\nOakline,b@x.example.com\n", None),
    "numbers and a date as cells": (
        _book([["Company", "Contact Email", "Phone"], ["A", 17, 4930123456.0], ["B", date(2024, 1, 2), "1"]]),
        None,
    ),
    "merged cells": (_book([["Company", "First"], ["A", "Al"], ["", "Bo"]], merged=["A2:A3"]), None),
    "a formula nobody counted": (_book([["Company", "First"], ["=1+1", "Al"]]), None),
    "a quotation mark that is never closed": (b'Company,First\n"A,Al\n' + b"x" * 200_000, "quotation mark"),
    "one cell of ten megabytes": (b"Company,First\n" + b"x" * 10_000_000 + b",Al\n", "longer than"),
    "two thousand columns": (b",".join(b"c%d" % n for n in range(2_000)) + b"\n", "columns"),
    "nothing": (b"", "empty"),
    "only commas": (b",,,\n,,\n", "no rows"),
    "a picture": (b"\x89PNG\r\n\x1a\n", "not a table"),
    "a workbook cut off": (
        _book([["Company"], ["A"]])[:900],
        "can(.|&#x27;)t be read",
    ),
}


@pytest.mark.parametrize("what", NASTY)
def test_nasty_files_are_read_or_refused_in_words(browser: Browser, seat: Seat, what: str) -> None:
    """Never a 500; and every row is in the book, or refused with a reason that goes into the file."""
    content, told = NASTY[what]
    answer = browser.post("/import", {"file": SimpleUploadedFile("x.csv", content)})
    if told is not None:
        broken = answer.text
        if answer.status_code == 302:
            parent = Import.objects.get()
            run_import(parent.pk)
            parent.refresh_from_db()
            assert parent.state == Import.State.FAILED
            broken = browser.get(answer.headers["Location"]).text
        assert re.search(told, broken, re.IGNORECASE), broken[-2_000:]
        assert not Contact.objects.exists()
        return
    assert answer.status_code == 302, answer.text
    parent = Import.objects.get()
    page = browser.get(answer.headers["Location"])
    assert page.status_code == 200
    if parent.state == Import.State.UPLOADED:
        assert "Choose the column that holds the client" in page.text
        return
    Import.objects.filter(pk=parent.pk).update(dry_run=False, state=Import.State.QUEUED)
    run_import(parent.pk)
    parent.refresh_from_db()
    assert parent.state == Import.State.DONE, parent.error
    counts = parent.counts
    assert counts["rows"] == Contact.objects.count() + parent.refusals.count()
    assert all(refusal.reason for refusal in parent.refusals.all())
