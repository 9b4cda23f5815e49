"""Whether an installation is well: queue, workers, clock, drift; for doctor, readyz and metrics."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from lockstep.apps.sync.models import SyncRun
from lockstep.project.recovery import STALLED_AFTER_SECONDS

__all__ = ["Queue", "database_now", "drift", "missing_migrations", "queue", "workers_alive"]


@dataclass(frozen=True, slots=True)
class Queue:
    """Jobs by how they stand; `oldest`: seconds for which the longest waiting one could have been done."""

    waiting: int
    doing: int
    failed: int
    oldest: float


def queue() -> Queue:
    """The job queue now. What is scheduled for later does not wait."""
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT count(*) FILTER (WHERE j.status = 'todo' AND coalesce(j.scheduled_at, now()) <= now()),
                      count(*) FILTER (WHERE j.status = 'doing'),
                      count(*) FILTER (WHERE j.status = 'failed'),
                      coalesce(extract(epoch FROM now() - min(coalesce(j.scheduled_at, e.at)) FILTER (
                          WHERE j.status = 'todo' AND coalesce(j.scheduled_at, now()) <= now())), 0)
               FROM procrastinate_jobs j
               LEFT JOIN LATERAL (
                   SELECT min(at) AS at FROM procrastinate_events WHERE job_id = j.id) e ON true"""
        )
        waiting, doing, failed, oldest = cursor.fetchone()
    return Queue(waiting, doing, failed, max(float(oldest), 0.0))


def workers_alive() -> int:
    """Workers that were heard of within the time after which one counts as dead."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM procrastinate_workers "
            "WHERE last_heartbeat > now() - make_interval(secs => %s)",
            [STALLED_AFTER_SECONDS],
        )
        return int(cursor.fetchone()[0])


def database_now() -> datetime:
    """The database's clock."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        now: datetime = cursor.fetchone()[0]
    return now


def missing_migrations() -> int:
    """Migrations of this Lockstep that the database has not seen."""
    executor = MigrationExecutor(connection)
    return len(executor.migration_plan(executor.loader.graph.leaf_nodes()))


def drift(connection_id: int) -> int | None:
    """Members that the last daily audit found otherwise than we had left them; None before the first."""
    last = SyncRun.objects.filter(connection_id=connection_id, kind=SyncRun.Kind.AUDIT).exclude(plan={})
    plan = last.order_by("-id").values_list("plan", flat=True).first()
    if plan is None:
        return None
    return sum(int(plan.get(name, 0)) for name in ("adds", "updates", "renames", "releases", "tagged"))
