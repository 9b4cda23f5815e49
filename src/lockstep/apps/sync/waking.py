"""“Look again”: one job an account, coalesced. Everything that wants a sync to look calls `wake`."""

from __future__ import annotations

from django.db import transaction
from procrastinate.contrib.django import app
from procrastinate.exceptions import AlreadyEnqueued

from lockstep.apps.connections.models import Connection

QUEUE = "sync"
TASK = "lockstep.sync.look"


def wake(account_id: int) -> None:
    """Queue a look at the account's connections, once the present transaction has committed.

    One job waits at most, one runs at most: Mailchimp's limit is ten
    connections a user (contract 7), so an account never needs a second worker.
    """
    transaction.on_commit(lambda: _queue(account_id))


def wake_company(company_id: int) -> None:
    """Wake every account of the company that has a connection which is not off."""
    accounts = Connection.objects.filter(company_id=company_id, account__disconnected_at=None)
    for account_id in (
        accounts.exclude(mode=Connection.Mode.OFF).values_list("account_id", flat=True).distinct()
    ):
        wake(account_id)


def _queue(account_id: int) -> None:
    name = f"mailchimp-account-{account_id}"
    try:
        # A savepoint of its own: the refusal of a second waiting job is an error inside the transaction.
        with transaction.atomic():
            app.configure_task(TASK, queue=QUEUE, lock=name, queueing_lock=name).defer(account_id=account_id)
    except AlreadyEnqueued:
        pass
