"""The job queue, as far as one account needs it: one job runs, one may wait, and silence means death."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

STALLED_AFTER = 15.0
"""Seconds of silence after which a worker counts as dead (`project.recovery`)."""


@dataclass(slots=True)
class Jobs:
    """`holder` is the worker that has the account's job."""

    queued: bool = False
    holder: object | None = None
    heard_at: float = 0.0
    """When the holder last said that it lives, in seconds of the loop."""
    takeovers: int = 0
    """How often a job was taken from a worker that was believed dead."""
    _waiting: list[asyncio.Future[None]] = field(default_factory=list)

    def ring(self) -> None:
        """There is something to do: one job waits, however many say so."""
        self.queued = True
        self._tell()

    async def wait(self) -> None:
        """Until a job can be taken; whoever comes first gets it."""
        while not self._free:
            bell: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(bell)
            await bell

    def take(self, worker: object, now: float) -> bool:
        if not self._free:
            return False
        self.queued, self.holder, self.heard_at = False, worker, now
        return True

    def hear(self, worker: object, now: float) -> None:
        """The worker lives; of no account when it is no longer the holder."""
        if self.holder is worker:
            self.heard_at = now

    def give_back(self, worker: object) -> None:
        """The work is done."""
        if self.holder is worker:
            self.holder = None
            self._tell()

    def take_from_the_silent(self, now: float) -> bool:
        """Put the job of a holder that has not been heard for long back into the queue."""
        if self.holder is None or now - self.heard_at <= STALLED_AFTER:
            return False
        self.holder = None
        self.takeovers += 1
        self.ring()
        return True

    @property
    def _free(self) -> bool:
        return self.queued and self.holder is None

    def _tell(self) -> None:
        if self._free:
            waiting, self._waiting = self._waiting, []
            for bell in waiting:
                if not bell.done():
                    bell.set_result(None)
