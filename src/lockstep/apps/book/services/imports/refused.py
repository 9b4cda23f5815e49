"""The file of refused rows: the original columns plus the reason, to be mended and loaded again."""

from __future__ import annotations

import csv
from collections.abc import Iterator

from lockstep.apps.accounts.permissions import Actor, Permission
from lockstep.apps.book.models import ImportRefusal
from lockstep.apps.book.services.imports.columns import REASON_HEADER
from lockstep.apps.book.services.imports.formulas import safe_cell
from lockstep.apps.book.services.imports.starting import import_of


class Line:
    """A file for the csv writer that holds one line."""

    def __init__(self) -> None:
        self.text = ""

    def write(self, text: str) -> int:
        self.text = text
        return len(text)


def refused_rows_csv(actor: Actor, *, import_id: int) -> Iterator[str]:
    """The lines of the file, streamed; it begins with a byte order mark, so that Excel reads it as UTF-8.

    Raises `NotPermitted` and `NotFound` at once, not while it is read.
    """
    actor.require(Permission.IMPORT_BOOK)
    parent = import_of(actor, import_id)
    return _lines(parent.pk, parent.header)


def _lines(import_id: int, header: list[str]) -> Iterator[str]:
    line = Line()
    writer = csv.writer(line)
    writer.writerow([safe_cell(name) for name in [*header, REASON_HEADER]])
    yield "\ufeff" + line.text
    refusals = ImportRefusal.objects.filter(parent_id=import_id).order_by("row_number")
    for cells, reason in refusals.values_list("cells", "reason").iterator(chunk_size=2_000):
        padded = [*cells, *[""] * (len(header) - len(cells))]
        writer.writerow([*map(_cell_again, padded), safe_cell(reason)])
        yield line.text


def _cell_again(cell: str) -> str:
    """As in the first file: a cell that is protected already stays as it is."""
    protected = cell[:1] == "'" and cell[1:2] in ("=", "+", "-", "@", "'", "\t", "\r")
    return cell if protected else safe_cell(cell)
