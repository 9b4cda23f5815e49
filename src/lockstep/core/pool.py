"""A bounded number of calls under way, with one memory of what went wrong and whom they concern."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence, Set
from dataclasses import dataclass, field

from lockstep.core.identity import SubscriberHash


@dataclass(slots=True)
class CallPool:
    """Runs calls side by side, at most `width` of the bulk and `extra` urgent ones beyond.

    The first call that fails stops further ones from starting; calls under way
    are always waited for, never cancelled, so that nothing is half-written.
    While a call is under way its contacts and members are busy: two calls for
    one person could arrive in the wrong order (contract 7: serialise per contact).
    """

    width: int
    extra: int = 2
    ended: int = 0
    """Calls that ended so far."""
    _contacts: Counter[int] = field(default_factory=Counter)
    _members: Counter[SubscriberHash] = field(default_factory=Counter)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _bulk: int = 0
    _urgent: int = 0
    _room: asyncio.Event = field(default_factory=asyncio.Event)
    _error: Exception | None = None

    async def submit(
        self,
        call: Callable[[], Awaitable[None]],
        contacts: Sequence[int],
        members: Sequence[SubscriberHash],
        *,
        urgent: bool,
    ) -> bool:
        """Start a call as soon as there is room; False, without starting it, once a call has failed.

        The contacts and members must have been reserved; they are released when the call ends.
        """
        while self._error is None and self._full(urgent):
            self._room.clear()
            await self._room.wait()
        if self._error is not None:
            return False
        if urgent:
            self._urgent += 1
        else:
            self._bulk += 1
        task = asyncio.ensure_future(self._run(call, contacts, members, urgent))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return True

    @property
    def busy_contacts(self) -> Set[int]:
        return self._contacts.keys()

    @property
    def busy_members(self) -> Set[SubscriberHash]:
        return self._members.keys()

    def reserve(self, contacts: Sequence[int], members: Sequence[SubscriberHash]) -> None:
        """Whom a call to be concerns. Whoever two calls concern is busy until both have ended."""
        self._contacts.update(contacts)
        self._members.update(members)

    def release(self, contacts: Sequence[int], members: Sequence[SubscriberHash]) -> None:
        self._contacts -= Counter(contacts)
        self._members -= Counter(members)

    def fail(self, error: Exception) -> None:
        """Start nothing more; the first error given is what `drain` raises."""
        self._error = self._error or error
        self._room.set()

    def _full(self, urgent: bool) -> bool:
        """Never more than `width + extra` in all; the bulk keeps one place however much is urgent."""
        total = self._bulk + self._urgent
        if urgent or self._bulk == 0:
            return total >= self.width + self.extra
        return total >= self.width

    async def _run(
        self,
        call: Callable[[], Awaitable[None]],
        contacts: Sequence[int],
        members: Sequence[SubscriberHash],
        urgent: bool,
    ) -> None:
        try:
            await call()
        except Exception as error:  # noqa: BLE001  -- kept, and raised again by `drain`
            self.fail(error)
        finally:
            if urgent:
                self._urgent -= 1
            else:
                self._bulk -= 1
            self.ended += 1
            self.release(contacts, members)
            self._room.set()

    @property
    def idle(self) -> bool:
        return not self._tasks

    @property
    def failed(self) -> bool:
        return self._error is not None

    async def drain(self) -> None:
        """Wait for all calls under way, then raise the first error there was, once."""
        while self._tasks:
            await asyncio.wait(set(self._tasks))
        error, self._error = self._error, None
        if error is not None:
            raise error

    async def step(self) -> None:
        """Wait until some call ended; returns at once when none is under way."""
        if self._tasks:
            await asyncio.wait(set(self._tasks), return_when=asyncio.FIRST_COMPLETED)
