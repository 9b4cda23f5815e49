"""Planted defects that few histories notice, or none: each is noticed by a check of its own.

Every check passes as things are, and fails while the defect is planted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest

from lockstep.bridge import MailchimpAudience
from lockstep.core import rhythm
from lockstep.core.engine import Limits
from lockstep.core.errors import AudienceUnavailable, StopAsked
from lockstep.core.guards import Thresholds
from lockstep.core.identity import subscriber_hash
from lockstep.core.member import SyncState
from lockstep.core.outcome import Outcome
from lockstep.core.plan import Change
from lockstep.core.planner import Policy
from lockstep.core.testing import MemoryAudience
from lockstep.mailchimp.errors import Applied, Facts, TimedOut
from lockstep.mailchimp.wire import ListMember
from lockstep.simulation.desk import Desk, RunState
from lockstep.simulation.mutants import MUTANTS
from lockstep.simulation.store import SimulatedStore
from tests.contracts.store import ANN, StoreContract
from tests.contracts.test_memory_store import MemoryWorld
from tests.core.world import World, with_limits

STALE_FOR = timedelta(seconds=90)
"""How old an answer of Mailchimp's may be (contract trap 38, as the practice Mailchimp plays it)."""


def fresh() -> MemoryWorld:
    return MemoryWorld(SimulatedStore())


async def polls_reach_back() -> None:
    now = datetime(2026, 1, 5, 9, tzinfo=UTC)
    assert now - rhythm.poll_since(now, now, now) > STALE_FOR


class _Away(MailchimpAudience):
    """Of an audience that nobody can ask."""

    def __init__(self) -> None:
        pass

    async def _read(self, member: object) -> ListMember | None:
        raise TimedOut("No answer.", Facts(applied=Applied.UNKNOWN))


async def nothing_is_concluded_from_no_answer() -> None:
    try:
        told = await _Away().look(subscriber_hash("pat@people.test"))
    except AudienceUnavailable:
        return
    raise AssertionError(f"Nobody answered, and the look says {told}.")


async def whoever_shared_an_address_is_looked_at() -> None:
    await StoreContract().test_who_shares_an_address_that_was_left_is_marked_wherever_the_plan_came_from(
        fresh()
    )


async def marks_stay_until_the_plan() -> None:
    await StoreContract().test_marks_stay_until_a_plan_is_recorded(fresh())


async def whom_a_dead_worker_left_is_looked_at() -> None:
    await StoreContract().test_a_worker_that_died_left_its_contacts_to_be_looked_at(fresh())


async def only_the_culprit_of_a_refused_call_fails() -> None:
    world = World(limits=with_limits(singles_up_to=0))
    world.audience.poison.add("bob@people.test")
    ids = world.add("ann@people.test", "bob@people.test", "cat@people.test", "dan@people.test")
    await world.start()
    states = [world.state(contact) for contact in ids]
    assert states == [SyncState.SYNCED, SyncState.FAILED, SyncState.SYNCED, SyncState.SYNCED]


class _Meddled(MemoryAudience):
    """Where somebody changes a field of ours between our look and our next write."""

    armed = False

    async def write_one(self, change: Change, *, urgent: bool = False) -> Outcome:
        if self.armed:
            self.armed = False
            self.set_field(change.email, "CSKU_LNAME", "Meddled")
        return await MemoryAudience.write_one(self, change, urgent=urgent)


async def what_was_not_sent_is_compared() -> None:
    world = World()
    world.audience = audience = _Meddled(clock=world.clock)
    [one] = world.add(ANN)
    await world.start()
    world.store.edit(one, first_name="Changed")
    audience.armed = True
    await world.catch_up()
    assert not audience.armed
    assert world.broken() == []


async def a_run_ends_once() -> None:
    desk = Desk(SimulatedStore(), Policy(), Limits(), "kept", False, Thresholds(), Counter())
    assert desk.start()
    run = desk.runs[0]
    assert desk.finish(run, "finished")
    try:
        desk.begin(run, RunState.SYNCING)
    except StopAsked:
        return
    raise AssertionError("A run that had ended began again.")


CHECKS: dict[str, Callable[[], Awaitable[None]]] = {
    "no-overlap": polls_reach_back,
    "unknown-is-absent": nothing_is_concluded_from_no_answer,
    "forget-former-rivals": whoever_shared_an_address_is_looked_at,
    "do-not-halve": only_the_culprit_of_a_refused_call_fails,
    "delete-marks-before-the-work": marks_stay_until_the_plan,
    "do-not-recover": whom_a_dead_worker_left_is_looked_at,
    "believe-what-was-not-sent": what_was_not_sent_is_compared,
    "revive-ended-runs": a_run_ends_once,
}

BY_NAME = {mutant.name: mutant for mutant in MUTANTS}


@pytest.mark.parametrize("name", CHECKS)
async def test_the_promise_holds(name: str) -> None:
    await CHECKS[name]()


@pytest.mark.parametrize("name", CHECKS)
async def test_the_planted_defect_is_noticed(name: str) -> None:
    with BY_NAME[name].planted(), pytest.raises(AssertionError):
        await CHECKS[name]()
