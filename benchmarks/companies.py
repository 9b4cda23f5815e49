"""A thousand companies with a sync each: who waits how long for the first request, and for an edit's.

Each company has a Mailchimp account of its own. Measured with two workers, as one host runs them: all
companies start their first sync at the same moment, one of them with a large book (nobody may starve beside
it); single edits, of one company after the other (how soon a sleeping sync is woken); and one edit in every
company in one commit (the last one's request counts). Times are from the commit to the arrival at Mailchimp.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import os
import random
import socket
import statistics
import sys
import tempfile
import time
from multiprocessing.connection import Connection as Pipe
from pathlib import Path
from typing import Any

TARGET_LAST = 3.0
"""Seconds until the last of all companies' edits is on its way (issue 7, T9)."""

TARGET_WAKE = 1.0
"""Seconds from a single edit's commit to its request, median."""


def _key(number: int) -> str:
    return f"{number:032x}-us6"


def _serve(pipe: Pipe, accounts: int) -> None:
    """Mailchimp in a process of its own; "arrivals" are (monotonic time, method, API key)."""
    import uvicorn

    from lockstep.sandbox.app import create_app
    from lockstep.sandbox.sandbox import Latency, Sandbox

    sandbox = Sandbox.practice(api_keys=tuple(_key(n) for n in range(accounts)))
    app = create_app(sandbox)
    arrivals: list[tuple[float, str, str]] = []

    async def noting(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            login = dict(scope["headers"]).get(b"authorization", b"").decode()
            arrivals.append((time.monotonic(), scope["method"], login))
        await app(scope, receive, send)

    async def run() -> None:
        config = uvicorn.Config(noting, log_level="error", access_log=False, lifespan="off")
        server = uvicorn.Server(config)
        listening = socket.create_server(("127.0.0.1", 0), backlog=1024)
        task = asyncio.ensure_future(server.serve(sockets=[listening]))
        audiences = [next(iter(one.audiences.values())).id for one in sandbox.accounts.values()]
        pipe.send((f"http://127.0.0.1:{listening.getsockname()[1]}", audiences))
        loop = asyncio.get_running_loop()
        while (wish := await loop.run_in_executor(None, pipe.recv)) != "stop":
            if wish == "arrivals":
                taken, arrivals[:] = list(arrivals), []
                pipe.send(taken)
            else:
                sandbox.latency = Latency(wish)
        server.should_exit = True
        await task

    asyncio.run(run())


class _Mailchimp:
    def __init__(self, accounts: int) -> None:
        self._pipe, theirs = multiprocessing.Pipe()
        context = multiprocessing.get_context("spawn")
        self.process = context.Process(target=_serve, args=(theirs, accounts), daemon=True)
        self.process.start()
        self.url, self.audiences = self._pipe.recv()

    def arrivals(self) -> list[tuple[float, str, str]]:
        self._pipe.send("arrivals")
        return list(self._pipe.recv())

    def answer_after(self, milliseconds: float) -> None:
        self._pipe.send(milliseconds)

    def stop(self) -> None:
        self._pipe.send("stop")
        self.process.join(10)


def _prepare(mailchimp: _Mailchimp, contacts: int, large: int) -> list[int]:
    """The connections' ids, in the order of the accounts; the first company's book is the large one."""
    from django.core.management import call_command

    from lockstep.apps.accounts.services import create_company
    from lockstep.apps.book.models import Client, Contact
    from lockstep.apps.book.statistics import refresh_statistics
    from lockstep.apps.connections.models import Connection, MailchimpAccount
    from lockstep.apps.connections.secrets import seal

    call_command("migrate", interactive=False, verbosity=0)
    found = []
    for number, audience in enumerate(mailchimp.audiences):
        company = create_company(name=f"Company {number}")
        client = Client.objects.create(company=company, name="Kestrel")
        Contact.objects.bulk_create(
            (
                Contact(
                    company=company, client=client, first_name=f"F{n}", email=f"p{n}@c{number}.example.net"
                )
                for n in range(large if number == 0 else contacts)
            ),
            batch_size=5_000,
        )
        account = MailchimpAccount.objects.create(
            company=company,
            auth_kind=MailchimpAccount.AuthKind.API_KEY,
            secret=seal(_key(number)),
            data_center="us6",
            api_base=mailchimp.url,
        )
        found.append(
            Connection.objects.create(company=company, account=account, list_id=audience, list_name="M").pk
        )
    refresh_statistics()
    return found


def _start_all(connections: list[int]) -> None:
    """Start Sync everywhere: the runs first, then everybody is woken at the same moment."""
    from django.db import transaction

    from lockstep.apps.accounts.permissions import Actor
    from lockstep.apps.connections.models import Connection
    from lockstep.apps.sync import services

    with transaction.atomic():
        for one in Connection.objects.filter(pk__in=connections).select_related("company").order_by("pk"):
            services.start_sync(Actor.lockstep(one.company), one)


def _first_arrivals(
    mailchimp: _Mailchimp, began: float, wanted: int, within: float, writes: bool
) -> list[float]:
    """Seconds from `began` to the first request of each account, sorted; all of them, or SystemExit."""
    first: dict[str, float] = {}
    while len(first) < wanted:
        for at, method, login in mailchimp.arrivals():
            if at >= began and (method != "GET" or not writes):
                first.setdefault(login, at - began)
        if time.monotonic() - began > within:
            raise SystemExit(f"{wanted - len(first)} companies sent nothing within {within:.0f} s.")
        time.sleep(0.05)
    return sorted(first.values())


def _wait_until_started(within: float) -> list[float]:
    """Seconds that each first run took, in the order of their ends."""
    from lockstep.apps.sync.models import SyncRun

    began = time.monotonic()
    while SyncRun.objects.filter(state__in=SyncRun.OPEN_STATES).exists():
        if time.monotonic() - began > within:
            raise SystemExit(f"The first syncs have not ended within {within:.0f} s.")
        time.sleep(0.5)
    bad = SyncRun.objects.exclude(state=SyncRun.State.FINISHED).count()
    if bad:
        raise SystemExit(f"{bad} first syncs did not finish.")
    rows = SyncRun.objects.values_list("connection_id", "asked_at", "started_at", "finished_at")
    return [(end - asked).total_seconds() for _, asked, _, end in rows.order_by("finished_at")]


def _wait_until_idle() -> None:
    from django.db import connection

    while True:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM procrastinate_jobs WHERE status IN ('todo', 'doing')"
                " AND task_name = 'lockstep.sync.look'"
            )
            if cursor.fetchone()[0] == 0:
                return
        time.sleep(0.1)


def _edit(url: str, where: str, *values: object) -> float:
    """Commit an edit; when its commit began (monotonic)."""
    import psycopg

    with psycopg.connect(url) as database:
        database.execute(f"UPDATE book_contact SET phone = phone || '1' WHERE {where}", values)  # type: ignore[arg-type]
        began = time.monotonic()
        database.commit()
    return began


def _words(seconds: list[float]) -> str:
    found = sorted(seconds)
    return (
        f"median {statistics.median(found):.2f} s, 95 in 100 within {found[int(len(found) * 0.95)]:.2f} s,"
        f" last {found[-1]:.2f} s"
    )


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="lockstep bench companies", description=__doc__)
    parser.add_argument("--companies", type=int, default=1_000)
    parser.add_argument("--contacts", type=int, default=5, help="of each company but the first")
    parser.add_argument("--large", type=int, default=20_000, help="contacts of the first company")
    parser.add_argument("--edits", type=int, default=30, help="single edits")
    parser.add_argument(
        "--latency", type=float, default=50, help="milliseconds of an answer, once all are live"
    )
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args(arguments)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "lockstep.project.settings")
    os.environ.setdefault("LOCKSTEP_LOG_LEVEL", "WARNING")
    import django

    django.setup()
    from tests.processes import Stack

    from lockstep.apps.book.models import Contact
    from lockstep.apps.connections.models import Connection

    url = os.environ["DATABASE_URL"]
    secrets = {name: os.environ[name] for name in ("LOCKSTEP_SECRET_KEY", "LOCKSTEP_ENCRYPTION_KEYS")}
    mailchimp = _Mailchimp(given.companies)
    with (
        tempfile.TemporaryDirectory(prefix="lockstep-bench-") as folder,
        Stack(url, Path(folder), secrets) as stack,
    ):
        connections = _prepare(mailchimp, given.contacts, given.large)
        for _ in range(given.workers):
            stack.worker()
        began = time.monotonic()
        _start_all(connections)
        asked = time.monotonic() - began
        ends = _wait_until_started(3_600)
        print(f"{given.companies:,} companies, {given.workers} workers, {os.cpu_count()} cores, "
              f"load {os.getloadavg()[0]:.1f}")  # fmt: skip
        print(f"first syncs, all asked for within {asked:.1f} s: {_words(ends)}", flush=True)
        large_end = _end_of(connections[0])
        before = sum(end < large_end for end in ends)
        print(f"the large book ({given.large:,}) ended after {large_end:.1f} s, "
              f"after {before} of {given.companies} others", flush=True)  # fmt: skip
        _wait_until_idle()
        mailchimp.answer_after(given.latency)
        # The poll of each connection, once a minute, is part of a thousand syncs: it goes on meanwhile.
        dice, waits = random.Random(1), []
        companies = dict(Connection.objects.values_list("pk", "company_id"))
        for connection in dice.sample(connections[1:], given.edits):
            contact = Contact.objects.filter(company_id=companies[connection]).values_list("pk", flat=True)[0]
            mailchimp.arrivals()
            committed = _edit(url, "id = %s", contact)
            waits += _first_arrivals(mailchimp, committed, 1, 60, writes=True)
            time.sleep(dice.uniform(0.1, 0.4))
        print(f"a single edit: {_words(waits)}", flush=True)
        _wait_until_idle()
        mailchimp.arrivals()
        committed = _edit(url, "id IN (SELECT min(id) FROM book_contact GROUP BY company_id)")
        all_at_once = _first_arrivals(mailchimp, committed, given.companies, 600, writes=True)
        print(f"one edit in every company at once: {_words(all_at_once)} (target: {TARGET_LAST:.0f} s)")
    mailchimp.stop()
    return 0 if all_at_once[-1] <= TARGET_LAST and statistics.median(waits) <= TARGET_WAKE else 1


def _end_of(connection_id: int) -> float:
    from lockstep.apps.sync.models import SyncRun

    run = SyncRun.objects.get(connection_id=connection_id)
    assert run.finished_at is not None
    return (run.finished_at - run.asked_at).total_seconds()


if __name__ == "__main__":
    sys.exit(main())
