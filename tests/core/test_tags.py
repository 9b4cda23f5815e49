"""Tags under our prefix: what is wanted, what may be taken off, and in how few calls it goes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.world import TAGS, World

from lockstep.core.engine import Limits
from lockstep.core.identity import address_key, subscriber_hash
from lockstep.core.member import MemberStatus, SyncState
from lockstep.core.outcome import RefusalKind
from lockstep.core.plan import TagMember
from lockstep.core.tagging import AT_ONCE, TagTally, calls_by_tag, is_cheaper_by_tag
from lockstep.core.tags import TAG_BYTES, TagDifference, TagRule, difference, in_order
from lockstep.core.testing import Fault

names = st.lists(st.sampled_from(["P: a", "p: A", "P: b", "P: c", "P: d"]), max_size=5)


class TestRule:
    @pytest.mark.parametrize(
        ("rule", "wanted"),
        [
            (TagRule("P: "), ("P: VIP",)),
            (TagRule("P: ", contact=False, client=True), ("P: Gold",)),
            (TagRule("P: ", client=True), ("P: Gold", "P: VIP")),
            (TagRule("P: ", contact=False), ()),
        ],
    )
    def test_the_kinds_are_chosen(self, rule: TagRule, wanted: tuple[str, ...]) -> None:
        assert rule.wanted(client_tags=["Gold"], contact_tags=["VIP"]) == wanted

    def test_the_same_tag_in_both_kinds_or_in_another_case_is_one(self) -> None:
        rule = TagRule("P: ", client=True)
        assert rule.wanted(client_tags=["VIP"], contact_tags=["vip", "Vip "]) == ("P: VIP",)

    def test_a_name_is_one_line_not_empty_and_not_too_long(self) -> None:
        wanted = TagRule("P: ").wanted(contact_tags=["two\nlines", "  ", "é" * 200])
        assert wanted[0] == "P: two lines"
        assert len(wanted) == 2
        assert len(wanted[1].encode()) <= TAG_BYTES

    def test_ours_is_what_begins_with_the_prefix_in_any_case(self) -> None:
        assert TagRule("CSKU: ").ours(["CSKU: b", "csku: A", "CSKU:no", "Donors"]) == ("csku: A", "CSKU: b")

    @pytest.mark.parametrize("prefix", ["", " ", " P", "P\n"])
    def test_a_prefix_that_could_be_anybodys_is_refused(self, prefix: str) -> None:
        with pytest.raises(ValueError, match="prefix"):
            TagRule(prefix)


class TestDifference:
    def test_tags_that_are_no_business_of_ours_are_left(self) -> None:
        assert not difference(None, ("P: a",), {"P: a"})

    def test_a_marketers_tag_under_our_prefix_stays_and_ours_goes(self) -> None:
        found = difference(("P: a",), ("P: b", "P: c"), {"P: c"})
        assert found == TagDifference(("P: a",), ("P: c",))

    def test_what_we_wrote_is_taken_off_even_unseen(self) -> None:
        assert difference((), (), {"P: a"}).remove == ("P: a",)

    @given(wanted=names, observed=names, written=names)
    def test_done_once_it_is_done_and_only_what_we_wrote_is_gone(
        self, wanted: list[str], observed: list[str], written: list[str]
    ) -> None:
        want, there = in_order(wanted), in_order(observed)
        found = difference(want, there, written)
        after = found.after(there)
        assert not found.left(after)
        assert not difference(want, after, set(written) - set(found.remove)).add
        folded = {name.casefold() for name in after}
        assert {name.casefold() for name in want} <= folded
        gone = {name.casefold() for name in there} - folded
        assert gone <= {name.casefold() for name in written} - {name.casefold() for name in want}


def tagging(number: int, *add: str, remove: tuple[str, ...] = ()) -> TagMember:
    email = f"p{number}@people.test"
    key = address_key(email)
    tags = TagDifference(add, remove)
    return TagMember(number, subscriber_hash(key), email, (), (), tags, MemberStatus.SUBSCRIBED, b"", key)


class TestCalls:
    def test_one_tag_of_many_goes_500_a_call_both_ways_at_once(self) -> None:
        changes = [tagging(n, "P: a") for n in range(AT_ONCE + 1)]
        changes += [tagging(n + 1000, remove=("p: A",)) for n in range(3)]
        calls = calls_by_tag(changes)
        assert [(call.tag, len(call.add), len(call.remove)) for call in calls] == [
            ("P: a", AT_ONCE, 3),
            ("P: a", 1, 0),
        ]
        assert is_cheaper_by_tag(changes)

    def test_tags_of_their_own_go_member_by_member(self) -> None:
        assert not is_cheaper_by_tag([tagging(n, f"P: {n}", f"P: also {n}") for n in range(4)])
        assert not is_cheaper_by_tag([])

    def test_a_member_is_done_when_all_its_tags_are(self) -> None:
        changes = [tagging(1, "P: a", "P: b"), tagging(2, "P: a"), tagging(3, "P: b")]
        tally, (first, second) = TagTally(changes), calls_by_tag(changes)
        tally.confirm(first, refused=["p2@people.test"])
        assert (tally.done, tally.rest) == ([], changes)
        tally.lose(second)
        assert (tally.done, tally.unanswered, tally.rest) == ([], [changes[0], changes[2]], [changes[1]])
        tally.confirm(second, refused=())
        assert (tally.done, tally.unanswered, tally.rest) == ([changes[0], changes[2]], [], [changes[1]])


def world_of(count: int, *, batches: bool = True, batch_tags: bool = True, singles: int = 0) -> World:
    world = World(limits=Limits(in_flight=2, singles_up_to=singles), batches=batches)
    world.audience.batch_tags = batch_tags
    world.switch_tags(TAGS)
    for number in range(1, count + 1):
        contact = world.store.add(f"p{number}@people.test", first_name="Pat")
        world.store.book.contacts[contact].tags = ("VIP", f"T{number % 3}")
    return world


def tags_of(world: World, number: int) -> set[str]:
    return set(world.audience.there(f"p{number}@people.test").tags)


class TestThroughTheEngine:
    @pytest.mark.parametrize("batches", [True, False])
    @pytest.mark.parametrize("batch_tags", [True, False])
    async def test_everybody_gets_their_tags_and_a_second_run_writes_nothing(
        self, batches: bool, batch_tags: bool
    ) -> None:
        world = world_of(9, batches=batches, batch_tags=batch_tags)
        await world.start()
        assert [tags_of(world, n) for n in (1, 9)] == [{"CSKU: VIP", "CSKU: T1"}, {"CSKU: VIP", "CSKU: T0"}]
        assert world.broken() == []
        assert list(await world.writes_of_another_run()) == []

    async def test_a_first_sync_needs_no_call_more_where_batches_bring_tags_along(self) -> None:
        world = world_of(20)
        await world.start()
        assert [call.kind for call in world.audience.writes] == ["batch"]

    async def test_otherwise_a_call_a_tag(self) -> None:
        world = world_of(20, batch_tags=False)
        await world.start()
        assert [call.kind for call in world.audience.writes] == ["batch", "tag", "tag", "tag", "tag"]

    async def test_a_tag_taken_off_in_the_book_goes_and_a_marketers_stays(self) -> None:
        world = world_of(1)
        await world.start()
        world.audience.put_tag("p1@people.test", "CSKU: By hand")
        world.audience.put_tag("p1@people.test", "Donors")
        world.store.edit(1, tags=("T1",))
        await world.catch_up()
        assert tags_of(world, 1) == {"CSKU: T1", "CSKU: By hand", "Donors"}
        assert world.broken() == []

    async def test_an_audit_finds_tags_that_somebody_took_off(self) -> None:
        world = world_of(3)
        await world.start()
        world.audience.take_tag("p2@people.test", "CSKU: VIP")
        await world.catch_up()
        assert "CSKU: VIP" not in tags_of(world, 2)  # nothing told of it (contract 8)
        await world.start()
        assert "CSKU: VIP" in tags_of(world, 2)

    async def test_whoever_takes_over_the_member_takes_over_its_tags(self) -> None:
        """Another contact of the same address wins: what we wrote for the first one goes."""
        world = world_of(1)
        await world.start()
        rival = world.store.add("P1@people.test", first_name="Rival")
        world.store.edit(rival, tags=("Press",))
        await world.catch_up()
        assert tags_of(world, 1) == {"CSKU: Press"}
        world.store.choose(1)
        await world.catch_up()
        assert tags_of(world, 1) == {"CSKU: VIP", "CSKU: T1"}
        assert world.broken() == []

    async def test_a_renamed_member_keeps_its_tags_and_we_remember_them(self) -> None:
        world = world_of(1)
        await world.start()
        world.store.edit(1, email="new@people.test", tags=("T1",))
        await world.catch_up()
        assert world.audience.there("new@people.test").tags == {"CSKU: T1"}
        world.audience.change_address("new@people.test", "moved@people.test")
        await world.start()
        world.store.edit(1, tags=())
        await world.catch_up()
        assert world.audience.there("moved@people.test").tags == frozenset()

    async def test_who_leaves_keeps_tags_as_they_keep_fields(self) -> None:
        world = world_of(1)
        await world.start()
        world.store.edit(1, active=False)
        await world.catch_up()
        assert tags_of(world, 1) == {"CSKU: VIP", "CSKU: T1"}
        world.store.edit(1, active=True, tags=())
        await world.catch_up()
        assert tags_of(world, 1) == set()

    @pytest.mark.parametrize("clear", [True, False])
    async def test_switched_off_ours_go_only_if_asked(self, clear: bool) -> None:
        world = world_of(4)
        await world.start()
        world.audience.put_tag("p1@people.test", "CSKU: By hand")
        world.store.edit(2, active=False)
        await world.catch_up()
        world.switch_tags(None, clear=clear)
        await world.start()
        left = set() if clear else {"CSKU: VIP"}
        assert tags_of(world, 1) - {"CSKU: T1"} == left | {"CSKU: By hand"}
        assert tags_of(world, 2) - {"CSKU: T2"} == left
        assert list(await world.writes_of_another_run()) == []

    @pytest.mark.parametrize("batch_tags", [True, False])
    async def test_a_refused_tag_is_one_contacts_failure(self, batch_tags: bool) -> None:
        world = world_of(6, batch_tags=batch_tags)
        await world.start()
        world.audience.refuse[address_key("p3@people.test")] = RefusalKind.OTHER
        for number in range(1, 7):
            world.audience.take_tag(f"p{number}@people.test", "CSKU: VIP")
        await world.start()
        assert world.state(3) is SyncState.FAILED
        assert world.store.counts() == {SyncState.SYNCED: 5, SyncState.FAILED: 1}
        assert all("CSKU: VIP" in tags_of(world, n) for n in (1, 2, 4, 5, 6))
        assert list(await world.writes_of_another_run()) == []
        world.audience.refuse.clear()
        world.store.ask([3])
        await world.catch_up()
        assert "CSKU: VIP" in tags_of(world, 3)
        assert world.state(3) is SyncState.SYNCED

    @pytest.mark.parametrize("fault", [Fault.LOST, Fault.LOST_DONE, Fault.UNAVAILABLE])
    async def test_a_lost_tag_call_is_looked_at_and_what_it_left_is_ours(self, fault: Fault) -> None:
        world = world_of(5)
        await world.start()
        for number in range(1, 6):
            world.store.edit(number, tags=("Press",), first_name="Pat")
        world.audience.faults.next("write", fault)
        await world.settle()
        for number in range(1, 6):
            world.store.edit(number, tags=())
        await world.settle()
        assert all(tags_of(world, n) == set() for n in range(1, 6))
        assert world.broken() == []

    async def test_killed_at_every_await_nothing_of_ours_is_forgotten(self) -> None:
        for beat in range(1, 120, 2):
            world = world_of(4, batch_tags=False)
            if not await world.start_killed_at(beat):
                break
            for number in range(1, 5):
                world.store.edit(number, tags=("Press",))
            await world.catch_up_killed_at(beat // 2 + 1)
            await world.start()
            assert all(tags_of(world, n) == {"CSKU: Press"} for n in range(1, 5))
            assert world.broken() == []
        else:
            raise AssertionError("the run never came to its end")

    async def test_a_changed_prefix_moves_our_tags_and_leaves_the_marketers(self) -> None:
        world = world_of(2)
        await world.start()
        world.audience.put_tag("p1@people.test", "CSKU: By hand")
        world.switch_tags(TagRule("Book: "))
        await world.start()
        assert tags_of(world, 1) == {"Book: VIP", "Book: T1", "CSKU: By hand"}

    async def test_only_tags_differ_only_tags_are_written(self) -> None:
        """A member whose fields are right is not written to but for its tags, and keeps its status."""
        world = world_of(1)
        await world.start()
        world.audience.unsubscribe("p1@people.test")
        world.audience.take_tag("p1@people.test", "CSKU: VIP")
        calls = await world.writes_of_another_run()
        assert [type(change) for call in calls for change in call.changes] == [TagMember]
        assert world.audience.there("p1@people.test").status is MemberStatus.UNSUBSCRIBED
