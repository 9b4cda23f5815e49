"""The worker process: takes jobs from PostgreSQL and does them, until it is told to stop."""

import asyncio
import contextlib
import logging

from procrastinate import App, exceptions
from procrastinate.contrib.django import app as job_app
from procrastinate.contrib.django.django_connector import DjangoConnector

from lockstep.apps.sync.listening import listen_for_changes
from lockstep.project.recovery import HEARTBEAT_SECONDS, STALLED_AFTER_SECONDS, CutOffJobs, recover_jobs

__all__ = ["run_worker"]

log = logging.getLogger("lockstep.worker")

#: A job waiting for another's lock is not notified when that one ends, so the poll finds it: soon.
_POLL_SECONDS = 0.5

#: How long a job may go on after the worker was asked to stop; a sync's cursor loses nothing by being
#: cut off.
_GRACE_SECONDS = 6.0


def run_worker(*, concurrency: int = 8, until_idle: bool = False) -> None:
    """Do jobs until SIGTERM or SIGINT; with ``until_idle``, until none is left. Django is set up already.

    ``concurrency``: jobs at the same time, each of another connection.
    """
    asyncio.run(_work(concurrency, until_idle))


async def _work(concurrency: int, until_idle: bool) -> None:
    connector = job_app.connector
    assert isinstance(connector, DjangoConnector)
    with job_app.replace_connector(connector.get_worker_connector()) as app:
        async with app.open_async():
            await recover_jobs(app)
            cut_off = CutOffJobs()
            recovery = asyncio.create_task(_recover_regularly(app))
            listening = asyncio.create_task(listen_for_changes())
            log.info("worker started", extra={"concurrency": concurrency})
            try:
                await app.run_worker_async(
                    concurrency=concurrency,
                    wait=not until_idle,
                    fetch_job_polling_interval=_POLL_SECONDS,
                    abort_job_polling_interval=1.0,
                    shutdown_graceful_timeout=_GRACE_SECONDS,
                    update_heartbeat_interval=HEARTBEAT_SECONDS,
                    stalled_worker_timeout=STALLED_AFTER_SECONDS,
                    delete_jobs="successful",
                    worker_middleware=[cut_off.middleware],
                )
            finally:
                for task in (recovery, listening):
                    task.cancel()
                    with contextlib.suppress(asyncio.CancelledError):
                        await task
                await cut_off.put_back(app)
                log.info("worker stopped")


async def _recover_regularly(app: App) -> None:
    while True:
        await asyncio.sleep(STALLED_AFTER_SECONDS / 3)
        try:
            await recover_jobs(app)
        except exceptions.ConnectorException:
            log.exception("looking for lost jobs failed")
