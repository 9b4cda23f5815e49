"""Calls with several members: what they say, what becomes of each, and who is never touched."""

from __future__ import annotations

import pytest
from tests.bridge.recorder import body_of, query_of
from tests.bridge.world import World, add, hash_of, release, update, values_of

from lockstep.core.consent import NewStatus
from lockstep.core.errors import AnswerLost, AudienceUnavailable, BatchRefused, BrokenKind, ConnectionBroken
from lockstep.core.member import MemberStatus
from lockstep.core.outcome import Applied, RefusalKind, Refused
from lockstep.mailchimp.throttle import Lane


async def test_what_an_added_member_is_sent_as(world: World) -> None:
    await world.audience.write_batch([add("New@Club.example", status=NewStatus.PENDING)])
    [request] = world.recorder.writes()
    assert request.method == "POST"
    assert query_of(request) == {"skip_merge_validation": "true"}
    values = values_of(email="New@Club.example", first_name="Pat")
    assert body_of(request) == {
        "members": [
            {
                "email_address": "New@Club.example",
                "status_if_new": "pending",
                "merge_fields": dict(zip(world.field_map.tags, values, strict=True)),
            }
        ],
        "update_existing": True,
        "sync_tags": False,
    }


async def test_updates_and_releases_say_only_what_differs_and_would_create_nobody_to_be_mailed(
    world: World,
) -> None:
    member = await world.put("Pat@New.example", values=values_of(first_name="Pat", contact_url="u"))
    world.recorder.clear()
    changed = values_of(first_name="Patricia", contact_url="u")
    await world.audience.write_batch([update(member.email, changed, member.values)])
    await world.audience.write_batch([release(await world.member(member.email))])
    first, second = (body["members"] for body in world.recorder.bodies("POST"))
    assert first == [
        {
            "email_address": "Pat@New.example",
            "status_if_new": "unsubscribed",
            "merge_fields": {"CSKU_FNAME": "Patricia"},
        }
    ]
    assert second == [
        {
            "email_address": "Pat@New.example",
            "status_if_new": "unsubscribed",
            "merge_fields": {"CSKU_URL": "", "CSKU_SYNC": "Inactive"},
        }
    ]


@pytest.mark.parametrize(
    ("what", "status"),
    [
        ("unsubscribe", MemberStatus.UNSUBSCRIBED),
        ("complain", MemberStatus.UNSUBSCRIBED),
        ("admin_unsubscribe", MemberStatus.UNSUBSCRIBED),
        ("bounce", MemberStatus.CLEANED),
        ("archive", MemberStatus.ARCHIVED),
    ],
)
async def test_nobody_comes_back_because_a_batch_took_them_for_new(
    world: World, what: str, status: MemberStatus
) -> None:
    """The race of P1: the person left after the audience was read, before the call arrived."""
    world.happen("pat@club.example", what)
    [outcome] = await world.audience.write_batch([add("pat@club.example")])
    assert isinstance(outcome, Applied)
    assert not outcome.created
    assert outcome.member.status is status
    assert world.inside("pat@club.example")["status"] == status.value
    assert world.inside("pat@club.example")["merge_fields"]["CSKU_FNAME"] == "Pat"


async def test_outcomes_in_order_and_each_for_itself(world: World) -> None:
    world.happen("kim@club.example", "delete")
    world.mailchimp.too_recent.add(hash_of("many@new.example"))
    changes = [
        add("first@new.example", contact=1),
        add("kim@club.example", contact=2),
        add("no address", contact=3),
        update("pat@club.example", values_of(first_name="Pat"), contact=4),
        add("many@new.example", contact=5),
    ]
    outcomes = await world.audience.write_batch(changes)
    assert [outcome.change for outcome in outcomes] == changes
    created, forgotten, invalid, updated, many = outcomes
    assert isinstance(created, Applied)
    assert created.created
    assert created.member.values == changes[0].values
    assert isinstance(updated, Applied)
    assert not updated.created
    assert updated.member.status is MemberStatus.SUBSCRIBED
    for outcome, kind in (
        (forgotten, RefusalKind.FORGOTTEN),
        (invalid, RefusalKind.INVALID_ADDRESS),
        (many, RefusalKind.TOO_MANY_SIGNUPS),
    ):
        assert isinstance(outcome, Refused)
        assert outcome.refusal.kind is kind
        assert outcome.refusal.text
        assert outcome.refusal.digest == outcome.change.digest
        assert outcome.refusal.key == outcome.change.key


async def test_required_fields_of_others_do_not_refuse_ours(world: World) -> None:
    """P3: whoever fits is in the audience. The page names the required fields beforehand (C2)."""
    world.mailchimp.add_merge_field(tag="SHIRT", name="Shirt", type="text", required=True)
    [outcome] = await world.audience.write_batch([add("new@new.example")])
    assert isinstance(outcome, Applied)


async def test_an_incomplete_address_stored_by_others_is_named(world: World) -> None:
    world.happen("pat@club.example", "edit", merges={"ADDRESS": {"addr1": "1 High St"}})
    [outcome] = await world.audience.write_batch([update("pat@club.example", values_of(first_name="Pat"))])
    assert isinstance(outcome, Refused)
    assert outcome.refusal.kind is RefusalKind.REQUIRED_FIELD
    assert outcome.refusal.field == "ADDRESS"


async def test_a_yes_that_stored_nothing_is_no_success(world: World) -> None:
    """Trap 6: 200, but not updated."""
    world.sandbox.switches.set("stored_address", "ignore")
    world.happen("pat@club.example", "edit", merges={"ADDRESS": {"addr1": "1 High St"}})
    [outcome] = await world.audience.write_batch([update("pat@club.example", values_of(first_name="Pat"))])
    assert isinstance(outcome, Refused)
    assert outcome.refusal.kind is RefusalKind.MERGE_FIELDS
    assert outcome.refusal.field == "CSKU_FNAME"


async def test_a_field_deleted_at_mailchimp_shows(world: World) -> None:
    """Trap 11: values for unknown tags vanish without a word."""
    field = world.mailchimp.merge_field("CSKU_FNAME")
    assert field is not None
    world.mailchimp.remove_merge_field(field)
    [outcome] = await world.audience.write_batch([add("new@new.example")])
    assert isinstance(outcome, Refused)
    assert outcome.refusal.field == "CSKU_FNAME"


async def test_a_value_that_mailchimp_cuts_shows(world: World) -> None:
    world.sandbox.switches.set("long_text", "truncate")
    [outcome] = await world.audience.write_batch([add("new@new.example", values_of(position="x" * 300))])
    assert isinstance(outcome, Refused)
    assert outcome.refusal.field == "CSKU_POS"


async def test_a_full_plan_refuses_new_people_only(world: World) -> None:
    world.sandbox.faults.add("plan_limit")
    new, old = await world.audience.write_batch(
        [add("new@new.example"), update("pat@club.example", values_of(first_name="Pat"))]
    )
    assert isinstance(new, Refused)
    assert new.refusal.kind is RefusalKind.OVER_PLAN
    assert isinstance(old, Applied)


async def test_a_vanished_member_is_made_unsubscribed_and_told_as_created(world: World) -> None:
    outcome, _ = await world.audience.write_batch(
        [update("gone@club.example", values_of(first_name="G")), add("new@new.example")]
    )
    assert isinstance(outcome, Applied)
    assert outcome.created
    assert outcome.member.status is MemberStatus.UNSUBSCRIBED
    await world.audience.archive_stray(outcome.member.hash)
    assert world.inside("gone@club.example")["status"] == "archived"


async def test_no_changes_no_call(world: World) -> None:
    assert await world.audience.write_batch([]) == []
    assert not world.recorder.requests


async def test_a_batch_refused_as_a_whole(world: World) -> None:
    world.sandbox.switches.set("batch_validator", "status_required")
    with pytest.raises(BatchRefused) as caught:
        await world.audience.write_batch([add("new@new.example")])
    assert "status" in caught.value.raw
    assert "new@new.example" not in world.people()


@pytest.mark.parametrize("fault", ["reset_after", "truncated"])
async def test_a_lost_answer_is_not_repeated(world: World, fault: str) -> None:
    world.sandbox.faults.add(fault, method="POST")
    with pytest.raises(AnswerLost):
        await world.audience.write_batch([add("new@new.example")])
    assert len(world.recorder.writes()) == 1
    assert "new@new.example" in world.people()


@pytest.mark.parametrize(
    "fault",
    ["too_many_requests", "too_many_requests_plain", "forbidden_html", "unavailable", "internal_error"],
)
async def test_a_passing_fault_costs_a_pause_and_nothing_else(world: World, fault: str) -> None:
    world.sandbox.faults.add(fault, method="POST", times=2)
    [outcome] = await world.audience.write_batch([add("new@new.example")])
    assert isinstance(outcome, Applied)
    assert len(world.clock.slept) == 2


@pytest.mark.parametrize("fault", ["too_many_requests", "too_many_requests_plain", "forbidden_html"])
async def test_a_lasting_fault_before_the_work_means_nothing_was_sent(world: World, fault: str) -> None:
    world.sandbox.faults.add(fault, method="POST")
    with pytest.raises(AudienceUnavailable) as caught:
        await world.audience.write_batch([add("new@new.example")])
    assert caught.value.retry_after > 0
    assert sum(world.clock.slept) < 30, "Stop is obeyed within seconds"


@pytest.mark.parametrize("fault", ["internal_error", "unavailable"])
async def test_a_lasting_5xx_leaves_open_whether_it_happened(world: World, fault: str) -> None:
    world.sandbox.faults.add(fault, method="POST")
    with pytest.raises(AnswerLost):
        await world.audience.write_batch([add("new@new.example")])


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ("key_revoked", BrokenKind.KEY_REVOKED),
        ("user_disabled", BrokenKind.USER_DISABLED),
        ("audience_deleted", BrokenKind.AUDIENCE_GONE),
    ],
)
async def test_what_only_a_person_can_mend_pauses(world: World, fault: str, kind: BrokenKind) -> None:
    world.sandbox.faults.add(fault)
    with pytest.raises(ConnectionBroken) as caught:
        await world.audience.write_batch([add("new@new.example")])
    assert caught.value.kind is kind
    assert caught.value.raw
    assert len(world.recorder.requests) == 1


async def test_a_role_too_low_pauses(world: World) -> None:
    next(iter(world.sandbox.accounts.values())).owner.role = "viewer"
    with pytest.raises(ConnectionBroken) as caught:
        await world.audience.write_batch([add("new@new.example")])
    assert caught.value.kind is BrokenKind.ROLE_TOO_LOW


async def test_urgent_changes_go_in_the_urgent_lane(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    lanes: list[Lane] = []
    passing = world.api._gate.passing
    monkeypatch.setattr(world.api._gate, "passing", lambda lane: (lanes.append(lane), passing(lane))[1])
    await world.audience.write_batch([add("a@new.example")])
    await world.audience.write_batch([add("b@new.example")], urgent=True)
    await world.audience.write_one(add("c@new.example"), urgent=True)
    assert lanes == [Lane.BULK, Lane.URGENT, Lane.URGENT]
