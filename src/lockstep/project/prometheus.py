"""Figures in Prometheus' text format, read from the database: any web process answers for all of them.

Labels are numbers of ours and words of the program, never names or addresses.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from django.db.models import Count

from lockstep.apps.connections.models import Connection
from lockstep.apps.sync.models import MemberRecord, SyncRun, WebhookDelivery
from lockstep.project import vital_signs

__all__ = ["exposition"]

Sample = tuple[Mapping[str, object], float]


def exposition() -> str:
    """All figures, as of now. Raises Django's database errors."""
    queue = vital_signs.queue()
    lines: list[str] = []
    for name, meaning, samples in (
        ("jobs", "Jobs by state.", _jobs(queue)),
        ("oldest_job_seconds", "How long the oldest runnable job has waited.", [({}, queue.oldest)]),
        ("workers", "Workers heard of lately.", [({}, vital_signs.workers_alive())]),
        *_of_connections(),
    ):
        lines += [f"# HELP lockstep_{name} {meaning}", f"# TYPE lockstep_{name} gauge"]
        lines += [_line(name, labels, value) for labels, value in samples]
    return "\n".join(lines) + "\n"


def _line(name: str, labels: Mapping[str, object], value: float) -> str:
    inside = ",".join(f'{key}="{label}"' for key, label in labels.items())
    return f"lockstep_{name}{{{inside}}} {value:g}" if inside else f"lockstep_{name} {value:g}"


def _jobs(queue: vital_signs.Queue) -> list[Sample]:
    return [({"state": state}, getattr(queue, state)) for state in ("waiting", "doing", "failed")]


def _of_connections() -> Iterable[tuple[str, str, list[Sample]]]:
    at_work = list(Connection.objects.exclude(mode=Connection.Mode.OFF).select_related("account"))
    ids = [one.pk for one in at_work]
    by_state = (
        MemberRecord.objects.filter(connection_id__in=ids)
        .exclude(state="")
        .values_list("connection_id", "state")
        .annotate(number=Count("id"))
        .order_by("connection_id", "state")
    )
    runs = list(SyncRun.objects.filter(connection_id__in=ids, state__in=SyncRun.OPEN_STATES).order_by("id"))
    waiting = (
        WebhookDelivery.objects.filter(connection_id__in=ids, heeded_at=None)
        .values_list("connection_id")
        .annotate(number=Count("id"))
        .order_by("connection_id")
    )
    drift = [(one.pk, vital_signs.drift(one.pk)) for one in at_work]
    yield (
        "contacts",
        "Contacts by connection and state.",
        [({"connection": pk, "state": state}, number) for pk, state, number in by_state],
    )
    yield (
        "broken",
        "1 where a connection is paused and needs a person.",
        [({"connection": one.pk}, bool(one.broken_kind or one.account.broken_kind)) for one in at_work],
    )
    yield (
        "webhook_up",
        "1 where Mailchimp's webhook is registered and was found well.",
        [({"connection": one.pk}, bool(one.webhook_id and not one.webhook_trouble)) for one in at_work],
    )
    yield (
        "webhook_waiting",
        "Deliveries that wait to be heeded.",
        [({"connection": pk}, number) for pk, number in waiting],
    )
    yield (
        "drift_members",
        "Members that the last daily audit had to change.",
        [({"connection": pk}, number) for pk, number in drift if number is not None],
    )
    yield (
        "gate_width",
        "Calls that may be open at once in a run under way.",
        [({"connection": run.connection_id}, run.gate_width) for run in runs],
    )
    yield (
        "run_done",
        "Contacts that a run under way has gone through.",
        [({"connection": run.connection_id, "kind": run.kind}, run.done) for run in runs],
    )
