"""What was asked and answered, so that a test can count write calls and a person can watch."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

__all__ = ["Entry", "RequestLog"]

_ENTRIES = 50_000
_BODY_BYTES = 256 * 1024
_ALL_BODIES = 64 * 1024 * 1024


@dataclass(slots=True)
class Entry:
    """One request to the API. `at` is simulated time; bodies are as sent, None when no longer kept.

    `route` is the pattern of the path (`/lists/{list_id}/members`), `fault` the kind of fault that struck.
    """

    number: int
    at: float
    method: str
    path: str
    query: str
    route: str
    status: int
    milliseconds: float
    account: str
    user_agent: str
    fault: str
    request: bytes | None
    response: bytes | None

    def document(self, *, bodies: bool) -> dict[str, Any]:
        """As the control door shows it."""
        shown: dict[str, Any] = {
            name: getattr(self, name)
            for name in (
                "number", "at", "method", "path", "query", "route", "status", "milliseconds", "account",
                "user_agent", "fault",
            )
        }  # fmt: skip
        if bodies:
            shown["request"] = None if self.request is None else self.request.decode(errors="replace")
            shown["response"] = None if self.response is None else self.response.decode(errors="replace")
        return shown


class RequestLog:
    """The last 50,000 requests, with up to 64 MB of their bodies, and counts of all of them."""

    def __init__(self) -> None:
        self._entries: deque[Entry] = deque(maxlen=_ENTRIES)
        self._with_bodies: deque[Entry] = deque()
        self._held = 0
        self.total = 0
        #: (method, route, status) -> how often
        self.counts: Counter[tuple[str, str, int]] = Counter()

    def add(self, entry: Entry) -> None:
        """Put an entry in; old bodies give way."""
        self.counts[entry.method, entry.route, entry.status] += 1
        self._entries.append(entry)
        if entry.request is not None and len(entry.request) > _BODY_BYTES:
            entry.request = None
        if entry.response is not None and len(entry.response) > _BODY_BYTES:
            entry.response = None
        self._held += len(entry.request or b"") + len(entry.response or b"")
        self._with_bodies.append(entry)
        while self._held > _ALL_BODIES:
            old = self._with_bodies.popleft()
            self._held -= len(old.request or b"") + len(old.response or b"")
            old.request = old.response = None

    def next_number(self) -> int:
        """The number of the next entry."""
        self.total += 1
        return self.total

    def entries(
        self, *, after: int = 0, method: str = "", path: str = "", writes: bool = False
    ) -> Iterator[Entry]:
        """Entries after a number, oldest first; `path` is a part of the path, `writes` leaves GETs out."""
        for entry in list(self._entries):
            if (
                entry.number > after
                and (not method or entry.method == method.upper())
                and path in entry.path
                and not (writes and entry.method == "GET")
            ):
                yield entry

    def clear(self) -> None:
        """Start afresh; numbers go on."""
        self._entries.clear()
        self._with_bodies.clear()
        self.counts.clear()
        self._held = 0
