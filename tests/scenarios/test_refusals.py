"""Every refusal, of one contact and of everything, as people meet it: kind, Mailchimp's words, what ends it.

Over real HTTP. The table is the error catalogue (contract 4.5, 5, 7): what is refused is remembered and not
asked again until the contact changes or a person asks.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from lockstep.apps.book.models import Contact
from lockstep.apps.connections.models import Connection
from lockstep.apps.connections.services import connect_api_key
from lockstep.apps.sync import services
from lockstep.apps.sync.models import MemberRecord, SyncRun
from lockstep.core.errors import BrokenKind
from lockstep.core.member import SyncState
from lockstep.core.outcome import RefusalKind
from lockstep.sandbox.member import hash_of
from lockstep.web.failures import BROKEN, FAILURES
from tests.factories import ClientFactory, ContactFactory
from tests.scenarios.world import SyncWorld

WHO = "pat@kestrel-outdoor.com"


def deleted_for_good(world: SyncWorld) -> None:
    world.happen(WHO, "sign_up")
    world.happen(WHO, "delete")


def barred(world: SyncWorld) -> None:
    world.happen(WHO, "bar")


def many_signups(world: SyncWorld) -> None:
    world.happen(WHO, "too_many_signups")


def looks_fake(world: SyncWorld) -> None:
    world.server.sandbox.switches.set("refuse_fake_addresses", True)
    Contact.objects.filter(email=WHO).update(email="info@kestrel-outdoor.com")


def cannot_exist(world: SyncWorld) -> None:
    Contact.objects.filter(email=WHO).update(email="pät@kestrel-outdoor.com")


def half_an_address(world: SyncWorld) -> None:
    world.happen(WHO, "sign_up")
    world.happen(WHO, "edit", merges={"ADDRESS": {"addr1": "1 High St"}})


def says_yes_and_stores_nothing(world: SyncWorld) -> None:
    world.server.sandbox.switches.set("stored_address", "ignore")
    half_an_address(world)


def plan_is_full(world: SyncWorld) -> None:
    world.server.sandbox.faults.add("plan_limit")


#: what is wrong, the kind that it becomes, and some of Mailchimp's words
REFUSALS: list[tuple[Callable[[SyncWorld], None], RefusalKind, str]] = [
    (deleted_for_good, RefusalKind.FORGOTTEN, "was permanently deleted and cannot be re-imported"),
    (barred, RefusalKind.COMPLIANCE, "is in a compliance state"),
    (many_signups, RefusalKind.TOO_MANY_SIGNUPS, "has signed up to a lot of lists very recently"),
    (looks_fake, RefusalKind.FAKE_ADDRESS, "looks fake or invalid"),
    (cannot_exist, RefusalKind.INVALID_ADDRESS, "valid email address"),
    (half_an_address, RefusalKind.REQUIRED_FIELD, "merge fields were invalid"),
    (says_yes_and_stores_nothing, RefusalKind.MERGE_FIELDS, "did not store"),
    (plan_is_full, RefusalKind.OVER_PLAN, "contact limit of its plan"),
]


@pytest.mark.parametrize(("prepare", "kind", "words"), REFUSALS, ids=[row[0].__name__ for row in REFUSALS])
def test_one_refused_contact_is_remembered_until_it_changes_or_somebody_asks(
    world: SyncWorld, prepare: Callable[[SyncWorld], None], kind: RefusalKind, words: str
) -> None:
    contact = ContactFactory(company=world.company, email=WHO)
    ContactFactory(company=world.company, email="other@kestrel-outdoor.com")
    prepare(world)

    run = world.start()

    assert run.state == SyncRun.State.PARTIAL
    record = world.record(contact)
    assert (record.state, record.refusal_kind) == (SyncState.FAILED.value, kind.value)
    assert words in record.refusal_text
    assert FAILURES[kind].steps
    world.check_counts()
    if kind is not RefusalKind.OVER_PLAN:
        assert world.states()[SyncState.SYNCED] == 1

    world.forget_requests()
    world.refresh()
    world.work()
    assert world.writes() == []

    Contact.objects.filter(pk=contact.pk).update(position="Changed")
    world.work()
    assert len(world.writes()) == 1

    world.forget_requests()
    services.retry(world.actor, world.connection, states=[SyncState.FAILED], contact_ids=[contact.pk])
    world.work()
    assert len(world.writes()) == 1
    assert world.record(contact).refusal_kind == kind.value
    world.check_counts()


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ("key_revoked", BrokenKind.KEY_REVOKED),
        ("user_disabled", BrokenKind.USER_DISABLED),
        ("audience_deleted", BrokenKind.AUDIENCE_GONE),
    ],
)
def test_what_refuses_everybody_pauses_and_the_way_back_keeps_everything(
    world: SyncWorld, fault: str, kind: BrokenKind
) -> None:
    contact = ContactFactory(company=world.company, email=WHO, position="Buyer")
    world.connection.unsubscribe_sets_no_marketing = True
    world.connection.save()
    world.start()
    rule = world.server.sandbox.faults.add(fault)
    Contact.objects.filter(pk=contact.pk).update(position="Meanwhile")
    world.work()

    assert (world.connection.broken_kind, world.connection.mode) == (kind.value, Connection.Mode.ON)
    assert world.connection.broken_text
    assert BROKEN[kind].todo
    assert world.states() == {SyncState.PENDING: 1}
    world.check_counts()

    world.server.sandbox.faults.remove(rule.number)
    if kind is BrokenKind.AUDIENCE_GONE:
        services.start_sync(world.actor, world.connection)
    else:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("django.conf.settings.MAILCHIMP_API_BASE_OVERRIDE", world.server.url)
            world.account.account_id = next(iter(world.server.sandbox.accounts.values())).id
            world.account.save()
            again = connect_api_key(world.actor, world.server.api_key)
        assert again.pk == world.account.pk
    world.work()
    assert world.connection.broken_kind == ""
    assert world.connection.unsubscribe_sets_no_marketing
    assert world.fields(WHO)["POS"] == "Meanwhile"
    assert world.states() == {SyncState.SYNCED: 1}


EACH = 160
"""Contacts refused for each of six causes: just under five in a hundred of all."""

ALL = 20_000


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_twenty_thousand_with_five_in_a_hundred_refused_add_up_to_the_last_contact(world: SyncWorld) -> None:
    """Nobody hides behind anybody (P5), and every contact is in exactly one count (P4)."""
    client = ClientFactory(company=world.company)
    emails = [f"p{number}@kestrel-outdoor.com" for number in range(ALL)]
    # Spread, so that every batch has some of each.
    causes = [emails[start::125] for start in range(6)]
    forgotten, compliance, recent, fake, invalid, half = causes
    assert {len(some) for some in causes} == {EACH}
    fakes = dict(zip(fake, (f"info@c{n}.kestrel-outdoor.com" for n in range(EACH)), strict=True))
    bads = dict(zip(invalid, (f"pät{n}@kestrel-outdoor.com" for n in range(EACH)), strict=True))
    left, gone = emails[6::500], emails[7::500]
    for email in [*left, *gone, *half]:
        world.happen(email, "sign_up")
    for email in left:
        world.happen(email, "unsubscribe")
    for email in gone:
        world.happen(email, "archive")
    for email in half:
        world.happen(email, "edit", merges={"ADDRESS": {"addr1": "1 High St"}})
    world.audience.forgotten.update(hash_of(email) for email in forgotten)
    world.audience.barred.update(hash_of(email) for email in compliance)
    world.audience.too_recent.update(hash_of(email) for email in recent)
    world.server.sandbox.switches.set("refuse_fake_addresses", True)
    # Proven before: the practice account's own address would be among those that look fake.
    world.connection.batch_proof = Connection.BatchProof.KEPT
    world.connection.save()
    beforehand = world.emails()
    no_email, flagged = 30, 20
    Contact.objects.bulk_create(
        [
            *(
                Contact(company=world.company, client=client, email=fakes.get(email, bads.get(email, email)))
                for email in emails
            ),
            *(Contact(company=world.company, client=client, last_name=f"N{n}") for n in range(no_email)),
            *(
                Contact(company=world.company, client=client, email=f"f{n}@x.com", no_marketing=True)
                for n in range(flagged)
            ),
        ],
        batch_size=5_000,
    )

    run = world.start()

    assert run.state == SyncRun.State.PARTIAL
    assert world.states() == {
        SyncState.SYNCED: ALL - 6 * EACH - len(left) - len(gone),
        SyncState.FAILED: 6 * EACH,
        SyncState.UNSUBSCRIBED: len(left),
        SyncState.ARCHIVED: len(gone),
    }
    kinds = MemberRecord.objects.filter(connection=world.connection, state=SyncState.FAILED.value)
    counted = dict.fromkeys(
        ("forgotten", "compliance", "too_many_signups", "fake_address", "invalid_address", "required_field"),
        EACH,
    )
    assert {kind: kinds.filter(refusal_kind=kind).count() for kind in counted} == counted
    world.check_counts()
    assert (run.done, run.total, run.refused) == (ALL, ALL, 6 * EACH)
    # The half-addressed, the unsubscribed and the archived were there, and are there still.
    refused = {*forgotten, *compliance, *recent, *fake, *invalid}
    assert world.emails() - beforehand == set(emails) - refused - beforehand
    assert {world.member(email)["status"] for email in left} == {"unsubscribed"}

    world.forget_requests()
    again = world.refresh()
    assert world.writes() == []
    assert (again.done, again.total) == (ALL, ALL)
