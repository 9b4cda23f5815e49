"""Every run with what it did, and one run opened to its log."""

from __future__ import annotations

from django.core.paginator import Paginator
from django.http import Http404, HttpResponse

from lockstep.apps.accounts.permissions import Permission
from lockstep.apps.sync.models import SyncEvent, SyncRun
from lockstep.apps.sync.queries import runs
from lockstep.core.errors import BrokenKind
from lockstep.web.doors import AskedRequest, answer, door
from lockstep.web.failures import BROKEN
from lockstep.web.sync.looking import find

__all__ = ["STATE_LOOKS", "history", "one_run"]

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


@door(Permission.VIEW_SYNC, nav=NAV)
def history(request: AskedRequest, connection_id: int) -> HttpResponse:
    connection = find(request, connection_id)
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
    connection = find(request, connection_id)
    run = runs(connection).filter(pk=run_id).first()
    if run is None:
        raise Http404("This run does not exist.")
    events = SyncEvent.objects.filter(run=run)
    context = {
        "connection": connection,
        "opened": _row(run),
        "broken": BROKEN[BrokenKind(run.error_kind)] if run.error_kind in set(BrokenKind) else None,
        "noted": events.count(),
        "guards": run.plan.get("guards", []) if run.plan else [],
    }
    return answer(request, "sync/one_run.html", context)


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
