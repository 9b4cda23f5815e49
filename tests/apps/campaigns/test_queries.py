"""What pages show adds up, belongs to the company, and to own clients only where a rep is limited to them."""

from __future__ import annotations

import itertools
from datetime import timedelta

import pytest
from django.db import connection as database
from django.test.utils import CaptureQueriesContext
from tests.apps.campaigns.world import HOME, MUGS, SALE, CampaignWorld
from tests.factories import SeatFactory, TagFactory

from lockstep.apps.accounts.permissions import Actor
from lockstep.apps.book.errors import NotFound
from lockstep.apps.campaigns import queries
from lockstep.apps.campaigns.queries import CampaignFilter, Reaction

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]

QUIETLY = {"machine": 0, "soft": 0, "hard": 0, "open": 0}


def actor(world: CampaignWorld) -> Actor:
    return SeatFactory(company=world.sync.company).actor()


def test_numbers_are_the_reports(world: CampaignWorld) -> None:
    contacts = world.people(12, strangers=3)
    one = world.send("Spring")
    world.hours(1)
    two = world.send("Summer")
    world.hours(100)
    world.read()
    who = actor(world)
    listed = queries.campaign_list(who)
    assert [row.subject for row in listed.rows] == ["Summer", "Spring"]
    assert (listed.total, listed.first, listed.last) == (2, 1, 2)
    for row, sent in zip(listed.rows, (two, one), strict=True):
        there = world.totals_there(sent)
        for name in ("recipients", "opens", "openers", "clicks", "clickers", "unsubscribed"):
            assert getattr(row.figures, name) == there[name]
        assert row.complaints == there["complaints"]
        got_it = [one for one in contacts if world.contact_there(sent, one.email) is not None]
        assert row.in_book == len(got_it) >= 8
        assert row.is_read
        links = {link.url: (link.clicks, link.clickers) for link in queries.links_of(who, row.id)}
        assert links == there["links"]
        buckets = queries.activity_over_time(who, row.id)
        assert sum(bucket.opens + bucket.machine_opens for bucket in buckets) == there["opens"]
        assert sum(bucket.clicks for bucket in buckets) == there["clicks"]
        assert all(a.begin + a.length == b.begin for a, b in itertools.pairwise(buckets))
        assert len(buckets) <= 60
    assert listed.sums == listed.rows[0].figures + listed.rows[1].figures
    for contact in contacts:
        found = queries.contact_activity(who, contact.pk)
        there = [world.contact_there(sent, contact.email) for sent in (two, one)]
        assert [
            (row.figures.opens, row.figures.clicks, row.bounce, row.figures.unsubscribed == 1)
            for row in found.campaigns
        ] == [one for one in there if one is not None]
    by_client = queries.by_client(who, campaign_id=listed.rows[0].id)
    assert by_client.total == 3
    for group in by_client.rows:
        live = queries.client_activity(who, group.id or 0)
        assert live.campaigns[0].figures == group.figures
        assert sum(person.figures.recipients for person in live.contacts) == live.figures.recipients
    assert sum(group.figures.recipients for group in by_client.rows) == listed.rows[0].in_book


def test_a_contact_page_tells_links_and_a_timeline(world: CampaignWorld) -> None:
    contact, *_ = world.people(2)
    sent = world.send("Gifts", **QUIETLY)
    world.hours(1)
    world.play(sent, contact.email)
    world.hours(1)
    world.play(sent, contact.email)
    world.play(sent, contact.email, "click", SALE)
    world.hours(1)
    world.play(sent, contact.email, "click", MUGS)
    world.read()
    who = actor(world)
    stamp = queries.activity_stamp(who, contact.pk)
    found = queries.contact_activity(who, contact.pk)
    assert sorted((line.kind, line.times) for line in found.lines) == [
        ("click", 1),
        ("click", 1),
        ("open", 2),
        ("sent", 1),
    ]
    assert [line.at for line in found.lines] == sorted((line.at for line in found.lines), reverse=True)
    assert list(found.campaigns[0].links) == [MUGS, SALE]
    world.hours(1)
    world.sync.happen(contact.email, "unsubscribe", campaign_id=sent, reason="Too many")
    world.read()
    assert queries.activity_stamp(who, contact.pk) != stamp
    first = queries.contact_activity(who, contact.pk).lines[0]
    assert (first.kind, first.reason, first.campaign) == ("unsubscribe", "Too many", "Gifts")


def test_reactions_divide_the_contacts(world: CampaignWorld) -> None:
    clicked, opened, silent, left, bounced = world.people(5)
    sent = world.send(**QUIETLY)
    world.hours(1)
    world.play(sent, clicked.email, "click", HOME)
    world.play(sent, opened.email)
    world.sync.happen(left.email, "unsubscribe", campaign_id=sent)
    world.sync.happen(bounced.email, "bounce", campaign_id=sent)
    world.hours(1)
    world.read()
    who, campaign = actor(world), world.campaign(sent)

    def found(reaction: Reaction) -> set[int]:
        return set(queries.contacts_who(who, campaign.pk, reaction).values_list("pk", flat=True))

    assert found(Reaction.SENT) == {one.pk for one in (clicked, opened, silent, left, bounced)}
    assert found(Reaction.CLICKED) == found(Reaction.CLICKED_UNTOUCHED) == {clicked.pk}
    assert found(Reaction.OPENED) == {clicked.pk, opened.pk}
    assert found(Reaction.OPENED_NOT_CLICKED) == {opened.pk}
    assert found(Reaction.SILENT) == {silent.pk, left.pk}
    assert found(Reaction.UNSUBSCRIBED) == {left.pk}
    assert found(Reaction.BOUNCED) == {bounced.pk}
    [link] = queries.links_of(who, campaign.pk)
    assert queries.contacts_who(who, campaign.pk, Reaction.CLICKED, link=link.number).count() == 1
    assert queries.contacts_who(who, campaign.pk, Reaction.CLICKED, link=link.number + 1).count() == 0
    with pytest.raises(NotFound):
        queries.contacts_who(SeatFactory().actor(), campaign.pk, Reaction.CLICKED)


def test_clicked_but_nobody_has_touched_them_since(world: CampaignWorld) -> None:
    from lockstep.apps.book.services import save_contact

    called, forgotten, *_ = world.people(2, clients=2)
    sent = world.send(**QUIETLY)
    world.hours(1)
    for contact in (called, forgotten):
        world.play(sent, contact.email, "click", HOME)
    world.read()
    who, campaign = actor(world), world.campaign(sent)
    assert queries.contacts_who(who, campaign.pk, Reaction.CLICKED_UNTOUCHED).count() == 2
    save_contact(who, contact_id=called.pk, position="Rang, wants mugs")
    found = queries.contacts_who(who, campaign.pk, Reaction.CLICKED_UNTOUCHED)
    assert [contact.pk for contact in found] == [forgotten.pk]


def test_who_went_quiet(world: CampaignWorld) -> None:
    keen, quiet, *_ = world.people(2)
    who = actor(world)
    for number in range(3):
        sent = world.send(f"Number {number}", **QUIETLY)
        world.hours(2)
        if number == 0:
            world.play(sent, keen.email)
        world.hours(100)
    world.read()
    assert set(queries.quiet_contacts(who, campaigns=2)) == {keen, quiet}
    assert set(queries.quiet_contacts(who, campaigns=3)) == {quiet}
    assert not queries.quiet_contacts(who, campaigns=4).exists()


def test_a_rep_limited_to_own_clients_sees_only_theirs_counted(world: CampaignWorld) -> None:
    contacts = world.people(9, clients=3)
    rep = SeatFactory(company=world.sync.company, own_clients_only=True)
    mine = contacts[0].client
    mine.rep = rep.user
    mine.save()
    tag = TagFactory(company=world.sync.company)
    for contact in contacts:
        contact.tag_ids = [tag.pk]
        contact.save()
    sent = world.send(**QUIETLY)
    world.hours(1)
    for contact in contacts:
        world.play(sent, contact.email, "click", HOME)
    world.read()
    limited, everybody = rep.actor(), actor(world)
    [row] = queries.campaign_list(limited).rows
    assert (row.figures.recipients, row.figures.clicks, row.in_book, row.complaints) == (3, 3, 3, 0)
    assert queries.campaign_list(limited).sums.clicks == 3
    assert [link.clickers for link in queries.links_of(limited, row.id)] == [3]
    assert sum(bucket.clicks for bucket in queries.activity_over_time(limited, row.id)) == 3
    assert [group.id for group in queries.by_client(limited).rows] == [mine.pk]
    assert [(group.id, group.figures.clickers) for group in queries.by_rep(limited)] == [(rep.user_id, 3)]
    assert [group.figures.clickers for group in queries.by_tag(limited, row.id)] == [3]
    assert [group.figures.clickers for group in queries.by_tag(everybody, row.id)] == [9]
    assert queries.contacts_who(limited, row.id, Reaction.CLICKED).count() == 3
    with pytest.raises(NotFound):
        queries.contact_activity(limited, contacts[1].pk)
    with pytest.raises(NotFound):
        queries.client_activity(limited, contacts[1].client_id)


def test_nothing_of_another_company_is_found(world: CampaignWorld) -> None:
    contact, *_ = world.people(2)
    sent = world.send()
    world.hours(50)
    world.read()
    stranger, campaign = SeatFactory().actor(), world.campaign(sent).pk
    assert queries.campaign_list(stranger).total == 0
    assert queries.by_client(stranger).rows == queries.by_rep(stranger) == []
    assert queries.by_tag(stranger, campaign) == []
    for ask in (
        lambda: queries.campaign_row(stranger, campaign),
        lambda: queries.links_of(stranger, campaign),
        lambda: queries.activity_over_time(stranger, campaign),
        lambda: queries.contact_activity(stranger, contact.pk),
        lambda: queries.activity_stamp(stranger, contact.pk),
        lambda: queries.client_activity(stranger, contact.client_id),
    ):
        with pytest.raises(NotFound):
            ask()


def test_lists_are_searched_narrowed_and_cost_the_same_however_long(world: CampaignWorld) -> None:
    world.people(2)
    world.send("Mugs in May")
    world.hours(24 * 60)
    world.send("100% cotton")
    world.hours(50)
    world.read()
    who = actor(world)

    def subjects(**wanted: object) -> list[str]:
        return [row.subject for row in queries.campaign_list(who, CampaignFilter(**wanted)).rows]

    assert subjects(search="mugs") == ["Mugs in May"]
    assert subjects(search="100%") == ["100% cotton"]
    assert subjects(search="_") == []
    assert subjects(since=world.clock.now() - timedelta(days=10)) == ["100% cotton"]
    with CaptureQueriesContext(database) as two:
        queries.campaign_list(who)
    world.send("Third")
    world.hours(50)
    world.read()
    with CaptureQueriesContext(database) as three:
        queries.campaign_list(who)
    assert len(three) == len(two) == 3
