"""What every `Store` remembers of tags under our prefix (core.ports.Store, core.tags)."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

from lockstep.core.identity import address_key
from lockstep.core.member import DesiredMember, ObservedMember, SyncState
from lockstep.core.observation import ABSENT, Present
from lockstep.core.outcome import Applied, Lost, NotTried
from lockstep.core.plan import AddMember, Answer, RenameMember, TagMember, tagged
from lockstep.core.tags import TagDifference, TagRule
from tests.contracts.store import ANN, BOB, BookWorld, StorePlay, confirmed, hash_of, seen

RULE = TagRule("CSKU: ")


class TagBook(BookWorld, Protocol):
    """A book that can be edited with `tags`, names of contact tags."""

    async def switch_tags(self, rule: TagRule | None, *, clear: bool = False) -> None: ...


class StoreTagsContract(StorePlay):
    """The suite. The fixture `world` has tags switched on, under `RULE`."""

    async def tagged(self, world: TagBook, *tags: str) -> int:
        """A contact whose member is in step, tags and all; nothing is marked."""
        await self.read_audience(world)
        contact = await world.add(ANN)
        await world.edit(contact, tags=tags)
        [change] = (await self.plan(world)).changes
        member = replace(confirmed(change).member, tags=tuple(f"CSKU: {tag}" for tag in tags))
        await world.store.record_outcomes([Applied(change, member, created=True)])
        assert await self.marked(world) == set()
        return contact

    async def wanted(self, world: TagBook, contact: int) -> DesiredMember:
        await world.store.look_again([contact])
        return next(w for w in (await self.take(world)).desired if w.contact_id == contact)

    async def written(self, world: TagBook, contact: int, email: str = ANN) -> frozenset[str]:
        await world.store.look_again([contact])
        return (await self.take(world)).written.get(hash_of(email), frozenset())

    async def step(self, world: TagBook, contact: int) -> TagMember:
        await world.store.look_again([contact])
        [change] = (await self.plan(world)).changes
        assert isinstance(change, TagMember)
        return change

    async def test_tags_are_wanted_as_the_book_has_them(self, world: TagBook) -> None:
        contact = await world.add(ANN)
        await world.edit(contact, tags=("VIP", "Press"))
        before = await self.wanted(world, contact)
        assert before.tags == ("CSKU: Press", "CSKU: VIP")
        await world.switch_tags(None)
        after = await self.wanted(world, contact)
        assert after.tags is None
        assert after.values == before.values
        assert after.digest != before.digest  # another wish: what was refused may be tried again
        await world.switch_tags(None, clear=True)
        assert (await self.wanted(world, contact)).tags == ()
        await world.edit(contact, active=False)
        assert (await self.wanted(world, contact)).tags == ()
        await world.switch_tags(RULE)
        assert (await self.wanted(world, contact)).tags is None

    async def test_what_is_about_to_be_sent_counts_as_written(self, world: TagBook) -> None:
        await self.read_audience(world)
        contact = await world.add(ANN)
        await world.edit(contact, tags=("VIP",))
        [change] = (await self.plan(world)).changes
        assert await self.written(world, contact) == {"CSKU: VIP"}
        for outcome in (NotTried(change), Lost(change)):
            await world.store.record_outcomes([outcome], again=[contact])
            assert await self.written(world, contact) == {"CSKU: VIP"}

    async def test_a_contact_is_pending_until_its_tags_are_seen(self, world: TagBook) -> None:
        await self.read_audience(world)
        contact = await world.add(ANN)
        await world.edit(contact, tags=("VIP",))
        [change] = (await self.plan(world)).changes
        assert isinstance(change, AddMember)
        await world.store.record_outcomes([confirmed(change)], again=[contact])
        assert await world.state(contact) is SyncState.PENDING
        step = await self.step(world, contact)
        assert step.tags == TagDifference(("CSKU: VIP",))
        await world.store.record_outcomes([Applied(step, tagged(step))])
        assert await world.state(contact) is SyncState.SYNCED
        await world.store.look_again([contact])
        [skip] = (await self.plan(world)).skips
        assert skip.answer is Answer.UNCHANGED

    async def test_only_a_confirmed_removal_is_forgotten(self, world: TagBook) -> None:
        contact = await self.tagged(world, "VIP")
        await world.edit(contact, tags=())
        part = await self.take(world)
        # The audience field tells the tags as well; here it is the tags' turn.
        values = next(w.values for w in part.desired if w.contact_id == contact)
        await world.store.record_observed([self.member(values, "CSKU: VIP")])
        step = await self.step(world, contact)
        assert step.tags == TagDifference(remove=("CSKU: VIP",))
        await world.store.record_outcomes([Lost(step)], again=[contact])
        assert await self.written(world, contact) == {"CSKU: VIP"}
        await world.store.record_outcomes([Applied(step, tagged(step))])
        assert await self.written(world, contact) == frozenset()

    def member(self, values: tuple[str, ...], *tags: str, email: str = ANN) -> ObservedMember:
        return replace(seen(email, values), tags=tags)

    async def test_a_changed_tag_marks_the_contact_and_an_untold_one_does_not(self, world: TagBook) -> None:
        contact = await self.tagged(world, "VIP")
        values = (await self.wanted(world, contact)).values
        await self.plan(world)
        same = self.member(values, "CSKU: VIP")
        await world.store.record_observed([same])
        await self.settle(world)
        await world.store.record_observed([same, replace(same, tags=None)])
        assert await self.marked(world) == set()
        await world.store.record_observed([self.member(values)])
        assert await self.marked(world) == {contact}
        step = await self.step(world, contact)
        assert step.tags == TagDifference(("CSKU: VIP",))

    async def settle(self, world: TagBook) -> None:
        while await self.marked(world):
            await self.plan(world)

    async def test_what_was_written_goes_along_with_a_renamed_member(self, world: TagBook) -> None:
        contact = await self.tagged(world, "VIP")
        values = (await self.wanted(world, contact)).values
        await world.store.record_observed([self.member(values, "CSKU: VIP")])
        await self.settle(world)
        await world.edit(contact, email=BOB)
        [change] = (await self.plan(world)).changes
        assert isinstance(change, RenameMember)
        member = replace(seen(BOB, change.values, contact_key=f"ck-{address_key(ANN)}"), tags=("CSKU: VIP",))
        await world.store.record_outcomes([Applied(change, member)])
        assert await self.written(world, contact, BOB) == {"CSKU: VIP"}
        assert await self.written(world, contact, ANN) == frozenset()

    async def test_what_was_written_goes_along_with_a_person_who_moved(self, world: TagBook) -> None:
        contact = await self.tagged(world, "VIP")
        values = (await self.wanted(world, contact)).values
        await world.store.record_observed([self.member(values, "CSKU: VIP")])
        await self.settle(world)
        moved = replace(seen(BOB, values, contact_key=f"ck-{address_key(ANN)}"), tags=("CSKU: VIP",))
        await world.store.record_observed([moved])
        await self.settle(world)
        assert await self.written(world, contact, BOB) == {"CSKU: VIP"}

    async def test_tags_of_who_does_not_fit_are_cleared_without_a_new_link(self, world: TagBook) -> None:
        contact = await self.tagged(world, "VIP")
        await world.edit(contact, active=False)
        [release] = (await self.plan(world)).changes
        member = replace(confirmed(release).member, tags=("CSKU: VIP",))
        await world.store.record_outcomes([Applied(release, member)])
        before = await world.synced(contact)
        await world.switch_tags(None, clear=True)
        step = await self.step(world, contact)
        assert (step.tags, step.releasing) == (TagDifference(remove=("CSKU: VIP",)), True)
        await world.store.record_outcomes([Applied(step, tagged(step))])
        assert await world.synced(contact) == before
        assert await self.written(world, contact) == frozenset()
        await world.store.look_again([contact])
        assert not (await self.plan(world)).changes

    async def test_what_we_wrote_goes_along_though_the_old_address_was_looked_at_first(
        self, world: TagBook
    ) -> None:
        contact = await self.tagged(world, "VIP")
        await world.store.record_observed([replace(seen(ANN, contact_key="ck-5"), tags=("CSKU: VIP",))])
        moved = replace(seen(BOB, contact_key="ck-5"), tags=("CSKU: VIP",))
        await world.store.record_looks([(hash_of(ANN), ABSENT), (hash_of(BOB), Present(moved))], [])
        await world.store.look_again([contact])
        assert (await self.take(world)).written[hash_of(BOB)] == {"CSKU: VIP"}
