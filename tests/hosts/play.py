"""Syncs of several accounts on several hosts; one host is cut off and comes back, another dies.

    python -m tests.hosts.play --contacts 300 --accounts 6 --hosts 3

Checked: the accounts are spread over the hosts; no account ever has two runners that the database knows
of; what a lost host was at goes on elsewhere within a minute; web servers answer where their host is
connected; after the cut-off host has come back and all is at rest, every promise holds for every contact and
member, and a further run writes nothing.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import os
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

import psycopg

from lockstep.project.child import Child
from lockstep.project.embedded_postgres import EmbeddedPostgres, options
from tests.hosts.network import SERVERS, Host, enter, why_not
from tests.processes import Process, Stack, until

TARGET_TAKEOVER = 60.0
PORT = 8000


@dataclass(slots=True)
class Watcher:
    """Looks at the queue ten times a second: who has which account."""

    url: str
    spread: int = 0
    doubled: list[str] = field(default_factory=list)
    seen: dict[str, tuple[int, float]] = field(default_factory=dict)
    """Account lock to (worker, when it got it)."""
    _end: threading.Event = field(default_factory=threading.Event)

    def watch(self) -> None:
        with (
            contextlib.suppress(psycopg.OperationalError),
            psycopg.connect(self.url, autocommit=True) as database,
        ):
            while not self._end.wait(0.1):
                rows = database.execute(
                    "SELECT lock, worker_id FROM procrastinate_jobs"
                    " WHERE status = 'doing' AND task_name = 'lockstep.sync.look'"
                ).fetchall()
                locks = [lock for lock, _ in rows]
                self.doubled += [lock for lock in locks if locks.count(lock) > 1]
                self.spread = max(self.spread, len({worker for _, worker in rows}))
                for lock, worker in rows:
                    if self.seen.get(lock, (0, 0.0))[0] != worker:
                        self.seen[lock] = (worker, time.monotonic())

    def of(self, worker: int) -> list[str]:
        """The accounts that it has this moment."""
        with psycopg.connect(self.url, autocommit=True) as database:
            rows = database.execute(
                "SELECT lock FROM procrastinate_jobs WHERE status = 'doing' AND worker_id = %s"
                " AND task_name = 'lockstep.sync.look'",
                [worker],
            ).fetchall()
        return [lock for (lock,) in rows]

    def stop(self) -> None:
        self._end.set()


@contextlib.contextmanager
def servers(folder: Path) -> Iterator[tuple[EmbeddedPostgres, Stack]]:
    """PostgreSQL, reachable by TCP from the little network alone, and what belongs to this process."""
    real = options.throw_away_options

    def reachable(socket_folder: str) -> dict[str, str]:
        return real(socket_folder) | {"listen_addresses": SERVERS}

    with (
        patch.object(options, "throw_away_options", reachable),
        EmbeddedPostgres(folder / "postgres", throw_away=True) as postgres,
    ):
        with (postgres.cluster / "pg_hba.conf").open("a") as rules:
            rules.write("host all all 10.203.0.0/24 trust\n")
        postgres.ensure_database()
        with psycopg.connect(postgres.url(), autocommit=True) as database:
            database.execute("SELECT pg_reload_conf()")
        secrets = {"LOCKSTEP_SECRET_KEY": os.urandom(32).hex(), "LOCKSTEP_ENCRYPTION_KEYS": _fernet_key()}
        os.environ |= secrets | {
            "DATABASE_URL": postgres.url(),
            "DJANGO_SETTINGS_MODULE": "lockstep.project.settings",
            "LOCKSTEP_LOG_LEVEL": "WARNING",
        }
        with Stack(postgres.url(), folder, secrets) as stack:
            os.environ["LOCKSTEP_BASE_URL"] = stack.url
            import django

            django.setup()
            from django.core.management import call_command

            call_command("migrate", interactive=False, verbosity=0)
            yield postgres, stack


def _fernet_key() -> str:
    from cryptography.fernet import Fernet

    return Fernet.generate_key().decode()


def launch(host: Host, words: list[str], stack: Stack, user: str) -> Process:
    """One of our commands on a host."""
    there = f"http://{SERVERS}:{stack.sandbox_port}"
    environment = stack.environment | {
        "DATABASE_URL": f"postgres://{user}@{SERVERS}:5432/lockstep",
        "MAILCHIMP_OAUTH_BASE_URL": there,
        "MAILCHIMP_API_BASE_OVERRIDE": there,
        "LOCKSTEP_ALLOWED_HOSTS": host.address,
    }
    log = stack.folder / f"host{host.number}-{words[0]}.log"
    process: Process

    def is_ready() -> bool:
        return answers(host) if words[0] == "web" else "worker started" in process.output()

    program = host.inside([sys.executable, "-P", "-m", "lockstep.cli", *words])
    child = Child(f"{words[0]} on host {host.number}", program, environment=environment, log=log,
                  is_ready=is_ready)  # fmt: skip
    process = Process(child, log)
    child.start()
    return process


def answers(host: Host) -> bool:
    """Whether its web server answers from here."""
    connection = http.client.HTTPConnection(host.address, PORT, timeout=3)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def worker_ids(url: str) -> set[int]:
    with psycopg.connect(url, autocommit=True) as database:
        rows = database.execute(
            "SELECT id FROM procrastinate_workers WHERE last_heartbeat > now() - interval '10 s'"
        ).fetchall()
    return {one for (one,) in rows}


def prepare(stack: Stack, contacts: int) -> list[Any]:
    """A company with a book and a connection for each account of the practice Mailchimp."""
    from lockstep.apps.accounts.services import create_company
    from lockstep.apps.book.models import Client, Contact
    from lockstep.apps.connections.models import Connection, MailchimpAccount
    from lockstep.apps.connections.secrets import seal

    made = []
    for number, held in enumerate(stack.ask("GET", "/_sandbox/")["accounts"]):
        company = create_company(name=f"Company {number}")
        client = Client.objects.create(company=company, name="Kestrel")
        Contact.objects.bulk_create(
            Contact(
                company=company, client=client, first_name=f"First{n}", email=f"p{n}@c{number}.example.net"
            )
            for n in range(contacts)
        )
        account = MailchimpAccount.objects.create(
            company=company,
            auth_kind=MailchimpAccount.AuthKind.API_KEY,
            secret=seal(held["keys"][0]),
            data_center="us6",
            api_base=f"http://{SERVERS}:{stack.sandbox_port}",
        )
        audience = held["audiences"][0]
        members = [
            {"email_address": f"p{n}@c{number}.example.net", "status": "unsubscribed"}
            for n in range(0, contacts, 10)
        ]
        stack.ask("POST", "/_sandbox/members", {"audience": audience["id"], "members": members})
        connection = Connection.objects.create(
            company=company, account=account, list_id=audience["id"], list_name="Members"
        )
        made.append((connection, held["keys"][0]))
    return made


def at_rest(connections: list[Any]) -> bool:
    from lockstep.apps.book.models import Change
    from lockstep.apps.connections.models import Connection
    from lockstep.apps.sync.models import Mark, MemberRecord, SyncRun

    ids = [one.pk for one, _ in connections]
    return not (
        SyncRun.objects.filter(connection__in=ids, state__in=SyncRun.OPEN_STATES).exists()
        or Mark.objects.filter(connection_id__in=ids).exists()
        or MemberRecord.objects.filter(connection__in=ids, uncertain=True).exists()
        or Change.objects.exists()
        or Connection.objects.filter(pk__in=ids, live_at=None).exists()
    )


def play(given: argparse.Namespace, folder: Path) -> list[str]:
    """What is wrong, as sentences."""
    wrong: list[str] = []
    hosts = [Host(number + 1) for number in range(given.hosts)]
    keys = [f"{number:032x}-us6" for number in range(1, given.accounts + 1)]
    with servers(folder) as (postgres, stack):
        stack.sandbox("--host", "0.0.0.0", "--latency", str(given.latency),
                      *[word for key in keys for word in ("--api-key", key)])  # fmt: skip
        connections = prepare(stack, given.contacts)
        user = postgres.url().split("//")[1].split("@")[0]
        processes: list[Process] = []
        try:
            wrong += _play(given, hosts, stack, postgres.url(), user, connections, processes)
        finally:
            for process in processes:
                with contextlib.suppress(Exception):
                    process.stop()
            for host in hosts:
                host.end()
    return wrong


def _play(
    given: argparse.Namespace,
    hosts: list[Host],
    stack: Stack,
    url: str,
    user: str,
    connections: list[Any],
    processes: list[Process],
) -> list[str]:
    from lockstep.apps.accounts.permissions import Actor
    from lockstep.apps.sync import services
    from tests.kills.judge import broken, census

    wrong = []
    workers: list[tuple[Host, Process, int]] = []
    for host in hosts:
        before = worker_ids(url)
        process = launch(host, ["worker", "--concurrency", str(given.concurrency)], stack, user)
        processes.append(process)
        process.wait_ready()
        new = until(lambda known=before: worker_ids(url) - known, within=20, what="the worker's heartbeat")
        workers.append((host, process, new.pop()))
    for host in hosts:
        web = launch(host, ["web", "--host", host.address, "--port", str(PORT)], stack, user)
        processes.append(web)
        web.wait_ready()

    earlier = {one.pk: census(stack, one.list_id, key) for one, key in connections}
    watcher = Watcher(url)
    watching = threading.Thread(target=watcher.watch, daemon=True)
    watching.start()
    for one, _ in connections:
        services.start_sync(Actor.lockstep(one.company), one)
    until(lambda: watcher.spread >= min(2, len(hosts)), within=60, what="two hosts have accounts")
    time.sleep(given.calm)

    # Those with the most to lose.
    workers.sort(key=lambda one: len(watcher.of(one[2])), reverse=True)
    losses = []
    for words, (host, process, worker) in zip(("cut off", "killed"), workers, strict=False):
        held = watcher.of(worker)
        began = time.monotonic()
        if words == "cut off":
            host.pull_out()
        else:
            process.kill()
        losses.append((words, began, held, worker))
        print(f"host {host.number} {words} with {len(held)} of {len(connections)} accounts", flush=True)
    if answers(workers[0][0]):
        wrong.append("A host that is cut off answers.")
    if not answers(workers[1][0]):
        wrong.append("The web server of a connected host does not answer.")

    lost = {worker for _, _, _, worker in losses}
    for words, began, held, _ in losses:
        waits = []
        for lock in held:
            until(
                lambda lock=lock: watcher.seen[lock][0] not in lost, within=90, what=f"{lock} is taken over"
            )
            waits.append(watcher.seen[lock][1] - began)
        longest = max(waits, default=0.0)
        print(f"{words}: {len(held)} accounts taken over after at most {longest:.1f} s", flush=True)
        if not held or longest > TARGET_TAKEOVER:
            wrong.append(f"{words}: {len(held)} accounts, taken over after {longest:.1f} s.")

    workers[0][0].plug_in()  # in the middle of what the others are doing now
    back = time.monotonic()
    until(lambda: answers(workers[0][0]), within=60, what="the host that is back answers")
    until(lambda: len(worker_ids(url) - lost) >= 2, within=90, what="its worker is back")
    print(f"the host that was cut off is back at work after {time.monotonic() - back:.1f} s", flush=True)
    until(lambda: at_rest(connections), within=given.rest, what="everything comes to rest", every=0.5)
    print(f"accounts at work on {watcher.spread} of {len(hosts)} hosts at once", flush=True)
    print(f"at rest {time.monotonic() - losses[0][1]:.0f} s after the first loss", flush=True)

    newest = stack.number_of_requests()
    for one, key in connections:
        one.refresh_from_db()
        found = broken(
            one, earlier[one.pk], census(stack, one.list_id, key), moved=(), edited=(), refused=set()
        )
        wrong += [f"connection {one.pk}: {words}" for words in found]
        services.refresh(Actor.lockstep(one.company), one)
    until(lambda: at_rest(connections), within=given.rest, what="a second run comes to rest", every=0.5)
    writes = [one for one in stack.requests(after=newest, writes=True) if "/webhooks" not in one["path"]]
    if writes:
        wrong.append(f"P3: with nothing to change, {len(writes)} writes were made.")
    watcher.stop()
    watching.join(5)
    wrong += [f"{lock} had two runners at once." for lock in sorted(set(watcher.doubled))]
    return wrong


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="lockstep bench hosts", description=__doc__)
    parser.add_argument("--hosts", type=int, default=4)
    parser.add_argument("--accounts", type=int, default=12)
    parser.add_argument("--contacts", type=int, default=1_000, help="of each account")
    parser.add_argument("--concurrency", type=int, default=4, help="accounts at once on a host")
    parser.add_argument(
        "--latency", type=float, default=800, help="milliseconds of every answer of Mailchimp"
    )
    parser.add_argument("--calm", type=float, default=3, help="seconds of work before a host is lost")
    parser.add_argument("--rest", type=float, default=240, help="seconds to come to rest within")
    given = parser.parse_args(arguments)
    reason = why_not()
    if reason:
        print(f"Not played: {reason}.")
        return 2
    enter()
    with tempfile.TemporaryDirectory(prefix="lockstep-hosts-") as folder:
        wrong = play(given, Path(folder))
    for words in wrong:
        print(f"  BROKEN  {words}")
    print("Nothing was lost, nothing was done twice." if not wrong else f"{len(wrong)} things are wrong.")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
