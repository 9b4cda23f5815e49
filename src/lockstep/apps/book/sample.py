"""A made-up book to look around in.

The addresses lie under `.internal`, which is reserved for private use and can
never be registered: nobody can be mailed by accident, and unlike the reserved
`example` names it is not what Mailchimp calls a fake address (contract 4.5).
"""

from __future__ import annotations

import datetime
import random
import unicodedata

from django.db import transaction
from django.utils import timezone
from django.utils.text import slugify

from lockstep.apps.accounts.models import Company, Seat, User
from lockstep.apps.accounts.permissions import Role
from lockstep.apps.book import sample_names as words
from lockstep.apps.book.big_book import generate_book
from lockstep.apps.book.errors import Invalid
from lockstep.apps.book.models import Client, ClientAddress, Contact, ListValue, Tag
from lockstep.apps.book.services.list_values import add_starting_values
from lockstep.apps.book.services.tags import ensure_tags
from lockstep.apps.book.statistics import refresh_statistics

__all__ = ["MARK", "domain_of", "generate_book", "has_sample", "load_sample", "remove_sample"]

MARK = "sample-"
"""What the external ids of sample clients and contacts begin with."""

_STATUSES = ("Active",) * 4 + ("Prospect",) * 2 + ("Lead", "Dormant", "Key account")


@transaction.atomic
def load_sample(company: Company, *, clients: int = 500, contacts: int = 4_000, seed: int = 1) -> None:
    """Fill an empty book with a promotional-products distributor's: the same for the same numbers and seed.

    With all that real books have: shared mailboxes, missing and impossible
    addresses, some that Mailchimp refuses, No Marketing, inactive ones,
    accents, emoji, tag lists longer than Mailchimp takes. Raises `Invalid` if
    the company has clients already.
    """
    if Client.objects.filter(company=company, deleted_at=None).exists():
        raise Invalid({"": "This company has clients already. The sample is for an empty book."})
    add_starting_values(company)
    chance = random.Random(seed)  # noqa: S311  -- nothing here is a secret
    _Sample(company, chance, timezone.now()).make(clients, contacts)
    refresh_statistics()


@transaction.atomic
def remove_sample(company: Company) -> int:
    """Delete what `load_sample` made (it can be restored). Returns how many contacts went."""
    now = timezone.now()
    made = Client.objects.filter(company=company, external_id__startswith=MARK, deleted_at=None)
    gone = Contact.objects.filter(client__in=made, deleted_at=None).update(deleted_at=now, updated_at=now)
    made.update(deleted_at=now, updated_at=now, external_id="")
    Contact.objects.filter(company=company, external_id__startswith=MARK).update(external_id="")
    return gone


def has_sample(company: Company) -> bool:
    """Whether the book holds anything of the sample."""
    return Client.objects.filter(company=company, external_id__startswith=MARK, deleted_at=None).exists()


def _ascii(text: str) -> str:
    """A name as it stands in an e-mail address."""
    plain = unicodedata.normalize("NFKD", text.lower().replace("ł", "l").replace("ø", "o").replace("ı", "i"))
    return "".join(c for c in plain if c.isascii() and c.isalnum())


class _Sample:
    def __init__(self, company: Company, chance: random.Random, now: datetime.datetime) -> None:
        self.company = company
        self.chance = chance
        self.now = now
        values = ListValue.objects.filter(company=company).values_list("kind", "name", "id")
        self.values = {(kind, name): value_id for kind, name, value_id in values}
        self.client_tags = self.tags(Tag.Kind.CLIENT, words.CLIENT_TAGS)
        self.contact_tags = self.tags(Tag.Kind.CONTACT, (*words.CONTACT_TAGS, *words.LONG_TAGS))
        self.reps = [self.rep(*name) for name in words.REPS]

    def tags(self, kind: Tag.Kind, names: tuple[str, ...]) -> dict[str, int]:
        return dict(zip(names, ensure_tags(self.company, kind, names), strict=True))

    def rep(self, first_name: str, last_name: str) -> User:
        """A colleague who can't sign in until a password is set."""
        email = f"{_ascii(first_name)}.{_ascii(last_name)}@{slugify(self.company.name) or 'staff'}.internal"
        user = User.objects.filter(email=email).first()
        if user is None:
            user = User.objects.create_user(email, first_name=first_name, last_name=last_name)
        Seat.objects.get_or_create(company=self.company, user=user, defaults={"role": Role.SALES})
        return user

    def value(self, kind: ListValue.Kind, name: str) -> int | None:
        return self.values.get((kind, name))

    def make(self, clients: int, contacts: int) -> None:
        made = Client.objects.bulk_create(self.clients(clients), batch_size=1_000)
        ClientAddress.objects.bulk_create((self.address(client) for client in made), batch_size=1_000)
        Contact.objects.bulk_create(self.contacts(made, contacts), batch_size=1_000)

    # --- Clients ----------------------------------------------------------------------------------

    def clients(self, count: int) -> list[Client]:
        names = {known[0] for known in words.KNOWN_CLIENTS}
        made = []
        for number in range(count):
            if number < len(words.KNOWN_CLIENTS):
                name, _city, _state, status, industry, rep, tags = words.KNOWN_CLIENTS[number]
                client = self.client(number, name, status, industry, list(tags))
                client.rep = self.reps[rep]
            else:
                name, industry = self.client_name(names, number)
                tags = self.chance.sample(words.CLIENT_TAGS, self.chance.choice((0, 0, 1, 1, 2, 3)))
                client = self.client(number, name, self.chance.choice(_STATUSES), industry, tags)
                client.rep = self.chance.choice([*self.reps, *self.reps, None])
                client.active = self.chance.random() > 0.03
            made.append(client)
        return made

    def client_name(self, taken: set[str], number: int) -> tuple[str, str]:
        for _attempt in range(20):
            business, industry = self.chance.choice(words.BUSINESSES)
            name = f"{self.chance.choice(words.CLIENT_WORDS)} {business}"
            if name not in taken:
                taken.add(name)
                return name, industry
        return f"{name} {number}", industry

    def client(self, number: int, name: str, status: str, industry: str, tags: list[str]) -> Client:
        added = self.now - datetime.timedelta(days=self.chance.randint(30, 1_400), minutes=number)
        changed = self.now - (self.now - added) * self.chance.random() ** 3
        return Client(
            company=self.company,
            name=name,
            account_number=f"{10_000 + number * 7}",
            status_id=self.value(ListValue.Kind.STATUS, status),
            industry_id=self.value(ListValue.Kind.INDUSTRY, industry),
            tag_ids=[self.client_tags[tag] for tag in tags],
            website=f"https://{domain_of(name)}",
            phone=self.phone(),
            external_id=f"{MARK}{number}",
            created_at=added,
            updated_at=changed,
        )

    def address(self, client: Client) -> ClientAddress:
        known = {name: (city, state) for name, city, state, *_rest in words.KNOWN_CLIENTS}
        city, state, postal_code, country = self.chance.choice(words.PLACES)
        if client.name in known:
            city, state = known[client.name]
            country = "Canada" if state == "Ontario" else "United States"
            postal_code = f"{self.chance.randint(10_000, 99_999)}"
        street = f"{self.chance.choice(words.STREETS)} {self.chance.choice(words.STREET_KINDS)}"
        return ClientAddress(
            company=self.company,
            client=client,
            line1=f"{self.chance.randint(1, 4_000)} {street}",
            city=city,
            state=state,
            postal_code=postal_code,
            country=country,
        )

    # --- Contacts ---------------------------------------------------------------------------------

    def contacts(self, clients: list[Client], count: int) -> list[Contact]:
        made: list[Contact] = []
        if clients and count >= len(words.KESTREL_CONTACTS):
            for first, last, position, department, local, tags in words.KESTREL_CONTACTS:
                contact = self.person(clients[0], first, last)
                contact.position = position
                contact.department_id = self.value(ListValue.Kind.DEPARTMENT, department)
                contact.email = f"{local}@{domain_of(clients[0].name)}" if local else ""
                contact.tag_ids = [self.contact_tags[tag] for tag in tags]
                self.mark(contact, last == "O’Dell", "Asked by phone")
                made.append(contact)
        # Few clients have many contacts, most have some, everyone has one.
        weights = [self.chance.paretovariate(1.4) for _client in clients]
        owners = clients[1:] + self.chance.choices(clients, weights, k=max(0, count))
        for number, client in enumerate(owners[: max(0, count - len(made))]):
            made.append(self.somebody(client, number, made))
        for number, contact in enumerate(made):
            contact.external_id = f"{MARK}{number}"
        return made

    def somebody(self, client: Client, number: int, before: list[Contact]) -> Contact:
        chance = self.chance
        contact = self.person(
            client, chance.choice(words.FIRST_NAMES), chance.choice(words.LAST_NAMES).replace("_", " ")
        )
        department, positions = chance.choice(words.POSITIONS)
        if chance.random() < 0.94:
            contact.position = chance.choice(positions)
            contact.department_id = self.value(ListValue.Kind.DEPARTMENT, department)
        contact.tag_ids = [
            self.contact_tags[tag]
            for tag in chance.sample(words.CONTACT_TAGS, chance.choice((0, 0, 0, 1, 1, 2, 3)))
        ]
        if number % 400 == 17:
            contact.tag_ids = [self.contact_tags[tag] for tag in words.LONG_TAGS]
        if number % 500 == 23:
            contact.position = f"{contact.position or 'Host'} 🎉"
        if number % 90 == 31:  # works from another place than the client's
            contact.city, contact.state, contact.postal_code, contact.country = chance.choice(words.PLACES)
        contact.email = self.email(contact, client, number, before)
        contact.active = chance.random() > 0.02
        self.mark(contact, chance.random() < 0.05, chance.choice(words.NO_MARKETING_REASONS))
        return contact

    def person(self, client: Client, first_name: str, last_name: str) -> Contact:
        added = client.created_at + (self.now - client.created_at) * self.chance.random()
        return Contact(
            company=self.company,
            client=client,
            first_name=first_name,
            last_name=last_name,
            phone=self.phone() if self.chance.random() < 0.8 else "",
            extension=str(self.chance.randint(100, 999)) if self.chance.random() < 0.25 else "",
            cell=self.phone() if self.chance.random() < 0.3 else "",
            created_at=added,
            updated_at=added,
        )

    def email(self, contact: Contact, client: Client, number: int, before: list[Contact]) -> str:
        domain = domain_of(client.name)
        local = f"{_ascii(contact.first_name)}.{_ascii(contact.last_name)}"
        if number % 45 == 11:  # a mailbox that several people of the client share
            return f"{self.chance.choice(('orders', 'sales', 'hello'))}@{domain}"
        if number % 160 == 7 and before:  # the same person at two clients
            return before[self.chance.randrange(len(before))].email
        if number % 25 == 3:
            return ""
        if number % 170 == 41:
            return self.chance.choice(
                (
                    f"{local}@@{domain}",
                    f"{local}.{domain}",
                    f"{local}@{domain.split('.')[0]}",
                    f"{local} @{domain}",
                )
            )
        if number % 350 == 77:  # Mailchimp calls these fake
            return self.chance.choice((f"info@{domain}", f"{local}@gmial.com", f"{local}@example.com"))
        if number % 700 == 133:  # valid for us, not for Mailchimp
            return f"{contact.first_name.lower()}.{contact.last_name.lower().replace(' ', '')}é@{domain}"
        if number % 12 == 5:  # an address is compared without its case
            local = local.title()
        return f"{local}{number if number % 3 == 1 else ''}@{domain}"

    def mark(self, contact: Contact, no_marketing: bool, reason: str) -> None:
        if no_marketing:
            contact.no_marketing = True
            contact.no_marketing_reason = reason
            contact.no_marketing_at = contact.created_at + (self.now - contact.created_at) / 2

    def phone(self) -> str:
        return f"+1 {self.chance.randint(201, 989)} 555 {self.chance.randint(100, 199):04}"


def domain_of(client_name: str) -> str:
    """The mail domain of a made-up client."""
    return f"{slugify(client_name.replace('&', 'and'))}.internal"
