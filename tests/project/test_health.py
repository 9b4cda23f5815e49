"""Readiness and metrics: what monitoring is told, and who is told."""

from __future__ import annotations

import re

import pytest
from django.db import connection
from django.test import Client as Browser
from tests.factories import CompanyFactory, SeatFactory
from tests.factories.filled import add_lists, add_part, add_window

from lockstep.apps.accounts.models import User
from lockstep.apps.book.models import Client, Contact

pytestmark = pytest.mark.django_db


def a_worker(seconds_ago: int = 0) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now() - make_interval(secs => %s))",
            [seconds_ago],
        )


def test_ready_means_migrated_and_worked_for(client: Browser) -> None:
    a_worker(seconds_ago=60)
    answer = client.get("/readyz")
    assert (answer.status_code, b"none was heard of" in answer.content) == (503, True)
    a_worker()
    assert client.get("/readyz").status_code == 200
    with connection.cursor() as cursor:
        newest = "SELECT max(name) FROM django_migrations WHERE app = 'sync'"
        cursor.execute(f"DELETE FROM django_migrations WHERE app = 'sync' AND name = ({newest})")
    answer = client.get("/readyz")
    assert (answer.status_code, b"migrations: 1 are missing" in answer.content) == (503, True)


@pytest.mark.parametrize("given", ["", "Bearer ", "Bearer wrong", "Basic token-of-the-test"])
def test_metrics_are_for_who_knows_the_token(client: Browser, settings: object, given: str) -> None:
    assert client.get("/metrics").status_code == 404  # none is set: nobody
    settings.LOCKSTEP_METRICS_TOKEN = "token-of-the-test"  # type: ignore[attr-defined]
    assert client.get("/metrics", headers={"Authorization": given}).status_code == 404


def test_metrics_tell_numbers_and_nobody(client: Browser, settings: object) -> None:
    settings.LOCKSTEP_METRICS_TOKEN = "token-of-the-test"  # type: ignore[attr-defined]
    seat = SeatFactory(company=CompanyFactory(name="Alpaca"))
    add_part(seat, "alpaca", add_lists(seat, "alpaca"), add_window(seat, "alpaca"))
    a_worker()
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO procrastinate_jobs (queue_name, task_name, args, status, scheduled_at) "
            "VALUES ('x', 'x', '{}', 'todo', now() - interval '90 seconds'), "
            "('x', 'x', '{}', 'todo', now() + interval '1 hour')"
        )
    told = client.get("/metrics", headers={"Authorization": "Bearer token-of-the-test"}).content.decode()
    line = re.compile(
        r"^(# (HELP|TYPE) lockstep_\w+ .+|lockstep_\w+(\{\w+=\"\w+\"(,\w+=\"\w+\")*\})? [\d.e+]+)$"
    )
    assert [wrong for wrong in told.splitlines() if not line.match(wrong)] == []
    found = dict(one.rsplit(" ", 1) for one in told.splitlines() if not one.startswith("#"))
    assert found["lockstep_workers"] == "1"
    assert found['lockstep_jobs{state="waiting"}'] == "1"
    assert 90 <= float(found["lockstep_oldest_job_seconds"]) < 600
    assert any(name.startswith("lockstep_contacts") for name in found)
    secrets = [
        *Contact.objects.values_list("email", flat=True),
        *Client.objects.values_list("name", flat=True),
    ]
    secrets += User.objects.values_list("email", flat=True)
    assert secrets
    assert [one for one in secrets if one and one in told] == []
