"""``lockstep import``: a file of clients and contacts into the book, from the command line."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from lockstep.cli.failure import Failure
from lockstep.cli.surroundings import set_up_django, use_installation

if TYPE_CHECKING:
    from lockstep.apps.accounts.models import Company
    from lockstep.apps.accounts.permissions import Actor
    from lockstep.apps.book.models import Import
    from lockstep.apps.book.services.imports import Progress

__all__ = ["progress_line", "run", "summary"]


def run(arguments: Sequence[str]) -> int:
    """Load the file, show the progress, tell the numbers; refused rows go into a file beside it."""
    options = _parser().parse_args(arguments)
    file: Path = options.file
    if not file.is_file():
        raise Failure(f"there is no file {file}.")
    use_installation()
    os.environ.setdefault("LOCKSTEP_LOG_LEVEL", "WARNING")  # the person reads the progress instead
    set_up_django()

    from lockstep.apps.accounts.permissions import Actor
    from lockstep.apps.book.errors import BookError
    from lockstep.apps.book.services.imports import run_import, start_import

    actor = Actor.lockstep(_company(options.company))
    try:
        with file.open("rb") as opened:
            started = start_import(
                actor,
                opened,
                file.name,
                on_match=options.on_match,
                extra_tags=options.tag,
                lift_no_marketing=options.lift_no_marketing,
                dry_run=options.dry_run,
                queue=False,
            )
        done = run_import(started.pk, progress=_progress_to(sys.stderr))
    except BookError as error:
        raise Failure(str(error)) from error
    finally:
        if sys.stderr.isatty():
            sys.stderr.write("\r\033[K")
    if done.error:
        raise Failure(done.error)
    print(summary(done))
    if done.counts.get("refused_rows"):
        refused = options.refused or file.with_name(f"{file.stem}.refused.csv")
        _write_refused(actor, done, refused)
        print(f"\nThe refused rows, with the reasons, are in {refused}. Mend them there and load that file.")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="lockstep import",
        description="Load clients and contacts from a CSV or XLSX file. Columns are recognised by their "
        "names. Loading a file twice changes nothing.",
    )
    parser.add_argument("file", type=Path, help="the CSV or XLSX file, with a row of column names")
    parser.add_argument("--company", help="the company's name or number (needed where there are several)")
    parser.add_argument("--dry-run", action="store_true", help="check the file and tell what would change")
    parser.add_argument(
        "--on-match",
        choices=("overwrite", "fill", "skip"),
        default="overwrite",
        help="what happens to contacts that the book has already (default: overwrite)",
    )
    parser.add_argument(
        "--tag", action="append", default=[], help="a tag that every contact of the file gets; repeatable"
    )
    parser.add_argument(
        "--lift-no-marketing",
        action="store_true",
        help="let a “no” in the No Marketing column take the mark off (else a file can only set it)",
    )
    parser.add_argument("--refused", type=Path, help="where refused rows go (default: beside the file)")
    return parser


def _company(wanted: str | None) -> Company:
    from lockstep.apps.accounts.models import Company

    companies = list(Company.objects.order_by("id"))
    if wanted is not None:
        companies = [
            one for one in companies if str(one.pk) == wanted or one.name.casefold() == wanted.casefold()
        ]
        if not companies:
            raise Failure(f"there is no company {wanted!r}.")
    if len(companies) == 1:
        return companies[0]
    if not companies:
        raise Failure("there is no company yet; start Lockstep once (lockstep up).")
    names = ", ".join(f"{one.pk} ({one.name})" for one in companies)
    raise Failure(f"there are several companies, name one with --company: {names}.")


def _progress_to(stream: TextIO) -> Callable[[Progress], None]:
    """Shows the progress: on a terminal in one line, elsewhere every few seconds."""
    shown = 0.0

    def show(progress: Progress) -> None:
        nonlocal shown
        line = progress_line(progress)
        if stream.isatty():
            stream.write(f"\r\033[K{line}")
        elif time.monotonic() - shown > 5:
            shown = time.monotonic()
            stream.write(line + "\n")
        stream.flush()

    return show


def progress_line(progress: Progress) -> str:
    """One line about how far an import is."""
    return f"{progress.percent:3} %  {progress.stage}  {progress.rows:,} rows"


_NUMBERS = (
    ("new_contacts", "new contacts"),
    ("changed_contacts", "changed contacts"),
    ("unchanged_contacts", "unchanged contacts"),
    ("skipped_rows", "skipped, since the book has them"),
    ("merged_rows", "further rows of the same contact"),
    ("client_rows", "rows about a client alone"),
    ("refused_rows", "refused"),
)


def summary(done: Import) -> str:
    """The numbers of an import; those of its rows add up to all of them."""
    counts = done.counts
    lines = [f"{'Checked, nothing saved' if done.dry_run else 'Done'}: {counts['rows']:,} rows"]
    lines += [f"  {counts[key]:>9,}  {words}" for key, words in _NUMBERS if counts.get(key)]
    lines.append(
        f"{counts['new_clients']:,} new clients, {counts['changed_clients']:,} changed; "
        f"{counts['new_tags']:,} new tags; "
        f"{counts['without_email']:,} contacts without a usable e-mail address"
    )
    for warning in done.warnings:
        rows = ", ".join(str(row) for row in warning["rows"])
        lines.append(f"  note: {warning['text']} ({warning['count']:,} times, first in row {rows})")
    return "\n".join(lines)


def _write_refused(actor: Actor, done: Import, target: Path) -> None:
    from lockstep.apps.book.services.imports import refused_rows_csv

    with target.open("w", encoding="utf-8", newline="") as file:
        file.writelines(refused_rows_csv(actor, import_id=done.pk))
