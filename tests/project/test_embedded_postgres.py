"""The embedded PostgreSQL starts anywhere, keeps data, ends with its starter, and mends what a kill left."""

import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from lockstep.project.embedded_postgres import (
    EmbeddedPostgres,
    EmbeddedPostgresError,
    account,
    binaries,
    server,
)
from lockstep.project.embedded_postgres.leftovers import processes_of, wait_for

pytestmark = [pytest.mark.postgres, pytest.mark.slow]

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root has to switch to another account")

#: Starts a server on the folder given, tells its process number, and waits to be killed.
STARTER = """
import sys, time
from pathlib import Path
from lockstep.project import tether
from lockstep.project.embedded_postgres import EmbeddedPostgres
if sys.argv[2] == "untied":  # as on a system without death signals
    tied = tether.command
    tether.command = lambda program, *, at_death_of_parent, user=None: tied(
        program, at_death_of_parent=0, user=user)
postgres = EmbeddedPostgres(Path(sys.argv[1]), throw_away=True)
postgres.start()
print(postgres.pid, flush=True)
time.sleep(600)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    home = tmp_path / "postgres"
    yield home
    for process in processes_of(home / "cluster") if home.exists() else []:
        process.kill()
    if (home / "socket-folder").exists():
        shutil.rmtree((home / "socket-folder").read_text().strip(), ignore_errors=True)


def query(postgres: EmbeddedPostgres, statement: str, database: str = "postgres") -> object:
    with psycopg.connect(postgres.url(database), autocommit=True) as connection:
        cursor = connection.execute(statement)
        row = cursor.fetchone() if cursor.description else None
        return row[0] if row else None


def start_elsewhere(folder: Path, tied: str) -> tuple[subprocess.Popen[str], int]:
    """A launcher in a process of its own, and the number of the server that it started."""
    launcher = subprocess.Popen(
        [sys.executable, "-P", "-c", STARTER, str(folder), tied], stdout=subprocess.PIPE, text=True
    )
    assert launcher.stdout is not None
    return launcher, int(launcher.stdout.readline())


def kill(launcher: subprocess.Popen[str]) -> None:
    launcher.kill()
    launcher.wait()
    assert launcher.stdout is not None
    launcher.stdout.close()


def test_data_survive_a_restart_and_nothing_else_is_left(folder: Path) -> None:
    with EmbeddedPostgres(folder) as postgres:
        assert postgres.ensure_database("book")
        assert not postgres.ensure_database("book")
        query(postgres, "CREATE TABLE client (name text)", "book")
        query(postgres, "INSERT INTO client VALUES ('Zoë 🎈')", "book")
        sockets = Path((folder / "socket-folder").read_text().strip())
        pid = postgres.pid
    assert pid is not None
    assert not psutil.pid_exists(pid)
    assert not sockets.exists()
    with EmbeddedPostgres(folder) as postgres:
        assert query(postgres, "SELECT name FROM client", "book") == "Zoë 🎈"


def test_it_is_safe_closed_and_the_same_everywhere(folder: Path) -> None:
    with EmbeddedPostgres(folder) as postgres:
        shown = {
            name: query(postgres, f"SHOW {name}")
            for name in (
                "fsync",
                "synchronous_commit",
                "listen_addresses",
                "server_encoding",
                "max_connections",
            )
        }
        assert shown["fsync"] == shown["synchronous_commit"] == "on"
        assert shown["listen_addresses"] == ""
        assert shown["server_encoding"] == "UTF8"
        assert int(str(shown["max_connections"])) >= 100
        assert query(postgres, "SELECT lower('ÀÉ') || upper('ß')") == "àéß"
        assert query(postgres, "SELECT 'a' < 'B'") is False, "C.UTF-8 compares code points"
        sockets = Path((folder / "socket-folder").read_text().strip())
        assert stat.S_IMODE(sockets.stat().st_mode) == 0o700
        assert stat.S_IMODE((folder / "cluster").stat().st_mode) == 0o700
        assert len(str(sockets / ".s.PGSQL.5432")) <= 103


def test_the_log_says_nothing_about_people(folder: Path) -> None:
    with EmbeddedPostgres(folder, throw_away=True) as postgres:
        query(postgres, "CREATE TABLE person (email text UNIQUE)")
        query(postgres, "INSERT INTO person VALUES ('ann@example.com')")
        with pytest.raises(psycopg.errors.UniqueViolation):
            query(postgres, "INSERT INTO person VALUES ('ann@example.com')")
    log = (folder / "server.log").read_text()
    assert "duplicate key" in log
    assert "ann" not in log


@as_root
def test_root_runs_it_as_another_in_a_folder_closed_to_that_one(folder: Path) -> None:
    folder.parent.chmod(0o700)
    with EmbeddedPostgres(folder, throw_away=True) as postgres:
        assert postgres.pid is not None
        uid = psutil.Process(postgres.pid).uids().effective
        assert uid != 0
        assert (folder / "cluster").stat().st_uid == uid
        assert not account.can_reach(pwd.getpwuid(uid), folder / "cluster")
        assert query(postgres, "SELECT 1") == 1


@as_root
def test_programs_out_of_reach_are_copied_once_to_where_everybody_may_go(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_to_all = Path(tempfile.mkdtemp(prefix="lockstep-shared-"))
    open_to_all.chmod(0o755)
    shared = open_to_all / "lockstep"
    umask = os.umask(0o077)  # as lockstep up sets it
    try:
        installed = binaries.installed_binaries()
        real = account.can_reach

        def can_reach(who: pwd.struct_passwd, path: Path) -> bool:
            return path != installed.postgres and real(who, path)

        monkeypatch.setattr(binaries, "can_reach", can_reach)
        found = binaries.binaries_for(pwd.getpwnam("nobody"), shared)
        assert shared in found.folder.parents
        copied = found.postgres.stat().st_ino
        assert binaries.binaries_for(pwd.getpwnam("nobody"), shared).postgres.stat().st_ino == copied
        assert not list(shared.glob(".copying-*"))
        monkeypatch.setattr(server, "binaries_for", lambda _: found)
        with EmbeddedPostgres(folder, throw_away=True) as postgres:
            assert postgres.pid is not None
            assert psutil.Process(postgres.pid).exe() == str(found.postgres)
    finally:
        os.umask(umask)
        shutil.rmtree(open_to_all)


@as_root
def test_a_closed_place_for_the_copy_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binaries, "can_reach", lambda who, path: False)
    with pytest.raises(EmbeddedPostgresError, match="can't reach"):
        binaries.binaries_for(pwd.getpwnam("nobody"), tmp_path)


@as_root
def test_a_folder_from_another_machine_is_given_to_the_account_here(folder: Path) -> None:
    with EmbeddedPostgres(folder, throw_away=True):
        pass
    for path in [folder / "cluster", *(folder / "cluster").rglob("*")]:
        os.chown(path, 54321, 54321)
    with EmbeddedPostgres(folder, throw_away=True) as postgres:
        assert query(postgres, "SELECT 1") == 1


def test_another_users_folder_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "cluster").mkdir(parents=True)
    monkeypatch.setattr(os, "geteuid", lambda: (folder / "cluster").stat().st_uid + 1)
    with pytest.raises(EmbeddedPostgresError, match="belongs to user number"):
        account.server_account(folder / "cluster")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process of its parent's death")
def test_it_ends_with_a_killed_launcher(folder: Path) -> None:
    launcher, pid = start_elsewhere(folder, "tied")
    kill(launcher)
    assert wait_for(lambda: not psutil.pid_exists(pid), 30)
    assert not processes_of(folder / "cluster")


def test_an_orphan_of_a_killed_launcher_is_ended_at_the_next_start(folder: Path) -> None:
    launcher, orphan = start_elsewhere(folder, "untied")
    kill(launcher)
    assert psutil.pid_exists(orphan)
    heard: list[str] = []
    with EmbeddedPostgres(folder, throw_away=True, say=heard.append) as postgres:
        assert not psutil.pid_exists(orphan)
        assert query(postgres, "SELECT 1") == 1
    assert heard == ["Stopping a PostgreSQL that an earlier run left behind"]


def test_a_killed_server_recovers_what_was_confirmed(folder: Path) -> None:
    postgres = EmbeddedPostgres(folder)
    postgres.start()
    query(postgres, "CREATE TABLE confirmed AS SELECT 42 AS answer")
    address, pid = postgres.url(), postgres.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    assert wait_for(lambda: not postgres.is_running, 10)
    postgres.start()
    try:
        assert postgres.url() == address, "others know it by that"
        assert query(postgres, "SELECT answer FROM confirmed") == 42
    finally:
        postgres.stop()


def test_a_stale_note_that_names_an_unrelated_process_is_forgotten(folder: Path) -> None:
    with EmbeddedPostgres(folder, throw_away=True):
        note = (folder / "cluster" / "postmaster.pid").read_text().splitlines()
    note[0] = str(os.getpid())  # a number that was given to another program since
    (folder / "cluster" / "postmaster.pid").write_text("\n".join(note) + "\n")
    with EmbeddedPostgres(folder, throw_away=True) as postgres:
        assert query(postgres, "SELECT 1") == 1


def test_a_new_database_that_was_interrupted_is_begun_again(folder: Path) -> None:
    (folder / "cluster.new" / "base").mkdir(parents=True)
    (folder / "cluster.new" / "PG_VERSION").write_text("18\n")
    with EmbeddedPostgres(folder, throw_away=True) as postgres:
        assert query(postgres, "SELECT 1") == 1
    assert not (folder / "cluster.new").exists()


def test_a_long_temporary_path_does_not_break_the_socket(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = tmp_path / ("x" * 90)
    long.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    with EmbeddedPostgres(folder, throw_away=True) as postgres:
        assert query(postgres, "SELECT 1") == 1


def test_data_of_another_version_are_left_alone(folder: Path) -> None:
    (folder / "cluster").mkdir(parents=True)
    (folder / "cluster" / "PG_VERSION").write_text("15\n")
    with pytest.raises(EmbeddedPostgresError, match="made by PostgreSQL 15, and this Lockstep brings 18"):
        EmbeddedPostgres(folder).start()


def test_a_full_disk_is_told_before_anything_is_begun(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    full = shutil._ntuple_diskusage(10**9, 10**9 - 5_000_000, 5_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: full)
    with pytest.raises(EmbeddedPostgresError, match=r"No space left: .* has 5 MB free"):
        EmbeddedPostgres(folder).start()
    assert not (folder / "cluster").exists()


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ("initdb: error: could not write\nFATAL: x: No space left on device\n", "no space left on the disk"),
        ("LOG: hello\nFATAL:  lock file exists\nLOG: bye\n", "FATAL:  lock file exists"),
        ("LOG: only this\n", "LOG: only this"),
        ("", "it said nothing"),
    ],
)
def test_the_telling_line_of_an_output_is_found(output: str, expected: str) -> None:
    assert server._reason(output).startswith(expected)
