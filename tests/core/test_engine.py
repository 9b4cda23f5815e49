"""The engine over the in-memory ports: what it sends, in how many calls, and what it never does."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import cast

import pytest
from tests.core.world import World

from lockstep.core.engine import Limits, StopAsked
from lockstep.core.errors import AudienceUnavailable, ConnectionBroken
from lockstep.core.field_map import is_active
from lockstep.core.identity import address_key
from lockstep.core.member import MemberStatus, ObservedMember, SyncState
from lockstep.core.outcome import RefusalKind
from lockstep.core.ports import Audience
from lockstep.core.testing import Fault, Pulse


def people(count: int) -> list[str]:
    return [f"p{number:05}@people.test" for number in range(count)]


def press_stop_after(world: World, writes: int) -> None:
    """A fault chooser that finds no fault, but presses Stop once so many writes were sent."""
    if len(world.audience.writes) >= writes:
        world.store.stop = True


class TestCalls:
    async def test_new_contacts_take_one_call_for_every_500(self) -> None:
        world = World()
        world.add(*people(2600))

        await world.start()

        sizes = sorted((len(call.changes) for call in world.audience.writes), reverse=True)
        assert sizes == [500, 500, 500, 500, 500, 100]
        assert world.store.counts() == {SyncState.SYNCED: 2600}
        assert world.broken() == []

    async def test_a_second_run_of_an_unchanged_book_writes_nothing(self) -> None:
        world = World()
        world.add(*people(700))
        await world.start()

        assert await world.writes_of_another_run() == []

    async def test_one_edit_goes_as_one_single_call(self) -> None:
        world = World()
        ids = world.add(*people(20))
        await world.start()
        before = len(world.audience.calls)

        world.store.edit(ids[3], first_name="New")
        await world.catch_up()

        assert [call.kind for call in world.audience.calls[before:]] == ["one"]
        assert world.audience.values("p00003@people.test")[1] == "New"

    async def test_without_the_proof_of_batches_everything_goes_singly(self) -> None:
        world = World(batches=False)
        world.add(*people(30))

        await world.start()

        assert {call.kind for call in world.audience.writes} == {"one"}
        assert len(world.audience.writes) == 30

    async def test_the_proof_may_come_after_the_engine(self) -> None:
        world = World(batches=False)
        world.add(*people(30))
        engine = world.engine()
        await engine.audit()
        engine.batches = True
        await engine.push_everything()
        assert [len(call.changes) for call in world.audience.writes] == [30]

    async def test_calls_at_once_stay_within_mailchimps_ten(self) -> None:
        world = World(batches=False)
        world.add(*people(300))

        await world.start()

        assert 2 <= world.audience.most_at_once <= 10
        assert world.audience.overlaps == []


class TestMeddling:
    @pytest.mark.parametrize("batches", [True, False])
    @pytest.mark.parametrize("what", ["edit", "release", "rename"])
    async def test_a_field_that_somebody_changed_since_we_looked_is_set_right_at_once(
        self, what: str, batches: bool
    ) -> None:
        """Only what differed when we looked is sent; the answer shows what differs now."""
        world = World(batches=batches)
        [pat] = world.add("pat@people.test")
        await world.start()
        world.audience.set_field("pat@people.test", "CSKU_DEPT", "meddled")

        match what:
            case "edit":
                world.store.edit(pat, first_name="New")
            case "release":
                world.store.edit(pat, active=False)
            case "rename":
                world.store.edit(pat, email="new@people.test")
        await world.catch_up()

        assert world.broken() == []

    async def test_a_field_that_somebody_changes_all_the_time_does_not_keep_the_run_busy(self) -> None:
        world = World()
        [pat] = world.add("pat@people.test")
        await world.start()
        before = len(world.audience.writes)

        world.store.edit(pat, first_name="New")
        pulse = Pulse(
            meanwhile=lambda beat: world.audience.set_field("pat@people.test", "CSKU_DEPT", f"meddled {beat}")
        )
        await world.catch_up(pulse)

        assert len(world.audience.writes) - before < 10


class TestPatience:
    async def test_a_run_that_waited_for_unanswered_contacts_tries_them_again(self) -> None:
        """The runner waits and goes on with the same engine; found by a random history."""
        world = World()
        world.add("pat@people.test")
        engine = world.engine()
        await engine.audit()
        world.audience.faults.next("write", Fault.LOST, Fault.LOST, Fault.LOST)
        with pytest.raises(AudienceUnavailable):
            await engine.push_everything()

        await engine.push_everything()

        assert world.broken() == []
        assert world.store.counts() == {SyncState.SYNCED: 1}

    async def test_a_release_refused_of_a_member_archived_meanwhile_is_done_when_it_is_back(self) -> None:
        """Nobody can ask for it again: the contact does not fit. Found by a random history."""
        world = World(limits=Limits(singles_up_to=0))
        [pat] = world.add("pat@people.test")
        await world.start()
        world.store.edit(pat, deleted=True)

        world.audience.archive("pat@people.test")
        world.audience.refuse[address_key("pat@people.test")] = RefusalKind.OTHER
        await world.catch_up()
        world.audience.refuse.clear()
        world.audience.archive("pat@people.test", False)
        await world.start()

        assert not is_active(world.audience.values("pat@people.test"))


class TestConsent:
    @pytest.mark.parametrize("status", [s for s in MemberStatus if s is not MemberStatus.ARCHIVED])
    @pytest.mark.parametrize("batches", [True, False])
    async def test_whoever_is_there_keeps_the_status(self, status: MemberStatus, batches: bool) -> None:
        world = World(batches=batches)
        world.audience.join("pat@people.test", status, fields={"THEIRS": "theirs"})
        world.add("pat@people.test", *people(5))

        await world.start()

        assert world.audience.there("pat@people.test").status is status
        assert world.audience.values("pat@people.test")[1] == "Name of pat@people.test"
        assert world.broken() == []

    @pytest.mark.parametrize("batches", [True, False])
    async def test_unsubscribing_between_audit_and_push_stays(self, batches: bool) -> None:
        world = World(batches=batches)
        ids = world.add(*people(10))
        await world.start()
        for contact_id in ids:
            world.store.edit(contact_id, first_name="Changed")
        engine = world.engine()
        await engine.audit()
        world.audience.unsubscribe("p00002@people.test")
        world.audience.join("late@people.test", MemberStatus.UNSUBSCRIBED)
        world.add("late@people.test")

        await engine.push_everything()

        assert world.audience.there("p00002@people.test").status is MemberStatus.UNSUBSCRIBED
        assert world.audience.there("late@people.test").status is MemberStatus.UNSUBSCRIBED
        assert world.state(ids[2]) is SyncState.UNSUBSCRIBED
        assert world.broken() == []

    async def test_archived_members_are_left_alone(self) -> None:
        world = World()
        [one] = world.add("pat@people.test")
        await world.start()
        world.audience.archive("pat@people.test")
        world.store.edit(one, first_name="New")

        await world.start()

        assert world.state(one) is SyncState.ARCHIVED
        assert world.audience.values("pat@people.test")[1] == "Name of pat@people.test"

    async def test_nothing_is_sent_for_somebody_who_was_archived_before(self) -> None:
        world = World()
        world.audience.join("pat@people.test", MemberStatus.UNSUBSCRIBED)
        world.audience.archive("pat@people.test")
        [one] = world.add("pat@people.test")

        await world.start()

        assert world.audience.writes == []
        assert world.state(one) is SyncState.ARCHIVED

    @pytest.mark.parametrize("back", [False, True])
    async def test_whoever_changes_between_the_passes_of_an_audit_is_not_taken_for_gone(
        self, back: bool
    ) -> None:
        """Archived after the first pass, or back from the archive: in neither of the two long passes."""
        world = World()
        [one] = world.add("pat@people.test")
        await world.start()
        world.audience.archive("pat@people.test", archived=back)
        world.clock.time += timedelta(days=1)
        engine = world.engine()
        observe = world.audience.observe

        def moving(*, archived: bool, since: datetime | None) -> AsyncIterator[Sequence[ObservedMember]]:
            if archived and since is None:  # the pass of the others is over
                world.audience.archive("pat@people.test", archived=not back)
            return observe(archived=archived, since=since)

        engine.audience = cast(Audience, SimpleNamespace(observe=moving))
        assert await engine.audit() == 1
        await world.catch_up()
        assert world.state(one) is (SyncState.SYNCED if back else SyncState.ARCHIVED)

    async def test_a_member_deleted_for_good_comes_back_only_when_asked(self) -> None:
        world = World()
        [one] = world.add("pat@people.test")
        await world.start()
        world.audience.delete_for_good("pat@people.test")
        await world.start()
        assert world.state(one) is SyncState.ARCHIVED

        world.store.edit(one, no_marketing=True)
        await world.catch_up()
        world.store.edit(one, no_marketing=False)
        await world.catch_up()
        assert world.state(one) is SyncState.ARCHIVED, "leaving and coming back must not add it anew"

        world.store.ask([one])
        await world.catch_up()
        assert world.state(one) is SyncState.FAILED
        assert world.store.records[one].synced.refusal is not None
        assert world.store.records[one].synced.refusal.kind is RefusalKind.FORGOTTEN
        assert await world.writes_of_another_run() == []


class TestBadLuck:
    async def test_halving_finds_the_culprits_and_all_others_are_synced(self) -> None:
        world = World()
        emails = people(1000)
        world.add(*emails)
        culprits = {emails[0], emails[499], emails[500], emails[777]}
        world.audience.poison |= culprits

        await world.start()

        assert world.store.counts() == {SyncState.SYNCED: 996, SyncState.FAILED: 4}
        failed = {
            world.store.book.contacts[c].email
            for c, r in world.store.records.items()
            if r.state is SyncState.FAILED
        }
        assert failed == culprits
        assert len(world.audience.writes) <= 2 + 4 * 2 * 10
        assert world.broken() == []

    async def test_refusals_of_single_members_are_remembered_and_not_fetched_again(self) -> None:
        world = World()
        emails = people(40)
        ids = world.add(*emails)
        for email, kind in zip(emails, RefusalKind, strict=False):
            world.audience.refuse[email] = kind

        await world.start()

        assert world.store.counts() == {
            SyncState.SYNCED: 40 - len(RefusalKind),
            SyncState.FAILED: len(RefusalKind),
        }
        assert await world.writes_of_another_run() == []
        world.audience.refuse.clear()
        world.store.ask(ids[:1])
        world.store.edit(ids[1], first_name="Mended")
        await world.catch_up()
        assert world.state(ids[0]) is SyncState.SYNCED
        assert world.state(ids[1]) is SyncState.SYNCED
        assert world.state(ids[2]) is SyncState.FAILED

    @pytest.mark.parametrize("fault", [Fault.LOST, Fault.LOST_DONE])
    @pytest.mark.parametrize("batches", [True, False])
    async def test_a_lost_answer_is_looked_at_before_it_is_repeated(
        self, fault: Fault, batches: bool
    ) -> None:
        world = World(batches=batches)
        world.add(*people(8))
        world.audience.faults.next("write", fault)

        await world.start()

        assert world.store.counts() == {SyncState.SYNCED: 8}
        kinds = [call.kind for call in world.audience.calls if call.kind != "observe"]
        lost = 8 if batches else 1
        assert kinds.count("look") == lost
        sent = sum(len(call.changes) for call in world.audience.writes)
        assert sent == 8 + (lost if fault is Fault.LOST else 0)
        assert world.broken() == []

    async def test_a_write_that_lands_late_is_mended_by_the_next_audit(self) -> None:
        world = World()
        [one] = world.add("pat@people.test")
        await world.start()
        world.audience.faults.next("write", Fault.LOST_LATE)
        world.store.edit(one, first_name="Old")
        await world.catch_up()
        world.store.edit(one, first_name="Newest")
        await world.catch_up()

        world.audience.land_late()
        assert world.audience.values("pat@people.test")[1] == "Old"
        await world.settle()

        assert world.audience.values("pat@people.test")[1] == "Newest"
        assert world.broken() == []

    @pytest.mark.parametrize(
        ("fault", "error"), [(Fault.UNAVAILABLE, AudienceUnavailable), (Fault.BROKEN, ConnectionBroken)]
    )
    async def test_what_was_not_sent_is_simply_still_to_do(
        self, fault: Fault, error: type[Exception]
    ) -> None:
        world = World(batches=False)
        ids = world.add(*people(30))
        world.audience.faults.next("write", fault)

        with pytest.raises(error):
            await world.start()

        assert not any(world.store.records[c].synced.uncertain for c in ids if c in world.store.records)
        await world.settle()
        assert world.store.counts() == {SyncState.SYNCED: 30}
        assert world.broken() == []

    async def test_answers_lost_for_ever_end_the_run_instead_of_going_round(self) -> None:
        world = World()
        [one] = world.add("pat@people.test")
        world.audience.faults.choose = lambda kind: Fault.LOST if kind == "write" else None

        with pytest.raises(AudienceUnavailable):
            await world.start()

        assert len(world.audience.writes) == 3
        assert one in world.store.marks
        await world.settle()
        assert world.state(one) is SyncState.SYNCED

    async def test_looks_without_an_answer_end_the_run_instead_of_going_round(self) -> None:
        world = World()
        [one, two] = world.add("pat@people.test", "kim@people.test")
        world.audience.faults.next("write", Fault.LOST_DONE)
        world.audience.faults.choose = lambda kind: Fault.UNKNOWN if kind == "look" else None

        with pytest.raises(AudienceUnavailable):
            await world.start()

        assert {one, two} & world.store.marks.keys()
        assert len([call for call in world.audience.calls if call.kind == "look"]) <= 6
        await world.settle()
        assert world.store.counts() == {SyncState.SYNCED: 2}

    async def test_a_member_that_vanished_is_not_resurrected_by_an_update(self) -> None:
        """A batch must carry `status_if_new`: who was deleted meanwhile is made by it, and archived."""
        world = World()
        emails = people(10)
        ids = world.add(*emails)
        await world.start()
        for contact_id in ids:
            world.store.edit(contact_id, first_name="Changed")
        gone = world.audience.there(emails[4])
        del world.audience.members[next(h for h, m in world.audience.members.items() if m is gone)]

        await world.catch_up()

        made = world.audience.there(emails[4])
        assert made.archived
        assert made.status is MemberStatus.UNSUBSCRIBED
        assert world.state(ids[4]) is SyncState.ARCHIVED
        assert world.store.counts() == {SyncState.SYNCED: 9, SyncState.ARCHIVED: 1}

    async def test_a_stray_that_cannot_be_archived_costs_no_other_outcome(self) -> None:
        world = World()
        emails = people(10)
        ids = world.add(*emails)
        await world.start()
        for contact_id in ids:
            world.store.edit(contact_id, first_name="Changed")
        gone = world.audience.there(emails[4])
        del world.audience.members[next(h for h, m in world.audience.members.items() if m is gone)]
        kinds = iter([None, Fault.UNAVAILABLE])
        world.audience.faults.choose = lambda kind: next(kinds, None) if kind == "write" else None

        with pytest.raises(AudienceUnavailable):
            await world.catch_up()

        assert world.store.counts()[SyncState.SYNCED] == 9
        assert world.store.records[ids[4]].synced.uncertain
        assert ids[4] in world.store.marks


class TestStop:
    async def test_stop_waits_for_calls_under_way_and_leaves_nothing_half_written(self) -> None:
        world = World(batches=False)
        ids = world.add(*people(60))
        engine = world.engine()
        await engine.audit()
        world.audience.faults.choose = lambda _: press_stop_after(world, 20)

        with pytest.raises(StopAsked):
            await engine.push_everything()

        assert world.audience.at_once == 0, "no call is left running"
        assert len(world.audience.writes) <= 20 + 10
        assert not any(r.synced.uncertain for r in world.store.records.values())
        written = sum(1 for c in ids if world.store.records[c].state is SyncState.SYNCED)
        assert written == len(world.audience.writes)
        await world.settle()
        assert world.store.counts() == {SyncState.SYNCED: 60}

    async def test_stop_during_catch_up_waits_as_well(self) -> None:
        world = World(batches=False)
        world.add(*people(60))
        await world.engine().audit()

        world.audience.faults.choose = lambda _: press_stop_after(world, 20)
        with pytest.raises(StopAsked):
            await world.catch_up()
        assert world.audience.at_once == 0
        assert not any(r.synced.uncertain for r in world.store.records.values())
