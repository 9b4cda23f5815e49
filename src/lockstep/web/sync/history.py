"""Every run with what it did, and one run opened: its log, and what it did contact by contact."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.core.paginator import Paginator
from django.http import Http404, HttpResponse, StreamingHttpResponse
from django.utils import timezone

from lockstep.apps.accounts.permissions import NotPermitted, Permission
from lockstep.apps.connections.models import Connection
from lockstep.apps.sync.models import PlanRow, SyncEvent, SyncRun
from lockstep.apps.sync.queries import (
    every_plan_row,
    every_run_row,
    plan_counts,
    plan_rows,
    run_counts,
    run_rows,
    runs,
)
from lockstep.apps.sync.services import UNDOABLE
from lockstep.core.errors import BrokenKind
from lockstep.core.field_map import FIELD_SPECS, FieldMap
from lockstep.web.doors import AskedRequest, answer, door
from lockstep.web.failures import BROKEN
from lockstep.web.sync.csv_files import stream
from lockstep.web.sync.looking import find_for_all
from lockstep.web.wording import full_moment

__all__ = ["STATE_LOOKS", "history", "one_run", "plan_csv", "run_csv"]

NAV = "sync"
ROWS = 25

#: How each state of a run is drawn.
STATE_LOOKS: dict[str, str] = {
    SyncRun.State.QUEUED.value: "pending",
    SyncRun.State.AUDITING.value: "auditing",
    SyncRun.State.WAITING.value: "finished_with_failures",
    SyncRun.State.SYNCING.value: "syncing",
    SyncRun.State.FINISHED.value: "finished",
    SyncRun.State.PARTIAL.value: "finished_with_failures",
    SyncRun.State.STOPPED.value: "stopped",
    SyncRun.State.FAILED.value: "could_not_start",
}

_EVENT_ICONS: dict[str, str] = {
    SyncEvent.Kind.ADDED.value: "plus",
    SyncEvent.Kind.UPDATED.value: "pencil",
    SyncEvent.Kind.RENAMED.value: "pencil",
    SyncEvent.Kind.RELEASED.value: "circle-dashed",
    SyncEvent.Kind.TAGGED.value: "tags",
    SyncEvent.Kind.REFUSED.value: "alert-circle",
    SyncEvent.Kind.ADOPTED.value: "equal",
    SyncEvent.Kind.RESTORED.value: "history",
    SyncEvent.Kind.ARCHIVED.value: "archive",
}
_STEP_ICONS: dict[str, str] = {
    PlanRow.Step.PUT_BACK.value: "history",
    PlanRow.Step.TO_ARCHIVE.value: "archive",
    PlanRow.Step.LEFT.value: "equal",
}


@dataclass(frozen=True, slots=True)
class Tab:
    """One kind of row of a run. `planned` are rows of its plan, else what it did."""

    key: str
    label: str
    icon: str
    count: int
    here: bool
    planned: bool


@door(Permission.VIEW_SYNC, nav=NAV)
def history(request: AskedRequest, connection_id: int) -> HttpResponse:
    connection = find_for_all(request, connection_id)
    page = Paginator(runs(connection), ROWS).get_page(request.GET.get("page"))
    context = {
        "connection": connection,
        "page": page,
        "rows": [_row(run) for run in page.object_list],
        "opened": None,
    }
    return answer(request, "sync/history.html", context)


@door(Permission.VIEW_SYNC, nav=NAV)
def one_run(request: AskedRequest, connection_id: int, run_id: int) -> HttpResponse:
    connection, run = _find(request, connection_id, run_id)
    context = {
        "connection": connection,
        "opened": _row(run),
        "broken": BROKEN[BrokenKind(run.error_kind)] if run.error_kind in set(BrokenKind) else None,
        "guards": run.plan.get("guards", []) if run.plan else [],
        "may_manage": request.actor.may(Permission.MANAGE_COMPANY),
        "may_export": request.actor.may(Permission.EXPORT_BOOK),
        "undos": list(run.undos.order_by("-id")[:5]),
    } | _rows_of(request, connection, run)
    wrote = any(tab.count and not tab.planned and tab.key != "refused" for tab in context["tabs"])
    ended = not run.open and run.state != SyncRun.State.WAITING
    context["undoable"] = run.kind in UNDOABLE and wrote and ended
    return answer(request, "sync/one_run.html", context, fragment="rows")


def _rows_of(request: AskedRequest, connection: Connection, run: SyncRun) -> dict[str, Any]:
    """What the run did, by kind; of one that only planned so far, what it would do."""
    done, planned = run_counts(run), run.kind == SyncRun.Kind.UNDO
    asked = request.GET.get("rows", "")
    kinds = [
        (key, word, _EVENT_ICONS[key], done[key], False)
        for key, word in SyncEvent.Kind.choices
        if done.get(key)
    ]
    if planned:
        steps = plan_counts(run)
        words = dict(PlanRow.Step.choices)
        kinds += [
            (key, words[key], icon, steps[key], True) for key, icon in _STEP_ICONS.items() if steps.get(key)
        ]
    here = asked if asked in {kind[0] for kind in kinds} else next((kind[0] for kind in kinds), "")
    tabs = [Tab(key, str(label), icon, count, key == here, plan) for key, label, icon, count, plan in kinds]
    chosen = next((tab for tab in tabs if tab.here), None)
    page: Any = None
    if chosen is not None:
        cursor, total = request.GET.get("page"), chosen.count
        if chosen.planned:
            page = plan_rows(run, [chosen.key], total=total, cursor=cursor, size=ROWS)
        else:
            page = run_rows(run, chosen.key, total=total, cursor=cursor, size=ROWS)
    labels = _labels(connection)
    rows = [
        (row, [(labels.get(name, name), old, new) for name, (old, new) in row.differing.items()])
        for row in (page.rows if page else ())
    ]
    return {"tabs": tabs, "tab": chosen, "page": page, "rows": rows}


@door(Permission.VIEW_SYNC, nav=NAV)
def run_csv(request: AskedRequest, connection_id: int, run_id: int) -> StreamingHttpResponse:
    """What a run did: one line a field that it changed."""
    connection, run = _find_to_export(request, connection_id, run_id)
    labels, words = _labels(connection), dict(SyncEvent.Kind.choices)

    def rows() -> Iterator[list[str]]:
        yield ["When", "Contact", "Client", "E-mail", "What", "Field", "Before", "After", "Note"]
        for row in every_run_row(run):
            when = full_moment(timezone.localtime(row.at))
            who = [when, row.name, row.client, row.email, str(words[row.kind])]
            yield from _lines(who, row.differing, row.text, labels)

    return stream(request, rows(), f"run-{run.pk}.csv")


@door(Permission.VIEW_SYNC, nav=NAV)
def plan_csv(request: AskedRequest, connection_id: int, run_id: int) -> StreamingHttpResponse:
    """What an undo would do, and whom it leaves as they are."""
    connection, run = _find_to_export(request, connection_id, run_id)
    labels, words = _labels(connection), dict(PlanRow.Step.choices)

    def rows() -> Iterator[list[str]]:
        yield ["Contact", "Client", "E-mail", "What", "Field", "In Mailchimp now", "Afterwards", "Note"]
        for row in every_plan_row(run):
            who = [row.name, row.client, row.email, str(words[row.step])]
            yield from _lines(who, row.differing, row.text, labels)

    return stream(request, rows(), f"plan-{run.pk}.csv")


def _lines(
    who: Sequence[str], differing: dict[str, tuple[str, str]], text: str, labels: dict[str, str]
) -> Iterator[list[str]]:
    if not differing:
        yield [*who, "", "", "", text]
    for name, (old, new) in differing.items():
        yield [*who, labels.get(name, name), old, new, text]


def _labels(connection: Connection) -> dict[str, str]:
    return dict(zip((spec.name for spec in FIELD_SPECS), FieldMap(connection.prefix).labels, strict=True))


def _find(request: AskedRequest, connection_id: int, run_id: int) -> tuple[Connection, SyncRun]:
    connection = find_for_all(request, connection_id)
    run = runs(connection).select_related("undoes").filter(pk=run_id).first()
    if run is None:
        raise Http404("This run does not exist.")
    return connection, run


def _find_to_export(request: AskedRequest, connection_id: int, run_id: int) -> tuple[Connection, SyncRun]:
    if not request.actor.may(Permission.EXPORT_BOOK):
        raise NotPermitted(Permission.EXPORT_BOOK)
    return _find(request, connection_id, run_id)


def _row(run: SyncRun) -> dict[str, object]:
    word = run.get_state_display()
    return {
        "run": run,
        "look": STATE_LOOKS[run.state],
        "word": word,
        "who": run.asked_by.full_name if run.asked_by else "Lockstep",
        "took": _took(run),
    }


def _took(run: SyncRun) -> str:
    begun = run.started_at or run.asked_at
    if run.finished_at is None:
        return ""
    seconds = max(0, int((run.finished_at - begun).total_seconds()))
    return f"{seconds} s" if seconds < 120 else f"{seconds // 60} min {seconds % 60} s"
