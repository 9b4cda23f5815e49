"""Lockstep's own commands as real processes, for tests that kill them and for figures that measure them."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote, urlencode

from lockstep.project.child import Child
from lockstep.sandbox.conformance import REPORT_SETTING, SETTING

__all__ = ["Process", "Stack", "database_url_of", "free_port", "until"]

STARTS_WITHIN = 60.0
"""Seconds that a process may take to be ready, on a machine that does other things as well."""


def until(condition: Callable[[], Any], *, within: float, what: str, every: float = 0.05) -> Any:
    """The first true value of `condition`; AssertionError with `what` once `within` seconds are over."""
    deadline = time.monotonic() + within
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within:.0f} s: {what}")
        time.sleep(every)
    return value


def free_port() -> int:
    """A port of the loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def database_url_of(settings: Mapping[str, Any]) -> str:
    """The ``DATABASE_URL`` of a Django connection's settings, such as the test database's."""
    where = {"host": settings["HOST"], "port": settings["PORT"]}
    login = quote(settings["USER"], safe="")
    if settings["PASSWORD"]:
        login += ":" + quote(settings["PASSWORD"], safe="")
    query = urlencode({name: value for name, value in where.items() if value})
    return f"postgres://{login}@/{settings['NAME']}?{query}"


class Process:
    """One command of ours as a process of its own; its output is kept in a file and shown where it fails."""

    def __init__(self, child: Child, log: Path) -> None:
        self._child = child
        self._log = log

    @property
    def pid(self) -> int:
        """Its process number. AssertionError, with its last lines, where it does not run."""
        pid = self._child.pid
        assert pid is not None, f"the {self._child.name} has ended:\n{self.output()[-4000:]}"
        return pid

    @property
    def is_running(self) -> bool:
        """Whether it has not ended."""
        return self._child.is_running

    def is_ready(self) -> bool:
        """Whether it serves by now."""
        return self._child.is_running and self._child.is_ready()

    def output(self) -> str:
        """All that it wrote."""
        return self._log.read_text(errors="replace")

    def wait_ready(self) -> Self:
        """Return once it serves; AssertionError with its output where it does not."""
        until(
            lambda: self.pid and self._child.is_ready(),
            within=STARTS_WITHIN,
            what=f"the {self._child.name} is ready\n{self.output()[-4000:]}",
        )
        return self

    def kill(self) -> None:
        """SIGKILL: it gets no chance to say or to save anything."""
        os.kill(self.pid, signal.SIGKILL)
        self._child.wait_stopped(time.monotonic() + 10)

    def stop(self) -> None:
        """SIGTERM, and SIGKILL for its whole session where that does not help."""
        self._child.ask_to_stop()
        self._child.wait_stopped(time.monotonic() + 15)


class Stack:
    """Web, worker and practice Mailchimp as processes around one database; all end with the `with`.

    `environment` is what they get beside ``DATABASE_URL``; addresses of started parts are added to it.
    """

    def __init__(self, database_url: str, folder: Path, environment: Mapping[str, str]) -> None:
        self.folder = folder
        self.port = free_port()
        self.sandbox_port = free_port()
        self.environment = {
            "PATH": os.environ["PATH"],
            **{name: os.environ[name] for name in (SETTING, REPORT_SETTING) if name in os.environ},
            "HOME": str(folder),
            "PYTHONUNBUFFERED": "1",
            "DATABASE_URL": database_url,
            "LOCKSTEP_DATA_DIR": str(folder / "data"),
            "LOCKSTEP_BASE_URL": self.url,
            "MAILCHIMP_OAUTH_BASE_URL": self.sandbox_url,
            "MAILCHIMP_API_BASE_OVERRIDE": self.sandbox_url,
            **environment,
        }
        self._running: list[Process] = []
        self._names = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def sandbox_url(self) -> str:
        return f"http://127.0.0.1:{self.sandbox_port}"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in reversed(self._running):
            with contextlib.suppress(Exception):
                process.stop()

    # --- processes ---

    def web(self, *, wait: bool = True) -> Process:
        """Start the web server; returns once it answers, or at once without `wait`."""
        return self._start("web server", ["web", "--port", str(self.port)], self._web_answers, wait)

    def worker(self, *, wait: bool = True) -> Process:
        """Start a worker; returns once it takes jobs, or at once without `wait`."""
        return self._start("worker", ["worker"], lambda process: "worker started" in process.output(), wait)

    def sandbox(self, *options: str, wait: bool = True) -> Process:
        """Start the practice Mailchimp with further options; returns once it answers, or at once."""
        words = ["sandbox", "--port", str(self.sandbox_port), *options]
        return self._start(
            "practice Mailchimp", words, lambda _: self.ask("GET", "/_sandbox/") is not None, wait
        )

    def _start(self, name: str, words: list[str], is_ready: Callable[[Process], bool], wait: bool) -> Process:
        self._names += 1
        log = self.folder / f"{self._names}-{words[0]}.log"
        program = [sys.executable, "-P", "-m", "lockstep.cli", *words]
        process: Process
        child = Child(
            name, program, environment=self.environment, log=log, is_ready=lambda: is_ready(process)
        )
        process = Process(child, log)
        child.start()
        self._running.append(process)
        return process.wait_ready() if wait else process

    def _web_answers(self, process: Process) -> bool:
        with contextlib.suppress(OSError):
            return _request(self.port, "GET", "/healthz")[0] == 200
        return False

    # --- the practice Mailchimp from outside ---

    def ask(self, method: str, path: str, body: Any = None, *, key: str = "") -> Any:
        """The JSON answer of the practice Mailchimp; None where it does not serve, or knows no such thing.

        With `key` as that API key. AssertionError for any answer above 299 but 404.
        """
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        try:
            status, answer = _request(self.sandbox_port, method, path, body, headers)
        except OSError:
            return None
        if status == 404:
            return None
        assert status < 300, f"{method} {path}: {status} {answer[:500]!r}"
        return json.loads(answer) if answer else {}

    def member(self, audience: str, email: str) -> dict[str, Any] | None:
        """A member as the practice Mailchimp knows it, archived ones too; None where there is none."""
        query = urlencode({"audience": audience, "email": email})
        found: dict[str, Any] | None = self.ask("GET", f"/_sandbox/member?{query}")
        return found

    def requests(self, *, after: int = 0, writes: bool = False) -> list[dict[str, Any]]:
        """API calls after the one with that number, oldest first."""
        query = urlencode({"after": after, "writes": int(writes), "limit": 50_000})
        return list(self.ask("GET", f"/_sandbox/log?{query}")["entries"])

    def number_of_requests(self) -> int:
        """The number of the newest API call."""
        return int(self.ask("GET", "/_sandbox/")["requests"])


def _request(
    port: int, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None
) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request(method, path, None if body is None else json.dumps(body), dict(headers or {}))
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


@contextlib.contextmanager
def stack_on_test_database(folder: Path) -> Iterator[Stack]:
    """A stack on the database of the present test, with the secrets that the tests use."""
    from django.conf import settings
    from django.db import connection

    secrets = {
        "LOCKSTEP_SECRET_KEY": settings.SECRET_KEY,
        "LOCKSTEP_ENCRYPTION_KEYS": ",".join(settings.LOCKSTEP_ENCRYPTION_KEYS),
    }
    with Stack(database_url_of(connection.settings_dict), folder, secrets) as stack:
        yield stack
