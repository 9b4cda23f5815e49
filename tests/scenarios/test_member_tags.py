"""Tags of the book as real Mailchimp tags, from the book to the practice Mailchimp and back (S5, P2)."""

from __future__ import annotations

import pytest

from lockstep.apps.book.models import Client, Contact, Tag
from lockstep.apps.connections.services import TagSettings, save_member_tags
from lockstep.apps.sync.models import PlanRow, SyncEvent, SyncRun, WrittenTag
from lockstep.apps.sync.services import start_preview
from lockstep.core.member import SyncState
from lockstep.sandbox.tag import add_tag, remove_tag
from tests.factories import ClientFactory, ContactFactory, TagFactory
from tests.scenarios.world import SyncWorld

ON = TagSettings(on=True, prefix="CSKU: ", contacts=True, clients=True)


def email(number: int) -> str:
    return f"p{number}@kestrel.example.net"


@pytest.fixture
def book(world: SyncWorld) -> list[Contact]:
    """Eight contacts: all VIP, every other one Press too, all of a client that is Gold."""
    gold = TagFactory(company=world.company, kind=Tag.Kind.CLIENT, name="Gold")
    vip = TagFactory(company=world.company, name="VIP")
    press = TagFactory(company=world.company, name="Press")
    client = ClientFactory(company=world.company, tag_ids=[gold.pk])
    return [
        ContactFactory(
            client=client, email=email(n), tag_ids=sorted([vip.pk, press.pk] if n % 2 else [vip.pk])
        )
        for n in range(8)
    ]


def tags(world: SyncWorld, number: int) -> set[str]:
    """All tags of a member, seen from inside the practice Mailchimp."""
    member = world.audience.find(email(number))
    assert member is not None
    return {world.audience.tags.by_id[tag].name for tag, _ in member.tags}


def by_hand(world: SyncWorld, number: int, name: str, *, off: bool = False) -> None:
    """A marketer tags a member, or takes a tag off; no event and no `last_changed` tells of it."""
    sandbox, at = world.server.sandbox, world.server.sandbox.clock.second()
    member = world.audience.find(email(number))
    assert member is not None
    tag = world.audience.tag_named(name, sandbox.ids, at)
    if off:
        remove_tag(member, tag.id)
    else:
        add_tag(member, tag.id, at)


def switch(world: SyncWorld, settings: TagSettings) -> SyncRun:
    if world.connection.on:
        world.stop()
    save_member_tags(world.actor, world.connection, settings)
    return world.start()


def tag_calls(world: SyncWorld) -> list[str]:
    return [path for _, path, _ in world.writes() if "/segments/" in path or path.endswith("/tags")]


def test_off_by_default_nothing_of_tags_is_read_or_written(world: SyncWorld, book: list[Contact]) -> None:
    world.start()
    assert all(tags(world, n) == set() for n in range(8))
    assert not WrittenTag.objects.exists()
    assert not any("tags" in entry.path for entry in world.server.sandbox.log.entries())


def test_a_first_sync_brings_all_tags_in_its_one_batch_call(world: SyncWorld, book: list[Contact]) -> None:
    switch(world, ON)
    assert tags(world, 0) == {"CSKU: Gold", "CSKU: VIP"}
    assert tags(world, 1) == {"CSKU: Gold", "CSKU: Press", "CSKU: VIP"}
    assert world.states() == {SyncState.SYNCED: 8}
    assert tag_calls(world) == []
    world.check_counts()
    world.forget_requests()
    run = world.refresh()
    assert world.writes() == []
    assert run.unchanged == 8


def test_a_change_of_one_contact_is_one_call_for_the_fields_and_one_for_the_tags(
    world: SyncWorld, book: list[Contact]
) -> None:
    switch(world, ON)
    by_hand(world, 0, "CSKU: By hand")
    by_hand(world, 0, "Donors")
    world.forget_requests()
    Contact.objects.filter(pk=book[0].pk).update(tag_ids=[])
    world.work()
    assert tags(world, 0) == {"CSKU: Gold", "CSKU: By hand", "Donors"}
    assert [method for method, _, _ in world.writes()] == ["PATCH", "POST"]
    event = SyncEvent.objects.filter(contact_id=book[0].pk, kind=SyncEvent.Kind.TAGGED).get()
    assert event.text == "Tags taken off: CSKU: VIP."
    assert world.states() == {SyncState.SYNCED: 8}


RENAMING = {
    "renamed": lambda: Tag.objects.filter(name="VIP").update(name="Very important"),
    "deleted": lambda: Tag.objects.filter(name="VIP").delete(),
}


@pytest.mark.parametrize("how", RENAMING)
def test_a_tag_of_many_changes_in_few_calls(world: SyncWorld, book: list[Contact], how: str) -> None:
    switch(world, ON)
    world.forget_requests()
    RENAMING[how]()
    world.work()
    assert all("CSKU: VIP" not in tags(world, n) for n in range(8))
    assert all(("CSKU: Very important" in tags(world, n)) is (how == "renamed") for n in range(8))
    # one to take the old one off; the new one came along with the audience fields
    assert len(tag_calls(world)) == 1
    assert world.states() == {SyncState.SYNCED: 8}


def test_client_tags_reach_every_contact_of_the_client(world: SyncWorld, book: list[Contact]) -> None:
    switch(world, ON)
    silver = TagFactory(company=world.company, kind=Tag.Kind.CLIENT, name="Silver")
    Client.objects.filter(pk=book[0].client_id).update(tag_ids=[silver.pk])
    world.work()
    assert all("CSKU: Silver" in tags(world, n) and "CSKU: Gold" not in tags(world, n) for n in range(8))


def test_the_audit_finds_drift_in_our_tags_and_leaves_the_marketers(
    world: SyncWorld, book: list[Contact]
) -> None:
    switch(world, ON)
    by_hand(world, 2, "CSKU: VIP", off=True)
    by_hand(world, 3, "CSKU: By hand")
    run = world.refresh()
    assert "CSKU: VIP" in tags(world, 2)
    assert "CSKU: By hand" in tags(world, 3)
    assert (run.tagged, run.updated) == (1, 0)


def test_the_dry_run_counts_tags_and_writes_none(world: SyncWorld, book: list[Contact]) -> None:
    world.start()
    world.stop()
    world.start()
    world.stop()
    save_member_tags(world.actor, world.connection, ON)
    by_hand(world, 0, "csku: vip")
    start_preview(world.actor, world.connection)
    run = world.work()
    # Two tags each and one more for every other one, without the one that is there already.
    assert (run.plan["tags_added"], run.plan["tags_removed"]) == (8 * 2 + 4 - 1, 0)
    assert PlanRow.objects.filter(run=run, text__contains="Tags put on: CSKU: Gold.").count() == 1
    assert tags(world, 1) == set()
    assert tags(world, 0) == {"csku: vip"}


def test_only_tags_differ_and_only_tags_are_written(world: SyncWorld, book: list[Contact]) -> None:
    switch(world, ON)
    for number in range(8):
        by_hand(world, number, "CSKU: VIP", off=True)
    before = [world.member(email(n)) for n in range(8)]
    world.forget_requests()
    run = world.refresh()
    assert run.tagged == 8
    assert len(tag_calls(world)) == len(world.writes()) == 1
    assert [world.member(email(n))["status"] for n in range(8)] == [m["status"] for m in before]
    assert [world.member(email(n))["merge_fields"] for n in range(8)] == [m["merge_fields"] for m in before]


def test_one_who_is_gone_meanwhile_keeps_nobody_from_their_tags(
    world: SyncWorld, book: list[Contact]
) -> None:
    switch(world, ON)
    for number in range(8):
        by_hand(world, number, "CSKU: VIP", off=True)
    world.server.sandbox.faults.add("reset", path="/segments/", method="POST", nth=1)
    world.happen(email(2), "delete")
    Tag.objects.filter(name="VIP").update(name="Guest")
    world.work()
    assert all("CSKU: Guest" in tags(world, n) for n in range(8) if n != 2)
    assert email(2) not in world.emails()
    assert world.states() == {SyncState.SYNCED: 7, SyncState.ARCHIVED: 1}


@pytest.mark.parametrize("removal", [True, False])
def test_switched_off_ours_go_only_if_asked(world: SyncWorld, book: list[Contact], removal: bool) -> None:
    switch(world, ON)
    by_hand(world, 0, "CSKU: By hand")
    Contact.objects.filter(pk=book[1].pk).update(active=False)
    world.work()
    switch(world, TagSettings(on=False, prefix="CSKU: ", contacts=True, clients=True, removal=removal))
    left = set() if removal else {"CSKU: Gold", "CSKU: VIP"}
    assert tags(world, 0) == left | {"CSKU: By hand"}
    assert tags(world, 1) == (set() if removal else left | {"CSKU: Press"})
    assert WrittenTag.objects.exists() is not removal
    assert world.fields(email(0))["TAGS"] == "VIP"  # the audience field is another matter
    world.forget_requests()
    world.refresh()
    assert world.writes() == []


def test_leaving_keeps_the_tags_and_stop_does(world: SyncWorld, book: list[Contact]) -> None:
    switch(world, ON)
    Contact.objects.filter(pk=book[0].pk).update(no_marketing=True)
    world.work()
    assert tags(world, 0) == {"CSKU: Gold", "CSKU: VIP"}
    world.stop()
    assert tags(world, 1) == {"CSKU: Gold", "CSKU: Press", "CSKU: VIP"}
    assert world.fields(email(1))["SYNC"] == "Inactive"


def test_another_winner_of_an_address_brings_its_own_tags(world: SyncWorld, book: list[Contact]) -> None:
    switch(world, ON)
    ContactFactory(client=book[0].client, email=email(0).upper(), tag_ids=[])
    world.work()
    assert tags(world, 0) == {"CSKU: Gold"}


def test_a_renamed_member_keeps_its_tags(world: SyncWorld, book: list[Contact]) -> None:
    switch(world, ON)
    world.refresh()
    Contact.objects.filter(pk=book[0].pk).update(email=email(99))
    world.work()
    assert tags(world, 99) == {"CSKU: Gold", "CSKU: VIP"}
    Contact.objects.filter(pk=book[0].pk).update(tag_ids=[])
    world.work()
    assert tags(world, 99) == {"CSKU: Gold"}
