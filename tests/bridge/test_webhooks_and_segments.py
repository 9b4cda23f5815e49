"""Webhooks and segments against a script: what is sent, and what a repeated or lost call does."""

from __future__ import annotations

from typing import Any

import pytest
from tests.bridge.recorder import body_of
from tests.bridge.world import World, add, values_of
from tests.mailchimp.scripted import ok, scripted_api

from lockstep.bridge import (
    SetupRefused,
    TextRule,
    WebhookState,
    create_segment,
    delete_webhook,
    register_webhook,
    verify_webhook,
)
from lockstep.core.errors import AudienceUnavailable
from lockstep.core.field_map import FieldMap
from lockstep.mailchimp.errors import AnswerLost, Applied, Facts

URL = "https://lockstep.example/hooks/mailchimp/secret"
LOST = AnswerLost("", Facts(applied=Applied.UNKNOWN))
GOOD = {
    "events": dict.fromkeys(["subscribe", "unsubscribe", "profile", "cleaned", "upemail", "campaign"], True),
    "sources": {"user": True, "admin": True, "api": False},
}


def hook(hook_id: str, url: str = URL, **more: Any) -> dict[str, Any]:
    return {"id": hook_id, "url": url, "list_id": "a1", **GOOD, **more}


def hooks(*found: dict[str, Any]) -> Any:
    return ok({"webhooks": list(found), "total_items": len(found)})


def refused(status: int = 400) -> Any:
    problem = {
        "title": "Invalid Resource",
        "status": status,
        "detail": "The resource could not be validated.",
    }
    return ok({**problem, "errors": [{"field": "url", "message": "We could not reach it."}]}, status)


async def test_a_webhook_tells_of_people_and_marketers_but_not_of_ourselves() -> None:
    api, transport, _ = scripted_api(hooks(), ok(hook("w1", signing_secret="s3cret")))
    made = await register_webhook(api, "a1", URL)
    assert (made.webhook_id, made.signing_secret) == ("w1", "s3cret")
    assert "s3cret" not in repr(made)
    assert body_of(transport.requests[-1]) == {"url": URL, **GOOD}


async def test_one_with_our_url_is_replaced_and_others_stay() -> None:
    api, transport, _ = scripted_api(
        hooks(hook("w1"), hook("w2", "https://other.example/")), ok(status=204), ok(hook("w3"))
    )
    assert (await register_webhook(api, "a1", URL)).webhook_id == "w3"
    assert [r.url.rpartition("/")[2] for r in transport.requests if r.method == "DELETE"] == ["w1"]


async def test_a_webhook_whose_making_was_not_confirmed_is_made_anew() -> None:
    """Its signing secret is told once; one that we never heard is of no use."""
    api, transport, _ = scripted_api(
        hooks(), LOST, hooks(hook("w1")), ok(status=204), ok(hook("w2", signing_secret="new"))
    )
    assert (await register_webhook(api, "a1", URL)).signing_secret == "new"
    await transport.close()


async def test_a_url_that_did_not_answer_mailchimp() -> None:
    api, _, _ = scripted_api(hooks(), refused())
    with pytest.raises(SetupRefused) as caught:
        await register_webhook(api, "a1", URL)
    assert caught.value.field == "url"
    assert "We could not reach it." in caught.value.raw


@pytest.mark.parametrize(
    ("found", "state"),
    [
        ([hook("w1")], WebhookState.WORKING),
        ([hook("w2"), hook("w1")], WebhookState.WORKING),
        ([], WebhookState.MISSING),
        ([hook("w2")], WebhookState.MISSING),
        ([hook("w1", "https://elsewhere.example/")], WebhookState.MISSING),
    ],
)
async def test_whether_a_webhook_is_still_there(found: list[dict[str, Any]], state: WebhookState) -> None:
    api, transport, _ = scripted_api(hooks(*found))
    assert await verify_webhook(api, "a1", "w1", URL) is state
    await transport.close()


@pytest.mark.parametrize(
    "changed",
    [
        {"sources": {"user": True, "admin": True, "api": True}},
        {"events": {**GOOD["events"], "unsubscribe": False}},
    ],
)
async def test_a_webhook_that_somebody_changed_is_set_back(changed: dict[str, Any]) -> None:
    api, transport, _ = scripted_api(hooks(hook("w1", **changed)), ok(hook("w1")))
    assert await verify_webhook(api, "a1", "w1", URL) is WebhookState.MENDED
    assert body_of(transport.requests[-1]) == GOOD


async def test_taking_away_a_webhook_that_is_gone_is_fine() -> None:
    gone = ok({"title": "Resource Not Found", "status": 404, "detail": "x"}, 404)
    for steps in ([ok(status=204)], [gone], [LOST, hooks()]):
        api, transport, _ = scripted_api(*steps)
        await delete_webhook(api, "a1", "w1")
        await transport.close()


async def test_a_webhook_that_could_not_be_taken_away_says_so() -> None:
    api, _, _ = scripted_api(LOST, hooks(hook("w1")))
    with pytest.raises(AudienceUnavailable):
        await delete_webhook(api, "a1", "w1")


async def test_a_segment_over_our_fields() -> None:
    api, transport, _ = scripted_api(ok({"id": 7, "name": "Ships", "member_count": 12}))
    rules = [TextRule("industry", "is", "Ships"), TextRule("position", "blank")]
    made = await create_segment(api, "a1", FieldMap("ACME"), "Ships", rules, "any")
    assert (made.segment_id, made.member_count) == (7, 12)
    assert body_of(transport.requests[0]) == {
        "name": "Ships",
        "options": {
            "match": "any",
            "conditions": [
                {"condition_type": "TextMerge", "field": "ACME_IND", "op": "is", "value": "Ships"},
                {"condition_type": "TextMerge", "field": "ACME_POS", "op": "blank"},
            ],
        },
    }


@pytest.mark.parametrize("rules", [[], [TextRule("shoe_size", "is", "44")]])
async def test_a_segment_without_rules_or_over_fields_of_others_is_not_made(rules: list[TextRule]) -> None:
    api, transport, _ = scripted_api()
    with pytest.raises(ValueError):
        await create_segment(api, "a1", FieldMap(), "Ships", rules)
    assert not transport.requests


async def test_a_segment_counts_the_members_that_a_sync_wrote(world: World) -> None:
    await world.audience.write_batch(
        [
            add("a@new.example", values_of(industry="Ships"), contact=1),
            add("b@new.example", values_of(industry="Ships"), contact=2),
            add("c@new.example", values_of(industry="Trains"), contact=3),
        ]
    )
    made = await create_segment(
        world.api, world.list_id, world.field_map, "Ships", [TextRule("industry", "is", "Ships")]
    )
    assert made.member_count == 2
