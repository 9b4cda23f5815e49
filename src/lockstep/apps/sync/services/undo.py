"""Undo of a run: ask for its plan, and stop a run that is not the sync itself."""

from __future__ import annotations

from django.db import transaction

from lockstep.apps.accounts.permissions import Actor, Permission
from lockstep.apps.book.errors import NotFound
from lockstep.apps.connections.models import Connection
from lockstep.apps.sync.models import SyncEvent, SyncRun
from lockstep.apps.sync.services.runs import SyncRefused, ask_for_run, drop_waiting

UNDOABLE = (SyncRun.Kind.START, SyncRun.Kind.REFRESH, SyncRun.Kind.RETRY, SyncRun.Kind.AUDIT)
"""Kinds of runs that write what the book says. A stop is taken back by starting, an undo likewise."""

STOPPABLE = (SyncRun.Kind.UNDO, SyncRun.Kind.PREVIEW)


@transaction.atomic
def undo_run(actor: Actor, run: SyncRun) -> SyncRun:
    """Plan to take a run back: a run of its own, which reads the audience and waits for a person.

    Nothing is written before `confirm_guards`. Only while the sync is stopped:
    while it is on, the book's values would go out again at once (decision 7).
    Raises `NotPermitted`, `NotFound`, `SyncRefused`.
    """
    actor.require(Permission.MANAGE_COMPANY)
    found = SyncRun.objects.filter(pk=run.pk, company=actor.company).select_related("connection").first()
    if found is None:
        raise NotFound("run")
    if found.connection.mode != Connection.Mode.OFF:
        raise SyncRefused(
            "Stop the sync first. While it is on, Lockstep would write the book’s values again at once."
        )
    if found.kind not in UNDOABLE:
        raise SyncRefused("This kind of run can’t be undone. Start the sync to bring everybody in step.")
    if found.open or found.state == SyncRun.State.WAITING:
        raise SyncRefused("This run has not ended yet.")
    if not wrote_anything(found):
        raise SyncRefused("This run changed nothing in Mailchimp, so there is nothing to undo.")
    drop_waiting(actor, found.connection)
    return ask_for_run(actor, found.connection, SyncRun.Kind.UNDO, undoes=found)


def wrote_anything(run: SyncRun) -> bool:
    """Whether the run changed any member's fields; tags alone are not undone."""
    nothing = [SyncEvent.Kind.REFUSED, SyncEvent.Kind.TAGGED]
    return SyncEvent.objects.filter(run=run).exclude(kind__in=nothing).exists()


@transaction.atomic
def stop_run(actor: Actor, run: SyncRun) -> None:
    """End a dry run or an undo within seconds; what was put back stays put back.

    Raises `NotPermitted`, `NotFound`, and `SyncRefused` for what has ended, or is the sync's own.
    """
    actor.require(Permission.MANAGE_COMPANY)
    found = SyncRun.objects.select_for_update().filter(pk=run.pk, company=actor.company).first()
    if found is None:
        raise NotFound("run")
    if found.kind not in STOPPABLE:
        raise SyncRefused("This run belongs to the sync. Stop the sync to end it.")
    if not found.open:
        raise SyncRefused("This run has ended.")
    found.stop_asked = True
    found.save(update_fields=["stop_asked"])
