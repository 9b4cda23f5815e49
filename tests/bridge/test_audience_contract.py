"""The bridge with the practice Mailchimp keeps the audience's contract, without a socket and over TCP."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

import pytest
from tests.bridge.world import FIELD_MAP, World, hash_of, make_world
from tests.contracts.audience import THEIRS, AudienceContract, RawMember
from tests.contracts.audience_tags import RULE, AudienceTagsContract

from lockstep.core.field_map import FieldMap
from lockstep.core.member import MemberStatus
from lockstep.core.ports import Audience
from lockstep.core.testing import Fault
from lockstep.mailchimp.transport import AiohttpTransport
from lockstep.sandbox.subscriber import CannotHappen
from lockstep.sandbox.tag import add_tag
from lockstep.sandbox.testing import SandboxServer, serve

FAULTS = {
    Fault.UNAVAILABLE: "too_many_requests",
    Fault.BROKEN: "key_revoked",
    Fault.LOST: "reset",
    Fault.LOST_DONE: "reset_after",
}


@dataclass
class SandboxWorld:
    inner: World
    field_map: FieldMap = FIELD_MAP

    @property
    def audience(self) -> Audience:
        return self.inner.audience

    def join(self, email: str, their_name: str = "") -> None:
        self.inner.happen(email, "sign_up", merges={THEIRS: their_name})

    def unsubscribe(self, email: str) -> None:
        self.inner.happen(email, "unsubscribe")

    def unsubscribe_by_admin(self, email: str) -> None:
        self.inner.happen(email, "admin_unsubscribe")

    def bounce(self, email: str) -> None:
        self.inner.happen(email, "bounce")

    def archive(self, email: str) -> None:
        self.inner.happen(email, "archive")

    def delete_for_good(self, email: str) -> None:
        self.inner.happen(email, "delete")

    def change_address(self, email: str, new: str) -> None:
        self.inner.happen(email, "edit", new_email=new, by="user")

    def bar(self, email: str) -> None:
        self.inner.happen(email, "bar")

    def raw(self, email: str) -> RawMember | None:
        try:
            inside = self.inner.inside(email)
        except CannotHappen:
            return None
        return RawMember(
            email=inside["email_address"],
            status=MemberStatus(inside["former_status"]),
            archived=inside["status"] == "archived",
            fields=inside["merge_fields"],
            contact_key=inside["contact_id"],
        )

    def tags(self, email: str) -> list[str]:
        audience = self.inner.mailchimp
        member = audience.get(hash_of(email))
        assert member is not None
        return [audience.tags.by_id[tag].name for tag, _ in member.tags]

    def tag(self, email: str, name: str) -> None:
        sandbox, audience = self.inner.sandbox, self.inner.mailchimp
        member = audience.get(hash_of(email))
        assert member is not None
        at = sandbox.clock.second()
        add_tag(member, audience.tag_named(name, sandbox.ids, at).id, at)

    def pass_time(self, seconds: float) -> None:
        self.inner.sandbox.clock.advance(seconds)

    def ail(self, fault: Fault) -> None:
        faults = self.inner.sandbox.faults
        if fault in (Fault.UNAVAILABLE, Fault.BROKEN):
            faults.add(FAULTS[fault])
        else:
            for method in ("POST", "PUT", "PATCH"):
                faults.add(FAULTS[fault], method=method)

    def heal(self) -> None:
        self.inner.sandbox.faults.clear()


class TestWithoutASocket(AudienceContract):
    @pytest.fixture
    async def world(self) -> AsyncIterator[SandboxWorld]:
        async with make_world() as made:
            yield SandboxWorld(made)


class TestTagsWithoutASocket(AudienceTagsContract):
    @pytest.fixture
    async def world(self) -> AsyncIterator[SandboxWorld]:
        async with make_world(tag_rule=RULE) as made:
            yield SandboxWorld(made)


@pytest.fixture(scope="module")
def server() -> Iterator[SandboxServer]:
    with serve() as running:
        yield running


class TestOverTcp(AudienceContract):
    @pytest.fixture
    async def world(self, server: SandboxServer) -> AsyncIterator[SandboxWorld]:
        server.sandbox.reset()
        server.sandbox.faults.clear()
        transport = AiohttpTransport(total_seconds=5.0)
        async with make_world(transport, sandbox=server.sandbox, base=server.url) as made:
            yield SandboxWorld(made)
