"""A run's row and a connection's row, step by step: what pages show and what a restarted worker reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timedelta

from django.db import connection as database
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from lockstep.apps.connections.models import Connection, MailchimpAccount
from lockstep.apps.connections.preferences import Preferences
from lockstep.apps.sync.dispatch import dispatch_changes
from lockstep.apps.sync.models import Mark, MemberRecord, SyncRun
from lockstep.apps.sync.queries.counts import reason_counts
from lockstep.core.engine import StopAsked
from lockstep.core.errors import AudienceUnavailable, BrokenKind, ConnectionBroken
from lockstep.core.guards import GuardTrip
from lockstep.core.member import SyncState
from lockstep.core.plan import PlanCounts
from lockstep.core.undo import UndoCounts

_OF_THE_ACCOUNT = frozenset(
    {
        BrokenKind.KEY_REVOKED,
        BrokenKind.USER_DISABLED,
        BrokenKind.ROLE_TOO_LOW,
        BrokenKind.WRONG_DATACENTER,
    }
)


def connection(connection_id: int) -> Connection:
    return Connection.objects.select_related("account").get(pk=connection_id)


def run(run_id: int) -> SyncRun:
    return SyncRun.objects.get(pk=run_id)


@transaction.atomic
def next_run(connection_id: int) -> SyncRun | None:
    """The open run, queued or left in the middle by a worker that died.

    A connection that is being stopped, and has no open run left, gets the run
    that turns its members Inactive.
    """
    stopping = (
        Connection.objects.select_for_update().filter(pk=connection_id, mode=Connection.Mode.STOPPING).first()
    )
    found = SyncRun.objects.filter(connection_id=connection_id, state__in=SyncRun.OPEN_STATES).first()
    if found is None and stopping is not None and not stopping.broken_kind:
        found = SyncRun.objects.create(
            company_id=stopping.company_id, connection=stopping, kind=SyncRun.Kind.STOP
        )
    return found


def _open(run_id: int) -> QuerySet[SyncRun]:
    """The run, unless it has ended: a worker that stood still may come back to one that another took
    over and brought to its end. It must not begin it again, nor say that it ended otherwise."""
    return SyncRun.objects.filter(pk=run_id, state__in=SyncRun.OPEN_STATES)


@transaction.atomic
def begin_auditing(run_id: int, now: datetime) -> None:
    """Raises `StopAsked` for a run that has ended."""
    if not _open(run_id).update(state=SyncRun.State.AUDITING, observed=0, waiting_until=None):
        raise StopAsked
    SyncRun.objects.filter(pk=run_id, started_at=None).update(started_at=now)


@transaction.atomic
def begin_syncing(run_id: int, now: datetime, total: int | None) -> None:
    """Raises `StopAsked` for a run that has ended."""
    if not _open(run_id).update(state=SyncRun.State.SYNCING, waiting_until=None):
        raise StopAsked
    SyncRun.objects.filter(pk=run_id, started_at=None).update(started_at=now)
    SyncRun.objects.filter(pk=run_id, syncing_at=None).update(syncing_at=now)
    if total is not None:
        SyncRun.objects.filter(pk=run_id).update(total=total)


@transaction.atomic
def let_through(
    run_id: int, counts: PlanCounts, trips: Sequence[GuardTrip], observed: int, now: datetime
) -> bool:
    """Whether the run may push what was planned: guards and approval (S4).

    A guard waits for a person unless this very plan was approved. A plan that
    was approved on a dry run must still be the same; otherwise the run waits
    with “the world moved”. Raises `StopAsked` for a run that has ended.
    """
    asked = SyncRun.objects.select_for_update().select_related("connection").get(pk=run_id)
    if not asked.open:
        raise StopAsked
    reasons = [asdict(trip) for trip in trips]
    if asked.approved and asked.approved != counts.fingerprint:
        reasons.append(
            {
                "name": "plan_changed",
                "number": counts.writes,
                "allowed": 0,
                "text": "Since the dry run the book or the audience changed, so another plan would run now.",
            }
        )
    elif asked.approved:
        reasons = []
    asked.plan = plan_numbers(counts) | {"guards": reasons}
    asked.fingerprint = counts.fingerprint
    asked.observed = observed
    preferences = Preferences.from_json(asked.connection.preferences)
    asked.total = reason_counts(asked.company_id, preferences).fits
    if reasons:
        asked.state = SyncRun.State.WAITING
        asked.save(update_fields=["plan", "fingerprint", "observed", "total", "state"])
        return False
    asked.state = SyncRun.State.SYNCING
    asked.syncing_at = asked.syncing_at or now
    asked.done = asked.added = asked.updated = asked.renamed = asked.released = asked.refused = 0
    asked.tagged = asked.unchanged = asked.cursor = 0
    asked.save()
    # The push goes through the whole book: what was marked before it is no reason to do contacts twice.
    # Should it end early, whoever it did not reach is marked (`mark_the_rest`).
    dispatch_changes(asked.company_id)
    Mark.objects.filter(connection_id=asked.connection_id).delete()
    if asked.kind == SyncRun.Kind.START:
        Connection.objects.filter(pk=asked.connection_id, live_at=None).update(live_at=now)
        Connection.objects.filter(pk=asked.connection_id, first_started_at=None).update(first_started_at=now)
    return True


@transaction.atomic
def let_undo_through(run_id: int, counts: UndoCounts, observed: int, now: datetime) -> bool:
    """Whether an undo may write what was planned: only what a person approved, and only while it is the same.

    One with nothing to write ends here. Raises `StopAsked` for a run that has ended.
    """
    asked = SyncRun.objects.select_for_update().get(pk=run_id)
    if not asked.open:
        raise StopAsked
    moved = asked.approved and asked.approved != counts.fingerprint
    asked.plan = {
        "put_back": counts.put_back,
        "to_archive": counts.to_archive,
        "left": {why.value: number for why, number in counts.left.items()},
        "guards": [_MOVED | {"number": counts.writes}] if moved else [],
    }
    asked.fingerprint = counts.fingerprint
    asked.observed = observed or asked.observed
    asked.total = counts.writes + counts.left.total()
    if not counts.writes:
        asked.state, asked.finished_at = SyncRun.State.FINISHED, now
        asked.done = asked.unchanged = asked.total
    elif asked.approved != counts.fingerprint:
        asked.state = SyncRun.State.WAITING
    else:
        asked.state = SyncRun.State.SYNCING
        asked.syncing_at = asked.syncing_at or now
        asked.done = asked.updated = asked.archived = asked.refused = asked.unchanged = asked.cursor = 0
    asked.save()
    return asked.state == SyncRun.State.SYNCING


_MOVED: dict[str, object] = {
    "name": "plan_changed",
    "allowed": 0,
    "text": "Since you looked the audience changed, so something else would be undone now. Look once more.",
}


def finish_undo(run_id: int, now: datetime) -> None:
    refused = SyncRun.objects.values_list("refused", flat=True).get(pk=run_id)
    finish(run_id, SyncRun.State.PARTIAL if refused else SyncRun.State.FINISHED, now)


def plan_numbers(counts: PlanCounts) -> dict[str, object]:
    """A plan's numbers as a run keeps them."""
    return {
        "adds": counts.adds,
        "updates": counts.updates,
        "renames": counts.renames,
        "releases": counts.releases,
        "tagged": counts.tagged,
        "tags_added": counts.tags_added,
        "tags_removed": counts.tags_removed,
        "answers": {answer.value: number for answer, number in counts.answers.items()},
    }


def finish_preview(run_id: int, counts: PlanCounts, observed: int, now: datetime) -> None:
    """Raises `StopAsked` for a run that has ended."""
    ended = _open(run_id).update(
        state=SyncRun.State.FINISHED,
        finished_at=now,
        fingerprint=counts.fingerprint,
        observed=observed,
        plan=plan_numbers(counts) | {"guards": []},
    )
    if not ended:
        raise StopAsked


@transaction.atomic
def finish(run_id: int, state: SyncRun.State, now: datetime) -> bool:
    """The run has ended; whoever a push did not reach is marked. False if it had ended before."""
    ended = _open(run_id).select_for_update().first()
    if ended is None:
        return False
    if state in (SyncRun.State.STOPPED, SyncRun.State.FAILED):
        _mark_the_rest(ended)
    SyncRun.objects.filter(pk=run_id).update(state=state, finished_at=now, waiting_until=None)
    return True


def finish_with_counts(run_id: int, now: datetime) -> None:
    """Finished, or finished with failures where contacts stand under Failed."""
    done = SyncRun.objects.get(pk=run_id)
    failed = MemberRecord.objects.filter(
        connection_id=done.connection_id, state=SyncState.FAILED.value
    ).exists()
    finish(run_id, SyncRun.State.PARTIAL if failed else SyncRun.State.FINISHED, now)


def fail(run_id: int, kind: str, text: str, now: datetime) -> None:
    if finish(run_id, SyncRun.State.FAILED, now):
        SyncRun.objects.filter(pk=run_id).update(error_kind=kind, error_text=text)


def _mark_the_rest(ended: SyncRun) -> None:
    if ended.state != SyncRun.State.SYNCING or ended.kind in (SyncRun.Kind.RETRY, SyncRun.Kind.UNDO):
        return
    with database.cursor() as cursor:
        cursor.execute(
            """INSERT INTO sync_mark (connection_id, contact_id, marked_at)
               SELECT %s, id, clock_timestamp() FROM book_contact WHERE company_id = %s AND id > %s""",
            [ended.connection_id, ended.company_id, ended.cursor],
        )


@transaction.atomic
def switched_off(run_id: int, now: datetime) -> None:
    """Every member's Sync Status is Inactive: the connection is off."""
    if not finish(run_id, SyncRun.State.FINISHED, now):
        return
    stopped = SyncRun.objects.get(pk=run_id)
    Connection.objects.filter(pk=stopped.connection_id, mode=Connection.Mode.STOPPING).update(
        mode=Connection.Mode.OFF, live_at=None
    )


def note_waiting(run_id: int, now: datetime, error: AudienceUnavailable) -> None:
    SyncRun.objects.filter(pk=run_id).update(waiting_until=now + timedelta(seconds=error.retry_after))


def note_calls(run_id: int, in_flight: int, width: int, slowed: bool) -> None:
    """How busy the account's gate is, for the page that shows the run."""
    SyncRun.objects.filter(pk=run_id).update(in_flight=in_flight, gate_width=width, slowed=slowed)


def note_unavailable(connection_id: int, now: datetime, error: AudienceUnavailable) -> None:
    Connection.objects.filter(pk=connection_id).update(
        unavailable_until=now + timedelta(seconds=error.retry_after)
    )


def note_polled(connection_id: int, began: datetime) -> None:
    Connection.objects.filter(pk=connection_id).update(
        poll_cursor=began, last_polled_at=began, unavailable_until=None
    )


def note_batch_proof(connection_id: int, kept: bool) -> None:
    proof = Connection.BatchProof.KEPT if kept else Connection.BatchProof.NOT_KEPT
    Connection.objects.filter(pk=connection_id).update(batch_proof=proof)


def batches_proven(connection_id: int) -> bool:
    return Connection.objects.filter(pk=connection_id, batch_proof=Connection.BatchProof.KEPT).exists()


def uncertain(connection_id: int) -> list[int]:
    """Contacts of whose last write the outcome is not known."""
    found = MemberRecord.objects.filter(connection_id=connection_id, uncertain=True)
    return list(found.values_list("contact_id", flat=True))


def synced_before(connection_id: int) -> int:
    """Contacts with a confirmed member."""
    return MemberRecord.objects.filter(connection_id=connection_id).exclude(synced_key="").count()


def note_broken(connection_id: int, error: ConnectionBroken) -> None:
    """Pause: the account's trouble is every connection's of it, the audience's is its own."""
    values = {"broken_kind": error.kind.value, "broken_text": error.raw, "broken_at": timezone.now()}
    Connection.objects.filter(pk=connection_id).update(**values)
    # What is being stopped can't be turned Inactive any more: it is off.
    Connection.objects.filter(pk=connection_id, mode=Connection.Mode.STOPPING).update(
        mode=Connection.Mode.OFF, live_at=None
    )
    SyncRun.objects.filter(connection_id=connection_id, state__in=SyncRun.OPEN_STATES).update(
        state=SyncRun.State.FAILED,
        finished_at=timezone.now(),
        error_kind=error.kind.value,
        error_text=error.raw,
    )
    if error.kind in _OF_THE_ACCOUNT:
        MailchimpAccount.objects.filter(connections=connection_id).update(**values)
