"""A made-up book to look around in, and away with it again."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse

from lockstep.apps.accounts.permissions import Permission
from lockstep.apps.book.errors import Invalid
from lockstep.apps.book.sample import load_sample, remove_sample
from lockstep.web.doors import AskedRequest, door, go
from lockstep.web.wording import plural

__all__ = ["CLIENTS", "CONTACTS", "load", "remove"]

CLIENTS, CONTACTS = 60, 420


@door(Permission.MANAGE_COMPANY, methods=("POST",))
def load(request: AskedRequest) -> HttpResponse:
    try:
        load_sample(request.company, clients=CLIENTS, contacts=CONTACTS)
    except Invalid as error:
        messages.error(request, str(error))
    else:
        messages.success(request, "The sample book is here. The Import page removes it again.")
    return go(request, "/clients")


@door(Permission.MANAGE_COMPANY, methods=("POST",))
def remove(request: AskedRequest) -> HttpResponse:
    gone = remove_sample(request.company)
    messages.success(request, f"The sample is removed: {plural(gone, 'contact')}.")
    return go(request, "/clients")
