"""Backup → wreck → restore, on a real PostgreSQL, by the commands as an operator types them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
import zipfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from tests.processes import database_url_of

pytestmark = [pytest.mark.postgres, pytest.mark.slow, pytest.mark.timeout(300)]

KEY = "b25seS1mb3ItdGVzdHMtMDEyMzQ1Njc4OTAxMjM0NTY="
OTHER_KEY = "YW5vdGhlci1rZXktMDEyMzQ1Njc4OTAxMjM0NTY3ODk="


class Installation:
    """A database of its own and the commands around it."""

    def __init__(self, server: str, folder: Path) -> None:
        from lockstep.project.environment import parse_database_url

        self._server, self._folder = server, folder
        self.name = "backup_" + uuid.uuid4().hex[:10]
        parts = parse_database_url(server)
        self.url = database_url_of(
            {
                "NAME": self.name,
                "USER": parts.user,
                "PASSWORD": parts.password,
                "HOST": parts.host,
                "PORT": parts.port,
            }
        )
        self.key = KEY
        self.make()

    def make(self) -> None:
        with psycopg.connect(self._server, autocommit=True) as wire:
            wire.execute(f"DROP DATABASE IF EXISTS {self.name} WITH (FORCE)")  # type: ignore[call-overload]
            wire.execute(f"CREATE DATABASE {self.name}")  # type: ignore[call-overload]

    def drop(self) -> None:
        with psycopg.connect(self._server, autocommit=True) as wire:
            wire.execute(f"DROP DATABASE IF EXISTS {self.name} WITH (FORCE)")  # type: ignore[call-overload]

    def run(self, *words: str, **more: str) -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, "-P", "-m", "lockstep.cli", *words],
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(self._folder),
                "DATABASE_URL": self.url,
                "LOCKSTEP_SECRET_KEY": "only-for-tests-" + "0123456789" * 4,
                "LOCKSTEP_ENCRYPTION_KEYS": self.key,
                **more,
            },
            cwd=self._folder,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr

    def rows(self) -> dict[str, list[str]]:
        """Every row of every table that a backup holds."""
        left = {"django_migrations", "django_session", "usersessions_usersession", "accounts_cache"}
        with psycopg.connect(self.url) as wire:
            tables = wire.execute(
                "SELECT table_name FROM information_schema.tables "
                "WHERE table_schema = 'public' AND table_type = 'BASE TABLE'"
            ).fetchall()
            return {
                name: sorted(row for (row,) in wire.execute(f'SELECT to_jsonb(t)::text FROM "{name}" t'))  # type: ignore[call-overload]
                for (name,) in tables
                if name not in left
            }

    def execute(self, statement: str) -> None:
        with psycopg.connect(self.url, autocommit=True) as wire:
            wire.execute(statement)  # type: ignore[call-overload]


@pytest.fixture
def installation(postgres_url: str, tmp_path: Path) -> Iterator[Installation]:
    made = Installation(postgres_url, tmp_path)
    yield made
    made.drop()


def test_backup_wreck_restore(installation: Installation, tmp_path: Path) -> None:
    file = tmp_path / "saved.zip"
    words = ("prepare", "--email", "kim@example.com")
    code, output = installation.run(*words, LOCKSTEP_FIRST_PASSWORD="correct horse battery")
    assert code == 0, output
    before = installation.rows()
    assert len(before["book_contact"]) > 1000
    code, output = installation.run("backup", str(file), "--json")
    assert code == 0, output
    assert json.loads(output)["rows"] == sum(map(len, before.values()))
    assert file.stat().st_mode & 0o077 == 0
    assert KEY not in file.read_bytes().decode("latin-1")
    assert installation.run("backup", str(file))[0] == 1  # an older backup is not written over

    code, output = installation.run("restore", str(file))
    assert (code, "not empty" in output) == (1, True)
    assert installation.rows() == before  # refused means untouched

    installation.execute("DELETE FROM book_contact; DROP TABLE sync_memberrecord CASCADE")
    code, output = installation.run("restore", str(file), "--replace")
    assert code == 0, output
    assert installation.rows() == before
    installation.make()  # and into an empty one
    code, output = installation.run("restore", str(file))
    assert code == 0, output
    assert installation.rows() == before
    # It lives: triggers are back (a change is captured), sequences go on, nothing is left to migrate.
    installation.execute(
        "UPDATE book_contact SET first_name = 'Somebody else' WHERE id = (SELECT min(id) FROM book_contact)"
    )
    assert len(installation.rows()["book_change"]) > len(before["book_change"])
    assert installation.run("user", "create", "lee@example.com")[0] == 0
    assert "The database is up to date." in installation.run("migrate")[1]


def test_what_is_damaged_or_strange_is_refused_untouched(installation: Installation, tmp_path: Path) -> None:
    assert installation.run("migrate")[0] == 0
    file, bent = tmp_path / "saved.zip", tmp_path / "bent.zip"
    assert installation.run("backup", str(file))[0] == 0
    before = installation.rows()

    def rewritten(change: dict[str, bytes]) -> None:
        with zipfile.ZipFile(file) as source, zipfile.ZipFile(bent, "w") as target:
            for name in source.namelist():
                target.writestr(name, change.pop(name, source.read(name)))
            for name, data in change.items():
                target.writestr(name, data)

    manifest = json.loads(zipfile.ZipFile(file).read("manifest.json"))
    newer = {**manifest, "migrations": [*manifest["migrations"], ["book", "9999_tomorrow"]]}
    for change, told in (
        ({"tables/accounts_company.copy": b"1\tx\n"}, "damaged"),
        ({"../../etc/cron.d/x": b"* * * * *"}, "something else"),
        ({"manifest.json": json.dumps(newer).encode()}, "newer Lockstep"),
        ({"manifest.json": json.dumps({**manifest, "format": 2}).encode()}, "newer Lockstep"),
        ({"manifest.json": b"[]"}, "no backup"),
    ):
        rewritten(dict(change))
        code, output = installation.run("restore", str(bent), "--replace")
        assert (code, told in output) == (1, True), output
    bent.write_bytes(file.read_bytes()[:-200])
    code, output = installation.run("restore", str(bent), "--check")
    assert (code, "cut off" in output) == (1, True), output
    assert installation.rows() == before


def test_restore_leaves_a_database_alone_that_is_at_work(installation: Installation, tmp_path: Path) -> None:
    assert installation.run("migrate")[0] == 0
    file = tmp_path / "saved.zip"
    assert installation.run("backup", str(file))[0] == 0
    with psycopg.connect(installation.url, application_name="lockstep"):
        code, output = installation.run("restore", str(file), "--replace")
    assert (code, "Stop web and workers" in output) == (1, True)


def test_keys_travel_only_when_asked_and_are_missed_aloud(installation: Installation, tmp_path: Path) -> None:
    assert installation.run("migrate")[0] == 0
    from cryptography.fernet import Fernet

    token = Fernet(KEY).encrypt(b"secret").hex()
    installation.execute(
        "INSERT INTO accounts_company (id, name, time_zone, default_country, default_role, "
        "require_second_factor, role_permissions, created_at) "
        "VALUES (1, 'A', '', '', 'sales', false, '{}', now());"
        "INSERT INTO connections_mailchimpaccount (company_id, auth_kind, secret, data_center, api_base, "
        "account_id, account_name, login_email, role, plan, broken_kind, broken_text, connected_at) "
        f"VALUES (1, 'api_key', decode('{token}', 'hex'), 'us1', 'https://x', "
        "'', '', '', '', '', '', '', now())"
    )
    file, keys = tmp_path / "saved.zip", tmp_path / "keys.env"
    assert installation.run("backup", str(file), "--with-keys")[0] == 0
    installation.key = OTHER_KEY
    code, output = installation.run("restore", str(file), "--replace", "--keys-to", str(keys))
    assert (code, "1 of 1 secrets can't be opened" in output) == (1, True), output
    assert keys.read_text() == f"LOCKSTEP_ENCRYPTION_KEYS={KEY}\n"
    assert keys.stat().st_mode & 0o077 == 0
    installation.key = f"{OTHER_KEY},{KEY}"
    assert installation.run("restore", str(file), "--replace")[0] == 0
    assert installation.run("rotate-key")[0] == 0
    installation.key = OTHER_KEY
    assert "They open all 1 secrets" in installation.run("doctor", "--offline")[1]


EARLIER = Path(__file__).parent / "samples" / "before-undo.zip"
"""A small installation as an earlier Lockstep left it: made with that version's own code (sync at migration
0004, book at 0006, accounts at 0001), with the sample book's first 25 clients and a sync of all of them."""


def test_an_upgrade_loses_nothing(installation: Installation) -> None:
    manifest = json.loads(zipfile.ZipFile(EARLIER).read("manifest.json"))
    assert ["sync", "0005_undo"] not in manifest["migrations"]  # else there is nothing to upgrade
    code, output = installation.run("restore", str(EARLIER))
    assert code == 0, output
    now = installation.rows()
    for table, saved in manifest["tables"].items():
        if table not in DERIVED:
            assert len(now[table]) == saved["rows"], table
    assert len(now["book_contact"]) > 100
    assert "The database is up to date." in installation.run("migrate")[1]
    code, output = installation.run("status", "--json")
    assert code == 0, output
    [company] = json.loads(output)
    [sync] = company["syncs"]
    assert sync["counts"]["synced"] == manifest["tables"]["sync_memberrecord"]["rows"] > 100
    with psycopg.connect(installation.url) as wire:
        found = wire.execute(
            "SELECT email FROM book_contact WHERE email <> '' ORDER BY id LIMIT 1"
        ).fetchone()
        assert found is not None
    assert installation.run("why", found[0])[0] == 0
    assert "They open all 2 secrets" in installation.run("doctor", "--offline")[1]


DERIVED = {"book_tally", "book_tallymark", "book_change", "auth_permission", "django_content_type"}
"""Counted anew, or noted anew, by later migrations and by what they touch."""
