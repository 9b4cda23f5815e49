"""docs/reference/api.md is up to date, and its examples work as they stand, in a shell and in Python."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from pytest_django.live_server_helper import LiveServer
from tests.api.conftest import CallerOf
from tests.factories import ClientFactory, ConnectionFactory, ContactFactory, SeatFactory

from lockstep.api.reference import CLIENT_ID, CONTACT_ID, PYTHON, SYNC_ID, Example, examples
from lockstep.apps.accounts.models import Seat
from lockstep.apps.book.models import Client, Contact
from lockstep.apps.book.services import delete_client, delete_contact
from lockstep.apps.connections.models import Connection
from lockstep.apps.sync.models import SyncRun

ROOT = Path(__file__).parents[2]


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("way", ["curl", "python"])
def test_examples_work_as_they_stand(way: str, live_server: LiveServer, caller_of: CallerOf) -> None:
    seat = SeatFactory()
    environment = {
        **os.environ,
        "LOCKSTEP": f"{live_server.url}/api/v1",
        "TOKEN": caller_of(seat).secret,
        "no_proxy": "*",
    }
    failed = {}
    for name, example in examples().items():
        lay_out(seat, name)
        done = subprocess.run(
            WAYS[way](example), env=environment, capture_output=True, text=True, check=False
        )
        if done.returncode or not json.loads(done.stdout):
            failed[name] = done.stdout + done.stderr
    assert not failed


def lay_out(seat: Seat, name: str) -> None:
    """The book as the example called `name` wants it."""
    for rows in (SyncRun, Connection, Contact, Client):
        rows.objects.all().delete()
    client = ClientFactory(
        pk=CLIENT_ID,
        company=seat.company,
        name="Other",
        external_id="" if name == "add_client" else "crm-17",
    )
    ContactFactory(pk=CONTACT_ID, client=client)
    mode = Connection.Mode.OFF if name == "start" else Connection.Mode.ON
    ConnectionFactory(pk=SYNC_ID, company=seat.company, mode=mode)
    if name == "bring_client_back":
        delete_client(seat.actor(), client_id=CLIENT_ID)
    if name == "bring_contact_back":
        delete_contact(seat.actor(), contact_id=CONTACT_ID)


def by_curl(example: Example) -> list[str]:
    return ["bash", "-c", example.curl.replace("curl", "curl -sS --fail-with-body", 1)]


def by_python(example: Example) -> list[str]:
    return [sys.executable, "-c", f"{PYTHON}\n\nprint(json.dumps({example.python}))\n"]


WAYS = {"curl": by_curl, "python": by_python}
