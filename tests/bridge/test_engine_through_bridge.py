"""Random histories of the real engine, through the bridge, against the practice Mailchimp; then the promises.

The book is in memory, the requests are real ones. People at Mailchimp act between runs and in the
middle of them, between any two requests; answers are lost, refused at the door, cut in half.
"""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable, Mapping

import pytest
from tests.bridge.world import FIELD_MAP, World, hash_of, make_world

from lockstep.core.consent import NewStatus
from lockstep.core.engine import Engine, Limits
from lockstep.core.errors import SyncError
from lockstep.core.identity import NO_ADDRESS, AddressKey, address_key
from lockstep.core.member import MemberStatus
from lockstep.core.planner import Policy
from lockstep.core.testing import (
    AudienceMember,
    ContactAnswer,
    MemoryStore,
    broken_promises,
    consent_touched,
)
from lockstep.mailchimp.exchange import HttpRequest
from lockstep.sandbox.subscriber import CannotHappen

OLD = [f"{name}@club.example" for name in ("pat", "kim", "sam", "noor", "jo")]
NEW = [f"{name}@new.example" for name in ("ada", "ben", "cleo", "dan")]
EMAILS = [*OLD, *NEW]
DEEDS = (
    "unsubscribe",
    "complain",
    "bounce",
    "admin_unsubscribe",
    "archive",
    "delete",
    "sign_up",
    "edit",
    "move",
)
FAULTS = ("reset_after", "truncated", "internal_error", "forbidden_html", "too_many_requests", "unavailable")


class History:
    """One random history, reproducible by its seed."""

    def __init__(self, world: World, seed: int) -> None:
        self.world = world
        self.dice = random.Random(seed)
        self.policy = Policy(
            self.dice.choice([NewStatus.SUBSCRIBED, NewStatus.PENDING, NewStatus.TRANSACTIONAL])
        )
        self.batches = self.dice.random() < 0.7
        self.limits = Limits(in_flight=self.dice.choice([1, 3]), singles_up_to=self.dice.choice([0, 3]))
        self.store = MemoryStore()
        self.touched: set[str] = set()
        """Members that a person at Mailchimp touched during the present run."""
        self.signed_up: set[str] = set()
        self.refused: set[AddressKey] = set()
        self.wrong: list[str] = []

    # --- what happens ---------------------------------------------------------------------------

    def at_mailchimp(self) -> None:
        """A subscriber or marketer does something."""
        email, deed = self.dice.choice(EMAILS), self.dice.choice(DEEDS)
        more: dict[str, object] = {}
        if deed == "edit":
            more = {"merges": {"CSKU_POS": f"theirs {self.dice.random()}", "FNAME": "Theirs"}}
        elif deed == "move":
            deed, more = "edit", {"new_email": self.dice.choice(EMAILS)}
        member = self.world.mailchimp.get(hash_of(email))
        with contextlib.suppress(CannotHappen):
            self.world.happen(email, deed, **more)
            if deed == "delete":
                self.refused.add(address_key(email))
            made = member or self.world.mailchimp.get(hash_of(email))
            if made is not None:
                self.touched.add(str(made.serial))

    def in_the_book(self) -> None:
        ids = sorted(self.store.book.contacts)
        match self.dice.randrange(7) if ids else 0:
            case 0 | 1:
                email = self.dice.choice(EMAILS)
                self.store.add(email.title() if self.dice.random() < 0.3 else email, first_name="Ann")
            case 2:
                self.store.edit(self.dice.choice(ids), first_name=f"Name {self.dice.random()}")
            case 3:
                self.store.edit(self.dice.choice(ids), email=self.dice.choice([*EMAILS, ""]))
            case 4:
                self.store.edit(self.dice.choice(ids), no_marketing=self.dice.random() < 0.5)
            case 5:
                self.store.edit(self.dice.choice(ids), active=self.dice.random() < 0.6)
            case _:
                self.store.ask([self.dice.choice(ids)])

    # --- runs -----------------------------------------------------------------------------------

    def engine(self) -> Engine:
        return Engine(
            self.world.audience,
            self.store,
            self.world.clock,
            self.policy,
            limits=self.limits,
            batches=self.batches,
        )

    async def start(self) -> None:
        engine = self.engine()
        await engine.audit()
        await engine.push_everything()

    async def run(self) -> None:
        """A start or a catching up, with bad luck, watched for statuses."""
        self.world.sandbox.faults.clear()
        for fault in self.dice.sample(FAULTS, k=self.dice.choice([0, 0, 1, 2])):
            self.world.sandbox.faults.add(fault, path="/lists/", probability=0.15)
        meddles = self.dice.choice([0.0, 0.0, 0.15])

        def meddle(request: HttpRequest) -> None:
            self.world.clock.at += self.world.clock.tick
            if self.dice.random() < meddles:
                self.dice.choice([self.at_mailchimp, self.in_the_book])()

        self.world.recorder.meddle = meddle
        await self.watched(self.start if self.dice.random() < 0.5 else self.engine().catch_up)

    async def watched(self, work: Callable[[], object]) -> None:
        self.touched.clear()
        before = self.statuses()
        with contextlib.suppress(SyncError):
            await work()  # type: ignore[misc]
        after = self.statuses()
        self.wrong += consent_touched(before, after, self.touched)
        for serial in after.keys() - before.keys() - self.touched:
            chosen = MemberStatus(self.policy.new_status.value)
            lesser = {MemberStatus.UNSUBSCRIBED, MemberStatus.TRANSACTIONAL, MemberStatus.ARCHIVED, chosen}
            if chosen is MemberStatus.SUBSCRIBED:
                lesser.add(MemberStatus.PENDING)
            if after[serial] not in lesser:
                self.wrong.append(f"P1: somebody was added as {after[serial]}")

    async def settle(self) -> None:
        self.world.sandbox.faults.clear()
        self.world.recorder.meddle = None
        await self.start()
        self.world.clock.at += self.world.clock.tick
        await self.start()

    # --- what there is to see -------------------------------------------------------------------

    def statuses(self) -> Mapping[str, MemberStatus]:
        return {str(m.serial): MemberStatus(m.shown_status) for m in self.world.mailchimp}

    def members(self) -> list[AudienceMember]:
        found = []
        for member in self.world.mailchimp:
            inside = self.world.inside(member.email)
            found.append(
                AudienceMember(
                    address_key(member.email),
                    MemberStatus(member.shown_status),
                    FIELD_MAP.values_of(inside["merge_fields"]),
                    inside["contact_id"],
                )
            )
        return found

    def answers(self) -> list[ContactAnswer]:
        found = []
        view = self.store.book.view()
        wanted = {i: view.desired(i) for i in self.store.book.contacts}
        where = {m.contact_key: m.key for m in self.members()}
        for contact_id in sorted(self.store.book.contacts.keys() | self.store.records.keys()):
            record = self.store.records.get(contact_id)
            synced = record.synced if record else None
            contact_key = synced.contact_key if synced else ""
            # A member who moved onto the address of another contact is that contact's now.
            now = where.get(contact_key)
            if any(d.fits and d.key == now for i, d in wanted.items() if i != contact_id):
                contact_key = ""
            found.append(
                ContactAnswer(
                    view.desired(contact_id),
                    record.state if record else None,
                    synced.refusal.text if synced and synced.refusal else "",
                    synced.key if synced else NO_ADDRESS,
                    contact_key,
                )
            )
        return found

    def broken(self) -> list[str]:
        flagged = {c.key for c in self.store.book.contacts.values() if c.no_marketing and not c.deleted}
        return self.wrong + broken_promises(
            self.answers(), self.members(), refused=self.refused, flagged=flagged - {NO_ADDRESS}
        )


# A member whose person, or whose refused rename, left it at an address that another contact flags.
FLAGGED_MEANWHILE = (1230, 2765, 2871, 3085)


@pytest.mark.parametrize("seed", [*range(60), *FLAGGED_MEANWHILE])
async def test_whatever_happens_the_promises_hold(seed: int) -> None:
    async with make_world() as world:
        history = History(world, seed)
        for _ in range(history.dice.randint(4, 14)):
            for _ in range(history.dice.randint(0, 5)):
                history.in_the_book()
            for _ in range(history.dice.randint(0, 2)):
                history.at_mailchimp()
            await history.run()
        await history.settle()
        assert history.broken() == []
        world.recorder.clear()
        await history.start()
        assert not world.recorder.writes(), "a run with nothing to change writes nothing (P3)"
