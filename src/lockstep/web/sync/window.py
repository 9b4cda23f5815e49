"""The sync window: progress while a run is on, the five counts as tabs, and their contacts (S6, S7)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any

from django.http import Http404, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django_htmx.http import HttpResponseClientRefresh

from lockstep.apps.accounts.permissions import NotPermitted, Permission
from lockstep.apps.connections import queries
from lockstep.apps.connections.models import Connection
from lockstep.apps.connections.preferences import Preferences
from lockstep.apps.sync.models import SyncRun
from lockstep.apps.sync.queries import (
    FailureGroup,
    MemberRow,
    RunProgress,
    every_member,
    failures,
    members,
    reason_counts,
    run_progress,
    state_counts,
)
from lockstep.apps.sync.services import TYPED_ABOVE, writes_of
from lockstep.core.errors import BrokenKind
from lockstep.core.field_map import FIELD_SPECS
from lockstep.core.member import SyncState
from lockstep.core.outcome import RefusalKind
from lockstep.web.doors import AskedRequest, answer, door
from lockstep.web.failures import BROKEN, FAILURES, FailureWords
from lockstep.web.mailchimp.outcomes import outcome_parts, outcome_words
from lockstep.web.states import look_of
from lockstep.web.sync.csv_files import stream
from lockstep.web.sync.looking import find, rep_of
from lockstep.web.sync.standing import Leaving, Waiting, leavings, waiting_of
from lockstep.web.wording import full_moment

__all__ = ["index", "members_csv", "run_card", "window"]

NAV = "sync"
ROWS = 50
GROUP_ROWS = 6

#: the kinds of happening as states with a look
_HAPPENED = {
    "added": ("to_add", "Added"),
    "updated": ("to_update", "Updated"),
    "renamed": ("to_update", "Address changed"),
    "released": ("inactive", "Turned Inactive"),
    "refused": ("failed", "Failed"),
    "adopted": ("unchanged", "In step"),
    "tagged": ("to_update", "Tags changed"),
    "restored": ("to_update", "Put back"),
    "archived": ("archived", "Archived"),
}


#: what each tab is sorted by at first; the others by name
_SORTED_BY = {SyncState.SYNCED: "synced", SyncState.UNSUBSCRIBED: "left"}

_CSV_COLUMNS = ["Contact", "Client", "E-mail", "State", "Why", "Mailchimp’s words", "Last synced", "Refused"]
_LEFT_COLUMNS = ["Status in Mailchimp", "Since", "Reason", "Campaign"]

#: numbers of a plan that a waiting run shows
_PLANNED = ("adds", "updates", "renames", "releases", "put_back", "to_archive")


@dataclass(frozen=True, slots=True)
class Cause:
    """One group of failed contacts with the words for it."""

    group: FailureGroup
    words: FailureWords

    @property
    def more(self) -> int:
        return self.group.count - len(self.group.rows)


@door(Permission.VIEW_SYNC, nav=NAV)
def index(request: AskedRequest) -> HttpResponse:
    """The window of the audience at work; without one, where an admin can begin."""
    connection = queries.current_connection(request.company.pk)
    if connection is not None and (connection.first_started_at or connection.mode != Connection.Mode.OFF):
        return redirect("sync:window", connection.pk)
    if request.actor.may(Permission.MANAGE_COMPANY):
        return redirect("mailchimp:index")
    return answer(request, "sync/none.html", {"connection": connection})


@door(Permission.VIEW_SYNC, nav=NAV)
def window(request: AskedRequest, connection_id: int) -> HttpResponse:
    connection = find(request, connection_id)
    progress = run_progress(connection)
    context = _head(request, connection) | {"progress": progress}
    if request.htmx and "outcomes" in request.GET:
        stopping = connection.mode == Connection.Mode.STOPPING and progress is not None
        if stopping or request.GET["outcomes"] != connection.mode:
            # Stopped, started, or at the run that turns members Inactive: the whole page is another one.
            return HttpResponseClientRefresh()
        tab = _state(request.GET.get("tab", "")) or SyncState.SYNCED
        return answer(request, "sync/window.html", context | {"tab": tab.value}, fragment="outcomes")
    limited = rep_of(request) is not None
    if progress is not None and progress.run.kind != SyncRun.Kind.PREVIEW and not limited:
        context |= run_card(connection, progress)
        return answer(request, "sync/run.html", context, fragment="run")
    if request.htmx and "run" in request.GET:
        # The run that this page watched has ended: the whole page is another one now.
        return HttpResponseClientRefresh()
    return answer(request, "sync/window.html", context | _tab(request, connection), fragment="panel")


@door(Permission.VIEW_SYNC, nav=NAV)
def members_csv(request: AskedRequest, connection_id: int) -> StreamingHttpResponse:
    """All rows of a tab, with the reason in words and in Mailchimp's."""
    connection = find(request, connection_id)
    if not request.actor.may(Permission.EXPORT_BOOK):
        raise NotPermitted(Permission.EXPORT_BOOK)
    state = _state(request.GET.get("tab", ""))
    if state is None:
        raise Http404("This tab does not exist.")
    search = request.GET.get("q", "")
    kind = _kind(request)

    def rows() -> Iterator[list[str]]:
        yield [*_CSV_COLUMNS, *_LEFT_COLUMNS] if state is SyncState.UNSUBSCRIBED else _CSV_COLUMNS
        found = every_member(connection, state, search=search, refusal_kind=kind, rep_id=rep_of(request))
        waiting = _waits_for(connection)
        while some := list(islice(found, 2_000)):
            left = leavings(connection, some) if state is SyncState.UNSUBSCRIBED else {}
            for row in some:
                yield [*_cells(row, waiting), *_left_cells(left.get(row.contact_id))]

    return stream(request, rows(), f"{state.value}.csv")


def _cells(row: MemberRow, waiting: Callable[[MemberRow], Waiting]) -> list[str]:
    why = FAILURES[RefusalKind(row.refusal_kind)].title if row.refusal_kind else ""
    if row.gone:
        why = "Deleted for good in Mailchimp"
    if row.state is SyncState.PENDING:
        why = waiting(row).why
    moments = [_moment(row.synced_at), _moment(row.refused_at)]
    return [row.name, row.client, row.email, look_of(row.state.value).word, why, row.refusal_text, *moments]


def _left_cells(left: Leaving | None) -> list[str]:
    if left is None:
        return []
    word = look_of(left.status).word if left.status else ""
    return [word, _moment(left.at), left.reason, left.campaign[1] if left.campaign else ""]


def _moment(at: datetime | None) -> str:
    return full_moment(timezone.localtime(at)) if at else ""


def _waits_for(connection: Connection) -> Callable[[MemberRow], Waiting]:
    """What each pending row of this connection waits for, as things stand now."""
    progress = run_progress(connection, latest=0)
    kind = connection.broken_kind or connection.account.broken_kind
    title = BROKEN[BrokenKind(kind)].title if kind else ""
    run, now = progress.run if progress else None, timezone.now()
    return lambda row: waiting_of(row, connection, run, broken=title, now=now)


def _head(request: AskedRequest, connection: Connection) -> dict[str, Any]:
    limited = rep_of(request) is not None
    counts = state_counts(connection, rep_id=rep_of(request))
    named = queries.names_of(connection.company_id, Preferences.from_json(connection.preferences))
    broken = connection.broken_kind or connection.account.broken_kind
    others = [
        other
        for other in queries.connections_of(request.company.pk)
        if other.pk != connection.pk and other.mode != Connection.Mode.OFF
    ]
    return {
        "connection": connection,
        "limited": limited,
        "counts": counts,
        "total": sum(counts.values()),
        "parts": outcome_parts(counts),
        "parts_label": outcome_words(counts),
        "filters": queries.in_words(named),
        "may_manage": request.actor.may(Permission.MANAGE_COMPANY),
        "may_export": request.actor.may(Permission.EXPORT_BOOK),
        "broken": BROKEN[BrokenKind(broken)] if broken else None,
        "broken_text": connection.broken_text or connection.account.broken_text,
        "webhook_trouble": connection.webhook_trouble if connection.on else "",
        "others": others,
        "to_type": _to_type(request, connection),
        "checked_at": max(
            filter(None, (connection.last_polled_at, connection.mirror_complete_at)), default=None
        ),
        "last_run": connection.runs.exclude(kind=SyncRun.Kind.PREVIEW).order_by("-id").first(),
    }


def _to_type(request: AskedRequest, connection: Connection) -> int:
    """The number that a start from this page asks for; 0 where none has to be typed."""
    startable = connection.mode == Connection.Mode.OFF or (connection.on and connection.broken_kind)
    if not startable or not request.actor.may(Permission.MANAGE_COMPANY):
        return 0
    fits = reason_counts(connection.company_id, Preferences.from_json(connection.preferences)).fits
    return fits if fits > TYPED_ABOVE else 0


def _tab(request: AskedRequest, connection: Connection) -> dict[str, Any]:
    state = _state(request.GET.get("tab", "")) or SyncState.SYNCED
    search = request.GET.get("q", "").strip()[:200]
    sort = request.GET.get("sort", _SORTED_BY.get(state, "name"))
    context: dict[str, Any] = {"tab": state.value, "search": search, "sort": sort, "by_list": False}
    if state is SyncState.FAILED and "list" not in request.GET and not search:
        groups = failures(connection, rows_each=GROUP_ROWS, rep_id=rep_of(request))
        causes = [Cause(group, FAILURES[group.kind]) for group in groups]
        return context | {"causes": causes}
    kind = _kind(request)
    rows = members(
        connection,
        state,
        search=search,
        sort=sort,
        cursor=request.GET.get("page"),
        size=ROWS,
        refusal_kind=kind,
        rep_id=rep_of(request),
    )
    titles = {found.value: words.title for found, words in FAILURES.items()}
    context |= {"page": rows, "titles": titles, "by_list": True, "kind": kind}
    if state is SyncState.PENDING:
        waiting = _waits_for(connection)
        context["waits"] = {row.contact_id: waiting(row) for row in rows.rows}
    elif state is SyncState.UNSUBSCRIBED:
        context["left"] = leavings(connection, rows.rows)
    return context


def _kind(request: AskedRequest) -> str:
    """The cause that the Failed tab is narrowed to; '' for all."""
    kind = request.GET.get("kind", "")
    return kind if kind in set(RefusalKind) else ""


def _state(name: str) -> SyncState | None:
    return SyncState(name) if name in set(SyncState) else None


def run_card(connection: Connection, progress: RunProgress) -> dict[str, Any]:
    """What the card of a run shows: its steps, one number, rate and time left, the latest results."""
    run = progress.run
    waiting = run.state == SyncRun.State.WAITING
    auditing = run.state in (SyncRun.State.QUEUED, SyncRun.State.AUDITING)
    done, whole = (run.observed, connection.member_count) if auditing else (progress.done, progress.total)
    share = min(100, 100 * done // whole) if whole else 0
    elapsed = int((timezone.now() - (run.started_at or run.asked_at)).total_seconds())
    labels = {spec.name: spec.label for spec in FIELD_SPECS}
    return {
        "run": run,
        "auditing": auditing,
        "waiting": waiting,
        "done": done,
        "whole": whole,
        "share": share,
        "rest": 100 - share,
        "failed": run.refused,
        "good": max(0, done - run.refused) if not auditing else 0,
        "to_go": max(0, whole - done),
        "elapsed": f"{elapsed // 60}:{elapsed % 60:02d}",
        "rate": round(progress.rate) if progress.rate >= 1 else round(progress.rate, 1),
        "left": time_left(progress.seconds_left) if not auditing else "",
        "slowed_until": progress.slowed_until,
        "guards": run.plan.get("guards", []),
        "numbers": {name: run.plan.get(name, 0) for name in _PLANNED},
        "to_leave": sum(run.plan.get("left", {}).values()),
        "undoing": run.kind == SyncRun.Kind.UNDO,
        "to_type": writes_of(run),
        "typed_above": TYPED_ABOVE,
        "to_type_all": writes_of(run, archive_added=True),
        "calls": (run.in_flight, run.gate_width) if run.gate_width else None,
        "latest": [
            (*_HAPPENED[happening.kind], happening, ", ".join(labels.get(f, f) for f in happening.fields))
            for happening in progress.latest
        ],
    }


def time_left(seconds: float | None) -> str:
    """“about 25 s left”; nothing where it can't be told."""
    if seconds is None:
        return ""
    if seconds < 90:
        return f"about {max(1, round(seconds))} s left"
    return f"about {round(seconds / 60)} min left"
