"""The journal beside the snapshot: what every write changed, written down before its answer leaves.

So a practice Mailchimp that is killed was out of reach for a while, and forgot nothing that it had answered
or shown. One line for each piece of work: whatever changed of the whole, and the contacts that were given out
while it was done, as they are afterwards. Not kept at once is what campaigns, batches and webhook calls note
by themselves as time goes on; the next snapshot has it. Written without `fsync`: it outlives the process, not
the machine.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .encode import encode
from .sandbox import Sandbox
from .snapshot import audience_line, head_line, journal_of, member_row, save

__all__ = ["Journal"]

#: Of these writes, the many, nothing is kept but contacts and audiences.
_OF_MEMBERS = re.compile(r"/3\.0/lists/[^/]+(/members(/.*)?)?")


class Journal:
    """Keeps the state file of one running sandbox; take a new one for each process.

    `size` is how much the journal holds, in bytes: as much must be read again after a kill.
    """

    def __init__(self, sandbox: Sandbox, path: Path) -> None:
        self._sandbox = sandbox
        self._path = path
        self._number = int.from_bytes(os.urandom(6)) + 1
        self._file = -1
        self._known: dict[str, bytes] = {}
        self._doing = 0
        self.size = 0
        self.save()

    def save(self) -> None:
        """A new snapshot; the journal begins anew. Killed in between, the old journal counts for nothing."""
        self._number += 1
        save(self._sandbox, self._path, number=self._number)
        if self._file >= 0:
            os.close(self._file)
        self._file = os.open(
            journal_of(self._path), os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600
        )
        self.size = 0
        self._append({"after": self._number})
        self._known = {}

    def close(self) -> None:
        """A last snapshot."""
        self.save()
        os.close(self._file)
        self._file = -1

    @contextmanager
    def keeping(self, path: str) -> Iterator[None]:
        """Around the work of a request to `path`; what it changed is written down when it is done."""
        self.begin()
        try:
            yield
        finally:
            self.end(path)

    def begin(self) -> None:
        """A piece of work begins."""
        self._doing += 1
        for audience in self._audiences():
            if audience.touched is None:
                audience.touched = set()

    def end(self, path: str = "", *, write: bool = True) -> None:
        """It is done: write down what it, and whatever was done beside it, changed. Without a path it was
        done by the passing of time. With `write` false nothing happened."""
        self._doing -= 1
        if write:
            self._append(self._entry(stores=bool(path) and not _OF_MEMBERS.fullmatch(path)))
        elif self._doing:
            return
        for audience in self._audiences():
            audience.touched = set() if self._doing else None

    def _entry(self, *, stores: bool) -> dict[str, Any]:
        head = head_line(self._sandbox, stores=stores)
        members: dict[str, list[Any]] = {}
        gone: dict[str, list[int]] = {}
        for audience in self._audiences():
            # Made while the work was done, it has been telling nobody: all that it holds is new.
            serials = (one.serial for one in audience) if audience.touched is None else audience.touched
            for serial in sorted(serials):
                member = audience.member(serial)
                if member is None:
                    gone.setdefault(audience.id, []).append(serial)
                else:
                    members.setdefault(audience.id, []).append(member_row(member))
        lines = {
            audience.id: audience_line(account, audience)
            for account in self._sandbox.accounts.values()
            for audience in account.audiences.values()
        }
        return {
            "head": {name: value for name, value in head.items() if self._is_news(name, value)},
            "audiences": [line for name, line in lines.items() if self._is_news(f"audience {name}", line)],
            "there": list(lines),
            "members": members,
            "gone": gone,
        }

    def _is_news(self, name: str, value: Any) -> bool:
        now = encode(value)
        known = self._known.get(name) == now
        self._known[name] = now
        return not known

    def _append(self, entry: dict[str, Any]) -> None:
        line = memoryview(encode(entry) + b"\n")
        self.size += len(line)
        while line:
            line = line[os.write(self._file, line) :]

    def _audiences(self) -> Iterator[Any]:
        for account in self._sandbox.accounts.values():
            yield from account.audiences.values()
