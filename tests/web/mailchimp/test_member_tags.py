"""Tags in Mailchimp: the setting on the Configure page, in the dry run, and on the contact's page."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client as Browser
from django.urls import reverse
from tests.factories import (
    ConnectionFactory,
    ContactFactory,
    MailchimpAccountFactory,
    SeatFactory,
    TagFactory,
)

from lockstep.apps.accounts.models import Seat
from lockstep.apps.book.models import HistoryEntry, Tag
from lockstep.apps.connections import services
from lockstep.apps.connections.errors import SyncIsOn, TagsRefused
from lockstep.apps.connections.models import Connection
from lockstep.apps.connections.services import TagSettings
from lockstep.apps.sync.models import MemberRecord, ObservedRecord, PlanRow, SyncRun, WrittenTag
from lockstep.apps.sync.queries import contact_sync
from lockstep.core.identity import address_key, subscriber_hash
from lockstep.core.tags import TagRule

BrowserOf = Callable[[Seat], Browser]
ON = {"member_tags": "on", "tag_prefix": "Book: ", "tag_contacts": "on", "new_status": "pending"}


@pytest.fixture
def admin(db: None) -> Seat:
    return SeatFactory()


@pytest.fixture
def link(admin: Seat) -> Connection:
    return ConnectionFactory(account=MailchimpAccountFactory(company=admin.company), member_count=10)


def address(name: str, link: Connection) -> str:
    return reverse(f"mailchimp:{name}", args=[link.pk])


def test_off_by_default_and_kept_with_a_start(admin: Seat, browser_of: BrowserOf, link: Connection) -> None:
    assert link.tag_rule is None
    assert not link.clears_tags
    page = browser_of(admin).get(address("configure", link))
    assert 'value="off" checked' in page.text
    assert 'value="remove"' not in page.text  # nothing was ever written that could be taken off
    browser_of(admin).post(address("start", link), ON)
    link.refresh_from_db()
    assert link.tag_rule == TagRule("Book: ", contact=True, client=False)
    assert link.runs.filter(kind=SyncRun.Kind.START).exists()
    assert HistoryEntry.objects.filter(action="configure").count() == 2


def test_a_form_without_the_part_changes_nothing(
    admin: Seat, browser_of: BrowserOf, link: Connection
) -> None:
    Connection.objects.filter(pk=link.pk).update(member_tags=True)
    browser_of(admin).post(address("start", link), {"new_status": "pending"})
    link.refresh_from_db()
    assert link.member_tags


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"tag_prefix": "  "}, "at least one letter"),
        ({"tag_prefix": "x" * 21}, "20 characters"),
        ({"tag_contacts": None}, "Choose contact tags"),
    ],
)
def test_what_cannot_be_is_said_and_nothing_starts(
    admin: Seat, browser_of: BrowserOf, link: Connection, wrong: dict[str, str | None], words: str
) -> None:
    posted = {name: value for name, value in (ON | wrong).items() if value is not None}
    page = browser_of(admin).post(address("start", link), posted)
    assert page.status_code == 422
    assert words in page.text
    link.refresh_from_db()
    assert not link.member_tags
    assert not link.runs.exists()


def test_taking_off_is_offered_where_something_was_written(
    admin: Seat, browser_of: BrowserOf, link: Connection
) -> None:
    Connection.objects.filter(pk=link.pk).update(member_tags=True, member_tag_prefix="Book: ")
    WrittenTag.objects.create(connection=link, member_hash="a" * 32, name="Book: VIP")
    page = browser_of(admin).get(address("configure", link))
    assert 'value="remove"' in page.text
    browser_of(admin).post(address("start", link), {"member_tags": "remove", "new_status": "pending"})
    link.refresh_from_db()
    assert (link.tag_rule, link.clears_tags, link.member_tag_prefix) == (None, True, "Book: ")


def test_settings_wait_until_the_sync_is_stopped(admin: Seat, link: Connection) -> None:
    Connection.objects.filter(pk=link.pk).update(mode=Connection.Mode.ON)
    settings = TagSettings(on=True, prefix="Book: ", contacts=True, clients=False)
    with pytest.raises(SyncIsOn):
        services.save_member_tags(admin.actor(), link, settings)


def test_the_service_checks_what_the_page_checks(admin: Seat, link: Connection) -> None:
    settings = TagSettings(on=True, prefix="Book: ", contacts=False, clients=False)
    with pytest.raises(TagsRefused):
        services.save_member_tags(admin.actor(), link, settings)


def test_the_dry_run_tells_tags(admin: Seat, browser_of: BrowserOf, link: Connection) -> None:
    contact = ContactFactory(company=admin.company)
    run = SyncRun.objects.create(
        company=admin.company,
        connection=link,
        kind=SyncRun.Kind.PREVIEW,
        state=SyncRun.State.FINISHED,
        plan={"tags_added": 3, "tags_removed": 1, "updates": 1},
    )
    PlanRow.objects.create(
        run=run, contact_id=contact.pk, step=PlanRow.Step.TAG, text="Tags put on: Book: <VIP>."
    )
    page = browser_of(admin).get(address("dry_run", link) + "?step=tag")
    assert "3 to put on, 1 to take off" in page.text
    assert "Tags put on: Book: &lt;VIP&gt;." in page.text


def test_the_contact_is_compared_in_its_tags_and_others_tags_are_told_apart(
    admin: Seat, browser_of: BrowserOf, link: Connection
) -> None:
    Connection.objects.filter(pk=link.pk).update(member_tags=True, member_tag_prefix="Book: ")
    tag = TagFactory(company=admin.company, kind=Tag.Kind.CONTACT, name="VIP")
    contact = ContactFactory(company=admin.company, email="pat@x.example.net", tag_ids=[tag.pk])
    member = subscriber_hash(address_key(contact.email))
    MemberRecord.objects.create(
        company=admin.company, connection=link, contact=contact, reason="fits", member_hash=member
    )
    ObservedRecord.objects.create(
        connection=link,
        member_hash=member,
        email=contact.email,
        status="subscribed",
        values=[""] * 18,
        tags=["book: vip", "Book: Old", "Book: By <hand>"],
    )
    WrittenTag.objects.create(connection=link, member_hash=member, name="Book: Old")
    sync = contact_sync(contact)
    assert sync is not None
    row = next(row for row in sync.fields if row.name == "member_tags")
    assert (row.book, row.mailchimp, row.differs) == ("Book: VIP", "Book: VIP, Book: Old", True)
    page = browser_of(admin).get(reverse("book:contact_marketing", args=[contact.pk]))
    assert "left alone: Book: By &lt;hand&gt;" in page.text
    WrittenTag.objects.all().delete()
    sync = contact_sync(contact)
    assert sync is not None
    row = next(row for row in sync.fields if row.name == "member_tags")
    assert not row.differs
