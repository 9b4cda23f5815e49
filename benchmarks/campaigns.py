"""Reading ten campaigns to 100,000 people: the first time, when nothing moved, after 1,000 new events.

Mailchimp is a bare server in a process of its own that answers the calls of the reader from memory; the
practice Mailchimp would be the slower part. Afterwards the queries behind the pages are timed.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import multiprocessing
import os
import random
import socket
import statistics
import sys
import time
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection as Pipe
from typing import Any
from urllib.parse import parse_qs

import psutil

LIST = "benchmarkls"
LINKS = [f"https://shop.example/{name}" for name in ("", "sale", "mugs", "bags", "pens")]
DAY = 86_400


def _address(number: int) -> str:
    return f"person{number}@people.example.net"


class _Mailing:
    """One campaign: what each recipient did, as (kind, seconds, link); kinds are open, click, bounce."""

    def __init__(self, number: int, recipients: int, sent: int) -> None:
        dice = random.Random(number)
        self.id, self.sent, self.recipients = f"campaign{number:02}", sent, recipients
        self.did: dict[int, list[tuple[str, int, int]]] = {}
        for who in range(recipients):
            roll = dice.random()
            if roll < 0.01:
                self.did[who] = [("bounce", sent + 30, 0)]
            elif roll < 0.36:
                at = sent + 60 + int(dice.expovariate(1 / 20_000))
                mine = [("open", at, 0)]
                if dice.random() < 0.4:
                    mine.append(("open", at + 3_600, 0))
                if dice.random() < 0.16:
                    mine.append(("click", at + 9, dice.randrange(len(LINKS))))
                self.did[who] = mine

    def more(self, events: int, at: int) -> None:
        """So many people click once more, at `at` and the seconds after."""
        for n in range(events):
            self.did.setdefault((n * 7_919) % self.recipients, []).append(("click", at + n, n % len(LINKS)))

    def report(self) -> dict[str, Any]:
        events = [event for did in self.did.values() for event in did]
        opens = [at for kind, at, _ in events if kind == "open"]
        clicks = [at for kind, at, _ in events if kind == "click"]

        def people(kind: str) -> int:
            return sum(any(one[0] == kind for one in did) for did in self.did.values())

        return {
            "id": self.id,
            "list_id": LIST,
            "campaign_title": f"Campaign {self.id}",
            "subject_line": "News",
            "type": "regular",
            "send_time": _iso(self.sent),
            "emails_sent": self.recipients,
            "abuse_reports": 0,
            "unsubscribed": 0,
            "bounces": {"hard_bounces": people("bounce"), "soft_bounces": 0, "syntax_errors": 0},
            "opens": {
                "opens_total": len(opens),
                "unique_opens": people("open"),
                "last_open": _iso(max(opens)),
            },
            "clicks": {
                "clicks_total": len(clicks),
                "unique_subscriber_clicks": people("click"),
                "last_click": _iso(max(clicks)),
            },
        }

    def page(self, count: int, offset: int, since: int) -> dict[str, Any]:
        rows = []
        for who in range(offset, min(offset + count, self.recipients)):
            activity = []
            for kind, at, link in self.did.get(who, ()):
                if at > since:
                    entry = {
                        "action": kind,
                        "timestamp": _iso(at),
                        "ip": f"198.51.{who % 250}.{who // 250 % 250}",
                    }
                    if kind == "click":
                        entry["url"] = LINKS[link]
                    elif kind == "bounce":
                        entry["type"] = "hard"
                    activity.append(entry)
            address = _address(who)
            rows.append(
                {
                    "email_id": hashlib.md5(address.encode()).hexdigest(),
                    "email_address": address,
                    "activity": activity,
                }
            )
        return {"emails": rows, "total_items": self.recipients}


def _iso(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).isoformat()


def _serve(pipe: Pipe, campaigns: int, recipients: int) -> None:
    """Runs in a process of its own; answers "calls" with how many came, (number, events) by more events."""
    import uvicorn

    now = int(time.time())
    mailings = {}
    for number in range(campaigns):
        one = _Mailing(number, recipients, now - (20 + 7 * number) * DAY)
        mailings[one.id] = one
    reports = {key: one.report() for key, one in mailings.items()}
    calls = {"n": 0}

    async def app(scope: Any, receive: Any, send: Any) -> None:
        calls["n"] += 1
        query = {key: values[0] for key, values in parse_qs(scope["query_string"].decode()).items()}
        parts = scope["path"].strip("/").split("/")[1:]
        if parts == ["reports"]:
            body: dict[str, Any] = {"reports": list(reports.values()), "total_items": len(reports)}
        elif len(parts) == 2:
            body = reports[parts[1]]
        else:
            since = query.get("since", "")
            body = mailings[parts[1]].page(
                int(query["count"]),
                int(query["offset"]),
                int(datetime.fromisoformat(since).timestamp()) if since else 0,
            )
        head = [(b"content-type", b"application/json; charset=utf-8")]
        await send({"type": "http.response.start", "status": 200, "headers": head})
        await send({"type": "http.response.body", "body": json.dumps(body).encode()})

    async def run() -> None:
        config = uvicorn.Config(app, log_level="error", access_log=False, lifespan="off")
        server, listening = uvicorn.Server(config), socket.create_server(("127.0.0.1", 0))
        task = asyncio.ensure_future(server.serve(sockets=[listening]))
        pipe.send(f"http://127.0.0.1:{listening.getsockname()[1]}")
        loop = asyncio.get_running_loop()
        while (wish := await loop.run_in_executor(None, pipe.recv)) is not None:
            if wish == "calls":
                pipe.send(calls["n"])
                calls["n"] = 0
            else:
                number, events = wish
                key = f"campaign{number:02}"
                mailings[key].more(events, int(time.time()))
                reports[key] = mailings[key].report()
                pipe.send("done")
        server.should_exit = True
        await task

    asyncio.run(run())


class Later:
    """The time of this machine, put forward."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def _prepare(url: str, people: int) -> Any:
    """A company whose book has nine in ten of the people, and a connection whose mirror knows all of them."""
    from django.core.management import call_command
    from django.db import connection as database

    from lockstep.apps.accounts.services import create_company
    from lockstep.apps.book.models import Client
    from lockstep.apps.connections.models import Connection, MailchimpAccount
    from lockstep.apps.connections.secrets import seal

    call_command("migrate", interactive=False, verbosity=0)
    company = create_company(name=f"Benchmark {time.time_ns()}")
    clients = Client.objects.bulk_create(
        Client(company=company, name=f"Client {n}") for n in range(max(1, people // 10))
    )
    account = MailchimpAccount.objects.create(
        company=company,
        auth_kind=MailchimpAccount.AuthKind.API_KEY,
        secret=seal("0123456789abcdef0123456789abcdef-us6"),
        data_center="us6",
        api_base=url,
    )
    link = Connection.objects.create(
        company=company,
        account=account,
        list_id=LIST,
        list_name="Everybody",
        mirror_complete_at=datetime.now(UTC),
    )
    from lockstep.apps.book.models import Contact

    Contact.objects.bulk_create(
        (
            Contact(company=company, client=clients[n % len(clients)], first_name=f"P{n}", email=_address(n))
            for n in range(people)
            if n % 10
        ),
        batch_size=5_000,
    )
    with database.cursor() as cursor:
        cursor.execute(
            """INSERT INTO sync_observedrecord (connection_id, member_hash, email, status, values,
                   contact_key, web_id, rating, last_changed, observed_at)
               SELECT %s, md5(address), address, 'subscribed', '[]', md5('key ' || address), 0, 0, '',
                   now()
               FROM (SELECT format('person%%s@people.example.net', n) AS address
                     FROM generate_series(0, %s) n) people""",
            [link.pk, people - 1],
        )
        cursor.execute("ANALYZE")
    return link


def _read(link: Any, clock: Later) -> tuple[float, float]:
    """Seconds, and seconds of CPU of this process, of a reading until nothing is left."""
    from lockstep.apps.campaigns.reading.reader import Reader
    from lockstep.apps.connections.opening import open_account
    from lockstep.apps.sync.database_thread import DatabaseThread
    from lockstep.bridge.access import Purpose

    async def job() -> None:
        async with DatabaseThread() as database, open_account(link.account, Purpose.CAMPAIGNS) as opened:
            reader = Reader(link.account, opened.api, clock, database)
            await reader.read(until=clock.now() + timedelta(days=1), index_now=True)

    began, cpu = time.monotonic(), time.process_time()
    asyncio.run(job())
    return time.monotonic() - began, time.process_time() - cpu


def _time_queries(link: Any) -> list[tuple[str, float]]:
    """Milliseconds, median of five, of what pages ask for."""
    from django.db import connection as database

    from lockstep.apps.accounts.permissions import Actor
    from lockstep.apps.book.models import Contact
    from lockstep.apps.campaigns import queries
    from lockstep.apps.campaigns.models import Campaign

    with database.cursor() as cursor:
        cursor.execute("ANALYZE")
    actor = Actor.lockstep(link.company)
    campaign = Campaign.objects.filter(connection=link).order_by("-send_time")[0].pk
    contact = Contact.objects.filter(company=link.company)[0]
    clicked = queries.Reaction.CLICKED
    asked = {
        "campaign list": lambda: queries.campaign_list(actor),
        "campaign by time": lambda: queries.activity_over_time(actor, campaign),
        "campaign's links": lambda: queries.links_of(actor, campaign),
        "one campaign by client": lambda: queries.by_client(actor, campaign_id=campaign),
        "all campaigns by client": lambda: queries.by_client(actor),
        "one campaign by rep": lambda: queries.by_rep(actor, campaign_id=campaign),
        "one campaign by tag": lambda: queries.by_tag(actor, campaign),
        "who clicked, counted": lambda: queries.contacts_who(actor, campaign, clicked).count(),
        "who went quiet, counted": lambda: queries.quiet_contacts(actor).count(),
        "contact": lambda: queries.contact_activity(actor, contact.pk),
        "contact, anything new?": lambda: queries.activity_stamp(actor, contact.pk),
        "client": lambda: queries.client_activity(actor, contact.client_id),
    }
    found = []
    for name, ask in asked.items():
        times = []
        for _ in range(5):
            began = time.perf_counter()
            ask()
            times.append(1_000 * (time.perf_counter() - began))
        found.append((name, statistics.median(times)))
    return found


def _sizes() -> list[tuple[str, int, float]]:
    from django.db import connection as database

    with database.cursor() as cursor:
        cursor.execute(
            """SELECT relname, reltuples::bigint, pg_total_relation_size(oid) / 1e6 FROM pg_class
               WHERE relname IN ('campaigns_recipient', 'campaigns_reaction', 'campaigns_person')"""
        )
        return list(cursor.fetchall())


def main(arguments: list[str]) -> int:
    """Print calls, seconds and memory of three readings, then what pages cost. 0 if the second is cheap."""
    parser = argparse.ArgumentParser(prog="lockstep bench campaigns")
    parser.add_argument("--campaigns", type=int, default=10)
    parser.add_argument("--recipients", type=int, default=100_000)
    parser.add_argument("--events", type=int, default=1_000)
    given = parser.parse_args(arguments)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "lockstep.project.settings")
    os.environ.setdefault("LOCKSTEP_BASE_URL", "http://127.0.0.1:8000")
    import django

    django.setup()
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(
        target=_serve, args=(theirs, given.campaigns, given.recipients), daemon=True
    )
    server.start()
    link, clock = _prepare(ours.recv(), given.recipients), Later()

    def reading(name: str) -> int:
        seconds, cpu = _read(link, clock)
        ours.send("calls")
        calls = int(ours.recv())
        memory = psutil.Process().memory_info().rss / 1e6
        print(
            f"{name:<28} {calls:>6} calls {seconds:>8.1f} s {cpu:>8.1f} s CPU {memory:>6.0f} MB", flush=True
        )
        return calls

    memory = psutil.Process().memory_info().rss / 1e6
    print(f"{given.campaigns} campaigns, {given.recipients:,} recipients each; {memory:.0f} MB before")
    reading("first reading")
    clock.ahead += timedelta(days=8)
    nothing = reading("nothing moved")
    ours.send((1, given.events))
    ours.recv()
    clock.ahead += timedelta(days=8)
    moved = reading(f"{given.events:,} new events in one")
    pages_cost = _time_queries(link)
    for name, rows, megabytes in _sizes():
        print(f"{name:<28} {rows:>9,} rows {megabytes:>8.0f} MB with indexes")
    for name, milliseconds in pages_cost:
        print(f"{name:<28} {milliseconds:>8.1f} ms")
    ours.send(None)
    server.join(10)
    pages = -(-given.recipients // 1_000)
    cheap = nothing == 1 and moved <= pages + 4
    print("only what moved was read" if cheap else "MORE THAN WHAT MOVED WAS READ")
    return 0 if cheap else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
