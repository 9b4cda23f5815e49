"""Doors for the worker: a look at one account, and the timers that see to what nobody announced."""

from __future__ import annotations

from datetime import timedelta

from django.db.models import Q
from django.utils import timezone
from procrastinate.contrib.django import app

from lockstep.apps.book.models import Change
from lockstep.apps.connections.models import Connection, MailchimpAccount
from lockstep.apps.connections.opening import SystemClock, open_account
from lockstep.apps.sync import bookkeeping
from lockstep.apps.sync.database_thread import DatabaseThread
from lockstep.apps.sync.models import Mark, SyncRun
from lockstep.apps.sync.runner import POLL_EVERY, run_connections
from lockstep.apps.sync.waking import QUEUE, TASK, wake
from lockstep.apps.sync.webhooks import forget_old
from lockstep.core.errors import ConnectionBroken

AUDIT_EVERY = timedelta(hours=24)


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
    """Wake accounts with something to do that nobody announced: a missed notice, a poll, an open run."""
    now = timezone.now()
    due = Q(last_polled_at=None) | Q(last_polled_at__lt=now - POLL_EVERY)
    live = Connection.objects.filter(
        mode=Connection.Mode.ON, live_at__isnull=False, broken_kind="", account__disconnected_at=None
    )
    accounts = set(live.filter(due).values_list("account_id", flat=True))
    accounts |= set(
        live.filter(pk__in=Mark.objects.values("connection_id")).values_list("account_id", flat=True)
    )
    accounts |= set(
        live.filter(company_id__in=Change.objects.values("company_id")).values_list("account_id", flat=True)
    )
    accounts |= set(
        live.filter(deliveries__heeded_at=None, deliveries__isnull=False).values_list("account_id", flat=True)
    )
    accounts |= set(
        SyncRun.objects.filter(
            state__in=SyncRun.OPEN_STATES, connection__account__disconnected_at=None
        ).values_list("connection__account_id", flat=True)
    )
    for account_id in accounts:
        wake(account_id)


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
