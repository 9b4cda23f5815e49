"""Keeps a handful of children and a PostgreSQL alive, and stops them in order."""

import signal
import threading
import time
from collections.abc import Callable, Sequence
from types import FrameType

from lockstep.project.child import Child
from lockstep.project.embedded_postgres import EmbeddedPostgres, EmbeddedPostgresError

__all__ = ["DidNotStartError", "StopRequestedError", "Supervisor", "stop_on_signals"]

_SECONDS_TO_START = 90.0
_SECONDS_TO_STOP = 10.0
_PAUSE = 0.2


class DidNotStartError(Exception):
    """A process did not come up. The text says which one and shows its last words."""


class StopRequestedError(BaseException):
    """A person or the system asked to stop, in the middle of starting."""


class stop_on_signals:  # noqa: N801 -- reads as a verb: with stop_on_signals() as stop
    """Turns SIGINT, SIGTERM and SIGHUP into a request to stop.

    While ``interrupting`` is true (starting), a signal raises StopRequestedError in the main thread;
    later it only sets the event, so that nothing is cut off in the middle of stopping.
    """

    _SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def __init__(self) -> None:
        """Nothing is installed yet."""
        self.requested = threading.Event()
        self.interrupting = True

    def __enter__(self) -> "stop_on_signals":
        """Install the handlers."""
        self._before = {number: signal.signal(number, self._handle) for number in self._SIGNALS}
        return self

    def __exit__(self, *_: object) -> None:
        """Put the former handlers back."""
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        first = not self.requested.is_set()
        self.requested.set()
        if self.interrupting and first:
            raise StopRequestedError


class Supervisor:
    """Starts children in the order given and stops them in the opposite one, PostgreSQL last."""

    def __init__(
        self,
        children: Sequence[Child],
        postgres: EmbeddedPostgres | None,
        say: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``postgres``: the embedded one, started already, or None. ``say`` hears of crashes."""
        self._children = list(children)
        self._postgres = postgres
        self._say = say
        self._clock = clock

    def start(self) -> None:
        """Start all children; returns when all of them serve.

        Raises DidNotStartError where one ends or does not serve in time.
        """
        for child in self._children:
            child.start()
        deadline = self._clock() + _SECONDS_TO_START
        for child in self._children:
            while not child.is_ready():
                if not child.is_running or self._clock() > deadline:
                    why = "does not answer" if child.is_running else "ended while starting"
                    raise DidNotStartError(f"The {child.name} {why}. Its last lines:\n" + _indented(child))
                time.sleep(0.05)

    def run_until(self, requested: threading.Event) -> None:
        """Restart whatever ends by itself, with growing pauses, until a stop is requested."""
        while not requested.wait(_PAUSE):
            self._look_after_postgres()
            for child in self._children:
                ended = child.look_after()
                if ended:
                    self._say(
                        f"The {child.name} {ended}; starting it again. Its last lines:\n{_indented(child)}"
                    )

    def _look_after_postgres(self) -> None:
        if self._postgres is None or self._postgres.is_running:
            return
        self._say("PostgreSQL ended; starting it again")
        try:
            self._postgres.start()
        except EmbeddedPostgresError as error:
            self._say(str(error))
            time.sleep(2)  # no disk, most likely: people need a while

    def stop(self) -> None:
        """Stop everything; returns when no process is left."""
        for child in reversed(self._children):
            child.ask_to_stop()
        deadline = self._clock() + _SECONDS_TO_STOP
        for child in reversed(self._children):
            child.wait_stopped(deadline)
        if self._postgres is not None:
            self._postgres.stop()


def _indented(child: Child) -> str:
    return "\n".join(f"    {line}" for line in child.last_lines) or "    (none)"
