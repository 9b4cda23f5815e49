"""Jobs that lost their worker are done all the same."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection
from procrastinate import App
from procrastinate.contrib.django import app as job_app

from lockstep.project.recovery import STALLED_AFTER_SECONDS, CutOffJobs, recover_jobs

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]


@contextmanager
def a_task(name: str, function: Any) -> Iterator[None]:
    """A task that exists for one test only."""
    job_app.task(name=name)(function)
    try:
        yield
    finally:
        del job_app.tasks[name]


def add_job(
    task: str, *, status: str = "doing", silent_for: float = 3600, queueing_lock: str | None = None
) -> int:
    """A job, held by a worker that was last heard of ``silent_for`` seconds ago."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now() - make_interval(secs => %s)) "
            "RETURNING id",
            [silent_for],
        )
        (worker,) = cursor.fetchone()
        cursor.execute(
            "INSERT INTO procrastinate_jobs "
            "(queue_name, task_name, lock, queueing_lock, args, status, worker_id) "
            "VALUES ('default', %s, gen_random_uuid()::text, %s, '{}', %s, %s) RETURNING id",
            [task, queueing_lock, status, worker if status == "doing" else None],
        )
        (job,) = cursor.fetchone()
    return int(job)


def status_of(job: int) -> str | None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT status::text FROM procrastinate_jobs WHERE id = %s", [job])
        row = cursor.fetchone()
    return row[0] if row else None


async def with_worker_app(use: Any) -> Any:
    with job_app.replace_connector(job_app.connector.get_worker_connector()) as app:
        async with app.open_async():
            return await use(app)


def test_a_dead_workers_job_goes_back_and_a_living_ones_stays() -> None:
    dead = add_job("x", silent_for=STALLED_AFTER_SECONDS + 5)
    alive = add_job("x", silent_for=STALLED_AFTER_SECONDS / 2)
    assert asyncio.run(with_worker_app(recover_jobs)) == 1
    assert (status_of(dead), status_of(alive)) == ("todo", "doing")
    assert asyncio.run(with_worker_app(recover_jobs)) == 0


def test_where_the_same_work_waits_already_only_the_lock_is_given_free() -> None:
    waiting = add_job("x", status="todo", queueing_lock="sync-1")
    dead = add_job("x", queueing_lock="sync-1")
    assert asyncio.run(with_worker_app(recover_jobs)) == 1
    assert (status_of(dead), status_of(waiting)) == ("failed", "todo")


def test_two_workers_may_recover_at_once() -> None:
    dead = [add_job("x") for _ in range(20)]

    async def both(app: App) -> list[int]:
        return await asyncio.gather(recover_jobs(app), recover_jobs(app))

    assert sum(asyncio.run(with_worker_app(both))) >= 20
    assert {status_of(job) for job in dead} == {"todo"}


def test_a_job_cut_off_by_a_stop_is_queued_again() -> None:
    begun = asyncio.Event()

    async def long() -> None:
        begun.set()
        await asyncio.sleep(600)

    async def run_and_stop(app: App) -> None:
        cut_off = CutOffJobs()
        worker = asyncio.create_task(
            app.run_worker_async(
                install_signal_handlers=False,
                shutdown_graceful_timeout=0.01,
                worker_middleware=[cut_off.middleware],
            )
        )
        async with asyncio.timeout(20):
            await begun.wait()
        worker.cancel()
        await asyncio.gather(worker, return_exceptions=True)
        await cut_off.put_back(app)

    with a_task("long", long):
        job = add_job("long", status="todo")
        asyncio.run(with_worker_app(run_and_stop))
        assert status_of(job) == "todo"


def test_a_done_job_leaves_no_row() -> None:
    from lockstep.project import worker

    done: list[int] = []

    async def short() -> None:
        done.append(1)

    with a_task("short", short):
        job = add_job("short")  # of a worker that is dead by now
        asyncio.run(worker._work(2, until_idle=True))
    assert done == [1]
    assert status_of(job) is None


@pytest.mark.parametrize("turn", [1, 2])
def test_each_test_begins_with_an_empty_queue(turn: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM procrastinate_jobs")
        assert cursor.fetchone() == (0,)
    add_job("x")
