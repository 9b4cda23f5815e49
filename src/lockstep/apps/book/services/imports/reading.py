"""Reads CSV in any common encoding and delimiter, and XLSX, row by row in constant memory.

Everything is bounded: columns, cells, lines, rows, and what a compressed file
may unfold to. Cells come as text; numbers and dates of a spreadsheet as people
would write them.
"""

from __future__ import annotations

import codecs
import csv
import datetime
import io
import itertools
import warnings
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from lockstep.apps.book.services.imports.errors import UnreadableFile

MAX_ROWS = 1_000_000
MAX_COLUMNS = 200
MAX_CELL = 100_000
"""Characters; the csv module itself stops at 131,072."""
MAX_LINE = 1_000_000
MAX_UNPACKED = 1 << 30
MAX_SHARED_STRINGS = 256 << 20
MAX_BLANK_ROWS = 10_000
"""Blank rows in a row after which a sheet counts as ended: Excel likes to claim a million."""

_SAMPLE = 64 << 10
_DELIMITERS = ",;\t|"


@dataclass(frozen=True, slots=True)
class Row:
    number: int
    """As a spreadsheet counts: the header is usually row 1."""
    cells: list[str]


@dataclass(slots=True)
class Table:
    """A file's header and its rows; the rows can be gone through once."""

    header: list[str]
    rows: Iterator[Row]
    kind: str
    """“Comma, UTF-8”, “Excel, sheet Contacts”: shown beside the file's name."""
    sheets: list[str] = field(default_factory=list)


def read_table(file: BinaryIO) -> Table:
    """Open a seekable file. Raises `UnreadableFile` now, or while its rows are read."""
    file.seek(0)
    start = file.read(8)
    file.seek(0)
    if start.startswith(b"PK\x03\x04"):
        rows, kind, sheets = _xlsx_rows(file)
    elif start.startswith(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"):
        raise UnreadableFile("This is an old Excel file (.xls). Save it as .xlsx or .csv and load that.")
    elif start.startswith((b"%PDF", b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"\x1f\x8b", b"Rar!")):
        raise UnreadableFile("This is not a table. Load a .csv or .xlsx file.")
    else:
        rows, kind = _csv_rows(file)
        sheets = []
    rows = _bounded(rows)
    header = next((row for row in rows if any(cell.strip() for cell in row.cells)), None)
    if header is None:
        raise UnreadableFile("The file has no rows.")
    names = [" ".join(cell.split())[:200] for cell in header.cells]
    while names and not names[-1]:
        names.pop()
    return Table(header=names, rows=_data_rows(rows, len(names)), kind=kind, sheets=sheets)


def _bounded(rows: Iterator[Row]) -> Iterator[Row]:
    for count, row in enumerate(rows):
        if count > MAX_ROWS:
            raise UnreadableFile(f"The file has more than {MAX_ROWS:,} rows. Split it and load the parts.")
        if len(row.cells) > MAX_COLUMNS and any(row.cells[MAX_COLUMNS:]):
            raise UnreadableFile(
                f"Row {row.number:,} has {len(row.cells):,} columns; {MAX_COLUMNS} fit."
                " Is a quotation mark missing?"
            )
        yield row


def _data_rows(rows: Iterator[Row], width: int) -> Iterator[Row]:
    """Without blank rows, each as wide as the header; what stands right of the header is kept."""
    for row in rows:
        if any(row.cells):
            if len(row.cells) < width:
                row.cells.extend([""] * (width - len(row.cells)))
            yield row


# --- CSV ------------------------------------------------------------------------------------------

_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig", "UTF-8"),
    (codecs.BOM_UTF32_LE, "utf-32", "UTF-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32", "UTF-32"),
    (codecs.BOM_UTF16_LE, "utf-16", "UTF-16"),
    (codecs.BOM_UTF16_BE, "utf-16", "UTF-16"),
)
_DELIMITER_NAMES = {",": "Comma", ";": "Semicolon", "\t": "Tab", "|": "Bar"}


def _encoding(file: BinaryIO) -> tuple[str, str]:
    """How the text is encoded, for Python and for people. Goes through the whole file once."""
    file.seek(0)
    start = file.read(_SAMPLE)
    for mark, encoding, name in _BOMS:
        if start.startswith(mark):
            return encoding, name
    nulls_even, nulls_odd = start[0::2].count(0), start[1::2].count(0)
    half = max(1, len(start) // 2)
    if nulls_odd > half * 0.4 and nulls_odd > 3 * nulls_even:
        return "utf-16-le", "UTF-16"
    if nulls_even > half * 0.4 and nulls_even > 3 * nulls_odd:
        return "utf-16-be", "UTF-16"
    decoder = codecs.getincrementaldecoder("utf-8")()
    file.seek(0)
    try:
        while part := file.read(1 << 20):
            decoder.decode(part)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return ("mac-roman", "Mac Roman") if _looks_like_mac_roman(start) else ("cp1252", "Windows-1252")
    return "utf-8", "UTF-8"


_MAC_LETTERS = frozenset([0x87, 0x88, 0x89, 0x8A, 0x8B, 0x8C, 0x8D, 0x8E, 0x8F, 0x90, 0x98, 0x9D, 0x9F])
"""Small accented letters in Mac Roman; in Windows-1252 capitals, signs or nothing at all."""
_ODD_IN_BOTH = frozenset([0xC9, 0xCA, *range(0xD0, 0xD6)])
"""Quotes, dashes and the like in Mac Roman, which say nothing about Windows-1252."""


def _looks_like_mac_roman(sample: bytes) -> bool:
    """Whether more bytes behind a small letter are letters of an old Mac than letters of Windows anywhere."""
    mac = windows = 0
    for before, byte in itertools.pairwise(sample):
        if byte in _MAC_LETTERS:
            mac += 0x61 <= before <= 0x7A
        elif byte >= 0xC0 and byte not in _ODD_IN_BOTH:
            windows += 1
    return mac > windows


def _csv_rows(file: BinaryIO) -> tuple[Iterator[Row], str]:
    encoding, encoding_name = _encoding(file)
    # Five bytes mean nothing in Windows-1252: they become the replacement character, not a failure.
    errors = "replace"
    file.seek(0)
    sample = codecs.getincrementaldecoder(encoding)(errors).decode(file.read(_SAMPLE))
    file.seek(0)
    text = io.TextIOWrapper(file, encoding=encoding, errors=errors, newline="")
    first_line = sample.splitlines()[0] if sample else ""
    declared = first_line[4:5] if first_line.lower().startswith("sep=") else ""
    delimiter = declared or guess_delimiter(sample)
    rows = _parse(text, delimiter, skip=1 if declared else 0)
    return rows, f"{_DELIMITER_NAMES.get(delimiter, delimiter)}, {encoding_name}"


def guess_delimiter(sample: str) -> str:
    """The delimiter under which the first lines fall into most, and equally many, columns."""
    complete = sample[: sample.rfind("\n") + 1] or sample
    best, best_score = ",", 0.0
    for delimiter in _DELIMITERS:
        try:
            widths = [
                len(row)
                for row in csv.reader(io.StringIO(complete[:_SAMPLE], newline=""), delimiter=delimiter)
                if row
            ][:50]
        except csv.Error:
            continue
        if not widths or widths[0] < 2:
            continue
        alike = sum(width == widths[0] for width in widths) / len(widths)
        score = alike * 1_000 + widths[0]
        if score > best_score:
            best, best_score = delimiter, score
    return best


def _lines(text: io.TextIOWrapper) -> Iterator[str]:
    while line := text.readline(MAX_LINE):
        if len(line) >= MAX_LINE:
            raise UnreadableFile(f"A line is longer than {MAX_LINE:,} characters. Is this a CSV file?")
        yield line


def _parse(text: io.TextIOWrapper, delimiter: str, *, skip: int) -> Iterator[Row]:
    reader = csv.reader(_lines(text), delimiter=delimiter)
    number = 0
    try:
        for number, cells in enumerate(reader, start=1):
            if number > skip:
                yield Row(number, cells)
    except csv.Error as error:
        raise UnreadableFile(
            f"The file can't be read from row {number + 1:,} on ({error})."
            " Is a quotation mark there that is never closed?"
        ) from error


# --- XLSX -----------------------------------------------------------------------------------------


def _xlsx_rows(file: BinaryIO) -> tuple[Iterator[Row], str, list[str]]:
    import openpyxl  # slow to import, and most files are CSV

    try:
        _check_unpacked(file)
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore"
            )  # styles and extensions that openpyxl leaves out don't matter here
            book = openpyxl.load_workbook(file, read_only=True, data_only=True, keep_links=False)
        sheet = next((s for s in book.worksheets if s.sheet_state == "visible"), None)
        if sheet is None:
            raise UnreadableFile("The workbook has no visible sheet.")
        sheet.reset_dimensions()
    except UnreadableFile:
        raise
    except Exception as error:
        raise UnreadableFile(
            "This Excel file can't be read. Open it, save it again as .xlsx or .csv, and load that."
        ) from error
    return _sheet_rows(sheet), f"Excel, sheet {sheet.title}", [s.title for s in book.worksheets]


def _check_unpacked(file: BinaryIO) -> None:
    """Refuse what unfolds to more than could be honest; zipfile never reads past the sizes declared here."""
    file.seek(0)
    with zipfile.ZipFile(file) as packed:
        parts = packed.infolist()
    unpacked = sum(part.file_size for part in parts)
    shared = sum(part.file_size for part in parts if part.filename.endswith("sharedStrings.xml"))
    if len(parts) > 5_000 or unpacked > MAX_UNPACKED or shared > MAX_SHARED_STRINGS:
        raise UnreadableFile(
            "This Excel file unpacks to more than can be read. Save it as .csv and load that."
        )
    file.seek(0)


def _sheet_rows(sheet: Any) -> Iterator[Row]:
    blank = 0
    try:
        for number, values in enumerate(sheet.iter_rows(values_only=True), start=1):
            cells = _cells(values)
            blank = 0 if any(cells) else blank + 1
            if blank > MAX_BLANK_ROWS:
                return
            yield Row(number, cells)
    except UnreadableFile:
        raise
    except Exception as error:
        raise UnreadableFile(
            "This Excel file breaks off. Open it, save it again as .xlsx or .csv, and load that."
        ) from error


def _cells(values: Sequence[Any]) -> list[str]:
    cells = [_cell(value) for value in values]
    while cells and not cells[-1]:
        cells.pop()
    return cells


def _cell(value: Any) -> str:
    match value:
        case None:
            return ""
        case str():
            return "" if value.startswith("#") and value in _SHEET_ERRORS else value[:MAX_CELL]
        case bool():
            return "yes" if value else "no"
        case float():
            return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
        case datetime.datetime():
            midnight = value.time() == datetime.time()
            return value.date().isoformat() if midnight else value.isoformat(" ", timespec="minutes")
        case _:
            return str(value)


_SHEET_ERRORS = frozenset({"#N/A", "#REF!", "#VALUE!", "#DIV/0!", "#NAME?", "#NULL!", "#NUM!"})
