"""Writes spreadsheets row by row, however long: nothing is held but the row being written.

Every cell is text (an inline string), so nothing that somebody typed is ever
taken for a formula.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from xml.sax.saxutils import escape

ROWS_A_SHEET = 1_000_000
"""Spreadsheets hold 1,048,576; what is more goes onto a further sheet."""

LONGEST_CELL = 32_767

_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")
_DECLARATION = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>'
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_KINDS = "application/vnd.openxmlformats-officedocument.spreadsheetml"


class _Out:
    """What zipfile writes into: bytes to be taken away; it can't be sought in, so sizes follow the data."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._parts.append(bytes(data))
        return len(data)

    def flush(self) -> None: ...

    def take(self) -> bytes:
        data = b"".join(self._parts)
        self._parts.clear()
        return data


def xlsx(header: Sequence[str], rows: Iterable[Sequence[str]], *, title: str = "Contacts") -> Iterator[bytes]:
    """An .xlsx file of these rows, piece by piece; each sheet begins with the header."""
    out = _Out()
    pending = iter(rows)
    sheets = 0
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=3) as file:  # type: ignore[arg-type]
        more = True
        while more:
            sheets += 1
            with file.open(f"xl/worksheets/sheet{sheets}.xml", "w") as sheet:
                sheet.write(f'{_DECLARATION}<worksheet xmlns="{_MAIN}"><sheetData>{_row(header)}'.encode())
                more = False
                for number, row in enumerate(pending, 1):
                    sheet.write(_row(row).encode())
                    if number % 500 == 0:
                        yield out.take()
                    if number == ROWS_A_SHEET:
                        more = True
                        break
                sheet.write(b"</sheetData></worksheet>")
        for name, text in _parts(sheets, title).items():
            file.writestr(name, _DECLARATION + text)
    yield out.take()


def _row(cells: Sequence[str]) -> str:
    return f"<row>{''.join(map(_cell, cells))}</row>"


def _cell(text: str) -> str:
    if not text:
        return "<c/>"
    clean = escape(_UNPRINTABLE.sub("", text)[:LONGEST_CELL])
    return f'<c t="inlineStr"><is><t xml:space="preserve">{clean}</t></is></c>'


def _parts(sheets: int, title: str) -> dict[str, str]:
    """The files around the sheets that make a workbook of them."""
    numbers = range(1, sheets + 1)
    names = "".join(
        f'<sheet name="{escape(title[:25])}{"" if number == 1 else number}" sheetId="{number}"'
        f' r:id="r{number}"/>'
        for number in numbers
    )
    links = "".join(
        f'<Relationship Id="r{number}" Type="{_OFFICE}/worksheet" Target="worksheets/sheet{number}.xml"/>'
        for number in numbers
    )
    types = "".join(
        f'<Override PartName="/xl/worksheets/sheet{number}.xml" ContentType="{_KINDS}.worksheet+xml"/>'
        for number in numbers
    )
    inside = f'<Relationships xmlns="{_PACKAGE}/relationships">'
    return {
        "xl/workbook.xml": f'<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}">'
        f"<sheets>{names}</sheets></workbook>",
        "xl/_rels/workbook.xml.rels": f"{inside}{links}</Relationships>",
        "_rels/.rels": f'{inside}<Relationship Id="r1" '
        f'Type="{_OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "[Content_Types].xml": f'<Types xmlns="{_PACKAGE}/content-types"><Default Extension="rels" '
        f'ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" '
        f'ContentType="application/xml"/><Override PartName="/xl/workbook.xml" '
        f'ContentType="{_KINDS}.sheet.main+xml"/>{types}</Types>',
    }
