"""``lockstep import``."""

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lockstep.cli.choosing import add_company_option, company_named
from lockstep.cli.failure import Failure
from lockstep.cli.surroundings import set_up_django, use_installation

if TYPE_CHECKING:
    from lockstep.apps.book.services.imports import Progress

__all__ = ["run"]


def run(arguments: Sequence[str]) -> int:
    """Load a file into a company's book; the exit code is 1 where rows were refused."""
    parser = argparse.ArgumentParser(
        prog="lockstep import",
        description="Load clients and contacts from a .csv or .xlsx file. Columns are known by their names. "
        "Loading the same file again changes nothing.",
    )
    parser.add_argument("file", type=Path, help="the .csv or .xlsx file")
    add_company_option(parser)
    parser.add_argument("--dry-run", action="store_true", help="tell what would happen, and save nothing")
    parser.add_argument(
        "--on-match",
        choices=["overwrite", "fill", "skip"],
        default="overwrite",
        help="for contacts that are there already: overwrite with the file, fill empty fields only, or skip",
    )
    parser.add_argument("--tag", action="append", default=[], help="a tag for every contact; may be repeated")
    parser.add_argument(
        "--lift-no-marketing", action="store_true", help="let a “no” take the No Marketing mark off"
    )
    parser.add_argument(
        "--refused",
        type=Path,
        metavar="FILE",
        help="where refused rows go (default: NAME.refused.csv beside it)",
    )
    parser.add_argument("--json", action="store_true", help="for programs")
    options = parser.parse_args(arguments)
    if not options.file.is_file():
        raise Failure(f"there is no file {options.file}.")
    use_installation()
    os.environ.setdefault("LOCKSTEP_LOG_LEVEL", "WARNING")  # the person reads the progress instead
    set_up_django()

    from lockstep.apps.accounts.permissions import Actor
    from lockstep.apps.book.errors import BookError
    from lockstep.apps.book.services.imports import refused_rows_csv, run_import, start_import

    actor = Actor.lockstep(company_named(options.company))
    begun = time.monotonic()
    try:
        with options.file.open("rb") as file:
            parent = start_import(
                actor,
                file,
                options.file.name,
                on_match=options.on_match,
                extra_tags=options.tag,
                lift_no_marketing=options.lift_no_marketing,
                dry_run=options.dry_run,
                queue=False,
            )
        parent = run_import(parent.pk, progress=_ProgressLine())
    except BookError as error:
        raise Failure(str(error)) from error
    if parent.error:
        raise Failure(parent.error)

    refused, target = parent.counts["refused_rows"], None
    if refused:
        target = options.refused or options.file.with_name(f"{options.file.stem}.refused.csv")
        with target.open("w", encoding="utf-8", newline="") as out:
            out.writelines(refused_rows_csv(actor, import_id=parent.pk))
    if options.json:
        told = {
            "import": parent.pk,
            "dry_run": parent.dry_run,
            "counts": parent.counts,
            "warnings": parent.warnings,
            "refused": str(target) if target else None,
            "seconds": round(time.monotonic() - begun, 1),
        }
        print(json.dumps(told, indent=2))
        return 1 if refused else 0
    for line in _summary(parent.counts, dry_run=parent.dry_run):
        print(line)
    for warning in parent.warnings:
        rows = ", ".join(f"{row:,}" for row in warning["rows"])
        more = ", …" if warning["count"] > len(warning["rows"]) else ""
        print(f"  note: {warning['text']} ({_counted(warning['count'], 'row')}: {rows}{more})")
    if refused:
        print(f"{_counted(refused, 'row')} refused; mend and load {target}")
    print(f"{time.monotonic() - begun:.1f} s")
    return 1 if refused else 0


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _summary(counts: dict[str, int], *, dry_run: bool) -> list[str]:
    """What happened, or would; every row is in one line."""
    parts = (
        ("new_contacts", "new contacts"),
        ("changed_contacts", "contacts changed"),
        ("unchanged_contacts", "contacts as they were"),
        ("skipped_rows", "skipped"),
        ("merged_rows", "rows of a contact that another row named already"),
        ("client_rows", "rows about a client alone"),
        ("refused_rows", "refused"),
    )
    said = [f"{counts[key]:,} {words}" for key, words in parts if counts[key]]
    lines = [f"{_counted(counts['rows'], 'row')} = {' + '.join(said) or 'nothing'}"]
    beside = [
        f"{counts[key]:,} {words}"
        for key, words in (
            ("new_clients", "new clients"),
            ("changed_clients", "clients changed"),
            ("new_list_values", "new list values"),
            ("new_tags", "new tags"),
            ("without_email", "contacts without a usable e-mail address"),
            ("no_marketing", "contacts with No Marketing"),
        )
        if counts[key]
    ]
    if beside:
        lines.append("with " + ", ".join(beside))
    if dry_run:
        lines.append("Nothing was saved: this was a dry run.")
    return lines


class _ProgressLine:
    """One line that is written over at a terminal; a line every few seconds anywhere else."""

    def __init__(self) -> None:
        self._on_terminal = sys.stderr.isatty()
        self._shown = 0.0

    def __call__(self, progress: "Progress") -> None:
        line = f"{progress.percent:3} %  {progress.stage}  {_counted(progress.rows, 'row')}"
        if self._on_terminal:
            end = "\n" if progress.percent >= 100 else ""
            print(f"\r\x1b[2K{line}", end=end, file=sys.stderr, flush=True)
        elif time.monotonic() - self._shown > 5:
            self._shown = time.monotonic()
            print(line, file=sys.stderr, flush=True)
