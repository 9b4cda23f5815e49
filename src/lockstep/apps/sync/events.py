"""What runs did to members, one row an outcome: for history, the contact's activity, and undo."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from django.utils import timezone

from lockstep.apps.connections.models import Connection
from lockstep.apps.sync.models import SyncEvent
from lockstep.apps.sync.rows import execute_rows
from lockstep.core.field_map import FIELD_SPECS
from lockstep.core.member import Values
from lockstep.core.outcome import Applied, Refused
from lockstep.core.plan import (
    AddMember,
    Change,
    ReleaseMember,
    RenameMember,
    TagMember,
    UpdateMember,
    tags_follow,
    tags_of,
)

_INSERT = """
INSERT INTO sync_syncevent (company_id, connection_id, run_id, contact_id, kind, differing, text,
    member_hash, added_as, at)
SELECT %(company)s, %(connection)s, %(run)s, n.contact_id, n.kind, n.differing::jsonb, n.text,
    n.member_hash, n.added_as, %(now)s
FROM n
"""


def write_events(connection: Connection, run_id: int | None, outcomes: Sequence[Applied | Refused]) -> None:
    """One event an outcome."""
    write_rows(connection, run_id, [_row(outcome) for outcome in outcomes])


EventRow = tuple[int, str, str, str, str, str]
"""Contact, kind, differing in JSON, text, member, and the status that it was made with."""


def write_rows(connection: Connection, run_id: int | None, rows: Sequence[EventRow]) -> None:
    execute_rows(
        _INSERT,
        [
            ("contact_id", "bigint"),
            ("kind", "text"),
            ("differing", "text"),
            ("text", "text"),
            ("member_hash", "text"),
            ("added_as", "text"),
        ],
        rows,
        {
            "company": connection.company_id,
            "connection": connection.pk,
            "run": run_id,
            "now": timezone.now(),
        },
    )


def _row(outcome: Applied | Refused) -> EventRow:
    change = outcome.change
    if isinstance(outcome, Refused):
        return change.contact_id, SyncEvent.Kind.REFUSED.value, "{}", outcome.refusal.text, change.hash, ""
    kind, text = _kind(change)
    if not isinstance(change, TagMember) and not tags_follow(change, outcome.member):
        text = f"{text} {in_words(change)}".strip()  # a batch call brought them along
    differing = msgspec.json.encode(differing_by_name(change)).decode()
    added_as = outcome.member.status.value if isinstance(change, AddMember) and outcome.created else ""
    return change.contact_id, kind.value, differing, text, outcome.member.hash, added_as


def _kind(change: Change) -> tuple[SyncEvent.Kind, str]:
    match change:
        case AddMember():
            return SyncEvent.Kind.ADDED, f"Added as {change.status_if_new.value}."
        case UpdateMember():
            return SyncEvent.Kind.UPDATED, ""
        case RenameMember():
            return SyncEvent.Kind.RENAMED, ""
        case ReleaseMember():
            return SyncEvent.Kind.RELEASED, ""
        case TagMember():
            return SyncEvent.Kind.TAGGED, in_words(change)


def in_words(change: Change) -> str:
    """The tags of a change in words: “Tags put on: … Tags taken off: …”; '' where there are none."""
    tags = tags_of(change)
    parts = (("Tags put on", tags.add), ("Tags taken off", tags.remove))
    return " ".join(f"{words}: {', '.join(names)}." for words, names in parts if names)


def differing_by_name(change: Change) -> dict[str, tuple[str, str]]:
    """Field name to (before, after) for what the change overwrites; nothing for somebody new."""
    match change:
        case AddMember() | TagMember():
            return {}
        case RenameMember():
            return _differing(change.before, change.values)
        case UpdateMember() | ReleaseMember():
            return _differing(change.before, change.values)


def _differing(before: Values, after: Values) -> dict[str, tuple[str, str]]:
    return {
        spec.name: (old, new) for spec, old, new in zip(FIELD_SPECS, before, after, strict=True) if old != new
    }
