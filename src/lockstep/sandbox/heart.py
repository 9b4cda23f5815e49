"""Keeps time moving between requests, while anything is to come: stages of batches, readers of campaigns,
webhook calls and their answers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

__all__ = ["Heart"]

_SECONDS = 0.1


class Heart:
    """A task of the running event loop that ticks the sandbox and ends when there is nothing to wait for.

    `tick` does what is due and says whether anything is still to come.
    """

    def __init__(self, tick: Callable[[], bool]) -> None:
        self._tick = tick
        self._task: asyncio.Task[None] | None = None

    def beat(self) -> None:
        """Tick, and make sure that somebody goes on ticking; called after every request."""
        loop = asyncio.get_running_loop()
        beating = self._task is not None and not self._task.done() and self._task.get_loop() is loop
        if self._tick() and not beating:
            self._task = loop.create_task(self._run(), name="sandbox-heart")

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(_SECONDS)
            if not self._tick():
                return
