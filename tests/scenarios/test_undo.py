"""Undo of a run: our fields as they were, whom it added archived where that was said, nobody's edit lost."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from lockstep.apps.book.models import Contact
from lockstep.apps.sync import services
from lockstep.apps.sync.models import PlanRow, SyncEvent, SyncRun
from lockstep.apps.sync.services import SyncRefused
from lockstep.bridge.audience import MailchimpAudience
from tests.factories import ClientFactory, ContactFactory
from tests.scenarios.world import SyncWorld


def undo(world: SyncWorld, run: SyncRun) -> SyncRun:
    services.undo_run(world.actor, run)
    return world.work()


def confirm(world: SyncWorld, run: SyncRun, *, archive: bool = False) -> SyncRun:
    services.confirm_guards(world.actor, run, archive_added=archive)
    return world.work()


def steps(run: SyncRun) -> dict[str, int]:
    found: dict[str, int] = {}
    for step in PlanRow.objects.filter(run=run).values_list("step", flat=True):
        found[step] = found.get(step, 0) + 1
    return found


def filled(member: dict[str, Any]) -> dict[str, str]:
    """Merge fields that hold something: an audience field that exists shows as '' where there was none."""
    return {tag: value for tag, value in member["merge_fields"].items() if value}


@pytest.fixture
def story(world: SyncWorld) -> tuple[SyncRun, dict[str, Contact], dict[str, dict[str, Any]]]:
    """One was in the audience with fields of a former life, two are added; then the sync is stopped."""
    client = ClientFactory(company=world.company)
    contacts = {
        name: ContactFactory(client=client, email=f"{name}@kestrel.example.net", position="Buyer")
        for name in ("there", "new", "left")
    }
    world.happen(contacts["there"].email, "sign_up")
    before = {"there": world.member(contacts["there"].email)}
    run = world.start()
    world.happen(contacts["left"].email, "unsubscribe")
    world.stop()
    return run, contacts, before


def test_fields_go_back_and_whom_the_run_added_is_archived(
    world: SyncWorld, story: tuple[SyncRun, dict[str, Contact], dict[str, dict[str, Any]]]
) -> None:
    run, contacts, before = story
    world.forget_requests()
    waiting = undo(world, run)
    assert waiting.state == SyncRun.State.WAITING
    assert world.writes() == []
    assert steps(waiting) == {"put_back": 1, "to_archive": 1, "left": 1}

    done = confirm(world, waiting, archive=True)

    assert done.state == SyncRun.State.FINISHED
    assert (done.updated, done.archived, done.unchanged, done.done, done.total) == (1, 1, 1, 3, 3)
    there = world.member(contacts["there"].email)
    assert filled(there) == filled(before["there"])
    assert there["status"] == "subscribed"
    assert world.member(contacts["new"].email)["status"] == "archived"
    assert world.member(contacts["left"].email)["status"] == "unsubscribed"
    kinds = SyncEvent.objects.filter(run=done).values_list("contact_id", "kind")
    assert set(kinds) == {(contacts["there"].pk, "restored"), (contacts["new"].pk, "archived")}

    world.forget_requests()
    again = undo(world, run)
    assert (again.state, again.unchanged, world.writes()) == (SyncRun.State.FINISHED, 3, [])


def test_nobody_is_archived_who_was_not_asked_for(
    world: SyncWorld, story: tuple[SyncRun, dict[str, Contact], dict[str, dict[str, Any]]]
) -> None:
    run, contacts, _ = story
    done = confirm(world, undo(world, run))
    assert (done.archived, done.updated, done.unchanged) == (0, 1, 2)
    assert world.member(contacts["new"].email)["status"] == "subscribed"


def test_what_was_edited_since_is_left_and_named(
    world: SyncWorld, story: tuple[SyncRun, dict[str, Contact], dict[str, dict[str, Any]]]
) -> None:
    run, contacts, _ = story
    world.happen(contacts["there"].email, "edit", merges={"CSKU_POS": "Head of Gifts"})
    waiting = undo(world, run)
    row = PlanRow.objects.get(run=waiting, contact_id=contacts["there"].pk)
    assert (row.step, row.text) == ("left", "Changed since the run: Position")
    confirm(world, waiting, archive=True)
    assert world.fields(contacts["there"].email)["POS"] == "Head of Gifts"


def test_what_was_approved_is_what_is_undone(
    world: SyncWorld, story: tuple[SyncRun, dict[str, Contact], dict[str, dict[str, Any]]]
) -> None:
    run, contacts, _ = story
    waiting = undo(world, run)
    world.happen(contacts["new"].email, "unsubscribe")
    world.forget_requests()
    moved = confirm(world, waiting, archive=True)
    assert moved.state == SyncRun.State.WAITING
    assert [guard["name"] for guard in moved.plan["guards"]] == ["plan_changed"]
    assert world.writes() == []
    done = confirm(world, moved, archive=True)
    assert (done.state, done.archived) == (SyncRun.State.FINISHED, 0)
    assert world.member(contacts["new"].email)["status"] == "unsubscribed"


def test_a_start_afterwards_brings_the_book_back(
    world: SyncWorld, story: tuple[SyncRun, dict[str, Contact], dict[str, dict[str, Any]]]
) -> None:
    """A person restarts, and only then: what was undone is not pushed again by itself."""
    run, contacts, _ = story
    confirm(world, undo(world, run), archive=True)
    Contact.objects.filter(pk=contacts["there"].pk).update(position="Head of Gifts")
    world.forget_requests()
    world.work()
    assert world.writes() == []
    world.start()
    assert world.fields(contacts["there"].email)["POS"] == "Head of Gifts"
    # Archived ones come back by their own sign-up only.
    assert world.member(contacts["new"].email)["status"] == "archived"
    assert world.record(contacts["new"]).state == "archived"
    world.check_counts()


def test_only_while_the_sync_is_stopped_and_only_what_wrote(world: SyncWorld) -> None:
    ContactFactory(company=world.company, email="ann@kestrel.example.net")
    run = world.start()
    with pytest.raises(SyncRefused, match="Stop the sync first"):
        services.undo_run(world.actor, run)
    nothing = world.refresh()
    stop = world.stop()
    with pytest.raises(SyncRefused, match="changed nothing"):
        services.undo_run(world.actor, nothing)
    with pytest.raises(SyncRefused, match="kind of run"):
        services.undo_run(world.actor, stop)


@pytest.mark.parametrize("after", ["the call", "nothing"])
def test_a_worker_killed_while_undoing_is_followed_by_one_that_goes_on(
    world: SyncWorld, monkeypatch: pytest.MonkeyPatch, after: str
) -> None:
    client = ClientFactory(company=world.company)
    emails = [f"p{number}@kestrel.example.net" for number in range(12)]
    for email in emails:
        world.happen(email, "sign_up")
        ContactFactory(client=client, email=email, position="Buyer")
    before = {email: filled(world.member(email)) for email in emails}
    run = world.start()
    world.stop()
    waiting = undo(world, run)
    services.confirm_guards(world.actor, waiting)
    real = MailchimpAudience.write_batch

    async def killed(self: MailchimpAudience, changes: Any, *, urgent: bool = False) -> Any:
        if after == "the call":
            await real(self, changes, urgent=urgent)
        for task in asyncio.all_tasks():
            task.cancel()
        await asyncio.sleep(60)

    monkeypatch.setattr(MailchimpAudience, "write_batch", killed)
    with pytest.raises(asyncio.CancelledError):
        world.work()
    monkeypatch.undo()
    # Somebody edits one in the meantime.
    world.happen(emails[0], "edit", merges={"CSKU_POS": "Mine"})

    done = world.work()

    assert done.state == SyncRun.State.FINISHED
    assert (done.done, done.total) == (12, 12)
    assert [filled(world.member(email)) for email in emails[1:]] == [before[email] for email in emails[1:]]
    assert world.fields(emails[0])["POS"] == "Mine"
