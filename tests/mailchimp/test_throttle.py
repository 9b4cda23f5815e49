"""The gate: never too many, the urgent first, narrower when refused, wider when it is calm again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockstep.mailchimp import errors
from lockstep.mailchimp.throttle import Gate, Lane


class Clock:
    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


class Calls:
    """Calls that stay open until told how to end."""

    def __init__(self, gate: Gate) -> None:
        self.gate = gate
        self.begun: list[str] = []
        self._ends: dict[str, asyncio.Future[None]] = {}
        self.tasks: dict[str, asyncio.Task[None]] = {}

    async def start(self, name: str, lane: Lane = Lane.BULK) -> None:
        self._ends[name] = asyncio.get_running_loop().create_future()
        self.tasks[name] = asyncio.create_task(self._run(name, lane))
        await settle()

    async def _run(self, name: str, lane: Lane) -> None:
        async with self.gate.passing(lane):
            self.begun.append(name)
            await self._ends[name]

    async def end(self, name: str, error: Exception | None = None) -> None:
        if error is None:
            self._ends[name].set_result(None)
        else:
            self._ends[name].set_exception(error)
        await asyncio.gather(self.tasks[name], return_exceptions=True)
        await settle()

    async def end_all(self) -> None:
        while any(not t.done() for t in self.tasks.values()):
            for name in list(self.begun):
                if not self._ends[name].done():
                    await self.end(name)
            await settle()


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def gate(width: int = 4, calm: float = 5.0, clock: Callable[[], float] | None = None) -> Gate:
    return Gate(now=clock or Clock(), max_width=width, calm=calm)


async def test_never_more_than_the_width_at_once() -> None:
    calls = Calls(gate(3))
    for n in range(6):
        await calls.start(f"u{n}", Lane.URGENT)

    assert calls.begun == ["u0", "u1", "u2"]
    assert calls.gate.state().in_flight == 3
    assert calls.gate.state().waiting == 3
    await calls.end("u1")
    assert calls.begun == ["u0", "u1", "u2", "u3"]
    await calls.end_all()
    assert calls.gate.state().in_flight == 0
    assert calls.gate.state().calls == 6


async def test_urgent_changes_overtake_bulk_and_campaigns_come_last() -> None:
    calls = Calls(gate(1))
    await calls.start("running")
    await calls.start("campaign", Lane.CAMPAIGNS)
    await calls.start("bulk1")
    await calls.start("bulk2")
    await calls.start("urgent", Lane.URGENT)

    await calls.end_all()

    assert calls.begun == ["running", "urgent", "bulk1", "bulk2", "campaign"]


async def test_one_place_is_kept_for_the_urgent() -> None:
    calls = Calls(gate(4))
    for n in range(5):
        await calls.start(f"b{n}")
    assert calls.begun == ["b0", "b1", "b2"]

    await calls.start("urgent", Lane.URGENT)

    assert calls.begun == ["b0", "b1", "b2", "urgent"]
    await calls.end_all()
    assert len(calls.begun) == 6


async def test_campaigns_take_at_most_half() -> None:
    calls = Calls(gate(4))
    for n in range(4):
        await calls.start(f"c{n}", Lane.CAMPAIGNS)
    assert calls.begun == ["c0", "c1"]

    await calls.start("bulk")

    assert calls.begun == ["c0", "c1", "bulk"]
    await calls.end_all()


async def test_a_gate_of_one_lets_every_lane_through() -> None:
    for lane in Lane:
        calls = Calls(gate(1))
        await calls.start("x", lane)
        assert calls.begun == ["x"]
        await calls.end_all()


@pytest.mark.parametrize(
    ("error", "narrows"),
    [
        (errors.TooManyRequests(), True),
        (errors.EdgeRefused(), True),
        (errors.ServerError(), True),
        (errors.TimedOut(), True),
        (errors.AnswerLost(), False),
        (errors.NotSent(), False),
        (errors.NotFound("", errors.Facts(status_code=404)), False),
        (errors.ApiKeyInvalid("", errors.Facts(status_code=401)), False),
    ],
    ids=lambda v: type(v).__name__,
)
async def test_what_narrows_the_gate(error: errors.MailchimpError, narrows: bool) -> None:
    calls = Calls(gate(8))
    await calls.start("x")
    await calls.end("x", error)

    state = calls.gate.state()
    assert state.width == (4 if narrows else 8)
    assert state.slowed is narrows
    assert state.refusals == (1 if narrows else 0)


async def test_refusals_of_one_moment_narrow_once() -> None:
    clock = Clock()
    the_gate = gate(8, calm=5, clock=clock)
    for _ in range(3):
        the_gate.note_refusal()
    assert the_gate.state().width == 4

    clock.seconds += 5
    the_gate.note_refusal()
    clock.seconds += 5
    the_gate.note_refusal()
    clock.seconds += 5
    the_gate.note_refusal()

    assert the_gate.state().width == 1
    assert the_gate.state().refusals == 4


async def test_it_widens_by_one_for_each_round_of_successes_once_it_is_calm() -> None:
    clock = Clock()
    the_gate = gate(8, calm=5, clock=clock)
    the_gate.note_refusal()
    for _ in range(100):
        the_gate.note_success()
    assert the_gate.state().width == 4

    clock.seconds += 5
    for _ in range(5):
        the_gate.note_success()
    assert the_gate.state().width == 5
    for _ in range(100):
        the_gate.note_success()

    assert the_gate.state().width == 8
    assert not the_gate.state().slowed


async def test_a_refused_member_counts_as_an_answer() -> None:
    clock = Clock()
    calls = Calls(gate(2, calm=1, clock=clock))
    calls.gate.note_refusal()
    clock.seconds += 2
    await calls.start("x")
    await calls.end("x", errors.MemberExists("", errors.Facts(status_code=400)))

    assert calls.gate.state().width == 2


async def test_narrowing_holds_back_those_who_wait_until_enough_have_ended() -> None:
    calls = Calls(gate(4))
    for n in range(4):
        await calls.start(f"u{n}", Lane.URGENT)
    await calls.start("next", Lane.URGENT)

    await calls.end("u0", errors.TooManyRequests())
    await calls.end("u1")
    assert "next" not in calls.begun
    await calls.end("u2")

    assert "next" in calls.begun
    await calls.end_all()


async def test_a_cancelled_waiter_leaves_no_hole() -> None:
    calls = Calls(gate(1))
    await calls.start("running")
    await calls.start("gives up")
    await calls.start("waits")

    calls.tasks["gives up"].cancel()
    await settle()
    assert calls.gate.state().waiting == 1
    await calls.end("running")

    assert calls.begun == ["running", "waits"]
    await calls.end("waits")
    assert calls.gate.state().in_flight == 0


async def test_cancelled_in_the_very_moment_of_its_turn_the_place_goes_on() -> None:
    calls = Calls(gate(1))
    end = asyncio.get_running_loop().create_future()

    async def first() -> None:
        async with calls.gate.passing(Lane.BULK):
            await end
        # leaving gave the place to "unlucky", which has not run since
        calls.tasks["unlucky"].cancel()

    running = asyncio.create_task(first())
    await settle()
    await calls.start("unlucky")
    await calls.start("next")
    end.set_result(None)
    await running
    await settle()

    assert calls.begun == ["next"]
    await calls.end("next")
    assert calls.gate.state().in_flight == 0


async def test_a_cancelled_call_gives_its_place_back() -> None:
    calls = Calls(gate(1))
    await calls.start("running")
    await calls.start("next")

    calls.tasks["running"].cancel()
    await settle()

    assert calls.begun == ["running", "next"]
    await calls.end("next")
    assert calls.gate.state().in_flight == 0


def test_a_gate_that_lets_nobody_through_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        gate(0)


steps = st.lists(
    st.tuples(
        st.sampled_from(["start", "end", "fail", "cancel", "wait"]),
        st.sampled_from(list(Lane)),
        st.integers(0, 50),
    ),
    max_size=60,
)


@given(width=st.integers(1, 6), history=steps)
def test_whatever_happens_the_width_holds_and_everybody_gets_through(
    width: int, history: list[tuple[str, Lane, int]]
) -> None:
    async def live() -> None:
        clock = Clock()
        calls = Calls(gate(width, calm=2, clock=clock))

        def pick(names: list[str], n: int) -> str | None:
            return names[n % len(names)] if names else None

        for step, (what, lane, n) in enumerate(history):
            running = [c for c in calls.begun if not calls.tasks[c].done()]
            waiting = [c for c, t in calls.tasks.items() if not t.done() and c not in calls.begun]
            match what:
                case "start":
                    await calls.start(f"{step}", lane)
                case "end" if name := pick(running, n):
                    await calls.end(name)
                case "fail" if name := pick(running, n):
                    await calls.end(name, errors.TooManyRequests())
                case "cancel" if name := pick(running + waiting, n):
                    calls.tasks[name].cancel()
                    await settle()
                case "wait":
                    clock.seconds += n
            running = [c for c in calls.begun if not calls.tasks[c].done()]
            waiting = [c for c, t in calls.tasks.items() if not t.done() and c not in calls.begun]
            state = calls.gate.state()
            assert state.in_flight == len(running) <= width
            assert state.waiting == len(waiting)
            assert 1 <= state.width <= width
            assert running or not waiting, "people wait before an open gate"
        await calls.end_all()
        assert calls.gate.state().in_flight == 0
        assert calls.gate.state().waiting == 0

    run(live)


def run(live: Callable[[], Awaitable[None]]) -> None:
    async def main() -> None:
        await live()

    asyncio.run(main())
