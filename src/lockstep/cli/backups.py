"""``lockstep backup``, ``restore`` and ``rotate-key``."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from lockstep.cli.failure import Failure
from lockstep.cli.surroundings import data_folder, set_up_django, use_installation

__all__ = ["backup", "restore", "rotate_key"]


def backup(arguments: Sequence[str]) -> int:
    """Save the whole installation into one file."""
    parser = argparse.ArgumentParser(
        prog="lockstep backup",
        description="Save every company's data into one file, as of one moment, while Lockstep goes on.",
    )
    parser.add_argument("file", type=Path, help="the file to make, such as lockstep-2030-01-31.zip")
    parser.add_argument(
        "--with-keys",
        action="store_true",
        help="put the encryption keys into it as well: whoever has the file then has the Mailchimp "
        "credentials. Without them, keep LOCKSTEP_ENCRYPTION_KEYS in another place.",
    )
    parser.add_argument("--json", action="store_true", help="for programs")
    options = parser.parse_args(arguments)
    with _installation():
        from django.conf import settings

        from lockstep.project import archive

        keys = ",".join(settings.LOCKSTEP_ENCRYPTION_KEYS) if options.with_keys else ""
        try:
            made = archive.backup(options.file.absolute(), keys=keys)
        except archive.ArchiveError as error:
            raise Failure(str(error)) from error
    if options.json:
        print(json.dumps({"file": str(options.file), **asdict(made)}, indent=2))
        return 0
    print(f"Saved {made.rows:,} rows of {made.tables} tables into {options.file}, and read them back.")
    if made.has_keys:
        print("The encryption keys are in it: guard the file as you guard them.")
    else:
        print("The encryption keys are not in it: without them, connections to Mailchimp can't be restored.")
    return 0


def restore(arguments: Sequence[str]) -> int:
    """Make an empty database what a backup holds; the exit code is 1 where secrets can't be opened."""
    parser = argparse.ArgumentParser(
        prog="lockstep restore",
        description="Load a backup into an empty database, and bring it up to date. "
        "Stop web and workers first.",
    )
    parser.add_argument("file", type=Path, help="what lockstep backup made")
    parser.add_argument(
        "--replace", action="store_true", help="delete everything that is in the database first"
    )
    parser.add_argument(
        "--check", action="store_true", help="only read the file and tell whether it is whole"
    )
    parser.add_argument(
        "--keys-to", type=Path, metavar="FILE", help="write the encryption keys of the backup into this file"
    )
    parser.add_argument("--json", action="store_true", help="for programs")
    options = parser.parse_args(arguments)
    with _installation():
        from lockstep.project import archive, sealed

        try:
            keys = archive.keys_in(options.file)
            if options.keys_to and not keys:
                raise Failure("there are no encryption keys in this backup.")
            found = (
                archive.check(options.file)
                if options.check
                else archive.restore(options.file, replace=options.replace)
            )
        except archive.ArchiveError as error:
            raise Failure(str(error)) from error
        if options.keys_to:
            with os.fdopen(os.open(options.keys_to, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
                out.write(f"LOCKSTEP_ENCRYPTION_KEYS={keys}\n")
        secrets, lost = (0, []) if options.check else sealed.unreadable()
    if options.json:
        print(json.dumps({**asdict(found), "checked_only": options.check, "unreadable": lost}, indent=2))
    else:
        done = "whole:" if options.check else "restored:"
        print(f"{options.file} is {done} {found.rows:,} rows of {found.tables} tables, of {found.made_at}.")
        if not options.check:
            print("Everybody signs in anew. Start web and workers; lockstep doctor tells how all stands.")
        if lost:
            where = "They are in the backup: --keys-to FILE. " if keys else ""
            print(
                f"{len(lost)} of {secrets} secrets can't be opened with LOCKSTEP_ENCRYPTION_KEYS: set the "
                f"keys of the installation that was saved. {where}"
            )
    return 1 if lost else 0


def rotate_key(arguments: Sequence[str]) -> int:
    """Put every stored secret under the first encryption key."""
    parser = argparse.ArgumentParser(
        prog="lockstep rotate-key",
        description="Encrypt every stored secret with the first of LOCKSTEP_ENCRYPTION_KEYS. First put a new "
        "key in front of the old ones on every host and restart; then run this; then take the old ones away. "
        "Interrupted, it is begun again.",
    )
    parser.add_argument("--new", action="store_true", help="only make a new key and print it")
    parser.add_argument("--json", action="store_true", help="for programs")
    options = parser.parse_args(arguments)
    if options.new:
        from cryptography.fernet import Fernet

        print(Fernet.generate_key().decode())
        return 0
    with _installation():
        from lockstep.project import sealed

        changed, kept, lost = sealed.rotate()
    if options.json:
        print(json.dumps({"changed": changed, "kept": kept, "unreadable": lost}, indent=2))
    else:
        print(f"{changed} secrets were put under the newest key; {kept} were already.")
        if lost:
            print(f"No key opens these, so they are as they were: {', '.join(lost)}. Connect them again.")
        else:
            print("The old keys are needed no more.")
    return 1 if lost else 0


@contextmanager
def _installation() -> Iterator[None]:
    """The database and Django; where the embedded PostgreSQL rests, it runs meanwhile."""
    from lockstep.project.data_folder import DataFolder, DataFolderError

    os.environ.setdefault("LOCKSTEP_LOG_LEVEL", "WARNING")
    folder = DataFolder(data_folder())
    rests = not os.environ.get("DATABASE_URL") and not folder.running()
    if not (rests and (folder.path / "secrets.json").exists()):
        use_installation()
        set_up_django()
        yield
        return
    from lockstep.project.embedded_postgres import EmbeddedPostgres, EmbeddedPostgresError

    try:
        folder.acquire()
        with EmbeddedPostgres(folder.path / "postgres") as postgres:
            postgres.ensure_database()
            os.environ["DATABASE_URL"] = postgres.url()
            use_installation()
            set_up_django()
            from django.db import connections

            try:
                yield
            finally:
                connections.close_all()
    except (DataFolderError, EmbeddedPostgresError) as error:
        raise Failure(str(error)) from error
    finally:
        folder.release()
