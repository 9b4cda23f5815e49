"""The dry run: what would be added, changed, left as it is or refused; nothing is sent (S4)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.http import Http404, HttpResponse, StreamingHttpResponse

from lockstep.apps.accounts.permissions import Permission
from lockstep.apps.connections import services
from lockstep.apps.connections.errors import SyncIsOn, TagsRefused
from lockstep.apps.connections.models import Connection
from lockstep.apps.sync.models import PlanRow, SyncRun
from lockstep.apps.sync.queries import every_plan_row, plan_counts, plan_rows, run_progress
from lockstep.apps.sync.services import SyncRefused, start_preview
from lockstep.core.consent import NewStatus
from lockstep.core.field_map import FIELD_SPECS, FieldMap
from lockstep.web.doors import AskedRequest, answer, door
from lockstep.web.failures import BROKEN
from lockstep.web.mailchimp.draft import draft_of
from lockstep.web.sync.csv_files import stream

__all__ = ["dry_run", "dry_run_context", "dry_run_csv"]

NAV = "integrations"
ROWS = 5

_STEP = PlanRow.Step


@dataclass(frozen=True, slots=True)
class Tab:
    key: str
    label: str
    icon: str
    count: int
    here: bool


#: key, words, icon, steps, and whether the tab is there even when empty
_TABS: tuple[tuple[str, str, str, tuple[PlanRow.Step, ...], bool], ...] = (
    ("add", "To add", "plus", (_STEP.ADD,), True),
    ("update", "To update", "pencil", (_STEP.UPDATE, _STEP.RENAME), True),
    ("same", "Unchanged", "equal", (_STEP.UNCHANGED,), True),
    ("fail", "Will fail", "alert-circle", (_STEP.REFUSED,), True),
    ("archived", "Archived", "archive", (_STEP.ARCHIVED,), False),
    ("tag", "Tags only", "tag", (_STEP.TAG,), False),
    ("release", "To turn Inactive", "circle-dashed", (_STEP.RELEASE,), False),
)


@door(Permission.MANAGE_COMPANY, nav=NAV, methods=("GET", "POST"))
def dry_run(request: AskedRequest, connection_id: int) -> HttpResponse:
    """POST keeps what was chosen and begins a dry run; GET is its card, asked for until it has ended."""
    connection = services.find_connection(request.actor, connection_id)
    refused = ""
    if request.method == "POST":
        draft = draft_of(request.POST, connection)
        try:
            connection = services.save_preferences(
                request.actor, connection, draft.preferences, draft.new_status
            )
            connection = services.save_member_tags(request.actor, connection, draft.tags)
            start_preview(request.actor, connection)
        except (SyncIsOn, SyncRefused, TagsRefused) as error:
            refused = str(error)
    context = {"connection": connection, "dry_refused": refused} | dry_run_context(request, connection)
    return answer(request, "mailchimp/dry_run.html", context, fragment="dry")


@door(Permission.MANAGE_COMPANY, nav=NAV)
def dry_run_csv(request: AskedRequest, connection_id: int) -> StreamingHttpResponse:
    connection = services.find_connection(request.actor, connection_id)
    run = _latest(connection)
    if run is None or run.state != SyncRun.State.FINISHED:
        raise Http404("This dry run does not exist.")
    labels = dict(zip((spec.name for spec in FIELD_SPECS), FieldMap(connection.prefix).labels, strict=True))
    words = dict(PlanRow.Step.choices)

    def rows() -> Iterator[list[str]]:
        yield ["Contact", "Client", "E-mail", "What", "Field", "In Mailchimp now", "After the sync", "Note"]
        for row in every_plan_row(run):
            who = [row.name, row.client, row.email, words[row.step]]
            if not row.differing:
                yield [*who, "", "", "", row.text]
            for name, (old, new) in row.differing.items():
                yield [*who, labels[name], old, new, row.text]

    return stream(request, rows(), f"dry-run-{run.pk}.csv")


def dry_run_context(request: AskedRequest, connection: Connection) -> dict[str, Any]:
    """The card's content: none yet, under way, could not be made, or its rows."""
    run = _latest(connection)
    if run is None:
        return {"dry": None}
    context: dict[str, Any] = {"dry": run}
    if run.open:
        progress = run_progress(connection, latest=0)
        context |= {"dry_running": True, "dry_progress": progress}
        return context
    if run.state != SyncRun.State.FINISHED:
        broken = BROKEN.get(run.error_kind)  # type: ignore[call-overload]  -- a str enum's value is its key
        return context | {"dry_failed": True, "dry_broken": broken}
    here = request.GET.get("step") or _first_tab(run)
    chosen = next((tab for tab in _TABS if tab[0] == here), _TABS[1])
    counts = plan_counts(run)
    tabs = [
        Tab(key, label, icon, sum(counts.get(step.value, 0) for step in steps), key == chosen[0])
        for key, label, icon, steps, always in _TABS
        if always or any(counts.get(step.value) for step in steps)
    ]
    page = plan_rows(
        run,
        [step.value for step in chosen[3]],
        total=sum(tab.count for tab in tabs if tab.here),
        cursor=request.GET.get("rows"),
        size=ROWS,
    )
    labels = dict(zip((spec.name for spec in FIELD_SPECS), FieldMap(connection.prefix).labels, strict=True))
    added = counts.get(_STEP.ADD.value, 0)
    return context | {
        "dry_page": page,
        "dry_tabs": tabs,
        "dry_tab": chosen[0],
        "dry_tab_label": chosen[1],
        "dry_rows": [
            (row, [(labels[name], old, new) for name, (old, new) in row.differing.items()])
            for row in page.rows
        ],
        "dry_tags": (run.plan.get("tags_added", 0), run.plan.get("tags_removed", 0)),
        "billable_before": connection.member_count,
        # Nobody is billed for who has not confirmed yet.
        "billable_after": connection.member_count
        + (0 if connection.new_status == NewStatus.PENDING.value else added),
    }


def _first_tab(run: SyncRun) -> str:
    """Changes of people who are there are what one looks at first; a first sync has additions only."""
    numbers = run.plan or {}
    return "add" if numbers.get("adds") and not numbers.get("updates") else "update"


def _latest(connection: Connection) -> SyncRun | None:
    """The last dry run; none once a sync ran after it, because that changed what it compared."""
    last = (
        connection.runs.exclude(kind=SyncRun.Kind.PREVIEW)
        .order_by("-id")
        .values_list("pk", flat=True)
        .first()
    )
    dry_runs = connection.runs.filter(kind=SyncRun.Kind.PREVIEW, pk__gt=last or 0)
    return dry_runs.order_by("-id").first()
