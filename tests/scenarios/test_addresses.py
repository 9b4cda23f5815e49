"""A changed e-mail address, in every state of the member and of the address it changes to (S11)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest
from django.db import connection as database

from lockstep.apps.book.models import Contact
from lockstep.core.member import SyncState
from tests.factories import ClientFactory, ContactFactory
from tests.scenarios.world import SyncWorld

OLD, NEW = "old@kestrel.example.net", "new@kestrel.example.net"

Deed = Callable[[SyncWorld], object]


def deed(*steps: tuple[str, str]) -> Deed:
    def do(world: SyncWorld) -> None:
        for email, what in steps:
            world.happen(email, what)

    return do


NOTHING = deed()

#: what happened at Mailchimp before the change, then: is the member renamed, status at the old and at the
#: new address afterwards ('' for nobody), and where the contact stands
CASES: dict[str, tuple[Deed, bool, str, str, SyncState]] = {
    "subscribed, target free": (NOTHING, True, "", "subscribed", SyncState.SYNCED),
    "target exists": (
        deed((NEW, "sign_up")),
        False,
        "subscribed",
        "subscribed",
        SyncState.SYNCED,
    ),
    "target exists and said no": (
        deed((NEW, "sign_up"), (NEW, "unsubscribe")),
        False,
        "subscribed",
        "unsubscribed",
        SyncState.UNSUBSCRIBED,
    ),
    "target archived": (
        deed((NEW, "sign_up"), (NEW, "archive")),
        False,
        "subscribed",
        "archived",
        SyncState.ARCHIVED,
    ),
    # Mailchimp never takes such an address again but from the person (contract 4.5): the rename is refused,
    # the member stays as it was, and the page says why.
    "target deleted for good": (
        deed((NEW, "sign_up"), (NEW, "delete")),
        False,
        "subscribed",
        "",
        SyncState.FAILED,
    ),
    "unsubscribed": (
        deed((OLD, "unsubscribe")),
        False,
        "unsubscribed",
        "unsubscribed",
        SyncState.UNSUBSCRIBED,
    ),
    "unsubscribed, and the target exists": (
        deed((OLD, "unsubscribe"), (NEW, "sign_up")),
        False,
        "unsubscribed",
        "subscribed",
        SyncState.SYNCED,
    ),
    "cleaned": (deed((OLD, "bounce")), False, "cleaned", "subscribed", SyncState.SYNCED),
    "archived": (deed((OLD, "archive")), False, "archived", "", SyncState.ARCHIVED),
    "deleted for good": (deed((OLD, "delete")), False, "", "", SyncState.ARCHIVED),
}


def status(world: SyncWorld, email: str) -> str:
    return str(world.member(email)["status"]) if email in world.emails() else ""


@pytest.mark.parametrize("known", [True, False], ids=["known", "not yet known"])
@pytest.mark.parametrize("case", CASES)
def test_what_becomes_of_member_and_target(world: SyncWorld, case: str, known: bool) -> None:
    """Whether Lockstep has heard of what happened there or meets it only when it writes: the same end."""
    happened, renamed, old, new, state = CASES[case]
    contact = ContactFactory(company=world.company, email=OLD, first_name="Ann")
    world.start()
    world.refresh()
    member = world.member(OLD)["contact_id"]
    happened(world)
    if known:
        world.refresh()
    Contact.objects.filter(pk=contact.pk).update(email=NEW)
    world.work()
    world.refresh()
    assert (status(world, OLD), status(world, NEW)) == (old, new)
    assert world.states() == {state: 1}
    if new and new != "archived":
        assert (world.member(NEW)["contact_id"] == member) is renamed
        assert world.fields(NEW)["EMAIL"] == NEW
        assert world.fields(NEW)["SYNC"] == "Active"
    if old and old != "archived":
        left = state is not SyncState.FAILED
        assert world.fields(OLD)["SYNC"] == ("Inactive" if left else "Active")
        assert (world.fields(OLD)["URL"] == "") is left
    world.check_counts()
    world.forget_requests()
    world.refresh()
    assert world.writes() == []


def readdress(ids: Mapping[int, str]) -> None:
    """All at once, in one statement, as one transaction of people or an import may do."""
    with database.cursor() as cursor:
        cursor.execute(
            "UPDATE book_contact c SET email = n.email FROM unnest(%s::bigint[], %s::text[]) n(id, email)"
            " WHERE c.id = n.id",
            [list(ids), list(ids.values())],
        )


@pytest.mark.parametrize("count", [2, 3, 5])
@pytest.mark.parametrize("one_by_one", [False, True], ids=["at once", "one by one"])
def test_addresses_go_round(world: SyncWorld, count: int, one_by_one: bool) -> None:
    """A swap of two, a rotation of three and of five: everybody's data stands where the address is."""
    client = ClientFactory(company=world.company)
    emails = [f"{name}@round.example.net" for name in "abcdefgh"[:count]]
    contacts = [ContactFactory(client=client, email=email, first_name=email[0]) for email in emails]
    world.start()
    world.happen(emails[0], "unsubscribe")
    turned = {contact.pk: emails[(n + 1) % count] for n, contact in enumerate(contacts)}
    for part in [{pk: email} for pk, email in turned.items()] if one_by_one else [turned]:
        readdress(part)
        world.work()
    world.refresh()
    for n, contact in enumerate(contacts):
        fields = world.fields(emails[(n + 1) % count])
        assert (fields["FNAME"], fields["SYNC"]) == (contact.first_name, "Active")
        assert fields["URL"].endswith(f"/contacts/{contact.pk}/")
    # Consent belongs to the person behind an address: whoever said no there is not written to there.
    assert world.member(emails[0])["status"] == "unsubscribed"
    world.check_counts()
    world.forget_requests()
    world.refresh()
    assert world.writes() == []


def test_only_other_letters_are_an_update_and_no_rename(world: SyncWorld) -> None:
    contact = ContactFactory(company=world.company, email=OLD)
    world.start()
    before = world.member(OLD)
    world.forget_requests()
    Contact.objects.filter(pk=contact.pk).update(email=f" {OLD.upper()} ")
    world.work()
    [(method, _, body)] = world.writes()
    assert (method, list(body)) == ("PATCH", ["merge_fields"])
    assert world.member(OLD)["contact_id"] == before["contact_id"]
    assert world.fields(OLD)["EMAIL"] == OLD.upper()


def test_there_and_back_again_is_the_same_member(world: SyncWorld) -> None:
    contact = ContactFactory(company=world.company, email=OLD)
    world.start()
    member = world.member(OLD)["contact_id"]
    for email in (NEW, OLD, NEW):
        Contact.objects.filter(pk=contact.pk).update(email=email)
        world.work()
        assert world.member(email)["contact_id"] == member
    assert world.emails() & {OLD, NEW} == {NEW}


def test_an_address_that_a_deleted_contact_had_goes_to_the_one_who_takes_it(world: SyncWorld) -> None:
    gone = ContactFactory(company=world.company, email=OLD, first_name="Gone")
    other = ContactFactory(client=gone.client, email=NEW, first_name="Other")
    world.start()
    Contact.objects.filter(pk=gone.pk).update(deleted_at=gone.created_at)
    world.work()
    Contact.objects.filter(pk=other.pk).update(email=OLD)
    world.work()
    assert world.fields(OLD)["FNAME"] == "Other"
    assert world.fields(OLD)["SYNC"] == "Active"
    assert world.fields(NEW)["SYNC"] == "Inactive"
    Contact.objects.filter(pk=gone.pk).update(deleted_at=None)
    world.work()
    assert world.fields(OLD)["FNAME"] == "Other"  # the newest of the two
    world.check_counts()
