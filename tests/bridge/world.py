"""A bridge to a fresh practice Mailchimp, without a socket or with one, and changes to send."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.bridge.recorder import Recorder, check_promises

from lockstep.bridge import AccountAccess, AuthKind, MailchimpAudience, Purpose, open_api
from lockstep.bridge.audience_fields import ensure_fields
from lockstep.core import field_map as fields
from lockstep.core.consent import NewStatus
from lockstep.core.field_map import FieldMap
from lockstep.core.identity import SubscriberHash, address_key, subscriber_hash
from lockstep.core.member import MemberStatus, ObservedMember, Values
from lockstep.core.observation import Present
from lockstep.core.plan import AddMember, ReleaseMember, RenameMember, UpdateMember
from lockstep.core.tags import TagRule
from lockstep.mailchimp.api import MailchimpAPI
from lockstep.mailchimp.asgi import AsgiTransport
from lockstep.mailchimp.exchange import Transport
from lockstep.mailchimp.throttle import Gate
from lockstep.sandbox.audience import Audience as SandboxAudience
from lockstep.sandbox.clock import Clock as SandboxClock
from lockstep.sandbox.happenings import happen, look
from lockstep.sandbox.sandbox import Sandbox
from lockstep.sandbox.testing import SandboxClient

FIELD_MAP = FieldMap()
NO_VALUES: Values = ("",) * len(FIELD_MAP.tags)


class Ticking:
    """A clock and a sleep that cost no time."""

    def __init__(self) -> None:
        self.at = datetime(2026, 5, 6, 7, 8, 9, tzinfo=UTC)
        self.slept: list[float] = []
        self.tick = timedelta(seconds=1)

    def now(self) -> datetime:
        return self.at

    def seconds(self) -> float:
        return self.at.timestamp()

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.at += timedelta(seconds=seconds)
        await asyncio.sleep(0)


@dataclass
class World:
    sandbox: Sandbox
    mailchimp: SandboxAudience
    """The audience from the inside."""
    api: MailchimpAPI
    audience: MailchimpAudience
    recorder: Recorder
    clock: Ticking
    field_map: FieldMap = field(default=FIELD_MAP)

    @property
    def list_id(self) -> str:
        return self.mailchimp.id

    def happen(self, email: str, what: str, **more: Any) -> None:
        happen(self.sandbox, self.mailchimp.id, email, what, **more)

    def inside(self, email: str) -> Mapping[str, Any]:
        """The member as the sandbox knows it."""
        return look(self.sandbox, self.mailchimp.id, email)

    def people(self) -> set[str]:
        return {member.email for member in self.mailchimp}

    async def put(
        self, email: str, status: NewStatus = NewStatus.SUBSCRIBED, values: Values = ()
    ) -> ObservedMember:
        """Somebody in the audience, and what a look sees of them."""
        await self.audience.write_one(add(email, values or values_of(), status))
        return await self.member(email)

    async def member(self, email: str) -> ObservedMember:
        seen = await self.audience.look(hash_of(email))
        assert isinstance(seen, Present)
        return seen.member


@asynccontextmanager
async def make_world(
    transport: Transport | None = None,
    *,
    sandbox: Sandbox | None = None,
    base: str = "http://sandbox.example",
    tag_rule: TagRule | None = None,
) -> AsyncIterator[World]:
    """A world with our fields made; what it sends is checked at the end against P1 and P2."""
    clock = Ticking()
    if sandbox is None:
        sandbox = Sandbox.practice(clock=SandboxClock(clock.seconds))
    client = SandboxClient(sandbox)
    recorder = Recorder(transport or AsgiTransport(client.app))
    api = open_api(
        AccountAccess(base, client.api_key, AuthKind.API_KEY),
        transport=recorder,
        gate=Gate(now=clock.seconds),
        purpose=Purpose.SYNC,
        sleep=clock.sleep,
        jitter=lambda: 0.5,
    )
    audience = MailchimpAudience(api, client.audience.id, FIELD_MAP, now=clock.now, tag_rule=tag_rule)
    report = await ensure_fields(api, client.audience.id, FIELD_MAP)
    assert report.ready
    recorder.clear()
    try:
        yield World(client.sandbox, client.audience, api, audience, recorder, clock)
    finally:
        await recorder.close()
        check_promises(recorder.requests, FIELD_MAP.tags, tag_rule.prefix if tag_rule else "")


def hash_of(email: str) -> SubscriberHash:
    return subscriber_hash(address_key(email))


def values_of(**given: str) -> Values:
    """Values by field name; the rest empty, but for the Sync Status."""
    texts = {"sync_status": "Active", **given}
    return tuple(texts.get(spec.name, "") for spec in fields.FIELD_SPECS)


def add(
    email: str, values: Values | None = None, status: NewStatus = NewStatus.SUBSCRIBED, contact: int = 1
) -> AddMember:
    given = values if values is not None else values_of(email=email, first_name="Pat")
    return AddMember(contact, hash_of(email), email, given, status, fields.digest(given), address_key(email))


def update(
    email: str,
    values: Values,
    before: Values = NO_VALUES,
    status: MemberStatus = MemberStatus.SUBSCRIBED,
    contact: int = 1,
) -> UpdateMember:
    return UpdateMember(
        contact,
        hash_of(email),
        email,
        values,
        before,
        fields.differing(before, values),
        status,
        fields.digest(values),
        address_key(email),
    )


def release(member: ObservedMember, contact: int = 1) -> ReleaseMember:
    after = fields.released(member.values)
    return ReleaseMember(
        contact,
        member.hash,
        member.email,
        after,
        member.values,
        fields.differing(member.values, after),
        member.status,
        fields.digest(after),
        address_key(member.email),
    )


def rename(
    former: str, email: str, values: Values, before: Values = NO_VALUES, contact: int = 1
) -> RenameMember:
    return RenameMember(
        contact, hash_of(former), email, former, values, before, fields.digest(values), address_key(email)
    )
