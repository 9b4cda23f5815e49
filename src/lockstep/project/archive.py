"""A backup of a whole installation: every table of its database in one zip file, and nothing that runs code.

    manifest.json        format, version, migrations, per table its columns, rows and SHA-256; sequences
    tables/NAME.copy     the rows in PostgreSQL's COPY text format
    keys.json            the encryption keys, only where asked for

The schema is not in it: it comes from the migrations that the manifest names, so an archive can be
restored into any PostgreSQL version, without a superuser and without pg_dump, and by a newer Lockstep,
which then migrates on. Nothing is ever unpacked to a path that the archive names.
"""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.db import connection, transaction
from django.db.migrations.executor import MigrationExecutor
from psycopg import sql

from lockstep import __version__

__all__ = ["ArchiveError", "Summary", "backup", "check", "restore"]

FORMAT = 1
MANIFEST = "manifest.json"
KEYS = "keys.json"
CHUNK = 1 << 20
MOST_MANIFEST = 4 << 20
"""Bytes of a manifest or key file that are read at most."""

LEFT_OUT = frozenset({"django_migrations", "django_session", "usersessions_usersession", "accounts_cache"})
"""Not saved: the schema's own notes (the manifest has them), who was signed in, and counters of attempts."""

_RESTORING = 7_203_551_885


class ArchiveError(Exception):
    """It can't be saved or restored; the text says why, what was left as it is, and what to do."""


@dataclass(frozen=True, slots=True)
class Summary:
    """What an archive holds."""

    tables: int
    rows: int
    has_keys: bool
    version: str
    made_at: str


def backup(target: Path, *, keys: str = "") -> Summary:
    """Write the archive, as of one moment; `keys` go in as they are where given.

    Web and workers may go on meanwhile. The file gets its name when it is complete, is readable by its
    owner only, and is read back and checked. Raises ArchiveError where the name is taken, OSError.
    """
    if target.exists():
        raise ArchiveError(f"{target} is there already. Choose another name.")
    draft = target.with_name(target.name + ".part")
    draft.unlink(missing_ok=True)
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
                _write(archive, keys)
            file.flush()
            os.fsync(file.fileno())
        summary = check(draft)
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)
    return summary


def _write(archive: zipfile.ZipFile, keys: str) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        cursor.execute("SELECT now()")
        manifest: dict[str, Any] = {
            "format": FORMAT,
            "lockstep": __version__,
            "made_at": cursor.fetchone()[0].isoformat(),
            "migrations": _applied(cursor),
            "tables": {},
            "sequences": _sequences(cursor),
        }
        for table, columns in _tables(cursor).items():
            seen, rows = hashlib.sha256(), 0
            statement = sql.SQL("COPY {} ({}) TO STDOUT").format(
                sql.Identifier(table), sql.SQL(", ").join(map(sql.Identifier, columns))
            )
            name = f"tables/{table}.copy"
            with archive.open(name, "w", force_zip64=True) as out, cursor.cursor.copy(statement) as copy:
                for data in copy:
                    part = bytes(data)
                    rows += part.count(b"\n")  # COPY escapes line breaks inside of values
                    seen.update(part)
                    out.write(part)
            manifest["tables"][table] = {"columns": columns, "rows": rows, "sha256": seen.hexdigest()}
    if keys:
        archive.writestr(KEYS, json.dumps({"LOCKSTEP_ENCRYPTION_KEYS": keys}))
    archive.writestr(MANIFEST, json.dumps(manifest, indent=1))


def _applied(cursor: Any) -> list[list[str]]:
    cursor.execute("SELECT app, name FROM django_migrations ORDER BY id")
    return [list(row) for row in cursor.fetchall()]


def _tables(cursor: Any) -> dict[str, list[str]]:
    """Every table that is saved, with its columns; computed ones are computed again."""
    cursor.execute(
        """SELECT c.relname, array_agg(a.attname::text ORDER BY a.attnum)
           FROM pg_class c
           JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
           WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r' AND a.attgenerated = ''
           GROUP BY c.relname ORDER BY c.relname"""
    )
    return {name: columns for name, columns in cursor.fetchall() if name not in LEFT_OUT}


def _sequences(cursor: Any) -> dict[str, int]:
    cursor.execute(
        "SELECT sequencename, last_value FROM pg_sequences "
        "WHERE schemaname = current_schema() AND last_value IS NOT NULL ORDER BY 1"
    )
    return dict(cursor.fetchall())


# --- reading --------------------------------------------------------------------------------------


def check(path: Path) -> Summary:
    """Read the whole archive and compare it with its manifest. Raises ArchiveError for a broken one."""
    with _opened(path) as archive:
        manifest = _manifest(archive)
        for table, known in manifest["tables"].items():
            seen, rows = hashlib.sha256(), 0
            for part in _parts(archive, table):
                seen.update(part)
                rows += part.count(b"\n")
            if seen.hexdigest() != known["sha256"] or rows != known["rows"]:
                raise ArchiveError(f"{path} is damaged: its rows of {table} are not those that were saved.")
        return _summary(archive, manifest)


def _opened(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except (OSError, zipfile.BadZipFile) as error:
        raise ArchiveError(f"{path} is no backup of Lockstep, or it is cut off.") from error


def _manifest(archive: zipfile.ZipFile) -> dict[str, Any]:
    found: dict[str, Any] = _json(archive, MANIFEST)
    if found.get("format") != FORMAT:
        raise ArchiveError("This backup was made by a newer Lockstep. Update Lockstep first.")
    expected = {MANIFEST, *(f"tables/{name}.copy" for name in found["tables"])}
    if set(archive.namelist()) - {KEYS} != expected or len(archive.namelist()) != len(
        set(archive.namelist())
    ):
        raise ArchiveError("This backup holds something else than its manifest says.")
    return found


def _json(archive: zipfile.ZipFile, name: str) -> dict[str, Any]:
    try:
        with archive.open(name) as file:
            found = json.loads(file.read(MOST_MANIFEST))
    except (KeyError, ValueError, zipfile.BadZipFile) as error:
        raise ArchiveError("This is no backup of Lockstep.") from error
    if not isinstance(found, dict):
        raise ArchiveError("This is no backup of Lockstep.")
    return found


def _parts(archive: zipfile.ZipFile, table: str) -> Iterator[bytes]:
    try:
        with archive.open(f"tables/{table}.copy") as file:
            while part := file.read(CHUNK):
                yield part
    except (zipfile.BadZipFile, OSError, EOFError) as error:
        raise ArchiveError(f"The backup is damaged: its rows of {table} can't be read.") from error


def _summary(archive: zipfile.ZipFile, manifest: Mapping[str, Any]) -> Summary:
    return Summary(
        tables=len(manifest["tables"]),
        rows=sum(table["rows"] for table in manifest["tables"].values()),
        has_keys=KEYS in archive.namelist(),
        version=manifest["lockstep"],
        made_at=manifest["made_at"],
    )


def keys_in(path: Path) -> str:
    """The encryption keys of an archive; '' where it has none. Raises ArchiveError."""
    with _opened(path) as archive:
        return str(_json(archive, KEYS)["LOCKSTEP_ENCRYPTION_KEYS"]) if KEYS in archive.namelist() else ""


# --- restoring ------------------------------------------------------------------------------------


def restore(path: Path, *, replace: bool = False) -> Summary:
    """Make the database what the archive holds, then migrate it to what this Lockstep needs.

    Nothing is touched before the archive was read to its end. A database that holds any table is
    refused without `replace`, which drops them all. Raises ArchiveError, Django's database errors.
    """
    summary = check(path)
    with _opened(path) as archive, connection.cursor() as cursor:
        manifest = _manifest(archive)
        targets = _targets(manifest)
        cursor.execute("SELECT pg_advisory_lock(%s)", [_RESTORING])
        try:
            _refuse_company(cursor)
            _empty(cursor, replace=replace)
            executor = MigrationExecutor(connection)
            executor.migrate(targets)
            _load(archive, manifest)
            executor = MigrationExecutor(connection)
            executor.migrate(executor.loader.graph.leaf_nodes())
            cursor.execute("ANALYZE")
        finally:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [_RESTORING])
    return summary


def _targets(manifest: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The newest applied migrations of each app. Raises ArchiveError for those that this Lockstep lacks."""
    applied = {(app, name) for app, name in manifest["migrations"]}
    graph = MigrationExecutor(connection).loader.graph
    unknown = sorted(f"{app}.{name}" for app, name in applied if (app, name) not in graph.nodes)
    if unknown:
        raise ArchiveError(
            f"This backup is of a newer Lockstep ({manifest['lockstep']}), which knows {unknown[0]}. "
            "Update Lockstep first."
        )
    before = {
        parent for node in applied for parent in graph.node_map[node].parents if parent.key[0] == node[0]
    }
    return sorted(applied - {parent.key for parent in before})


def _refuse_company(cursor: Any) -> None:
    """Raise ArchiveError where web or workers are connected: they would write between the lines."""
    cursor.execute(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
        "AND application_name = 'lockstep' AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
    )
    others = cursor.fetchone()[0]
    if others:
        raise ArchiveError(
            f"Lockstep is at work on this database ({others} connections). Stop web and workers first."
        )


def _empty(cursor: Any, *, replace: bool) -> None:
    cursor.execute(
        "SELECT count(*), coalesce(max(current_schema()), '') FROM pg_class "
        "WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p', 'v')"
    )
    tables, schema = cursor.fetchone()
    if not tables:
        return
    if not replace:
        raise ArchiveError(
            f"The database is not empty ({tables} tables). Name an empty one in DATABASE_URL, or add "
            "--replace to delete everything in it first."
        )
    with transaction.atomic():
        name = sql.Identifier(schema).as_string(cursor.connection)
        cursor.execute(f"DROP SCHEMA {name} CASCADE")
        cursor.execute(f"CREATE SCHEMA {name}")


def _load(archive: zipfile.ZipFile, manifest: Mapping[str, Any]) -> None:
    """All rows in one transaction; foreign keys are checked at its end, our triggers rest meanwhile."""
    with transaction.atomic(), connection.cursor() as cursor:
        here = _tables(cursor)
        strange = sorted(set(manifest["tables"]) - set(here))
        if strange:
            raise ArchiveError(f"The backup holds a table that its migrations don't make: {strange[0]}.")
        raw = cursor.connection
        for table in here:
            cursor.execute(f"ALTER TABLE {sql.Identifier(table).as_string(raw)} DISABLE TRIGGER USER")
        names = ", ".join(sql.Identifier(table).as_string(raw) for table in here)
        cursor.execute(f"TRUNCATE {names} CASCADE")
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")
        for table in _parents_first(cursor, list(manifest["tables"])):
            columns = manifest["tables"][table]["columns"]
            if not set(columns) <= set(here[table]):
                raise ArchiveError(
                    f"The backup's rows of {table} have columns that its migrations don't make."
                )
            statement = sql.SQL("COPY {} ({}) FROM STDIN").format(
                sql.Identifier(table), sql.SQL(", ").join(map(sql.Identifier, columns))
            )
            with cursor.cursor.copy(statement) as copy:
                for part in _parts(archive, table):
                    copy.write(part)
        known = _all_sequences(cursor)
        for name, value in manifest["sequences"].items():
            if name in known:
                cursor.execute(
                    "SELECT setval(%s::regclass, %s)", [sql.Identifier(name).as_string(raw), int(value)]
                )
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        for table in here:
            cursor.execute(f"ALTER TABLE {sql.Identifier(table).as_string(raw)} ENABLE TRIGGER USER")


def _parents_first(cursor: Any, tables: list[str]) -> list[str]:
    """For the few foreign keys that can't be deferred: a table comes after those it refers to."""
    cursor.execute(
        "SELECT DISTINCT conrelid::regclass::text, confrelid::regclass::text FROM pg_constraint "
        "WHERE contype = 'f' AND NOT condeferrable AND conrelid <> confrelid"
    )
    needs: dict[str, set[str]] = {}
    for child, parent in cursor.fetchall():
        needs.setdefault(child, set()).add(parent)
    done: list[str] = []

    def add(table: str, above: tuple[str, ...] = ()) -> None:
        if table in done or table in above:
            return
        for parent in sorted(needs.get(table, set()) & set(tables)):
            add(parent, (*above, table))
        done.append(table)

    for table in tables:
        add(table)
    return done


def _all_sequences(cursor: Any) -> set[str]:
    cursor.execute("SELECT sequencename FROM pg_sequences WHERE schemaname = current_schema()")
    return {name for (name,) in cursor.fetchall()}
