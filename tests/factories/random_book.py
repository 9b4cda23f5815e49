"""A company whose book changes at random, for tests that hold two ways of counting together."""

import itertools
import random
from typing import Any

from django.utils import timezone

from lockstep.apps.accounts.permissions import Actor
from lockstep.apps.book.models import Client, ClientAddress, Contact, ListValue, Tag
from lockstep.apps.book.tallies.sheets import BLOCK
from lockstep.apps.connections.preferences import NONE_GIVEN, Preferences
from lockstep.apps.sync.models import DuplicateChoice
from tests.factories.accounts import CompanyFactory, UserFactory
from tests.factories.book import ClientFactory, ContactFactory, ListValueFactory, TagFactory

NUMBERS = itertools.count(10_000_000)
PLACES = [("CA", "USA"), ("ON", "Canada"), ("", ""), (" CA ", "USA")]
EMAILS = ["", "not an address", *(f"p{n}@shared.example.net" for n in range(6))]


class Book:
    """A company whose book changes at random, over three blocks of ids that lie apart."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.company = CompanyFactory()
        self.actor = Actor.lockstep(self.company)
        kinds = ListValue.Kind
        self.lists = {
            kind: [ListValueFactory(company=self.company, kind=kind).pk for _ in range(3)] + [None]
            for kind in (kinds.STATUS, kinds.INDUSTRY, kinds.DEPARTMENT)
        }
        self.tags = {
            kind: [TagFactory(company=self.company, kind=kind).pk for _ in range(3)] for kind in Tag.Kind
        }
        self.reps = [UserFactory().pk, None]
        self.clients = [self.client() for _ in range(8)]
        for _ in range(60):
            self.contact()

    def some_tags(self, kind: Tag.Kind) -> list[int]:
        return self.chance.sample(self.tags[kind], self.chance.randrange(3))

    def client(self) -> Client:
        client = ClientFactory(company=self.company, **self.of_client())
        if self.chance.random() < 0.7:
            state, country = self.chance.choice(PLACES)
            ClientAddress.objects.create(company=self.company, client=client, state=state, country=country)
        return client

    def of_client(self) -> dict[str, Any]:
        return {
            "status_id": self.chance.choice(self.lists[ListValue.Kind.STATUS]),
            "industry_id": self.chance.choice(self.lists[ListValue.Kind.INDUSTRY]),
            "rep_id": self.chance.choice(self.reps),
            "tag_ids": self.some_tags(Tag.Kind.CLIENT),
            "active": self.chance.random() < 0.85,
        }

    def contact(self) -> Contact:
        number = next(NUMBERS)
        pk = number + self.chance.choice((0, 20, 50)) * BLOCK
        return ContactFactory(pk=pk, client=self.chance.choice(self.clients), **self.of_contact(number))

    def of_contact(self, number: int) -> dict[str, Any]:
        state, country = self.chance.choice(PLACES) if self.chance.random() < 0.3 else ("", "")
        email = self.chance.choice(EMAILS) if self.chance.random() < 0.6 else f"p{number}@own.example.net"
        return {
            "email": email.upper() if self.chance.random() < 0.2 else email,
            "department_id": self.chance.choice(self.lists[ListValue.Kind.DEPARTMENT]),
            "tag_ids": self.some_tags(Tag.Kind.CONTACT),
            "state": state,
            "country": country,
            "no_marketing": self.chance.random() < 0.08,
            "active": self.chance.random() < 0.9,
        }

    def change(self) -> None:
        some = Contact.objects.filter(company=self.company).order_by("id")
        one = some[self.chance.randrange(some.count())]
        client = Client.objects.filter(pk=self.chance.choice(self.clients).pk)
        match self.chance.randrange(9):
            case 0 | 1:
                some.filter(pk=one.pk).update(**self.of_contact(one.pk))
            case 2:
                client.update(**self.of_client())
            case 3:
                self.contact()
            case 4:
                some.filter(pk=one.pk).update(deleted_at=None if one.deleted_at else timezone.now())
            case 5:
                state, country = self.chance.choice(PLACES)
                ClientAddress.objects.filter(client__in=client).update(state=state, country=country)
            case 6:
                some.filter(pk=one.pk).update(client=self.chance.choice(self.clients))
            case 7:
                one.delete()
            case 8 if one.email_key:
                DuplicateChoice.objects.update_or_create(
                    company=self.company, email_key=one.email_key, defaults={"contact": one}
                )

    def preferences(self) -> Preferences:
        kinds = {
            "status_ids": self.lists[ListValue.Kind.STATUS],
            "industry_ids": self.lists[ListValue.Kind.INDUSTRY],
            "department_ids": self.lists[ListValue.Kind.DEPARTMENT],
            "client_tag_ids": [*self.tags[Tag.Kind.CLIENT], None],
            "contact_tag_ids": [*self.tags[Tag.Kind.CONTACT], None],
        }
        chosen = self.chance.sample(list(kinds), self.chance.randrange(3))
        return Preferences.from_json(
            {kind: [value or NONE_GIVEN for value in self.chance.sample(kinds[kind], 2)] for kind in chosen}
        )
