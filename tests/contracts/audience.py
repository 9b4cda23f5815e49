"""What every `Audience` must do, whatever is behind it (core.ports; contract 4.4, 4.5, 4.6, 5).

Run it with a fixture `world` that yields an `AudienceWorld`:

    class TestMine(AudienceContract): ...

A world plays Mailchimp, its people and its bad days; the suite speaks to the port only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

import pytest

from lockstep.core import field_map as fields
from lockstep.core.consent import IF_VANISHED, NewStatus
from lockstep.core.errors import AnswerLost, AudienceUnavailable, ConnectionBroken
from lockstep.core.field_map import FieldMap
from lockstep.core.identity import SubscriberHash, address_key, subscriber_hash
from lockstep.core.member import MemberStatus, ObservedMember, Values
from lockstep.core.observation import ABSENT, Present
from lockstep.core.outcome import Applied, Lost, Outcome, RefusalKind, Refused, Stale
from lockstep.core.plan import AddMember, Change, ReleaseMember, RenameMember, UpdateMember
from lockstep.core.ports import BATCH, Audience, BatchChange
from lockstep.core.testing import Fault

THEIRS = "FNAME"
"""A merge field that is not ours; every new audience has it (contract 3.3)."""

PAT, KIM, NEW = "Pat@contract.example", "kim@contract.example", "pat@new.contract.example"


@dataclass(frozen=True)
class RawMember:
    """A member as Mailchimp holds it, more than the port tells."""

    email: str
    status: MemberStatus
    """The status underneath where the member is archived."""
    archived: bool
    fields: Mapping[str, object]
    contact_key: str


class AudienceWorld(Protocol):
    """What a world offers. Our fields exist; people's deeds take effect at once."""

    audience: Audience
    field_map: FieldMap

    def join(self, email: str, their_name: str = "") -> None:
        """Somebody signs up without us, subscribed, with `their_name` in the field THEIRS."""

    def unsubscribe(self, email: str) -> None:
        """The person says no."""

    def unsubscribe_by_admin(self, email: str) -> None: ...
    def bounce(self, email: str) -> None:
        """The address is cleaned."""

    def archive(self, email: str) -> None: ...
    def delete_for_good(self, email: str) -> None: ...
    def change_address(self, email: str, new: str) -> None:
        """The person does; `contact_key` stays."""

    def bar(self, email: str) -> None:
        """Mailchimp keeps the address in a compliance state, though nobody has it here."""

    def raw(self, email: str) -> RawMember | None: ...

    def pass_time(self, seconds: float) -> None: ...

    def ail(self, fault: Fault) -> None:
        """From now on every call (UNAVAILABLE, BROKEN) or every write (LOST, LOST_DONE) meets the fault."""

    def heal(self) -> None: ...


def hash_of(email: str) -> SubscriberHash:
    return subscriber_hash(address_key(email))


def values_of(**given: str) -> Values:
    """Values by field name; Active, the rest empty."""
    texts = {"sync_status": fields.ACTIVE, **given}
    return tuple(texts.get(spec.name, "") for spec in fields.FIELD_SPECS)


def add(
    email: str, name: str = "Pat", status: NewStatus = NewStatus.SUBSCRIBED, contact: int = 1
) -> AddMember:
    values = values_of(email=email, first_name=name)
    return AddMember(
        contact, hash_of(email), email, values, status, fields.digest(values), address_key(email)
    )


def update(member: ObservedMember, name: str, contact: int = 1) -> UpdateMember:
    values = values_of(email=member.email, first_name=name)
    return UpdateMember(
        contact_id=contact,
        hash=member.hash,
        email=member.email,
        values=values,
        before=member.values,
        differing=fields.differing(member.values, values),
        status=member.status,
        digest=fields.digest(values),
        key=address_key(member.email),
    )


def release(member: ObservedMember, contact: int = 1) -> ReleaseMember:
    values = fields.released(member.values)
    return ReleaseMember(
        contact_id=contact,
        hash=member.hash,
        email=member.email,
        values=values,
        before=member.values,
        differing=fields.differing(member.values, values),
        status=member.status,
        digest=fields.digest(values),
        key=address_key(member.email),
    )


def rename(member: ObservedMember, email: str, contact: int = 1) -> RenameMember:
    values = values_of(email=email, first_name="Renamed")
    return RenameMember(
        contact_id=contact,
        hash=member.hash,
        email=email,
        former_email=member.email,
        values=values,
        before=member.values,
        digest=fields.digest(values),
        key=address_key(email),
    )


def nobody(email: str) -> ObservedMember:
    """What a plan believed of somebody who is not there any more."""
    return ObservedMember(hash_of(email), email, MemberStatus.SUBSCRIBED, values_of(first_name="Before"))


FORMER = [
    MemberStatus.SUBSCRIBED,
    MemberStatus.UNSUBSCRIBED,
    MemberStatus.CLEANED,
    MemberStatus.PENDING,
    MemberStatus.TRANSACTIONAL,
]


class AudienceContract:
    """The suite. Subclass it where a fixture `world` is in reach."""

    # --- setting the stage --------------------------------------------------------------------------------

    async def seen(self, world: AudienceWorld, email: str) -> ObservedMember:
        found = await world.audience.look(hash_of(email))
        assert isinstance(found, Present)
        return found.member

    async def there(self, world: AudienceWorld, email: str, status: MemberStatus) -> ObservedMember:
        """Somebody in the audience with that status."""
        match status:
            case MemberStatus.PENDING | MemberStatus.TRANSACTIONAL:
                await world.audience.write_one(add(email, "Before", NewStatus(status.value)))
            case _:
                world.join(email, "Their own")
                if status is MemberStatus.UNSUBSCRIBED:
                    world.unsubscribe(email)
                elif status is MemberStatus.CLEANED:
                    world.bounce(email)
        member = await self.seen(world, email)
        assert member.status is status
        return member

    async def write(self, world: AudienceWorld, how: str, change: BatchChange) -> Outcome:
        """One change, in a call of its own or together with somebody else's."""
        if how == "singly":
            return await world.audience.write_one(change)
        other = add("other@contract.example", "Other", contact=99)
        outcomes = await world.audience.write_batch([other, change])
        assert [outcome.change for outcome in outcomes] == [other, change]
        assert isinstance(outcomes[0], Applied)
        return outcomes[1]

    async def everybody(self, world: AudienceWorld, **how: object) -> dict[str, ObservedMember]:
        """By address; whoever else a world begins with is left out."""
        found = [m async for page in world.audience.observe(**how) for m in page]  # type: ignore[arg-type]
        return {
            address_key(member.email): member
            for member in found
            if member.email.lower().endswith("contract.example")
        }

    # --- looking ------------------------------------------------------------------------------------------

    async def test_nobody_is_absent(self, world: AudienceWorld) -> None:
        assert await world.audience.look(hash_of(PAT)) == ABSENT

    async def test_a_look_tells_address_status_and_our_values(self, world: AudienceWorld) -> None:
        await world.audience.write_one(add(PAT))
        member = await self.seen(world, PAT)
        assert (member.hash, member.email) == (hash_of(PAT), PAT)
        assert member.status is MemberStatus.SUBSCRIBED
        assert member.values == values_of(email=PAT, first_name="Pat")
        assert member.contact_key
        assert member.last_changed

    async def test_an_archived_member_is_there_and_archived(self, world: AudienceWorld) -> None:
        world.join(PAT)
        world.archive(PAT)
        assert (await self.seen(world, PAT)).status is MemberStatus.ARCHIVED

    async def test_deleted_for_good_is_absent(self, world: AudienceWorld) -> None:
        world.join(PAT)
        world.delete_for_good(PAT)
        assert await world.audience.look(hash_of(PAT)) == ABSENT

    async def test_a_moved_member_keeps_its_contact_key(self, world: AudienceWorld) -> None:
        world.join(PAT)
        before = await self.seen(world, PAT)
        world.change_address(PAT, NEW)
        assert await world.audience.look(hash_of(PAT)) == ABSENT
        assert (await self.seen(world, NEW)).contact_key == before.contact_key

    # --- reading everybody --------------------------------------------------------------------------------

    async def test_everybody_is_in_some_page_and_the_archived_in_a_pass_of_their_own(
        self, world: AudienceWorld
    ) -> None:
        emails = [f"p{number}@many.contract.example" for number in range(BATCH)]
        await world.audience.write_batch([add(email, contact=n) for n, email in enumerate(emails)])
        for email in emails[:3]:
            world.archive(email)
        world.unsubscribe(emails[3])
        here = await self.everybody(world, archived=False, since=None)
        gone = await self.everybody(world, archived=True, since=None)
        assert set(here) == set(emails[3:])
        assert set(gone) == set(emails[:3])
        assert {m.status for m in gone.values()} == {MemberStatus.ARCHIVED}
        assert here[emails[3]].status is MemberStatus.UNSUBSCRIBED
        assert here[emails[4]].values == values_of(email=emails[4], first_name="Pat")

    async def test_a_poll_brings_whoever_changed_since(self, world: AudienceWorld) -> None:
        for email in (PAT, KIM, "old@contract.example", "arch@contract.example"):
            world.join(email)
        last = datetime.fromisoformat((await self.seen(world, PAT)).last_changed).astimezone(UTC)
        world.pass_time(3600)
        world.unsubscribe(PAT)
        world.change_address(KIM, NEW)
        world.archive("arch@contract.example")
        since = last + timedelta(seconds=1800)
        changed = await self.everybody(world, archived=False, since=since)
        archived = await self.everybody(world, archived=True, since=since)
        assert set(changed) == {address_key(PAT), address_key(NEW)}
        assert set(archived) == {"arch@contract.example"}

    # --- adding -------------------------------------------------------------------------------------------

    @pytest.mark.parametrize("how", ["singly", "in a batch"])
    @pytest.mark.parametrize("status", list(NewStatus))
    async def test_somebody_new_gets_the_status_given(
        self, world: AudienceWorld, how: str, status: NewStatus
    ) -> None:
        outcome = await self.write(world, how, add(PAT, status=status))
        assert isinstance(outcome, Applied)
        assert outcome.created
        assert outcome.member.status.value == status.value
        assert outcome.member.values == values_of(email=PAT, first_name="Pat")
        raw = world.raw(PAT)
        assert raw is not None
        assert (raw.status.value, raw.archived) == (status.value, False)

    @pytest.mark.parametrize("how", ["singly", "in a batch"])
    @pytest.mark.parametrize("former", FORMER)
    async def test_adding_somebody_who_is_there_touches_no_status(
        self, world: AudienceWorld, how: str, former: MemberStatus
    ) -> None:
        await self.there(world, PAT, former)
        outcome = await self.write(world, how, add(PAT, "Ours"))
        assert isinstance(outcome, Applied)
        assert outcome.member.status is former
        raw = world.raw(PAT)
        assert raw is not None
        assert raw.status is former
        assert world.field_map.values_of(raw.fields) == values_of(email=PAT, first_name="Ours")

    @pytest.mark.parametrize("how", ["singly", "in a batch"])
    async def test_an_admins_unsubscribe_is_a_no_as_well(self, world: AudienceWorld, how: str) -> None:
        world.join(PAT)
        world.unsubscribe_by_admin(PAT)
        await self.write(world, how, add(PAT))
        assert (await self.seen(world, PAT)).status is MemberStatus.UNSUBSCRIBED

    @pytest.mark.parametrize("how", ["singly", "in a batch"])
    async def test_adding_does_not_bring_the_archived_back(self, world: AudienceWorld, how: str) -> None:
        world.join(PAT)
        world.unsubscribe(PAT)
        world.archive(PAT)
        await self.write(world, how, add(PAT))
        raw = world.raw(PAT)
        assert raw is not None
        assert (raw.archived, raw.status) == (True, MemberStatus.UNSUBSCRIBED)

    @pytest.mark.parametrize("how", ["singly", "in a batch"])
    async def test_somebody_deleted_for_good_is_refused(self, world: AudienceWorld, how: str) -> None:
        world.join(PAT)
        world.delete_for_good(PAT)
        outcome = await self.write(world, how, add(PAT))
        assert isinstance(outcome, Refused)
        assert outcome.refusal.kind is RefusalKind.FORGOTTEN
        assert outcome.refusal.digest == outcome.change.digest
        assert outcome.refusal.text
        assert world.raw(PAT) is None

    @pytest.mark.parametrize("how", ["singly", "in a batch"])
    async def test_a_compliance_state_refuses_the_one_and_not_the_others(
        self, world: AudienceWorld, how: str
    ) -> None:
        world.bar(PAT)
        outcome = await self.write(world, how, add(PAT))
        assert isinstance(outcome, Refused)
        assert outcome.refusal.kind is RefusalKind.COMPLIANCE

    # --- updating and releasing ---------------------------------------------------------------------------

    @pytest.mark.parametrize("how", ["singly", "in a batch"])
    @pytest.mark.parametrize("former", FORMER)
    async def test_an_update_writes_our_fields_and_nothing_else(
        self, world: AudienceWorld, how: str, former: MemberStatus
    ) -> None:
        member = await self.there(world, PAT, former)
        before = world.raw(PAT)
        outcome = await self.write(world, how, update(member, "Updated"))
        after = world.raw(PAT)
        assert isinstance(outcome, Applied)
        assert not outcome.created
        assert outcome.member.values == values_of(email=PAT, first_name="Updated")
        assert before is not None
        assert after is not None
        assert (after.status, after.archived, after.contact_key) == (former, False, before.contact_key)
        ours = set(world.field_map.tags)
        assert {t: v for t, v in after.fields.items() if t not in ours} == {
            t: v for t, v in before.fields.items() if t not in ours
        }

    @pytest.mark.parametrize("how", ["singly", "in a batch"])
    @pytest.mark.parametrize("former", FORMER)
    async def test_a_release_turns_inactive_and_keeps_the_status(
        self, world: AudienceWorld, how: str, former: MemberStatus
    ) -> None:
        member = await self.there(world, PAT, former)
        await world.audience.write_one(update(member, "Active one"))
        outcome = await self.write(world, how, release(await self.seen(world, PAT)))
        assert isinstance(outcome, Applied)
        assert outcome.member.status is former
        after = await self.seen(world, PAT)
        assert after.values == fields.released(values_of(email=PAT, first_name="Active one"))
        assert after.status is former

    async def test_a_single_update_of_somebody_who_vanished_is_stale_and_makes_nobody(
        self, world: AudienceWorld
    ) -> None:
        outcome = await world.audience.write_one(update(nobody(PAT), "Updated"))
        assert isinstance(outcome, Stale)
        assert world.raw(PAT) is None

    async def test_a_batch_update_of_somebody_who_vanished_says_so_and_the_stray_can_be_archived(
        self, world: AudienceWorld
    ) -> None:
        """Batch items need `status_if_new` (contract 5), so that the vanished comes into being again."""
        outcome = await self.write(world, "in a batch", update(nobody(PAT), "Updated"))
        assert isinstance(outcome, Applied)
        assert outcome.created
        raw = world.raw(PAT)
        assert raw is not None
        assert raw.status.value == IF_VANISHED.value
        await world.audience.archive_stray(outcome.member.hash)
        raw = world.raw(PAT)
        assert raw is not None
        assert raw.archived
        await world.audience.archive_stray(outcome.member.hash)  # once more does no harm

    async def test_a_stray_that_somebody_else_deleted_needs_no_archiving(self, world: AudienceWorld) -> None:
        await world.audience.archive_stray(hash_of(PAT))
        assert world.raw(PAT) is None

    async def test_the_update_of_a_forgotten_member_is_never_applied(self, world: AudienceWorld) -> None:
        world.join(PAT)
        member = await self.seen(world, PAT)
        world.delete_for_good(PAT)
        assert isinstance(await world.audience.write_one(update(member, "Updated")), Stale)
        refused = await self.write(world, "in a batch", update(member, "Updated"))
        assert isinstance(refused, Refused)
        assert refused.refusal.kind is RefusalKind.FORGOTTEN
        assert world.raw(PAT) is None

    async def test_a_single_update_of_somebody_archived_meanwhile_brings_nobody_back(
        self, world: AudienceWorld
    ) -> None:
        world.join(PAT)
        member = await self.seen(world, PAT)
        world.archive(PAT)
        outcome = await world.audience.write_one(update(member, "Updated"))
        assert isinstance(outcome, Stale)
        raw = world.raw(PAT)
        assert raw is not None
        assert raw.archived

    # --- renaming -----------------------------------------------------------------------------------------

    async def test_a_subscribed_member_is_renamed_and_stays_the_same_person(
        self, world: AudienceWorld
    ) -> None:
        world.join(PAT, "Their own")
        member = await self.seen(world, PAT)
        outcome = await world.audience.write_one(rename(member, NEW))
        assert isinstance(outcome, Applied)
        assert outcome.member.hash == hash_of(NEW)
        assert outcome.member.contact_key == member.contact_key
        assert await world.audience.look(hash_of(PAT)) == ABSENT
        raw = world.raw(NEW)
        assert raw is not None
        assert raw.status is MemberStatus.SUBSCRIBED
        assert raw.fields[THEIRS] == "Their own"
        assert world.field_map.values_of(raw.fields) == values_of(email=NEW, first_name="Renamed")

    @pytest.mark.parametrize("former", [s for s in FORMER if s is not MemberStatus.SUBSCRIBED])
    async def test_nobody_else_can_be_renamed(self, world: AudienceWorld, former: MemberStatus) -> None:
        member = await self.there(world, PAT, former)
        outcome = await world.audience.write_one(rename(member, NEW))
        assert isinstance(outcome, Stale)
        assert world.raw(NEW) is None
        assert (await self.seen(world, PAT)).status is former

    @pytest.mark.parametrize("archived", [False, True])
    async def test_an_address_that_somebody_has_is_no_target(
        self, world: AudienceWorld, archived: bool
    ) -> None:
        world.join(PAT)
        world.join(NEW)
        if archived:
            world.archive(NEW)
        outcome = await world.audience.write_one(rename(await self.seen(world, PAT), NEW))
        assert isinstance(outcome, Stale)
        assert world.raw(PAT) is not None

    async def test_nobody_to_rename_is_stale(self, world: AudienceWorld) -> None:
        assert isinstance(await world.audience.write_one(rename(nobody(PAT), NEW)), Stale)
        assert world.raw(NEW) is None

    # --- bad days -----------------------------------------------------------------------------------------

    async def make_call(self, world: AudienceWorld, call: str, member: ObservedMember) -> None:
        match call:
            case "look":
                await world.audience.look(member.hash)
            case "observe":
                await self.everybody(world, archived=False, since=None)
            case "write_one":
                await world.audience.write_one(add(PAT))
            case "write_batch":
                await world.audience.write_batch([add(PAT), add(NEW, contact=2)])
            case _:
                await world.audience.archive_stray(member.hash)

    @pytest.mark.parametrize(
        ("fault", "error"), [(Fault.UNAVAILABLE, AudienceUnavailable), (Fault.BROKEN, ConnectionBroken)]
    )
    @pytest.mark.parametrize("call", ["look", "observe", "write_one", "write_batch", "archive_stray"])
    async def test_what_could_not_be_asked_is_an_error_and_never_an_answer(
        self, world: AudienceWorld, fault: Fault, error: type[Exception], call: str
    ) -> None:
        world.join(KIM)
        member = await self.seen(world, KIM)
        world.ail(fault)
        with pytest.raises(error) as raised:
            await self.make_call(world, call, member)
        if isinstance(raised.value, AudienceUnavailable):
            assert raised.value.retry_after > 0
        world.heal()
        assert world.raw(PAT) is None
        assert await self.seen(world, KIM) == member

    @pytest.mark.parametrize("fault", [Fault.LOST, Fault.LOST_DONE])
    async def test_a_lost_answer_is_told_and_not_repeated(self, world: AudienceWorld, fault: Fault) -> None:
        world.ail(fault)
        change = add(PAT)
        assert await world.audience.write_one(change) == Lost(change)
        with pytest.raises(AnswerLost):
            await world.audience.write_batch([add(KIM), add(NEW, contact=2)])
        world.heal()
        took_effect = fault is Fault.LOST_DONE
        assert [world.raw(email) is not None for email in (PAT, KIM, NEW)] == [took_effect] * 3

    async def test_outcomes_come_in_order_whatever_their_kind(self, world: AudienceWorld) -> None:
        world.join(KIM)
        world.join("gone@contract.example")
        world.delete_for_good("gone@contract.example")
        changes: list[Change] = [
            add("gone@contract.example", contact=1),
            update(await self.seen(world, KIM), "Kim", contact=2),
            add(PAT, contact=3),
        ]
        outcomes = await world.audience.write_batch(changes)  # type: ignore[arg-type]
        assert [outcome.change for outcome in outcomes] == changes
        assert [type(outcome) for outcome in outcomes] == [Refused, Applied, Applied]

    async def test_the_canary_finds_that_batches_keep_statuses(self, world: AudienceWorld) -> None:
        assert await world.audience.batches_keep_status()
