"""The clients list and the client page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from django.contrib import messages
from django.http import HttpResponse
from django.urls import reverse

from lockstep.apps.accounts.permissions import Permission
from lockstep.apps.book.errors import Invalid
from lockstep.apps.book.models import ListValue
from lockstep.apps.book.queries import (
    ChoiceRow,
    ClientDetails,
    ClientFilter,
    ContactFilter,
    ContactRow,
    client_details,
    clients_page,
    contacts_page,
    history_page,
    list_values,
    sidebar_counts,
)
from lockstep.apps.book.services import delete_client, restore_client, save_client
from lockstep.apps.campaigns.queries import client_activity as client_activity_in_campaigns
from lockstep.core.member import Reason
from lockstep.web.book.bulk import asked_fields
from lockstep.web.book.forms import ClientForm, QuickContactForm, take_complaints
from lockstep.web.book.list_columns import CLIENT_COLUMNS, USUAL_OF_CLIENTS
from lockstep.web.book.narrowing import client_chips, client_filter, contact_chips, contact_filter
from lockstep.web.book.rivals import rival_of
from lockstep.web.book.standing import figures_of, main_marks, standings
from lockstep.web.columns import asked_columns, column_choices
from lockstep.web.doors import AskedRequest, answer, door, go

__all__ = [
    "bring_back_client",
    "client_activity",
    "client_contacts",
    "client_list",
    "client_profile",
    "edit_client",
    "nested_contacts",
    "new_client",
    "remove_client",
]

NESTED = 6
"""Contacts shown under a client in the list; all of them are on its page."""

ON_PROFILE = 6


@door(Permission.VIEW_BOOK, nav="clients")
def client_list(request: AskedRequest) -> HttpResponse:
    columns = asked_columns(request, "clients", CLIENT_COLUMNS, USUAL_OF_CLIENTS)
    wanted = client_filter(request.GET)
    sort = request.GET.get("sort", "-changed")
    page = clients_page(request.actor, wanted, sort=sort, cursor=request.GET.get("page"))
    if not page.total and wanted.is_empty and not sidebar_counts(request.actor).clients:
        return answer(request, "book/first_run.html")
    statuses = list_values(request.actor, ListValue.Kind.STATUS)
    context = {
        "page": page,
        "wanted": wanted,
        "sort": sort,
        "columns": [(key, CLIENT_COLUMNS[key], key not in USUAL_OF_CLIENTS) for key in columns],
        "column_choices": column_choices(request.GET, CLIENT_COLUMNS, columns),
        "narrowed": not wanted.is_empty,
        "asked": asked_fields(request.GET),
        "marks": main_marks(request.actor, page.rows),
        "figures_of": figures_of(request.actor, page.rows),
        "filters": client_chips(request.actor, request.GET, statuses, counts=not request.htmx),
        "views": _views(request, statuses),
    }
    if not page.rows and wanted.search and not wanted.deleted:
        context["elsewhere"] = clients_page(request.actor, ClientFilter(search=wanted.search), size=2)
    return answer(request, "book/clients.html", context, fragment="rows")


def _views(request: AskedRequest, statuses: Sequence[ChoiceRow]) -> list[dict[str, object]]:
    """All (counted by the shell), mine, and the clients with each status that is drawn as a star."""
    me = str(request.seat.user_id)
    stars = [status for status in statuses if status.glyph == ListValue.Glyph.STAR]
    mine = clients_page(request.actor, ClientFilter(rep_ids=[request.seat.user_id]), size=1)
    asked = {
        name for name, value in request.GET.items() if value and name not in {"sort", "page", "view", "cols"}
    }
    status, rep = request.GET.getlist("status"), request.GET.getlist("rep")
    views: list[dict[str, object]] = [
        {"label": "All", "address": "?", "here": not asked},
        {
            "label": "Mine",
            "address": f"?rep={me}",
            "count": mine.total,
            "here": asked == {"rep"} and rep == [me],
        },
    ]
    return views + [
        {
            "label": f"{star.name}s",
            "address": f"?status={star.id}",
            "count": star.count,
            "here": asked == {"status"} and status == [str(star.id)],
        }
        for star in stars
    ]


@door(Permission.VIEW_BOOK, nav="clients")
def nested_contacts(request: AskedRequest, client_id: int) -> HttpResponse:
    """The first contacts of a client, for the row under it in the list."""
    client = client_details(request.actor, client_id)
    if not request.htmx:
        return go(request, reverse("book:client_contacts", args=[client_id]))
    page = contacts_page(request.actor, ContactFilter(client_id=client_id), size=NESTED)
    context = {"client": client, "page": page, "standings": standings(request.actor, page.rows)}
    return answer(request, "book/clients.html", context, fragment="nested")


@door(Permission.VIEW_BOOK, nav="clients")
def client_profile(request: AskedRequest, client_id: int) -> HttpResponse:
    client = client_details(request.actor, client_id)
    if client.merged_into_id is not None:
        return go(request, reverse("book:client", args=[client.merged_into_id]))
    page = contacts_page(request.actor, ContactFilter(client_id=client_id), size=ON_PROFILE)
    context = {
        "client": client,
        "tab": "profile",
        "page": page,
        "standings": standings(request.actor, page.rows),
        "figures": figures_of(request.actor, [client]).get(client_id),
    }
    return answer(request, "book/client_profile.html", context)


@door(Permission.VIEW_BOOK, nav="clients")
def client_contacts(request: AskedRequest, client_id: int) -> HttpResponse:
    client = client_details(request.actor, client_id)
    wanted = contact_filter(request.GET, client_id=client_id)
    page = contacts_page(request.actor, wanted, cursor=request.GET.get("page"))
    marks = standings(request.actor, page.rows)
    context = {
        "client": client,
        "tab": "contacts",
        "page": page,
        "standings": marks,
        "narrowed": wanted != ContactFilter(client_id=client_id),
        "wanted": wanted,
        "asked": [*asked_fields(request.GET), ("client", str(client_id))],
        "pickable": request.actor.may(Permission.EDIT_BOOK),
        "filters": contact_chips(request.actor, request.GET, counts=False, of_client=True),
        "in_client": True,
        "shared": _shared(request, page.rows, marks),
        "quick": QuickContactForm(auto_id="quick_%s") if _may_add(request, client) else None,
    }
    return answer(request, "book/client_contacts.html", context, fragment="rows")


def _may_add(request: AskedRequest, client: ClientDetails) -> bool:
    return request.actor.may(Permission.EDIT_BOOK) and client.deleted_at is None and not request.htmx


def _shared(request: AskedRequest, rows: Sequence[ContactRow], marks: Mapping[int, str]) -> dict[str, object]:
    """The first contact of the page whose address another one has, and who that is; how many there are."""
    left_out = [row for row in rows if marks[row.id] == Reason.DUPLICATE]
    if not left_out:
        return {}
    rival = rival_of(request.actor, left_out[0].id)
    return {"first": left_out[0], "rival": rival, "count": len(left_out)}


@door(Permission.VIEW_BOOK, nav="clients")
def client_activity(request: AskedRequest, client_id: int) -> HttpResponse:
    client = client_details(request.actor, client_id)
    history = history_page(
        request.actor, subject="client", subject_id=client_id, cursor=request.GET.get("page")
    )
    context = {"client": client, "tab": "activity", "history": history}
    if request.actor.may(Permission.VIEW_SYNC):
        context["campaigns"] = client_activity_in_campaigns(request.actor, client_id)
    return answer(request, "book/client_activity.html", context)


@door(Permission.EDIT_BOOK, nav="clients", methods=("GET", "POST"))
def new_client(request: AskedRequest) -> HttpResponse:
    if request.method == "GET":
        begun = {"name": request.GET.get("name", ""), "country": request.company.default_country}
        form = ClientForm(request.actor, initial=begun | {"active": True})
        return answer(request, "book/client_form.html", {"form": form})
    form = ClientForm(request.actor, data=request.POST)
    if form.is_valid():
        try:
            client = save_client(request.actor, **form.values())
        except Invalid as error:
            take_complaints(form, error)
        else:
            messages.success(request, f"{client.name} is in the book.")
            return go(request, reverse("book:client", args=[client.pk]))
    return answer(request, "book/client_form.html", {"form": form}, fragment="form", status=422)


@door(Permission.EDIT_BOOK, nav="clients", methods=("GET", "POST"))
def edit_client(request: AskedRequest, client_id: int) -> HttpResponse:
    client = client_details(request.actor, client_id)
    form = ClientForm(request.actor, client, request.POST if request.method == "POST" else None)
    if form.is_bound and form.is_valid():
        try:
            save_client(request.actor, client_id=client_id, **form.values())
        except Invalid as error:
            take_complaints(form, error)
        else:
            messages.success(request, "Saved.")
            return go(request, reverse("book:client", args=[client_id]))
    return answer(
        request,
        "book/client_form.html",
        {"form": form, "client": client},
        fragment="form",
        status=422 if form.is_bound else 200,
    )


@door(Permission.DELETE_BOOK, methods=("POST",))
def remove_client(request: AskedRequest, client_id: int) -> HttpResponse:
    client = client_details(request.actor, client_id)
    delete_client(request.actor, client_id=client_id)
    undo = reverse("book:restore_client", args=[client_id])
    messages.success(request, f"{client.name} is deleted, with its contacts.", extra_tags=undo)
    return go(request, reverse("book:clients"))


@door(Permission.DELETE_BOOK, methods=("POST",))
def bring_back_client(request: AskedRequest, client_id: int) -> HttpResponse:
    try:
        restore_client(request.actor, client_id=client_id)
    except Invalid as error:
        messages.error(request, str(error))
    else:
        messages.success(request, "Restored.")
    return go(request, reverse("book:client", args=[client_id]))
