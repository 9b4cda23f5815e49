"""What is read equals the practice Mailchimp's own reports, and is read once."""

from __future__ import annotations

from datetime import timedelta

import pytest
from tests.apps.campaigns.world import HOME, MUGS, SALE, CampaignWorld
from tests.factories import ClientFactory, ContactFactory

from lockstep.apps.book.models import Contact
from lockstep.apps.campaigns.models import Campaign, ClientFigure, Person, Reaction, Reading, Recipient

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]


def test_first_reading_gives_the_sent_set_and_all_totals(world: CampaignWorld) -> None:
    contacts = world.people(30, strangers=10)
    first, second = world.send("Spring"), world.send("Summer", open=0)
    world.hours(100)
    world.read()
    for campaign in (first, second):
        assert world.totals_here(campaign) == world.totals_there(campaign)
        for contact in contacts:
            assert world.contact_here(campaign, contact) == world.contact_there(campaign, contact.email)
    assert world.totals_here(first)["opens"] > 10
    assert world.totals_here(first)["clicks"] > 3
    assert world.campaign(first).recipients > 40, "the practice audience has people of its own"
    assert world.campaign(first).in_book == 30
    world.check_sums()


def test_nothing_moved_costs_one_call(world: CampaignWorld) -> None:
    world.people(5)
    world.send()
    world.hours(24 * 8)
    world.read()
    world.hours(24 * 8)
    assert world.calls(world.read) == ["/reports"]


def test_only_what_moved_is_read_again_and_counts_once(world: CampaignWorld) -> None:
    contact, *_ = world.people(6)
    still = world.send("Still", soft=0, hard=0)
    moving = world.send("Moving", soft=0, hard=0, machine=0, open=0)
    world.hours(24 * 7)
    world.read()
    before = world.totals_here(moving)
    world.play(moving, contact.email, "click", SALE)
    world.hours(24 * 7)
    paths = world.calls(world.read)
    assert paths == [
        "/reports",
        f"/reports/{moving}/email-activity",
        f"/reports/{moving}",
    ]
    assert world.totals_here(moving)["clicks"] == before["clicks"] + 1
    assert world.totals_here(still) == world.totals_there(still)
    rows = set(Reaction.objects.values_list("campaign_id", "person_id", "what", "at", "nth"))
    Reading.objects.update(full_wanted=True)
    world.hours(24 * 7)
    world.read()
    assert set(Reaction.objects.values_list("campaign_id", "person_id", "what", "at", "nth")) == rows


def test_events_of_one_second_are_told_apart_and_never_doubled(world: CampaignWorld) -> None:
    contact, *_ = world.people(2)
    sent = world.send(machine=0, soft=0, hard=0, open=0)
    world.hours(1)
    for _ in range(3):
        world.play(sent, contact.email)
        world.play(sent, contact.email, "click", HOME)
    for _ in range(3):
        world.read()
        world.hours(2)
        assert world.contact_here(sent, contact) == (3, 3, 0, False)
    world.play(sent, contact.email, "click", HOME)
    world.play(sent, contact.email, "click", MUGS)
    world.hours(24)
    world.read()
    assert world.contact_here(sent, contact) == (3, 5, 0, False)
    assert world.totals_here(sent) == world.totals_there(sent)


def test_unsubscribes_come_with_their_reason(world: CampaignWorld) -> None:
    contact, *_ = world.people(3)
    sent = world.send(machine=0, soft=0, hard=0, open=0)
    world.hours(1)
    world.read()
    world.sync.happen(contact.email, "unsubscribe", campaign_id=sent, reason="Too many mails")
    world.hours(1)
    world.read()
    campaign = world.campaign(sent)
    [unsubscribe] = campaign.unsubscribes.all()
    assert (unsubscribe.reason, campaign.unsubscribed) == ("Too many mails", 1)
    assert world.contact_here(sent, contact) == (0, 0, 0, True)


def test_an_address_changed_at_mailchimp_keeps_its_history(world: CampaignWorld) -> None:
    contact, *_ = world.people(4)
    sent = world.send(machine=0, soft=0, hard=0, open=0)
    world.hours(1)
    world.play(sent, contact.email, "click", SALE)
    world.hours(1)
    world.read()
    world.sync.happen(contact.email, "edit", new_email="renamed@client.example.net")
    world.play(sent, "renamed@client.example.net", "click", MUGS)
    world.hours(5)
    world.sync.refresh()
    world.read()
    assert world.contact_here(sent, contact) == (1, 2, 0, False)
    assert world.totals_here(sent) == world.totals_there(sent)
    assert Person.objects.filter(contact_id=contact.pk).count() == 1


def test_an_address_changed_in_the_book_keeps_its_history(world: CampaignWorld) -> None:
    contact, *_ = world.people(4)
    sent = world.send(machine=0, soft=0, hard=0, open=0)
    world.hours(1)
    world.play(sent, contact.email)
    world.hours(1)
    world.read()
    contact.email = "other@client.example.net"
    contact.save()
    world.sync.work()
    world.play(sent, contact.email, "click", MUGS)
    world.hours(5)
    world.read()
    assert world.contact_here(sent, contact) == (1, 1, 0, False)
    assert world.totals_here(sent) == world.totals_there(sent)


def test_read_before_the_mirror_knows_of_a_new_address_and_united_after(world: CampaignWorld) -> None:
    contact, *_ = world.people(4)
    sent = world.send(machine=0, soft=0, hard=0, open=0)
    world.hours(1)
    world.play(sent, contact.email)
    world.hours(1)
    world.read()
    world.sync.happen(contact.email, "edit", new_email="renamed@client.example.net")
    world.play(sent, "renamed@client.example.net", "click", MUGS)
    world.hours(5)
    world.read()  # the mirror still has the old address
    world.check_sums()
    world.sync.refresh()
    world.hours(24)
    world.read()
    assert world.contact_here(sent, contact) == (1, 1, 0, False)
    assert world.totals_here(sent) == world.totals_there(sent)


def test_two_who_change_addresses_with_each_other(world: CampaignWorld) -> None:
    one, other, *_ = world.people(4)
    sent = world.send(machine=0, soft=0, hard=0, open=0)
    world.hours(1)
    world.play(sent, one.email, "click", MUGS)
    world.hours(1)
    world.read()
    first, second = one.email, other.email
    keys = {world.sync.member(email)["contact_id"] for email in (first, second)}
    world.sync.happen(first, "edit", new_email="between@client.example.net")
    world.sync.happen(second, "edit", new_email=first)
    world.sync.happen("between@client.example.net", "edit", new_email=second)
    world.play(sent, first, "click", SALE)  # the other one, by now
    world.hours(30)
    world.read()  # takes the click for the first one's: the mirror is behind
    world.sync.refresh()
    world.hours(30)
    world.read()
    world.hours(30)
    world.read()
    clicks = dict(
        Recipient.objects.filter(campaign__mailchimp_id=sent, clicks__gt=0).values_list(
            "person__contact_key", "clicks"
        )
    )
    assert clicks == dict.fromkeys(keys, 1)
    assert world.totals_here(sent) == world.totals_there(sent)


def test_somebody_deleted_for_good_leaves_only_numbers(world: CampaignWorld) -> None:
    contact, *_ = world.people(4)
    sent = world.send(machine=0, soft=0, hard=0, open=0)
    world.hours(1)
    world.play(sent, contact.email, "click", MUGS)
    world.hours(1)
    world.read()
    world.sync.happen(contact.email, "delete")
    for _ in range(3):
        world.hours(30)
        world.read()
    assert world.contact_here(sent, contact) is None
    assert world.totals_here(sent) == world.totals_there(sent)
    assert world.totals_here(sent)["clicks"] == 1
    world.check_sums()


def test_people_who_turn_up_in_the_book_later_bring_their_history(world: CampaignWorld) -> None:
    world.people(2, strangers=3)
    sent = world.send(machine=0, soft=0, hard=0, open=0)
    world.hours(1)
    world.play(sent, "stranger1@elsewhere.example.net", "click", HOME)
    world.hours(1)
    world.read()
    client = ClientFactory(company=world.sync.company)
    contact = ContactFactory(client=client, email="Stranger1@Elsewhere.example.net")
    world.hours(2)
    world.read()
    assert world.contact_here(sent, contact) == (1, 1, 0, False)
    assert world.campaign(sent).in_book == 3
    assert ClientFigure.objects.get(client=client).clickers == 1


def test_a_merged_contact_brings_its_history_along(world: CampaignWorld) -> None:
    kept, merged, *_ = world.people(2, clients=1)
    sent = world.send(machine=0, soft=0, hard=0, open=0)
    world.hours(1)
    world.play(sent, merged.email, "click", HOME)
    world.hours(1)
    world.read()
    Contact.objects.filter(pk=merged.pk).update(deleted_at=world.clock.now(), merged_into=kept)
    world.hours(2)
    world.read()
    people = Person.objects.filter(contact_id=kept.pk)
    assert Recipient.objects.filter(person__in=people, clicks=1).count() == 1
    assert people.count() == 2


def test_machines_are_told_apart_by_address_and_moment(world: CampaignWorld) -> None:
    contacts = world.people(20)
    sent = world.send(machine=1, soft=0, hard=0, open=0)
    world.hours(1)
    world.play(sent, contacts[0].email)
    world.hours(1)
    world.read()
    campaign = world.campaign(sent)
    assert campaign.opens == campaign.recipients + 1
    assert campaign.machine_opens == campaign.recipients
    assert (campaign.openers, campaign.human_openers) == (campaign.recipients, 1)


def test_campaigns_to_other_audiences_are_not_read(world: CampaignWorld) -> None:
    from lockstep.sandbox import marketer, seeding

    world.people(2)
    other = seeding.add_audience(world.sandbox, name="Another")
    seeding.add_members(world.sandbox, other["id"], generate=3)
    marketer.create_campaign(world.sandbox, other["id"], "Elsewhere", send=True)
    world.hours(5)
    assert world.calls(world.read) == ["/reports"]
    assert not Campaign.objects.exists()


def test_a_campaign_that_somebody_looks_at_goes_first(world: CampaignWorld) -> None:
    world.people(2)
    older = world.send("Older")
    world.hours(50)
    newer = world.send("Newer")
    world.hours(50)
    world.read(minutes=0)  # the index alone
    Reading.objects.filter(campaign__mailchimp_id=older).update(asked_at=world.clock.now())
    paths = [path for path in world.calls(lambda: world.read(index_now=False)) if "activity" in path]
    assert paths == [f"/reports/{older}/email-activity", f"/reports/{newer}/email-activity"]
    assert world.reading(older).asked_at is None


def test_a_campaign_deleted_at_mailchimp_stays_as_it_was(world: CampaignWorld) -> None:
    world.people(2)
    sent = world.send(soft=0, hard=0)
    world.hours(50)
    world.read()
    before = world.totals_here(sent)
    Reading.objects.update(asked_at=world.clock.now())
    del world.sandbox.store("campaigns", lambda: None)._all[sent]
    world.hours(1)
    world.read()
    assert world.totals_here(sent) == before
    assert world.reading(sent).asked_at is None


def test_mailchimp_away_is_noted_and_forgotten_again(world: CampaignWorld) -> None:
    from lockstep.apps.campaigns.models import ReportIndex
    from lockstep.core.errors import AudienceUnavailable

    world.people(2)
    world.sandbox.faults.add("internal_error", path="/reports", times=20)
    with pytest.raises(AudienceUnavailable):
        world.read()
    assert ReportIndex.objects.get().trouble
    world.sandbox.faults.clear()
    world.hours(1)
    world.read()
    assert ReportIndex.objects.get().trouble == ""


def test_forgetting_keeps_totals_and_nobody(world: CampaignWorld) -> None:
    from lockstep.apps.campaigns.reading.retention import forget_old

    world.people(3)
    old = world.send("Old")
    world.hours(24 * 30)
    new = world.send("New")
    world.hours(50)
    world.read()
    totals, later = world.totals_here(old), world.clock.now() + timedelta(days=2 * 365 - 10)
    assert forget_old(world.sync.company.pk, later) == 1
    campaign = world.campaign(old)
    assert (campaign.recipients, campaign.clicks) == (totals["recipients"], totals["clicks"])
    assert not Recipient.objects.filter(campaign=campaign).exists()
    assert not Reaction.objects.filter(campaign=campaign).exists()
    assert world.totals_here(new) == world.totals_there(new)
    assert forget_old(world.sync.company.pk, later) == 0
