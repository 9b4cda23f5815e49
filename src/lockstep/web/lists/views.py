"""One list at a time: add, rename, put in order, merge, retire; and tags, which have no order."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.urls import reverse

from lockstep.apps.accounts.permissions import Permission
from lockstep.apps.book import services
from lockstep.apps.book.errors import Invalid
from lockstep.apps.book.models import ListValue
from lockstep.apps.book.queries import ChoiceRow, list_values, tags
from lockstep.apps.connections.models import Connection
from lockstep.core.field_map import FIELD_SPECS, FieldMap, cut, one_line
from lockstep.web.doors import AskedRequest, answer, door, go
from lockstep.web.filters import chosen_ids
from lockstep.web.lists.kinds import KINDS, Kind
from lockstep.web.wording import plural

__all__ = ["add", "delete", "edit", "index", "merge", "move", "one_list", "order", "rename", "retire"]

NAV = "lists"


@door(Permission.MANAGE_COMPANY, nav=NAV)
def index(request: AskedRequest) -> HttpResponse:
    return go(request, reverse("lists:list", args=["statuses"]))


@door(Permission.MANAGE_COMPANY, nav=NAV)
def one_list(request: AskedRequest, kind: str) -> HttpResponse:
    return _show(request, _kind(kind))


@door(Permission.MANAGE_COMPANY, nav=NAV, methods=("POST",))
def add(request: AskedRequest, kind: str) -> HttpResponse:
    found = _kind(kind)
    name, sign = request.POST.get("name", ""), _sign(request, found)
    try:
        if found.is_tag:
            made = services.add_tag(request.actor, kind=found.of, name=name).name
        else:
            made = services.add_list_value(request.actor, kind=found.of, name=name, glyph=sign).name
    except Invalid as refusal:
        return _show(request, found, problem=str(refusal), typed=name, status=422)
    messages.success(request, f"“{made}” is in the list.")
    return _after(request, found)


@door(Permission.MANAGE_COMPANY, nav=NAV)
def edit(request: AskedRequest, kind: str, value_id: int) -> HttpResponse:
    """The list with one name open for editing."""
    found = _kind(kind)
    _row(request, found, value_id)
    return _show(request, found, editing=value_id)


@door(Permission.MANAGE_COMPANY, nav=NAV, methods=("POST",))
def rename(request: AskedRequest, kind: str, value_id: int) -> HttpResponse:
    found = _kind(kind)
    name = request.POST.get("name", "")
    _row(request, found, value_id)
    try:
        if found.is_tag:
            services.rename_tag(request.actor, tag_id=value_id, name=name)
        else:
            sign = _sign(request, found) if found.has_signs else None
            services.rename_list_value(request.actor, value_id=value_id, name=name, glyph=sign)
    except Invalid as refusal:
        return _show(request, found, editing=value_id, problem=str(refusal), typed=name, status=422)
    messages.success(request, "Saved. Contacts that are in the sync get it in Mailchimp by themselves.")
    return _after(request, found)


@door(Permission.MANAGE_COMPANY, nav=NAV, methods=("POST",))
def order(request: AskedRequest, kind: str) -> HttpResponse:
    """The values in the order in which they were dropped."""
    return _put_in_order(request, _list_kind(kind), lambda ids: chosen_ids(request.POST, "value"))


@door(Permission.MANAGE_COMPANY, nav=NAV, methods=("POST",))
def move(request: AskedRequest, kind: str, value_id: int) -> HttpResponse:
    """One value one place up or down."""
    found = _list_kind(kind)
    _row(request, found, value_id)
    step = -1 if request.POST.get("to") == "up" else 1

    def moved(ids: Sequence[int]) -> Sequence[int]:
        wanted = list(ids)
        if value_id in wanted:
            at = wanted.index(value_id)
            to = max(0, min(len(wanted) - 1, at + step))
            wanted.insert(to, wanted.pop(at))
        return wanted

    return _put_in_order(request, found, moved)


def _put_in_order(
    request: AskedRequest, found: Kind, arrange: Callable[[Sequence[int]], Sequence[int]]
) -> HttpResponse:
    assert isinstance(found.of, ListValue.Kind)
    now = [row.id for row in list_values(request.actor, found.of, counts=False)]
    try:
        services.reorder_list_values(request.actor, kind=found.of, value_ids=arrange(now))
    except Invalid as refusal:
        return _show(request, found, problem=str(refusal), status=422)
    return _after(request, found)


@door(Permission.MANAGE_COMPANY, nav=NAV, methods=("GET", "POST"))
def merge(request: AskedRequest, kind: str, value_id: int) -> HttpResponse:
    """Asks into which other one, says what will happen, and does it."""
    found = _kind(kind)
    row = _row(request, found, value_id)
    others = [other for other in _rows(request, found) if other.id != value_id]
    problem = ""
    if request.method == "POST":
        into = chosen_ids(request.POST, "into")
        try:
            if not into:
                raise Invalid({"into_id": "Choose one to merge it into."})
            if found.is_tag:
                touched = services.merge_tags(request.actor, tag_id=value_id, into_id=into[0])
            else:
                touched = services.merge_list_values(request.actor, value_id=value_id, into_id=into[0])
        except Invalid as refusal:
            problem = str(refusal)
        else:
            messages.success(request, f"Merged: {plural(touched, *found.holders.split(','))} changed.")
            return _after(request, found)
    context = {"kind": found, "row": row, "others": others, "problem": problem}
    return answer(request, "settings/list_merge.html", context, status=422 if problem else 200)


@door(Permission.MANAGE_COMPANY, nav=NAV, methods=("POST",))
def retire(request: AskedRequest, kind: str, value_id: int) -> HttpResponse:
    """Out of the choices, or back into them."""
    found = _list_kind(kind)
    row = _row(request, found, value_id)
    back = request.POST.get("back") == "1"
    services.retire_list_value(request.actor, value_id=value_id, retired=not back)
    told = "can be chosen again" if back else "can no longer be chosen; who has it keeps it"
    messages.success(request, f"“{row.name}” {told}.")
    return _after(request, found)


@door(Permission.MANAGE_COMPANY, nav=NAV, methods=("POST",))
def delete(request: AskedRequest, kind: str, value_id: int) -> HttpResponse:
    """Take a tag off everything."""
    found = _kind(kind)
    if not found.is_tag:
        raise Http404("This value can be retired or merged, not deleted.")
    row = _row(request, found, value_id)
    touched = services.delete_tag(request.actor, tag_id=value_id)
    messages.success(request, f"“{row.name}” is taken off {plural(touched, *found.holders.split(','))}.")
    return _after(request, found)


def _kind(key: str) -> Kind:
    if key not in KINDS:
        raise Http404("This list does not exist.")
    return KINDS[key]


def _list_kind(key: str) -> Kind:
    found = _kind(key)
    if found.is_tag:
        raise Http404("This is a list of tags: they have no order and are not retired.")
    return found


def _sign(request: AskedRequest, kind: Kind) -> str:
    return request.POST.get("glyph", "") if kind.has_signs else ""


def _rows(request: AskedRequest, kind: Kind) -> tuple[ChoiceRow, ...]:
    if isinstance(kind.of, ListValue.Kind):
        return list_values(request.actor, kind.of, retired=True)
    return tags(request.actor, kind.of)


def _row(request: AskedRequest, kind: Kind, value_id: int) -> ChoiceRow:
    row = next((row for row in _rows(request, kind) if row.id == value_id), None)
    if row is None:
        raise Http404(f"This {kind.one} does not exist, or you can't see it.")
    return row


def _after(request: AskedRequest, kind: Kind) -> HttpResponse:
    """The list again: its part of the page where htmx asked, so that the focus stays."""
    if request.htmx:
        return _show(request, kind)
    return go(request, reverse("lists:list", args=[kind.key]))


def _show(
    request: AskedRequest,
    kind: Kind,
    *,
    editing: int | None = None,
    problem: str = "",
    typed: str = "",
    status: int = 200,
) -> HttpResponse:
    rows = _rows(request, kind)
    in_use = [row for row in rows if not row.retired]
    context = {
        "kind": kind,
        "kinds": KINDS.values(),
        "rows": [
            {"row": row, "sent": cut(one_line(row.name)), "first": n == 0, "last": n == len(in_use) - 1}
            for n, row in enumerate(in_use)
        ],
        "retired": [row for row in rows if row.retired],
        "editing": editing,
        "left": next(iter(chosen_ids(request.GET, "left")), None),
        "problem": problem,
        "typed": typed,
        "signs": ListValue.Glyph.choices,
        "fields": _audience_fields(request, kind),
    }
    return answer(request, "settings/list.html", context, fragment="values", status=status)


def _audience_fields(request: AskedRequest, kind: Kind) -> list[tuple[str, str]]:
    """(label, merge tag) of the audience field that takes the names, one for each prefix in use."""
    place = next(n for n, spec in enumerate(FIELD_SPECS) if spec.name == kind.field)
    connected = Connection.objects.filter(company=request.company, account__disconnected_at=None)
    prefixes = sorted(set(connected.values_list("prefix", flat=True))) or ["CSKU"]
    maps = [FieldMap(prefix) for prefix in prefixes]
    return [(one.labels[place], one.tags[place]) for one in maps]
