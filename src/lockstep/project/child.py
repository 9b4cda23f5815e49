"""One supervised process: tied to us, its output kept in a log of bounded size, restarted with patience."""

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO

from lockstep.project import tether

__all__ = ["Child", "restart_delay"]

_LOG_BYTES = 10_000_000
_LOG_FILES = 3

#: A child that lived this many seconds starts with a clean slate when it crashes.
_STEADY_SECONDS = 60.0


def restart_delay(crashes: int) -> float:
    """Seconds to wait before the next start after that many crashes in a row: 0.5, 1, 2, 4 … 30."""
    return min(0.5 * 2 ** (max(crashes, 1) - 1), 30.0)


class BoundedLog:
    """Appends lines to a file that is set aside when it has grown large; the oldest one set aside goes."""

    def __init__(self, path: Path, limit: int = _LOG_BYTES, files: int = _LOG_FILES) -> None:
        """``limit``: bytes of one file; ``files``: how many are kept at most, the current one included."""
        self._path = path
        self._limit = limit
        self._files = files
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._file = path.open("ab")

    def write(self, line: bytes) -> None:
        """Append a line. A full disk costs log lines, not the process that wrote them."""
        with contextlib.suppress(OSError):
            if self._file.tell() > self._limit:
                self._set_aside()
            self._file.write(line)
            self._file.flush()

    def _set_aside(self) -> None:
        self._file.close()
        for number in range(self._files - 1, 0, -1):
            older = self._path.with_name(f"{self._path.name}.{number}")
            newer = self._path.with_name(f"{self._path.name}.{number - 1}") if number > 1 else self._path
            with contextlib.suppress(FileNotFoundError):
                newer.replace(older)
        self._file = self._path.open("ab")

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class Child:
    """A process that should be running. Not thread-safe: one supervisor calls it."""

    def __init__(
        self,
        name: str,
        program: Sequence[str],
        *,
        environment: Mapping[str, str],
        log: Path,
        is_ready: Callable[[], bool],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``is_ready``: whether it serves by now, asked while it starts. ``clock``: seconds."""
        self.name = name
        self._program = list(program)
        self._environment = dict(environment)
        self._log = BoundedLog(log)
        self.is_ready = is_ready
        self._clock = clock
        self._process: subprocess.Popen[bytes] | None = None
        self._pump: threading.Thread | None = None
        self._began = 0.0
        self._next_start = 0.0
        self.crashes = 0
        #: The last lines that it wrote, to show when it crashes.
        self.last_lines: deque[str] = deque(maxlen=15)

    @property
    def pid(self) -> int | None:
        """Its process number while it runs."""
        return self._process.pid if self.is_running and self._process else None

    @property
    def is_running(self) -> bool:
        """Whether it has been started and has not ended."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start it; called from the main thread, to whose life the kernel ties it."""
        self._began = self._clock()
        self._process = subprocess.Popen(  # noqa: S603 -- our own commands
            tether.command(self._program, at_death_of_parent=signal.SIGTERM),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=self._environment,
        )
        assert self._process.stdout is not None
        self._pump = threading.Thread(target=self._keep_output, args=(self._process.stdout,), daemon=True)
        self._pump.start()

    def _keep_output(self, output: IO[bytes]) -> None:
        with output:
            for line in output:
                self.last_lines.append(line.decode(errors="replace").rstrip())
                self._log.write(line)

    def look_after(self) -> str | None:
        """Start it again where it ended by itself and its time has come; the exit, told once, or None."""
        if self._process is not None and not self.is_running:
            code = self._process.returncode
            if self._clock() - self._began > _STEADY_SECONDS:
                self.crashes = 0
            self.crashes += 1
            self._next_start = self._clock() + restart_delay(self.crashes)
            self._process = None
            return how_it_ended(code)
        if self._process is None and self._clock() >= self._next_start:
            self.start()
        return None

    def ask_to_stop(self) -> None:
        """Send SIGTERM where it runs."""
        if self._process is not None and self.is_running:
            self._process.terminate()

    def wait_stopped(self, deadline: float) -> None:
        """Return when it has ended; past the deadline (of ``clock``) it and its whole session are killed."""
        if self._process is not None:
            try:
                self._process.wait(max(deadline - self._clock(), 0.01))
            except subprocess.TimeoutExpired:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait()
        if self._pump is not None:
            self._pump.join(5)
        self._log.close()


def how_it_ended(code: int) -> str:
    """A return code in words."""
    if code >= 0:
        return f"ended with code {code}"
    try:
        return f"was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"was ended by signal {-code}"
