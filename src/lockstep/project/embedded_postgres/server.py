"""Starts, watches and stops the embedded PostgreSQL of one folder."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import IO
from urllib.parse import quote

from lockstep.project import tether
from lockstep.project.embedded_postgres import leftovers, options
from lockstep.project.embedded_postgres.account import give_to, server_account
from lockstep.project.embedded_postgres.binaries import Binaries, binaries_for
from lockstep.project.embedded_postgres.errors import EmbeddedPostgresError

__all__ = ["EmbeddedPostgres"]

#: The database superuser's name inside the cluster; the socket's folder is what keeps others out.
_SUPERUSER = "lockstep"

#: Free bytes below which a new cluster is not begun, and an old one not started.
_ROOM_FOR_NEW = 200 * 1024 * 1024
_ROOM_FOR_OLD = 30 * 1024 * 1024

#: The longest socket path that every system takes (sun_path less its end, macOS being the shortest with 104).
_LONGEST_SOCKET = 103

_SECONDS_TO_START = 120.0
_SECONDS_TO_STOP = 30.0


class EmbeddedPostgres:
    """One PostgreSQL server on one folder, ending with the process that started it.

    The folder holds ``cluster`` (PostgreSQL's data), ``server.log`` and ``socket-folder``, a note of
    where the socket is: in a short temporary path that only the server's account and root can enter,
    since paths of sockets are limited to about a hundred bytes. Nothing listens on the network.

    Whoever starts it holds a lock on the folder (see ``data_folder``); two servers on one cluster are
    refused by PostgreSQL itself, but less clearly. Where the machine allows it, the kernel shuts the
    server down when its starter dies; where not, the next start does.
    """

    def __init__(
        self, folder: Path, *, throw_away: bool = False, say: Callable[[str], None] = lambda _: None
    ) -> None:
        """Nothing is touched yet. ``throw_away``: fast and unsafe, for tests. ``say`` hears of long steps."""
        self.folder = folder
        self.cluster = folder / "cluster"
        self.log = folder / "server.log"
        self._throw_away = throw_away
        self._say = say
        self._socket_folder = ""
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "EmbeddedPostgres":
        """Start it."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop it, whatever happened inside."""
        self.stop()

    # --- What others need to know -----------------------------------------------------------------

    @property
    def is_running(self) -> bool:
        """Whether the server that we started has not ended."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int | None:
        """The postmaster's process number while it runs."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def url(self, database: str = "lockstep") -> str:
        """The ``DATABASE_URL`` of one of its databases."""
        return f"postgres://{_SUPERUSER}@/{quote(database)}?host={quote(self._socket_folder, safe='')}"

    # --- Start ------------------------------------------------------------------------------------

    def start(self) -> None:
        """Bring the server up, making the cluster first where there is none; returns when it takes
        connections.

        Raises EmbeddedPostgresError with a reason for people.
        """
        self._refuse_other_version()
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._check_room()
        account = server_account(self.cluster)
        user = account.pw_uid if account else None
        binaries = binaries_for(account)
        if self.cluster.exists():
            give_to(account, self.cluster)
            leftovers.clear_leftovers(self.cluster, say=self._say)
        else:
            self._make_cluster(binaries, user)
        self._make_socket_folder(user)
        settings = (
            options.throw_away_options(self._socket_folder)
            if self._throw_away
            else options.durable_options(self._socket_folder, options.memory_of_machine())
        )
        arguments = [item for name, value in settings.items() for item in ("-c", f"{name}={value}")]
        with self._open_log() as log:
            self._process = subprocess.Popen(  # noqa: S603 -- our own binary, our own arguments
                tether.command(
                    [str(binaries.postgres), "-D", _reachable(self.cluster, user), *arguments],
                    at_death_of_parent=signal.SIGINT,  # fast shutdown
                    user=user,
                ),
                cwd=self.cluster,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=_clean_environment(),
            )
        leftovers.wait_for(lambda: self._is_ready() or not self.is_running, _SECONDS_TO_START)
        if not self._is_ready():
            self.stop()
            raise EmbeddedPostgresError(f"PostgreSQL did not start: {self._last_words()}")

    def _is_ready(self) -> bool:
        """Whether our server takes connections; a crashed one leaves a note that says so of itself."""
        return (
            self.is_running
            and leftovers.postmaster_pid(self.cluster) == self.pid
            and leftovers.postmaster_status(self.cluster) == "ready"
        )

    def _refuse_other_version(self) -> None:
        try:
            made_by = (self.cluster / "PG_VERSION").read_text().strip()
        except FileNotFoundError:
            return
        if made_by != str(Binaries.major):
            raise EmbeddedPostgresError(
                f"{self.cluster} was made by PostgreSQL {made_by}, and this Lockstep brings "
                f"{Binaries.major}. "
                "Start the Lockstep that made it, save the data with pg_dump, and load it into a new folder."
            )

    def _check_room(self) -> None:
        needed = _ROOM_FOR_OLD if self.cluster.exists() else _ROOM_FOR_NEW
        free = shutil.disk_usage(self.folder).free
        if free < needed:
            raise EmbeddedPostgresError(
                f"No space left: {self.folder} has {free // 1_000_000} MB free and PostgreSQL needs at least "
                f"{needed // 1_000_000} MB. Make room, or choose another disk with --data."
            )

    def _make_cluster(self, binaries: Binaries, user: int | None) -> None:
        """Run initdb on a draft that gets its name when complete, so that a broken one is simply redone."""
        self._say("Making a new database")
        draft = self.folder / "cluster.new"
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700)
        if user is not None:
            os.chown(draft, user, -1)
        made = subprocess.run(  # noqa: S603 -- our own binary, our own arguments
            tether.command(
                [
                    str(binaries.initdb),
                    *("-D", _reachable(draft, user)),
                    *("-U", _SUPERUSER),
                    "--auth=trust",
                    "--encoding=UTF8",
                    # The same order and case rules on every machine, whatever its C library or ICU.
                    *("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"),
                    "--no-instructions",
                    *(["--no-sync"] if self._throw_away else []),
                ],
                at_death_of_parent=signal.SIGTERM,
                user=user,
            ),
            cwd=draft,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            env=_clean_environment(),
            check=False,
        )
        if made.returncode != 0:
            shutil.rmtree(draft, ignore_errors=True)
            reason = _reason(made.stderr or made.stdout)
            raise EmbeddedPostgresError(f"A new database could not be made in {self.folder}: {reason}")
        draft.rename(self.cluster)

    def _make_socket_folder(self, user: int | None) -> None:
        if self._socket_folder and Path(self._socket_folder).is_dir():
            return  # started again after a crash: the address that others know stays true
        note = self.folder / "socket-folder"
        if note.exists():
            _remove_socket_folder(Path(note.read_text().strip()))
        parent = tempfile.gettempdir()
        if len(f"{parent}/lockstep-01234567/.s.PGSQL.5432.lock") > _LONGEST_SOCKET:
            parent = "/tmp"  # noqa: S108 -- mkdtemp makes a folder of our own in it
        self._socket_folder = tempfile.mkdtemp(prefix="lockstep-", dir=parent)
        if user is not None:
            os.chown(self._socket_folder, user, -1)
        note.write_text(self._socket_folder + "\n")

    def _open_log(self) -> IO[bytes]:
        if self.log.exists() and self.log.stat().st_size > 5_000_000:
            self.log.replace(self.log.with_suffix(".log.1"))
        return self.log.open("ab")

    def _last_words(self) -> str:
        try:
            return _reason(self.log.read_text(errors="replace"))
        except FileNotFoundError:
            return "it left no log"

    # --- Stop -------------------------------------------------------------------------------------

    def stop(self) -> None:
        """Shut down and clean up; returns when no process of it is left. Harmless where it does not run."""
        process = self._process
        if process is not None and process.poll() is None:
            for stop_signal, patience in (
                (signal.SIGINT, _SECONDS_TO_STOP),  # fast: ends connections, writes a checkpoint
                (signal.SIGQUIT, 5.0),  # at once; recovered from at the next start
                (signal.SIGKILL, 5.0),
            ):
                process.send_signal(stop_signal)
                try:
                    process.wait(patience)
                    break
                except subprocess.TimeoutExpired:
                    continue
        self._process = None
        if self._socket_folder:
            _remove_socket_folder(Path(self._socket_folder))
            (self.folder / "socket-folder").unlink(missing_ok=True)
            self._socket_folder = ""

    # --- A database in it -------------------------------------------------------------------------

    def ensure_database(self, name: str = "lockstep") -> bool:
        """Create the database where it does not exist yet; whether it was created."""
        import psycopg
        from psycopg import sql

        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            exists = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone()
            if exists:
                return False
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
            return True


def _reachable(cluster: Path, user: int | None) -> str:
    """The cluster's path as the server's account can enter it.

    Another account may not be allowed through the folders above (a clone below /root, a closed data
    folder). The server starts with the cluster as its working directory, and the kernel's link to that
    leads straight there.
    """
    if user is not None and sys.platform == "linux":
        return "/proc/self/cwd"
    return str(cluster.resolve())


def _remove_socket_folder(folder: Path) -> None:
    """Remove a socket folder of ours, and nothing else whatever the note of it says."""
    if not folder.name.startswith("lockstep-") or not folder.is_dir() or folder.is_symlink():
        return
    for entry in folder.glob(".s.PGSQL.*"):
        entry.unlink(missing_ok=True)
    try:
        folder.rmdir()
    except OSError:
        return  # not only ours; leave it


def _clean_environment() -> dict[str, str]:
    """What the server sees of our environment: nothing that could configure it, nothing secret."""
    return {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "LANG": "C", "TZ": "UTC"}


def _reason(output: str) -> str:
    """The line of a failed program's output that says why."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    if any("No space left on device" in line for line in lines[-20:]):
        return "no space left on the disk. Make room, or choose another disk with --data."
    telling = [line for line in lines[-20:] if any(word in line for word in ("FATAL", "PANIC", "error:"))]
    return (telling or lines or ["it said nothing"])[-1]
