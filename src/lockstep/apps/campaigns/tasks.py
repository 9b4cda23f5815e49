"""Doors for the worker: a reading of one account's campaigns, and the timers."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone
from procrastinate.contrib.django import app

from lockstep.apps.accounts.models import Company
from lockstep.apps.campaigns.digests import send_digests
from lockstep.apps.campaigns.reading import index
from lockstep.apps.campaigns.reading.reader import Reader
from lockstep.apps.campaigns.reading.retention import forget_old, keep_after
from lockstep.apps.campaigns.waking import QUEUE, TASK, wake_reader
from lockstep.apps.connections.models import MailchimpAccount
from lockstep.apps.connections.opening import open_account
from lockstep.apps.sync.database_thread import DatabaseThread
from lockstep.bridge.access import Purpose
from lockstep.core.errors import AudienceUnavailable, ConnectionBroken

SLICE = timedelta(seconds=45)
"""So long an account is read before others get their turn."""


@app.task(name=TASK, queue=QUEUE)
async def read(account_id: int, index_now: bool = False) -> None:
    """Read an account's campaigns for a while; what is left is queued again behind the others."""
    async with DatabaseThread() as database:
        account = await database.run(MailchimpAccount.objects.get, pk=account_id)
        if account.disconnected_at is not None:
            return
        try:
            async with open_account(account, Purpose.CAMPAIGNS) as opened:
                reader = Reader(account, opened.api, opened.clock, database)
                left = await reader.read(until=opened.clock.now() + SLICE, index_now=index_now)
        except (AudienceUnavailable, ConnectionBroken):
            return  # noted for the page; the sweep tries again, and contact sync says what is broken
        if left:
            await database.run(wake_reader, account_id)


@app.periodic(cron="*/1 * * * *", periodic_id="campaigns-sweep")
@app.task(
    name="lockstep.campaigns.sweep",
    queue=QUEUE,
    queueing_lock="campaigns-sweep",
    lock="campaigns-sweep",
)
def sweep(timestamp: int) -> None:
    """Wake the accounts whose index, or one of whose campaigns, is due."""
    now = timezone.now()
    for account in MailchimpAccount.objects.filter(disconnected_at=None, broken_kind=""):
        links = index.readable(account)
        if not links:
            continue
        after = keep_after(account.company_id, now)
        if index.index_due(links, now) or index.next_reading(links, now, keep_after=after):
            wake_reader(account.pk)


@app.periodic(cron="23 3 * * *", periodic_id="campaigns-retention")
@app.task(
    name="lockstep.campaigns.retention",
    queue=QUEUE,
    queueing_lock="campaigns-retention",
    lock="campaigns-retention",
)
def forget(timestamp: int) -> None:
    """Delete who did what with campaigns that are older than their company keeps."""
    for company_id in Company.objects.values_list("pk", flat=True):
        forget_old(company_id, timezone.now())


@app.periodic(cron="*/15 * * * *", periodic_id="campaigns-digests")
@app.task(
    name="lockstep.campaigns.digests",
    queue=QUEUE,
    queueing_lock="campaigns-digests",
    lock="campaigns-digests",
)
def digests(timestamp: int) -> None:
    """Send the weekly digests that are due; each is sent once, however often this runs."""
    send_digests(timezone.now())
