"""The worker as a process of its own: killed without a warning, and told of changes by the database alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from django.db import OperationalError
from django.db import connection as database
from procrastinate.contrib.django import app as job_app

from lockstep.apps.book.models import Client, Contact
from lockstep.apps.connections.models import Connection
from lockstep.apps.sync import services
from lockstep.apps.sync.models import MemberRecord, SyncRun
from lockstep.apps.sync.waking import QUEUE
from lockstep.core.member import SyncState
from lockstep.sandbox.seeding import add_members
from tests.factories import ClientFactory, ContactFactory
from tests.processes import Stack, database_url_of, stack_on_test_database, until
from tests.scenarios.world import SyncWorld

pytestmark = [pytest.mark.postgres, pytest.mark.slow, pytest.mark.timeout(240)]

CONTACTS = 2_500
BATCHES = r"^/lists/\w+$"
LATENCY = 30
"""Milliseconds that every answer takes."""

HELD = {"subscribed": 200, "unsubscribed": 60, "cleaned": 20, "transactional": 20, "archived": 20}
"""How many of the book's people are in the audience before the first sync, by status."""


def address(number: int) -> str:
    return f"person{number}@kestrel.example.net"


@pytest.fixture
def stack(world: SyncWorld, tmp_path: Path) -> Iterator[Stack]:
    with stack_on_test_database(tmp_path) as stack:
        yield stack


@pytest.fixture
def people(world: SyncWorld) -> Client:
    """Some thousand contacts of one client; of some of them the audience has heard before."""
    client = ClientFactory(company=world.company, name="Kestrel")
    Contact.objects.bulk_create(
        Contact(company=world.company, client=client, first_name=f"First{n}", email=address(n))
        for n in range(CONTACTS)
    )
    numbers = iter(range(0, CONTACTS, CONTACTS // sum(HELD.values())))
    members = [
        {"email_address": address(next(numbers)), "status": status, "merge_fields": {"LNAME": "theirs"}}
        for status, many in HELD.items()
        for _ in range(many)
    ]
    strangers = [{"email_address": f"stranger{n}@x.example.net", "status": "subscribed"} for n in range(100)]
    add_members(world.server.sandbox, world.audience.id, members=[*members, *strangers])
    world.server.sandbox.latency.milliseconds = LATENCY
    return client


def statuses(world: SyncWorld) -> dict[str, tuple[str, str]]:
    """Everybody's status at Mailchimp, and a field that is none of ours."""
    everybody = (world.member(email) for email in world.emails())
    return {one["email_address"]: (one["status"], one["merge_fields"]["LNAME"]) for one in everybody}


def faults_struck(world: SyncWorld) -> set[str]:
    return {entry.fault for entry in world.server.sandbox.log.entries(writes=True)}


def newest_run(world: SyncWorld) -> SyncRun:
    found = world.connection.runs.order_by("-id").first()
    assert found is not None
    return found


def ended(world: SyncWorld) -> SyncRun | None:
    run = newest_run(world)
    return None if run.open else run


def test_a_worker_killed_in_the_middle_of_the_first_sync_costs_nothing(
    world: SyncWorld, people: Client, stack: Stack
) -> None:
    before = statuses(world)
    Connection.objects.update(batch_proof=Connection.BatchProof.KEPT)
    # Of the calls under way when the worker dies, one is done and was never answered, one is not done yet:
    # it is done for the dead while the second worker is at it.
    faults = world.server.sandbox.faults
    unanswered = faults.add("timeout", {"seconds": 15}, method="POST", path=BATCHES, nth=2)
    late = faults.add("latency", {"ms": 15_000}, method="POST", path=BATCHES, nth=3)

    worker = stack.worker()
    services.start_sync(world.actor, world.connection)
    until(
        lambda: newest_run(world).done and late.struck and "timeout" in faults_struck(world),
        within=60,
        what="a push under way",
    )
    worker.kill()

    assert (unanswered.struck, late.struck) == (1, 1)
    faults.clear()
    half = newest_run(world)
    assert half.state == SyncRun.State.SYNCING
    assert 0 < half.done < CONTACTS
    assert MemberRecord.objects.filter(uncertain=True).exists()

    stack.worker()
    run = until(lambda: ended(world), within=90, what="the run finishes with the second worker")

    assert (run.pk, run.state) == (half.pk, SyncRun.State.FINISHED)
    after = statuses(world)
    assert {email: after[email] for email in before} == before, "nobody's status or field changed"
    new = {address(n) for n in range(CONTACTS)} - before.keys()
    assert after.keys() - before.keys() == new
    assert {after[email] for email in new} == {("subscribed", "")}
    assert world.states() == {
        SyncState.SYNCED: CONTACTS - HELD["unsubscribed"] - HELD["cleaned"] - HELD["archived"],
        SyncState.UNSUBSCRIBED: HELD["unsubscribed"] + HELD["cleaned"],
        SyncState.ARCHIVED: HELD["archived"],
    }
    world.check_counts()
    assert not MemberRecord.objects.filter(uncertain=True).exists()
    for contact in Contact.objects.filter(company=world.company):
        fields = world.fields(contact.email)
        assert fields["FNAME"] == ("" if after[contact.email][0] == "archived" else contact.first_name)

    world.forget_requests()
    services.refresh(world.actor, world.connection)
    second = until(lambda: ended(world), within=60, what="a second sync")
    assert (second.kind, second.unchanged) == (SyncRun.Kind.REFRESH, CONTACTS - HELD["archived"])
    assert world.writes() == []


def test_an_edit_of_another_process_is_heard_at_once(world: SyncWorld, stack: Stack) -> None:
    """With the timers switched off: what remains is the trigger's notice to the listening worker."""
    contact = ContactFactory(company=world.company, email="ann@kestrel.example.net")
    timers_stand_still()
    stack.worker()
    services.start_sync(world.actor, world.connection)
    until(lambda: ended(world), within=60, what="the first sync")
    until(no_job_is_left, within=60, what="an idle worker")
    world.forget_requests()

    url = database_url_of(database.settings_dict)
    with psycopg.connect(url.replace("postgres://", "postgresql://"), autocommit=True) as other:
        other.execute("UPDATE book_contact SET first_name = 'Raw' WHERE id = %s", [contact.pk])

    until(world.writes, within=30, what="the edit reaches Mailchimp")
    assert world.fields("ann@kestrel.example.net")["FNAME"] == "Raw"
    assert len(world.writes()) == 1


def test_a_run_whose_database_connections_are_cut_stays_open_and_is_taken_up_again(
    world: SyncWorld,
) -> None:
    """As when PostgreSQL fails over, or an administrator ends a connection: no fault of the run's."""
    contacts = [ContactFactory(company=world.company, email=address(n)) for n in range(3)]
    url = database_url_of(database.settings_dict).replace("postgres://", "postgresql://")
    with database.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (ours,) = cursor.fetchone()
    cut: list[int] = []

    def cut_connections(event: object) -> None:
        """The first time that anybody is added: of the call under way the worker can't record the answer."""
        if not cut:
            with psycopg.connect(url, autocommit=True) as other:
                found = other.execute(
                    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid NOT IN (%s, pg_backend_pid())",
                    [ours],
                ).fetchone()
                cut.append(found[0] if found else 0)

    world.server.sandbox.events.subscribe(cut_connections)
    Connection.objects.update(batch_proof=Connection.BatchProof.KEPT)
    with pytest.raises(OperationalError):
        world.start()
    assert cut == [1]
    run = newest_run(world)
    assert (run.state, run.error_kind) == (SyncRun.State.SYNCING, "")

    run = world.work()
    assert (run.state, world.states()) == (SyncRun.State.FINISHED, {SyncState.SYNCED: 3})
    world.check_counts()
    assert world.fields(contacts[0].email)["FNAME"] == contacts[0].first_name


def test_many_uncertain_contacts_are_read_in_pages_and_not_one_by_one(world: SyncWorld) -> None:
    """What a worker leaves behind that is killed with large calls under way: some done, some not."""
    client = ClientFactory(company=world.company)
    Contact.objects.bulk_create(
        Contact(company=world.company, client=client, first_name="Before", email=address(n))
        for n in range(300)
    )
    Connection.objects.update(batch_proof=Connection.BatchProof.KEPT)
    world.start()
    Contact.objects.filter(company=world.company).update(first_name="After")
    with database.cursor() as cursor:
        cursor.execute("UPDATE sync_memberrecord SET uncertain = TRUE, sent_key = wanted_key")
    for n in range(100):
        world.happen(address(n), "edit", merges={"CSKU_FNAME": "After"})
    world.forget_requests()

    world.work()
    asked = world.server.sandbox.log.entries(after=world._seen)
    assert [entry.path for entry in asked if "/members/" in entry.path] == []
    assert {world.fields(address(n))["FNAME"] for n in range(300)} == {"After"}
    assert sum(world.batches()) == 200, "what was done already is seen to be so"
    assert not MemberRecord.objects.filter(uncertain=True).exists()
    world.check_counts()


def timers_stand_still() -> None:
    """The sync's timers find their locks taken, by jobs of a worker that seems to live."""
    job_app.perform_import_paths()
    tasks = {periodic.task for periodic in job_app.periodic_registry.periodic_tasks.values()}
    with database.cursor() as cursor:
        cursor.execute(
            "INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now() + interval '1 hour')"
            " RETURNING id"
        )
        (worker,) = cursor.fetchone()
        for task in (task for task in tasks if task.queue == QUEUE):
            assert task.lock, f"{task.name} has no lock to take"
            cursor.execute(
                "INSERT INTO procrastinate_jobs (queue_name, task_name, lock, args, status, worker_id)"
                " VALUES (%s, %s, %s, '{}', 'doing', %s)",
                [task.queue, task.name, task.lock, worker],
            )


def no_job_is_left() -> bool:
    with database.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM procrastinate_jobs WHERE queueing_lock LIKE 'mailchimp-account-%'"
            " AND status IN ('todo', 'doing')"
        )
        return bool(cursor.fetchone()[0] == 0)
