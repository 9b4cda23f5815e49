"""“Open as audience segment”: what Mailchimp's segments can say of the report, and making one."""

from __future__ import annotations

from django.http import HttpResponse

from lockstep.apps.accounts.models import Seat
from lockstep.apps.accounts.permissions import Permission
from lockstep.apps.book.errors import Invalid
from lockstep.apps.connections.errors import ConnectError
from lockstep.apps.connections.services import note_broken
from lockstep.apps.reports.queries import offers
from lockstep.apps.reports.segments import SegmentPlan, plan_segment
from lockstep.apps.reports.services import make_segment
from lockstep.core.errors import ConnectionBroken
from lockstep.core.field_map import FIELD_SPECS, FieldMap
from lockstep.core.member import Reason
from lockstep.web.doors import AskedRequest, answer, door
from lockstep.web.failures import BROKEN
from lockstep.web.report.listing import open_asked

__all__ = ["segment"]

_OPS = {
    "is": "is",
    "contains": "contains",
    "notcontain": "does not contain",
    "blank": "is blank",
    "blank_not": "is not blank",
}


@door(Permission.MANAGE_COMPANY, nav="report", methods=("GET", "POST"))
def segment(request: AskedRequest) -> HttpResponse:
    report, _ = open_asked(request, request.GET)
    plan = plan_segment(report.wanted, _names(request))
    context = {
        "report": report,
        "plan": plan,
        "conditions": _in_words(plan, FieldMap(report.connection.prefix)) if report.connection else [],
        "fits": report.parts.get(Reason.FITS, 0),
        "name": request.POST.get("name", ""),
        "query": request.GET.urlencode(),
    }
    if request.method != "POST":
        return answer(request, "report/segment.html", context)
    status = 422
    try:
        context["made"] = make_segment(report, plan, name=context["name"])
        status = 200
    except Invalid as error:
        context["problem"] = str(error)
    except ConnectionBroken as error:
        assert report.connection is not None
        note_broken(report.connection.account, error)
        context |= {"problem": f"{BROKEN[error.kind].title}. {BROKEN[error.kind].todo}", "raw": error.raw}
    except ConnectError as error:
        context |= {"problem": str(error), "raw": getattr(error, "raw", "")}
    return answer(request, "report/segment.html", context, status=status)


def _names(request: AskedRequest) -> dict[str, dict[str, str]]:
    names = {
        kind: {offer.value: offer.name for offer in kinds} for kind, kinds in offers(request.actor).items()
    }
    seats = Seat.objects.filter(company=request.company).select_related("user")
    names["rep"] = {str(seat.user_id): f"{seat.user.first_name}|{seat.user.last_name}" for seat in seats}
    return names


def _in_words(plan: SegmentPlan, field_map: FieldMap) -> list[tuple[str, str, str]]:
    """(label of the field, operator, value), with the labels that the audience really has."""
    places = {spec.name: place for place, spec in enumerate(FIELD_SPECS)}
    return [(field_map.labels[places[rule.field]], _OPS[rule.op], rule.value) for rule in plan.rules]
