"""The report as a file, of the columns that were chosen, however many contacts there are."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence

from lockstep.apps.accounts.permissions import Permission
from lockstep.apps.book.services.imports.formulas import safe_cell
from lockstep.apps.book.services.imports.refused import Line as TextLine
from lockstep.apps.book.services.spreadsheets import xlsx
from lockstep.apps.reports.columns import Column
from lockstep.apps.reports.queries.report import Report


def report_csv(report: Report, columns: Sequence[Column]) -> Iterator[str]:
    """UTF-8 with a byte order mark, safe to open in a spreadsheet. Raises `NotPermitted` at once."""
    report.actor.require(Permission.EXPORT_BOOK)
    return _csv(report, columns)


def _csv(report: Report, columns: Sequence[Column]) -> Iterator[str]:
    line = TextLine()
    writer = csv.writer(line)
    writer.writerow([column.label for column in columns])
    yield "\ufeff" + line.text
    for row in _rows(report, columns):
        writer.writerow([safe_cell(cell) for cell in row])
        yield line.text


def report_xlsx(report: Report, columns: Sequence[Column]) -> Iterator[bytes]:
    """Every cell is text. Raises `NotPermitted` at once."""
    report.actor.require(Permission.EXPORT_BOOK)
    return xlsx([column.label for column in columns], _rows(report, columns), title="Mailing list")


def _rows(report: Report, columns: Sequence[Column]) -> Iterator[list[str]]:
    for line in report.every_line():
        yield [column.text(line) for column in columns]
