"""What a killed launcher may have left behind: a server still running, or a ``postmaster.pid`` of nobody.

PostgreSQL guards a cluster by that file and by the shared memory it names; taking the file away from under a
server that still runs destroys data. So it is only removed where no process works in the cluster's folder.
"""

import contextlib
import signal
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from lockstep.project.embedded_postgres.errors import EmbeddedPostgresError

__all__ = ["clear_leftovers", "postmaster_pid", "postmaster_status"]


def _postmaster_lines(cluster: Path) -> list[str]:
    try:
        return (cluster / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return []


def postmaster_pid(cluster: Path) -> int | None:
    """The process number in the cluster's ``postmaster.pid``; None where it has none."""
    lines = _postmaster_lines(cluster)
    return int(lines[0]) if lines and lines[0].strip().isdecimal() else None


def postmaster_status(cluster: Path) -> str:
    """``starting``, ``stopping``, ``ready``, ``standby``, or empty: the eighth line of ``postmaster.pid``."""
    lines = _postmaster_lines(cluster)
    return lines[7].strip() if len(lines) > 7 else ""


def processes_of(cluster: Path) -> list[psutil.Process]:
    """The server processes whose working directory is the cluster's folder, the postmaster first."""
    home = str(cluster.resolve())
    found = []
    for process in psutil.process_iter(["name"]):
        if "postgres" not in (process.info["name"] or ""):
            continue
        with contextlib.suppress(psutil.Error):
            if process.cwd() == home:
                found.append(process)
    first = postmaster_pid(cluster)
    return sorted(found, key=lambda process: (process.pid != first, process.pid))


def clear_leftovers(
    cluster: Path, *, patience: float = 30.0, say: Callable[[str], None] = lambda _: None
) -> None:
    """End an orphaned server of this cluster and forget a stale ``postmaster.pid``.

    The caller holds the data folder's lock, so whatever still runs here belongs to no living launcher. Raises
    EmbeddedPostgresError where a process does not end within ``patience`` seconds.
    """
    running = processes_of(cluster)
    if running:
        say("Stopping a PostgreSQL that an earlier run left behind")
        # Fast shutdown, then immediate, which is a crash that PostgreSQL recovers from. Without a postmaster
        # its remaining processes end by themselves within a moment.
        for stop_signal, share in ((signal.SIGINT, 0.7), (signal.SIGQUIT, 0.3)):
            with contextlib.suppress(psutil.NoSuchProcess):
                if running[0].pid == postmaster_pid(cluster):
                    running[0].send_signal(stop_signal)
            _, running = psutil.wait_procs(running, timeout=patience * share)
            if not running:
                break
        else:
            numbers = ", ".join(str(process.pid) for process in running)
            raise EmbeddedPostgresError(
                f"A PostgreSQL (process {numbers}) still works on {cluster} and does not stop. "
                "End it, then start Lockstep again."
            )
    pid = postmaster_pid(cluster)
    if pid is not None and psutil.pid_exists(pid):
        # The number now belongs to an unrelated program, for which PostgreSQL would refuse to start.
        if _may_be_a_server(pid):
            raise EmbeddedPostgresError(
                f"{cluster / 'postmaster.pid'} names process {pid}, a PostgreSQL that Lockstep may not "
                f"look into. "
                "End it, then start Lockstep again."
            )
        (cluster / "postmaster.pid").unlink(missing_ok=True)


def _may_be_a_server(pid: int) -> bool:
    """Whether a living process is a server whose folder we were not allowed to see."""
    try:
        process = psutil.Process(pid)
        if "postgres" not in process.name():
            return False
        process.cwd()
    except psutil.AccessDenied:
        return True
    except psutil.NoSuchProcess:
        return False
    return False


def wait_for(condition: Callable[[], bool], patience: float, pause: float = 0.02) -> bool:
    """Whether the condition came true within ``patience`` seconds."""
    end = time.monotonic() + patience
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(pause)
    return True
