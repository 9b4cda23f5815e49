"""The first sync, and the second that has nothing to do."""

import pytest

from lockstep.apps.book.models import Client, Contact
from lockstep.apps.sync.models import Mark, MemberRecord, SyncRun
from lockstep.core.member import Reason, SyncState
from tests.factories import ClientFactory, ContactFactory
from tests.scenarios.world import SyncWorld


def people(client: Client, number: int) -> list[Contact]:
    return Contact.objects.bulk_create(
        Contact(company=client.company, client=client, first_name=f"F{n}", email=f"p{n}@kestrel.example.net")
        for n in range(number)
    )


def test_every_contact_has_one_answer_and_the_counts_add_up(world: SyncWorld) -> None:
    client = ClientFactory(company=world.company)
    good = ContactFactory(client=client, email="ann@kestrel.example.net")
    ContactFactory(client=client, email="")
    ContactFactory(client=client, email="not an address")
    ContactFactory(client=client, email="bo@kestrel.example.net", no_marketing=True)
    ContactFactory(client=client, email="cy@kestrel.example.net", active=False)
    older = ContactFactory(client=client, email="Shared@kestrel.example.net")
    newer = ContactFactory(client=client, email="shared@kestrel.example.net")
    forgotten = ContactFactory(client=client, email="gone@kestrel.example.net")
    world.happen("gone@kestrel.example.net", "sign_up")
    world.happen("gone@kestrel.example.net", "delete")
    complied = ContactFactory(client=client, email="left@kestrel.example.net")
    world.happen("left@kestrel.example.net", "sign_up")
    world.happen("left@kestrel.example.net", "unsubscribe")
    archived = ContactFactory(client=client, email="arch@kestrel.example.net")
    world.happen("arch@kestrel.example.net", "sign_up")
    world.happen("arch@kestrel.example.net", "archive")

    run = world.start()

    assert run.state == SyncRun.State.PARTIAL
    world.check_counts()
    assert world.reasons() == {
        Reason.FITS: 5,
        Reason.NO_EMAIL: 1,
        Reason.INVALID_EMAIL: 1,
        Reason.NO_MARKETING: 1,
        Reason.INACTIVE: 1,
        Reason.DUPLICATE: 1,
    }
    assert world.record(good).state == SyncState.SYNCED.value
    assert world.record(newer).state == SyncState.SYNCED.value
    assert world.record(older).reason == Reason.DUPLICATE.value
    assert world.record(archived).state == SyncState.ARCHIVED.value
    assert world.record(complied).state == SyncState.UNSUBSCRIBED.value
    failed = world.record(forgotten)
    assert (failed.state, failed.refusal_kind) == (SyncState.FAILED.value, "forgotten")
    assert "was permanently deleted and cannot be re-imported" in failed.refusal_text
    assert world.member("ann@kestrel.example.net")["status"] == "subscribed"
    assert world.member("left@kestrel.example.net")["status"] == "unsubscribed"
    assert world.member("arch@kestrel.example.net")["status"] == "archived"
    assert world.fields("left@kestrel.example.net")["SYNC"] == "Active"
    assert world.fields("arch@kestrel.example.net")["SYNC"] == ""


def test_a_first_sync_takes_a_call_for_500_members_and_a_second_none(world: SyncWorld) -> None:
    people(ClientFactory(company=world.company), 1_250)
    world.start()
    sizes = sorted(world.batches())
    assert sum(size for size in sizes if size > 1) == 1_250
    assert len([size for size in sizes if size > 1]) <= 4
    assert world.states() == {SyncState.SYNCED: 1_250}
    assert not Mark.objects.exists()

    world.forget_requests()
    run = world.refresh()

    assert world.writes() == []
    assert (run.state, run.unchanged, run.done, run.total) == (SyncRun.State.FINISHED, 1_250, 1_250, 1_250)


def test_our_fields_hold_what_the_book_says(world: SyncWorld) -> None:
    client = ClientFactory(company=world.company, name="Kestrel")
    contact = ContactFactory(
        client=client,
        email="Ann@Kestrel.example.net",
        first_name="Anné 🎈",
        position="Buyer",
        phone="+1 555",
        state="CA",
    )
    world.start()
    fields = world.fields("ann@kestrel.example.net")
    assert fields["EMAIL"] == "Ann@Kestrel.example.net"
    assert fields["FNAME"] == "Anné 🎈"
    assert (fields["POS"], fields["PHONE"], fields["STATE"], fields["SYNC"]) == (
        "Buyer",
        "+1 555",
        "CA",
        "Active",
    )
    assert fields["URL"].endswith(f"/contacts/{contact.pk}/")
    assert fields["CURL"].endswith(f"/clients/{client.pk}/")


def test_a_dry_run_sends_nothing_and_says_what_would_be_sent(world: SyncWorld) -> None:
    from lockstep.apps.sync import queries, services

    people(ClientFactory(company=world.company), 7)
    services.start_preview(world.actor, world.connection)
    run = world.work()
    assert world.writes() == []
    assert run.state == SyncRun.State.FINISHED
    assert run.plan["adds"] == 7
    assert queries.plan_counts(run) == {"add": 7}
    page = queries.plan_rows(run, ["add"], total=7, size=5)
    assert (page.total, page.first, page.last, bool(page.next)) == (7, 1, 5, True)
    assert page.rows[0].differing["first_name"] == ("", "F0")
    assert not MemberRecord.objects.exists()

    started = world.start(approved=run.fingerprint)
    assert started.state == SyncRun.State.FINISHED
    assert world.states() == {SyncState.SYNCED: 7}


def test_what_was_approved_is_what_runs(world: SyncWorld) -> None:
    from lockstep.apps.sync import services

    client = ClientFactory(company=world.company)
    people(client, 3)
    services.start_preview(world.actor, world.connection)
    approved = world.work().fingerprint
    ContactFactory(client=client, email="late@kestrel.example.net")

    run = world.start(approved=approved)

    assert run.state == SyncRun.State.WAITING
    assert [guard["name"] for guard in run.plan["guards"]] == ["plan_changed"]
    assert "late@kestrel.example.net" not in world.emails()
    services.confirm_guards(world.actor, run)
    assert world.work().state == SyncRun.State.FINISHED
    assert "late@kestrel.example.net" in world.emails()


@pytest.mark.parametrize("status", ["subscribed", "pending", "transactional"])
def test_people_new_to_the_audience_get_the_status_that_the_admin_chose(
    world: SyncWorld, status: str
) -> None:
    world.connection.new_status = status
    world.connection.save()
    ContactFactory(company=world.company, email="new@kestrel.example.net")
    world.start()
    assert world.member("new@kestrel.example.net")["status"] == status
