"""``lockstep export``."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from lockstep.cli.choosing import add_company_option, company_named
from lockstep.cli.failure import Failure
from lockstep.cli.surroundings import set_up_django, use_installation

__all__ = ["run"]


def run(arguments: Sequence[str]) -> int:
    """Write a company's clients and contacts into a file that an import reads back."""
    parser = argparse.ArgumentParser(
        prog="lockstep export",
        description="Write all clients and contacts of a company as .csv or .xlsx: the columns of an import, "
        "safe to open in a spreadsheet.",
    )
    parser.add_argument("file", type=Path, help="the .csv or .xlsx file to make; - is CSV to the terminal")
    add_company_option(parser)
    parser.add_argument("--json", action="store_true", help="tell programs what was written")
    options = parser.parse_args(arguments)
    to_terminal = str(options.file) == "-"
    if to_terminal and options.json:
        raise Failure("--json tells about a file; with - the export itself goes to the terminal.")
    if not to_terminal and options.file.suffix.lower() not in {".csv", ".xlsx"}:
        raise Failure("the file's name must end with .csv or .xlsx.")
    if not to_terminal and options.file.exists():
        raise Failure(f"{options.file} is there already; choose another name.")
    use_installation()
    os.environ.setdefault("LOCKSTEP_LOG_LEVEL", "WARNING")
    set_up_django()

    from lockstep.apps.accounts.permissions import Actor
    from lockstep.apps.book.services import contacts_csv, contacts_xlsx

    actor = Actor.lockstep(company_named(options.company))
    if to_terminal:
        for line in contacts_csv(actor):
            sys.stdout.write(line)
        return 0
    draft = options.file.with_name(options.file.name + ".part")
    draft.unlink(missing_ok=True)
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
            if options.file.suffix.lower() == ".xlsx":
                out.writelines(contacts_xlsx(actor))
            else:
                out.writelines(line.encode() for line in contacts_csv(actor))
        draft.replace(options.file)
    finally:
        draft.unlink(missing_ok=True)
    if options.json:
        print(json.dumps({"file": str(options.file), "bytes": options.file.stat().st_size}, indent=2))
        return 0
    print(f"Wrote {options.file} ({options.file.stat().st_size:,} bytes).")
    return 0
