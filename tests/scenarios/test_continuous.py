"""After the first sync: every kind of change reaches Mailchimp, and nobody's status is touched."""

from collections.abc import Callable

import pytest
from django.db import connection as database

from lockstep.apps.book.models import Contact, ListValue, Tag
from lockstep.apps.sync import services
from lockstep.core.member import Reason, SyncState
from tests.factories import ClientFactory, ContactFactory, ListValueFactory, TagFactory, UserFactory
from tests.scenarios.world import SyncWorld

EMAIL = "ann@kestrel.example.net"


@pytest.fixture
def contact(world: SyncWorld) -> Contact:
    client = ClientFactory(
        company=world.company,
        status=ListValueFactory(company=world.company, name="Prospect"),
        rep=UserFactory(first_name="Rae", last_name="Bell"),
        tag_ids=[TagFactory(company=world.company, kind=Tag.Kind.CLIENT, name="Gold").pk],
    )
    tag = TagFactory(company=world.company, name="VIP")
    made = ContactFactory(client=client, email=EMAIL, phone="1", tag_ids=[tag.pk])
    world.start()
    world.forget_requests()
    return made


def raw(sql: str, *values: object) -> None:
    with database.cursor() as cursor:
        cursor.execute(sql, values)


CHANGES: dict[str, tuple[Callable[[Contact], object], str, str]] = {
    "a saved contact": (lambda c: (setattr(c, "phone", "2"), c.save()), "PHONE", "2"),
    "a bulk update": (lambda c: Contact.objects.filter(pk=c.pk).update(position="CEO"), "POS", "CEO"),
    "raw SQL": (lambda c: raw("UPDATE book_contact SET state = 'TX' WHERE id = %s", c.pk), "STATE", "TX"),
    "a renamed status": (
        lambda c: ListValue.objects.filter(name="Prospect").update(name="Lead"),
        "STAT",
        "Lead",
    ),
    "a renamed tag": (lambda c: Tag.objects.filter(name="VIP").update(name="Very"), "TAGS", "Very"),
    "a deleted tag": (lambda c: Tag.objects.filter(name="Gold").delete(), "CTAGS", ""),
    "a renamed rep": (
        lambda c: (setattr(c.client.rep, "last_name", "Fox"), c.client.rep.save()),
        "RLN",
        "Fox",
    ),
    "another rep": (
        lambda c: (
            setattr(c.client, "rep", UserFactory(first_name="Ola", last_name="Bell")),
            c.client.save(),
        ),
        "RFN",
        "Ola",
    ),
    "the client's address": (
        lambda c: c.client.addresses.create(company=c.company, country="US"),
        "CNTRY",
        "US",
    ),
}


@pytest.mark.parametrize("what", CHANGES)
def test_every_kind_of_change_reaches_mailchimp(world: SyncWorld, contact: Contact, what: str) -> None:
    change, field, value = CHANGES[what]
    change(contact)
    world.work()
    assert world.fields(EMAIL)[field] == value
    [(method, _, body)] = world.writes()
    assert method == "PATCH"
    assert list(body["merge_fields"]) == [f"CSKU_{field}"]
    world.check_counts()


def test_a_new_contact_that_fits_is_added_by_itself(world: SyncWorld, contact: Contact) -> None:
    ContactFactory(client=contact.client, email="new@kestrel.example.net")
    world.work()
    assert world.member("new@kestrel.example.net")["status"] == "subscribed"
    assert world.states() == {SyncState.SYNCED: 2}


LEAVING: dict[str, Callable[[Contact], object]] = {
    "No Marketing": lambda c: Contact.objects.filter(pk=c.pk).update(no_marketing=True),
    "inactive": lambda c: Contact.objects.filter(pk=c.pk).update(active=False),
    "deleted": lambda c: Contact.objects.filter(pk=c.pk).update(deleted_at=c.created_at),
    "client inactive": lambda c: type(c.client).objects.filter(pk=c.client_id).update(active=False),
    "no address any more": lambda c: Contact.objects.filter(pk=c.pk).update(email=""),
    "row gone by raw SQL": lambda c: raw("DELETE FROM book_contact WHERE id = %s", c.pk),
}


@pytest.mark.parametrize("how", LEAVING)
def test_leaving_the_scope_turns_the_member_inactive_and_keeps_its_status(
    world: SyncWorld, contact: Contact, how: str
) -> None:
    LEAVING[how](contact)
    world.work()
    fields = world.fields(EMAIL)
    assert (fields["SYNC"], fields["URL"], fields["CURL"], fields["PHONE"]) == ("Inactive", "", "", "1")
    assert world.member(EMAIL)["status"] == "subscribed"
    world.check_counts()


def test_coming_back_makes_the_member_active_again(world: SyncWorld, contact: Contact) -> None:
    Contact.objects.filter(pk=contact.pk).update(active=False)
    world.work()
    Contact.objects.filter(pk=contact.pk).update(active=True)
    world.work()
    assert world.fields(EMAIL)["SYNC"] == "Active"
    assert world.fields(EMAIL)["URL"].endswith(f"/contacts/{contact.pk}/")
    assert world.states() == {SyncState.SYNCED: 1}


def test_a_changed_address_renames_the_member(world: SyncWorld, contact: Contact) -> None:
    before = world.member(EMAIL)["contact_id"]
    Contact.objects.filter(pk=contact.pk).update(email="ann.new@kestrel.example.net")
    world.work()
    assert world.member("ann.new@kestrel.example.net")["contact_id"] == before
    assert EMAIL not in world.emails()
    assert world.fields("ann.new@kestrel.example.net")["EMAIL"] == "ann.new@kestrel.example.net"


def test_the_no_of_an_unsubscribed_person_goes_along_to_a_new_address(
    world: SyncWorld, contact: Contact
) -> None:
    world.happen(EMAIL, "unsubscribe")
    world.refresh()
    Contact.objects.filter(pk=contact.pk).update(email="ann.new@kestrel.example.net")
    world.work()
    assert world.member("ann.new@kestrel.example.net")["status"] == "unsubscribed"
    assert world.member(EMAIL)["status"] == "unsubscribed"
    assert world.fields(EMAIL)["SYNC"] == "Inactive"
    assert world.states() == {SyncState.UNSUBSCRIBED: 1}


def test_who_unsubscribes_between_audit_and_push_stays_unsubscribed(
    world: SyncWorld, contact: Contact
) -> None:
    """The mirror says subscribed; the person has unsubscribed since; our write must not bring them back."""
    world.happen(EMAIL, "unsubscribe")
    Contact.objects.filter(pk=contact.pk).update(phone="7")
    world.work()
    assert world.member(EMAIL)["status"] == "unsubscribed"
    assert world.fields(EMAIL)["PHONE"] == "7"
    assert world.states() == {SyncState.UNSUBSCRIBED: 1}


def test_an_archived_member_is_never_brought_back(world: SyncWorld, contact: Contact) -> None:
    world.happen(EMAIL, "archive")
    Contact.objects.filter(pk=contact.pk).update(phone="7")
    world.work()
    world.refresh()
    services.retry(world.actor, world.connection, states=[SyncState.ARCHIVED])
    world.work()
    assert world.member(EMAIL)["status"] == "archived"
    assert world.states() == {SyncState.ARCHIVED: 1}


def test_somebody_deleted_for_good_stands_under_archived_and_is_not_added_again(
    world: SyncWorld, contact: Contact
) -> None:
    world.happen(EMAIL, "delete")
    world.forget_requests()
    world.refresh()
    assert world.record(contact).gone
    assert world.states() == {SyncState.ARCHIVED: 1}
    assert world.writes() == []


def test_duplicates_newest_wins_until_a_person_chooses(world: SyncWorld, contact: Contact) -> None:
    newer = ContactFactory(client=contact.client, email=EMAIL.upper(), first_name="Newer")
    world.work()
    assert world.fields(EMAIL)["FNAME"] == "Newer"
    assert world.record(contact).reason == Reason.DUPLICATE.value

    services.choose_duplicate(world.actor, contact)
    world.work()
    assert world.fields(EMAIL)["FNAME"] == contact.first_name
    assert world.record(newer).reason == Reason.DUPLICATE.value

    services.unchoose_duplicate(world.actor, contact)
    world.work()
    assert world.fields(EMAIL)["FNAME"] == "Newer"

    Contact.objects.filter(pk=newer.pk).update(active=False)
    world.work()
    assert world.fields(EMAIL)["FNAME"] == contact.first_name
    assert world.fields(EMAIL)["SYNC"] == "Active"
    world.check_counts()


def test_no_marketing_on_one_contact_speaks_for_its_address(world: SyncWorld, contact: Contact) -> None:
    """Otherwise flagging the winner of two duplicates would move the mail to the other one (P1)."""
    newer = ContactFactory(client=contact.client, email=EMAIL)
    world.work()
    Contact.objects.filter(pk=newer.pk).update(no_marketing=True)
    world.work()
    assert world.fields(EMAIL)["SYNC"] == "Inactive"
    assert world.reasons() == {Reason.NO_MARKETING: 2}


def test_two_contacts_swap_addresses(world: SyncWorld, contact: Contact) -> None:
    other = ContactFactory(client=contact.client, email="bo@kestrel.example.net", first_name="Bo")
    world.work()
    raw(
        "UPDATE book_contact SET email = CASE id WHEN %s THEN 'bo@kestrel.example.net' ELSE %s END"
        " WHERE id IN (%s, %s)",
        contact.pk, EMAIL, contact.pk, other.pk,
    )  # fmt: skip
    world.work()
    assert world.fields(EMAIL)["FNAME"] == "Bo"
    assert world.fields("bo@kestrel.example.net")["FNAME"] == contact.first_name
    assert world.states() == {SyncState.SYNCED: 2}


def test_a_person_who_changes_the_address_at_mailchimp_is_followed(
    world: SyncWorld, contact: Contact
) -> None:
    world.refresh()
    world.happen(EMAIL, "edit", new_email="ann@private.example.net", by="user")
    world.refresh()
    Contact.objects.filter(pk=contact.pk).update(phone="9")
    world.work()
    assert world.fields("ann@private.example.net")["PHONE"] == "9"
    assert EMAIL not in world.emails()
    assert world.states() == {SyncState.SYNCED: 1}


def test_stop_turns_everyone_inactive_and_start_active_again(world: SyncWorld, contact: Contact) -> None:
    world.stop()
    assert world.connection.mode == "off"
    assert world.fields(EMAIL)["SYNC"] == "Inactive"
    assert world.fields(EMAIL)["URL"] == ""
    Contact.objects.filter(pk=contact.pk).update(phone="while off")
    world.start()
    assert world.fields(EMAIL)["SYNC"] == "Active"
    assert world.fields(EMAIL)["PHONE"] == "while off"
    assert world.member(EMAIL)["status"] == "subscribed"


def test_a_refused_contact_is_not_asked_for_again_until_it_changes_or_a_person_asks(
    world: SyncWorld, contact: Contact
) -> None:
    refused = ContactFactory(client=contact.client, email="abuse@kestrel.example.net")
    world.happen("abuse@kestrel.example.net", "bar")
    world.work()
    assert world.record(refused).state == SyncState.FAILED.value
    world.forget_requests()
    world.refresh()
    assert world.writes() == []

    services.retry(world.actor, world.connection, states=[SyncState.FAILED, SyncState.PENDING])
    world.work()
    assert len(world.writes()) == 1
    assert world.record(refused).state == SyncState.FAILED.value

    Contact.objects.filter(pk=refused.pk).update(email="real@kestrel.example.net")
    world.work()
    assert world.states() == {SyncState.SYNCED: 2}
