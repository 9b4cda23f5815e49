"""``lockstep doctor``: looks at everything that a running installation needs, and says what to do."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from lockstep.cli.surroundings import set_up_django, use_installation

__all__ = ["Finding", "run"]

GOOD, CARE, BAD = "good", "care", "bad"
SLOW_SECONDS = 60
"""A job that could run and has waited for longer tells of too few workers, or of none that lives."""
CLOCK_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at: `verdict` is good, care or bad; `todo` is '' where nothing is to be done."""

    what: str
    verdict: str
    text: str
    todo: str = ""


def run(arguments: Sequence[str]) -> int:
    """Print every finding; the exit code is 1 where one of them is bad."""
    parser = argparse.ArgumentParser(
        prog="lockstep doctor",
        description="Look at database, queue, workers, clock, keys, webhooks, audience fields and drift.",
    )
    parser.add_argument("--offline", action="store_true", help="don't ask Mailchimp anything")
    parser.add_argument("--json", action="store_true", help="for programs")
    options = parser.parse_args(arguments)
    use_installation()
    os.environ.setdefault("LOCKSTEP_LOG_LEVEL", "ERROR")
    set_up_django()
    findings = list(_findings(ask_mailchimp=not options.offline))
    if options.json:
        print(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        for finding in findings:
            print(f"{finding.verdict:<5} {finding.what:<22} {finding.text}")
            if finding.todo:
                print(f"{'':28} → {finding.todo}")
    return 1 if any(finding.verdict == BAD for finding in findings) else 0


def _findings(*, ask_mailchimp: bool) -> Iterator[Finding]:
    from django.db import DatabaseError, connection

    from lockstep.project import vital_signs

    try:
        connection.ensure_connection()
    except DatabaseError as error:
        yield Finding("database", BAD, str(error).splitlines()[0], "Start it, or correct DATABASE_URL.")
        return
    version = connection.pg_version  # type: ignore[attr-defined]  # PostgreSQL's wrapper has it
    yield (
        Finding("database", GOOD, f"PostgreSQL {version // 10000}.{version % 10000} answers.")
        if version >= 150000
        else Finding("database", BAD, f"PostgreSQL {version // 10000} is too old.", "Use 15 or newer.")
    )
    missing = vital_signs.missing_migrations()
    if missing:
        yield Finding("migrations", BAD, f"{missing} are missing.", "Run lockstep migrate.")
        return
    yield Finding("migrations", GOOD, "All are applied.")
    yield from _work()
    off = abs((datetime.now(UTC) - vital_signs.database_now()).total_seconds())
    yield (
        Finding("clock", GOOD, f"{off:.1f} s from the database's.")
        if off <= CLOCK_SECONDS
        else Finding(
            "clock", BAD, f"{off:.0f} s from the database's.", "Set both by NTP: links and polls need it."
        )
    )
    yield _keys()
    yield from _connections(ask_mailchimp)


def _work() -> Iterator[Finding]:
    from lockstep.project import vital_signs

    alive = vital_signs.workers_alive()
    yield (
        Finding("workers", GOOD, f"{alive} alive.")
        if alive
        else Finding(
            "workers", BAD, "None was heard of lately.", "Start lockstep worker and look at its log."
        )
    )
    queue = vital_signs.queue()
    text = f"{queue.waiting} waiting, {queue.doing} being done, the oldest for {queue.oldest:.0f} s."
    yield (
        Finding("queue", GOOD, text)
        if queue.oldest <= SLOW_SECONDS
        else Finding(
            "queue", BAD if not alive else CARE, text, "Start more workers, or find out what holds them."
        )
    )
    if queue.failed:
        yield Finding(
            "failed jobs",
            CARE,
            f"{queue.failed} jobs ended by a fault of Lockstep.",
            "Look for level=error in the workers' logs and report it.",
        )


def _keys() -> Finding:
    from lockstep.project import sealed

    total, lost = sealed.unreadable()
    if lost:
        return Finding(
            "encryption keys",
            BAD,
            f"{len(lost)} of {total} secrets can't be opened: {', '.join(lost[:5])}.",
            "Put the key that sealed them behind the first of LOCKSTEP_ENCRYPTION_KEYS, or connect anew.",
        )
    return Finding("encryption keys", GOOD, f"They open all {total} secrets.")


def _connections(ask_mailchimp: bool) -> Iterator[Finding]:
    from lockstep.apps.accounts.permissions import Actor
    from lockstep.apps.connections.errors import ConnectError
    from lockstep.apps.connections.models import Connection
    from lockstep.apps.connections.queries.preflight import Verdict, preflight
    from lockstep.core.errors import ConnectionBroken
    from lockstep.project import vital_signs

    at_work = Connection.objects.exclude(mode=Connection.Mode.OFF).filter(account__disconnected_at=None)
    for one in at_work.select_related("account", "company").order_by("id"):
        name = f"sync {one.pk}"
        broken = one.broken_text or one.account.broken_text
        if broken:
            yield Finding(name, BAD, f"Paused: {broken}", "Settings, Mailchimp says how to go on.")
        if one.webhook_trouble:
            yield Finding(
                f"{name} webhook",
                CARE,
                one.webhook_trouble,
                "Polling does the work; make LOCKSTEP_BASE_URL reachable for Mailchimp to hear at once.",
            )
        elif one.webhook_id:
            yield Finding(f"{name} webhook", GOOD, "It is registered.")
        else:
            yield Finding(f"{name} webhook", CARE, "It is not registered yet.", "The worker tries each hour.")
        drift = vital_signs.drift(one.pk)
        if drift:
            yield Finding(
                f"{name} drift",
                CARE,
                f"The last daily audit had to change {drift:,} members.",
                "Somebody, or another program, changes our audience fields in Mailchimp.",
            )
        elif drift == 0:
            yield Finding(f"{name} drift", GOOD, "None at the last daily audit.")
        if not ask_mailchimp or broken:
            continue
        try:
            for check in preflight(Actor.lockstep(one.company), one):
                if check.verdict in {Verdict.BAD, Verdict.CARE}:
                    words = (BAD if check.verdict is Verdict.BAD else CARE, check.title + ".", check.text)
                    yield Finding(f"{name} {check.kind.value}", *words)
            yield Finding(f"{name} Mailchimp", GOOD, "The login works and the audience answers.")
        except (ConnectError, ConnectionBroken) as error:
            yield Finding(f"{name} Mailchimp", BAD, str(error), "Look at the page of the connection.")
