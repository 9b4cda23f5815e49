"""Writes who changed what (B6), with old and new as people read them."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any

from lockstep.apps.accounts.permissions import Actor
from lockstep.apps.book.models import BulkChange, HistoryEntry

Readable = str
"""A value as people read it: a name instead of an id, “yes” instead of true, '' for nothing."""


def readable(value: Any) -> Readable:
    """A plain value as people read it; ids have to be named before."""
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case datetime.datetime():
            return value.isoformat(timespec="minutes")
        case list() | tuple():
            return ", ".join(str(part) for part in value)
        case _:
            return str(value)


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, list[Readable]]:
    """The fields of `new` that read differently in `old`, as [old, new]; missing in `old` counts as empty."""
    changes = {}
    for field, value in new.items():
        before, after = readable(old.get(field)), readable(value)
        if before != after:
            changes[field] = [before, after]
    return changes


def record(
    actor: Actor,
    *,
    subject: str,
    subject_id: int,
    action: str,
    changes: Mapping[str, list[Readable]] | None = None,
    raw: tuple[Mapping[str, Any], Mapping[str, Any]] | None = None,
    bulk: BulkChange | None = None,
    at: datetime.datetime,
    label: str = "",
) -> HistoryEntry:
    """Add one entry; the caller's transaction holds it. `label` names the subject where it has no page.

    `raw` is (before, after) of the columns that differ, see `services.raw`;
    with it the change can be undone.
    """
    before, after = raw if raw else (None, None)
    return HistoryEntry.objects.create(
        company=actor.company,
        user=actor.user,
        at=at,
        subject_kind=subject,
        subject_id=subject_id,
        label=label[:300],
        action=action,
        changes=dict(changes or {}),
        before=None if before is None else dict(before),
        after=None if after is None else dict(after),
        bulk=bulk,
    )
