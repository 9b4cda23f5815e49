"""The rows of a dry run: every contact that fits, what would be done, old and new value."""

from __future__ import annotations

import msgspec
from django.db import connection as database

from lockstep.apps.sync.events import differing_by_name, in_words
from lockstep.apps.sync.models import PlanRow
from lockstep.apps.sync.rows import execute_rows
from lockstep.core.field_map import FIELD_SPECS
from lockstep.core.member import Reason
from lockstep.core.plan import (
    AddMember,
    Answer,
    Change,
    Plan,
    ReleaseMember,
    RenameMember,
    Skip,
    TagMember,
    UpdateMember,
)
from lockstep.core.planner import Slice

_STEP_OF_ANSWER = {
    Answer.UNCHANGED: PlanRow.Step.UNCHANGED,
    Answer.REFUSED_BEFORE: PlanRow.Step.REFUSED,
    Answer.ARCHIVED: PlanRow.Step.ARCHIVED,
    Answer.GONE: PlanRow.Step.ARCHIVED,
    Answer.LOOK: PlanRow.Step.UPDATE,
}


def clear_rows(run_id: int) -> None:
    """Rows of an earlier, interrupted attempt."""
    with database.cursor() as cursor:
        cursor.execute("DELETE FROM sync_planrow WHERE run_id = %s", [run_id])


def write_rows(run_id: int, part: Slice, plan: Plan) -> None:
    """The plan of one slice, as rows that people browse."""
    rows = [_of_change(change) for change in plan.changes]
    rows += [_of_skip(skip, part) for skip in plan.skips if skip.reason is Reason.FITS]
    execute_rows(
        """INSERT INTO sync_planrow (run_id, contact_id, step, differing, text)
           SELECT %(run)s, n.contact_id, n.step, n.differing::jsonb, n.text FROM n""",
        [("contact_id", "bigint"), ("step", "text"), ("differing", "text"), ("text", "text")],
        rows,
        {"run": run_id},
    )


def _of_change(change: Change) -> tuple[int, str, str, str]:
    match change:
        case AddMember():
            differing = {
                spec.name: ("", value)
                for spec, value in zip(FIELD_SPECS, change.values, strict=True)
                if value
            }
            return _row(change.contact_id, PlanRow.Step.ADD, differing, change.status_if_new.value)
        case UpdateMember():
            return _row(change.contact_id, PlanRow.Step.UPDATE, differing_by_name(change), in_words(change))
        case RenameMember():
            return _row(
                change.contact_id, PlanRow.Step.RENAME, differing_by_name(change), change.former_email
            )
        case ReleaseMember():
            return _row(change.contact_id, PlanRow.Step.RELEASE, differing_by_name(change), "")
        case TagMember():
            return _row(change.contact_id, PlanRow.Step.TAG, {}, in_words(change))


def _of_skip(skip: Skip, part: Slice) -> tuple[int, str, str, str]:
    synced = part.synced.get(skip.contact_id)
    text = synced.refusal.text if synced and synced.refusal else ""
    return _row(skip.contact_id, _STEP_OF_ANSWER[skip.answer], {}, text)


def _row(
    contact_id: int, step: PlanRow.Step, differing: dict[str, tuple[str, str]], text: str
) -> tuple[int, str, str, str]:
    return contact_id, step.value, msgspec.json.encode(differing).decode(), text
