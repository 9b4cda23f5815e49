"""Random histories: people, subscribers, faults and crashes against the real engine, then the promises."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from tests.core.world import TAGS, THEIR_TAG, World

from lockstep.core.consent import NewStatus
from lockstep.core.engine import Limits
from lockstep.core.errors import SyncError
from lockstep.core.field_map import FieldMap
from lockstep.core.identity import address_key
from lockstep.core.member import MemberStatus
from lockstep.core.outcome import RefusalKind
from lockstep.core.planner import Policy
from lockstep.core.testing import Fault, Pulse, run_and_kill

EMAILS = [f"{name}@people.test" for name in "abcdef"]
emails = st.sampled_from([*EMAILS, "A@People.test", "B@PEOPLE.TEST", ""])
addresses = st.sampled_from(EMAILS)
picks = st.integers(0, 30)
beats = st.integers(1, 120)
groups = st.sampled_from(["red", "blue"])
OUR_TAGS = FieldMap().tags
joined = st.sampled_from([s for s in MemberStatus if s is not MemberStatus.ARCHIVED])


class Histories(RuleBasedStateMachine):
    """Whatever happened: once it is quiet, all promises hold and another run writes nothing."""

    world: World

    @initialize(
        new_status=st.sampled_from([NewStatus.SUBSCRIBED, NewStatus.PENDING, NewStatus.TRANSACTIONAL]),
        batches=st.booleans(),
        slice_size=st.sampled_from([1, 2, 2000]),
        singles=st.sampled_from([0, 3]),
        slowness=st.sampled_from([0, 12]),
        first=st.lists(emails, max_size=8),
        there=st.dictionaries(addresses, joined, max_size=4),
        tags=st.booleans(),
        batch_tags=st.booleans(),
    )
    def begin(
        self,
        new_status: NewStatus,
        batches: bool,
        slice_size: int,
        singles: int,
        slowness: int,
        first: list[str],
        there: dict[str, MemberStatus],
        tags: bool,
        batch_tags: bool,
    ) -> None:
        limits = Limits(in_flight=2, slice_size=slice_size, singles_up_to=singles)
        self.world = World(policy=Policy(new_status), limits=limits, batches=batches)
        self.world.audience.slowness = slowness
        self.world.audience.batch_tags = batch_tags
        self.world.switch_tags(TAGS if tags else None)
        for email in first:
            self.world.store.add(email, first_name=f"Name {email}", group="red")
        for email, status in there.items():
            self.join(email, status)

    def teardown(self) -> None:
        if not hasattr(self, "world"):
            return
        world = self.world
        asyncio.run(world.settle())
        assert world.broken() == []
        if world.refused_ever:  # the release of a left member, once refused, is tried again by one audit
            asyncio.run(world.settle())
        assert asyncio.run(_writes(world)) == []
        assert not world.store.marks

    # --- the book ---------------------------------------------------------------------------------

    def _contact(self, pick: int) -> int | None:
        ids = sorted(self.world.store.book.contacts)
        return ids[pick % len(ids)] if ids else None

    def _edit(self, pick: int, **changes: object) -> None:
        if (contact_id := self._contact(pick)) is not None:
            self.world.store.edit(contact_id, **changes)

    @rule(email=emails, group=groups)
    def add(self, email: str, group: str) -> None:
        if len(self.world.store.book.contacts) < 12:
            self.world.store.add(email, first_name=f"Name {email}", group=group)

    @rule(pick=picks, name=st.sampled_from(["Ann", "Bo", ""]))
    def rename_contact(self, pick: int, name: str) -> None:
        self._edit(pick, first_name=name)

    @rule(pick=picks, tags=st.lists(st.sampled_from(["VIP", "vip", "Press", "By hand"]), max_size=2))
    def tag_contact(self, pick: int, tags: list[str]) -> None:
        self._edit(pick, tags=tuple(tags))

    @rule(email=addresses, name=st.sampled_from(["CSKU: VIP", "CSKU: Gold", "csku: press"]), on=st.booleans())
    def tag_by_hand(self, email: str, name: str, on: bool) -> None:
        if self.world.audience.member(email) is not None:
            if on:
                self.world.audience.put_tag(email, name)
            else:
                self.world.audience.take_tag(email, name)

    @rule(tags=st.booleans(), clear=st.booleans())
    def switch_tags(self, tags: bool, clear: bool) -> None:
        self.world.switch_tags(TAGS if tags else None, clear=clear)
        self._run(self.world.start, Pulse())

    @rule(pick=picks, email=emails)
    def change_email(self, pick: int, email: str) -> None:
        self._edit(pick, email=email)

    @rule(one=picks, two=picks)
    def swap_emails(self, one: int, two: int) -> None:
        first, second = self._contact(one), self._contact(two)
        if first is not None and second is not None:
            book = self.world.store.book.contacts
            email = book[first].email
            self.world.store.edit(first, email=book[second].email)
            self.world.store.edit(second, email=email)

    @rule(pick=picks, flag=st.booleans())
    def no_marketing(self, pick: int, flag: bool) -> None:
        self._edit(pick, no_marketing=flag)

    @rule(pick=picks, active=st.booleans())
    def activate(self, pick: int, active: bool) -> None:
        self._edit(pick, active=active)

    @rule(pick=picks, deleted=st.booleans())
    def delete(self, pick: int, deleted: bool) -> None:
        self._edit(pick, deleted=deleted)

    @rule(pick=picks)
    def vanish(self, pick: int) -> None:
        if (contact_id := self._contact(pick)) is not None:
            self.world.store.vanish(contact_id)

    @rule(pick=picks)
    def choose(self, pick: int) -> None:
        if (contact_id := self._contact(pick)) is not None:
            self.world.store.choose(contact_id)

    @rule(chosen=st.sampled_from([None, frozenset({"red"}), frozenset({"red", "blue"}), frozenset[str]()]))
    def filters(self, chosen: frozenset[str] | None) -> None:
        self.world.store.set_groups(chosen)

    @rule(pick=picks)
    def ask(self, pick: int) -> None:
        if (contact_id := self._contact(pick)) is not None:
            self.world.store.ask([contact_id])

    # --- Mailchimp --------------------------------------------------------------------------------

    @rule(email=addresses, status=joined)
    def join(self, email: str, status: MemberStatus) -> None:
        if self.world.audience.member(email) is None:
            their = frozenset({THEIR_TAG, "CSKU: By hand"})
            member = self.world.audience.join(email, status, fields={"THEIRS": "theirs"}, tags=their)
            member.by_hand = set(their)

    @rule(email=addresses, status=joined, by=st.sampled_from(["person", "admin"]))
    def set_status(self, email: str, status: MemberStatus, by: str) -> None:
        if self.world.audience.member(email) is not None:
            self.world.audience.set_status(email, status, by=by)

    @rule(email=addresses, archived=st.booleans())
    def archive(self, email: str, archived: bool) -> None:
        if self.world.audience.member(email) is not None:
            self.world.audience.archive(email, archived)

    @rule(email=addresses)
    def delete_for_good(self, email: str) -> None:
        if self.world.audience.member(email) is not None:
            self.world.audience.delete_for_good(email)

    @rule(email=addresses, new=addresses)
    def change_address_there(self, email: str, new: str) -> None:
        audience = self.world.audience
        if audience.member(email) is not None and audience.member(new) is None:
            audience.change_address(email, new)

    @rule(email=addresses, tag=st.sampled_from([OUR_TAGS[1], OUR_TAGS[13], OUR_TAGS[17]]))
    def meddle(self, email: str, tag: str) -> None:
        member = self.world.audience.member(email)
        if member is not None and not (tag == OUR_TAGS[17] and member.fields.get(tag) != "Active"):
            self.world.audience.set_field(email, tag, "meddled")

    # --- bad luck -----------------------------------------------------------------------------------

    @rule(email=addresses, kind=st.sampled_from([*RefusalKind, None]))
    def refuse(self, email: str, kind: RefusalKind | None) -> None:
        key = address_key(email)
        self.world.refused_ever.add(key)
        if kind is None:
            self.world.audience.refuse.pop(key, None)
        else:
            self.world.audience.refuse[key] = kind

    @rule(email=addresses, poisoned=st.booleans())
    def poison(self, email: str, poisoned: bool) -> None:
        key = address_key(email)
        self.world.refused_ever.add(key)
        (self.world.audience.poison.add if poisoned else self.world.audience.poison.discard)(key)

    @rule(
        faults=st.lists(
            st.sampled_from([Fault.LOST, Fault.LOST_DONE, Fault.LOST_LATE, Fault.UNAVAILABLE, Fault.BROKEN]),
            min_size=1,
            max_size=4,
        )
    )
    def write_faults(self, faults: list[Fault]) -> None:
        self.world.audience.faults.next("write", *faults)

    @rule(fault=st.sampled_from([Fault.UNKNOWN, Fault.UNAVAILABLE]))
    def look_fault(self, fault: Fault) -> None:
        self.world.audience.faults.next("look", fault)

    @rule()
    def observe_fault(self) -> None:
        self.world.audience.faults.next("observe", Fault.UNAVAILABLE)

    @rule()
    def land_late(self) -> None:
        self.world.audience.land_late()

    # --- the engine -----------------------------------------------------------------------------------

    def _run(self, work: Callable[[Pulse], Coroutine[Any, Any, None]], pulse: Pulse) -> None:
        async def main() -> None:
            await run_and_kill(work(pulse), pulse)

        with contextlib.suppress(SyncError):  # the run paused; another one follows
            asyncio.run(main())

    @rule()
    def start(self) -> None:
        self._run(self.world.start, Pulse())

    @rule()
    def catch_up(self) -> None:
        self._run(self.world.catch_up, Pulse())

    @rule(beat=beats)
    def start_and_die(self, beat: int) -> None:
        self._run(self.world.start, Pulse(kill_at=beat))

    @rule(beat=beats)
    def catch_up_and_die(self, beat: int) -> None:
        self._run(self.world.catch_up, Pulse(kill_at=beat))

    @rule(
        beat=beats,
        deed=st.sampled_from(["email", "swap", "flag", "unsubscribe", "archive", "forget", "move"]),
        pick=picks,
        email=addresses,
        other=addresses,
        whole=st.booleans(),
    )
    def work_while_others_do(
        self, beat: int, deed: str, pick: int, email: str, other: str, whole: bool
    ) -> None:
        def meanwhile(now: int) -> None:
            if now != beat:
                return
            match deed:
                case "email":
                    self.change_email(pick, email)
                case "swap":
                    self.swap_emails(pick, pick + 1)
                case "flag":
                    self.no_marketing(pick, True)
                case "unsubscribe":
                    self.set_status(email, MemberStatus.UNSUBSCRIBED, "person")
                case "archive":
                    self.archive(email, True)
                case "forget":
                    self.delete_for_good(email)
                case "move":
                    self.change_address_there(email, other)

        work = self.world.start if whole else self.world.catch_up
        self._run(work, Pulse(meanwhile=meanwhile))

    @precondition(lambda self: len(self.world.audience.calls) > 3)
    @rule()
    def quiet(self) -> None:
        asyncio.run(self.world.settle())
        assert self.world.broken() == []


async def _writes(world: World) -> list[object]:
    return list(await world.writes_of_another_run())


TestHistories = Histories.TestCase
TestHistories.settings = settings(stateful_step_count=25, deadline=None)
