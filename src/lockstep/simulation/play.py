"""Plays one history to its end, lets the world come to rest, and judges it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from lockstep.simulation import verdict
from lockstep.simulation.deeds import WAITS, do
from lockstep.simulation.desk import Mode, RunKind
from lockstep.simulation.events import History
from lockstep.simulation.loop import Group, NothingWillHappen, SimulatedLoop, run_simulated
from lockstep.simulation.world import World

PATIENCE = 3 * 3600.0
"""Simulated seconds in which a world without bad luck must come to rest."""


POLLED_WITHIN = 75.0
"""Seconds after which a poll has looked at what happened before."""


ONLY_AN_AUDIT_TELLS = frozenset({"forget", "delay", "freeze", "untag", "clear"})
"""Kinds of events after which only an audit is sure to find out: no poll tells of a member that was
deleted for good or lost a tag, and a write that arrives a minute after its answer was lost may make one
that nobody awaits."""


TAGS_LEFT = "still has our tags"
"""Excused where a write came late: a tag that it puts on after we have taken it off, and were told so,
can't be told from one that a marketer put on."""


@dataclass(slots=True)
class Result:
    """How a history ended. `broken` is empty when every promise was kept."""

    history: History
    broken: list[str] = field(default_factory=list)
    happened: list[tuple[int, str]] = field(default_factory=list)
    """The events that found somebody to happen to: number, words."""
    trace: list[str] = field(default_factory=list)
    digest: str = ""
    figures: Counter[str] = field(default_factory=Counter)
    seen: Counter[str] = field(default_factory=Counter)
    """What happened, by kind (`coverage`), and how often."""


def play(history: History) -> Result:
    """The whole of a history, in a loop of its own. The same history always gives the same digest."""
    loop = SimulatedLoop()
    result = Result(history)
    worlds: list[World] = []

    async def main() -> None:
        world = World(loop, history.seed, history.beginning)
        worlds.append(world)
        try:
            await _let_happen(world, result)
            await _come_to_rest(world, result)
        finally:
            await world.end()

    try:
        run_simulated(loop, main(), Group("driver"))
    except NothingWillHappen:
        result.broken.append("P3: everything waits for something that nobody will do.")
    world = worlds[0]
    result.broken[:0] = dict.fromkeys(
        [
            *(words for site in world.sites for words in site.watch.broken),
            *world.network.broken,
            *world.faults,
            *(fault for w in world.workers for fault in w.faults),
        ]
    )
    result.broken += loop.complaints
    if world.seen["on the wire, late"]:
        result.broken = [words for words in result.broken if TAGS_LEFT not in words]
    result.trace, result.digest = world.trace, world.digest()
    result.seen = world.seen
    result.seen.update(
        f"fault {kind}"
        for entry in world.sandbox.log.entries()
        if entry.fault
        for kind in entry.fault.split(", ")
    )
    result.seen.update(f"event {history.kinds[number]}" for number, _ in result.happened)
    result.seen["takeover from a worker believed dead"] += world.jobs.takeovers
    result.figures.update(
        histories=1,
        events=len(result.happened),
        requests=world.network.sent,
        writes=sum(site.watch.writes for site in world.sites),
        seconds=int(loop.time()),
        broken=bool(result.broken),
    )
    return result


async def _let_happen(world: World, result: Result) -> None:
    for event in result.history.events:
        await world.loop.pause(event.after + WAITS.get(event.kind, 0.0))
        words = do(world, event)
        if words:
            world.tell(f"[{event.number}] {words}")
            result.happened.append((event.number, words))


async def _come_to_rest(world: World, result: Result) -> None:
    """No more bad luck. What is under way arrives, everybody is tried once more, a night passes."""
    world.tell("quiet: no more bad luck")
    _end_bad_luck(world)
    if not await _rest(world, result):
        return
    if live := [site for site in world.sites if site.desk.is_live]:
        await world.loop.pause(POLLED_WITHIN)
        if not await _rest(world, result):
            return
        if not world.only_an_audit_tells and not ONLY_AN_AUDIT_TELLS & {
            result.history.kinds[number] for number, _ in result.happened
        }:
            for site in live:
                result.broken += [f"{words} (before the nightly audit)" for words in verdict.at_rest(site)]
    for site in world.sites:
        if not site.desk.is_live and (site is world.site or site.desk.mode is Mode.ON):
            world.tell(f"quiet: Start Sync ({site.desk.start()})")
    world.wake()
    if not await _rest(world, result):
        return
    on = [site for site in world.sites if site.desk.mode is Mode.ON]
    for asked in (RunKind.RETRY, RunKind.AUDIT):
        for site in on:
            if asked is RunKind.RETRY:
                site.watch.refused.clear()
            world.tell(f"quiet: {asked.value} ({site.desk.ask_for(asked)})")
        world.wake()
        if not await _rest(world, result):
            return
    for site in on:
        result.broken += verdict.at_rest(site)
        world.seen.update(
            f"at the end {answer.state or answer.desired.reason}" for answer in verdict.answers(site)
        )
    writes = sum(site.watch.writes for site in on)
    for site in on:
        world.tell(f"quiet: another audit ({site.desk.ask_for(RunKind.AUDIT)})")
    world.wake()
    if not await _rest(world, result):
        return
    if sum(site.watch.writes for site in on) != writes:
        result.broken.append("P3: a run with nothing to change wrote something.")
    for site in on:
        result.broken += verdict.audited(site)
        world.tell(f"quiet: Stop Sync ({site.desk.stop()})")
    world.wake()
    if await _rest(world, result):
        for site in on:
            result.broken += verdict.switched_off(site)


def _end_bad_luck(world: World) -> None:
    world.sandbox.faults.clear()
    world.network.mishaps.clear()
    world.door_down_until = 0.0
    for worker in world.workers:
        worker.kill_at = None
    for site in world.sites:
        site.watch.poison.clear()
        site.audience.too_recent.clear()


async def _rest(world: World, result: Result) -> bool:
    """Wait until there is nothing left to do; False, with a broken promise, when that never comes."""
    until = world.loop.time() + PATIENCE
    while world.loop.time() < until:
        await world.loop.pause(0.5)
        waiting = [site.desk for site in world.sites if site.desk.waiting_run() is not None]
        for desk in waiting:
            world.tell(f"quiet: the plan is right ({desk.confirm()})")
            world.wake()
        if waiting:
            continue
        if world.is_idle():
            return True
    result.broken.append(f"P3: nothing comes to rest: {world.why_busy()}.")
    return False
