"""Ask for a run: dry run, start, stop, refresh, retry; approve what waits. The worker does the work."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import IntegrityError, transaction

from lockstep.apps.accounts.permissions import Actor, Permission
from lockstep.apps.book.errors import NotFound
from lockstep.apps.book.models import HistoryEntry
from lockstep.apps.connections.models import Connection
from lockstep.apps.connections.preferences import Preferences
from lockstep.apps.sync.models import MemberRecord, SyncRun
from lockstep.apps.sync.queries.counts import reason_counts
from lockstep.apps.sync.recording import mark_contacts
from lockstep.apps.sync.waking import wake
from lockstep.core.member import SyncState


class SyncRefused(Exception):
    """What was asked can't be done now; the text is for the person and says what to do."""


TYPED_ABOVE = 1_000
"""Contacts from which on a person types their number, so that nobody writes to thousands by a slip (S4)."""


def writes_of(run: SyncRun, *, archive_added: bool = False) -> int:
    """How many contacts a planned run would write."""
    names = ["adds", "updates", "renames", "releases", "put_back"]
    if archive_added:
        names.append("to_archive")
    return sum(int(run.plan.get(name, 0)) for name in names)


def require_typed(number: int, typed: str, what: str) -> None:
    """Raise `SyncRefused` unless the number was typed where that many ask for it."""
    if number <= TYPED_ABOVE:
        return
    digits = typed.replace(",", "").replace(".", "").replace(" ", "").strip()
    if digits != str(number):
        said = f"You typed {typed.strip()}. " if typed.strip() else ""
        raise SyncRefused(f"{said}{number:,} {what}: type {number:,} to go on.")


@transaction.atomic
def start_preview(actor: Actor, connection: Connection) -> SyncRun:
    """A dry run: audit and plan, nothing is sent (S4). Raises `SyncRefused`, `NotPermitted`."""
    return ask_for_run(actor, connection, SyncRun.Kind.PREVIEW)


@transaction.atomic
def start_sync(actor: Actor, connection: Connection, *, approved: str = "", typed: str = "") -> SyncRun:
    """Start Sync (S6): audit, push, then stay on.

    From this moment changes of the book are marked, so that nobody is locked
    out while the first sync runs. With `approved`, the fingerprint of a dry
    run, exactly that plan runs or the run waits for another approval. A
    person who syncs more than `TYPED_ABOVE` contacts types their number.
    Raises `SyncRefused`, `NotPermitted`.
    """
    actor.require(Permission.MANAGE_COMPANY)
    if actor.user is not None:
        fits = reason_counts(actor.company.pk, Preferences.from_json(connection.preferences)).fits
        require_typed(fits, typed, "contacts will be synced")
    drop_waiting(actor, connection)
    run = ask_for_run(actor, connection, SyncRun.Kind.START, approved=approved)
    connection.mode = Connection.Mode.ON
    connection.broken_kind = connection.broken_text = ""
    connection.broken_at = None
    connection.save(update_fields=["mode", "broken_kind", "broken_text", "broken_at"])
    return run


@transaction.atomic
def stop_sync(actor: Actor, connection: Connection) -> None:
    """Stop Sync > OK (S8): whatever runs ends within seconds, then every member's Sync Status turns Inactive.

    The worker begins the run that turns them as soon as the present one has
    ended. Where nothing was ever synced the connection is off at once.
    Raises `SyncRefused` when the sync is not on.
    """
    actor.require(Permission.MANAGE_COMPANY)
    connection = _locked(actor, connection)
    if connection.mode != Connection.Mode.ON:
        raise SyncRefused("The sync is not on.")
    SyncRun.objects.filter(connection=connection, state__in=SyncRun.OPEN_STATES).update(stop_asked=True)
    drop_waiting(actor, connection)
    records = MemberRecord.objects.filter(connection=connection)
    anything = records.exclude(synced_key="").exists() or records.filter(uncertain=True).exists()
    reachable = not (connection.broken_kind or connection.account.broken_kind)
    if reachable and (anything or next_open(connection) is not None):
        connection.mode = Connection.Mode.STOPPING
        wake(connection.account_id)
    else:
        connection.mode, connection.live_at = Connection.Mode.OFF, None
    connection.save(update_fields=["mode", "live_at"])
    _note(actor, connection, "stop")


@transaction.atomic
def refresh(actor: Actor, connection: Connection) -> SyncRun:
    """Refresh (S8): read what changed in Mailchimp, and bring everything in step."""
    actor.require(Permission.MANAGE_COMPANY)
    if not connection.on:
        raise SyncRefused("The sync is not on. Start it to read what changed in Mailchimp.")
    return ask_for_run(actor, connection, SyncRun.Kind.REFRESH)


@transaction.atomic
def retry(
    actor: Actor,
    connection: Connection,
    *,
    states: Sequence[SyncState],
    contact_ids: Sequence[int] | None = None,
) -> SyncRun:
    """Retry failed/pending or archived/deleted (S8): try again whatever was refused before.

    Archived members are never brought back by this: they are looked at again,
    and go on when the person has signed up again meanwhile (contract 4.4).
    """
    actor.require(Permission.MANAGE_COMPANY)
    if not connection.on:
        raise SyncRefused("The sync is not on. Start it first; it tries everybody again.")
    records = MemberRecord.objects.filter(connection=connection, state__in=[state.value for state in states])
    if contact_ids is not None:
        records = records.filter(contact_id__in=list(contact_ids))
    run = ask_for_run(actor, connection, SyncRun.Kind.RETRY)
    contacts = list(records.values_list("contact_id", flat=True))
    records.update(asked=True)
    mark_contacts(connection.pk, contacts)
    run.total = len(contacts)
    run.save(update_fields=["total"])
    return run


@transaction.atomic
def confirm_guards(actor: Actor, run: SyncRun, *, typed: str = "", archive_added: bool = False) -> SyncRun:
    """“It is right, go on”: the waiting plan is approved, and runs if it is still the same.

    Where it writes more than `TYPED_ABOVE` contacts, `typed` must be that number. `archive_added`,
    for an undo: whom the run added is to be archived, too. Raises `SyncRefused`, `NotPermitted`, `NotFound`.
    """
    actor.require(Permission.MANAGE_COMPANY)
    found = SyncRun.objects.select_for_update().select_related("connection")
    run_now = found.filter(pk=run.pk, company=actor.company).first()
    if run_now is None:
        raise NotFound("run")
    run = run_now
    if run.state != SyncRun.State.WAITING:
        raise SyncRefused("This run is not waiting for a confirmation.")
    if next_open(run.connection) is not None:
        raise SyncRefused("Another run is under way; wait until it has finished.")
    require_typed(writes_of(run, archive_added=archive_added), typed, "contacts are written in Mailchimp")
    run.state = SyncRun.State.QUEUED
    run.approved = run.fingerprint
    run.archive_added = archive_added and run.kind == SyncRun.Kind.UNDO
    run.save(update_fields=["state", "approved", "archive_added"])
    more = {"archive_added": run.archive_added} if run.kind == SyncRun.Kind.UNDO else {}
    _note(actor, run.connection, "confirm", run=run.pk, **more)
    wake(run.connection.account_id)
    return run


@transaction.atomic
def dismiss_waiting(actor: Actor, connection: Connection) -> None:
    """“No, don't”: a waiting plan is dropped; nothing was sent."""
    actor.require(Permission.MANAGE_COMPANY)
    drop_waiting(actor, connection)


def next_open(connection: Connection) -> SyncRun | None:
    """The run under way or queued."""
    return connection.runs.filter(state__in=SyncRun.OPEN_STATES).order_by("id").first()


def ask_for_run(
    actor: Actor,
    connection: Connection,
    kind: SyncRun.Kind,
    *,
    approved: str = "",
    undoes: SyncRun | None = None,
) -> SyncRun:
    """A run of this kind, queued. Raises `SyncRefused`, `NotPermitted`, `NotFound`."""
    actor.require(Permission.MANAGE_COMPANY)
    connection = _locked(actor, connection)
    if connection.mode == Connection.Mode.STOPPING:
        raise SyncRefused("The sync is being stopped. Wait until it has; that takes a minute at most.")
    if connection.account.disconnected_at is not None:
        raise SyncRefused("Mailchimp is disconnected. Connect it again first.")
    if connection.account.broken_kind:
        raise SyncRefused("Mailchimp does not let Lockstep in. Connect it again first.")
    try:
        with transaction.atomic():
            run = SyncRun.objects.create(
                company=actor.company,
                connection=connection,
                kind=kind,
                asked_by=actor.user,
                approved=approved,
                undoes=undoes,
            )
    except IntegrityError as error:
        raise SyncRefused("Another run is under way; wait until it has finished.") from error
    _note(actor, connection, kind.value, run=run.pk, **({"undoes": undoes.pk} if undoes else {}))
    wake(connection.account_id)
    return run


def _locked(actor: Actor, connection: Connection) -> Connection:
    found = (
        Connection.objects.select_for_update(of=("self",))
        .select_related("account")
        .filter(pk=connection.pk, company=actor.company)
        .first()
    )
    if found is None:
        raise NotFound("connection")
    return found


def drop_waiting(actor: Actor, connection: Connection) -> None:
    """A plan that waits for a person waits no more."""
    SyncRun.objects.filter(
        connection_id=connection.pk, company=actor.company, state=SyncRun.State.WAITING
    ).update(state=SyncRun.State.STOPPED)


def _note(actor: Actor, connection: Connection, action: str, **changes: object) -> None:
    HistoryEntry.objects.create(
        company=actor.company,
        user=actor.user,
        subject_kind="connection",
        subject_id=connection.pk,
        label=connection.list_name,
        action=action,
        changes=changes,
    )
