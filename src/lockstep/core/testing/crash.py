"""Killing a worker at an await: what SIGKILL does to it, without a process."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any


class Killed(BaseException):
    """The worker is dead: nothing of it runs any more. Not an Exception, so that nothing can handle it."""


@dataclass(slots=True)
class Pulse:
    """Beaten by the in-memory ports before and after each effect; kills at a chosen beat.

    From that beat on every port refuses to act, also from `finally` blocks:
    a dead worker tidies nothing up.
    """

    kill_at: int | None = None
    meanwhile: Callable[[int], None] | None = None
    """Called at every beat with its number: what others do while the worker works."""
    beats: int = 0
    dead: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self) -> None:
        if self.dead.is_set():
            raise Killed
        await asyncio.sleep(0)
        if self.dead.is_set():
            raise Killed
        self.beats += 1
        if self.meanwhile is not None:
            self.meanwhile(self.beats)
        if self.kill_at is not None and self.beats >= self.kill_at:
            self.dead.set()
            raise Killed


async def run_and_kill(work: Coroutine[Any, Any, object], pulse: Pulse) -> bool:
    """Run the work until it ends or the pulse kills it; True if it was killed.

    The ports of the work must beat this pulse. All tasks that the work started
    are ended with it. Raises what the work raised, unless it was killed.
    """
    asyncio.get_running_loop().set_exception_handler(_quiet_about_the_dead)
    before = asyncio.all_tasks()
    main = asyncio.ensure_future(work)
    watch = asyncio.ensure_future(pulse.dead.wait())
    await asyncio.wait({main, watch}, return_when=asyncio.FIRST_COMPLETED)
    killed = pulse.dead.is_set()
    watch.cancel()
    if killed:
        while running := asyncio.all_tasks() - before:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)
    results = await asyncio.gather(main, watch, return_exceptions=True)
    if not killed and isinstance(results[0], BaseException):
        raise results[0]
    return killed


def _quiet_about_the_dead(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Nobody asks a killed worker's tasks how they ended."""
    if not isinstance(context.get("exception"), Killed):
        loop.default_exception_handler(context)
