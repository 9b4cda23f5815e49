"""“Read campaigns”: one job an account, coalesced; beside contact sync, never before it."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from procrastinate.contrib.django import app
from procrastinate.exceptions import AlreadyEnqueued

from lockstep.apps.campaigns.models import Campaign, Reading

__all__ = ["QUEUE", "TASK", "ask_for", "wake_reader"]

QUEUE = "campaigns"
TASK = "lockstep.campaigns.read"

LANES = 3
"""So many accounts are read at a time in the whole installation. A worker does eight jobs at a time, and the
other places stay free for contact sync however many accounts there are."""

BEHIND = -10
"""Priority of the jobs: whatever else waits goes first."""


def wake_reader(account_id: int, *, index_now: bool = False) -> None:
    """Queue a reading of the account's campaigns, once the present transaction has committed."""
    transaction.on_commit(lambda: _queue(account_id, index_now))


def _queue(account_id: int, index_now: bool) -> None:
    job = app.configure_task(
        TASK,
        queue=QUEUE,
        lock=f"campaigns-lane-{account_id % LANES}",
        queueing_lock=f"campaigns-account-{account_id}{'-now' if index_now else ''}",
        priority=BEHIND,
    )
    try:
        # A savepoint of its own: the refusal of a second waiting job is an error inside the transaction.
        with transaction.atomic():
            job.defer(account_id=account_id, index_now=index_now)
    except AlreadyEnqueued:
        pass


def ask_for(campaign: Campaign, now: datetime) -> None:
    """Somebody looks at this campaign: it is read before all others, and at once."""
    asked = Reading.objects.filter(pk=campaign.pk, asked_at=None).update(asked_at=now)
    if asked:
        wake_reader(campaign.connection.account_id, index_now=True)
