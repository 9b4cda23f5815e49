"""From a committed edit to the request at Mailchimp, beside 20,000 contacts; what a first sync costs.

Web is left out; the worker is a process of its own, the practice Mailchimp another, and edits are raw SQL of
a third. Times are of the machine's monotonic clock, which all processes share.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import os
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from multiprocessing.connection import Connection as Pipe
from pathlib import Path
from typing import Any

import psutil
import psycopg

TARGET_MEDIAN = 1.0
"""Seconds from commit to request, median (issue 2)."""

TARGET_CPU = 60.0
"""Microseconds of our CPU a contact in a first sync: the direction, not yet a promise."""


# --- the practice Mailchimp, noting when requests come in ------------------------------------------


def _serve_sandbox(pipe: Pipe, milliseconds: float) -> None:
    """Runs in a process of its own; answers `"arrivals"` with [(monotonic time, method, path)] so far."""
    import uvicorn

    from lockstep.sandbox.app import create_app
    from lockstep.sandbox.sandbox import Latency, Sandbox

    sandbox = Sandbox.practice()
    sandbox.latency = Latency(milliseconds)
    app = create_app(sandbox)
    arrivals: list[tuple[float, str, str]] = []

    async def noting(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            arrivals.append((time.monotonic(), scope["method"], scope["path"]))
        await app(scope, receive, send)

    async def run() -> None:
        config = uvicorn.Config(
            noting, host="127.0.0.1", port=0, log_level="error", access_log=False, lifespan="off"
        )
        server = uvicorn.Server(config)
        listening = socket.create_server(("127.0.0.1", 0))
        task = asyncio.ensure_future(server.serve(sockets=[listening]))
        account = next(iter(sandbox.accounts.values()))
        audience = next(iter(account.audiences.values()))
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        pipe.send((url, next(iter(account.credentials)), audience.id, audience.name))
        loop = asyncio.get_running_loop()
        while True:
            wish = await loop.run_in_executor(None, pipe.recv)
            if wish == "stop":
                break
            taken, arrivals[:] = list(arrivals), []
            pipe.send(taken)
        server.should_exit = True
        await task

    asyncio.run(run())


class _Mailchimp:
    def __init__(self, milliseconds: float) -> None:
        self._pipe, theirs = multiprocessing.Pipe()
        context = multiprocessing.get_context("spawn")
        self.process = context.Process(target=_serve_sandbox, args=(theirs, milliseconds), daemon=True)
        self.process.start()
        self.url, self.api_key, self.audience, self.audience_name = self._pipe.recv()

    def arrivals(self) -> list[tuple[float, str, str]]:
        """What was asked since the last call of this."""
        self._pipe.send("arrivals")
        return list(self._pipe.recv())

    def writes(self) -> list[tuple[float, str, str]]:
        return [one for one in self.arrivals() if one[1] != "GET"]

    def stop(self) -> None:
        self._pipe.send("stop")
        self.process.join(10)


# --- the book and the worker -----------------------------------------------------------------------


def prepare(mailchimp: Any, contacts: int) -> tuple[int, int]:
    """A company with a book and a connection; (company id, connection id)."""
    from django.core.management import call_command

    from lockstep.apps.accounts.services import create_company
    from lockstep.apps.book.models import Client, Contact
    from lockstep.apps.book.statistics import refresh_statistics
    from lockstep.apps.connections.models import Connection, MailchimpAccount
    from lockstep.apps.connections.secrets import seal

    call_command("migrate", interactive=False, verbosity=0)
    company = create_company(name=f"Benchmark {time.time_ns()}")
    clients = Client.objects.bulk_create(
        Client(company=company, name=f"Client {n}") for n in range(max(contacts // 8, 1))
    )
    Contact.objects.bulk_create(
        (
            Contact(
                company=company,
                client=clients[n % len(clients)],
                first_name=f"First{n}",
                last_name=f"Last{n}",
                email=f"person{n}@people{company.pk}.example.net",
                position="Buyer",
                phone=f"+1 555 {n:06}",
                state="CA",
                country="USA",
            )
            for n in range(contacts)
        ),
        batch_size=5_000,
    )
    refresh_statistics()
    account = MailchimpAccount.objects.create(
        company=company,
        auth_kind=MailchimpAccount.AuthKind.API_KEY,
        secret=seal(mailchimp.api_key),
        data_center="us6",
        api_base=mailchimp.url,
    )
    connection = Connection.objects.create(
        company=company, account=account, list_id=mailchimp.audience, list_name=mailchimp.audience_name
    )
    return company.pk, connection.pk


def ask_for(connection_id: int, kind: str) -> None:
    from lockstep.apps.accounts.permissions import Actor
    from lockstep.apps.connections.models import Connection
    from lockstep.apps.sync import services

    connection = Connection.objects.select_related("company").get(pk=connection_id)
    actor = Actor.lockstep(connection.company)
    {"start": services.start_sync, "refresh": services.refresh}[kind](actor, connection)


def run_to_end(connection_id: int, worker: psutil.Process, within: float) -> tuple[Any, float, float]:
    """The finished run, its seconds and the worker's CPU seconds meanwhile."""
    from lockstep.apps.sync.models import SyncRun

    cpu, began = cpu_seconds(worker), time.monotonic()
    while True:
        run = SyncRun.objects.filter(connection_id=connection_id).latest("id")
        if not run.open:
            return run, time.monotonic() - began, cpu_seconds(worker) - cpu
        if time.monotonic() - began > within:
            raise SystemExit(f"The run has not ended within {within:.0f} s; it stands at {run.done}.")
        time.sleep(0.05)


def wait_until_idle() -> None:
    """No job is waiting or being done: what follows a run, such as its webhook, has been seen to."""
    from django.db import connection

    while True:
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM procrastinate_jobs WHERE status IN ('todo', 'doing')")
            if cursor.fetchone()[0] == 0:
                return
        time.sleep(0.05)


def cpu_seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


# --- edits of another process ----------------------------------------------------------------------


def edit_in_a_process(pipe: Pipe, url: str) -> None:
    """Runs in a process of its own: commits each edit it is told of and says when (monotonic time)."""
    with psycopg.connect(url) as database:
        while (wish := pipe.recv()) is not None:
            contact, phone = wish
            database.execute("UPDATE book_contact SET phone = %s WHERE id = %s", [phone, contact])
            before = time.monotonic()
            database.commit()
            pipe.send(before)


def _measure_edits(
    mailchimp: _Mailchimp, company_id: int, url: str, edits: int, pause: Callable[[], None]
) -> list[float]:
    """Seconds from the beginning of each commit to the arrival of its request."""
    from lockstep.apps.book.models import Contact

    contacts = list(Contact.objects.filter(company_id=company_id).order_by("id").values_list("id", flat=True))
    ours, theirs = multiprocessing.Pipe()
    editor = multiprocessing.get_context("spawn").Process(
        target=edit_in_a_process, args=(theirs, url), daemon=True
    )
    editor.start()
    measured = []
    mailchimp.arrivals()
    for n in range(edits + 1):
        ours.send((contacts[(n * 7_919) % len(contacts)], f"+1 556 {n:06}"))
        committed = ours.recv()
        deadline = time.monotonic() + 30
        while not (came := mailchimp.writes()):
            if time.monotonic() > deadline:
                raise SystemExit("An edit has not reached Mailchimp within 30 s.")
            time.sleep(0.02)
        if n:  # the first one finds everything cold
            measured.append(came[0][0] - committed)
        pause()
    ours.send(None)
    editor.join(10)
    return measured


def marked_edits(
    mailchimp: Any, company_id: int, url: str, edits: int, before_each: Callable[[], None]
) -> list[float]:
    """Seconds from the beginning of each commit to its arrival, edit after edit, of contacts spread evenly.

    `mailchimp` is the lean stand-in, which tells when each marked telephone number first came.
    """
    from lockstep.apps.book.models import Contact

    contacts = list(Contact.objects.filter(company_id=company_id).order_by("id").values_list("id", flat=True))
    ours, theirs = multiprocessing.Pipe()
    editor = multiprocessing.get_context("spawn").Process(
        target=edit_in_a_process, args=(theirs, url), daemon=True
    )
    editor.start()
    waits = []
    for n in range(edits + 1):
        before_each()
        mark = f"+1 556 {n:06}"
        ours.send((contacts[(n * 7_919) % len(contacts)], mark))
        committed = ours.recv()
        deadline = time.monotonic() + 60
        while mark not in (arrived := mailchimp.marks()):
            if time.monotonic() > deadline:
                raise SystemExit("An edit has not reached Mailchimp within a minute.")
            time.sleep(0.02)
        if n:  # the first one finds everything cold
            waits.append(arrived[mark] - committed)
    ours.send(None)
    editor.join(10)
    return waits


# --- all of it -------------------------------------------------------------------------------------


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="lockstep bench latency", description=__doc__)
    parser.add_argument("--contacts", type=int, default=20_000)
    parser.add_argument("--edits", type=int, default=50)
    parser.add_argument("--latency", type=float, default=0, help="milliseconds of every answer of Mailchimp")
    parser.add_argument("--pause", type=float, default=0.3, help="seconds between two edits")
    given = parser.parse_args(arguments)

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "lockstep.project.settings")
    os.environ.setdefault("LOCKSTEP_LOG_LEVEL", "WARNING")
    import django

    django.setup()
    from tests.processes import Stack

    secrets = {name: os.environ[name] for name in ("LOCKSTEP_SECRET_KEY", "LOCKSTEP_ENCRYPTION_KEYS")}
    url = os.environ["DATABASE_URL"]
    mailchimp = _Mailchimp(given.latency)
    with (
        tempfile.TemporaryDirectory(prefix="lockstep-bench-") as folder,
        Stack(url, Path(folder), secrets) as stack,
    ):
        company_id, connection_id = prepare(mailchimp, given.contacts)
        worker = psutil.Process(stack.worker().pid)
        mailchimp.arrivals()

        ask_for(connection_id, "start")
        first, seconds, cpu = run_to_end(connection_id, worker, 1_800)
        wait_until_idle()
        batches = [path for _, _, path in mailchimp.writes() if path.count("/") == 3]
        ask_for(connection_id, "refresh")
        second, again, _ = run_to_end(connection_id, worker, 1_800)
        wait_until_idle()
        rewritten = mailchimp.writes()
        waits = _measure_edits(mailchimp, company_id, url, given.edits, lambda: time.sleep(given.pause))
    mailchimp.stop()

    waits.sort()
    median = statistics.median(waits)
    wanted = given.contacts / 500
    per_contact = cpu / given.contacts * 1e6
    rows = [
        (
            "edit to request, median",
            f"{TARGET_MEDIAN * 1000:.0f} ms",
            f"{statistics.median(waits) * 1000:.0f} ms",
        ),
        ("edit to request, 95 in 100 within", "", f"{waits[int(len(waits) * 0.95)] * 1000:.0f} ms"),
        ("edit to request, longest", "", f"{waits[-1] * 1000:.0f} ms"),
        ("first sync: batch calls", f"about {wanted:.0f}", str(len(batches))),
        ("first sync: contacts in step", f"{given.contacts:,}", f"{first.added + first.unchanged:,}"),
        ("first sync: time", "", f"{seconds:.1f} s, {given.contacts / seconds:,.0f} contacts/s"),
        ("first sync: worker's CPU a contact", f"{TARGET_CPU:.0f} us", f"{per_contact:.0f} us"),
        ("second sync: write calls", "0", str(len(rewritten))),
        ("second sync: time", "", f"{again:.1f} s, {second.unchanged:,} unchanged"),
    ]
    load = ", ".join(f"{one:.1f}" for one in os.getloadavg())
    print(f"{given.contacts:,} contacts, {given.edits} edits, {os.cpu_count()} cores, load {load}\n")
    print(f"{'':<38}{'target':>12}   reached")
    for name, target, reached in rows:
        print(f"{name:<38}{target:>12}   {reached}")
    good = median < TARGET_MEDIAN and not rewritten and len(batches) <= wanted * 1.2 + 3
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
