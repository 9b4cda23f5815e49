"""What every `Audience` does with tags under our prefix (core.ports, core.tags; contract 5, 10)."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

import pytest

from lockstep.core.errors import AnswerLost, AudienceUnavailable, ConnectionBroken
from lockstep.core.identity import address_key
from lockstep.core.member import MemberStatus, ObservedMember
from lockstep.core.observation import Present
from lockstep.core.outcome import Applied, Lost, Stale
from lockstep.core.plan import TagMember
from lockstep.core.tags import TagDifference, TagRule
from lockstep.core.testing import Fault
from tests.contracts.audience import KIM, NEW, PAT, AudienceWorld, add, hash_of, nobody, rename, update

RULE = TagRule("CSKU: ")
THEIRS = "Donors"


class TagWorld(AudienceWorld, Protocol):
    """An audience that has tags switched on, under `RULE`."""

    def tags(self, email: str) -> Collection[str]:
        """All tags of a member, ours and others'."""

    def tag(self, email: str, name: str) -> None:
        """A marketer tags a member."""


def tagging(member: ObservedMember, *names: str, remove: tuple[str, ...] = ()) -> TagMember:
    return TagMember(
        contact_id=1,
        hash=member.hash,
        email=member.email,
        values=member.values,
        before=member.tags or (),
        tags=TagDifference(names, remove),
        status=member.status,
        digest=b"digest",
        key=address_key(member.email),
    )


class AudienceTagsContract:
    async def seen(self, world: TagWorld, email: str) -> ObservedMember:
        found = await world.audience.look(hash_of(email))
        assert isinstance(found, Present)
        return found.member

    async def test_only_tags_under_our_prefix_are_seen_in_any_spelling(self, world: TagWorld) -> None:
        world.join(KIM)
        for name in ("CSKU: VIP", THEIRS, "csku: press", "CSK: no"):
            world.tag(KIM, name)
        assert (await self.seen(world, KIM)).tags == ("csku: press", "CSKU: VIP")
        pages = [page async for page in world.audience.observe(archived=False, since=None)]
        assert {m.email: m.tags for page in pages for m in page}[KIM] == ("csku: press", "CSKU: VIP")

    async def test_a_member_with_more_tags_than_a_row_shows_is_seen_with_all_of_them(
        self, world: TagWorld
    ) -> None:
        world.join(KIM)
        world.tag(KIM, "CSKU: First")
        for number in range(60):
            world.tag(KIM, f"Other {number}")
        assert (await self.seen(world, KIM)).tags == ("CSKU: First",)
        pages = [page async for page in world.audience.observe(archived=False, since=None)]
        assert {m.email: m.tags for page in pages for m in page}[KIM] == ("CSKU: First",)

    async def test_one_call_changes_all_tags_of_one_member_and_nothing_else(self, world: TagWorld) -> None:
        world.join(KIM, "Their name")
        world.unsubscribe(KIM)
        for name in (THEIRS, "CSKU: Old"):
            world.tag(KIM, name)
        before = world.raw(KIM)
        change = tagging(await self.seen(world, KIM), "CSKU: VIP", remove=("CSKU: Old", "CSKU: Never there"))
        outcome = await world.audience.write_one(change)
        assert isinstance(outcome, Applied)
        assert not outcome.created
        assert outcome.member.tags == ("CSKU: VIP",)
        assert set(world.tags(KIM)) == {THEIRS, "CSKU: VIP"}
        assert world.raw(KIM) == before

    async def test_case_is_no_difference_and_the_first_spelling_stays(self, world: TagWorld) -> None:
        world.join(KIM)
        world.tag(KIM, "csku: vip")
        await world.audience.write_one(tagging(await self.seen(world, KIM), "CSKU: VIP"))
        assert set(world.tags(KIM)) == {"csku: vip"}

    async def test_nobody_is_made_by_a_tag(self, world: TagWorld) -> None:
        outcome = await world.audience.write_one(tagging(nobody(NEW), "CSKU: VIP"))
        assert isinstance(outcome, Stale)
        assert await world.audience.write_tag("CSKU: VIP", add=[NEW], remove=[]) == {NEW}
        assert world.raw(NEW) is None

    async def test_a_call_with_one_tag_says_whom_it_passed_over(self, world: TagWorld) -> None:
        for email in (KIM, PAT):
            world.join(email)
            world.tag(email, THEIRS)
        world.unsubscribe(PAT)
        world.tag(PAT, "CSKU: VIP")
        before = [world.raw(email) for email in (KIM, PAT)]
        assert await world.audience.write_tag("CSKU: VIP", add=[KIM, NEW], remove=[PAT]) == {NEW}
        assert set(world.tags(KIM)) == {THEIRS, "CSKU: VIP"}
        assert set(world.tags(PAT)) == {THEIRS}
        assert [world.raw(email) for email in (KIM, PAT)] == before
        again = await world.audience.write_tag("CSKU: VIP", add=[KIM], remove=[PAT])
        assert again <= {KIM, PAT}  # whoever has it already may be passed over: their own call will tell
        assert set(world.tags(KIM)) == {THEIRS, "CSKU: VIP"}

    async def test_a_batch_brings_the_tags_along_and_takes_nothing_off(self, world: TagWorld) -> None:
        world.join(KIM)
        world.tag(KIM, THEIRS)
        world.tag(KIM, "CSKU: Old")
        fresh = add(PAT, contact=1)
        known = update(await self.seen(world, KIM), "Kim", contact=2)
        object.__setattr__(fresh, "tags", TagDifference(("CSKU: VIP",)))
        object.__setattr__(known, "tags", TagDifference(("CSKU: VIP",), ("CSKU: Old",)))
        outcomes = await world.audience.write_batch([fresh, known])
        assert [o.member.tags for o in outcomes if isinstance(o, Applied)] == [
            ("CSKU: VIP",),
            ("CSKU: Old", "CSKU: VIP"),
        ]
        assert set(world.tags(KIM)) == {THEIRS, "CSKU: Old", "CSKU: VIP"}

    async def test_tags_go_with_a_member_to_its_new_address(self, world: TagWorld) -> None:
        world.join(KIM)
        world.tag(KIM, "CSKU: VIP")
        outcome = await world.audience.write_one(rename(await self.seen(world, KIM), NEW))
        assert isinstance(outcome, Applied)
        assert outcome.member.tags == ("CSKU: VIP",)

    @pytest.mark.parametrize(
        ("fault", "error"), [(Fault.UNAVAILABLE, AudienceUnavailable), (Fault.BROKEN, ConnectionBroken)]
    )
    async def test_a_call_that_could_not_be_made_is_an_error(
        self, world: TagWorld, fault: Fault, error: type[Exception]
    ) -> None:
        world.join(KIM)
        member = await self.seen(world, KIM)
        world.ail(fault)
        with pytest.raises(error):
            await world.audience.write_tag("CSKU: VIP", add=[KIM], remove=[])
        with pytest.raises(error):
            await world.audience.write_one(tagging(member, "CSKU: VIP"))
        world.heal()
        assert not world.tags(KIM)

    @pytest.mark.parametrize("fault", [Fault.LOST, Fault.LOST_DONE])
    async def test_a_lost_answer_is_told(self, world: TagWorld, fault: Fault) -> None:
        world.join(KIM)
        change = tagging(await self.seen(world, KIM), "CSKU: VIP")
        world.ail(fault)
        assert await world.audience.write_one(change) == Lost(change)
        with pytest.raises(AnswerLost):
            await world.audience.write_tag("CSKU: Press", add=[KIM], remove=[])
        world.heal()
        assert ("CSKU: VIP" in world.tags(KIM)) is (fault is Fault.LOST_DONE)

    async def test_archived_members_keep_and_get_tags(self, world: TagWorld) -> None:
        world.join(KIM)
        world.archive(KIM)
        member = await self.seen(world, KIM)
        assert member.status is MemberStatus.ARCHIVED
        assert isinstance(await world.audience.write_one(tagging(member, "CSKU: VIP")), Applied)
        assert set(world.tags(KIM)) == {"CSKU: VIP"}
