"""What the set-up pages ask for: account, audiences, fields, segments."""

from __future__ import annotations

import pytest
from tests.bridge.recorder import body_of
from tests.bridge.world import FIELD_MAP, World

from lockstep.bridge import (
    RequiredField,
    SetupRefused,
    audience_facts,
    check_credentials,
    ensure_fields,
    inspect_fields,
    list_audiences,
    make_optional,
    required_fields,
)
from lockstep.core.errors import AudienceUnavailable, BrokenKind, ConnectionBroken
from lockstep.core.field_map import FieldMap
from lockstep.sandbox.audience import Audience

OTHER = FieldMap("ACME")
"""A field map whose fields are not in the audience yet."""


def inside(audience: Audience) -> dict[str, tuple[str, str, bool, bool]]:
    return {f.tag: (f.name, f.type, f.required, f.public) for f in audience.merge_fields.values()}


# --- the account --------------------------------------------------------------------------------


async def test_who_a_key_belongs_to(world: World) -> None:
    facts = await check_credentials(world.api)
    account = next(iter(world.sandbox.accounts.values()))
    assert facts.account_id == account.id
    assert facts.account_name == "Example Club"
    assert facts.login_email == account.owner.email
    assert facts.role == "owner"
    assert facts.plan == "monthly"
    assert facts.may_write


@pytest.mark.parametrize(
    ("role", "may_write"),
    [("owner", True), ("admin", True), ("manager", True), ("author", False), ("viewer", False), ("", True)],
)
async def test_a_role_too_small_shows_before_the_first_write(
    world: World, role: str, may_write: bool
) -> None:
    next(iter(world.sandbox.accounts.values())).owner.role = role
    assert (await check_credentials(world.api)).may_write is may_write


async def test_a_revoked_key(world: World) -> None:
    world.sandbox.faults.add("key_revoked")
    with pytest.raises(ConnectionBroken) as caught:
        await check_credentials(world.api)
    assert caught.value.kind is BrokenKind.KEY_REVOKED


async def test_all_audiences_beyond_the_first_ten(world: World) -> None:
    account = next(iter(world.sandbox.accounts.values()))
    for number in range(14):
        world.sandbox.add_audience(account, f"Audience {number}")
    found = await list_audiences(world.api)
    assert {facts.list_id for facts in found} == set(account.audiences)


async def test_the_facts_for_the_pre_flight(world: World) -> None:
    world.mailchimp.settings["double_optin"] = True
    world.mailchimp.set_marketing_permissions(True, world.sandbox.ids)
    world.happen("pat@club.example", "unsubscribe")
    world.happen("kim@club.example", "archive")
    facts = await audience_facts(world.api, world.list_id)
    assert facts.name == "Members"
    assert facts.double_opt_in
    assert facts.marketing_permissions
    assert (facts.subscribed, facts.unsubscribed, facts.total_contacts) == (3, 1, 5)
    assert facts.signup_url.startswith("http")
    assert facts.fields == len(world.mailchimp.merge_fields)


async def test_an_audience_that_is_gone(world: World) -> None:
    with pytest.raises(ConnectionBroken) as caught:
        await audience_facts(world.api, "nosuchlist")
    assert caught.value.kind is BrokenKind.AUDIENCE_GONE


async def test_a_mailchimp_that_is_away(world: World) -> None:
    world.sandbox.faults.add("forbidden_html")
    with pytest.raises(AudienceUnavailable):
        await list_audiences(world.api)


# --- our fields ---------------------------------------------------------------------------------


async def test_a_look_at_the_fields_changes_nothing(world: World) -> None:
    before = inside(world.mailchimp)
    report = await inspect_fields(world.api, world.list_id, OTHER)
    assert report.missing == OTHER.tags
    assert not report.ready
    assert report.used == len(before) + 1
    assert report.room is None, "Mailchimp tells the limit when a field is made, and not before"
    assert inside(world.mailchimp) == before
    assert not world.recorder.writes()


async def test_fields_are_made_once_as_text_not_required_not_public() -> None:
    from tests.bridge.world import make_world

    async with make_world() as world:
        made = inside(world.mailchimp)
        for tag, label in zip(FIELD_MAP.tags, FIELD_MAP.labels, strict=True):
            assert made[tag] == (label, "text", False, False)
        again = await ensure_fields(world.api, world.list_id, FIELD_MAP)
        assert again.ready
        assert not again.created
        assert not again.reset
        assert not world.recorder.writes()


async def test_labels_and_marks_of_ours_are_set_back_and_nobody_else_s(world: World) -> None:
    ours = world.mailchimp.merge_field("CSKU_FNAME")
    theirs = world.mailchimp.merge_field("FNAME")
    assert ours is not None
    assert theirs is not None
    ours.name, ours.required, ours.public = "Vorname", True, True
    theirs.name, theirs.required = "Vorname", True
    report = await ensure_fields(world.api, world.list_id, FIELD_MAP)
    assert report.reset == ("CSKU_FNAME",)
    assert inside(world.mailchimp)["CSKU_FNAME"] == ("CSKU First Name", "text", False, False)
    assert inside(world.mailchimp)["FNAME"][0] == "Vorname"
    assert len(world.recorder.writes()) == 1


async def test_a_field_of_another_type_is_reported_and_left_alone(world: World) -> None:
    """A type can never be changed (contract 3.1), and a number takes no text."""
    world.mailchimp.add_merge_field(tag="ACME_EMAIL", name="Something", type="number")
    report = await ensure_fields(world.api, world.list_id, OTHER)
    assert report.wrong_type == (("ACME_EMAIL", "number"),)
    assert not report.ready
    assert inside(world.mailchimp)["ACME_EMAIL"][0] == "Something"


async def test_too_little_room_is_known_after_the_first_field(world: World) -> None:
    used = len(world.mailchimp.merge_fields) + 1
    report = await ensure_fields(world.api, world.list_id, OTHER)
    assert report.limit == 30
    assert report.created == OTHER.tags[:1], "no half-made set of fields beyond the one that told the limit"
    assert report.used == used + 1
    assert report.room == 30 - used - 1
    with pytest.raises(ConnectionBroken) as caught:
        report.require_room()
    assert caught.value.kind is BrokenKind.FIELDS_LIMIT


async def test_a_refusal_stops_the_making_and_is_told_in_mailchimp_s_words(world: World) -> None:
    world.sandbox.switches.set("merge_field_limit", len(world.mailchimp.merge_fields) + 1)
    report = await ensure_fields(world.api, world.list_id, OTHER)
    assert not report.created
    assert "limit" in report.refused
    assert report.missing == OTHER.tags
    assert len(world.recorder.writes()) == 1


async def test_a_field_whose_making_was_not_confirmed_is_looked_for_before_it_is_made_again(
    world: World,
) -> None:
    world.sandbox.switches.set("merge_field_limit", 80)
    world.sandbox.faults.add("reset_after", method="POST", nth=3)
    report = await ensure_fields(world.api, world.list_id, OTHER)
    assert report.ready
    assert report.created == OTHER.tags
    tags = [body_of(request)["tag"] for request in world.recorder.sent("POST")]
    assert tags == list(OTHER.tags)


async def test_a_field_that_was_answered_well_and_not_made(world: World) -> None:
    """Trap 46."""
    world.sandbox.switches.set("merge_field_limit", 80)
    made = world.mailchimp.add_merge_field

    def silent(**attributes: object) -> object:
        field = made(**attributes)
        if field.tag == "ACME_TAGS":
            world.mailchimp.remove_merge_field(field)
        return field

    world.mailchimp.add_merge_field = silent  # type: ignore[method-assign, assignment]
    report = await ensure_fields(world.api, world.list_id, OTHER)
    assert report.missing == ("ACME_TAGS",)
    assert "ACME_TAGS" not in report.created
    assert not report.ready


# --- fields of others ---------------------------------------------------------------------------


async def test_required_fields_of_others_are_named(world: World) -> None:
    world.mailchimp.add_merge_field(tag="SHIRT", name="Shirt size", type="dropdown", required=True)
    assert await required_fields(world.api, world.list_id, FIELD_MAP) == (
        RequiredField("SHIRT", "Shirt size", "dropdown"),
    )


async def test_only_what_a_person_named_becomes_optional(world: World) -> None:
    world.mailchimp.add_merge_field(tag="SHIRT", name="Shirt", type="text", required=True, public=True)
    world.mailchimp.add_merge_field(tag="SHOE", name="Shoe", type="text", required=True)
    assert await make_optional(world.api, world.list_id, ["SHIRT", "FNAME"]) == ("SHIRT",)
    [request] = world.recorder.writes()
    assert body_of(request) == {"name": "Shirt", "required": False}
    assert inside(world.mailchimp)["SHIRT"] == ("Shirt", "text", False, True)
    assert inside(world.mailchimp)["SHOE"][2] is True


async def test_a_refusal_of_the_set_up_is_told(world: World) -> None:
    world.mailchimp.add_merge_field(tag="SHIRT", name="", type="text", required=True)
    world.recorder.inner, inner = _refusing(world), world.recorder.inner
    try:
        with pytest.raises(SetupRefused) as caught:
            await make_optional(world.api, world.list_id, ["SHIRT"])
    finally:
        world.recorder.inner = inner
    assert caught.value.raw
    assert caught.value.field == "name"


def _refusing(world: World):  # type: ignore[no-untyped-def]
    """Mailchimp refuses every PATCH."""
    from tests.mailchimp.scripted import ok

    from lockstep.mailchimp.exchange import HttpReply

    inner = world.recorder.inner

    class Refusing:
        async def send(self, request):  # type: ignore[no-untyped-def]
            if request.method == "PATCH":
                problem = {"title": "Invalid Resource", "status": 400, "detail": "No."}
                return ok({**problem, "errors": [{"field": "name", "message": "Give a name."}]}, 400)
            reply: HttpReply = await inner.send(request)
            return reply

        async def close(self) -> None: ...

    return Refusing()
