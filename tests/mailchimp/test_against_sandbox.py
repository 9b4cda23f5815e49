"""The client against the practice Mailchimp, which shares no code with it: in this process and over TCP."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from lockstep.mailchimp import ApiKey, Gate, Lane, MailchimpAPI, Reason, RetryPolicy, errors, oauth, wire
from lockstep.mailchimp.asgi import AsgiTransport
from lockstep.mailchimp.calls import base_address
from lockstep.mailchimp.credentials import AccessToken
from lockstep.mailchimp.errors import Applied
from lockstep.mailchimp.exchange import HttpRequest, Transport
from lockstep.mailchimp.refusals import reason_of_item
from lockstep.mailchimp.times import read_moment, write_moment
from lockstep.mailchimp.transport import AiohttpTransport
from lockstep.sandbox import happenings, seeding
from lockstep.sandbox.sandbox import Sandbox
from lockstep.sandbox.testing import SandboxClient, serve

FAST = RetryPolicy(attempts=3, first=0.001, edge_first=0.001, cap=0.005)
EMAIL = "new@people.example"


def hash_of(email: str) -> str:
    return hashlib.md5(email.lower().encode()).hexdigest()


@dataclass
class World:
    """A practice Mailchimp with one audience, and our client before it."""

    sandbox: Sandbox
    transport: Transport
    address: str
    key: str
    audience: str
    fields: dict[str, str] = field(default_factory=dict)

    def api(self, *, key: str = "", policy: RetryPolicy = FAST, width: int = 8) -> MailchimpAPI:
        return MailchimpAPI(
            base_url=base_address("us6", f"{self.address}/3.0"),
            credential=ApiKey(key or self.key),
            transport=self.transport,
            gate=Gate(now=time.monotonic, max_width=width),
            policy=policy,
        )

    def happen(self, email: str, what: str, **more: Any) -> None:
        happenings.happen(self.sandbox, self.audience, email, what, **more)

    def look(self, email: str) -> dict[str, Any]:
        return happenings.look(self.sandbox, self.audience, email)

    def fault(self, kind: str, parameters: dict[str, float] | None = None, **when: Any) -> None:
        self.sandbox.faults.add(kind, parameters, **when)

    def seed(self, *members: dict[str, Any], generate: int = 0) -> None:
        seeding.add_members(self.sandbox, audience=self.audience, members=list(members), generate=generate)

    def writes(self) -> int:
        return sum(1 for _ in self.sandbox.log.entries(writes=True))


@pytest.fixture(params=["in this process", "over TCP"])
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    client = SandboxClient()
    with contextlib.ExitStack() as stack:
        transport: Transport
        if request.param == "over TCP":
            address, transport = (
                stack.enter_context(serve(client.app)).url,
                AiohttpTransport(total_seconds=20),
            )
        else:
            address, transport = "http://sandbox.test", AsgiTransport(client.app)
        yield World(client.sandbox, transport, address, client.api_key, client.audience.id)
        await transport.close()


def upsert(
    email: str = EMAIL, status: wire.NewStatus = "subscribed", **fields: wire.MergeValue
) -> wire.MemberUpsert:
    return wire.MemberUpsert(email_address=email, status_if_new=status, merge_fields=fields)


def item(email: str, status: wire.NewStatus = "subscribed", **fields: wire.MergeValue) -> wire.BatchMember:
    return wire.BatchMember(email_address=email, status_if_new=status, merge_fields=fields)


async def test_the_account_and_its_audiences(world: World) -> None:
    api = world.api()

    root = await api.root()
    assert root.role == "owner"
    assert (await api.ping()).health_status == "Everything's Chimpy!"
    lists = await api.lists()
    assert [row.id for row in lists] == [world.audience]
    trimmed = await api.lists(fields=["name"])
    assert [(row.id, row.name, row.date_created) for row in trimmed] == [(world.audience, lists[0].name, "")]
    one = await api.get_list(world.audience, include_total_contacts=True)
    assert one.stats.total_contacts is not None
    changed = await api.patch_list(world.audience, wire.ListPatch(double_optin=not one.double_optin))
    assert changed.double_optin is not one.double_optin


async def test_merge_fields_live_and_die(world: World) -> None:
    api = world.api()
    before = {row.tag for row in await api.merge_fields(world.audience)}

    made = await api.create_merge_field(
        world.audience,
        wire.NewMergeField(tag="CSKU_POS", name="CSKU Position", required=False, public=False),
    )
    assert (made.tag, made.type, made.required, made.public) == ("CSKU_POS", "text", False, False)
    with pytest.raises(errors.RequestRefused):
        await api.create_merge_field(world.audience, wire.NewMergeField(tag="CSKU_POS", name="Again"))
    changed = await api.patch_merge_field(
        world.audience, made.merge_id, wire.MergeFieldPatch(name="Position")
    )
    assert (changed.tag, changed.name) == ("CSKU_POS", "Position")
    await api.delete_merge_field(world.audience, made.merge_id)

    assert {row.tag for row in await api.merge_fields(world.audience)} == before


async def test_more_than_ten_fields_are_all_seen(world: World) -> None:
    api = world.api()
    for n in range(12):
        await api.create_merge_field(world.audience, wire.NewMergeField(tag=f"F{n}", name=f"F {n}"))

    assert {f"F{n}" for n in range(12)} <= {row.tag for row in await api.merge_fields(world.audience)}


async def test_a_new_member_gets_the_status_and_keeps_it_through_updates(world: World) -> None:
    api = world.api()

    made = await api.put_member(world.audience, hash_of(EMAIL), upsert(FNAME="Zoë", LNAME="Ż👩‍🎨"))
    assert (made.status, made.id, made.merge_fields["LNAME"]) == ("subscribed", hash_of(EMAIL), "Ż👩‍🎨")

    world.happen(EMAIL, "unsubscribe")
    again = await api.put_member(world.audience, hash_of(EMAIL), upsert(FNAME="Zo"))
    assert (again.status, again.merge_fields["FNAME"]) == ("unsubscribed", "Zo")
    patched = await api.patch_member(
        world.audience, hash_of(EMAIL), wire.MemberPatch(merge_fields={"FNAME": ""})
    )
    assert (patched.status, patched.merge_fields["FNAME"]) == ("unsubscribed", "")
    read = await api.member(world.audience, hash_of(EMAIL), fields=["status"])
    assert (read.status, read.email_address) == ("unsubscribed", "")


@pytest.mark.parametrize("what", ["unsubscribe", "admin_unsubscribe", "bounce", "complain", "archive"])
async def test_no_ordinary_write_ever_moves_a_status(world: World, what: str) -> None:
    api = world.api()
    await api.put_member(world.audience, hash_of(EMAIL), upsert(FNAME="Pat"))
    world.happen(EMAIL, what)
    before = world.look(EMAIL)["status"]

    await api.put_member(world.audience, hash_of(EMAIL), upsert(FNAME="Changed"))
    result = await api.subscribe_batch(
        world.audience, [item(EMAIL, FNAME="Changed again"), item("b@people.example")]
    )

    assert before != "subscribed"
    assert world.look(EMAIL)["status"] == before
    assert [row.email_address for row in result.new_members] == ["b@people.example"]


async def test_a_batch_tells_new_updated_and_refused_apart(world: World) -> None:
    api = world.api()
    await api.put_member(world.audience, hash_of(EMAIL), upsert())
    world.happen("gone@people.example", "sign_up")
    world.happen("gone@people.example", "delete")

    result = await api.subscribe_batch(
        world.audience,
        [item(EMAIL, FNAME="x"), item("fresh@people.example"), item("gone@people.example"), item("nonsense")],
    )

    assert [row.email_address for row in result.updated_members] == [EMAIL]
    assert [row.email_address for row in result.new_members] == ["fresh@people.example"]
    assert {row.address(): reason_of_item(row) for row in result.errors} == {
        "gone@people.example": Reason.FORGOTTEN,
        "nonsense": Reason.INVALID_ADDRESS,
    }
    assert (result.total_created, result.total_updated, result.error_count) == (1, 1, 2)


async def test_five_hundred_at_once(world: World) -> None:
    api = world.api()
    rows = [item(f"p{n}@people.example", FNAME=f"P{n}") for n in range(500)]

    assert (await api.subscribe_batch(world.audience, rows)).total_created == 500
    assert (await api.subscribe_batch(world.audience, rows)).total_updated == 500
    assert world.writes() == 2


async def test_the_culprits_of_a_refused_batch_are_named(world: World) -> None:
    api = world.api()
    rows = [item(f"p{n}@people.example") for n in range(3)]
    rows[1] = wire.BatchMember(
        email_address="p1@people.example",
        status_if_new="subscribed",
        merge_fields={"FNAME": None},  # type: ignore[dict-item]
    )

    with pytest.raises(errors.InvalidResource) as caught:
        await api.subscribe_batch(world.audience, rows)

    assert caught.value.culprits == (1,)
    assert caught.value.applied is Applied.NO
    with pytest.raises(errors.NotFound):
        await api.member(world.audience, hash_of("p0@people.example"))


async def test_an_older_mailchimp_that_wants_a_status_is_told_apart(world: World) -> None:
    """The canary of contract 0 must see this as a refusal of the whole request."""
    world.sandbox.switches.set("batch_validator", "status_required")

    with pytest.raises(errors.InvalidResource) as caught:
        await world.api().subscribe_batch(world.audience, [item(EMAIL)])

    assert caught.value.culprits == (0,)


async def test_every_page_of_members_and_only_once(world: World) -> None:
    world.seed(generate=2345)
    api = world.api()

    pages = [page async for page in api.member_pages(world.audience, fields=["email_address", "status"])]

    everybody = [row.id for page in pages for row in page]
    assert [len(page) for page in pages][:2] == [1000, 950]
    assert len(everybody) == len(set(everybody)) == 2345 + 5
    assert not pages[0][0].merge_fields


async def test_windows_and_the_archived(world: World) -> None:
    api = world.api()
    await api.put_member(world.audience, hash_of(EMAIL), upsert())
    moment = read_moment((await api.member(world.audience, hash_of(EMAIL))).last_changed)
    assert moment is not None
    world.sandbox.clock.advance(60)
    await api.archive_member(world.audience, hash_of(EMAIL))

    async def found(**window: str) -> list[str]:
        pages = api.member_pages(world.audience, fields=["email_address"], **window)
        return [row.email_address async for page in pages for row in page]

    assert EMAIL not in await found()
    assert await found(status="archived") == [EMAIL]
    assert await found(status="archived", since_last_changed=write_moment(moment)) == [EMAIL]
    assert await found(status="archived", before_last_changed=write_moment(moment)) == []


async def test_refusals_of_single_members(world: World) -> None:
    api, audience = world.api(), world.audience
    put = api.put_member

    with pytest.raises(errors.NotFound):
        await api.member(audience, hash_of("nobody@people.example"))
    with pytest.raises(errors.NotFound):
        await api.patch_member(audience, hash_of("nobody@people.example"), wire.MemberPatch())
    with pytest.raises(errors.InvalidResource) as caught:
        await put(audience, hash_of("nonsense"), upsert("nonsense"))
    assert caught.value.reason is Reason.INVALID_ADDRESS

    await put(audience, hash_of(EMAIL), upsert())
    with pytest.raises(errors.MemberExists):
        await api.create_member_with_explicit_status(audience, EMAIL, "subscribed")
    await api.archive_member(audience, hash_of(EMAIL))
    with pytest.raises(errors.MethodNotAllowed):
        await api.archive_member(audience, hash_of(EMAIL))

    world.happen(EMAIL, "delete")
    with pytest.raises(errors.ForgottenEmail) as forgotten:
        await put(audience, hash_of(EMAIL), upsert())
    assert forgotten.value.reason is Reason.FORGOTTEN

    world.happen("busy@people.example", "too_many_signups")
    with pytest.raises(errors.InvalidResource) as too_many:
        await put(audience, hash_of("busy@people.example"), upsert("busy@people.example"))
    assert too_many.value.reason is Reason.TOO_MANY_SIGNUPS


@pytest.mark.parametrize("translate", [False, True])
async def test_a_refused_value_names_its_field_in_any_language(world: World, translate: bool) -> None:
    api = world.api()
    world.sandbox.switches.set("translate", translate)
    await api.create_merge_field(world.audience, wire.NewMergeField(tag="AGE", name="Age", type="number"))

    with pytest.raises(errors.InvalidResource) as caught:
        await api.put_member(world.audience, hash_of(EMAIL), upsert(AGE="old"))
    result = await api.subscribe_batch(world.audience, [item(EMAIL, AGE="old")])

    assert caught.value.reason is Reason.MERGE_FIELDS
    assert [e.field for e in caught.value.errors] == ["AGE"]
    assert [reason_of_item(e) for e in result.errors] == [Reason.MERGE_FIELDS]


async def test_the_explicit_status_calls(world: World) -> None:
    api, audience = world.api(), world.audience

    made = await api.create_member_with_explicit_status(audience, EMAIL, "transactional", {"FNAME": "Pat"})
    assert made.status == "transactional"
    assert (
        await api.set_member_status_explicitly(audience, hash_of(EMAIL), "unsubscribed")
    ).status == "unsubscribed"
    await api.set_member_status_explicitly(audience, hash_of(EMAIL), "subscribed")
    world.happen(EMAIL, "unsubscribe")
    with pytest.raises(errors.ComplianceState) as caught:
        await api.set_member_status_explicitly(audience, hash_of(EMAIL), "subscribed")
    assert caught.value.reason is Reason.COMPLIANCE


async def test_renaming_and_its_refusals(world: World) -> None:
    api, audience = world.api(), world.audience
    first = await api.put_member(audience, hash_of(EMAIL), upsert(FNAME="Pat"))

    renamed = await api.patch_member(
        audience, hash_of(EMAIL), wire.MemberPatch(email_address="other@people.example")
    )
    assert (renamed.id, renamed.contact_id) == (hash_of("other@people.example"), first.contact_id)

    await api.put_member(audience, hash_of("taken@people.example"), upsert("taken@people.example"))
    with pytest.raises(errors.RequestRefused) as taken:
        await api.patch_member(audience, renamed.id, wire.MemberPatch(email_address="taken@people.example"))
    assert taken.value.reason in (Reason.RENAME_TARGET_TAKEN, Reason.MEMBER_EXISTS)

    world.happen("other@people.example", "unsubscribe")
    with pytest.raises(errors.InvalidResource) as unsubscribed:
        await api.patch_member(audience, renamed.id, wire.MemberPatch(email_address="third@people.example"))
    assert unsubscribed.value.reason is Reason.RENAME_NOT_SUBSCRIBED


async def test_keys_and_users_that_may_not(world: World) -> None:
    api = world.api()
    with pytest.raises(errors.ApiKeyInvalid):
        await world.api(key="0" * 32 + "-us6").ping()

    happenings.set_user(world.sandbox, role="viewer")
    with pytest.raises(errors.RoleTooLow):
        await api.put_member(world.audience, hash_of(EMAIL), upsert())
    happenings.set_user(world.sandbox, role="owner", enabled=False)
    with pytest.raises(errors.UserDisabled):
        await api.ping()
    happenings.set_user(world.sandbox, enabled=True)
    happenings.revoke(world.sandbox, secret=world.key)
    with pytest.raises(errors.ApiKeyInvalid) as caught:
        await api.ping()
    assert caught.value.advice is errors.Advice.STOP


async def test_an_audience_that_is_gone(world: World) -> None:
    with pytest.raises(errors.NotFound):
        await world.api().subscribe_batch("0000000000", [item(EMAIL)])


@pytest.mark.parametrize("kind", ["too_many_requests", "too_many_requests_plain", "forbidden_html"])
async def test_refusals_for_load_are_waited_out_even_for_writes(world: World, kind: str) -> None:
    world.fault(kind, times=2)
    api = world.api()

    result = await api.subscribe_batch(world.audience, [item(EMAIL)])

    assert result.total_created == 1
    assert api.gate_state().slowed


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("too_many_requests", errors.TooManyRequests),
        ("forbidden_html", errors.EdgeRefused),
        ("unavailable", errors.EdgeRefused),
        ("internal_error", errors.ServerError),
    ],
)
async def test_patience_with_an_overloaded_mailchimp_ends(
    world: World, kind: str, error: type[errors.MailchimpError]
) -> None:
    world.fault(kind)

    with pytest.raises(error):
        await world.api().put_member(world.audience, hash_of(EMAIL), upsert())


@pytest.mark.parametrize("kind", ["reset", "reset_after", "truncated"])
async def test_a_write_whose_answer_is_lost_is_left_to_the_caller(world: World, kind: str) -> None:
    world.fault(kind, times=1)
    api = world.api()

    with pytest.raises(errors.AnswerLost) as caught:
        await api.put_member(world.audience, hash_of(EMAIL), upsert())

    assert caught.value.applied is Applied.UNKNOWN
    if kind == "reset":
        with pytest.raises(errors.NotFound):
            await api.member(world.audience, hash_of(EMAIL))
    else:
        assert (await api.member(world.audience, hash_of(EMAIL))).status == "subscribed"


@pytest.mark.parametrize("kind", ["reset", "reset_after", "truncated"])
async def test_a_read_whose_answer_is_lost_is_read_again(world: World, kind: str) -> None:
    world.fault(kind, times=1)

    assert (await world.api().get_list(world.audience)).id == world.audience


async def test_a_slow_answer_is_read_whole(world: World) -> None:
    world.fault("slow_drip", {"bytes": 200, "ms": 1}, times=1)

    assert (await world.api().get_list(world.audience)).id == world.audience


async def test_the_gate_stays_below_mailchimps_ten_connections(world: World) -> None:
    world.fault("latency", {"ms": 5})
    api = world.api()
    highest = 0

    async def one(n: int) -> None:
        nonlocal highest
        lane = Lane.URGENT if n % 5 == 0 else Lane.BULK
        email = f"p{n}@people.example"
        await api.in_lane(lane).put_member(world.audience, hash_of(email), upsert(email))
        highest = max(highest, api.gate_state().in_flight)

    await asyncio.gather(*(one(n) for n in range(60)))

    assert api.gate_state().refusals == 0
    assert 1 < highest <= 8
    assert {e.status for e in world.sandbox.log.entries(writes=True)} == {200}


async def test_a_gate_that_is_too_wide_learns_it_and_everything_still_arrives(world: World) -> None:
    world.fault("latency", {"ms": 5})
    world.sandbox.switches.set("connections", 3)
    api = world.api(policy=RetryPolicy(attempts=30, first=0.002, cap=0.02))

    async def one(n: int) -> None:
        email = f"p{n}@people.example"
        await api.put_member(world.audience, hash_of(email), upsert(email))

    await asyncio.gather(*(one(n) for n in range(40)))

    assert api.gate_state().slowed
    assert api.gate_state().in_flight == 0
    assert (await world.api().get_list(world.audience)).stats.member_count == 45


async def test_connecting_by_oauth(world: World) -> None:
    registered = next(iter(world.sandbox.oauth.apps.values()))
    app = oauth.OAuthApp(
        client_id=registered.client_id,
        client_secret=registered.client_secret,
        redirect_uri="http://127.0.0.1/back",
        browser_base=world.address,
        server_base=world.address,
    )
    code = await _allow(world, oauth.authorize_url(app, "state-1"))

    grant = await oauth.connect(world.transport, app, code)
    assert (grant.metadata.dc, grant.metadata.role) == ("us6", "owner")
    api = MailchimpAPI(
        base_url=base_address(grant.metadata.dc, f"{world.address}/3.0"),
        credential=AccessToken(grant.token.token),
        transport=world.transport,
        gate=Gate(now=time.monotonic),
    )
    assert (await api.ping()).health_status
    with pytest.raises(errors.OAuthRefused) as used:
        await oauth.connect(world.transport, app, code)
    assert used.value.error == "invalid_grant"


async def _allow(world: World, url: str) -> str:
    """What a person does on Mailchimp's pages; gives the code that comes back to us."""
    account = next(iter(world.sandbox.accounts))
    asked = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
    form = urlencode({**asked, "account": account, "step": "allow"}).encode()
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = await world.transport.send(HttpRequest("POST", url.partition("?")[0], headers, form))
    assert answer.status == 303
    back = parse_qs(urlsplit(answer.headers["location"]).query)
    assert back["state"] == ["state-1"]
    return back["code"][0]
