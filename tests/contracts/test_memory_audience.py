"""The in-memory audience keeps the contract of the real one."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from lockstep.core.field_map import FieldMap
from lockstep.core.identity import address_key
from lockstep.core.member import MemberStatus
from lockstep.core.outcome import RefusalKind
from lockstep.core.testing import Fault, MemoryAudience
from tests.contracts.audience import THEIRS, AudienceContract, RawMember
from tests.contracts.audience_tags import RULE, AudienceTagsContract


@dataclass
class MemoryWorld:
    audience: MemoryAudience = field(default_factory=MemoryAudience)
    field_map: FieldMap = field(default_factory=FieldMap)

    def join(self, email: str, their_name: str = "") -> None:
        self.audience.join(email, fields={THEIRS: their_name})

    def unsubscribe(self, email: str) -> None:
        self.audience.unsubscribe(email)

    def unsubscribe_by_admin(self, email: str) -> None:
        self.audience.unsubscribe(email, by="admin")

    def bounce(self, email: str) -> None:
        self.audience.set_status(email, MemberStatus.CLEANED, by="person")

    def archive(self, email: str) -> None:
        self.audience.archive(email)

    def delete_for_good(self, email: str) -> None:
        self.audience.delete_for_good(email)

    def change_address(self, email: str, new: str) -> None:
        self.audience.change_address(email, new)

    def bar(self, email: str) -> None:
        self.audience.refuse[address_key(email)] = RefusalKind.COMPLIANCE

    def raw(self, email: str) -> RawMember | None:
        member = self.audience.member(email)
        if member is None:
            return None
        return RawMember(
            member.email, member.status, member.archived, dict(member.fields), member.contact_key
        )

    def tags(self, email: str) -> frozenset[str]:
        return self.audience.there(email).tags

    def tag(self, email: str, name: str) -> None:
        self.audience.put_tag(email, name)

    def pass_time(self, seconds: float) -> None:
        self.audience.clock.time += timedelta(seconds=seconds)

    def ail(self, fault: Fault) -> None:
        always = fault in (Fault.UNAVAILABLE, Fault.BROKEN)
        self.audience.faults.choose = lambda kind: fault if always or kind == "write" else None

    def heal(self) -> None:
        self.audience.faults.clear()


@pytest.fixture
def world() -> MemoryWorld:
    return MemoryWorld()


class TestMemoryAudience(AudienceContract):
    pass


class TestTagsInMemory(AudienceTagsContract):
    @pytest.fixture
    def world(self) -> MemoryWorld:
        return MemoryWorld(MemoryAudience(tag_rule=RULE))
