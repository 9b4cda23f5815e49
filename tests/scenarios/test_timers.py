"""What nobody announces is found by timers: lost notices, due polls, refusals that pass, due audits."""

from datetime import timedelta

import pytest
from django.db import connection as database
from django.utils import timezone
from procrastinate.contrib.django.models import ProcrastinateJob

from lockstep.apps.book.models import Change
from lockstep.apps.connections.models import Connection
from lockstep.apps.sync import services, tasks
from lockstep.apps.sync.models import Mark, MemberRecord, SyncRun
from lockstep.apps.sync.recording import mark_contacts
from lockstep.apps.sync.waking import TASK
from lockstep.core.member import SyncState
from tests.factories import ContactFactory
from tests.scenarios.world import SyncWorld

EMAIL = "ann@kestrel.example.net"


def woken() -> int:
    jobs = ProcrastinateJob.objects.filter(task_name=TASK, status="todo")
    number = jobs.count()
    ProcrastinateJob.objects.filter(pk__in=jobs.values("pk"))._raw_delete(using="default")
    return number


@pytest.fixture
def quiet(world: SyncWorld) -> SyncWorld:
    """A live connection with nothing to do."""
    ContactFactory(company=world.company, email=EMAIL)
    world.start()
    woken()
    return world


def test_a_connection_with_nothing_to_do_is_left_alone(quiet: SyncWorld) -> None:
    tasks.sweep(0)
    assert woken() == 0


def test_changes_that_no_sync_waits_for_do_not_pile_up(quiet: SyncWorld) -> None:
    """Edits after a stop would otherwise wait until somebody starts a sync, be it in years."""
    alone = ContactFactory()  # of a company without any connection
    Connection.objects.update(mode=Connection.Mode.OFF, live_at=None)
    late = ContactFactory(company=quiet.company)
    assert set(Change.objects.values_list("company_id", flat=True)) >= {alone.company_id, late.company_id}
    tasks.sweep(0)
    assert not Change.objects.exists()
    quiet.start()
    assert quiet.member(late.email)["status"] == "subscribed"


def test_changes_of_a_paused_connection_wait_for_it(quiet: SyncWorld) -> None:
    Connection.objects.update(broken_kind="key_revoked")
    ContactFactory(company=quiet.company)
    tasks.sweep(0)
    assert Change.objects.filter(company=quiet.company).exists()


@pytest.mark.parametrize("what", ["a mark", "a change", "a due poll", "an open run", "a stop that was lost"])
def test_the_sweep_wakes_for(quiet: SyncWorld, what: str) -> None:
    match what:
        case "a mark":
            mark_contacts(quiet.connection.pk, [1])
        case "a change":
            ContactFactory(company=quiet.company)
        case "a due poll":
            Connection.objects.update(last_polled_at=timezone.now() - timedelta(minutes=2))
        case "an open run":
            SyncRun.objects.create(company=quiet.company, connection=quiet.connection, kind="refresh")
        case _:
            Connection.objects.update(mode=Connection.Mode.STOPPING)
    woken()
    tasks.sweep(0)
    assert woken() == 1


def test_a_refusal_that_passes_gets_a_second_chance_a_day_later(quiet: SyncWorld) -> None:
    contact = ContactFactory(company=quiet.company, email="busy@kestrel.example.net")
    quiet.happen("busy@kestrel.example.net", "too_many_signups")
    quiet.work()
    assert quiet.record(contact).refusal_kind == "too_many_signups"
    quiet.happen("busy@kestrel.example.net", "calm_down")

    tasks.give_second_chances(0)
    assert not Mark.objects.exists(), "not within the day"

    MemberRecord.objects.update(refused_at=timezone.now() - timedelta(hours=25))
    tasks.give_second_chances(0)
    quiet.work()
    assert quiet.states() == {SyncState.SYNCED: 2}


def test_an_audit_falls_due_once_a_day_and_brings_drift_back_in_step(quiet: SyncWorld) -> None:
    tasks.queue_audits(0)
    assert not SyncRun.objects.filter(kind="audit").exists()
    quiet.happen(EMAIL, "edit", merges={"CSKU_FNAME": "Somebody else"})
    Connection.objects.update(mirror_complete_at=timezone.now() - timedelta(hours=25))
    tasks.queue_audits(0)
    tasks.queue_audits(0)
    assert SyncRun.objects.filter(kind="audit").count() == 1
    run = quiet.work()
    assert (run.state, run.updated) == (SyncRun.State.FINISHED, 1)
    assert quiet.fields(EMAIL)["FNAME"] != "Somebody else"


def test_stopping_with_nothing_synced_is_off_at_once(world: SyncWorld) -> None:
    services.start_sync(world.actor, world.connection)
    world.work()
    services.stop_sync(world.actor, world.connection)
    world.connection.refresh_from_db()
    assert world.connection.mode == Connection.Mode.OFF


def test_a_reading_of_the_audience_rewrites_only_what_differs(quiet: SyncWorld) -> None:
    """An audience of a million is read every night; most of it is as it was."""
    quiet.refresh()
    before = versions(quiet)
    assert len(before) > 1
    changed = next(iter(quiet.audience))
    quiet.happen(changed.email, "edit", merges={"CSKU_FNAME": "Meddled"})
    quiet.refresh()
    after = versions(quiet)
    assert {email for email in before if after[email] != before[email]} == {changed.email}


def versions(world: SyncWorld) -> dict[str, str]:
    """Of each row of the mirror, the transaction that wrote it."""
    with database.cursor() as cursor:
        cursor.execute(
            "SELECT email, xmin::text FROM sync_observedrecord WHERE connection_id = %s",
            [world.connection.pk],
        )
        return dict(cursor.fetchall())
