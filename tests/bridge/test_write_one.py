"""Single calls: the state table of contract 4.4 and 4.6, seen through outcomes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.bridge.recorder import body_of, query_of
from tests.bridge.world import World, add, hash_of, release, rename, update, values_of

from lockstep.core.consent import NewStatus
from lockstep.core.errors import AudienceUnavailable, BrokenKind, ConnectionBroken
from lockstep.core.member import MemberStatus
from lockstep.core.outcome import Applied, Lost, Outcome, RefusalKind, Refused, Stale

PAT = "pat@club.example"
NEW = "new@new.example"

Bring = Callable[[World], None]
STATES: dict[str, tuple[tuple[str, ...], MemberStatus]] = {
    "subscribed": ((), MemberStatus.SUBSCRIBED),
    "unsubscribed by the person": (("unsubscribe",), MemberStatus.UNSUBSCRIBED),
    "unsubscribed by an admin": (("admin_unsubscribe",), MemberStatus.UNSUBSCRIBED),
    "cleaned": (("bounce",), MemberStatus.CLEANED),
    "archived": (("archive",), MemberStatus.ARCHIVED),
    "unsubscribed, then archived": (("unsubscribe", "archive"), MemberStatus.ARCHIVED),
}


def bring(world: World, state: str) -> MemberStatus:
    happenings, status = STATES[state]
    for what in happenings:
        world.happen(PAT, what)
    return status


@pytest.mark.parametrize("status", list(NewStatus))
async def test_somebody_new_gets_the_chosen_status(world: World, status: NewStatus) -> None:
    outcome = await world.audience.write_one(add("New@New.example", status=status))
    assert isinstance(outcome, Applied)
    assert outcome.created
    assert outcome.member.status.value == status.value
    assert outcome.member.email == "New@New.example"
    assert outcome.member.hash == hash_of(NEW)
    assert outcome.member.contact_key
    [request] = world.recorder.writes()
    assert request.method == "PUT"
    assert request.url.partition("?")[0].endswith(f"/members/{hash_of(NEW)}")
    assert query_of(request) == {"skip_merge_validation": "true"}
    body = body_of(request)
    assert set(body) == {"email_address", "status_if_new", "merge_fields"}
    assert set(body["merge_fields"]) == set(world.field_map.tags)


@pytest.mark.parametrize("state", STATES)
async def test_an_add_never_changes_the_status_of_somebody_who_is_there(world: World, state: str) -> None:
    status = bring(world, state)
    outcome = await world.audience.write_one(add(PAT))
    assert isinstance(outcome, Applied)
    assert outcome.member.status is status
    assert world.inside(PAT)["status"] == status.value


@pytest.mark.parametrize("state", [s for s in STATES if "archived" not in s])
async def test_an_update_says_only_what_differs(world: World, state: str) -> None:
    status = bring(world, state)
    before = (await world.member(PAT)).values
    world.recorder.clear()
    outcome = await world.audience.write_one(update(PAT, values_of(first_name="Pat"), before, status))
    assert isinstance(outcome, Applied)
    assert not outcome.created
    assert outcome.member.status is status
    [request] = world.recorder.requests
    assert request.method == "PATCH"
    assert body_of(request) == {"merge_fields": {"CSKU_FNAME": "Pat", "CSKU_SYNC": "Active"}}
    assert world.inside(PAT)["merge_fields"]["FNAME"] == "Pat", "fields of others stay as they were"


async def test_a_release_empties_the_urls_and_nothing_else(world: World) -> None:
    await world.put(NEW, values=values_of(first_name="Pat", contact_url="c", client_url="d"))
    world.recorder.clear()
    outcome = await world.audience.write_one(release(await world.member(NEW)))
    assert isinstance(outcome, Applied)
    [request] = world.recorder.writes()
    assert body_of(request) == {"merge_fields": {"CSKU_URL": "", "CSKU_CURL": "", "CSKU_SYNC": "Inactive"}}
    assert (await world.member(NEW)).values == values_of(first_name="Pat", sync_status="Inactive")


async def test_an_update_of_somebody_gone_is_stale_and_creates_nobody(world: World) -> None:
    outcome = await world.audience.write_one(update("gone@club.example", values_of()))
    assert isinstance(outcome, Stale)
    assert "gone@club.example" not in world.people()


async def test_an_update_of_somebody_archived_meanwhile_is_stale(world: World) -> None:
    world.happen(PAT, "archive")
    outcome = await world.audience.write_one(update(PAT, values_of(first_name="Pat")))
    assert isinstance(outcome, Stale)


async def test_a_refused_value_is_not_taken_for_a_stale_plan(world: World) -> None:
    outcome = await world.audience.write_one(update(PAT, values_of(position="x" * 300)))
    assert isinstance(outcome, Refused)
    assert outcome.refusal.kind is RefusalKind.MERGE_FIELDS
    assert outcome.refusal.field == "CSKU_POS"


async def test_texts_in_another_language_change_nothing(world: World) -> None:
    world.sandbox.switches.set("translate", True)
    world.mailchimp.settings["campaign_defaults"]["language"] = "de"
    world.happen(PAT, "edit", merges={"ADDRESS": {"addr1": "1 High St"}})
    outcome = await world.audience.write_one(update(PAT, values_of(first_name="Pat")))
    assert isinstance(outcome, Refused)
    assert outcome.refusal.kind is RefusalKind.REQUIRED_FIELD
    assert outcome.refusal.field == "ADDRESS"


# --- renames (contract 4.6) ---------------------------------------------------------------------


async def test_a_rename_keeps_the_person(world: World) -> None:
    before = await world.member(PAT)
    world.recorder.clear()
    change = rename(PAT, "Patricia@Club.example", values_of(email="Patricia@Club.example"), before.values)
    outcome = await world.audience.write_one(change)
    assert isinstance(outcome, Applied)
    assert outcome.member.hash == hash_of("patricia@club.example")
    assert outcome.member.contact_key == before.contact_key
    [request] = world.recorder.requests
    assert request.method == "PATCH"
    assert request.url.partition("?")[0].endswith(f"/members/{hash_of(PAT)}")
    assert body_of(request) == {
        "email_address": "Patricia@Club.example",
        "merge_fields": {"CSKU_EMAIL": "Patricia@Club.example", "CSKU_SYNC": "Active"},
    }


@pytest.mark.parametrize("state", [s for s in STATES if s != "subscribed"])
async def test_only_subscribed_members_can_be_renamed(world: World, state: str) -> None:
    status = bring(world, state)
    outcome = await world.audience.write_one(rename(PAT, NEW, values_of()))
    assert isinstance(outcome, Stale)
    assert world.inside(PAT)["status"] == status.value
    assert NEW not in world.people()


@pytest.mark.parametrize("what", [None, "unsubscribe", "archive"])
async def test_a_taken_address_is_stale_whoever_has_it(world: World, what: str | None) -> None:
    if what:
        world.happen("kim@club.example", what)
    outcome = await world.audience.write_one(rename(PAT, "kim@club.example", values_of()))
    assert isinstance(outcome, Stale)
    assert world.inside(PAT)["status"] == "subscribed"


async def test_a_rename_of_somebody_gone_is_stale(world: World) -> None:
    outcome = await world.audience.write_one(rename("gone@club.example", NEW, values_of()))
    assert isinstance(outcome, Stale)


async def test_an_address_that_mailchimp_will_not_have_is_refused_not_stale(world: World) -> None:
    world.happen("kim@club.example", "delete")
    forgotten = await world.audience.write_one(rename(PAT, "kim@club.example", values_of()))
    invalid = await world.audience.write_one(rename(PAT, "no address", values_of()))
    assert isinstance(forgotten, Refused)
    assert forgotten.refusal.kind is RefusalKind.FORGOTTEN
    assert isinstance(invalid, Refused)
    assert invalid.refusal.kind is RefusalKind.INVALID_ADDRESS


# --- refusals -----------------------------------------------------------------------------------


async def _forgotten(world: World) -> Outcome:
    world.happen("kim@club.example", "delete")
    return await world.audience.write_one(add("kim@club.example"))


async def _barred(world: World) -> Outcome:
    world.happen(NEW, "bar")
    return await world.audience.write_one(add(NEW))


async def _many(world: World) -> Outcome:
    world.happen(NEW, "too_many_signups")
    return await world.audience.write_one(add(NEW))


async def _fake(world: World) -> Outcome:
    world.sandbox.switches.set("refuse_fake_addresses", True)
    return await world.audience.write_one(add("info@example.com"))


async def _full(world: World) -> Outcome:
    world.sandbox.faults.add("plan_limit")
    return await world.audience.write_one(add(NEW))


@pytest.mark.parametrize(
    ("refused", "kind"),
    [
        (_forgotten, RefusalKind.FORGOTTEN),
        (_barred, RefusalKind.COMPLIANCE),
        (_many, RefusalKind.TOO_MANY_SIGNUPS),
        (_fake, RefusalKind.FAKE_ADDRESS),
        (_full, RefusalKind.OVER_PLAN),
    ],
)
async def test_each_refusal_has_its_kind_and_mailchimp_s_words(
    world: World, refused: Callable[[World], object], kind: RefusalKind
) -> None:
    outcome = await refused(world)  # type: ignore[misc]
    assert isinstance(outcome, Refused)
    assert outcome.refusal.kind is kind
    assert outcome.refusal.text
    assert outcome.refusal.digest == outcome.change.digest


# --- bad luck -----------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["reset_after", "truncated", "internal_error", "unavailable"])
@pytest.mark.parametrize(
    "change", [add(NEW), update(PAT, values_of(first_name="Pat")), rename(PAT, NEW, values_of())], ids=repr
)
async def test_an_answer_that_never_came_is_lost(world: World, fault: str, change: object) -> None:
    world.sandbox.faults.add(fault, path="/members/")
    outcome = await world.audience.write_one(change)  # type: ignore[arg-type]
    assert outcome == Lost(change)  # type: ignore[arg-type]


async def test_a_rename_whose_answer_was_lost_is_not_sent_twice(world: World) -> None:
    world.sandbox.faults.add("reset_after", path="/members/", times=1)
    outcome = await world.audience.write_one(rename(PAT, NEW, values_of()))
    assert isinstance(outcome, Lost)
    assert len(world.recorder.writes()) == 1


@pytest.mark.parametrize("fault", ["too_many_requests", "forbidden_html"])
async def test_turned_away_at_the_door_is_unavailable(world: World, fault: str) -> None:
    world.sandbox.faults.add(fault)
    with pytest.raises(AudienceUnavailable):
        await world.audience.write_one(add(NEW))


@pytest.mark.parametrize("change", [add(NEW), update(PAT, values_of(first_name="P"))], ids=repr)
async def test_a_404_of_the_audience_is_not_the_member_s(world: World, change: object) -> None:
    world.sandbox.faults.add("audience_deleted")
    with pytest.raises(ConnectionBroken) as caught:
        await world.audience.write_one(change)  # type: ignore[arg-type]
    assert caught.value.kind is BrokenKind.AUDIENCE_GONE


# --- strays -------------------------------------------------------------------------------------


async def test_a_stray_who_came_back_is_not_archived(world: World) -> None:
    """Between the batch and the archiving the person signed up: theirs is the last word."""
    await world.put(NEW, NewStatus.UNSUBSCRIBED)
    world.happen(NEW, "sign_up")
    await world.audience.archive_stray(hash_of(NEW))
    assert world.inside(NEW)["status"] == "subscribed"


async def test_archiving_a_stray_twice_or_one_who_is_gone_is_fine(world: World) -> None:
    await world.put(NEW, NewStatus.UNSUBSCRIBED)
    await world.audience.archive_stray(hash_of(NEW))
    await world.audience.archive_stray(hash_of(NEW))
    await world.audience.archive_stray(hash_of("nobody@new.example"))
    assert world.inside(NEW)["status"] == "archived"


async def test_a_stray_that_could_not_be_archived_says_so(world: World) -> None:
    await world.put(NEW, NewStatus.UNSUBSCRIBED)
    world.sandbox.faults.add("reset", method="DELETE")
    with pytest.raises(AudienceUnavailable):
        await world.audience.archive_stray(hash_of(NEW))
