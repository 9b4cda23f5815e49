"""A book, an audience and the real engine between them, all in memory."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from lockstep.core.engine import Engine, Limits
from lockstep.core.identity import NO_ADDRESS, AddressKey, address_key, subscriber_hash
from lockstep.core.member import MemberStatus, SyncState
from lockstep.core.planner import Policy
from lockstep.core.tags import TagRule
from lockstep.core.testing import (
    AudienceCall,
    AudienceMember,
    ContactAnswer,
    ManualClock,
    MemoryAudience,
    MemoryMember,
    MemoryStore,
    Pulse,
    broken_promises,
    new_members_as_chosen,
    run_and_kill,
)

THEIR_TAG = "Donors"
"""A marketer's own, on every member that the histories' marketer made."""

TAGS = TagRule("CSKU: ")

UNUSED = "nobody@unused.test"


@dataclass
class World:
    """Start with `add`, then `start`; change something, then `catch_up` or `settle`; ask `broken`."""

    policy: Policy = field(default_factory=Policy)
    limits: Limits = field(default_factory=Limits)
    batches: bool = True
    clock: ManualClock = field(default_factory=ManualClock)
    store: MemoryStore = field(default_factory=MemoryStore)
    audience: MemoryAudience = field(init=False)
    flagged_ever: set[AddressKey] = field(default_factory=set)
    refused_ever: set[AddressKey] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.audience = MemoryAudience(clock=self.clock)

    def engine(self, pulse: Pulse | None = None) -> Engine:
        """A worker of its own: nothing of the one before is known to it but what the store holds."""
        pulse = pulse or Pulse()
        self.audience.pulse = self.store.pulse = pulse
        return Engine(
            self.audience, self.store, self.clock, self.policy, limits=self.limits, batches=self.batches
        )

    def switch_tags(self, rule: TagRule | None, *, clear: bool = False) -> None:
        """Tags on or off, which is saved while the sync is off: the next start reads everything."""
        self.store.book.tag_rule = rule
        self.store.book.clear_tags = clear
        self.audience.tag_rule = rule or (TAGS if clear else None)

    def add(self, *emails: str) -> list[int]:
        return [self.store.add(email, first_name=f"Name of {email}") for email in emails]

    async def start(self, pulse: Pulse | None = None) -> None:
        """What Start Sync does, and the nightly audit: read everything, push everything."""
        engine = self.engine(pulse)
        await engine.audit()
        await engine.push_everything()

    async def catch_up(self, pulse: Pulse | None = None) -> None:
        """What a changed contact leads to."""
        await self.engine(pulse).catch_up()

    async def start_killed_at(self, beat: int) -> bool:
        """Start, and die at that beat; False when the work ended before."""
        pulse = Pulse(kill_at=beat)
        return await run_and_kill(self.start(pulse), pulse)

    async def catch_up_killed_at(self, beat: int) -> bool:
        pulse = Pulse(kill_at=beat)
        return await run_and_kill(self.catch_up(pulse), pulse)

    async def settle(self) -> None:
        """No more faults; late writes land; audit and push until nothing is marked."""
        self.audience.faults.clear()
        self.audience.land_late()
        self.store.stop = False
        await self.start()

    # --- what there is to see -----------------------------------------------------------------------

    def state(self, contact_id: int) -> SyncState | None:
        return self.store.records[contact_id].state

    def answers(self) -> list[ContactAnswer]:
        found: list[ContactAnswer] = []
        view = self.store.book.view()
        for contact_id in sorted(self.store.book.contacts.keys() | self.store.records.keys()):
            record = self.store.records.get(contact_id)
            synced = record.synced if record else None
            found.append(
                ContactAnswer(
                    desired=view.desired(contact_id),
                    state=record.state if record else None,
                    refusal_text=synced.refusal.text if synced and synced.refusal else "",
                    linked=synced.key if synced else NO_ADDRESS,
                    contact_key=synced.contact_key if synced else "",
                )
            )
        return found

    def members(self) -> list[AudienceMember]:
        rule = self.audience.tag_rule
        return [
            AudienceMember(
                key=member.key,
                status=MemberStatus.ARCHIVED if member.archived else member.status,
                values=self.audience.field_map.values_of(member.fields),
                contact_key=member.contact_key,
                tags=frozenset(rule.ours(member.tags)) if rule else frozenset(),
                by_hand=frozenset(member.by_hand),
            )
            for member in self.audience.members.values()
        ]

    def broken(self) -> list[str]:
        """All that is broken of the five promises in this world, now that it is at rest."""
        flagged = {c.key for c in self.store.book.contacts.values() if c.no_marketing and not c.deleted}
        refused = self.refused_ever | self.audience.refuse.keys() | self.audience.poison
        forgotten = {
            a.desired.key for a in self.answers() if subscriber_hash(a.desired.key) in self.audience.forgotten
        }
        ours = [s for s in self.audience.statuses if s.by == "us"]
        return [
            *broken_promises(
                self.answers(), self.members(), refused=refused | forgotten, flagged=flagged - {NO_ADDRESS}
            ),
            *new_members_as_chosen(
                [(s.key, s.after) for s in ours if s.before is None], self.policy.new_status
            ),
            *(f"P1: we changed the status of {s.key} from {s.before}." for s in ours if s.before is not None),
            *(f"P2: somebody else's field of {m.key} is gone." for m in self._robbed()),
            *(f"P2: we took off {what}, which a marketer had put there." for what in self.audience.robbed),
            *(f"P2: somebody else's tag of {m.key} is gone." for m in self._untagged()),
            *(f"Two calls at once for {name}." for name in self.audience.overlaps),
        ]

    def _robbed(self) -> Iterable[object]:
        return [
            m
            for m in self.audience.members.values()
            if "THEIRS" in m.fields and m.fields["THEIRS"] != "theirs"
        ]

    def _untagged(self) -> Iterable[MemoryMember]:
        return [m for m in self.audience.members.values() if m.by_hand - m.tags]

    async def writes_of_another_run(self) -> Sequence[AudienceCall]:
        """What a run over the unchanged book writes; must be nothing (P3)."""
        before = len(self.audience.writes)
        await self.start()
        return self.audience.writes[before:]


def hash_of(email: str) -> str:
    return subscriber_hash(address_key(email))


def with_limits(**changes: int) -> Limits:
    return replace(Limits(), **changes)
