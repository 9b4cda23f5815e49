"""The worker process: takes jobs from PostgreSQL and does them, until it is told to stop."""

import asyncio
import contextlib
import logging
import os
import signal

import psycopg
import psycopg_pool
from asgiref.sync import sync_to_async
from django.db import DatabaseError, InterfaceError
from django.db import connection as database
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

#: How long the whole end may take; a launcher that was killed takes the database with it, and a worker that
#: says farewell to that would outlive them.
_LAST_SECONDS = _GRACE_SECONDS + 6.0

#: How often a database that is away is asked whether it is back.
_AGAIN_SECONDS = 1.0

_AWAY = (
    exceptions.ConnectorException,
    psycopg.Error,
    psycopg_pool.PoolTimeout,
    DatabaseError,
    InterfaceError,
)


def run_worker(*, concurrency: int = 8, until_idle: bool = False) -> None:
    """Do jobs until SIGTERM or SIGINT; with ``until_idle``, until none is left. Django is set up already.

    A database that goes away is waited for, however long it takes; jobs that were under way are put back
    into the queue by whichever worker comes first. ``concurrency``: jobs at the same time, each of another
    connection. With ``until_idle``, raises the connector's exceptions when the database is away.
    """
    asyncio.run(_work(concurrency, until_idle))


async def _work(concurrency: int, until_idle: bool) -> None:
    told = asyncio.Event()
    loop = asyncio.get_running_loop()

    def tell() -> None:
        told.set()
        loop.call_later(_LAST_SECONDS, _leave_everything)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, tell)
    try:
        while not told.is_set():
            try:
                await _work_while_it_lasts(concurrency, until_idle, told)
            except _AWAY:
                if until_idle:
                    raise
            if until_idle or told.is_set():
                return
            log.warning("the database went away; waiting for it")
            await _until_it_answers(told)
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)


def _leave_everything() -> None:
    """End now: what still waits, waits for a database that is gone, and a kill costs no work."""
    log.warning("the worker did not come to its end in time and leaves")
    os._exit(1)


async def _work_while_it_lasts(concurrency: int, until_idle: bool, told: asyncio.Event) -> None:
    """Do jobs until told to stop, or until the database goes away: it returns then, or raises `_AWAY`."""
    connector = job_app.connector
    assert isinstance(connector, DjangoConnector)
    with job_app.replace_connector(connector.get_worker_connector()) as app:
        async with app.open_async():
            await recover_jobs(app)
            cut_off = CutOffJobs()
            beside = [
                asyncio.create_task(_recover_regularly(app)),
                asyncio.create_task(listen_for_changes()),
                asyncio.create_task(told.wait()),
            ]
            log.info("worker started", extra={"concurrency": concurrency})
            working = asyncio.create_task(
                app.run_worker_async(
                    concurrency=concurrency,
                    wait=not until_idle,
                    fetch_job_polling_interval=_POLL_SECONDS,
                    abort_job_polling_interval=1.0,
                    shutdown_graceful_timeout=_GRACE_SECONDS,
                    update_heartbeat_interval=HEARTBEAT_SECONDS,
                    stalled_worker_timeout=STALLED_AFTER_SECONDS,
                    delete_jobs="successful",
                    worker_middleware=[cut_off.middleware],
                    install_signal_handlers=False,
                )
            )
            try:
                # None of those beside ends by itself. A worker without one would look alive and hear of
                # nothing, so everything begins anew then.
                await asyncio.wait({working, *beside}, return_when=asyncio.FIRST_COMPLETED)
                working.cancel()  # no effect on one that has ended by itself
                with contextlib.suppress(asyncio.CancelledError):
                    await working
                for task in beside:
                    if task.done():
                        task.result()
            finally:
                for task in beside:
                    task.cancel()
                await asyncio.gather(*beside, return_exceptions=True)
                await cut_off.put_back(app)
                log.info("worker stopped")


async def _until_it_answers(told: asyncio.Event) -> None:
    """Return once the database takes connections, or when told to stop."""
    parameters = await sync_to_async(database.get_connection_params)()
    for key in ("cursor_factory", "context", "prepare_threshold", "pool"):
        parameters.pop(key, None)
    while not told.is_set():
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(told.wait(), _AGAIN_SECONDS)
        with contextlib.suppress(psycopg.OperationalError):
            async with await psycopg.AsyncConnection.connect(**parameters):
                return


async def _recover_regularly(app: App) -> None:
    while True:
        await asyncio.sleep(STALLED_AFTER_SECONDS / 3)
        try:
            await recover_jobs(app)
        except exceptions.ConnectorException:
            log.exception("looking for lost jobs failed")
