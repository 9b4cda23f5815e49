"""Jobs that lost their worker go back into the queue.

A worker that is killed leaves its job marked as being done, and with it the lock of its connection:
nothing of that connection would run again. A worker that is asked to stop aborts what does not end in
time. Both kinds are put back. Where the same work is waiting in the queue already (its queueing lock is
taken), that one does.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from procrastinate import App, exceptions
from procrastinate.job_context import AbortReason, JobContext
from procrastinate.jobs import Job, Status
from procrastinate.worker import Worker

__all__ = ["HEARTBEAT_SECONDS", "STALLED_AFTER_SECONDS", "CutOffJobs", "recover_jobs"]

log = logging.getLogger("lockstep.worker")

#: How often a worker says that it lives, and after what silence it counts as dead.
HEARTBEAT_SECONDS = 3.0
STALLED_AFTER_SECONDS = 15.0


class CutOffJobs:
    """Remembers which jobs this worker aborted because it had to stop, and puts them back at its end."""

    def __init__(self) -> None:
        """None yet."""
        self._ids: list[int] = []

    async def middleware(self, run: Callable[[], Awaitable[Any]], context: JobContext, worker: Worker) -> Any:
        """Run a job, noting where it is cut off."""
        try:
            return await run()
        except (asyncio.CancelledError, exceptions.JobAborted):
            # A job that a person asked to abort stays aborted.
            if context.abort_reason() is AbortReason.SHUTDOWN and context.job.id is not None:
                self._ids.append(context.job.id)
            raise

    async def put_back(self, app: App) -> None:
        """Queue the noted jobs again, once their worker has ended."""
        if not self._ids:
            return
        rows = await app.connector.execute_query_all_async(
            "UPDATE procrastinate_jobs SET status = 'failed' WHERE status = 'aborted' AND id = ANY(%(ids)s) "
            "RETURNING id, status, task_name, priority, lock, queueing_lock, args, scheduled_at, queue_name, "
            "attempts",
            ids=self._ids,
        )
        for row in rows:
            await _put_back(app, Job.from_row(row))


async def recover_jobs(app: App) -> int:
    """Put the jobs of dead workers back; how many there were.

    Safe to call from any number of workers at any time. Raises the connector's exceptions.
    """
    stalled = await app.job_manager.get_stalled_jobs(seconds_since_heartbeat=STALLED_AFTER_SECONDS)
    return sum([await _put_back(app, job) for job in stalled])


async def _put_back(app: App, job: Job) -> int:
    """Queue a job again. Where the same work waits already, only give the job's lock free."""
    assert job.id is not None
    try:
        await app.job_manager.retry_job(job)
    except exceptions.UniqueViolation:
        if job.status == Status.DOING.value:
            await app.job_manager.finish_job(job, status=Status.FAILED, delete_job=False)
    except exceptions.ConnectorException:
        return 0  # another worker was quicker: it is no longer being done
    log.warning("job put back", extra={"job": job.id, "task": job.task_name})
    return 1
