"""The call pool: how many at once, who is busy, and what happens after a failure."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockstep.core.identity import SubscriberHash
from lockstep.core.pool import CallPool

ME = SubscriberHash("me")


class Gate:
    """Calls that wait until they are let go, counted."""

    def __init__(self) -> None:
        self.opened = asyncio.Event()
        self.running = 0
        self.most = 0

    async def call(self) -> None:
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            await self.opened.wait()
        finally:
            self.running -= 1


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def fail() -> None:
    raise LookupError("first")


def submit(pool: CallPool, call: Callable[[], Awaitable[None]], *, urgent: bool) -> asyncio.Task[bool]:
    return asyncio.ensure_future(pool.submit(call, (), (), urgent=urgent))


@pytest.mark.parametrize(
    ("bulk", "urgent", "running"), [(20, 0, 4), (0, 20, 6), (20, 20, 6), (1, 20, 6), (3, 1, 4), (0, 0, 0)]
)
async def test_never_more_than_width_and_extra(bulk: int, urgent: int, running: int) -> None:
    pool, gate = CallPool(width=4, extra=2), Gate()
    waiting = [submit(pool, gate.call, urgent=False) for _ in range(bulk)]
    waiting += [submit(pool, gate.call, urgent=True) for _ in range(urgent)]
    await settle()
    assert gate.running == running
    gate.opened.set()
    assert all(await asyncio.gather(*waiting))
    await pool.drain()
    assert gate.most == running
    assert pool.idle
    assert pool.ended == bulk + urgent


@given(st.lists(st.booleans(), max_size=30))
def test_whatever_the_order_all_calls_run_and_the_limit_holds(kinds: list[bool]) -> None:
    async def scenario() -> None:
        pool, gate = CallPool(width=2, extra=1), Gate()
        waiting = [submit(pool, gate.call, urgent=urgent) for urgent in kinds]
        await settle()
        gate.opened.set()
        assert all(await asyncio.gather(*waiting))
        await pool.drain()
        assert gate.most <= 3
        assert pool.ended == len(kinds)

    asyncio.run(scenario())


async def test_the_bulk_keeps_a_place_however_much_is_urgent() -> None:
    pool, gate = CallPool(width=1, extra=1), Gate()
    first = submit(pool, gate.call, urgent=True)
    await settle()
    bulk = submit(pool, gate.call, urgent=False)
    await settle()
    assert bulk.done()
    gate.opened.set()
    await asyncio.gather(first, bulk)
    await pool.drain()


async def test_whoever_is_reserved_is_busy_until_the_call_ends() -> None:
    pool, gate = CallPool(width=1), Gate()
    pool.reserve([7], [ME])
    await pool.submit(gate.call, [7], [ME], urgent=False)
    await settle()
    assert (set(pool.busy_contacts), set(pool.busy_members)) == ({7}, {ME})
    gate.opened.set()
    await pool.drain()
    assert (set(pool.busy_contacts), set(pool.busy_members)) == (set(), set())


async def test_whoever_two_calls_concern_is_busy_until_both_ended() -> None:
    pool = CallPool(width=2)
    pool.reserve([7], [ME])
    pool.reserve([8], [ME])
    pool.release([8], [ME])
    assert (set(pool.busy_contacts), set(pool.busy_members)) == ({7}, {ME})
    pool.release([7], [ME])
    assert (set(pool.busy_contacts), set(pool.busy_members)) == (set(), set())


async def test_after_a_failure_nothing_starts_and_what_runs_is_waited_for() -> None:
    pool, gate = CallPool(width=2), Gate()
    await pool.submit(gate.call, (), (), urgent=False)
    await pool.submit(fail, (), (), urgent=False)
    await settle()
    assert pool.failed
    assert not await pool.submit(gate.call, (), (), urgent=True)
    drained = asyncio.ensure_future(pool.drain())
    await settle()
    assert not drained.done(), "a call is still under way"
    gate.opened.set()
    with pytest.raises(LookupError, match="first"):
        await drained
    assert gate.running == 0
    await pool.drain()  # the error was raised once


async def test_a_failure_wakes_those_who_wait_for_room() -> None:
    pool, gate = CallPool(width=1, extra=0), Gate()
    await pool.submit(gate.call, (), (), urgent=False)
    waiting = submit(pool, gate.call, urgent=False)
    await settle()
    assert not waiting.done()
    pool.fail(LookupError("elsewhere"))
    assert await waiting is False
    gate.opened.set()
    with pytest.raises(LookupError, match="elsewhere"):
        await pool.drain()
