"""Clients and contacts that are in the book twice: finding them, and merging them field by field."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpResponse, QueryDict
from django.urls import reverse

from lockstep.apps.accounts.permissions import Permission
from lockstep.apps.book.errors import Invalid
from lockstep.apps.book.queries import ClientDetails, ContactDetails, client_details, contact_details
from lockstep.apps.book.queries.twins import CLIENT_WAYS, CONTACT_WAYS, client_twins, contact_twins
from lockstep.apps.book.services import merge_clients, merge_contacts
from lockstep.apps.book.services.distinct import mark_distinct, unmark_distinct
from lockstep.apps.book.services.merging import CLIENT_PICKS, CONTACT_PICKS, MOST
from lockstep.web.doors import AskedRequest, answer, door, go
from lockstep.web.filters import chosen_ids

__all__ = [
    "distinct_clients",
    "distinct_contacts",
    "merge_client_page",
    "merge_contact_page",
    "twin_clients",
    "twin_contacts",
]

_LABELS = {
    "name": "Name",
    "account_number": "Account number",
    "status_id": "Status",
    "industry_id": "Industry",
    "rep_id": "Client rep",
    "website": "Website",
    "phone": "Phone",
    "active": "Active",
    "address": "Address",
    "first_name": "First name",
    "last_name": "Last name",
    "position": "Position",
    "email": "E-mail",
    "extension": "Extension",
    "cell": "Cell",
    "fax": "Fax",
    "department_id": "Department",
    "client_id": "Client",
}


@dataclass(frozen=True, slots=True)
class Line:
    """A field in which the rows differ: (id, value as people read it, chosen) of each."""

    name: str
    label: str
    cells: tuple[tuple[int, str, bool], ...]


def _said(row: ClientDetails | ContactDetails, name: str) -> str:
    if name == "address":
        address = row.own_address if isinstance(row, ContactDetails) else row.address
        return ", ".join(address.lines)
    if name == "active":
        return "Yes" if row.active else "No"
    value = getattr(row, name.removesuffix("_id"))
    return "" if value is None else str(getattr(value, "name", value))


def lines_of(
    rows: Sequence[ClientDetails | ContactDetails], names: Sequence[str], keep: int, picked: QueryDict
) -> list[Line]:
    """The fields to choose in: those that don't read the same everywhere."""
    lines = []
    for name in names:
        said = {row.id: _said(row, name) for row in rows}
        if len(set(said.values())) < 2:
            continue
        wanted = picked.get(f"take-{name}", "")
        order = [keep, *said]
        first = next((pk for pk in order if said[pk]), keep)
        chosen = int(wanted) if wanted.isdigit() and int(wanted) in said else first
        cells = tuple((pk, text, pk == chosen) for pk, text in said.items())
        lines.append(Line(name, _LABELS[name], cells))
    return lines


@door(Permission.DELETE_BOOK, nav="clients", methods=("GET", "POST"))
def merge_client_page(request: AskedRequest) -> HttpResponse:
    return _merge(request, "client")


@door(Permission.DELETE_BOOK, nav="contacts", methods=("GET", "POST"))
def merge_contact_page(request: AskedRequest) -> HttpResponse:
    return _merge(request, "contact")


def _merge(request: AskedRequest, subject: str) -> HttpResponse:
    """Side by side, to choose who stays and which values win; POST merges."""
    asked = request.POST if request.method == "POST" else request.GET
    ids = list(dict.fromkeys(chosen_ids(asked, "pick")))
    of_clients = subject == "client"
    if not 2 <= len(ids) <= MOST:
        messages.error(request, f"Choose two to {MOST} {subject}s to merge.")
        return go(request, reverse("book:clients" if of_clients else "book:contacts"))
    read: Any = client_details if of_clients else contact_details
    rows = [read(request.actor, pk) for pk in ids]
    keep = next(iter(chosen_ids(asked, "keep")), 0)
    if keep not in ids:  # whom most is known of: the clients' contacts, else the oldest
        keep = max(rows, key=lambda row: (getattr(row, "contacts", 0), -row.id)).id
    names = CLIENT_PICKS if of_clients else CONTACT_PICKS
    lines = lines_of(rows, names, keep, asked)
    problem = ""
    if request.method == "POST" and asked.get("do") == "merge":
        picks = {line.name: pk for line in lines for pk, _, chosen in line.cells if chosen}
        merge = merge_clients if of_clients else merge_contacts
        try:
            bulk = merge(request.actor, keep_id=keep, other_ids=[pk for pk in ids if pk != keep], picks=picks)
        except Invalid as error:
            problem = str(error)
        else:
            messages.success(request, f"{bulk.words}.", extra_tags=reverse("book:undo_bulk", args=[bulk.pk]))
            return go(request, reverse("book:client" if of_clients else "book:contact", args=[keep]))
    context = {
        "subject": subject,
        "rows": rows,
        "keep": keep,
        "lines": lines,
        "problem": problem,
        "contacts": sum(row.contacts for row in rows if row.id != keep) if of_clients else 0,
        "flagged": not of_clients and any(row.no_marketing for row in rows),
    }
    return answer(request, "book/merge.html", context, fragment="merge", status=422 if problem else 200)


@door(Permission.VIEW_BOOK, nav="clients")
def twin_clients(request: AskedRequest) -> HttpResponse:
    way = request.GET.get("way", "name")
    return _twins(request, "client", client_twins, CLIENT_WAYS, way)


@door(Permission.VIEW_BOOK, nav="contacts")
def twin_contacts(request: AskedRequest) -> HttpResponse:
    way = request.GET.get("way", "email")
    return _twins(request, "contact", contact_twins, CONTACT_WAYS, way)


def _twins(request: AskedRequest, subject: str, find: Any, ways: Mapping[str, str], way: str) -> HttpResponse:
    distinct = "distinct" in request.GET
    page = find(request.actor, way=way, after=request.GET.get("page", ""), distinct=distinct)
    context = {"page": page, "ways": ways, "way": way, "subject": subject, "distinct": distinct}
    return answer(request, "book/twins.html", context)


@door(Permission.EDIT_BOOK, methods=("POST",))
def distinct_clients(request: AskedRequest) -> HttpResponse:
    return _distinct(request, "client", CLIENT_WAYS)


@door(Permission.EDIT_BOOK, methods=("POST",))
def distinct_contacts(request: AskedRequest) -> HttpResponse:
    return _distinct(request, "contact", CONTACT_WAYS)


def _distinct(request: AskedRequest, subject: str, ways: Mapping[str, str]) -> HttpResponse:
    """They are different ones, or may be the same after all (`same`, which the toast's Undo asks for)."""
    asked = request.POST if "pick" in request.POST else request.GET
    ids, same = chosen_ids(asked, "pick"), "same" in asked
    way = asked.get("way", "")
    here = "".join([f"?way={way}" if way in ways else "?", "&distinct=1" if "distinct" in asked else ""])
    try:
        if same:
            unmark_distinct(request.actor, subject=subject, ids=ids)
        else:
            mark_distinct(request.actor, subject=subject, ids=ids)
    except Invalid as error:
        messages.error(request, str(error))
    else:
        if same:
            messages.success(request, "They are shown as possible duplicates again.")
        else:
            query = urlencode({"pick": ids, "way": way, "same": 1}, doseq=True)
            undo = f"{reverse(f'book:distinct_{subject}s')}?{query}"
            messages.success(request, "Kept apart. Nobody is asked about them again.", extra_tags=undo)
    return go(request, reverse(f"book:twin_{subject}s") + here)
