"""An event loop whose time is simulated: nothing waits, and the same work always runs in the same order.

When no callback is ready the clock jumps to the next timer. There are no sockets, threads or signals.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextvars import Context, ContextVar
from typing import Any, TypeVar

T = TypeVar("T")


class NothingWillHappen(RuntimeError):
    """Every task waits for something that nobody will do: a deadlock."""


class Group:
    """The tasks of one simulated process, in the order of their making, so that all can be ended at once."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._tasks: dict[asyncio.Task[Any], None] = {}

    def __len__(self) -> int:
        return len(self._tasks)

    def add(self, task: asyncio.Task[Any]) -> None:
        self._tasks[task] = None
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.pop(task, None)
        if not task.cancelled():
            task.exception()  # nobody else may ask: an error that matters is raised to somebody

    def cancel(self) -> None:
        for task in list(self._tasks):
            task.cancel()


_GROUP: ContextVar[Group] = ContextVar("group")


class SimulatedLoop(asyncio.BaseEventLoop):
    """`time()` starts at 0 and is in simulated seconds."""

    def __init__(self) -> None:
        super().__init__()
        self._simulated = 0.0
        self._selector = self
        self._outside = Context()
        self.set_task_factory(_make_task)
        self.complaints: list[str] = []
        self.set_exception_handler(self._complain)

    def time(self) -> float:
        return self._simulated

    def spawn(self, group: Group, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Start the first task of a process; the tasks that it starts belong to the group too."""
        context = self._outside.copy()
        context.run(_GROUP.set, group)
        return self.create_task(work, context=context)

    def _complain(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        self.complaints.append(f"{context.get('message')}: {context.get('exception')!r}")

    # --- what BaseEventLoop asks of a selector, and of whoever made one -----------------------------

    def select(self, timeout: float | None) -> list[object]:
        if timeout is None:
            raise NothingWillHappen
        self._simulated += max(timeout, 0.0)
        return []

    def _process_events(self, events: list[object]) -> None:
        """There are none."""

    def _write_to_self(self) -> None:
        """Nobody calls from another thread."""


def _make_task(
    loop: asyncio.AbstractEventLoop,
    work: Coroutine[Any, Any, Any],
    *,
    context: Context | None = None,
    **more: Any,
) -> asyncio.Task[Any]:
    task = asyncio.Task(work, loop=loop, context=context, **more)
    group = _GROUP.get(None) if context is None else context.get(_GROUP)
    if group is not None:
        group.add(task)
    return task


def run_simulated(loop: SimulatedLoop, work: Coroutine[Any, Any, T], everyone: Group) -> T:
    """Run the work to its end; whatever else still runs then is ended too."""
    try:
        return loop.run_until_complete(loop.spawn(everyone, work))
    finally:
        loop.close()
