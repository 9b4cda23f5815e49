"""The Mailing List report: the page, and the files of it."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlencode

from django.http import HttpResponse, QueryDict, StreamingHttpResponse

from lockstep.apps.accounts.permissions import Permission
from lockstep.apps.connections.models import Connection
from lockstep.apps.connections.preferences import Preferences
from lockstep.apps.connections.queries import connections_of
from lockstep.apps.reports.columns import COLUMNS
from lockstep.apps.reports.queries import REPORT_SORTS, Report, offers, open_report
from lockstep.apps.reports.services import report_csv, report_xlsx
from lockstep.core.member import Reason
from lockstep.web.columns import column_choices
from lockstep.web.doors import AskedRequest, answer, door
from lockstep.web.report.asking import chips, chosen_columns, report_filter
from lockstep.web.streams import csv_file, xlsx_file
from lockstep.web.wording import number

__all__ = ["as_csv", "as_xlsx", "index", "open_asked"]

#: The order in which the number is taken apart, with the words after each part and its tone.
PARTS = (
    (Reason.FITS, "in the sync", "ok"),
    (Reason.OUTSIDE, "outside the sync’s filters", "rest"),
    (Reason.INACTIVE, "inactive", "off"),
    (Reason.NO_MARKETING, "No Marketing", "off"),
    (Reason.NO_EMAIL, "without e-mail", "off"),
    (Reason.INVALID_EMAIL, "invalid", "bad"),
    (Reason.DUPLICATE, "duplicate", "wait"),
)


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of the sum: “9 without e-mail”, with the address of those nine."""

    reason: str
    count: int
    words: str
    tone: str
    address: str


def open_asked(request: AskedRequest, query: QueryDict) -> tuple[Report, list[Connection]]:
    """The report that an address asks for, and the company's audiences."""
    connections = connections_of(request.company.pk)
    asked = query.get("audience", "")
    connection = next((one for one in connections if str(one.pk) == asked), next(iter(connections), None))
    return open_report(request.actor, report_filter(query), connection), connections


@door(Permission.VIEW_BOOK, nav="report")
def index(request: AskedRequest) -> HttpResponse:
    report, connections = open_asked(request, request.GET)
    columns = chosen_columns(request.GET)
    sort = request.GET.get("sort", "name")
    sort = sort if sort in REPORT_SORTS else "name"
    page = report.page(sort=sort, cursor=request.GET.get("page"))
    first, more = chips(
        request.GET, offers(request.actor), report.connection, connections, counts=not request.htmx
    )
    parts = _parts(request, report)
    context = {
        "report": report,
        "page": page,
        "sort": sort,
        "columns": columns,
        "has_name": any(column.key == "name" for column in columns),
        "rows": [(line, [(column, column.text(line)) for column in columns]) for line in page.rows],
        "parts": parts,
        "bar": [(part.tone, part.count) for part in parts],
        "bar_label": ", ".join(f"{number(part.count)} {part.words}" for part in parts),
        "filters": first,
        "more": more,
        "more_open": any(one.chosen for one in more),
        "narrowed": not report.wanted.is_empty,
        "column_choices": column_choices(
            request.GET, {key: column.label for key, column in COLUMNS.items()}, [c.key for c in columns]
        ),
        "hidden": [
            (name, value) for name in ("cols", "sort", "set", "view") for value in request.GET.getlist(name)
        ],
        "as_the_sync": _as_the_sync(report.connection),
    }
    return answer(request, "report/index.html", context, fragment="rows")


@door(Permission.EXPORT_BOOK)
def as_csv(request: AskedRequest) -> StreamingHttpResponse:
    report, _ = open_asked(request, request.GET)
    return csv_file(request, report_csv(report, chosen_columns(request.GET)), "mailing-list.csv")


@door(Permission.EXPORT_BOOK)
def as_xlsx(request: AskedRequest) -> StreamingHttpResponse:
    report, _ = open_asked(request, request.GET)
    return xlsx_file(request, report_xlsx(report, chosen_columns(request.GET)), "mailing-list.xlsx")


def _parts(request: AskedRequest, report: Report) -> list[Part]:
    found = []
    for reason, words, tone in PARTS:
        count = report.parts.get(reason, 0)
        if reason is Reason.FITS and (report.connection is None or not report.connection.on):
            words = "would sync" if report.connection is None else "will sync"
        if count or reason is Reason.FITS:
            kept = [
                (name, value)
                for name, values in request.GET.lists()
                for value in values
                if value and name not in {"page", "sync"}
            ]
            address = "?" + urlencode([*kept, ("sync", reason.value)])
            found.append(Part(reason.value, count, words, tone, address))
    return found


def _as_the_sync(connection: Connection | None) -> str:
    """The address of the report with the very filters of the sync."""
    if connection is None:
        return ""
    names = {
        "status_ids": "status",
        "industry_ids": "industry",
        "department_ids": "department",
        "client_tag_ids": "client_tag",
        "contact_tag_ids": "tag",
    }
    kept = Preferences.from_json(connection.preferences).to_json()
    return "?" + urlencode([(names[kind], value) for kind, ids in kept.items() for value in ids])
