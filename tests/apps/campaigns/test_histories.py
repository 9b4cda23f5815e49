"""Random histories of campaigns, subscribers, the book and a reader that crashes: in the end all is equal.

Whatever happened in between, once nothing moves any more the totals of every campaign are those of the
practice Mailchimp's own report, and every contact's are those of their mail. After every single step, crashed
or not, every sum is the sum of its parts.
"""

from __future__ import annotations

import contextlib
import random

import pytest
from tests.apps.campaigns.world import HOME, MUGS, SALE, CampaignWorld
from tests.factories import ContactFactory

from lockstep.apps.book.models import Contact
from lockstep.apps.campaigns.models import ClientFigure, Reaction
from lockstep.sandbox.subscriber import CannotHappen

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True), pytest.mark.slow]


class History:
    """One run of chance."""

    def __init__(self, world: CampaignWorld, seed: int) -> None:
        self.world = world
        self.dice = random.Random(seed)
        self.contacts = world.people(14, strangers=4, clients=3)
        self.emails = {contact.pk: contact.email for contact in self.contacts}
        self.gone: set[int] = set()
        self.crashes = 0
        self.step_number = 0

    def somebody(self) -> Contact:
        return self.dice.choice([contact for contact in self.contacts if contact.pk not in self.gone])

    def at_mailchimp(self, contact: Contact) -> str:
        """The address under which the contact's member is known there now."""
        return self.emails[contact.pk]

    def step(self) -> None:
        self.step_number += 1
        doings = {
            self.send: 2,
            self.time_passes: 6,
            self.reacts: 8,
            self.reads: 6,
            self.crashes_while_reading: 6,
            self.renamed_at_mailchimp: 1,
            self.renamed_in_the_book: 1,
            self.leaves: 2,
            self.joins: 1,
            self.deleted_for_good: 0.3,
            self.looks: 2,
        }
        [do] = self.dice.choices(list(doings), list(doings.values()))
        with contextlib.suppress(CannotHappen):
            do()
        self.world.check_sums()

    def send(self) -> None:
        if len(self.world.sent) < 4:
            self.world.send(f"Number {self.step_number}")

    def time_passes(self) -> None:
        self.world.hours(self.dice.choice([0.05, 0.5, 3, 20]))

    def reacts(self) -> None:
        if self.world.sent:
            what, url = self.dice.choice([("open", ""), ("click", HOME), ("click", SALE), ("click", MUGS)])
            for _ in range(self.dice.choice([1, 1, 2])):
                self.world.play(
                    self.dice.choice(self.world.sent), self.at_mailchimp(self.somebody()), what, url
                )

    def reads(self) -> None:
        self.world.read()

    def crashes_while_reading(self) -> None:
        self.crashes += self.world.read_and_crash(self.dice.randint(1, 16), done=self.dice.random() < 0.5)

    def renamed_at_mailchimp(self) -> None:
        contact = self.somebody()
        new = f"renamed{self.step_number}@client.example.net"
        self.world.sync.happen(self.at_mailchimp(contact), "edit", new_email=new)
        # The book is told as well, so that the sync has no reason to rename them back.
        self.emails[contact.pk] = contact.email = new
        if self.dice.random() < 0.7:
            self.world.read()  # the mirror does not know of it yet
        contact.save()
        self.looks()

    def renamed_in_the_book(self) -> None:
        contact = self.somebody()
        if self.world.sync.member(self.at_mailchimp(contact))["status"] == "subscribed":
            contact.email = f"moved{self.step_number}@client.example.net"
            contact.save()
            self.emails[contact.pk] = contact.email
            self.world.sync.work()

    def leaves(self) -> None:
        if self.world.sent:
            what = self.dice.choice(["unsubscribe", "complain", "bounce"])
            campaign = self.dice.choice(self.world.sent)
            self.world.sync.happen(self.at_mailchimp(self.somebody()), what, campaign_id=campaign)

    def joins(self) -> None:
        contact = ContactFactory(client=self.contacts[0].client)
        self.contacts.append(contact)
        self.emails[contact.pk] = contact.email
        self.world.sync.work()

    def deleted_for_good(self) -> None:
        contact = self.somebody()
        self.world.sync.happen(self.at_mailchimp(contact), "delete")
        self.gone.add(contact.pk)

    def looks(self) -> None:
        self.world.sync.refresh()

    def calm_down(self) -> None:
        """Nothing happens any more, and everybody has the time to notice."""
        for _ in range(5):
            self.world.hours(24 * 7.1)
            self.looks()
            self.world.read()

    def check(self) -> None:
        world = self.world
        for campaign in world.sent:
            assert world.totals_here(campaign) == world.totals_there(campaign)
            for contact in self.contacts:
                if contact.pk not in self.gone:
                    assert world.contact_here(campaign, contact) == world.contact_there(
                        campaign, self.at_mailchimp(contact)
                    )
            self.check_clients(campaign)

    def check_clients(self, campaign: str) -> None:
        """The roll-up of a client is that of its contacts' mails."""
        world = self.world
        figures = {
            row.client_id: (row.recipients, row.opens, row.clicks, row.clickers, row.unsubscribed)
            for row in ClientFigure.objects.filter(campaign__mailchimp_id=campaign)
        }
        expected: dict[int, list[int]] = {}
        for contact in self.contacts:
            there = world.contact_there(campaign, self.at_mailchimp(contact))
            if there is not None and contact.pk not in self.gone:
                opens, clicks, _, left = there
                sums = expected.setdefault(contact.client_id, [0] * 5)
                for number, value in enumerate((1, opens, clicks, clicks > 0, left)):
                    sums[number] += value
        assert figures == {client: tuple(sums) for client, sums in expected.items()}


@pytest.mark.parametrize("seed", range(8))
def test_in_the_end_everything_equals_mailchimps_reports(world: CampaignWorld, seed: int) -> None:
    history = History(world, seed)
    for _ in range(45):
        history.step()
    history.calm_down()
    history.check()
    rows = set(Reaction.objects.values_list("campaign_id", "person_id", "what", "at", "nth"))
    world.hours(24 * 8)
    world.read()
    assert set(Reaction.objects.values_list("campaign_id", "person_id", "what", "at", "nth")) == rows


@pytest.mark.parametrize("done", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("after", range(1, 15))
def test_a_crash_at_any_point_loses_and_doubles_nothing(
    world: CampaignWorld, after: int, done: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With pages of four recipients, so that a pass has several."""
    monkeypatch.setattr("lockstep.mailchimp.campaign_api.PAGE_SIZE", 4)
    world.people(6)
    sent = [world.send("One"), world.send("Two")]
    world.hours(2)
    while world.read_and_crash(after, done=done):
        world.check_sums()
        after += 14
    world.hours(100)
    world.read()
    for campaign in sent:
        assert world.totals_here(campaign) == world.totals_there(campaign)
