"""``lockstep plan``: what a sync would do, without doing it."""

from __future__ import annotations

import argparse
import csv
import json
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lockstep.cli.choosing import add_company_option, company_named, connection_named
from lockstep.cli.failure import Failure
from lockstep.cli.surroundings import set_up_django, use_installation

if TYPE_CHECKING:
    from lockstep.apps.sync.models import SyncRun

__all__ = ["run"]


def run(arguments: Sequence[str]) -> int:
    """Have a worker read the audience and plan; print the counts, and the rows where asked for."""
    parser = argparse.ArgumentParser(
        prog="lockstep plan",
        description="Tell what a sync would add, change and leave; nothing is sent. A worker does it.",
    )
    parser.add_argument("--audience", metavar="NAME", help="the audience's name or the sync's number")
    add_company_option(parser)
    parser.add_argument(
        "--rows", action="store_true", help="every contact that would be written, with old and new"
    )
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write all rows into a file")
    parser.add_argument("--wait", type=float, default=600, metavar="SECONDS", help="patience (default: 600)")
    parser.add_argument("--json", action="store_true", help="for programs")
    options = parser.parse_args(arguments)
    if options.csv and options.csv.exists():
        raise Failure(f"{options.csv} is there already; choose another name.")
    use_installation()
    os.environ.setdefault("LOCKSTEP_LOG_LEVEL", "WARNING")
    set_up_django()

    from lockstep.apps.accounts.permissions import Actor
    from lockstep.apps.sync.queries import plan_counts
    from lockstep.apps.sync.services import SyncRefused, start_preview

    company = company_named(options.company)
    connection = connection_named(company, options.audience)
    try:
        asked = start_preview(Actor.lockstep(company), connection)
    except SyncRefused as error:
        raise Failure(str(error)) from error
    planned = _wait(asked.pk, options.wait)
    counts = plan_counts(planned)
    rows = [row for row in _rows(planned) if row["step"] != "unchanged"] if options.rows else []
    if options.csv:
        _write_csv(planned, options.csv)
    if options.json:
        told = {"run": planned.pk, "audience": connection.list_name, "counts": counts, "plan": planned.plan}
        print(json.dumps({**told, "rows": rows} if options.rows else told, indent=2))
        return 0
    words = dict(planned.rows.model.Step.choices)
    print(f"{connection.list_name}: dry run {planned.pk}, {planned.observed:,} members read")
    for step, number in counts.items():
        print(f"  {number:>9,}  {words[step]}")
    for trip in planned.plan.get("guards", []):
        print(f"  GUARD: {trip['text']}")
    for row in rows:
        changed = "; ".join(f"{name}: {old!r} → {new!r}" for name, (old, new) in row["fields"].items())
        print(f"  {words[row['step']]}: {row['name']} <{row['email']}> {changed} {row['note']}".rstrip())
    return 0


def _wait(run_id: int, patience: float) -> SyncRun:
    """The dry run once it has ended. Raises Failure."""
    from lockstep.apps.sync.models import SyncRun

    deadline = time.monotonic() + patience
    while True:
        planned = SyncRun.objects.get(pk=run_id)
        if planned.state == SyncRun.State.FINISHED:
            return planned
        if not planned.open:
            raise Failure(planned.error_text or "the dry run was stopped.")
        if time.monotonic() > deadline:
            raise Failure("no worker has planned it in time. Does one run? lockstep doctor tells.")
        time.sleep(0.2)


def _rows(planned: SyncRun) -> Iterator[dict[str, Any]]:
    from lockstep.apps.sync.queries import every_plan_row

    for row in every_plan_row(planned):
        yield {
            "contact": row.contact_id,
            "name": row.name,
            "client": row.client,
            "email": row.email,
            "step": row.step,
            "fields": row.differing,
            "note": row.text,
        }


def _write_csv(planned: SyncRun, target: Path) -> None:
    from lockstep.apps.book.services.imports.formulas import safe_cell

    with target.open("x", encoding="utf-8-sig", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(
            ["Contact", "Client", "E-mail", "What", "Field", "In Mailchimp now", "After the sync", "Note"]
        )
        for row in _rows(planned):
            who = [row["name"], row["client"], row["email"], row["step"]]
            for name, (old, new) in row["fields"].items() or [("", ("", ""))]:
                writer.writerow([safe_cell(cell) for cell in (*who, name, old, new, row["note"])])
