"""The buttons of the sync window: each asks one service and leads back to the window (S8)."""

from __future__ import annotations

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.urls import reverse

from lockstep.apps.accounts.permissions import Permission
from lockstep.apps.book import services
from lockstep.apps.connections.models import Connection
from lockstep.apps.sync.models import SyncRun
from lockstep.apps.sync.queries import records_in
from lockstep.apps.sync.services import (
    SyncRefused,
    confirm_guards,
    dismiss_waiting,
    refresh,
    retry,
    start_sync,
    stop_run,
    stop_sync,
    undo_run,
)
from lockstep.core.member import SyncState
from lockstep.web.doors import AskedRequest, door, go
from lockstep.web.filters import chosen_ids
from lockstep.web.sync.looking import find, rep_of

__all__ = [
    "confirm",
    "dismiss",
    "do_refresh",
    "do_retry",
    "do_start",
    "do_stop",
    "end_run",
    "flag_no_marketing",
    "undo",
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
    """Stop Sync > OK; of an audience that is gone on to choosing another, which the stop makes free."""
    connection = find(request, connection_id)
    try:
        stop_sync(request.actor, connection)
        if request.POST.get("then") == "audience":
            return go(request, reverse("mailchimp:index"))
        messages.success(request, "The sync is being stopped. Nobody is removed from Mailchimp.")
    except SyncRefused as error:
        messages.warning(request, str(error))
    return _window(request, connection)


@door(Permission.MANAGE_COMPANY, nav=NAV, methods=("POST",))
def do_start(request: AskedRequest, connection_id: int) -> HttpResponse:
    """Start Sync again, with the filters as they are."""
    connection = find(request, connection_id)
    try:
        start_sync(request.actor, connection, typed=request.POST.get("typed", "")[:40])
    except SyncRefused as error:
        messages.warning(request, str(error))
    return _window(request, connection)


@door(Permission.MANAGE_COMPANY, nav=NAV, methods=("POST",))
def confirm(request: AskedRequest, connection_id: int, run_id: int) -> HttpResponse:
    """“It is right, go on.”"""
    connection = find(request, connection_id)
    run = _run(connection, run_id)
    try:
        confirm_guards(
            request.actor,
            run,
            typed=request.POST.get("typed", "")[:40],
            archive_added="archive_added" in request.POST,
        )
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


@door(Permission.MANAGE_COMPANY, nav=NAV, methods=("POST",))
def undo(request: AskedRequest, connection_id: int, run_id: int) -> HttpResponse:
    """Undo this run: its plan is made and shown first."""
    connection = find(request, connection_id)
    try:
        undo_run(request.actor, _run(connection, run_id))
    except SyncRefused as error:
        messages.warning(request, str(error))
        return go(request, reverse("sync:run", args=[connection.pk, run_id]))
    return _window(request, connection)


@door(Permission.MANAGE_COMPANY, nav=NAV, methods=("POST",))
def end_run(request: AskedRequest, connection_id: int, run_id: int) -> HttpResponse:
    """End a dry run or an undo that is under way."""
    connection = find(request, connection_id)
    try:
        stop_run(request.actor, _run(connection, run_id))
        messages.success(request, "It ends within seconds. What was done so far stays done.")
    except SyncRefused as error:
        messages.warning(request, str(error))
    return _window(request, connection)


@door(Permission.EDIT_BOOK, nav=NAV, methods=("POST",))
def flag_no_marketing(request: AskedRequest, connection_id: int) -> HttpResponse:
    """Flag as No Marketing: the contacts named, or everybody who unsubscribed."""
    connection = find(request, connection_id)
    chosen = chosen_ids(request.POST, "contact")
    records = records_in(connection, SyncState.UNSUBSCRIBED, rep_id=rep_of(request))
    if chosen:
        records |= records_in(connection, SyncState.FAILED, rep_id=rep_of(request))
        records = records.filter(contact_id__in=chosen)
    number = services.flag_no_marketing(
        request.actor,
        contact_ids=list(records.order_by("contact_id").values_list("contact_id", flat=True)),
        reason=f"Unsubscribed in Mailchimp ({connection.list_name})",
    )
    words = "contact is" if number == 1 else "contacts are"
    messages.success(request, f"{number:,} {words} flagged as No Marketing.")
    return _window(request, connection, request.POST.get("tab", "unsubscribed"))


def _run(connection: Connection, run_id: int) -> SyncRun:
    found = SyncRun.objects.filter(pk=run_id, connection=connection).first()
    if found is None:
        raise Http404("This run does not exist.")
    return found


def _window(request: AskedRequest, connection: Connection, tab: str = "") -> HttpResponse:
    address = reverse("sync:window", args=[connection.pk])
    return go(request, f"{address}?tab={tab}" if tab in set(SyncState) else address)
