"""Answers that the practice Mailchimp does not give, from a script: races, and a service that says one thing
and does another."""

from __future__ import annotations

from typing import Any

import pytest
from tests.bridge.world import FIELD_MAP, Ticking, hash_of, rename, update, values_of
from tests.mailchimp.scripted import ScriptedTransport, Step, ok, scripted_api

from lockstep.bridge import MailchimpAudience, ensure_fields
from lockstep.core.errors import AudienceUnavailable, BrokenKind, ConnectionBroken
from lockstep.core.outcome import Lost, RefusalKind, Refused, Stale
from lockstep.mailchimp.errors import NotSent
from lockstep.mailchimp.retry import ONE_ATTEMPT

PAT, NEW = "pat@example.com", "new@example.com"
GONE = ok({"title": "Resource Not Found", "status": 404, "detail": "Not found."}, 404)
LIST = ok({"id": "a1"})
EDGE = ok(None, 403)


def scripted(*steps: Step) -> tuple[MailchimpAudience, ScriptedTransport]:
    api, transport, _ = scripted_api(*steps, policy=ONE_ATTEMPT)
    return MailchimpAudience(api, "a1", FIELD_MAP, now=Ticking().now), transport


def member(email: str = PAT, status: str = "subscribed", **values: str) -> Any:
    fields = FIELD_MAP.merge_fields(values_of(**values))
    return ok({"id": hash_of(email), "email_address": email, "status": status, "merge_fields": fields})


def refusal(detail: str, *fields: str) -> Any:
    problem = {"title": "Invalid Resource", "status": 400, "detail": detail}
    return ok({**problem, "errors": [{"field": f, "message": detail} for f in fields]}, 400)


async def test_a_rename_that_was_said_and_not_done_is_stale() -> None:
    audience, _ = scripted(member(PAT))
    assert isinstance(await audience.write_one(rename(PAT, NEW, values_of())), Stale)


async def test_a_member_that_vanished_between_refusal_and_look_is_stale() -> None:
    audience, transport = scripted(refusal("Nur in einer anderen Sprache", ""), GONE, LIST)
    outcome = await audience.write_one(update(PAT, values_of(first_name="P")))
    assert isinstance(outcome, Stale)
    assert "Sprache" in outcome.text
    await transport.close()


@pytest.mark.parametrize("step", [EDGE, NotSent()])
async def test_a_refusal_stays_true_when_nobody_can_look_why(step: Step) -> None:
    audience, _ = scripted(refusal("Nur in einer anderen Sprache", ""), step)
    outcome = await audience.write_one(update(PAT, values_of(first_name="P")))
    assert isinstance(outcome, Refused)
    assert outcome.refusal.kind is RefusalKind.OTHER


async def test_a_rename_refused_for_a_reason_of_its_own_is_refused() -> None:
    audience, transport = scripted(refusal("Io nova", "language"), member(), GONE, LIST)
    outcome = await audience.write_one(rename(PAT, NEW, values_of()))
    assert isinstance(outcome, Refused)
    assert "Io nova" in outcome.refusal.text
    await transport.close()


async def test_the_audience_vanished_while_we_looked_why() -> None:
    audience, _ = scripted(refusal("Io nova"), GONE, GONE)
    with pytest.raises(ConnectionBroken) as caught:
        await audience.write_one(update(PAT, values_of(first_name="P")))
    assert caught.value.kind is BrokenKind.AUDIENCE_GONE


async def test_an_unreadable_yes_is_lost() -> None:
    audience, _ = scripted(ok("surprise"))
    change = update(PAT, values_of(first_name="P"))
    assert await audience.write_one(change) == Lost(change)


@pytest.mark.parametrize("answer", [GONE, ok({"title": "Method Not Allowed", "status": 405}, 405)])
async def test_a_stray_that_somebody_else_archived_meanwhile(answer: Step) -> None:
    audience, transport = scripted(member(status="unsubscribed"), answer)
    await audience.archive_stray(hash_of(PAT))
    await transport.close()


async def test_a_canary_that_will_not_be_unsubscribed_proves_nothing() -> None:
    root = ok({"account_id": "x", "email": "owner@example.com"})
    audience, _ = scripted(root, member("owner+lockstep-check@example.com", "pending"))
    assert await audience.batches_keep_status() is False


async def test_a_canary_that_vanishes_proves_nothing() -> None:
    canary = "owner+lockstep-check@example.com"
    batch = ok({"new_members": [], "updated_members": [], "errors": []})
    root = ok({"account_id": "x", "email": "owner@example.com"})
    audience, _ = scripted(root, member(canary, "unsubscribed"), batch, GONE, GONE)
    assert await audience.batches_keep_status() is False


async def test_a_field_that_may_not_be_made_for_lack_of_rights() -> None:
    forbidden = ok({"title": "User action not permitted", "status": 403, "detail": "No access."}, 403)
    api, _, _ = scripted_api(ok({"merge_fields": [], "total_items": 0}), forbidden)
    with pytest.raises(ConnectionBroken) as caught:
        await ensure_fields(api, "a1", FIELD_MAP)
    assert caught.value.kind is BrokenKind.ROLE_TOO_LOW


async def test_a_field_that_could_not_be_made_now() -> None:
    api, _, _ = scripted_api(ok({"merge_fields": [], "total_items": 0}), EDGE, policy=ONE_ATTEMPT)
    with pytest.raises(AudienceUnavailable):
        await ensure_fields(api, "a1", FIELD_MAP)
