"""The canary test of contract 0: proven or not, and nothing left behind."""

from __future__ import annotations

import pytest
from tests.bridge.recorder import body_of
from tests.bridge.world import World, hash_of

from lockstep.bridge.canary import ADDRESSES, CANARY_TAG, canary_addresses
from lockstep.core.errors import AudienceUnavailable, BrokenKind, ConnectionBroken
from lockstep.mailchimp.exchange import HttpRequest
from lockstep.sandbox.subscription import create

LOGIN = "owner@exampleclub.example"
CANARY = f"owner+{CANARY_TAG}@exampleclub.example"
SECOND = f"owner+{CANARY_TAG}2@exampleclub.example"


def only_the_canary_was_written(world: World) -> bool:
    return {m.email for m in world.mailchimp if not m.email.startswith("owner+")} == {
        f"{name}@club.example" for name in ("pat", "kim", "sam", "noor", "jo")
    }


async def test_a_mailchimp_that_keeps_statuses_is_proven(world: World) -> None:
    assert await world.audience.batches_keep_status() is True
    assert world.inside(CANARY)["status"] == "archived"
    assert only_the_canary_was_written(world)


async def test_the_call_under_test_is_the_one_that_a_sync_sends(world: World) -> None:
    await world.audience.batches_keep_status()
    batches = [body for r in world.recorder.sent("POST") if "members" in (body := body_of(r))]
    assert len(batches) == 3
    for body in batches:
        assert body["update_existing"] is True
        [item] = body["members"]
        assert set(item) == {"email_address", "status_if_new", "merge_fields"}
        assert item["status_if_new"] == "subscribed"


@pytest.mark.parametrize("generation", ["status_required", "status_if_new_ignored"])
async def test_older_generations_are_not_proven(world: World, generation: str) -> None:
    world.sandbox.switches.set("batch_validator", generation)
    assert await world.audience.batches_keep_status() is False
    assert world.inside(CANARY)["status"] == "archived", "the login's own address is not left subscribed"
    assert only_the_canary_was_written(world)


async def test_a_mailchimp_that_brings_archived_people_back_is_not_proven(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not established (contract 13.2), so it is tried: coming back from the archive is a change of status."""
    from lockstep.sandbox import batch_subscribe

    update = batch_subscribe.update

    def bring_back(audience, member, body, doing, *, method):  # type: ignore[no-untyped-def]
        if member.archived:
            body = {**body, "status": "subscribed"}
        return update(audience, member, body, doing, method=method)

    monkeypatch.setattr(batch_subscribe, "update", bring_back)
    assert await world.audience.batches_keep_status() is False
    assert world.inside(CANARY)["status"] == "archived"


async def test_a_batch_that_says_yes_and_does_nothing_is_not_proven(world: World) -> None:
    field = world.mailchimp.merge_field(world.field_map.tags[-1])
    assert field is not None
    world.mailchimp.remove_merge_field(field)
    assert await world.audience.batches_keep_status() is False


async def test_again_after_an_earlier_test(world: World) -> None:
    assert await world.audience.batches_keep_status()
    assert await world.audience.batches_keep_status()
    assert world.inside(CANARY)["status"] == "archived"


@pytest.mark.parametrize("status", ["unsubscribed", "subscribed"])
async def test_a_canary_left_over_from_a_killed_test(world: World, status: str) -> None:
    account = next(iter(world.sandbox.accounts.values()))
    create(world.mailchimp, CANARY, status, {}, world.sandbox.doing(account))
    assert await world.audience.batches_keep_status()
    assert world.inside(CANARY)["status"] == "archived"


async def test_a_canary_deleted_for_good_is_followed_by_another(world: World) -> None:
    await world.audience.batches_keep_status()
    world.happen(CANARY, "delete")
    assert await world.audience.batches_keep_status()
    assert world.inside(SECOND)["status"] == "archived"


async def test_when_all_are_deleted_nothing_is_proven(world: World) -> None:
    world.mailchimp.forgotten.update(hash_of(address) for address in canary_addresses(LOGIN))
    assert await world.audience.batches_keep_status() is False


async def test_an_address_that_mailchimp_will_not_have_proves_nothing(world: World) -> None:
    world.sandbox.switches.set("refuse_fake_addresses", True)
    next(iter(world.sandbox.accounts.values())).owner.email = "info@example.com"
    assert await world.audience.batches_keep_status() is False


async def test_an_account_without_an_address_proves_nothing(world: World) -> None:
    next(iter(world.sandbox.accounts.values())).owner.email = ""
    assert await world.audience.batches_keep_status() is False
    assert not world.recorder.writes()


@pytest.mark.parametrize("nth", range(1, 10))
@pytest.mark.parametrize("fault", ["forbidden_html", "reset_after"])
async def test_not_now_is_not_no(world: World, fault: str, nth: int) -> None:
    """Bad luck at any step: an answer that is kept for ever must not come from it."""

    def meddle(request: HttpRequest) -> None:
        if len(world.recorder.requests) == nth + 1:
            world.sandbox.faults.add(fault, path="/lists/")

    world.recorder.meddle = meddle
    with pytest.raises(AudienceUnavailable):
        await world.audience.batches_keep_status()


async def test_an_audience_that_is_gone_is_told(world: World) -> None:
    world.sandbox.faults.add("audience_deleted")
    with pytest.raises(ConnectionBroken) as caught:
        await world.audience.batches_keep_status()
    assert caught.value.kind is BrokenKind.AUDIENCE_GONE


@pytest.mark.parametrize(
    ("login", "first"),
    [
        ("owner@club.example", "owner+lockstep-check@club.example"),
        ("Owner+us@Club.example ", "Owner+lockstep-check@Club.example"),
    ],
)
def test_addresses_reach_the_login_itself(login: str, first: str) -> None:
    addresses = list(canary_addresses(login))
    assert addresses[0] == first
    assert len(set(addresses)) == ADDRESSES


@pytest.mark.parametrize("login", ["", "owner", "@club.example", "owner@"])
def test_no_address_no_canary(login: str) -> None:
    assert not list(canary_addresses(login))
