"""Verbs of the sync: what a person may ask for."""

from lockstep.apps.sync.services.duplicates import choose_duplicate, unchoose_duplicate
from lockstep.apps.sync.services.runs import (
    SyncRefused,
    confirm_guards,
    dismiss_waiting,
    refresh,
    retry,
    start_preview,
    start_sync,
    stop_sync,
)

__all__ = [
    "SyncRefused",
    "choose_duplicate",
    "confirm_guards",
    "dismiss_waiting",
    "refresh",
    "retry",
    "start_preview",
    "start_sync",
    "stop_sync",
    "unchoose_duplicate",
]
