"""The same audience over real HTTP: what a socket adds, and what 500 members and ten connections do."""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from collections.abc import AsyncIterator, Iterator

import pytest
from tests.bridge.world import FIELD_MAP, Ticking, World, add, hash_of, make_world, rename, update, values_of

from lockstep.bridge import AccountAccess, AuthKind, MailchimpAudience, open_api
from lockstep.core.consent import NewStatus
from lockstep.core.errors import AnswerLost, AudienceUnavailable
from lockstep.core.member import MemberStatus
from lockstep.core.observation import Present
from lockstep.core.outcome import Applied, Lost
from lockstep.core.ports import BATCH
from lockstep.mailchimp.throttle import Gate
from lockstep.mailchimp.transport import AiohttpTransport
from lockstep.sandbox.testing import SandboxServer, serve

PAT = "pat@club.example"


@pytest.fixture(scope="module")
def server() -> Iterator[SandboxServer]:
    with serve() as running:
        yield running


@pytest.fixture
async def tcp(server: SandboxServer) -> AsyncIterator[World]:
    """A world over a socket; waits no longer than two seconds for an answer."""
    server.sandbox.reset()
    server.sandbox.faults.clear()
    transport = AiohttpTransport(total_seconds=2.0)
    async with make_world(transport, sandbox=server.sandbox, base=server.url) as made:
        yield made


async def test_a_full_batch_of_people(tcp: World) -> None:
    changes = [add(f"p{n}@new.example", values_of(first_name=f"Zoë {n}"), contact=n) for n in range(BATCH)]
    outcomes = await tcp.audience.write_batch(changes)
    assert [outcome.change for outcome in outcomes] == changes
    assert all(isinstance(outcome, Applied) and outcome.created for outcome in outcomes)
    again = await tcp.audience.write_batch(changes)
    assert all(isinstance(outcome, Applied) and not outcome.created for outcome in again)
    seen = [m async for page in tcp.audience.observe(archived=False, since=None) for m in page]
    assert {m.email: m.values for m in seen if m.email.endswith("new.example")} == {
        change.email: change.values for change in changes
    }


async def test_nobody_s_status_changes_over_the_wire(tcp: World) -> None:
    tcp.happen(PAT, "unsubscribe")
    assert await tcp.audience.batches_keep_status()
    await tcp.audience.write_batch([add(PAT)])
    await tcp.audience.write_one(add(PAT))
    seen = await tcp.audience.look(hash_of(PAT))
    assert isinstance(seen, Present)
    assert seen.member.status is MemberStatus.UNSUBSCRIBED


async def test_an_address_that_needs_care_in_a_path(tcp: World) -> None:
    for email in ("a+b/c?d#e@new.example", "o'brien@new.example", "ünïcode@new.example"):
        outcome = await tcp.audience.write_one(add(email, status=NewStatus.TRANSACTIONAL))
        if isinstance(outcome, Applied):
            assert (await tcp.member(email)).hash == hash_of(email)


@pytest.mark.parametrize("fault", ["reset", "reset_after", "truncated", "timeout"])
async def test_a_connection_that_breaks_in_a_batch_is_lost_and_sent_once(tcp: World, fault: str) -> None:
    tcp.sandbox.faults.add(fault, {"seconds": 5} if fault == "timeout" else None, method="POST")
    with pytest.raises(AnswerLost):
        await tcp.audience.write_batch([add("new@new.example")])
    assert len(tcp.recorder.writes()) == 1
    tcp.sandbox.faults.clear()
    assert ("new@new.example" in tcp.people()) == (fault != "reset")


@pytest.mark.parametrize("fault", ["reset", "reset_after", "truncated"])
async def test_a_connection_that_breaks_in_a_single_call_is_lost(tcp: World, fault: str) -> None:
    tcp.sandbox.faults.add(fault, method="PATCH")
    for change in (update(PAT, values_of(first_name="P")), rename(PAT, "new@new.example", values_of())):
        tcp.recorder.clear()
        assert await tcp.audience.write_one(change) == Lost(change)
        assert len(tcp.recorder.writes()) == 1


async def test_slow_answers_are_read_to_the_end(tcp: World) -> None:
    tcp.sandbox.faults.add("slow_drip", {"bytes": 400, "ms": 1}, method="GET")
    seen = [m async for page in tcp.audience.observe(archived=False, since=None) for m in page]
    assert {m.email for m in seen} == tcp.people()


async def test_nobody_listens() -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # bound and not listening: connections are refused
        base = f"http://127.0.0.1:{held.getsockname()[1]}"
        clock = Ticking()
        async with AiohttpTransport() as transport:
            api = open_api(
                AccountAccess(base, "token", AuthKind.OAUTH),
                transport=transport,
                gate=Gate(now=clock.seconds),
                sleep=clock.sleep,
            )
            audience = MailchimpAudience(api, "a1", FIELD_MAP, now=clock.now)
            with pytest.raises(AudienceUnavailable):
                await audience.write_batch([add("new@new.example")])
            with pytest.raises(AudienceUnavailable):
                await audience.look(hash_of(PAT))


async def test_many_calls_at_once_stay_below_ten_connections(tcp: World) -> None:
    """The gate, not luck: the practice Mailchimp answers 429 to the eleventh (contract 7)."""
    tcp.sandbox.faults.add("latency", {"ms": 5})
    calls = [tcp.audience.write_one(add(f"p{n}@new.example"), urgent=n % 3 == 0) for n in range(60)]
    outcomes = await asyncio.gather(*calls)
    assert all(isinstance(outcome, Applied) for outcome in outcomes)
    statuses: Counter[int] = Counter()
    for (_, _, status), times in tcp.sandbox.log.counts.items():
        statuses[status] += times
    assert statuses[429] == 0
