"""Calls go out as they should, are repeated where it is safe, and give their place back while they wait."""

from __future__ import annotations

import base64
import inspect
import logging

import pytest
from tests.mailchimp.scripted import ScriptedTransport, ok, scripted_api

from lockstep.mailchimp import AccessToken, ApiKey, Gate, Lane, MailchimpAPI, RetryPolicy, errors, wire
from lockstep.mailchimp.errors import Applied, Facts
from lockstep.mailchimp.exchange import HttpReply, HttpRequest
from lockstep.mailchimp.retry import IMPATIENT

UPSERT = wire.MemberUpsert(email_address="pat@example.com", status_if_new="subscribed")
MEMBER = {"id": "h", "email_address": "pat@example.com", "status": "unsubscribed"}
MAYBE = Facts(applied=Applied.UNKNOWN)


async def test_a_read_carries_the_key_and_no_body() -> None:
    api, transport, _ = scripted_api(ok({"health_status": "Everything's Chimpy!"}))

    assert (await api.ping()).health_status == "Everything's Chimpy!"

    [request] = transport.requests
    assert (request.method, request.url) == ("GET", "https://us6.api.mailchimp.com/3.0/ping")
    assert request.body is None
    assert request.repeatable
    scheme, _, secret = request.headers["Authorization"].partition(" ")
    assert scheme == "Basic"
    assert base64.b64decode(secret).decode() == "lockstep:" + "0" * 32 + "-us6"
    assert request.headers["User-Agent"].startswith("Lockstep/")
    assert "Content-Type" not in request.headers
    assert "0000" not in repr(request)


async def test_a_write_says_what_its_body_is_and_is_not_repeatable_below() -> None:
    api, transport, _ = scripted_api(ok(MEMBER))

    assert (await api.put_member("a1", "h", UPSERT)).status == "unsubscribed"

    [request] = transport.requests
    assert request.headers["Content-Type"] == "application/json; charset=utf-8"
    assert not request.repeatable
    assert "pat@" not in repr(request)


def test_tokens_go_as_bearer_and_secrets_are_not_shown() -> None:
    assert AccessToken("abc").header() == "Bearer abc"
    assert "abc" not in repr(AccessToken("abc"))
    assert "abc" not in repr(ApiKey("abc"))
    for wrong in ("", "a b", "a\r\nX-Evil: 1", "ä"):
        with pytest.raises(errors.InvalidCall):
            AccessToken(wrong).header()
        with pytest.raises(errors.InvalidCall):
            ApiKey(wrong).header()


async def test_a_busy_mailchimp_is_asked_again_after_growing_pauses() -> None:
    api, transport, pauses = scripted_api(
        ok(None, 429), ok(None, 503), errors.NotSent(), ok(None, 500), ok({"health_status": ""})
    )

    await api.ping()

    assert len(transport.requests) == 5
    assert pauses.seconds == [0.5, 10.0, 2.0, 4.0]


async def test_patience_ends() -> None:
    api, transport, pauses = scripted_api(*[ok(None, 429)] * 2, policy=IMPATIENT)

    with pytest.raises(errors.TooManyRequests) as caught:
        await api.ping()

    assert len(transport.requests) == 2
    assert pauses.seconds == [0.3]
    assert caught.value.facts.call == "ping"


async def test_another_patience_is_another_api() -> None:
    api, transport, _ = scripted_api(ok(None, 429), ok(None, 429), ok({"health_status": ""}))

    with pytest.raises(errors.TooManyRequests):
        await api.with_policy(RetryPolicy(attempts=1)).ping()
    await api.ping()

    assert len(transport.requests) == 3


async def test_a_lost_answer_to_a_write_is_the_callers_to_look_into() -> None:
    api, transport, pauses = scripted_api(errors.AnswerLost("", MAYBE))

    with pytest.raises(errors.AnswerLost) as caught:
        await api.subscribe_batch(
            "a1", [wire.BatchMember(email_address="a@b.example", status_if_new="pending")]
        )

    assert caught.value.applied is Applied.UNKNOWN
    assert caught.value.facts.call == "members.subscribe_batch"
    assert len(transport.requests) == 1
    assert pauses.seconds == []


async def test_a_lost_answer_to_a_read_left_nothing_behind() -> None:
    api, _, _ = scripted_api(errors.AnswerLost("", MAYBE), policy=RetryPolicy(attempts=1))

    with pytest.raises(errors.AnswerLost) as caught:
        await api.ping()

    assert caught.value.applied is Applied.NO


async def test_an_archiving_that_failed_inside_mailchimp_is_not_repeated() -> None:
    api, transport, _ = scripted_api(ok(None, 500))

    with pytest.raises(errors.ServerError):
        await api.archive_member("a1", "h")

    assert len(transport.requests) == 1


async def test_a_refusal_is_not_repeated_and_reaches_the_caller_whole() -> None:
    body = {
        "title": "Member In Compliance State",
        "status": 400,
        "detail": "pat@example.com is in a compliance state",
    }
    api, _, pauses = scripted_api(ok(body, 400))

    with pytest.raises(errors.ComplianceState) as caught:
        await api.put_member("a1", "h", UPSERT)

    assert caught.value.detail.startswith("pat@example.com")
    assert pauses.seconds == []


async def test_the_place_in_the_gate_is_free_while_waiting_for_a_repeat() -> None:
    api, _, pauses = scripted_api(ok(None, 429), ok({"health_status": ""}))
    in_flight: list[int] = []

    async def sleep(seconds: float) -> None:
        in_flight.append(api.gate_state().in_flight)
        await pauses(seconds)

    api._sleep = sleep
    await api.ping()

    assert in_flight == [0]
    assert api.gate_state().refusals == 1
    assert api.gate_state().slowed


async def test_repeats_are_logged_without_people(caplog: pytest.LogCaptureFixture) -> None:
    detail = {
        "title": "Internal Server Error",
        "status": 500,
        "detail": "pat@example.com broke it",
        "instance": "i-9",
    }
    api, _, _ = scripted_api(ok(detail, 500), ok(MEMBER))

    with caplog.at_level(logging.DEBUG, logger="lockstep.mailchimp"):
        await api.put_member("a1", "0123456789abcdef", UPSERT)

    assert "members.put" in caplog.text
    assert "i-9" in caplog.text
    assert "pat@example.com" not in caplog.text
    assert "0123456789abcdef" not in caplog.text


async def test_pages_of_members_follow_each_other() -> None:
    def page(request: HttpRequest) -> HttpReply:
        offset = int(request.url.partition("offset=")[2].partition("&")[0])
        rows = [{"id": f"m{n}"} for n in range(offset, min(offset + 1000, 1500))]
        return ok({"members": rows, "total_items": 1500})

    api, transport, _ = scripted_api(page, page)

    sizes = [len(rows) async for rows in api.member_pages("a1", fields=["email_address"], status="archived")]

    assert sizes == [1000, 500]
    assert "offset=950" in transport.requests[1].url
    assert all(
        "status=archived" in r.url and "fields=members.id%2Cmembers.email" in r.url
        for r in transport.requests
    )


async def test_reports_wait_in_the_lowest_lane() -> None:
    lanes: list[Lane] = []

    class Watched(Gate):
        async def _enter(self, lane: Lane) -> None:
            lanes.append(lane)
            await super()._enter(lane)

    api, transport, _ = scripted_api(
        ok({"reports": []}), ok({"id": "c1"}), ok({"emails": []}), ok({"health_status": ""})
    )
    api._gate = Watched(now=lambda: 0.0)
    urgent = api.in_lane(Lane.URGENT)

    assert [p async for p in urgent.report_pages()] == []
    await urgent.report("c1")
    assert [p async for p in urgent.email_activity_pages("c1")] == []
    await urgent.ping()

    assert lanes == [Lane.CAMPAIGNS] * 3 + [Lane.URGENT]
    assert len(transport.requests) == 4


async def test_every_call_of_the_api_reads_a_least_answer() -> None:
    """Every public method once, so that each is joined to the call and the reader it names."""
    empty_pages = {
        key: []
        for key in (
            "members lists merge_fields segments webhooks batches campaigns reports emails sent_to "
            "unsubscribes urls_clicked tags activity new_members updated_members errors"
        ).split()
    }
    least = {
        **empty_pages,
        "id": "1",
        "account_id": "a",
        "merge_id": 1,
        "tag": "T",
        "total_items": 0,
    }
    arguments = {
        "list_id": "a1",
        "subscriber_hash": "h",
        "campaign_id": "c1",
        "link_id": "l1",
        "webhook_id": "w1",
        "batch_id": "b1",
        "segment_id": 1,
        "merge_id": 1,
        "text": "pat",
        "email_address": "pat@example.com",
        "status": "subscribed",
        "upsert": UPSERT,
        "add": ["t"],
        "members": [wire.BatchMember(email_address="pat@example.com", status_if_new="subscribed")],
        "merge_field": wire.NewMergeField(tag="T", name="T"),
        "segment": wire.NewSegment(name="s", static_segment=[]),
        "webhook": wire.NewWebhook(
            url="https://h.example", events=wire.WebhookEvents(), sources=wire.WebhookSources()
        ),
        "operations": [wire.Operation(method="GET", path="/ping", operation_id="1")],
    }
    patches = {
        "patch_list": wire.ListPatch(),
        "patch_merge_field": wire.MergeFieldPatch(name="T"),
        "patch_member": wire.MemberPatch(),
        "patch_webhook": wire.WebhookPatch(),
    }
    plumbing = {"send", "in_lane", "with_policy", "gate_state"}
    names = [
        n
        for n, f in inspect.getmembers(MailchimpAPI, inspect.isfunction)
        if n[0] != "_" and n not in plumbing
    ]
    assert len(names) > 40

    for name in names:
        numbered = {**least, "id": 1} if "segment" in name else least
        transport = ScriptedTransport(ok(numbered))
        api, _, _ = scripted_api()
        api._transport = transport
        method = getattr(api, name)
        wanted = inspect.signature(method).parameters
        given = {k: v for k, v in {**arguments, "patch": patches.get(name)}.items() if k in wanted}
        answer = method(**given)
        if inspect.isasyncgen(answer):
            assert [page async for page in answer] == [], name
        else:
            await answer
        assert len(transport.requests) == 1, name
