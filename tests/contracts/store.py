"""What every `Store` must remember, whatever is behind it (core.ports).

Run it with an asynchronous fixture `world` that yields a `BookWorld`:

    class TestMine(StoreContract): ...

The suite plays the engine: it takes slices, plans with the real planner, and
records outcomes that it makes up. The world plays the people who keep the book.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from lockstep.core import field_map
from lockstep.core.consent import NewStatus
from lockstep.core.identity import SubscriberHash, address_key, subscriber_hash
from lockstep.core.member import MemberStatus, ObservedMember, Reason, SyncedMember, SyncState
from lockstep.core.observation import ABSENT, UNKNOWN, Observation, Present
from lockstep.core.outcome import Applied, Lost, NotTried, Outcome, Refusal, RefusalKind, Refused, Stale
from lockstep.core.plan import AddMember, Answer, Change, Plan, ReleaseMember, RenameMember, UpdateMember
from lockstep.core.planner import Policy, Slice, make_plan
from lockstep.core.ports import Store

ANN, BOB, CAT, NEW = "ann@book.example", "bob@book.example", "cat@book.example", "new@book.example"


class BookWorld(Protocol):
    """A book with filters, and what the store answers about its contacts."""

    store: Store

    async def add(self, email: str, name: str = "Name", group: str = "in") -> int:
        """A new contact; ids grow. Its group is what filters see."""

    async def edit(self, contact_id: int, **changes: object) -> None:
        """Change any of email, name, group, active, no_marketing, deleted; the store hears of it."""

    async def vanish(self, contact_id: int) -> None:
        """The row is gone from the book, by raw SQL or the like."""

    async def only(self, group: str | None) -> None:
        """Change the filter to one group, or back to everybody, and look at everybody again."""

    async def choose(self, contact_id: int) -> None:
        """“Sync this Contact instead”."""

    async def ask(self, contact_ids: Sequence[int]) -> None:
        """A person asks to try again."""

    async def state(self, contact_id: int) -> SyncState | None: ...
    async def synced(self, contact_id: int) -> SyncedMember: ...


def hash_of(email: str) -> SubscriberHash:
    return subscriber_hash(address_key(email))


def seen(
    email: str,
    values: field_map.Values | None = None,
    status: MemberStatus = MemberStatus.SUBSCRIBED,
    contact_key: str = "",
) -> ObservedMember:
    """A member as a page tells it; with no values it has none of ours."""
    none = ("",) * len(field_map.FIELD_SPECS)
    key = contact_key or f"ck-{address_key(email)}"
    return ObservedMember(hash_of(email), email, status, values or none, key)


def confirmed(change: Change, status: MemberStatus | None = None, contact_key: str = "") -> Applied:
    """Mailchimp said yes, as a batch does: without the member's `contact_key`."""
    email = change.email
    if status is None:
        new = change.status_if_new if isinstance(change, AddMember) else None
        status = MemberStatus(new.value) if new else getattr(change, "status", MemberStatus.SUBSCRIBED)
    member = ObservedMember(hash_of(email), email, status, change.values, contact_key)
    return Applied(change, member, created=isinstance(change, AddMember))


class StorePlay:
    """Plays the engine for a suite."""

    async def marked(self, world: BookWorld) -> set[int]:
        """Who is marked now; brought along for their address are not."""
        part = await world.store.next_slice(1000, frozenset())
        return set(part.receipts) if part else set()

    async def take(self, world: BookWorld) -> Slice:
        part = await world.store.next_slice(1000, frozenset())
        assert part is not None
        return part

    async def plan(self, world: BookWorld) -> Plan:
        """Take everything marked, plan it and record the plan."""
        part = await self.take(world)
        plan = make_plan(part, Policy())
        await world.store.record_plan(part, plan)
        return plan

    async def read_audience(self, world: BookWorld, *members: ObservedMember) -> int:
        await world.store.begin_audit()
        await world.store.record_observed(members)
        return await world.store.finish_audit()

    async def in_step(self, world: BookWorld, *emails: str) -> list[int]:
        """Contacts that were added to an audience and confirmed; nothing is marked."""
        await self.read_audience(world)
        ids = [await world.add(email) for email in emails]
        plan = await self.plan(world)
        await world.store.record_outcomes([confirmed(change) for change in plan.changes])
        assert await self.marked(world) == set()
        return ids


class StoreContract(StorePlay):
    """The suite. Subclass it where a fixture `world` is in reach."""

    async def desired_reason(self, world: BookWorld, contact_id: int) -> Reason:
        await world.store.look_again([contact_id])
        part = await self.take(world)
        return next(want.reason for want in part.desired if want.contact_id == contact_id)

    # --- who fits ---

    async def test_every_contact_has_the_first_reason_that_holds(self, world: BookWorld) -> None:
        fits = await world.add(ANN)
        none = await world.add("")
        bad = await world.add("not an address")
        older = await world.add(BOB)
        newer = await world.add(BOB.upper())
        out = await world.add(CAT)
        quiet = await world.add("quiet@book.example")
        await world.edit(out, active=False)
        await world.edit(quiet, no_marketing=True)
        part = await self.take(world)
        assert {want.contact_id: want.reason for want in part.desired} == {
            fits: Reason.FITS,
            none: Reason.NO_EMAIL,
            bad: Reason.INVALID_EMAIL,
            older: Reason.DUPLICATE,
            newer: Reason.FITS,
            out: Reason.INACTIVE,
            quiet: Reason.NO_MARKETING,
        }

    async def test_a_no_on_any_contact_with_the_address_holds_for_all(self, world: BookWorld) -> None:
        older = await world.add(BOB)
        newer = await world.add(BOB.title())
        await world.edit(older, no_marketing=True)
        assert await self.desired_reason(world, newer) is Reason.NO_MARKETING
        await world.edit(older, deleted=True)
        assert await self.desired_reason(world, newer) is Reason.FITS

    async def test_a_chosen_duplicate_wins_as_long_as_it_fits(self, world: BookWorld) -> None:
        older = await world.add(BOB)
        newer = await world.add(BOB)
        await world.choose(older)
        assert await self.desired_reason(world, older) is Reason.FITS
        assert await self.desired_reason(world, newer) is Reason.DUPLICATE
        await world.edit(older, active=False)
        assert await self.desired_reason(world, newer) is Reason.FITS

    async def test_filters_let_in_and_leave_out(self, world: BookWorld) -> None:
        one = await world.add(ANN, group="in")
        two = await world.add(BOB, group="other")
        await world.only("in")
        part = await self.take(world)
        reasons = {want.contact_id: want.reason for want in part.desired}
        assert reasons == {one: Reason.FITS, two: Reason.OUTSIDE}
        await world.only(None)
        assert await self.desired_reason(world, two) is Reason.FITS

    async def test_equal_contents_have_equal_digests_and_others_do_not(self, world: BookWorld) -> None:
        one = await world.add(ANN, name="Ann")
        first = (await self.take(world)).desired[0]
        await world.edit(one, name="Anna")
        second = (await self.take(world)).desired[0]
        await world.edit(one, name="Ann")
        third = (await self.take(world)).desired[0]
        assert (first.values, first.digest) == (third.values, third.digest)
        assert first.digest == field_map.digest(first.values)
        assert second.digest != first.digest
        assert second.values[1] == "Anna"

    # --- slices ---

    async def test_nothing_marked_is_none(self, world: BookWorld) -> None:
        assert await world.store.next_slice(10, frozenset()) is None
        assert await world.store.slice_after(0, 10) is None

    async def test_a_slice_brings_up_to_its_limit_and_nobody_busy(self, world: BookWorld) -> None:
        ids = [await world.add(f"p{number}@book.example") for number in range(5)]
        part = await world.store.next_slice(2, frozenset())
        assert part is not None
        assert len(part.receipts) == len(part.desired) == 2
        rest = await world.store.next_slice(10, frozenset(ids[:4]))
        assert rest is not None
        assert [want.contact_id for want in rest.desired] == [ids[4]]
        assert await world.store.next_slice(10, frozenset(ids)) is None

    async def test_the_book_is_gone_through_by_id_and_marks_stay(self, world: BookWorld) -> None:
        ids = [await world.add(f"p{number}@book.example") for number in range(5)]
        found: list[int] = []
        after = 0
        while (part := await world.store.slice_after(after, 2)) is not None:
            assert not part.receipts
            assert len(part.desired) <= 2
            found += [want.contact_id for want in part.desired]
            after = found[-1]
        assert found == ids
        assert await self.marked(world) == set(ids)

    async def test_whoever_shares_the_address_comes_along_unmarked(self, world: BookWorld) -> None:
        older, newer = await self.in_step(world, BOB, BOB.upper())
        await world.edit(newer, name="Changed")
        part = await self.take(world)
        assert {want.contact_id for want in part.desired} == {older, newer}
        assert set(part.receipts) == {newer}

    async def test_whoever_comes_along_keeps_a_mark_of_their_own(self, world: BookWorld) -> None:
        """They come without the rivals of an address that they took meanwhile."""
        first, moved, rival = await self.in_step(world, BOB, BOB, "cleo@book.example")
        await world.edit(first, name="Changed")
        await world.edit(moved, email="cleo@book.example")
        part = await world.store.next_slice(1, frozenset())
        assert part is not None
        assert {first, moved} <= {want.contact_id for want in part.desired}
        await world.store.record_plan(part, make_plan(part, Policy()))
        assert moved in await self.marked(world)
        part = await self.take(world)
        assert rival in {want.contact_id for want in part.desired}

    async def test_whoever_comes_along_does_so_although_busy(self, world: BookWorld) -> None:
        """The caller leaves who is busy for later and marks it; left out here it would be forgotten."""
        older, newer = await self.in_step(world, BOB, BOB)
        await world.edit(newer, email=NEW)
        part = await world.store.next_slice(10, frozenset({older}))
        assert part is not None
        assert {want.contact_id for want in part.desired} == {older, newer}

    async def test_the_former_rival_comes_along_when_an_address_is_left(self, world: BookWorld) -> None:
        """Also when the contact that leaves it was never synced there: the last plan remembers it."""
        await self.read_audience(world)
        older, newer = await world.add(BOB), await world.add(BOB)
        plan = await self.plan(world)
        await world.store.record_outcomes(
            [Refused(change, Refusal(RefusalKind.OTHER, "no")) for change in plan.changes]
        )
        await world.edit(newer, email=NEW)
        part = await self.take(world)
        assert {want.contact_id for want in part.desired} == {older, newer}
        assert {want.contact_id for want in part.desired if want.fits} == {older, newer}

    async def test_who_shares_an_address_that_was_left_is_marked_wherever_the_plan_came_from(
        self, world: BookWorld
    ) -> None:
        """Going through the book, the one who left is planned alone; nobody else would ever know."""
        older, newer = await self.in_step(world, BOB, BOB)
        await world.edit(newer, email=NEW)
        part = await world.store.slice_after(older, 10)
        assert part is not None
        assert [want.contact_id for want in part.desired] == [newer]
        await world.store.record_plan(part, make_plan(part, Policy()))
        assert older in await self.marked(world)

    async def test_nobody_is_marked_for_an_address_left_who_is_in_the_slice(self, world: BookWorld) -> None:
        older, newer = await self.in_step(world, BOB, BOB)
        await world.edit(newer, email=NEW)
        part = await self.take(world)
        assert {want.contact_id for want in part.desired} == {older, newer}
        await world.store.record_plan(part, make_plan(part, Policy()))
        assert not await self.marked(world)

    async def test_what_others_own_is_claimed(self, world: BookWorld) -> None:
        one, two = await self.in_step(world, ANN, BOB)
        await world.edit(one, email=NEW)
        await world.edit(two, email=ANN)
        part = await world.store.slice_after(0, 1)
        assert part is not None
        assert [want.contact_id for want in part.desired] == [one]
        assert address_key(ANN) in part.claimed
        both = await self.take(world)
        assert {want.contact_id for want in both.desired} == {one, two}

    async def test_a_member_that_another_contact_follows_is_claimed(self, world: BookWorld) -> None:
        one, two = await self.in_step(world, ANN, BOB)
        await world.store.record_observed([seen(ANN, contact_key="ck-1"), seen(BOB, contact_key="ck-2")])
        await self.plan(world)
        await world.store.record_looks([(hash_of(BOB), ABSENT)], [])
        await world.store.record_observed([seen(BOB, contact_key="ck-1")])
        await world.edit(two, active=False)
        part = await world.store.slice_after(one, 1)
        assert part is not None
        assert [want.contact_id for want in part.desired] == [two]
        assert address_key(BOB) in part.claimed

    # --- marks and plans ---

    async def test_marks_stay_until_a_plan_is_recorded(self, world: BookWorld) -> None:
        one = await world.add(ANN)
        await self.take(world)
        assert await self.marked(world) == {one}
        await self.read_audience(world)
        await self.plan(world)
        assert await self.marked(world) == set()

    async def test_a_mark_made_after_the_slice_was_read_survives_the_plan(self, world: BookWorld) -> None:
        await self.read_audience(world)
        one = await world.add(ANN)
        part = await self.take(world)
        await world.edit(one, name="Meanwhile")
        await world.store.record_plan(part, make_plan(part, Policy()))
        assert await self.marked(world) == {one}

    async def test_a_contact_to_look_at_stays_marked_and_keeps_its_uncertainty(
        self, world: BookWorld
    ) -> None:
        one = await world.add(ANN)
        plan = await self.plan(world)
        assert [skip.answer for skip in plan.skips] == [Answer.LOOK]
        assert await self.marked(world) == {one}
        assert await world.state(one) is SyncState.PENDING

    async def test_a_look_in_passing_marks_as_well(self, world: BookWorld) -> None:
        one, two = await world.add(ANN), await world.add(BOB)
        await self.plan(world)
        part = await world.store.slice_after(0, 10)
        assert part is not None
        await world.store.record_plan(part, make_plan(part, Policy()))
        assert await self.marked(world) == {one, two}

    async def test_a_change_is_uncertain_before_it_is_sent(self, world: BookWorld) -> None:
        await self.read_audience(world)
        one = await world.add(ANN)
        await self.plan(world)
        synced = await world.synced(one)
        assert synced.uncertain
        assert (synced.key, synced.sent_key) == ("", address_key(ANN))
        assert await world.state(one) is SyncState.PENDING

    async def test_a_worker_that_died_left_its_contacts_to_be_looked_at(self, world: BookWorld) -> None:
        await self.read_audience(world)
        one = await world.add(ANN)
        await self.plan(world)
        assert await self.marked(world) == set()
        await world.store.recover()
        assert await self.marked(world) == {one}
        plan = make_plan(await self.take(world), Policy())
        assert [skip.answer for skip in plan.skips] == [Answer.LOOK]

    async def test_unchanged_adopts_the_member(self, world: BookWorld) -> None:
        one = await world.add(ANN)
        values = (await self.take(world)).desired[0].values
        await self.read_audience(world, seen(ANN, values, contact_key="ck-7"))
        plan = await self.plan(world)
        assert [skip.answer for skip in plan.skips] == [Answer.UNCHANGED]
        synced = await world.synced(one)
        assert (synced.key, synced.contact_key, synced.sent_key) == (address_key(ANN), "ck-7", "")
        assert synced.digest == field_map.digest(values)
        assert await world.state(one) is SyncState.SYNCED

    async def test_forgetting_drops_the_link(self, world: BookWorld) -> None:
        one, two = await self.in_step(world, ANN, BOB)
        await world.edit(one, active=False)
        await world.edit(two, email=ANN)
        plan = await self.plan(world)
        assert [skip.contact_id for skip in plan.skips if skip.forget] == [one]
        synced = await world.synced(one)
        assert (synced.key, synced.contact_key) == ("", "")
        assert await world.state(one) is None

    async def test_asked_ends_with_an_answer(self, world: BookWorld) -> None:
        [one] = await self.in_step(world, ANN)
        await world.ask([one])
        assert (await world.synced(one)).asked
        await self.plan(world)
        assert not (await world.synced(one)).asked

    async def test_what_was_asked_is_asked_until_an_outcome(self, world: BookWorld) -> None:
        """A worker that dies, or an answer that is lost, must not use up what a person asked for."""
        [one] = await self.in_step(world, ANN)
        assert await self.read_audience(world) == 0
        await self.plan(world)
        assert await world.state(one) is SyncState.ARCHIVED
        await world.ask([one])
        change = await self.changed(world, one)
        assert (await world.synced(one)).asked
        await world.store.record_outcomes([Lost(change)], [one])
        assert (await world.synced(one)).asked
        await world.store.record_looks([(hash_of(ANN), ABSENT)], [one])
        change = await self.changed(world, one)
        await world.store.record_outcomes([confirmed(change)])
        assert not (await world.synced(one)).asked

    async def test_a_member_that_a_lost_write_made_is_the_contacts_once_something_is_done_to_it(
        self, world: BookWorld
    ) -> None:
        """Else the person's “no” at the first address would not go along to the next one."""
        await self.read_audience(world)
        one = await world.add(ANN)
        change = await self.changed(world, one)
        await world.store.record_outcomes([Lost(change)], [one])
        no = seen(ANN, change.values, MemberStatus.UNSUBSCRIBED)
        await world.store.record_looks([(hash_of(ANN), Present(no))], [one])
        await world.edit(one, email=NEW)
        released = await self.changed(world, one)
        assert isinstance(released, ReleaseMember)
        assert (await world.synced(one)).key == address_key(ANN)
        await world.store.record_outcomes([confirmed(released)], [one])
        added = await self.changed(world, one)
        assert isinstance(added, AddMember)
        assert added.status_if_new is NewStatus.UNSUBSCRIBED

    async def test_a_refused_rename_keeps_the_link_to_what_a_lost_write_made(self, world: BookWorld) -> None:
        await self.read_audience(world)
        one = await world.add(ANN)
        change = await self.changed(world, one)
        await world.store.record_outcomes([Lost(change)], [one])
        await world.store.record_looks([(hash_of(ANN), Present(seen(ANN, change.values)))], [one])
        await world.edit(one, email=NEW)
        rename = await self.changed(world, one)
        assert isinstance(rename, RenameMember)
        await world.store.record_outcomes([Refused(rename, Refusal(RefusalKind.FORGOTTEN, "no"))])
        assert (await world.synced(one)).key == address_key(ANN)

    async def test_only_a_slice_of_the_whole_book_tells_how_far_it_went(self, world: BookWorld) -> None:
        one, two = await self.in_step(world, ANN, BOB)
        part = await world.store.slice_after(0, 10)
        assert part is not None
        assert part.through == two
        assert part.without({two}).through == two
        await world.edit(one, name="Changed")
        part = await self.take(world)
        assert part.through == 0
        assert part.without({one}).through == 0

    async def test_a_refused_release_is_remembered_though_the_contact_is_in_step(
        self, world: BookWorld
    ) -> None:
        [one] = await self.in_step(world, ANN)
        values = await self.values(world, one)
        await self.read_audience(world, seen(ANN, values), seen(CAT, values))
        change = await self.changed(world, one)
        assert isinstance(change, ReleaseMember)
        await world.store.record_outcomes([Refused(change, Refusal(RefusalKind.OTHER, "no"))], [one])
        for _ in range(2):
            plan = await self.plan(world)
            assert plan.changes == ()
            assert await world.state(one) is SyncState.SYNCED
            await self.read_audience(world, seen(ANN, values), seen(CAT, values))
            await world.store.look_again([one])

    # --- outcomes ---

    async def changed(self, world: BookWorld, contact_id: int) -> Change:
        """The contact's change, planned and recorded, ready for an outcome."""
        plan = await self.plan(world)
        [change] = [change for change in plan.changes if change.contact_id == contact_id]
        return change

    async def test_applied_confirms(self, world: BookWorld) -> None:
        await self.read_audience(world)
        one = await world.add(ANN)
        change = await self.changed(world, one)
        await world.store.record_outcomes([confirmed(change, contact_key="ck-9")])
        assert await world.synced(one) == SyncedMember(
            one, address_key(ANN), change.digest, contact_key="ck-9"
        )
        assert await world.state(one) is SyncState.SYNCED
        await world.store.look_again([one])
        plan = await self.plan(world)
        assert [skip.answer for skip in plan.skips] == [Answer.UNCHANGED]

    async def test_applied_to_somebody_who_said_no_is_unsubscribed(self, world: BookWorld) -> None:
        await self.read_audience(world)
        one, two, three = await world.add(ANN), await world.add(BOB), await world.add(CAT)
        plan = await self.plan(world)
        said = {one: MemberStatus.UNSUBSCRIBED, two: MemberStatus.CLEANED, three: MemberStatus.ARCHIVED}
        await world.store.record_outcomes([confirmed(c, said[c.contact_id]) for c in plan.changes])
        assert await world.state(one) is SyncState.UNSUBSCRIBED
        assert await world.state(two) is SyncState.UNSUBSCRIBED
        assert await world.state(three) is SyncState.ARCHIVED

    async def test_a_rename_moves_member_and_link(self, world: BookWorld) -> None:
        [one] = await self.in_step(world, ANN)
        await world.store.record_observed([seen(ANN, (await self.values(world, one)), contact_key="ck-3")])
        await world.edit(one, email=NEW)
        change = await self.changed(world, one)
        assert isinstance(change, RenameMember)
        await world.store.record_outcomes([confirmed(change, contact_key="ck-3")])
        synced = await world.synced(one)
        assert (synced.key, synced.contact_key) == (address_key(NEW), "ck-3")
        await world.store.look_again([one])
        part = await self.take(world)
        assert part.observed[hash_of(NEW)] != ABSENT
        assert part.moved == {}
        other = await world.add(ANN)
        part = await self.take(world)
        assert part.observed[hash_of(ANN)] == ABSENT
        assert {want.contact_id for want in part.desired} >= {other}

    async def values(self, world: BookWorld, contact_id: int) -> field_map.Values:
        part = await world.store.slice_after(contact_id - 1, 1)
        assert part is not None
        return part.desired[0].values

    async def test_a_release_keeps_the_link_and_empties_the_digest(self, world: BookWorld) -> None:
        [one] = await self.in_step(world, ANN)
        await world.edit(one, active=False)
        change = await self.changed(world, one)
        assert isinstance(change, ReleaseMember)
        assert (await world.synced(one)).uncertain
        await world.store.record_outcomes([confirmed(change)])
        synced = await world.synced(one)
        assert (synced.key, synced.digest, synced.uncertain) == (address_key(ANN), b"", False)
        assert await world.state(one) is None
        await world.edit(one, active=True)
        assert isinstance(await self.changed(world, one), UpdateMember)

    async def test_a_refusal_is_remembered_until_the_contact_changes_or_a_person_asks(
        self, world: BookWorld
    ) -> None:
        await self.read_audience(world)
        one = await world.add(ANN)
        change = await self.changed(world, one)
        refusal = Refusal(RefusalKind.FAKE_ADDRESS, "looks fake or invalid", field="EMAIL")
        await world.store.record_outcomes([Refused(change, refusal)])
        synced = await world.synced(one)
        assert synced.refusal is not None
        assert (synced.refusal.kind, synced.refusal.text) == (refusal.kind, refusal.text)
        assert (synced.refusal.field, synced.refusal.digest) == ("EMAIL", change.digest)
        assert not synced.uncertain
        assert await world.state(one) is SyncState.FAILED

        await world.store.look_again([one])
        assert [skip.answer for skip in (await self.plan(world)).skips] == [Answer.REFUSED_BEFORE]
        assert await world.state(one) is SyncState.FAILED
        await world.edit(one, name="Mended")
        assert isinstance((await self.plan(world)).changes[0], AddMember)
        await world.store.record_outcomes([NotTried(await self.again(world, one))])
        await world.ask([one])
        plan = await self.plan(world)
        await world.store.record_outcomes([confirmed(change) for change in plan.changes])
        assert (await world.synced(one)).refusal is None

    async def again(self, world: BookWorld, contact_id: int) -> Change:
        """The change that a plan would make now, though one was recorded."""
        part = await world.store.slice_after(contact_id - 1, 1)
        assert part is not None
        certain = {c: replace(s, uncertain=False) for c, s in part.synced.items()}
        [change] = make_plan(replace(part, synced=certain), Policy()).changes
        return change

    async def test_what_was_not_tried_is_certain_and_still_pending(self, world: BookWorld) -> None:
        await self.read_audience(world)
        one = await world.add(ANN)
        change = await self.changed(world, one)
        await world.store.record_outcomes([NotTried(change)], [one])
        assert not (await world.synced(one)).uncertain
        assert await world.state(one) is SyncState.PENDING
        assert await self.marked(world) == {one}

    async def test_lost_and_stale_leave_the_contact_to_be_looked_at(self, world: BookWorld) -> None:
        await self.read_audience(world)
        one, two = await world.add(ANN), await world.add(BOB)
        plan = await self.plan(world)
        first, second = plan.changes
        outcomes: list[Outcome] = [Lost(first), Stale(second, "not there")]
        await world.store.record_outcomes(outcomes, [one, two])
        assert (await world.synced(one)).uncertain
        assert (await world.synced(two)).uncertain
        assert await self.marked(world) == {one, two}
        plan = await self.plan(world)
        assert [skip.answer for skip in plan.skips] == [Answer.LOOK] * 2

    async def test_a_look_settles_and_leaves_the_rest_to_the_planner(self, world: BookWorld) -> None:
        await self.read_audience(world)
        one, two = await world.add(ANN), await world.add(BOB)
        plan = await self.plan(world)
        await world.store.record_outcomes([Lost(change) for change in plan.changes])
        values = plan.changes[0].values
        looks: list[tuple[SubscriberHash, Observation]] = [
            (hash_of(ANN), Present(seen(ANN, values))),
            (hash_of(BOB), UNKNOWN),
        ]
        await world.store.record_looks(looks, [one])
        synced = await world.synced(one)
        assert (synced.uncertain, synced.key, synced.sent_key) == (False, "", address_key(ANN))
        assert (await world.synced(two)).uncertain
        await world.edit(one, active=False)
        change = await self.changed(world, one)
        assert isinstance(change, ReleaseMember), "the member that the lost write made is not forgotten"

    # --- observing ---

    async def test_nobody_is_absent_before_a_complete_reading(self, world: BookWorld) -> None:
        await world.add(ANN)
        await world.add(BOB)
        await world.store.begin_audit()
        await world.store.record_observed([seen(ANN)])
        part = await self.take(world)
        assert isinstance(part.observed[hash_of(ANN)], Present)
        assert part.observed.get(hash_of(BOB), UNKNOWN) == UNKNOWN
        assert await world.store.finish_audit() == 1
        assert (await self.take(world)).observed[hash_of(BOB)] == ABSENT

    async def test_a_look_tells_absence_without_any_reading(self, world: BookWorld) -> None:
        one = await world.add(ANN)
        await world.store.record_looks([(hash_of(ANN), ABSENT)], [])
        part = await self.take(world)
        assert part.observed[hash_of(ANN)] == ABSENT
        assert isinstance(await self.changed(world, one), AddMember)

    async def test_a_reading_that_broke_off_concludes_nothing(self, world: BookWorld) -> None:
        one, two = await self.in_step(world, ANN, BOB)
        await world.store.begin_audit()
        await world.store.record_observed([seen(ANN)])
        await world.store.look_again([one, two])
        part = await self.take(world)
        assert isinstance(part.observed[hash_of(BOB)], Present)
        assert await self.read_audience(world, seen(BOB)) == 1
        part = await self.take(world)
        assert part.observed[hash_of(ANN)] == ABSENT

    async def test_what_is_written_or_looked_at_during_a_reading_is_not_taken_for_absent(
        self, world: BookWorld
    ) -> None:
        [one] = await self.in_step(world, ANN)
        two = await world.add(BOB)
        await world.add(CAT)
        await world.store.begin_audit()
        change = await self.changed(world, two)
        await world.store.record_outcomes([confirmed(change)])
        await world.store.record_looks([(hash_of(CAT), Present(seen(CAT)))], [])
        assert await world.store.finish_audit() == 2
        await world.store.look_again([one, two])
        part = await self.take(world)
        assert part.observed[hash_of(ANN)] == ABSENT
        assert isinstance(part.observed[hash_of(BOB)], Present)

    async def test_a_changed_member_marks_its_contact_and_an_unchanged_one_does_not(
        self, world: BookWorld
    ) -> None:
        one, two = await self.in_step(world, ANN, BOB)
        values = {c: await self.values(world, c) for c in (one, two)}
        await world.store.record_observed([seen(ANN, values[one]), seen(BOB, values[two])])
        if marked := await self.marked(world):  # learning who they are may be worth a look, once
            await self.plan(world)
            assert marked <= {one, two}
        await world.store.record_observed([seen(ANN, values[one]), seen(BOB, values[two])])
        assert await self.marked(world) == set()
        await world.store.record_observed(
            [seen(ANN, values[one], MemberStatus.UNSUBSCRIBED), seen(BOB, values[two])]
        )
        assert await self.marked(world) == {one}
        await self.plan(world)
        assert await world.state(one) is SyncState.UNSUBSCRIBED

    async def test_who_vanishes_or_appears_at_a_wanted_address_marks_as_well(self, world: BookWorld) -> None:
        one, two = await self.in_step(world, ANN, BOB)
        assert await self.read_audience(world, seen(BOB, await self.values(world, two))) == 1
        assert one in await self.marked(world)
        await self.plan(world)
        assert await world.state(one) is SyncState.ARCHIVED
        await world.store.record_observed([seen(ANN)])
        assert await self.marked(world) == {one}

    async def test_a_member_that_moved_is_found_by_its_contact_key(self, world: BookWorld) -> None:
        """The batch that added it did not tell the key; the next page does."""
        [one] = await self.in_step(world, ANN)
        values = await self.values(world, one)
        await world.store.record_observed([seen(ANN, values, contact_key="ck-5")])
        assert (await world.synced(one)).contact_key == "ck-5"
        await world.store.record_observed([seen(NEW, values, contact_key="ck-5")])
        assert await self.marked(world) == {one}
        part = await self.take(world)
        assert part.observed[hash_of(ANN)] == ABSENT
        assert part.moved[one].hash == hash_of(NEW)

    async def test_a_poorer_source_forgets_nothing(self, world: BookWorld) -> None:
        [one] = await self.in_step(world, ANN)
        values = await self.values(world, one)
        rich = replace(seen(ANN, values, contact_key="ck-5"), web_id=77, rating=4)
        await world.store.record_observed([rich])
        await world.edit(one, name="Changed")
        await world.store.record_outcomes([confirmed(await self.changed(world, one))])
        await world.store.look_again([one])
        part = await self.take(world)
        found = part.observed[hash_of(ANN)]
        assert isinstance(found, Present)
        assert (found.member.contact_key, found.member.web_id, found.member.rating) == ("ck-5", 77, 4)
        assert (await world.synced(one)).contact_key == "ck-5"

    async def test_a_stray_that_names_a_contact_becomes_its_to_release(self, world: BookWorld) -> None:
        """Active at Mailchimp, nobody's by any link: the Contact URL tells whose it must have been."""
        [one] = await self.in_step(world, ANN)
        values = await self.values(world, one)
        await self.read_audience(world, seen(ANN, values), seen(CAT, values))
        assert one in await self.marked(world)
        change = await self.changed(world, one)
        assert isinstance(change, ReleaseMember)
        assert change.hash == hash_of(CAT)
        await world.store.record_outcomes([confirmed(change)], [one])
        plan = await self.plan(world)
        assert [skip.answer for skip in plan.skips] == [Answer.UNCHANGED]
        assert await self.read_audience(world, seen(ANN, values), seen(CAT, field_map.released(values))) == 2
        assert not any(isinstance(c, ReleaseMember) for c in make_plan_of(await self.rest(world)))

    async def test_a_stray_is_recognised_when_it_is_seen_and_not_only_by_an_audit(
        self, world: BookWorld
    ) -> None:
        [one] = await self.in_step(world, ANN)
        values = await self.values(world, one)
        await world.store.record_observed([seen(ANN, values, contact_key="ck-5")])
        await world.store.record_observed([seen(CAT, values, contact_key="ck-6")])
        assert one in await self.marked(world)
        change = await self.changed(world, one)
        assert isinstance(change, ReleaseMember)
        assert change.hash == hash_of(CAT)

    async def test_what_is_seen_while_a_write_is_under_way_is_left_to_its_outcome(
        self, world: BookWorld
    ) -> None:
        [one] = await self.in_step(world, ANN)
        values = await self.values(world, one)
        await world.edit(one, email=NEW)
        await self.plan(world)
        before = await world.synced(one)
        assert before.uncertain
        await world.store.record_observed([seen(CAT, values, contact_key="ck-6")])
        assert (await world.synced(one)).sent_key == before.sent_key == address_key(NEW)

    async def test_an_answer_may_show_that_a_member_has_moved(self, world: BookWorld) -> None:
        """An add at an address to which somebody moved meanwhile: the owner of the old one is looked at."""
        [one] = await self.in_step(world, ANN)
        await world.store.record_observed([seen(ANN, await self.values(world, one), contact_key="ck-5")])
        if await self.marked(world):
            await self.plan(world)
        two = await world.add(BOB)
        change = await self.changed(world, two)
        assert isinstance(change, AddMember)
        await world.store.record_outcomes([confirmed(change, contact_key="ck-5")])
        assert one in await self.marked(world)
        await self.plan(world)
        assert await world.state(one) is SyncState.ARCHIVED

    async def rest(self, world: BookWorld) -> Slice | None:
        return await world.store.next_slice(1000, frozenset())

    # --- contacts that are no more ---

    async def test_deleted_and_restored(self, world: BookWorld) -> None:
        [one] = await self.in_step(world, ANN)
        await world.edit(one, deleted=True)
        change = await self.changed(world, one)
        assert isinstance(change, ReleaseMember)
        await world.store.record_outcomes([confirmed(change)])
        assert await world.state(one) is None
        await world.edit(one, deleted=False)
        assert isinstance(await self.changed(world, one), UpdateMember)

    async def test_a_row_that_vanished_still_has_its_member_released(self, world: BookWorld) -> None:
        [one] = await self.in_step(world, ANN)
        await world.vanish(one)
        change = await self.changed(world, one)
        assert isinstance(change, ReleaseMember)
        await world.store.record_outcomes([confirmed(change)])
        assert await self.marked(world) == set()

    async def test_control_says_go_on(self, world: BookWorld) -> None:
        assert not (await world.store.control()).stop


def make_plan_of(part: Slice | None) -> tuple[Change, ...]:
    return make_plan(part, Policy(NewStatus.SUBSCRIBED)).changes if part else ()
