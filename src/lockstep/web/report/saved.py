"""Saved views: keep what a list shows under a name, open it, rename, share and delete it."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.urls import reverse

from lockstep.apps.accounts.permissions import Permission
from lockstep.apps.book.errors import Invalid
from lockstep.apps.reports import services
from lockstep.apps.reports.models import SavedView
from lockstep.apps.reports.queries import find_view
from lockstep.web.doors import AskedRequest, door, go

__all__ = ["delete", "open_view", "rename", "save", "share"]

PAGES = {
    SavedView.Page.REPORT: "report:index",
    SavedView.Page.CLIENTS: "book:clients",
    SavedView.Page.CONTACTS: "book:contacts",
}


def _address(view: SavedView) -> str:
    query = f"{view.query}&view={view.pk}" if view.query else f"view={view.pk}"
    return f"{reverse(PAGES[SavedView.Page(view.page)])}?{query}"


@door(Permission.VIEW_BOOK)
def open_view(request: AskedRequest, view_id: int) -> HttpResponse:
    """Leads to the list as it was kept."""
    return go(request, _address(find_view(request.actor, view_id)))


@door(Permission.VIEW_BOOK, methods=("POST",))
def save(request: AskedRequest) -> HttpResponse:
    page, query = request.POST.get("page", ""), request.POST.get("query", "")
    try:
        view = services.save_view(
            request.actor,
            page=page,
            name=request.POST.get("name", ""),
            query=query,
            shared="shared" in request.POST,
        )
    except Invalid as error:
        messages.error(request, str(error))
        known = page if page in SavedView.Page.values else SavedView.Page.REPORT
        return go(request, f"{reverse(PAGES[SavedView.Page(known)])}?{services.kept(query)}")
    messages.success(request, f"“{view.name}” is kept.")
    return go(request, _address(view))


@door(Permission.VIEW_BOOK, methods=("POST",))
def rename(request: AskedRequest, view_id: int) -> HttpResponse:
    view = find_view(request.actor, view_id)
    try:
        view = services.rename_view(request.actor, view_id=view_id, name=request.POST.get("name", ""))
    except Invalid as error:
        messages.error(request, str(error))
    else:
        messages.success(request, f"It is called “{view.name}” now.")
    return go(request, _address(view))


@door(Permission.VIEW_BOOK, methods=("POST",))
def share(request: AskedRequest, view_id: int) -> HttpResponse:
    view = services.share_view(request.actor, view_id=view_id, shared=request.POST.get("shared") == "yes")
    words = "Everybody in the company sees" if view.shared else "Only you see"
    messages.success(request, f"{words} “{view.name}” now.")
    return go(request, _address(view))


@door(Permission.VIEW_BOOK, methods=("POST",))
def delete(request: AskedRequest, view_id: int) -> HttpResponse:
    view = services.delete_view(request.actor, view_id=view_id)
    messages.success(request, f"“{view.name}” is deleted. The contacts and clients in it stay as they are.")
    query = f"?{view.query}" if view.query else ""
    return go(request, reverse(PAGES[SavedView.Page(view.page)]) + query)
