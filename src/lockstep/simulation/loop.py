"""An event loop whose time is simulated: nothing waits, and the same work always runs in the same order.

When no callback is ready the clock jumps to the next timer. There are no sockets, threads or signals.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import Context, ContextVar, copy_context
from heapq import heappop, heappush
from itertools import count
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


class _Handle:
    """A callback that waits for its turn, until it is cancelled."""

    __slots__ = ("args", "callback", "context")

    def __init__(self, callback: Callable[..., object], args: tuple[Any, ...], context: Context) -> None:
        self.callback: Callable[..., object] | None = callback
        self.args = args
        self.context = context

    def cancel(self) -> None:
        self.callback, self.args = None, ()

    def cancelled(self) -> bool:
        return self.callback is None


class SimulatedLoop(asyncio.BaseEventLoop):
    """`time()` starts at 0 and is in simulated seconds.

    Callbacks run in the order in which they were handed in, timers of one moment too. Leaner than the
    loop that it replaces: most of what a history takes is waiting, and waiting is all that a loop does.
    """

    def __init__(self) -> None:
        super().__init__()
        self._simulated = 0.0
        self._turns: deque[_Handle] = deque()
        self._timers: list[tuple[float, int, _Handle]] = []
        self._numbers = count()
        self._outside = Context()
        self.set_task_factory(_make_task)  # type: ignore[arg-type]
        self.complaints: list[str] = []
        self.set_exception_handler(self._complain)

    def time(self) -> float:
        return self._simulated

    def spawn(self, group: Group, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Start the first task of a process; the tasks that it starts belong to the group too."""
        context = self._outside.copy()
        context.run(_GROUP.set, group)
        return self.create_task(work, context=context)

    async def pause(self, seconds: float) -> None:
        """As `asyncio.sleep`, quicker."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        over: asyncio.Future[None] = self.create_future()
        handle = _Handle(_is_over, (over,), self._outside)
        heappush(self._timers, (self._simulated + seconds, next(self._numbers), handle))
        await over

    def _complain(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        self.complaints.append(f"{context.get('message')}: {context.get('exception')!r}")

    # --- what tasks and futures ask of a loop ---------------------------------------------------------

    def call_soon(  # type: ignore[override]
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> _Handle:
        handle = _Handle(callback, args, copy_context() if context is None else context)
        self._turns.append(handle)
        return handle

    def call_soon_threadsafe(  # type: ignore[override]
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> _Handle:
        """Nobody calls from another thread; but a generator that nobody finished is closed by this."""
        return self.call_soon(callback, *args, context=context)

    def call_later(  # type: ignore[override]
        self, delay: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> _Handle:
        return self.call_at(self._simulated + delay, callback, *args, context=context)

    def call_at(  # type: ignore[override]
        self, when: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> _Handle:
        handle = _Handle(callback, args, copy_context() if context is None else context)
        heappush(self._timers, (when, next(self._numbers), handle))
        return handle

    def _run_once(self) -> None:
        """Runs until somebody stops the loop."""
        turns, timers = self._turns, self._timers
        while not self._stopping:
            if not turns:
                while timers and timers[0][2].callback is None:
                    heappop(timers)
                if not timers:
                    raise NothingWillHappen
                self._simulated = max(self._simulated, timers[0][0])
            while timers and timers[0][0] <= self._simulated:
                turns.append(heappop(timers)[2])
            for _ in range(len(turns)):
                handle = turns.popleft()
                if handle.callback is not None:
                    try:
                        handle.context.run(handle.callback, *handle.args)
                    except Exception as error:  # noqa: BLE001  -- told as a fault of ours, at the end
                        self.call_exception_handler({"message": "a callback failed", "exception": error})

    _stopping: bool  # set by `stop`, of the class below


def _is_over(pause: asyncio.Future[None]) -> None:
    if not pause.done():
        pause.set_result(None)


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
