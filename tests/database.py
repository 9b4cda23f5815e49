"""Which PostgreSQL the test session uses: the one named by ``DATABASE_URL``, or a throw-away one of its own.

The throw-away server belongs to the process that was started as pytest. It starts when the first test of any
xdist worker asks for it, so a run of pure tests never waits for one. Workers ask through a unix socket,
the door, whose path they inherit in the environment.
"""

import atexit
import contextlib
import os
import shutil
import socket
import tempfile
import threading
from pathlib import Path

from lockstep.project.embedded_postgres import EmbeddedPostgres

__all__ = ["ask_for_server", "open_door", "server_url_for_settings"]

_DOOR = "LOCKSTEP_TEST_DATABASE_DOOR"

#: What the settings hold until the server is asked for; it leads nowhere.
_NOT_STARTED = "postgres://nobody@/lockstep?host=/nonexistent"


def server_url_for_settings() -> str:
    """A ``DATABASE_URL`` to load settings with; opens the door where none is given from outside."""
    given = os.environ.get("DATABASE_URL", "")
    if given and given != _NOT_STARTED:
        return given
    if _DOOR not in os.environ:
        open_door()
    return _NOT_STARTED


def open_door() -> None:
    """Offer a throw-away server to this process and to those that it starts, until this process ends."""
    home = Path(tempfile.mkdtemp(prefix="lockstep-tests-"))
    door = socket.socket(socket.AF_UNIX)
    door.bind(str(home / "door"))
    door.listen(64)
    os.environ[_DOOR] = str(home / "door")
    keeper = threading.Thread(target=_keep, args=(door, EmbeddedPostgres(home / "postgres", throw_away=True)))
    keeper.daemon = True
    keeper.start()

    def close() -> None:
        # The keeper stops the server: the kernel ties it to the thread that started it.
        with contextlib.suppress(OSError):
            _call(str(home / "door"), "stop")
        keeper.join(60)
        shutil.rmtree(home, ignore_errors=True)

    atexit.register(close)


def _keep(door: socket.socket, server: EmbeddedPostgres) -> None:
    """Answer each caller with the server's address, starting it for the first; end when asked to."""
    while True:
        caller, _ = door.accept()
        with caller:
            wish = caller.recv(16)
            if wish == b"stop":
                server.stop()
                door.close()
                return
            try:
                if not server.is_running:
                    server.start()
                caller.sendall(server.url("postgres").encode())
            except Exception as error:  # noqa: BLE001 -- told to the asking test, which fails with it
                caller.sendall(f"error: {error}".encode())


def _call(door: str, wish: str) -> str:
    with socket.socket(socket.AF_UNIX) as wire:
        wire.connect(door)
        wire.sendall(wish.encode())
        wire.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: wire.recv(4096), b"")).decode()


def ask_for_server() -> str:
    """The ``DATABASE_URL`` of a server to create databases on, running by the time this returns."""
    given = os.environ.get("DATABASE_URL", "")
    if given and given != _NOT_STARTED:
        return given
    answer = _call(os.environ[_DOOR], "url")
    if not answer.startswith("postgres://"):
        raise RuntimeError(f"The tests' PostgreSQL did not start. {answer}")
    return answer
