"""The one folder that an installation's data lives in: lock, secrets, and where to find the running Lockstep.

    lock           held by the running ``lockstep up``
    format         the layout's number, so that an older Lockstep leaves a newer folder alone
    secrets.json   keys and first passwords, readable by their owner only
    running.json   addresses of the running Lockstep, for commands beside it
    postgres/      the embedded PostgreSQL
    logs/ mail/ static/ sandbox.json

Standard library only.
"""

import base64
import contextlib
import fcntl
import json
import os
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO

__all__ = ["FORMAT", "DataFolder", "DataFolderError"]

#: Raised when the layout changes in a way that an older Lockstep would spoil.
FORMAT = 1

#: Letters and digits that nobody mistakes for each other when typing them from a screen.
_CLEAR = "abcdefghjkmnpqrstuvwxyz23456789"


class DataFolderError(Exception):
    """The folder can't be used. The text says why and what to do now."""


class DataFolder:
    """One installation's folder. Reading needs no lock; ``acquire`` makes this process its only user."""

    def __init__(self, path: Path, random_bytes: Callable[[int], bytes] = secrets.token_bytes) -> None:
        """Nothing is touched yet. ``random_bytes`` makes the secrets."""
        self.path = path
        self._random_bytes = random_bytes
        self._lock: IO[str] | None = None

    # --- One at a time ----------------------------------------------------------------------------

    def acquire(self) -> None:
        """Create the folder where needed and take it for this process, until ``release`` or its end.

        Raises DataFolderError where another Lockstep uses it, a newer one made it, or it can't be written.
        """
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = (self.path / "lock").open("a+", encoding="utf-8")
        except PermissionError as error:
            raise DataFolderError(
                f"{self.path} can't be written to. Choose another folder with --data, or start Lockstep as "
                "the folder's owner."
            ) from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            lock.close()
            raise DataFolderError(self._in_use()) from error
        self._lock = lock
        try:
            self._check_format()
        except DataFolderError:
            self.release()
            raise
        lock.seek(0)
        lock.truncate()
        lock.write(f"{os.getpid()}\n")
        lock.flush()

    def _in_use(self) -> str:
        running = self.running()
        where = f", at {running['LOCKSTEP_BASE_URL']}" if running.get("LOCKSTEP_BASE_URL") else ""
        number = (self.path / "lock").read_text(encoding="utf-8").strip() or "unknown"
        return (
            f"Lockstep is already running on {self.path} (process {number}{where}). "
            "Stop it first, or start this one on another folder with --data."
        )

    def _check_format(self) -> None:
        note = self.path / "format"
        try:
            found = int(note.read_text(encoding="utf-8"))
        except FileNotFoundError:
            note.write_text(f"{FORMAT}\n", encoding="utf-8")
            return
        except ValueError as error:
            raise DataFolderError(
                f"{note} does not hold a number; is {self.path} a Lockstep folder?"
            ) from error
        if found > FORMAT:
            raise DataFolderError(
                f"{self.path} was written by a newer Lockstep (format {found}; this one knows {FORMAT}). "
                "Update Lockstep, or choose another folder with --data."
            )

    def release(self) -> None:
        """Give the folder free and forget the running addresses."""
        if self._lock is None:
            return
        (self.path / "running.json").unlink(missing_ok=True)
        self._lock.seek(0)
        self._lock.truncate()
        self._lock.close()
        self._lock = None

    @property
    def is_in_use(self) -> bool:
        """Whether some process holds the folder's lock."""
        try:
            with (self.path / "lock").open("r", encoding="utf-8") as lock:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except OSError:
            return True
        return False

    # --- Secrets ----------------------------------------------------------------------------------

    def secrets(self) -> dict[str, str]:
        """The kept secrets; empty where none were made yet."""
        try:
            return dict(json.loads((self.path / "secrets.json").read_text(encoding="utf-8")))
        except FileNotFoundError:
            return {}

    def ensure_secrets(self) -> dict[str, str]:
        """The secrets, with those that are missing made and kept. Existing ones never change."""
        kept = self.secrets()
        made = {
            "LOCKSTEP_SECRET_KEY": self._random_bytes(32).hex(),
            "LOCKSTEP_ENCRYPTION_KEYS": base64.urlsafe_b64encode(self._random_bytes(32)).decode(),
            "MAILCHIMP_CLIENT_SECRET": self._random_bytes(20).hex(),
            "SANDBOX_API_KEY": self._random_bytes(16).hex() + "-us1",
            "FIRST_PASSWORD": self._password(),
        }
        if not made.keys() <= kept.keys():
            kept = made | kept
            self._write("secrets.json", kept)
        return kept

    def _password(self) -> str:
        """Twelve clear characters in three groups, some 59 bits."""
        numbers = (byte for _ in range(64) for byte in self._random_bytes(16))
        letters = (_CLEAR[byte % len(_CLEAR)] for byte in numbers if byte < 256 - 256 % len(_CLEAR))
        return "-".join("".join(next(letters) for _ in range(4)) for _ in range(3))

    # --- The running Lockstep ---------------------------------------------------------------------

    def note_running(self, environment: Mapping[str, str]) -> None:
        """Keep the environment variables by which other commands reach this running Lockstep."""
        self._write("running.json", dict(environment))

    def running(self) -> dict[str, str]:
        """What ``note_running`` kept, where that Lockstep still runs; else empty."""
        if not self.is_in_use:
            return {}
        try:
            return dict(json.loads((self.path / "running.json").read_text(encoding="utf-8")))
        except FileNotFoundError:
            return {}

    def _write(self, name: str, values: dict[str, str]) -> None:
        """Write a file that its owner alone may read, whole or not at all."""
        draft = self.path / f"{name}.new"
        with contextlib.suppress(FileNotFoundError):
            draft.unlink()
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump(values, file, indent=2)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self.path / name)
