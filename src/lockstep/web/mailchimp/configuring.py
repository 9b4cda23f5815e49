"""Configure the sync: who, how new people come in, duplicates, and Start Sync (S1-S4)."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from lockstep.apps.accounts.permissions import Permission
from lockstep.apps.book.models import Contact
from lockstep.apps.connections import queries, services
from lockstep.apps.connections.errors import ConnectError, SyncIsOn, TagsRefused
from lockstep.apps.connections.models import Connection
from lockstep.apps.connections.preferences import Preferences
from lockstep.apps.sync.queries import duplicates, has_written_tags, left_out_page, reason_counts
from lockstep.apps.sync.services import (
    TYPED_ABOVE,
    SyncRefused,
    choose_duplicate,
    start_sync,
    unchoose_duplicate,
)
from lockstep.core.consent import NewStatus
from lockstep.core.errors import ConnectionBroken
from lockstep.core.member import Reason
from lockstep.web.doors import AskedRequest, answer, door, go
from lockstep.web.failures import BROKEN
from lockstep.web.mailchimp.draft import Draft, draft_of, pick_groups, saved_draft
from lockstep.web.mailchimp.dry_run import dry_run_context
from lockstep.web.states import look_of
from lockstep.web.wording import number

__all__ = ["checks", "configure", "count", "duplicate_choices", "left_out", "optional", "start"]

NAV = "integrations"
DUPLICATES_SHOWN = 5

#: The order in which the book is taken apart on the page.
LEFT_OUT = (
    Reason.OUTSIDE,
    Reason.INACTIVE,
    Reason.NO_MARKETING,
    Reason.NO_EMAIL,
    Reason.INVALID_EMAIL,
    Reason.DUPLICATE,
)

_NEW_STATUSES = (
    (NewStatus.SUBSCRIBED, "Subscribed", "They can be mailed at once. Only if they agreed to your mail."),
    (NewStatus.PENDING, "Pending", "Mailchimp first sends them a mail to confirm."),
    (NewStatus.TRANSACTIONAL, "Transactional", "In the audience, but never in a campaign."),
)


@door(Permission.MANAGE_COMPANY, nav=NAV)
def configure(request: AskedRequest, connection_id: int) -> HttpResponse:
    connection = services.find_connection(request.actor, connection_id)
    if connection.mode != Connection.Mode.OFF:
        messages.info(request, "The sync is on. Stop it to change who is synced.")
        return go(request, reverse("sync:window", args=[connection.pk]))
    draft = saved_draft(connection)
    if "clear" in request.GET:
        draft = Draft(Preferences(), draft.new_status, draft.tags)
    return _page(request, connection, draft)


@door(Permission.MANAGE_COMPANY, nav=NAV, methods=("POST",))
def count(request: AskedRequest, connection_id: int) -> HttpResponse:
    """The right column for what is chosen now; saves nothing. POST only so that no address grows long."""
    connection = services.find_connection(request.actor, connection_id)
    draft = draft_of(request.POST, connection)
    context = (
        {"connection": connection, "live": True, "changed": draft != saved_draft(connection)}
        | _numbers(request, draft)
        | _duplicates(request, draft.preferences, DUPLICATES_SHOWN)
    )
    return answer(request, "mailchimp/configure.html", context, fragment="count")


@door(Permission.MANAGE_COMPANY, nav=NAV)
def checks(request: AskedRequest, connection_id: int) -> HttpResponse:
    """What Mailchimp says against a start; fetched by the page, because Mailchimp has to be asked."""
    connection = services.find_connection(request.actor, connection_id)
    context: dict[str, Any] = {"connection": connection}
    try:
        found = queries.preflight(request.actor, connection)
        context["warnings"] = [
            check for check in found if check.verdict in (queries.Verdict.CARE, queries.Verdict.BAD)
        ]
        context["again"] = "again" in request.GET
    except ConnectionBroken as error:
        services.note_broken(connection.account, error)
        context |= {"broken": BROKEN[error.kind], "raw": error.raw}
    except ConnectError as error:
        context |= {"problem": str(error), "raw": getattr(error, "raw", "")}
    return answer(request, "mailchimp/checks.html", context, fragment="checks")


@door(Permission.MANAGE_COMPANY, nav=NAV, methods=("POST",))
def optional(request: AskedRequest, connection_id: int) -> HttpResponse:
    """Make them optional, after the question."""
    connection = services.find_connection(request.actor, connection_id)
    try:
        changed = services.make_fields_optional(request.actor, connection, request.POST.getlist("tag"))
        names = ", ".join(changed) or "Nothing had to be changed: they"
        messages.success(request, f"{names} {'is' if len(changed) == 1 else 'are'} optional now.")
    except ConnectionBroken as error:
        services.note_broken(connection.account, error)
        messages.error(request, f"{BROKEN[error.kind].title}. {BROKEN[error.kind].todo}")
    except ConnectError as error:
        messages.error(request, f"{error} {getattr(error, 'raw', '')}".strip())
    return go(request, reverse("mailchimp:configure", args=[connection.pk]))


@door(Permission.MANAGE_COMPANY, nav=NAV, methods=("GET", "POST"))
def duplicate_choices(request: AskedRequest, connection_id: int) -> HttpResponse:
    """The duplicates of the filters chosen now; POST `contact` syncs that one instead."""
    connection = services.find_connection(request.actor, connection_id)
    draft = saved_draft(connection)
    if request.method == "POST":
        draft = draft_of(request.POST, connection)
        group = request.POST.get("group", "")
        _choose(request, request.POST.get(f"d{group}", "") if group else request.POST.get("contact", ""))
        if not request.htmx:
            return HttpResponseRedirect(reverse("mailchimp:configure", args=[connection.pk]) + "#h-dup")
    shown = 0 if "all" in request.GET or "all_duplicates" in request.POST else DUPLICATES_SHOWN
    context = {"connection": connection} | _duplicates(request, draft.preferences, shown)
    return answer(request, "mailchimp/duplicates.html", context, fragment="duplicates")


def _choose(request: AskedRequest, contact_id: str) -> None:
    if not (contact_id.isascii() and contact_id.isdigit() and len(contact_id) < 19):
        raise Http404("This contact does not exist.")
    contact = Contact.objects.filter(pk=int(contact_id), company=request.company, deleted_at=None).first()
    if contact is None:
        raise Http404("This contact does not exist, or it was deleted.")
    if "newest" in request.POST:
        unchoose_duplicate(request.actor, contact)
        messages.success(request, "The newest contact of this address is synced.")
    else:
        choose_duplicate(request.actor, contact)
        messages.success(request, f"{contact.full_name} is synced for this address.")


@door(Permission.MANAGE_COMPANY, nav=NAV, methods=("GET", "POST"))
def left_out(request: AskedRequest, connection_id: int, reason: str) -> HttpResponse:
    """The contacts behind one of the numbers in the right column."""
    connection = services.find_connection(request.actor, connection_id)
    if reason not in {*LEFT_OUT, Reason.FITS}:
        raise Http404("This is no reason for leaving a contact out.")
    given = request.POST if request.method == "POST" else request.GET
    draft = draft_of(given, connection) if given else saved_draft(connection)
    after = given.get("after", "0")
    page = left_out_page(
        request.company.pk,
        draft.preferences,
        Reason(reason),
        after=int(after) if after.isascii() and after.isdigit() and len(after) < 19 else 0,
    )
    named = queries.names_of(request.company.pk, draft.preferences)
    context = {
        "connection": connection,
        "reason": reason,
        "page": page,
        "filters": queries.in_words(named),
        "choices": [(kind, value) for kind, ids in draft.preferences.to_json().items() for value in ids],
        "new_status": draft.new_status.value,
    }
    return answer(request, "mailchimp/left_out.html", context)


@door(Permission.MANAGE_COMPANY, nav=NAV, methods=("POST",))
def start(request: AskedRequest, connection_id: int) -> HttpResponse:
    """Start Sync: keep what was chosen, then begin.

    Where a dry run is shown and nothing was chosen differently since, exactly
    its plan is what may run.
    """
    connection = services.find_connection(request.actor, connection_id)
    draft = draft_of(request.POST, connection)
    unchanged = draft == saved_draft(connection)
    try:
        connection = services.save_preferences(request.actor, connection, draft.preferences, draft.new_status)
        connection = services.save_member_tags(request.actor, connection, draft.tags)
        approved = request.POST.get("approved", "")[:32] if unchanged else ""
        start_sync(request.actor, connection, approved=approved, typed=request.POST.get("typed", "")[:40])
    except SyncIsOn:
        messages.info(request, "The sync is on already.")
    except (SyncRefused, TagsRefused) as error:
        return _page(request, connection, draft, problem=str(error))
    return go(request, reverse("sync:window", args=[connection.pk]))


def _page(request: AskedRequest, connection: Connection, draft: Draft, *, problem: str = "") -> HttpResponse:
    context = (
        {
            "connection": connection,
            "problem": problem,
            "groups": pick_groups(queries.choices(request.company.pk), draft.preferences),
            "new_status": draft.new_status.value,
            "new_statuses": _NEW_STATUSES,
            "tags": draft.tags,
            "tags_written": draft.tags.removal or has_written_tags(connection),
            "tag_prefix_length": services.PREFIX_LENGTH,
        }
        | _numbers(request, draft)
        | _duplicates(request, draft.preferences, DUPLICATES_SHOWN)
        | dry_run_context(request, connection)
    )
    return answer(request, "mailchimp/configure.html", context, status=422 if problem else 200)


def _numbers(request: AskedRequest, draft: Draft) -> dict[str, Any]:
    counts = reason_counts(request.company.pk, draft.preferences)
    outside = counts.by_reason.get(Reason.OUTSIDE, 0)
    others = counts.book - counts.fits - outside
    label = (
        f"{number(counts.fits)} of {number(counts.book)} contacts in the book will be synced, "
        f"{number(others)} are left out, {number(outside)} are outside the filters"
    )
    named = queries.names_of(request.company.pk, draft.preferences)
    return {
        "counts": counts,
        "to_type": counts.fits if counts.fits > TYPED_ABOVE else 0,
        "typed": request.POST.get("typed", "")[:40],
        "left_out": [
            (reason.value, look_of(reason.value), counts.by_reason.get(reason, 0)) for reason in LEFT_OUT
        ],
        "parts": (("ok", counts.fits), ("off", others), ("rest", outside)),
        "parts_label": label,
        "clauses": [(words, queries.any_of(names)) for words, names in queries.clauses(named)],
    }


def _duplicates(request: AskedRequest, preferences: Preferences, shown: int) -> dict[str, Any]:
    left_over, listed, more = duplicates(request.company.pk, preferences, limit=shown)
    return {"duplicate_count": left_over, "duplicate_groups": listed, "more_addresses": more}
