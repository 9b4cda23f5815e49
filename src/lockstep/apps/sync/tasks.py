"""Doors for the worker: a look at one account, and the timers that see to what nobody announced."""

from __future__ import annotations

from datetime import timedelta

from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from procrastinate.contrib.django import app

from lockstep.apps.book.models import Change
from lockstep.apps.connections.models import Connection, MailchimpAccount
from lockstep.apps.connections.opening import SystemClock, open_account
from lockstep.apps.sync import bookkeeping
from lockstep.apps.sync.database_thread import DatabaseThread
from lockstep.apps.sync.dispatch import drop_unheard
from lockstep.apps.sync.models import Mark, MemberRecord, SyncRun, WebhookDelivery
from lockstep.apps.sync.recording import mark_contacts
from lockstep.apps.sync.runner import run_connections
from lockstep.apps.sync.waking import QUEUE, TASK, wake
from lockstep.apps.sync.webhooks import forget_old
from lockstep.core.errors import ConnectionBroken
from lockstep.core.member import SyncState
from lockstep.core.outcome import PASSES_BY_ITSELF
from lockstep.core.rhythm import AUDIT_EVERY, POLL_EVERY

CHANCE_AFTER = timedelta(hours=24)


@app.task(name=TASK, queue=QUEUE)
async def look(account_id: int) -> None:
    """Everything there is to do for the account's connections now."""
    async with DatabaseThread() as database:
        account = await database.run(MailchimpAccount.objects.get, pk=account_id)
        connections = await database.run(_busy_connections, account)
        try:
            async with open_account(account) as opened:
                await run_connections(connections, opened, SystemClock())
        except ConnectionBroken as error:  # the credentials can't even be opened
            for connection_id in connections:
                await database.run(bookkeeping.note_broken, connection_id, error)


def _busy_connections(account: MailchimpAccount) -> list[int]:
    """Connections of the account that are on, stopping, or have an open run."""
    open_run = Q(runs__state__in=SyncRun.OPEN_STATES)
    wanted = Connection.objects.filter(
        Q(account=account, account__disconnected_at=None) & (~Q(mode=Connection.Mode.OFF) | open_run)
    )
    return list(wanted.order_by("id").values_list("id", flat=True).distinct())


@app.periodic(cron="* * * * * */10", periodic_id="sweep")
@app.task(name="lockstep.sync.sweep", queue=QUEUE, queueing_lock="sync-sweep", lock="sync-sweep")
def sweep(timestamp: int) -> None:
    """Wake accounts with something to do that nobody announced: a missed notice, a poll, an open run.

    Changes of the book that no sync waits for are dropped on the way.
    """
    drop_unheard()
    poll_due = Q(last_polled_at=None) | Q(last_polled_at__lt=timezone.now() - POLL_EVERY)
    marked = Q(pk__in=Mark.objects.values("connection_id"))
    changed = Q(company_id__in=Change.objects.values("company_id"))
    hinted = Q(pk__in=WebhookDelivery.objects.filter(heeded_at=None).values("connection_id"))
    live = Q(mode=Connection.Mode.ON, live_at__isnull=False, broken_kind="")
    stopping = Q(mode=Connection.Mode.STOPPING, broken_kind="")
    running = Q(pk__in=SyncRun.objects.filter(state__in=SyncRun.OPEN_STATES).values("connection_id"))
    busy = Connection.objects.filter(
        Q(account__disconnected_at=None)
        & (running | stopping | (live & (poll_due | marked | changed | hinted)))
    )
    for account_id in busy.values_list("account_id", flat=True).distinct():
        wake(account_id)


@app.periodic(cron="47 * * * *", periodic_id="second-chances")
@app.task(name="lockstep.sync.second-chances", queue=QUEUE, queueing_lock="sync-chances", lock="sync-chances")
def give_second_chances(timestamp: int) -> None:
    """Try again, a day later, what Mailchimp refuses for a while only (contract trap 27)."""
    passing = MemberRecord.objects.filter(
        state=SyncState.FAILED.value,
        refusal_kind__in=[kind.value for kind in PASSES_BY_ITSELF],
        refused_at__lt=timezone.now() - CHANCE_AFTER,
        asked=False,
    )
    by_connection: dict[int, list[int]] = {}
    for connection_id, contact_id in passing.values_list("connection_id", "contact_id"):
        by_connection.setdefault(connection_id, []).append(contact_id)
    for connection_id, contacts in by_connection.items():
        with transaction.atomic():
            mark_contacts(connection_id, contacts)
            passing.filter(connection_id=connection_id, contact_id__in=contacts).update(asked=True)


@app.periodic(cron="17 * * * *", periodic_id="nightly")
@app.task(name="lockstep.sync.nightly", queue=QUEUE, queueing_lock="sync-nightly", lock="sync-nightly")
def queue_audits(timestamp: int) -> None:
    """A full audit a day for every live connection that wants one, at whichever hour it falls due."""
    forget_old()
    now = timezone.now()
    due = Connection.objects.filter(
        mode=Connection.Mode.ON,
        live_at__isnull=False,
        broken_kind="",
        nightly_audit=True,
        mirror_complete_at__lt=now - AUDIT_EVERY,
    ).exclude(runs__state__in=[*SyncRun.OPEN_STATES, SyncRun.State.WAITING])
    for connection in due:
        SyncRun.objects.create(
            company_id=connection.company_id, connection=connection, kind=SyncRun.Kind.AUDIT
        )
        wake(connection.account_id)
