"""The client against the practice Mailchimp: tags, segments, search, webhooks, batches, reports."""

from __future__ import annotations

import contextlib
import hashlib
import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest

from lockstep.mailchimp import ApiKey, Gate, MailchimpAPI, RetryPolicy, batches, errors, hooks, wire
from lockstep.mailchimp.asgi import AsgiTransport
from lockstep.mailchimp.calls import base_address
from lockstep.mailchimp.exchange import Transport
from lockstep.mailchimp.transport import AiohttpTransport
from lockstep.sandbox import happenings, marketer
from lockstep.sandbox.courier import InlineCourier, Outcome, Post
from lockstep.sandbox.sandbox import Sandbox
from lockstep.sandbox.testing import SandboxClient, serve

HOME, DONATE = "https://club.example/", "https://club.example/donate"
SPRING = {"open": 0, "machine": 0, "soft": 0, "hard": 0}
PAT, KIM, SAM = (f"{name}@club.example" for name in ("pat", "kim", "sam"))


def hash_of(email: str) -> str:
    return hashlib.md5(email.encode()).hexdigest()


@dataclass
class World:
    sandbox: Sandbox
    transport: Transport
    api: MailchimpAPI
    audience: str
    posts: list[Post]

    def advance(self, seconds: float) -> None:
        self.sandbox.clock.advance(seconds)
        self.sandbox.tick()

    def happen(self, email: str, what: str, **more: Any) -> None:
        happenings.happen(self.sandbox, self.audience, email, what, **more)
        self.sandbox.tick()

    def campaign(self) -> str:
        """A campaign to the five that went out a minute ago."""
        sent = marketer.create_campaign(
            self.sandbox, self.audience, "Spring", links=[HOME, DONATE], send=True, behaviour=SPRING
        )
        self.advance(60)
        return str(sent["id"])

    def play(self, campaign: str, email: str, what: str, url: str = "") -> None:
        self.advance(10)
        marketer.play(self.sandbox, campaign, email, what, url)


@pytest.fixture(params=["in this process", "over TCP"])
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    client = SandboxClient()
    posts: list[Post] = []

    def taken(post: Post) -> Outcome:
        posts.append(post)
        return Outcome(200)

    client.sandbox.courier = InlineCourier(taken)
    with contextlib.ExitStack() as stack:
        transport: Transport
        if request.param == "over TCP":
            address = stack.enter_context(serve(client.app)).url
            transport = AiohttpTransport(total_seconds=20)
        else:
            address, transport = "http://sandbox.test", AsgiTransport(client.app)
        api = MailchimpAPI(
            base_url=base_address("us6", f"{address}/3.0"),
            credential=ApiKey(client.api_key),
            transport=transport,
            gate=Gate(now=time.monotonic, max_width=8),
            policy=RetryPolicy(attempts=3, first=0.001, edge_first=0.001, cap=0.005),
        )
        yield World(client.sandbox, transport, api, client.audience.id, posts)
        await transport.close()


async def test_tags_of_a_member(world: World) -> None:
    api = world.api
    await api.change_member_tags(world.audience, hash_of(PAT), add=["Volunteer", "Old"])
    await api.change_member_tags(world.audience, hash_of(PAT), add=["Donor"], remove=["OLD", "never there"])

    assert {tag.name for tag in await api.member_tags(world.audience, hash_of(PAT))} == {"Volunteer", "Donor"}
    with pytest.raises(errors.NotFound):
        await api.change_member_tags(world.audience, "0" * 32, add=["a"])


async def test_segments_and_their_members(world: World) -> None:
    api = world.api
    tag = await api.create_segment(world.audience, wire.NewSegment(name="Some", static_segment=[PAT]))
    berlin: dict[str, Any] = {
        "condition_type": "EmailAddress",
        "field": "EMAIL",
        "op": "starts",
        "value": "k",
    }
    saved = await api.create_segment(
        world.audience,
        wire.NewSegment(name="K", options=wire.SegmentOptions(match="all", conditions=[berlin])),
    )

    changed = await api.change_segment_members(
        world.audience, tag.id, add=[KIM, "nobody@club.example"], remove=[PAT]
    )

    assert (changed.total_added, changed.total_removed, changed.error_count) == (1, 1, 1)
    kinds = {row.name: (row.type, row.member_count) for row in await api.segments(world.audience)}
    assert kinds == {"Some": ("static", 1), "K": ("saved", 1)}
    assert [row.id for row in await api.segments(world.audience, segment_type="saved")] == [saved.id]
    await api.delete_segment(world.audience, saved.id)
    assert [row.id for row in await api.segments(world.audience)] == [tag.id]


async def test_search(world: World) -> None:
    found = await world.api.search_members("pat@club.example", list_id=world.audience)
    assert [member.email_address for member in found.exact_matches.members] == [PAT]
    assert (await world.api.search_members("smith")).full_search.total_items == 1


async def test_a_webhook_from_its_making_to_its_call(world: World) -> None:
    api = world.api
    wanted = wire.NewWebhook(
        url="http://127.0.0.1:9/hook",
        events=wire.WebhookEvents(unsubscribe=True, upemail=True, profile=True),
        sources=wire.WebhookSources(user=True, admin=True, api=False),
    )
    made = await api.create_webhook(world.audience, wanted)
    assert made.signing_secret
    assert (await api.webhook(world.audience, made.id)).signing_secret == ""
    assert [row.id for row in await api.webhooks(world.audience)] == [made.id]

    world.happen(PAT, "unsubscribe")
    world.happen(KIM, "edit", new_email="kimberly@club.example", by="user")
    await api.change_member_tags(world.audience, hash_of(SAM), add=["quiet"])

    calls = [post for post in world.posts if post.method == "POST"]
    events = [hooks.read_event(post.body) for post in calls]
    assert isinstance(events[0], hooks.Unsubscribed)
    assert (events[0].email, events[0].action, events[0].reason) == (PAT, "unsub", "manual")
    renamed = next(event for event in events if isinstance(event, hooks.AddressChanged))
    assert (renamed.old_email, renamed.new_email) == (KIM, "kimberly@club.example")
    assert sum(isinstance(event, hooks.ProfileChanged) for event in events) == 1
    for post in calls:
        header = post.headers["X-Mailchimp-Signature"]
        assert hooks.signature_matches(made.signing_secret, header, post.body, now=time.time())
        assert not hooks.signature_matches(made.signing_secret, header, post.body + b"&a=b", now=time.time())
    await api.delete_webhook(world.audience, made.id)
    assert await api.webhooks(world.audience) == []


async def test_a_batch_to_its_results(world: World) -> None:
    api = world.api
    world.sandbox.clock.run(0)
    operations = [
        wire.Operation(
            method="PUT",
            path=f"/lists/{world.audience}/members/{hash_of(f'p{n}@club.example')}",
            body=json.dumps({"email_address": f"p{n}@club.example", "status_if_new": "subscribed"}),
            operation_id=str(n),
        )
        for n in range(150)
    ]
    started = await api.start_batch(operations)
    with pytest.raises(errors.BatchNotFinished):
        await batches.fetch_results(api, world.transport, started.id)
    seen: list[str] = []

    async def sleep(seconds: float) -> None:
        world.advance(seconds)

    done = await batches.wait_until_finished(
        api, started.id, sleep=sleep, now=time.monotonic, on_progress=lambda batch: seen.append(batch.status)
    )
    results = await batches.fetch_results(api, world.transport, started.id)

    assert (done.total_operations, done.errored_operations) == (150, 0)
    assert seen[0] == "pending"
    assert {result.operation_id for result in results} == {str(n) for n in range(150)}
    world.advance(601)
    with pytest.raises(errors.BatchLinkExpired):
        batches.results_archive(await world.transport.send(batches.results_request(done.response_body_url)))
    assert len(await batches.fetch_results(api, world.transport, started.id)) == 150
    assert [batch.id for batch in await api.batches()] == [started.id]
    await api.delete_batch(started.id)
    with pytest.raises(errors.NotFound):
        await api.batch(started.id)


async def test_campaigns_and_their_reports(world: World) -> None:
    api, campaign = world.api, world.campaign()
    world.play(campaign, PAT, "open")
    world.play(campaign, KIM, "click", DONATE)
    world.happen(SAM, "unsubscribe", campaign_id=campaign, reason="Too much")

    [listed] = [row async for page in api.campaign_pages(list_id=world.audience) for row in page]
    assert (listed.id, listed.emails_sent) == (campaign, 5)
    [report] = [row async for page in api.report_pages() for row in page]
    assert (report.opens.opens_total, report.clicks.clicks_total, report.unsubscribed) == (2, 1, 1)
    assert (await api.report(campaign)).opens.last_open == report.opens.last_open
    sent = [row async for page in api.sent_to_pages(campaign) for row in page]
    assert {row.email_id: row.open_count for row in sent}[hash_of(PAT)] == 1
    openers = [row async for page in api.open_detail_pages(campaign) for row in page]
    assert [row.email_address for row in openers] == [PAT, KIM]
    links = [row async for page in api.clicked_url_pages(campaign) for row in page]
    assert {link.url: link.total_clicks for link in links} == {HOME: 0, DONATE: 1}
    donate = next(link.id for link in links if link.url == DONATE)
    clickers = [row async for page in api.click_member_pages(campaign, donate) for row in page]
    assert [(row.email_address, row.clicks) for row in clickers] == [(KIM, 1)]
    gone = [row async for page in api.unsubscribed_pages(campaign) for row in page]
    assert [(row.email_address, row.reason) for row in gone] == [(SAM, "Too much")]


async def test_activity_since_keeps_all_recipients(world: World) -> None:
    api, campaign = world.api, world.campaign()
    world.play(campaign, PAT, "open")
    report = await api.report(campaign)
    world.play(campaign, KIM, "click", HOME)

    rows = [
        row async for page in api.email_activity_pages(campaign, since=report.opens.last_open) for row in page
    ]

    assert len(rows) == 5
    acted = {row.email_address: [event.action for event in row.activity] for row in rows if row.activity}
    assert acted == {KIM: ["open", "click"]}


async def test_the_feed_of_one_member(world: World) -> None:
    campaign = world.campaign()
    world.play(campaign, PAT, "click", HOME)

    items = [
        row async for page in world.api.activity_feed_pages(world.audience, hash_of(PAT)) for row in page
    ]

    assert [item.activity_type for item in items][:3] == ["click", "open", "sent"]
