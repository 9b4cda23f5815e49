"""The buttons of the sync window: each asks one service and leads back to the window (S8)."""

from __future__ import annotations

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.urls import reverse

from lockstep.apps.accounts.permissions import Permission
from lockstep.apps.book.models import Contact
from lockstep.apps.book.services import set_no_marketing
from lockstep.apps.connections.models import Connection
from lockstep.apps.sync.models import MemberRecord, SyncRun
from lockstep.apps.sync.services import (
    SyncRefused,
    confirm_guards,
    dismiss_waiting,
    refresh,
    retry,
    start_sync,
    stop_sync,
)
from lockstep.core.member import SyncState
from lockstep.web.doors import AskedRequest, door, go
from lockstep.web.filters import chosen_ids
from lockstep.web.sync.looking import find

__all__ = [
    "confirm",
    "dismiss",
    "do_refresh",
    "do_retry",
    "do_start",
    "do_stop",
    "flag_no_marketing",
]

NAV = "sync"

#: What each of the two buttons tries again.
RETRIES = {
    "failed": (SyncState.FAILED, SyncState.PENDING),
    "archived": (SyncState.ARCHIVED,),
}


@door(Permission.MANAGE_COMPANY, nav=NAV, methods=("POST",))
def do_refresh(request: AskedRequest, connection_id: int) -> HttpResponse:
    connection = find(request, connection_id)
    try:
        refresh(request.actor, connection)
    except SyncRefused as error:
        messages.warning(request, str(error))
    return _window(request, connection)


@door(Permission.MANAGE_COMPANY, nav=NAV, methods=("POST",))
def do_retry(request: AskedRequest, connection_id: int) -> HttpResponse:
    """Retry failed/pending or Retry archived/deleted; with `contact`, only those."""
    connection = find(request, connection_id)
    which = request.POST.get("which", "")
    if which not in RETRIES:
        raise Http404("This retry does not exist.")
    contacts = chosen_ids(request.POST, "contact")
    try:
        retry(request.actor, connection, states=RETRIES[which], contact_ids=contacts or None)
    except SyncRefused as error:
        messages.warning(request, str(error))
    return _window(request, connection, which)


@door(Permission.MANAGE_COMPANY, nav=NAV, methods=("POST",))
def do_stop(request: AskedRequest, connection_id: int) -> HttpResponse:
    """Stop Sync > OK."""
    connection = find(request, connection_id)
    try:
        stop_sync(request.actor, connection)
        messages.success(request, "The sync is being stopped. Nobody is removed from Mailchimp.")
    except SyncRefused as error:
        messages.warning(request, str(error))
    return _window(request, connection)


@door(Permission.MANAGE_COMPANY, nav=NAV, methods=("POST",))
def do_start(request: AskedRequest, connection_id: int) -> HttpResponse:
    """Start Sync again, with the filters as they are."""
    connection = find(request, connection_id)
    try:
        start_sync(request.actor, connection)
    except SyncRefused as error:
        messages.warning(request, str(error))
    return _window(request, connection)


@door(Permission.MANAGE_COMPANY, nav=NAV, methods=("POST",))
def confirm(request: AskedRequest, connection_id: int, run_id: int) -> HttpResponse:
    """“It is right, go on.”"""
    connection = find(request, connection_id)
    run = SyncRun.objects.filter(pk=run_id, connection=connection).first()
    if run is None:
        raise Http404("This run does not exist.")
    try:
        confirm_guards(request.actor, run)
    except SyncRefused as error:
        messages.warning(request, str(error))
    return _window(request, connection)


@door(Permission.MANAGE_COMPANY, nav=NAV, methods=("POST",))
def dismiss(request: AskedRequest, connection_id: int) -> HttpResponse:
    """“No, don't.”"""
    connection = find(request, connection_id)
    dismiss_waiting(request.actor, connection)
    messages.success(request, "Nothing was sent.")
    return _window(request, connection)


@door(Permission.EDIT_BOOK, nav=NAV, methods=("POST",))
def flag_no_marketing(request: AskedRequest, connection_id: int) -> HttpResponse:
    """Flag as No Marketing: the contacts named, or everybody who unsubscribed."""
    connection = find(request, connection_id)
    chosen = chosen_ids(request.POST, "contact")
    records = MemberRecord.objects.filter(connection=connection)
    if chosen:
        records = records.filter(
            contact_id__in=chosen, state__in=[SyncState.UNSUBSCRIBED.value, SyncState.FAILED.value]
        )
    else:
        records = records.filter(state=SyncState.UNSUBSCRIBED.value)
    contacts = Contact.objects.filter(
        pk__in=records.values("contact_id"), company=request.company, deleted_at=None, no_marketing=False
    )
    number = 0
    for contact in contacts.order_by("pk"):
        set_no_marketing(
            request.actor,
            contact_id=contact.pk,
            no_marketing=True,
            reason=f"Unsubscribed in Mailchimp ({connection.list_name})",
        )
        number += 1
    words = "contact is" if number == 1 else "contacts are"
    messages.success(request, f"{number:,} {words} flagged as No Marketing.")
    return _window(request, connection, request.POST.get("tab", "unsubscribed"))


def _window(request: AskedRequest, connection: Connection, tab: str = "") -> HttpResponse:
    address = reverse("sync:window", args=[connection.pk])
    return go(request, f"{address}?tab={tab}" if tab in set(SyncState) else address)
