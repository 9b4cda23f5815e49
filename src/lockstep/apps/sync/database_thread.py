"""A thread with a database connection of its own, for asynchronous code that needs the database."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import ParamSpec, Self, TypeVar

from django.db import connection as database

_Value = TypeVar("_Value")
_Arguments = ParamSpec("_Arguments")


class DatabaseThread:
    """Runs synchronous database work, one piece at a time, in the order in which it was asked for.

    Django's connections belong to threads. The thread and its connection last
    as long as the `async with`, so nothing is opened for each piece of work and
    nothing is left behind.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="database")

    async def run(
        self, work: Callable[_Arguments, _Value], *args: _Arguments.args, **kwargs: _Arguments.kwargs
    ) -> _Value:
        """What `work` returns or raises. Cancelling the caller does not cut the work short."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, lambda: work(*args, **kwargs))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await asyncio.shield(self.run(_close))
        self._thread.shutdown(wait=False)


def _close() -> None:
    database.close()  # looked up in the thread that runs this: connections belong to threads
