"""Reading an audience: complete while it changes, trimmed, and never “not there” by mistake."""

from __future__ import annotations

import random
from datetime import timedelta

import pytest
from tests.bridge.recorder import query_of
from tests.bridge.world import NO_VALUES, World, hash_of, values_of

from lockstep.bridge.audience import POLL_OVERLAP
from lockstep.core.errors import AudienceUnavailable, BrokenKind, ConnectionBroken, SyncError
from lockstep.core.member import MemberStatus, ObservedMember
from lockstep.core.observation import ABSENT, Present
from lockstep.mailchimp.exchange import HttpRequest
from lockstep.sandbox.seeding import generate


async def read(
    world: World, *, archived: bool = False, since: timedelta | None = None
) -> list[ObservedMember]:
    """All rows, with those that came twice."""
    moment = None if since is None else world.clock.now() - since
    pages = world.audience.observe(archived=archived, since=moment)
    return [member async for page in pages for member in page]


def fill(world: World, count: int) -> None:
    """Members who have been there unchanged for a day."""
    world.sandbox.clock.advance(-86_400)
    generate(world.sandbox, world.mailchimp, count)
    world.sandbox.clock.advance(86_400)


async def test_what_a_member_is_seen_as(world: World) -> None:
    await world.put("Pat@New.example", values=values_of(first_name="Pat", industry="Ships"))
    seen = {member.email: member for member in await read(world)}["Pat@New.example"]
    inside = world.inside("Pat@New.example")
    assert seen == ObservedMember(
        hash=hash_of("pat@new.example"),
        email="Pat@New.example",
        status=MemberStatus.SUBSCRIBED,
        values=values_of(first_name="Pat", industry="Ships"),
        contact_key=inside["contact_id"],
        web_id=seen.web_id,
        rating=2,
        last_changed=inside["last_changed"],
    )
    assert seen.web_id > 0


async def test_only_what_is_needed_is_asked_for(world: World) -> None:
    """P2: of merge fields, ours; no names, no notes, no addresses of people."""
    await read(world)
    for request in world.recorder.requests:
        asked = query_of(request)["fields"].split(",")
        merge_fields = {
            name.removeprefix("members.merge_fields.") for name in asked if "merge_fields" in name
        }
        assert merge_fields == set(world.field_map.tags)
        assert "members.full_name" not in asked
        assert query_of(request)["count"] == "1000"
        assert query_of(request)["sort_field"] == "last_changed"
        assert query_of(request)["sort_dir"] == "ASC"


async def test_a_whole_reading_names_no_date_long_past(world: World) -> None:
    """`since_last_changed` of 1970 was seen to hang (contract 4.2)."""
    await read(world)
    first, last = map(query_of, world.recorder.requests)
    assert "since_last_changed" not in first
    assert "before_last_changed" in first
    assert "since_last_changed" in last
    assert "before_last_changed" not in last


async def test_archived_ones_have_a_pass_of_their_own(world: World) -> None:
    world.happen("pat@club.example", "archive")
    assert "pat@club.example" not in {m.email for m in await read(world)}
    archived = await read(world, archived=True)
    assert {(m.email, m.status) for m in archived} == {("pat@club.example", MemberStatus.ARCHIVED)}


async def test_everybody_on_many_pages(world: World) -> None:
    fill(world, 3_205)
    seen = await read(world)
    assert {m.email for m in seen} == world.people()


async def test_a_poll_begins_a_little_earlier(world: World) -> None:
    fill(world, 20)
    world.sandbox.clock.advance(-90)
    world.happen("pat@club.example", "unsubscribe")
    world.sandbox.clock.advance(90)
    assert timedelta(seconds=90) < POLL_OVERLAP
    seen = await read(world, since=timedelta(0))
    assert "pat@club.example" in {m.email for m in seen}
    assert len(seen) < 10, "a poll does not read everybody"


@pytest.mark.parametrize("seed", range(6))
async def test_nobody_hides_in_a_list_that_changes_while_it_is_read(world: World, seed: int) -> None:
    """Trap 40. Between any two pages, people change, leave, come back; who stays all the while is seen."""
    dice = random.Random(seed)
    fill(world, 2_600)
    staying = {member.email for member in world.mailchimp}
    left: set[str] = set()

    def meddle(request: HttpRequest) -> None:
        world.sandbox.clock.advance(1)
        world.clock.at += timedelta(seconds=1)
        crowd = sorted(staying - left)
        for email in dice.sample(crowd, k=dice.choice([0, 40, 300, 1_100])):
            world.happen(email, "edit", merges={"CSKU_POS": f"{dice.random():.9f}"})
        for email in dice.sample(crowd, k=dice.choice([0, 5, 80])):
            left.add(email)
            world.happen(email, "archive")

    world.recorder.meddle = meddle
    seen = await read(world)
    latest = {member.email: member for member in seen}
    assert staying - left <= set(latest)
    for email in staying - left:
        told = latest[email].values[world.field_map.tags.index("CSKU_POS")]
        assert told == world.inside(email)["merge_fields"]["CSKU_POS"], "the later row is the truth"
    world.recorder.meddle = None
    archived = {m.email for m in await read(world, archived=True)}
    assert left <= archived


@pytest.mark.parametrize("hours", [-30, 30])
async def test_a_clock_that_is_wrong_hides_nobody(world: World, hours: int) -> None:
    fill(world, 1_300)
    world.clock.at += timedelta(hours=hours)
    world.happen("pat@club.example", "unsubscribe")
    assert {m.email for m in await read(world)} == world.people()


async def test_a_field_that_mailchimp_does_not_know_any_more(world: World) -> None:
    """If asking for it is refused (422, contract 2), all merge fields are asked for instead."""
    refused: list[str] = []

    async def picky(request: HttpRequest) -> object:
        if "merge_fields.CSKU_POS" in query_of(request).get("fields", ""):
            refused.append(request.url)
            request = HttpRequest(
                "GET", request.url.replace("merge_fields.CSKU_POS", "nonsense"), request.headers
            )
        return await inner.send(request)

    inner, world.recorder.inner = world.recorder.inner, type("Picky", (), {"send": staticmethod(picky)})()  # type: ignore[assignment]
    try:
        seen = await read(world)
        await world.member("pat@club.example")
    finally:
        world.recorder.inner = inner
    assert {m.email for m in seen} == world.people()
    assert all(m.values == NO_VALUES for m in seen)
    assert len(refused) == 1


# --- one member ---------------------------------------------------------------------------------


async def test_a_look_sees_archived_ones_too(world: World) -> None:
    world.happen("pat@club.example", "archive")
    seen = await world.audience.look(hash_of("pat@club.example"))
    assert isinstance(seen, Present)
    assert seen.member.status is MemberStatus.ARCHIVED


async def test_nobody_is_absent_only_while_the_audience_is_there(world: World) -> None:
    assert await world.audience.look(hash_of("nobody@club.example")) == ABSENT
    world.sandbox.faults.add("audience_deleted")
    with pytest.raises(ConnectionBroken) as caught:
        await world.audience.look(hash_of("nobody@club.example"))
    assert caught.value.kind is BrokenKind.AUDIENCE_GONE


async def test_a_permanently_deleted_member_is_absent(world: World) -> None:
    world.happen("pat@club.example", "delete")
    assert await world.audience.look(hash_of("pat@club.example")) == ABSENT


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("forbidden_html", AudienceUnavailable),
        ("unavailable", AudienceUnavailable),
        ("internal_error", AudienceUnavailable),
        ("too_many_requests", AudienceUnavailable),
        ("reset", AudienceUnavailable),
        ("reset_after", AudienceUnavailable),
        ("truncated", AudienceUnavailable),
        ("key_revoked", ConnectionBroken),
        ("user_disabled", ConnectionBroken),
        ("audience_deleted", ConnectionBroken),
    ],
)
async def test_could_not_look_is_never_not_there(world: World, fault: str, error: type[SyncError]) -> None:
    """Style, smell 4: the one mistake that makes an engine remove people."""
    world.sandbox.faults.add(fault)
    for email in ("pat@club.example", "nobody@club.example"):
        with pytest.raises(error):
            await world.audience.look(hash_of(email))
    with pytest.raises(error):
        await read(world)


async def test_a_reading_that_breaks_off_says_so(world: World) -> None:
    fill(world, 2_500)
    pages = world.audience.observe(archived=False, since=None)
    assert len(await anext(pages)) == 1000
    world.sandbox.faults.add("forbidden_html", path="/members")
    with pytest.raises(AudienceUnavailable):
        async for _ in pages:
            pass
