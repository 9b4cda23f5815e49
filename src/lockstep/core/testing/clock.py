"""Time that stands still until somebody moves it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta


@dataclass(slots=True)
class ManualClock:
    """A clock whose `sleep` moves the time on and lets others run; no real time passes.

    With `waits`, `sleep` returns only once `advance` has brought the time there.
    """

    time: datetime = datetime(2026, 1, 5, 9, tzinfo=UTC)
    waits: bool = False
    _sleepers: list[tuple[datetime, asyncio.Event]] = field(default_factory=list)

    def now(self) -> datetime:
        return self.time

    async def sleep(self, seconds: float) -> None:
        if not self.waits:
            self.time += timedelta(seconds=seconds)
            await asyncio.sleep(0)
            return
        due = asyncio.Event()
        self._sleepers.append((self.time + timedelta(seconds=seconds), due))
        await due.wait()

    def advance(self, seconds: float) -> None:
        """Move the time on and wake whoever slept until then."""
        self.time += timedelta(seconds=seconds)
        for until, due in self._sleepers:
            if until <= self.time:
                due.set()
        self._sleepers = [(until, due) for until, due in self._sleepers if until > self.time]
