"""The contacts list, the contact page, and editing a contact: in a row, in a dialog, on a page of its own."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpResponse, StreamingHttpResponse
from django.urls import reverse

from lockstep.apps.accounts.permissions import Permission
from lockstep.apps.book.errors import Invalid
from lockstep.apps.book.queries import (
    ContactDetails,
    client_details,
    contact_details,
    contacts_page,
    history_page,
)
from lockstep.apps.book.services import (
    contacts_csv,
    contacts_xlsx,
    delete_contact,
    restore_contact,
    save_contact,
    set_no_marketing,
)
from lockstep.core.member import Reason
from lockstep.web.book.bulk import asked_fields
from lockstep.web.book.forms import ContactForm, QuickContactForm, take_complaints
from lockstep.web.book.list_columns import CONTACT_COLUMNS, USUAL_OF_CONTACTS
from lockstep.web.book.narrowing import contact_chips, contact_filter
from lockstep.web.book.rivals import rival_of
from lockstep.web.book.standing import standings
from lockstep.web.columns import asked_columns, column_choices
from lockstep.web.doors import AskedRequest, answer, door, go
from lockstep.web.streams import csv_file, xlsx_file

__all__ = [
    "bring_back_contact",
    "contact_history",
    "contact_list",
    "contact_page",
    "contact_row",
    "edit_contact",
    "export_contacts",
    "export_contacts_xlsx",
    "mark_no_marketing",
    "new_contact",
    "of_contact",
    "quick_contact",
    "remove_contact",
]


@door(Permission.VIEW_BOOK, nav="contacts")
def contact_list(request: AskedRequest) -> HttpResponse:
    columns = asked_columns(request, "contacts", CONTACT_COLUMNS, USUAL_OF_CONTACTS)
    wanted = contact_filter(request.GET)
    sort = request.GET.get("sort", "name")
    page = contacts_page(request.actor, wanted, sort=sort, cursor=request.GET.get("page"))
    context = {
        "page": page,
        "sort": sort,
        "columns": [(key, CONTACT_COLUMNS[key], key not in USUAL_OF_CONTACTS) for key in columns],
        "column_choices": column_choices(request.GET, CONTACT_COLUMNS, columns),
        "standings": standings(request.actor, page.rows),
        "narrowed": not wanted.is_empty,
        "wanted": wanted,
        "asked": asked_fields(request.GET),
        "pickable": request.actor.may(Permission.EDIT_BOOK),
        "filters": contact_chips(request.actor, request.GET, counts=not request.htmx),
    }
    return answer(request, "book/contacts.html", context, fragment="rows")


@door(Permission.EXPORT_BOOK)
def export_contacts(request: AskedRequest) -> StreamingHttpResponse:
    """The contacts that the list's search and filters leave, as a file that an import takes back."""
    return csv_file(request, contacts_csv(request.actor, contact_filter(request.GET)), "contacts.csv")


@door(Permission.EXPORT_BOOK)
def export_contacts_xlsx(request: AskedRequest) -> StreamingHttpResponse:
    """The same as a workbook, which an import takes back as well."""
    return xlsx_file(request, contacts_xlsx(request.actor, contact_filter(request.GET)), "contacts.xlsx")


def of_contact(request: AskedRequest, contact_id: int, tab: str) -> dict[str, Any]:
    """What every tab of the contact page shows; the dialog's form only for those who may edit."""
    contact = contact_details(request.actor, contact_id)
    context: dict[str, Any] = {
        "contact": contact,
        "tab": tab,
        "standing": standings(request.actor, [contact])[contact.id],
    }
    if request.actor.may(Permission.EDIT_BOOK):
        context["form"] = ContactForm(request.actor, contact, auto_id="edit_%s")
    return context


@door(Permission.VIEW_BOOK, nav="contacts")
def contact_page(request: AskedRequest, contact_id: int) -> HttpResponse:
    context = of_contact(request, contact_id, "details")
    if context["contact"].merged_into_id is not None:
        return go(request, reverse("book:contact", args=[context["contact"].merged_into_id]))
    return answer(request, "book/contact.html", context)


@door(Permission.VIEW_BOOK, nav="contacts")
def contact_history(request: AskedRequest, contact_id: int) -> HttpResponse:
    context = of_contact(request, contact_id, "history")
    context["history"] = history_page(
        request.actor, subject="contact", subject_id=contact_id, cursor=request.GET.get("page")
    )
    return answer(request, "book/contact_history.html", context)


@door(Permission.EDIT_BOOK, nav="clients", methods=("GET", "POST"))
def new_contact(request: AskedRequest, client_id: int) -> HttpResponse:
    client = client_details(request.actor, client_id)
    if request.method == "GET":
        form = ContactForm(request.actor, initial={"active": True})
        return answer(request, "book/contact_form.html", {"form": form, "client": client})
    form = ContactForm(request.actor, data=request.POST)
    if form.is_valid():
        try:
            contact = save_contact(request.actor, client_id=client_id, **form.values())
        except Invalid as error:
            take_complaints(form, error)
        else:
            messages.success(request, f"{contact.full_name or contact.email} is in the book.")
            return go(request, reverse("book:client_contacts", args=[client_id]))
    context = {"form": form, "client": client}
    return answer(request, "book/contact_form.html", context, fragment="form", status=422)


@door(Permission.EDIT_BOOK, nav="clients", methods=("POST",))
def quick_contact(request: AskedRequest, client_id: int) -> HttpResponse:
    """Add a contact from the line above the client's contacts; for htmx an empty line again."""
    client = client_details(request.actor, client_id)
    form = QuickContactForm(request.POST, auto_id="quick_%s")
    if form.is_valid():
        try:
            contact = save_contact(request.actor, client_id=client_id, **form.cleaned_data)
        except Invalid as error:
            take_complaints(form, error)
        else:
            messages.success(request, f"{contact.full_name or contact.email} is in the book.")
            if not request.htmx:
                return go(request, reverse("book:client_contacts", args=[client_id]))
            form = QuickContactForm(auto_id="quick_%s")
            form.fields["first_name"].widget.attrs["autofocus"] = True
            response = answer(
                request, "book/quick_contact.html", {"form": form, "client": client}, fragment="quick"
            )
            response["HX-Trigger"] = "contact-added"
            return response
    if not request.htmx:
        full = ContactForm(request.actor, data=request.POST)
        context = {"form": full, "client": client}
        return answer(request, "book/contact_form.html", context, status=422)
    context = {"form": form, "client": client}
    return answer(request, "book/quick_contact.html", context, fragment="quick", status=422)


@door(Permission.VIEW_BOOK, nav="clients")
def contact_row(request: AskedRequest, contact_id: int) -> HttpResponse:
    """A contact's row again, after its edit was cancelled."""
    contact = contact_details(request.actor, contact_id)
    if not request.htmx:
        return go(request, reverse("book:contact", args=[contact_id]))
    return _row(request, contact)


def _row(request: AskedRequest, contact: ContactDetails) -> HttpResponse:
    context = {
        "row": contact,
        "standings": standings(request.actor, [contact]),
        "in_client": True,
        "pickable": request.actor.may(Permission.EDIT_BOOK),
        "back": True,
    }
    return answer(request, "book/contact_row.html", context, fragment="row")


@door(Permission.EDIT_BOOK, nav="contacts", methods=("GET", "POST"))
def edit_contact(request: AskedRequest, contact_id: int) -> HttpResponse:
    """The form in a row (`in=row`), in the contact page's dialog (`in=dialog`), or as a page."""
    contact = contact_details(request.actor, contact_id)
    place = request.GET.get("in", "page") if request.htmx else "page"
    form = ContactForm(
        request.actor,
        contact,
        request.POST if request.method == "POST" else None,
        short=place == "row",
        auto_id={"row": f"row{contact_id}_%s", "dialog": "edit_%s"}.get(place, "id_%s"),
    )
    if form.is_bound and form.is_valid():
        try:
            save_contact(request.actor, contact_id=contact_id, **form.values())
        except Invalid as error:
            take_complaints(form, error)
        else:
            messages.success(request, f"{contact.name} is saved.")
            if place == "row":
                return _row(request, contact_details(request.actor, contact_id))
            return go(request, reverse("book:contact", args=[contact_id]))
    standing = standings(request.actor, [contact])[contact.id]
    context = {"form": form, "contact": contact, "standing": standing}
    if standing == Reason.DUPLICATE and (rival := rival_of(request.actor, contact_id)):
        form.fields["email"].help_text = f"Also the address of {rival.name}, who is synced."
    status = 422 if form.is_bound else 200
    if place == "row":
        return answer(request, "book/contact_row.html", context, fragment="edit", status=status)
    return answer(request, "book/contact_form.html", context, fragment="form", status=status)


@door(Permission.EDIT_BOOK, methods=("POST",))
def mark_no_marketing(request: AskedRequest, contact_id: int) -> HttpResponse:
    """Set or take off No Marketing; the box is there or not, as forms send it."""
    wanted = request.POST.get("no_marketing") in {"on", "true", "1"}
    contact = set_no_marketing(request.actor, contact_id=contact_id, no_marketing=wanted)
    name = contact.full_name or contact.email
    messages.success(
        request, f"{name} is kept out of Mailchimp." if wanted else f"{name} is no longer No Marketing."
    )
    back = "contact_marketing" if request.POST.get("back") == "marketing" else "contact"
    return go(request, reverse(f"book:{back}", args=[contact_id]))


@door(Permission.DELETE_BOOK, methods=("POST",))
def remove_contact(request: AskedRequest, contact_id: int) -> HttpResponse:
    contact = contact_details(request.actor, contact_id)
    delete_contact(request.actor, contact_id=contact_id)
    undo = reverse("book:restore_contact", args=[contact_id])
    messages.success(request, f"{contact.name} is deleted.", extra_tags=undo)
    return go(request, reverse("book:client_contacts", args=[contact.client.id]))


@door(Permission.DELETE_BOOK, methods=("POST",))
def bring_back_contact(request: AskedRequest, contact_id: int) -> HttpResponse:
    try:
        restore_contact(request.actor, contact_id=contact_id)
    except Invalid as error:
        messages.error(request, str(error))
    else:
        messages.success(request, "Restored.")
    return go(request, reverse("book:contact", args=[contact_id]))
