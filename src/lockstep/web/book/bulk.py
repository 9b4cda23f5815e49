"""Editing many clients or contacts at once, and what was done so: progress, what was left alone, undo."""

from __future__ import annotations

import time
from typing import Any

from django.contrib import messages
from django.http import HttpResponse, QueryDict
from django.urls import reverse

from lockstep.apps.accounts.permissions import Permission
from lockstep.apps.book.errors import Invalid
from lockstep.apps.book.models import BulkChange
from lockstep.apps.book.queries.bulk import bulk_change, recent_bulk_changes, skipped_rows
from lockstep.apps.book.queries.selection import Selection, chosen_rows
from lockstep.apps.book.services import (
    BulkEdit,
    EditPreview,
    advance_bulk,
    preview_bulk_edit,
    start_bulk_edit,
    start_undo,
    undo_entry,
)
from lockstep.apps.book.services.bulk import deadline, permissions_to_undo
from lockstep.apps.book.tasks import queue_bulk_change
from lockstep.apps.sync.queries.contacts import count_in_mailchimp
from lockstep.web.book.bulk_form import BulkForm
from lockstep.web.book.forms import take_complaints
from lockstep.web.book.narrowing import client_filter, contact_filter
from lockstep.web.doors import AskedRequest, answer, door, go
from lockstep.web.filters import chosen_ids
from lockstep.web.wording import plural

__all__ = [
    "asked_fields",
    "bulk_clients",
    "bulk_contacts",
    "change_list",
    "change_page",
    "undo_bulk",
    "undo_change",
]

AT_ONCE = 0.6
"""Seconds of a request in which a bulk change may work; a worker goes on with the rest."""

_OWN = {"pick", "everything", "of_clients", "do", "page", "sort", "cols", "view"}


def asked_fields(query: QueryDict) -> list[tuple[str, str]]:
    """The list's search and filters as (name, value), for the form that carries a selection along."""
    return [(name, value) for name, values in query.lists() if name not in _OWN for value in values if value]


def selection_of(query: QueryDict, subject: str) -> Selection:
    """What the boxes of a list chose; `of_clients` are the contacts of clients."""
    of_clients = subject == "contact" and "of_clients" in query
    wanted: Any = client_filter(query) if subject == "client" or of_clients else contact_filter(query)
    if subject == "contact" and not of_clients and (ids := chosen_ids(query, "client")):
        wanted = contact_filter(query, client_id=ids[0])
    return Selection(
        wanted=wanted,
        ids=chosen_ids(query, "pick"),
        everything="everything" in query,
        contacts_of_clients=of_clients,
    )


@door(Permission.EDIT_BOOK, nav="clients", methods=("GET", "POST"))
def bulk_clients(request: AskedRequest) -> HttpResponse:
    return _bulk(request, "client")


@door(Permission.EDIT_BOOK, nav="contacts", methods=("GET", "POST"))
def bulk_contacts(request: AskedRequest) -> HttpResponse:
    return _bulk(request, "contact")


_DELETES = {"delete": True, "restore": False}


def _bulk(request: AskedRequest, subject: str) -> HttpResponse:
    """The choice of what to change with its preview (GET, and htmx while choosing), or the deed (POST)."""
    asked = request.POST if request.method == "POST" else request.GET
    chosen, do = selection_of(asked, subject), asked.get("do", "edit")
    if do in _DELETES:
        request.actor.require(Permission.DELETE_BOOK)
    form = BulkForm(request.actor, subject, asked, prefix="to")
    preview, problem = None, ""
    edit = _edit(form, subject, do)
    if edit is not None:
        try:
            if request.method == "POST":
                return _start(request, start_bulk_edit(request.actor, chosen, edit), _back(asked, chosen))
            preview = preview_bulk_edit(request.actor, chosen, edit)
        except Invalid as error:
            if do not in _DELETES:
                take_complaints(form, error)
            problem = str(error)
    elif request.method == "POST":
        problem = "Choose what to change."
    rows = chosen_rows(request.actor, chosen.deleted(deleted=True) if do == "restore" else chosen)
    total = rows.count()
    context = {
        "form": form,
        "subject": subject,
        "do": do,
        "total": total,
        "preview": preview,
        "problem": problem,
        "selection": _selection_fields(asked, subject),
        "mailchimp": _meaning(request, chosen, edit, preview) if preview and preview.changing else "",
        "back": _back(asked, chosen),
        "verb": {"delete": "Delete", "restore": "Restore"}.get(do, "Change"),
    }
    status = 422 if problem and request.method == "POST" else 200
    return answer(request, "book/bulk.html", context, fragment="preview", status=status)


def _back(asked: QueryDict, chosen: Selection) -> str:
    """The list or the client page on which the rows were chosen."""
    if chosen.subject == "contact" and not chosen.contacts_of_clients:
        of = chosen_ids(asked, "client")
        return reverse("book:client_contacts", args=[of[0]]) if of else reverse("book:contacts")
    if asked.get("from") == "client" and len(chosen.ids) == 1:
        return reverse("book:client", args=[chosen.ids[0]])
    return reverse("book:clients")


def _edit(form: BulkForm, subject: str, do: str) -> BulkEdit | None:
    """What is asked for; None while nothing is chosen yet."""
    if do in _DELETES:
        return BulkEdit(subject=subject, sets={"deleted": _DELETES[do]})
    if not form.is_valid():
        return None
    edit = form.edit()
    return None if edit.is_empty else edit


def _selection_fields(asked: QueryDict, subject: str) -> list[tuple[str, str]]:
    kept = [
        (name, value) for name in ("pick", "everything", "of_clients", "do") for value in asked.getlist(name)
    ]
    return kept + [
        (name, value)
        for name, value in asked_fields(asked)
        if not name.startswith("to-") and name != "csrfmiddlewaretoken"
    ]


def _meaning(request: AskedRequest, chosen: Selection, edit: BulkEdit | None, preview: EditPreview) -> str:
    """What the edit means for Mailchimp, in a sentence; '' where it means nothing."""
    if edit is None:
        return ""
    rows = chosen_rows(request.actor, chosen)
    column = "client_id" if chosen.subject == "client" else "pk"
    count = count_in_mailchimp(request.company.pk, rows.order_by().values("pk"), by=column)
    leaves = edit.sets.get("deleted") or edit.sets.get("no_marketing") or edit.sets.get("active") is False
    comes = "deleted" in edit.sets or "no_marketing" in edit.sets or "active" in edit.sets
    if leaves and count:
        return (
            f"{plural(count, 'contact')} of these are in Mailchimp. Their Sync Status turns to Inactive;"
            " nobody is removed there."
        )
    if comes and not leaves:
        return "Those who fit the filters of a running sync join it by themselves."
    if count:
        return f"{plural(count, 'contact')} of these are in Mailchimp. Changed fields follow by themselves."
    return ""


def _start(request: AskedRequest, bulk: BulkChange, back: str = "") -> HttpResponse:
    """Do what can be done while somebody waits; a worker does the rest. `back` is where one was."""
    bulk = advance_bulk(bulk.pk, more=deadline(AT_ONCE, time.monotonic))
    if bulk.state == BulkChange.State.RUNNING:
        queue_bulk_change(bulk.pk)
    page = reverse("book:change", args=[bulk.pk])
    if bulk.state != BulkChange.State.DONE or bulk.skipped:
        return go(request, page)
    what = plural(bulk.changed, bulk.subject_kind) if bulk.kind == BulkChange.Kind.EDIT else ""
    text = f"{bulk.words}: {what}." if what else f"{bulk.words}."
    undo = reverse("book:undo_bulk", args=[bulk.pk])
    messages.success(request, text, extra_tags=undo)
    return go(request, _after(request, bulk, page, back))


def _after(request: AskedRequest, bulk: BulkChange, page: str, back: str) -> str:
    """Back to where one was; for an undo to the change's own page where that is not known."""
    if bulk.kind == BulkChange.Kind.UNDO:
        here = getattr(request.htmx, "current_url_abs_path", None)
        return here or page
    return back


@door(Permission.VIEW_BOOK, nav="changes")
def change_list(request: AskedRequest) -> HttpResponse:
    return answer(request, "book/changes.html", {"changes": recent_bulk_changes(request.actor)})


@door(Permission.VIEW_BOOK, nav="changes")
def change_page(request: AskedRequest, bulk_id: int) -> HttpResponse:
    bulk = bulk_change(request.actor, bulk_id)
    context = {
        "bulk": bulk,
        "working": bulk.state == BulkChange.State.RUNNING,
        "percent": 100 * bulk.done // bulk.total if bulk.total else 0,
        "skipped": skipped_rows(request.actor, bulk),
        "may_undo": _may_undo(request, bulk),
    }
    return answer(request, "book/change.html", context, fragment="change")


def _may_undo(request: AskedRequest, bulk: BulkChange) -> bool:
    permitted = all(request.actor.may(permission) for permission in permissions_to_undo(bulk))
    is_undone = getattr(bulk, "is_undone", False)
    return permitted and bulk.state != BulkChange.State.RUNNING and not is_undone and bulk.changed > 0


@door(Permission.EDIT_BOOK, methods=("POST",))
def undo_bulk(request: AskedRequest, bulk_id: int) -> HttpResponse:
    try:
        bulk = start_undo(request.actor, bulk_id=bulk_id)
    except Invalid as error:
        messages.error(request, str(error))
        return go(request, reverse("book:change", args=[bulk_id]))
    return _start(request, bulk)


@door(Permission.EDIT_BOOK, methods=("POST",))
def undo_change(request: AskedRequest, entry_id: int) -> HttpResponse:
    """Undo one change of one client or contact, from its history."""
    try:
        outcome = undo_entry(request.actor, entry_id=entry_id)
    except Invalid as error:
        messages.error(request, str(error))
    else:
        if outcome.kept:
            fields = ", ".join(outcome.kept)
            messages.success(request, f"Undone, but for what was changed since: {fields}.")
        else:
            messages.success(request, "Undone.")
    back = request.POST.get("back", "")
    known = back.startswith(("/clients/", "/contacts/")) and "//" not in back and "\\" not in back
    return go(request, back if known else reverse("book:clients"))
