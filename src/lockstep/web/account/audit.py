"""The audit log: who changed which setting, and what people had the sync do (B6)."""

from __future__ import annotations

import datetime
from collections.abc import Iterator

from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.utils.dateparse import parse_date

from lockstep.apps.accounts.permissions import Permission
from lockstep.apps.accounts.queries import people
from lockstep.apps.book.queries import SUBJECTS, AuditFilter, AuditRow, audit_page, audit_rows
from lockstep.web.doors import AskedRequest, answer, door
from lockstep.web.filters import Filter, chosen_ids
from lockstep.web.sync.csv_files import stream

__all__ = ["audit", "audit_csv"]


@door(Permission.MANAGE_COMPANY, nav="audit")
def audit(request: AskedRequest) -> HttpResponse:
    narrow = _narrow(request)
    filters = [
        Filter.of(
            "what", "What", [(key, label, None, "") for key, label in SUBJECTS.items()], narrow.subjects
        ),
        Filter.of(
            "user",
            "Who",
            [(row.user_id, row.name, None, "") for row in people(request.actor)],
            [str(pk) for pk in narrow.user_ids],
        ),
    ]
    context = {
        "page": audit_page(request.actor, narrow, cursor=request.GET.get("page")),
        "filters": filters,
        "since": request.GET.get("since", "") if narrow.since else "",
        "until": request.GET.get("until", "") if narrow.until else "",
        "narrowed": narrow != AuditFilter(),
    }
    return answer(request, "settings/audit.html", context, fragment="rows")


@door(Permission.MANAGE_COMPANY, nav="audit")
def audit_csv(request: AskedRequest) -> HttpResponseBase:
    """What the page shows, all of it, one line for each field that changed."""
    request.actor.require(Permission.EXPORT_BOOK)
    entries = audit_rows(request.actor, _narrow(request))
    return stream(request, _lines(entries, request.company.zone), "audit-log.csv")


def _lines(entries: Iterator[AuditRow], zone: datetime.tzinfo) -> Iterator[list[str]]:
    yield ["When", "Who", "What", "Name", "Action", "Field", "Old", "New"]
    for entry in entries:
        head = [
            entry.at.astimezone(zone).isoformat(timespec="seconds"),
            entry.who,
            entry.subject,
            entry.label,
            entry.action,
        ]
        for change in entry.changes or (("", "", ""),):
            yield [*head, *change]


def _narrow(request: AskedRequest) -> AuditFilter:
    return AuditFilter(
        subjects=tuple(key for key in request.GET.getlist("what") if key in SUBJECTS),
        user_ids=chosen_ids(request.GET, "user"),
        since=_day(request.GET.get("since", "")),
        until=_day(request.GET.get("until", ""), after=1),
    )


def _day(text: str, *, after: int = 0) -> datetime.datetime | None:
    """The beginning of a day in the reader's zone, or of one `after` it; None for what is no day."""
    try:
        day = parse_date(text)
        if day is None:
            return None
        day += datetime.timedelta(days=after)
        return datetime.datetime.combine(day, datetime.time(), timezone.get_current_timezone())
    except (ValueError, OverflowError):
        return None
