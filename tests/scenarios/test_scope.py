"""Leaving the scope and coming back, by each reason (S10); duplicates (S3); filters that change."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from django.db import connection as database
from django.utils import timezone

from lockstep.apps.accounts.permissions import Actor
from lockstep.apps.book.models import Client, Contact, ListValue, Tag
from lockstep.apps.book.services import (
    delete_client,
    delete_contact,
    restore_client,
    restore_contact,
    set_no_marketing,
)
from lockstep.apps.connections import services as connections
from lockstep.apps.connections.preferences import Preferences
from lockstep.apps.sync import services
from lockstep.core.consent import NewStatus
from lockstep.core.member import Reason, SyncState
from tests.factories import ClientFactory, ContactFactory, ListValueFactory, TagFactory
from tests.scenarios.world import SyncWorld


@dataclass
class Subject:
    """One contact of a client of its own, that fits the filters; and what does not fit them."""

    actor: Actor
    client: Client
    contact: Contact
    other_status: ListValue

    def contacts(self, **values: object) -> None:
        Contact.objects.filter(pk=self.contact.pk).update(**values)

    def clients(self, **values: object) -> None:
        Client.objects.filter(pk=self.client.pk).update(**values)

    def sql(self, statement: str) -> None:
        with database.cursor() as cursor:
            cursor.execute(statement, {"id": self.contact.pk})


Deed = Callable[[Subject], object]

WAYS: dict[str, tuple[Deed, Deed, Reason]] = {
    "inactive": (
        lambda s: s.contacts(active=False),
        lambda s: s.contacts(active=True),
        Reason.INACTIVE,
    ),
    "client inactive": (
        lambda s: s.clients(active=False),
        lambda s: s.clients(active=True),
        Reason.INACTIVE,
    ),
    "No Marketing": (
        lambda s: set_no_marketing(s.actor, contact_id=s.contact.pk, no_marketing=True),
        lambda s: set_no_marketing(s.actor, contact_id=s.contact.pk, no_marketing=False),
        Reason.NO_MARKETING,
    ),
    "deleted": (
        lambda s: delete_contact(s.actor, contact_id=s.contact.pk),
        lambda s: restore_contact(s.actor, contact_id=s.contact.pk),
        Reason.DELETED,
    ),
    "client deleted": (
        lambda s: delete_client(s.actor, client_id=s.client.pk),
        lambda s: restore_client(s.actor, client_id=s.client.pk),
        Reason.DELETED,
    ),
    "deleted by raw SQL": (
        lambda s: s.sql("UPDATE book_contact SET deleted_at = now() WHERE id = %(id)s"),
        lambda s: s.sql("UPDATE book_contact SET deleted_at = NULL WHERE id = %(id)s"),
        Reason.DELETED,
    ),
    "another status": (
        lambda s: s.clients(status=s.other_status),
        lambda s: s.clients(status=ListValue.objects.get(name="Prospect")),
        Reason.OUTSIDE,
    ),
    "no tag of the filter": (
        lambda s: s.contacts(tag_ids=[]),
        lambda s: s.contacts(tag_ids=[Tag.objects.get(name="VIP").pk]),
        Reason.OUTSIDE,
    ),
    "another department": (
        lambda s: s.contacts(department=None),
        lambda s: s.contacts(department=ListValue.objects.get(name="Sales")),
        Reason.OUTSIDE,
    ),
    "no address": (
        lambda s: s.contacts(email=""),
        lambda s: s.contacts(email=s.contact.email),
        Reason.NO_EMAIL,
    ),
    "an address that cannot be": (
        lambda s: s.contacts(email="not an address"),
        lambda s: s.contacts(email=s.contact.email),
        Reason.INVALID_EMAIL,
    ),
    "a newer duplicate": (
        lambda s: ContactFactory(
            client=s.client,
            email=s.contact.email.upper(),
            tag_ids=s.contact.tag_ids,
            department=s.contact.department,
        ),
        lambda s: Contact.objects.filter(email=s.contact.email.upper()).update(active=False),
        Reason.DUPLICATE,
    ),
}


def filtered(world: SyncWorld) -> tuple[ListValue, ListValue, Tag]:
    """A status, a department and a contact tag, and filters that ask for all three."""
    status = ListValueFactory(company=world.company, name="Prospect")
    department = ListValueFactory(company=world.company, kind=ListValue.Kind.DEPARTMENT, name="Sales")
    tag = TagFactory(company=world.company, name="VIP")
    connections.save_preferences(
        world.actor,
        world.connection,
        Preferences(status_ids=(status.pk,), department_ids=(department.pk,), contact_tag_ids=(tag.pk,)),
        NewStatus.SUBSCRIBED,
    )
    world.connection.refresh_from_db()
    return status, department, tag


def test_by_every_reason_members_turn_inactive_and_active_again(world: SyncWorld) -> None:
    status, department, tag = filtered(world)
    other = ListValueFactory(company=world.company, name="Lost")
    subjects: dict[str, Subject] = {}
    for number, what in enumerate(WAYS):
        client = ClientFactory(company=world.company, status=status)
        contact = ContactFactory(
            client=client, email=f"c{number}@scope.example.net", department=department, tag_ids=[tag.pk]
        )
        subjects[what] = Subject(world.actor, client, contact, other)
    world.start()
    assert world.states() == {SyncState.SYNCED: len(WAYS)}
    wrong: list[str] = []
    for what, (leave, come_back, reason) in WAYS.items():
        subject = subjects[what]
        email = subject.contact.email
        before = world.member(email)
        kept = {
            tag: value for tag, value in world.fields(email).items() if tag not in ("SYNC", "URL", "CURL")
        }

        leave(subject)
        world.work()
        fields = world.fields(email)
        duplicate = reason is Reason.DUPLICATE
        if (fields["SYNC"], fields["URL"], fields["CURL"]) != ("Inactive", "", "") and not duplicate:
            wrong.append(f"{what}: left as {fields}")
        if {tag: fields[tag] for tag in kept} != kept and not duplicate:
            wrong.append(f"{what}: other fields changed when it left")
        if world.record(subject.contact).reason != reason.value or world.record(subject.contact).state:
            wrong.append(f"{what}: answered {world.record(subject.contact).reason}")
        world.check_counts()

        come_back(subject)
        world.work()
        fields, member = world.fields(email), world.member(email)
        if fields["SYNC"] != "Active" or not fields["URL"].endswith(f"/contacts/{subject.contact.pk}/"):
            wrong.append(f"{what}: came back as {fields}")
        if (member["status"], member["contact_id"]) != (before["status"], before["contact_id"]):
            wrong.append(f"{what}: the member is not as it was")
        if world.record(subject.contact).state != SyncState.SYNCED.value:
            wrong.append(f"{what}: stands as {world.record(subject.contact).state}")
        world.check_counts()
    assert wrong == []
    world.forget_requests()
    world.refresh()
    assert world.writes() == []


def test_an_unsubscribed_member_leaves_and_comes_back_unsubscribed(world: SyncWorld) -> None:
    contact = ContactFactory(company=world.company, email="ann@scope.example.net")
    world.start()
    world.happen("ann@scope.example.net", "unsubscribe")
    for active, sync in ((False, "Inactive"), (True, "Active")):
        Contact.objects.filter(pk=contact.pk).update(active=active)
        world.work()
        assert world.member("ann@scope.example.net")["status"] == "unsubscribed"
        assert world.fields("ann@scope.example.net")["SYNC"] == sync
    assert world.states() == {SyncState.UNSUBSCRIBED: 1}


# --- duplicates ---------------------------------------------------------------------------------

SAME = "same@scope.example.net"

LOSING: dict[str, Deed] = {
    "inactive": lambda s: s.contacts(active=False),
    "deleted": lambda s: delete_contact(s.actor, contact_id=s.contact.pk),
    "row gone by raw SQL": lambda s: s.sql(
        "WITH choices AS (DELETE FROM sync_duplicatechoice WHERE contact_id = %(id)s)"
        " DELETE FROM book_contact WHERE id = %(id)s"
    ),
    "another address": lambda s: s.contacts(email="elsewhere@scope.example.net"),
    "outside the filters": lambda s: s.clients(status=s.other_status),
    "client deleted": lambda s: delete_client(s.actor, client_id=s.client.pk),
}


def test_when_the_winner_goes_the_next_one_takes_the_member_over(world: SyncWorld) -> None:
    """Also a winner by choice: with it gone, the newest of the others is synced."""
    status = ListValueFactory(company=world.company, name="Prospect")
    other = ListValueFactory(company=world.company, name="Lost")
    connections.save_preferences(
        world.actor, world.connection, Preferences(status_ids=(status.pk,)), NewStatus.SUBSCRIBED
    )
    world.connection.refresh_from_db()
    oldest = ContactFactory(
        client=ClientFactory(company=world.company, status=status), email=SAME, first_name="Oldest"
    )
    world.start()
    member = world.member(SAME)["contact_id"]
    for chosen in (False, True):
        for what, lose in LOSING.items():
            subjects = []
            for name in ("Chosen", "Newest"):
                client = ClientFactory(company=world.company, status=status)
                made = ContactFactory(client=client, email=SAME, first_name=name)
                subjects.append(Subject(world.actor, client, made, other))
            world.work()
            assert world.fields(SAME)["FNAME"] == "Newest"
            winner, next_one = subjects[1], subjects[0].contact.first_name
            if chosen:
                services.choose_duplicate(world.actor, subjects[0].contact)
                world.work()
                assert world.fields(SAME)["FNAME"] == "Chosen"
                winner, next_one = subjects[0], "Newest"
            lose(winner)
            world.work()
            assert world.fields(SAME)["FNAME"] == next_one, what
            assert world.fields(SAME)["SYNC"] == "Active", what
            world.check_counts()
            for subject in subjects:  # out of the way of the next row
                Contact.objects.filter(pk=subject.contact.pk).update(email="")
            world.work()
            assert world.fields(SAME)["URL"].endswith(f"/contacts/{oldest.pk}/"), what
    assert world.member(SAME)["contact_id"] == member
    assert world.member(SAME)["status"] == "subscribed"
    world.forget_requests()
    world.refresh()
    assert world.writes() == []


def test_a_choice_and_back_again_and_a_choice_for_one_who_comes_back(world: SyncWorld) -> None:
    older = ContactFactory(company=world.company, email=SAME, first_name="Older")
    ContactFactory(client=older.client, email=SAME, first_name="Newer")
    world.start()
    seen = []
    for deed in (
        lambda: services.choose_duplicate(world.actor, older),
        lambda: Contact.objects.filter(pk=older.pk).update(active=False),
        lambda: Contact.objects.filter(pk=older.pk).update(active=True),
        lambda: services.unchoose_duplicate(world.actor, older),
    ):
        deed()
        world.work()
        seen.append(world.fields(SAME)["FNAME"])
        world.check_counts()
    assert seen == ["Older", "Newer", "Older", "Newer"]


# --- filters --------------------------------------------------------------------------------------


def test_filters_changed_between_two_starts(world: SyncWorld) -> None:
    """Who fits no more turns Inactive, who fits now is added: in one start with new parameters (S8)."""
    here, there = (ListValueFactory(company=world.company, name=name) for name in ("Here", "There"))
    for status, email in ((here, "here@scope.example.net"), (there, "there@scope.example.net")):
        ContactFactory(client=ClientFactory(company=world.company, status=status), email=email)
    seen = []
    for chosen in (here, there, None, here):
        if world.connection.on:
            world.stop()
        preferences = Preferences(status_ids=(chosen.pk,) if chosen else ())
        connections.save_preferences(world.actor, world.connection, preferences, NewStatus.SUBSCRIBED)
        world.connection.refresh_from_db()
        world.start()
        seen.append(
            {
                email.partition("@")[0]: world.fields(email)["SYNC"]
                for email in sorted(world.emails())
                if email.endswith("@scope.example.net")
            }
        )
        world.check_counts()
    assert seen == [
        {"here": "Active"},
        {"here": "Inactive", "there": "Active"},
        {"here": "Active", "there": "Active"},
        {"here": "Active", "there": "Inactive"},
    ]


def test_filters_that_change_under_a_running_sync(world: SyncWorld) -> None:
    """A tag of the filter is merged into another, and its list value is gone: the filter follows the book.

    A filter whose every value is gone lets in nobody by mistake: it stays closed.
    """
    tag, into = (TagFactory(company=world.company, name=name) for name in ("VIP", "Guest"))
    ContactFactory(company=world.company, email="vip@scope.example.net", tag_ids=[tag.pk])
    ContactFactory(company=world.company, email="none@scope.example.net")
    connections.save_preferences(
        world.actor, world.connection, Preferences(contact_tag_ids=(tag.pk,)), NewStatus.SUBSCRIBED
    )
    world.connection.refresh_from_db()
    world.start()
    assert world.states() == {SyncState.SYNCED: 1}
    Contact.objects.filter(email="vip@scope.example.net").update(tag_ids=[into.pk])
    Tag.objects.filter(pk=tag.pk).delete()
    world.work()
    assert world.fields("vip@scope.example.net")["SYNC"] == "Inactive"
    assert "none@scope.example.net" not in world.emails()
    assert world.states() == {}
    world.check_counts()


def test_whoever_was_deleted_and_restored_meanwhile_is_one_write(world: SyncWorld) -> None:
    contact = ContactFactory(company=world.company, email="ann@scope.example.net")
    world.start()
    world.forget_requests()
    Contact.objects.filter(pk=contact.pk).update(deleted_at=timezone.now())
    Contact.objects.filter(pk=contact.pk).update(deleted_at=None, phone="5")
    world.work()
    assert world.fields("ann@scope.example.net")["SYNC"] == "Active"
    assert len(world.writes()) == 1
