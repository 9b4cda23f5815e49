"""The start, and the pulse that the sidebar asks for again and again."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import redirect

from lockstep.apps.accounts.permissions import Permission
from lockstep.web.doors import AskedRequest, answer, door

__all__ = ["home", "pulse"]


@door(Permission.VIEW_BOOK)
def home(request: AskedRequest) -> HttpResponse:
    """The clients; with an empty book they say what to do first."""
    return redirect("book:clients")


@door(Permission.VIEW_SYNC)
def pulse(request: AskedRequest) -> HttpResponse:
    return answer(request, "web/parts/pulse.html")
