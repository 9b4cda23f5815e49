"""Loading a file: from the file to the searchable book, by stage, with the peak of memory (T8).

The file is made up, the same for the same numbers: eight contacts a client, thirteen columns, one row in a
hundred that is refused. Each file goes into a company of its own, in an otherwise empty database.
What the worker does afterwards, the counts of filters (bits), stands beside it as “Counting”.
"""

from __future__ import annotations

import argparse
import csv
import os
import resource
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TARGETS = {100_000: 8.0, 1_000_000: 90.0}
"""Seconds by rows (T8)."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """What one load took."""

    rows: int
    seconds: float
    """From opening the file to the commit after which every search finds its rows."""
    stages: dict[str, float]
    """Seconds by stage, in order; “Counting” (the bits) comes after `seconds`."""
    peak_mib: float
    """Most memory this process has held, since it started."""
    refused: int
    statements: tuple[tuple[float, str], ...]
    """(seconds, beginning) of the SQL that took longest."""


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="lockstep bench imports")
    parser.add_argument("--rows", type=int, nargs="+", default=[100_000])
    parser.add_argument("--statements", type=int, default=0, help="the SQL that took longest, so many")
    options = parser.parse_args(arguments)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "lockstep.project.settings")
    os.environ.setdefault("LOCKSTEP_LOG_LEVEL", "ERROR")

    import django

    django.setup()
    from django.core.management import call_command

    call_command("migrate", interactive=False, verbosity=0)
    print(f"load {os.getloadavg()[0]:.1f}, {os.cpu_count()} cores\n")
    print("| rows | file to book | target | refused | peak of memory | stages |\n|---|---|---|---|---|---|")
    missed = 0
    for rows in options.rows:
        done = measure(rows)
        target = TARGETS.get(rows)
        missed += target is not None and done.seconds > target
        stages = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in done.stages.items())
        print(
            f"| {rows:,} | {done.seconds:.1f} s | {f'{target:.0f} s' if target else ''} | {done.refused:,}"
            f" | {done.peak_mib:.0f} MiB | {stages} |",
            flush=True,
        )
        for seconds, sql in done.statements[: options.statements]:
            print(f"    {seconds:6.2f} s  {sql}")
    print(f"\nload {os.getloadavg()[0]:.1f}")
    return 1 if missed else 0


def measure(rows: int) -> Loaded:
    """Load a made-up file of so many rows into a new company of the database; Django is set up."""
    from django.db import connection

    from lockstep.apps.accounts.permissions import Actor
    from lockstep.apps.accounts.services import create_company
    from lockstep.apps.book.services.imports import Progress, run_import, start_import
    from lockstep.apps.book.tallies.building import make_tallies

    company = create_company(name=f"Import {time.monotonic_ns()}")
    actor = Actor.lockstep(company)
    spent: Counter[str] = Counter()
    stages: dict[str, float] = {}
    stage, since = "Storing", 0.0

    def timed(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        begun = time.perf_counter()
        try:
            return execute(sql, params, many, context)
        finally:
            spent[" ".join(sql.split())[:100]] += time.perf_counter() - begun

    def tell(progress: Progress) -> None:
        nonlocal stage, since
        if progress.stage != stage:
            now = time.perf_counter()
            stages[stage] = stages.get(stage, 0.0) + now - since
            stage, since = progress.stage, now

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "contacts.csv"
        with path.open("w", encoding="utf-8", newline="") as out:
            csv.writer(out).writerows(made_up_rows(rows))
        begun = since = time.perf_counter()
        with connection.execute_wrapper(timed):
            with path.open("rb") as file:
                parent = start_import(actor, file, path.name, queue=False)
            done = run_import(parent.pk, progress=tell)
        seconds = time.perf_counter() - begun
    if done.error or done.counts["rows"] != rows:
        raise SystemExit(f"the import failed: {done.error or done.counts}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begun = time.perf_counter()
    make_tallies(company.pk)
    stages["Counting"] = time.perf_counter() - begun
    return Loaded(
        rows=rows,
        seconds=seconds,
        stages=stages,
        peak_mib=peak / (1024 * 1024 if sys.platform == "darwin" else 1024),
        refused=done.counts["refused_rows"],
        statements=tuple((took, sql) for sql, took in spent.most_common(20)),
    )


def made_up_rows(count: int) -> Iterator[tuple[str, ...]]:
    """The head and so many rows; one in a hundred says neither yes nor no under No Marketing."""
    from lockstep.apps.book import sample_names as words

    yield (
        "Client", "Account number", "First name", "Last name", "Position", "E-mail", "Phone", "Department",
        "Contact tags", "City", "State", "Status", "No Marketing",
    )  # fmt: skip
    first, last, names = words.FIRST_NAMES, words.LAST_NAMES, words.CLIENT_WORDS
    for n in range(count):
        client = n // 8
        place = words.PLACES[client % len(words.PLACES)]
        department, positions = words.POSITIONS[n % len(words.POSITIONS)]
        yield (
            f"{names[client % len(names)]} {client}",
            str(10_000 + client),
            first[n % len(first)],
            last[n * 7 % len(last)].replace("_", " "),
            positions[n % len(positions)],
            f"person{n}@client{client}.internal",
            f"+1 303 555 {n % 10_000:04}",
            department,
            words.CONTACT_TAGS[n % len(words.CONTACT_TAGS)] if n % 2 else "",
            place[0],
            place[1],
            ("Customer", "Prospect", "Partner")[client % 3],
            "perhaps" if n % 100 == 99 else "yes" if n % 25 == 0 else "",
        )
