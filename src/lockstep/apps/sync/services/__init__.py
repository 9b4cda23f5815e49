"""Verbs of the sync: what a person may ask for."""

from lockstep.apps.sync.services.duplicates import choose_duplicate, unchoose_duplicate
from lockstep.apps.sync.services.runs import (
    TYPED_ABOVE,
    SyncRefused,
    confirm_guards,
    dismiss_waiting,
    refresh,
    retry,
    start_preview,
    start_sync,
    stop_sync,
    writes_of,
)
from lockstep.apps.sync.services.undo import UNDOABLE, stop_run, undo_run

__all__ = [
    "TYPED_ABOVE",
    "UNDOABLE",
    "SyncRefused",
    "choose_duplicate",
    "confirm_guards",
    "dismiss_waiting",
    "refresh",
    "retry",
    "start_preview",
    "start_sync",
    "stop_run",
    "stop_sync",
    "unchoose_duplicate",
    "undo_run",
    "writes_of",
]
