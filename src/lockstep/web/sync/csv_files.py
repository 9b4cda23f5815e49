"""Rows of the sync as CSV for people's spreadsheets: streamed, and safe to open there."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator

from django.http import HttpRequest, StreamingHttpResponse

from lockstep.apps.book.services.imports.formulas import safe_cell
from lockstep.web.streams import csv_file

__all__ = ["stream"]

BYTE_ORDER_MARK = "\ufeff"
"""Lets Excel read the file as UTF-8."""


class _Echo:
    def write(self, line: str) -> str:
        return line


def stream(request: HttpRequest, rows: Iterable[list[str]], name: str) -> StreamingHttpResponse:
    """A download of these rows."""
    return csv_file(request, _lines(rows), name)


def _lines(rows: Iterable[list[str]]) -> Iterator[str]:
    writer = csv.writer(_Echo())
    mark = BYTE_ORDER_MARK
    for row in rows:
        yield mark + writer.writerow([safe_cell(cell) for cell in row])
        mark = ""
