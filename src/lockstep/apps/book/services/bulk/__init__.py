"""Many rows by one act, and the way back: bulk edits; undo of edits, merges, imports, and single changes."""

from __future__ import annotations

from collections.abc import Callable

from lockstep.apps.book.models import BulkChange
from lockstep.apps.book.services.bulk.editing import (
    SLICE,
    EditPreview,
    advance_by,
    deadline,
    edit_slice,
    preview_bulk_edit,
    start_bulk_edit,
)
from lockstep.apps.book.services.bulk.edits import BulkEdit
from lockstep.apps.book.services.bulk.undoing import (
    Undone,
    permissions_to_undo,
    start_undo,
    undo_entry,
    undo_slice,
)

__all__ = [
    "BulkEdit",
    "EditPreview",
    "Undone",
    "advance_bulk",
    "deadline",
    "permissions_to_undo",
    "preview_bulk_edit",
    "start_bulk_edit",
    "start_undo",
    "undo_entry",
]

UNDO_SLICE = 2_000
"""Entries undone in one transaction; each is looked at by itself."""


def advance_bulk(bulk_id: int, *, more: Callable[[], bool] = lambda: True) -> BulkChange:
    """Go on with a bulk change: at least one slice, further ones while `more()`.

    Safe to call again after a crash, and from several places at once. What is
    done or failed is returned as it is.
    """
    kind = BulkChange.objects.values_list("kind", flat=True).get(pk=bulk_id)
    if kind == BulkChange.Kind.UNDO:
        return advance_by(bulk_id, undo_slice, more=more, size=UNDO_SLICE)
    return advance_by(bulk_id, edit_slice, more=more, size=SLICE)
