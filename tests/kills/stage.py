"""Everything that can be killed, as processes: PostgreSQL, practice Mailchimp, web, two workers."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import psutil

from lockstep.project.embedded_postgres import EmbeddedPostgres
from tests.processes import Process, Stack

__all__ = ["VICTIMS", "Stage", "stage"]

VICTIMS = ("busy worker", "both workers", "web", "postmaster", "backend", "sandbox")
WORKERS = ("worker 1", "worker 2")
BACK_WITHIN = 90.0

_Value = TypeVar("_Value")


@dataclass(slots=True)
class Stage:
    """The processes by name, and what looks after them as `lockstep up` would: who ends is started again."""

    postgres: EmbeddedPostgres
    stack: Stack
    latency: float
    running: dict[str, Process] = field(default_factory=dict)
    due: dict[str, float] = field(default_factory=dict)
    """When those that are down will be started again (monotonic)."""
    ended_alone: list[str] = field(default_factory=list)

    def start(self, name: str, *, wait: bool = True) -> None:
        self.due.pop(name, None)
        match name:
            case "web":
                self.running[name] = self.stack.web(wait=wait)
            case "sandbox":
                state = self.stack.folder / "sandbox.json"
                self.running[name] = self.stack.sandbox(
                    "--state", str(state), "--latency", str(self.latency), wait=wait
                )
            case "postmaster":
                self.postgres.start()
            case _:
                self.running[name] = self.stack.worker(wait=wait)

    def look_after(self) -> None:
        """Start what is due, and what ended by itself."""
        now = time.monotonic()
        for name, process in self.running.items():
            if not process.is_running and name not in self.due:
                self.ended_alone.append(name)
                self.due[name] = now + 1.0
        if not self.postgres.is_running:
            self.due.setdefault("postmaster", now)
        for name in [name for name, at in self.due.items() if at <= now]:
            self.start(name, wait=False)

    def kill(self, victim: str, dice: random.Random, down: float) -> list[str]:
        """SIGKILL; who is gone, and stays so for `down` seconds. A backend takes all others of its server
        along: PostgreSQL starts anew by itself."""
        names = [victim]
        if victim == "backend":
            self._kill_backend(dice)
            return []
        if victim == "busy worker":
            names = [next((name for name in WORKERS if self.is_busy(name)), dice.choice(WORKERS))]
        elif victim == "both workers":
            names = list(WORKERS)
        for name in names:
            self.due[name] = time.monotonic() + down
            if name == "postmaster":
                if (pid := self.postgres.pid) is not None:
                    os.kill(pid, signal.SIGKILL)
                    psutil.wait_procs([psutil.Process(pid)] if psutil.pid_exists(pid) else [], timeout=5)
            elif self.running[name].is_running:
                self.running[name].kill()
        return names

    def _kill_backend(self, dice: random.Random) -> None:
        pid = self.postgres.pid
        if pid is None:
            return
        with contextlib.suppress(psutil.NoSuchProcess):
            children = psutil.Process(pid).children()
            backends = sorted(
                child.pid for child in children if "lockstep lockstep" in " ".join(child.cmdline())
            )
            if backends:
                os.kill(dice.choice(backends), signal.SIGKILL)

    def is_busy(self, name: str) -> bool:
        """Whether a worker is talking to Mailchimp this very moment."""
        process = self.running.get(name)
        if process is None or not process.is_running:
            return False
        with contextlib.suppress(psutil.Error, AssertionError):
            for connection in psutil.Process(process.pid).net_connections("tcp"):
                there = connection.raddr and connection.raddr.port == self.stack.sandbox_port
                if there and connection.status == psutil.CONN_ESTABLISHED:
                    return True
        return False

    def all_are_up(self) -> bool:
        return (
            not self.due
            and self.postgres.is_running
            and all(process.is_ready() for process in self.running.values())
        )

    def ask(self, work: Callable[[], _Value]) -> _Value:
        """What `work` finds in the database; asked again while the database is away."""
        from django.db import InterfaceError, OperationalError, connection

        deadline = time.monotonic() + BACK_WITHIN
        while True:
            try:
                return work()
            except (OperationalError, InterfaceError):
                connection.close()
                if time.monotonic() > deadline:
                    raise
                self.look_after()
                time.sleep(0.1)


@contextlib.contextmanager
def stage(folder: Path, *, latency: float) -> Iterator[Stage]:
    """A new PostgreSQL, durable as in real use, and everything around it; Django is set up for it."""
    import django

    with EmbeddedPostgres(folder / "postgres") as postgres:
        postgres.ensure_database()
        os.environ |= {
            "DATABASE_URL": postgres.url(),
            "LOCKSTEP_SECRET_KEY": os.urandom(32).hex(),
            "LOCKSTEP_ENCRYPTION_KEYS": _fernet_key(),
            "DJANGO_SETTINGS_MODULE": "lockstep.project.settings",
            "LOCKSTEP_LOG_LEVEL": "WARNING",
        }
        secrets = {name: os.environ[name] for name in ("LOCKSTEP_SECRET_KEY", "LOCKSTEP_ENCRYPTION_KEYS")}
        with Stack(postgres.url(), folder, secrets) as stack:
            os.environ["LOCKSTEP_BASE_URL"] = stack.url
            django.setup()
            from django.core.management import call_command

            call_command("migrate", interactive=False, verbosity=0)
            yield Stage(postgres, stack, latency)


def _fernet_key() -> str:
    from cryptography.fernet import Fernet

    return Fernet.generate_key().decode()
