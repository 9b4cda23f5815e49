"""Killed at every single await, then a new worker: nothing forgotten, nothing doubled, no consent touched."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Set

import pytest
from tests.core.world import World, with_limits

from lockstep.core.member import MemberStatus, SyncState
from lockstep.core.plan import ReleaseMember, RenameMember
from lockstep.core.planner import Slice
from lockstep.core.testing import Fault, MemoryStore, Pulse, run_and_kill

Story = Callable[[World], None]


async def begun(*, batches: bool, slowness: int = 0) -> World:
    """Eight contacts in step, one of them unsubscribed, small slices, two calls at once."""
    world = World(batches=batches, limits=with_limits(in_flight=2, slice_size=3, singles_up_to=1))
    world.audience.slowness = slowness
    world.add(*(f"{name}@people.test" for name in "abcdefgh"))
    await world.start()
    world.audience.unsubscribe("h@people.test")
    await world.start()
    assert world.broken() == []
    return world


def edits_of_all_kinds(world: World) -> None:
    """A rename, a release, a swap, a taken address, a person who said no with a new address, a newcomer."""
    store = world.store
    store.edit(1, email="new@people.test")
    store.edit(2, no_marketing=True)
    store.edit(3, email="d@people.test")
    store.edit(4, email="c@people.test")
    store.edit(5, email="f@people.test")  # a duplicate: the newer contact 6 wins
    store.edit(7, first_name="Changed")
    store.edit(8, email="other@people.test")
    world.add("i@people.test", "e@people.test")


def moved_at_mailchimp(world: World) -> None:
    audience = world.audience
    audience.change_address("a@people.test", "moved@people.test")
    audience.archive("b@people.test")
    audience.delete_for_good("c@people.test")
    audience.set_field("d@people.test", "CSKU_FNAME", "Meddled")
    world.store.edit(1, first_name="Changed")
    world.store.edit(4, active=False)
    world.store.vanish(5)


def lost_answers(world: World) -> None:
    edits_of_all_kinds(world)
    world.audience.faults.next("write", Fault.LOST_DONE, Fault.LOST, Fault.LOST_DONE)


STORIES: list[Story] = [edits_of_all_kinds, moved_at_mailchimp, lost_answers]


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
@pytest.mark.parametrize("batches", [True, False], ids=["batches", "singles"])
@pytest.mark.parametrize("whole", [True, False], ids=["start", "catch_up"])
async def test_killed_at_every_await(story: Story, batches: bool, whole: bool) -> None:
    """The new worker only catches up with what is marked or uncertain; it does not go through the book."""
    beat = 0
    while True:
        beat += 1
        world = await begun(batches=batches)
        story(world)
        killed = await (world.start_killed_at(beat) if whole else world.catch_up_killed_at(beat))
        world.audience.faults.clear()
        if whole and not killed:
            break
        await (world.start() if whole else world.catch_up())
        assert world.store.marks == {}, f"killed at beat {beat}"
        if not whole and story is moved_at_mailchimp:
            await world.start()  # only an audit tells what happened there
        assert world.broken() == [], f"killed at beat {beat}"
        assert world.audience.there("h@people.test").status is MemberStatus.UNSUBSCRIBED
        assert await world.writes_of_another_run() == [], f"killed at beat {beat}"
        if not killed:
            break
    assert beat > 30, "the story should take some awaits"


async def test_killed_at_every_await_of_the_first_sync_and_of_the_one_after() -> None:
    for beat in range(1, 200, 3):
        world = World(limits=with_limits(in_flight=2, slice_size=4))
        world.audience.join("c@people.test", MemberStatus.UNSUBSCRIBED, fields={"THEIRS": "theirs"})
        world.add(*(f"{name}@people.test" for name in "abcdefgh"))
        if not await world.start_killed_at(beat):
            break
        await world.start_killed_at(beat // 2 + 1)
        await world.start()
        assert world.store.counts() == {SyncState.SYNCED: 7, SyncState.UNSUBSCRIBED: 1}
        assert world.broken() == []
        made = [s.key for s in world.audience.statuses if s.by == "us"]
        assert len(made) == len(set(made)) == 7


async def test_a_look_that_the_worker_did_not_live_to_do_is_still_to_do() -> None:
    """No audit yet, so that the contact is looked at first: its mark must outlive the plan."""
    for beat in range(1, 60):
        world = World()
        [one] = world.add("pat@people.test")
        if not await world.catch_up_killed_at(beat):
            break
        await world.catch_up()
        assert world.store.records[one].state is SyncState.SYNCED, f"killed at beat {beat}"


# --- while others work -------------------------------------------------------------------------------------


@pytest.mark.parametrize("story", [edits_of_all_kinds, moved_at_mailchimp], ids=lambda story: story.__name__)
async def test_a_story_that_happens_in_the_middle_of_a_run_at_any_await(story: Story) -> None:
    for beat in range(1, 90, 3):
        world = await begun(batches=beat % 2 == 0, slowness=beat % 4 * 4)
        for contact_id in (1, 2, 3, 4, 7, 8):
            world.store.edit(contact_id, first_name="Before")
        happened: list[int] = []

        def meanwhile(now: int, at: int = beat, world: World = world, seen: list[int] = happened) -> None:
            if now == at:
                story(world)
                seen.append(now)

        pulse = Pulse(meanwhile=meanwhile)
        await run_and_kill(world.start(pulse), pulse)
        if not happened:
            assert beat > 60
            break
        await world.settle()
        assert world.broken() == [], f"happened at beat {beat}"
        assert await world.writes_of_another_run() == []


async def test_a_change_overtakes_the_bulk() -> None:
    world = World(batches=False, limits=with_limits(in_flight=1, slice_size=10))
    ids = world.add(*(f"p{number:03}@people.test" for number in range(60)))
    await world.start()
    for contact_id in ids:
        world.store.book.contacts[contact_id].first_name = "Bulk"
    world.store.marks.clear()
    before = len(world.audience.writes)

    def meanwhile(_: int) -> None:
        if len(world.audience.writes) == before + 5 and ids[-1] not in world.store.marks:
            world.store.edit(ids[-1], first_name="Urgent")

    pulse = Pulse(meanwhile=meanwhile)
    await run_and_kill(world.start(pulse), pulse)

    order = [change.contact_id for call in world.audience.writes[before:] for change in call.changes]
    assert order.index(ids[-1]) < 30
    assert order.count(ids[-1]) == 1
    assert world.broken() == []


async def test_a_rename_under_way_keeps_others_from_both_addresses() -> None:
    """Contact 1 goes from a to new; meanwhile contact 2 is given a: it must not write there before."""
    for beat in range(1, 60):
        world = await begun(batches=False, slowness=15)
        world.store.edit(1, email="new@people.test")

        def meanwhile(now: int, at: int = beat, world: World = world) -> None:
            if now == at:
                world.store.edit(2, email="a@people.test")

        pulse = Pulse(meanwhile=meanwhile)
        await run_and_kill(world.catch_up(pulse), pulse)
        await world.catch_up()
        assert world.audience.overlaps == []
        assert world.broken() == [], f"given at beat {beat}"
        assert not any(member.archived for member in world.audience.members.values())


class LateStore(MemoryStore):
    """A store whose slices arrive late: a call under way ends between the reading and its answer."""

    calls_under_way: Callable[[], int]
    was_late: int = 0

    async def next_slice(self, limit: int, but: Set[int]) -> Slice | None:
        part = await super().next_slice(limit, but)
        before = self.calls_under_way()
        if part is not None and before:
            for _ in range(100):  # a call ends, and its outcome is recorded
                await asyncio.sleep(0)
            assert self.calls_under_way() < before
            self.was_late += 1
        return part


async def test_a_slice_from_before_a_call_ended_is_not_planned_as_if_from_after() -> None:
    """Somebody new is given a while the rename of contact 1 from a is under way: the slice says
    that a is still there, and an update of it would bring a stray to life."""
    late = LateStore()
    world = World(batches=True, store=late, limits=with_limits(singles_up_to=0))
    late.calls_under_way = lambda: world.audience.at_once
    world.add("a@people.test")
    await world.start()
    await world.start()
    world.audience.slowness = 30
    world.store.edit(1, email="new@people.test")

    def meanwhile(_: int) -> None:
        if world.audience.at_once and len(late.book.contacts) == 1:
            world.add("a@people.test")

    pulse = Pulse(meanwhile=meanwhile)
    await run_and_kill(world.catch_up(pulse), pulse)

    assert late.was_late
    assert [call.kind for call in world.audience.calls].count("archive") == 0
    await world.settle()
    assert world.broken() == []


async def test_swapped_addresses_end_with_each_member_holding_the_other_contact() -> None:
    world = await begun(batches=True)
    world.store.edit(1, email="b@people.test")
    world.store.edit(2, email="a@people.test")
    await world.catch_up()
    assert world.audience.values("b@people.test")[13].endswith("/contacts/1/")
    assert world.audience.values("a@people.test")[13].endswith("/contacts/2/")
    assert not any(
        isinstance(change, RenameMember | ReleaseMember)
        for call in world.audience.writes
        for change in call.changes
    )


async def test_a_loser_takes_over_when_the_winner_leaves_and_gives_back_when_it_returns() -> None:
    world = World()
    [older, newer] = world.add("pat@people.test", "PAT@people.test")
    await world.start()
    url = world.audience.values("pat@people.test")[13]
    assert url.endswith(f"/contacts/{newer}/")

    world.store.edit(newer, active=False)
    await world.catch_up()
    assert world.audience.values("pat@people.test")[13].endswith(f"/contacts/{older}/")
    world.store.edit(newer, active=True)
    await world.catch_up()
    assert world.audience.values("pat@people.test")[13] == url
    world.store.choose(older)
    await world.catch_up()
    assert world.audience.values("pat@people.test")[13].endswith(f"/contacts/{older}/")
    assert world.broken() == []


async def test_the_loser_of_a_busy_winner_is_not_forgotten() -> None:
    """The loser has no mark of its own; brought along while its member is busy, it must be given one."""
    for beat in range(1, 60):
        world = World(batches=False, limits=with_limits(in_flight=1))
        world.audience.slowness = 15
        [older, newer] = world.add("pat@people.test", "PAT@people.test")
        await world.start()
        world.store.edit(newer, first_name="Changed")

        def meanwhile(now: int, at: int = beat, world: World = world, newer: int = newer) -> None:
            if now == at:
                world.store.edit(newer, email="elsewhere@people.test")

        pulse = Pulse(meanwhile=meanwhile)
        await run_and_kill(world.catch_up(pulse), pulse)
        if pulse.beats < beat:
            break
        await world.catch_up()
        assert world.store.records[older].state is SyncState.SYNCED
        assert world.broken() == [], f"changed at beat {beat}"


async def test_whoever_comes_along_while_busy_is_looked_at_afterwards() -> None:
    """Contact 1 loses pat to contact 2, and its former member is being released when 2 gives pat up:
    nothing marks contact 1 but the engine that leaves it for later."""
    world = World(batches=False)
    world.add("old@people.test", "pat@people.test")
    await world.start()
    world.audience.slowness = 30
    world.store.edit(1, email="pat@people.test")

    def meanwhile(_: int) -> None:
        if world.audience.at_once and world.store.book.contacts[2].email == "pat@people.test":
            world.store.edit(2, email="elsewhere@people.test")

    pulse = Pulse(meanwhile=meanwhile)
    await run_and_kill(world.catch_up(pulse), pulse)

    assert world.state(1) is SyncState.SYNCED
    assert world.broken() == []


async def test_a_flag_on_any_contact_with_the_address_takes_the_person_out() -> None:
    world = World()
    [older, _] = world.add("pat@people.test", "PAT@people.test")
    await world.start()
    world.store.edit(older, no_marketing=True)
    await world.catch_up()
    assert world.audience.values("pat@people.test")[17] == "Inactive"
    assert world.broken() == []
