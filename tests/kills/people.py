"""What people do meanwhile: in the book by bulk and raw SQL, at Mailchimp, and with the sync itself."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from django.db import connection as database
from django.db import transaction
from django.utils import timezone

from lockstep.apps.accounts.permissions import Actor
from lockstep.apps.accounts.services import create_company
from lockstep.apps.book.models import Client, Contact, ListValue
from lockstep.apps.book.statistics import refresh_statistics
from lockstep.apps.connections.models import Connection, MailchimpAccount
from lockstep.apps.connections.secrets import seal
from lockstep.apps.sync import services
from lockstep.core.identity import AddressKey, address_key
from tests.kills.stage import Stage

__all__ = ["DEEDS", "People"]

HELD = {"subscribed": 0.06, "unsubscribed": 0.02, "cleaned": 0.005, "transactional": 0.005, "archived": 0.01}
"""Shares of the book that the audience has heard of before the first sync, by status."""

BARRED = 0.005
"""The share whose addresses Mailchimp takes from nobody."""


@dataclass(slots=True)
class People:
    """A company with its book and one connection; remembers what people changed at Mailchimp."""

    stage: Stage
    contacts: int
    connection_id: int = 0
    company_id: int = 0
    audience: str = ""
    key: str = ""
    refused: set[AddressKey] = field(default_factory=set)
    moved: set[str] = field(default_factory=set)
    edited: set[str] = field(default_factory=set)
    _made: int = 0

    # --- the beginning ---

    def prepare(self, dice: random.Random) -> None:
        """A book of `contacts`, an audience that knows some of them, a connection that was never started."""
        self._find_audience()
        company = create_company(name="Kestrel Promotions")
        self.company_id = company.pk
        statuses = [
            ListValue.objects.create(company=company, kind=ListValue.Kind.STATUS, name=f"Level {n}")
            for n in range(4)
        ]
        Client.objects.bulk_create(
            Client(company=company, name=f"Client {n}", status=statuses[n % 4])
            for n in range(max(self.contacts // 8, 1))
        )
        self._add(self.contacts)
        refresh_statistics()
        account = MailchimpAccount.objects.create(
            company=company,
            auth_kind=MailchimpAccount.AuthKind.API_KEY,
            secret=seal(self.key),
            data_center="us6",
            api_base=self.stage.stack.sandbox_url,
        )
        connection = Connection.objects.create(
            company=company, account=account, list_id=self.audience, list_name="Members"
        )
        self.connection_id = connection.pk
        numbers = iter(dice.sample(range(self.contacts), int(self.contacts * (sum(HELD.values()) + BARRED))))
        members = [
            {"email_address": _address(next(numbers)), "status": status, "merge_fields": {"LNAME": "theirs"},
             "tags": ["vip"]}
            for status, share in HELD.items()
            for _ in range(int(self.contacts * share))
        ]  # fmt: skip
        for start in range(0, len(members), 500):
            given = {"audience": self.audience, "members": members[start : start + 500]}
            self.stage.stack.ask("POST", "/_sandbox/members", given)
        for number in numbers:
            self._at_mailchimp(_address(number), "bar")
            self.refused.add(address_key(_address(number)))

    def _find_audience(self) -> None:
        account = self.stage.stack.ask("GET", "/_sandbox/")["accounts"][0]
        self.audience, self.key = account["audiences"][0]["id"], account["keys"][0]

    def _add(self, number: int) -> None:
        clients = list(Client.objects.filter(company_id=self.company_id).values_list("id", flat=True))
        Contact.objects.bulk_create(
            (
                Contact(
                    company_id=self.company_id,
                    client_id=clients[n % len(clients)],
                    first_name=f"First{n}",
                    last_name=f"Last{n}",
                    email=_address(n),
                    position="Buyer",
                    phone=f"+1 555 {n:06}",
                )
                for n in range(self._made, self._made + number)
            ),
            batch_size=5_000,
        )
        self._made += number

    # --- asking ---

    @property
    def connection(self) -> Connection:
        return Connection.objects.select_related("company", "account").get(pk=self.connection_id)

    def actor(self) -> Actor:
        return Actor.lockstep(self.connection.company)

    def do(self, deed: str, dice: random.Random) -> None:
        """One deed of `DEEDS`, in one transaction where it is done in the book. Raises database errors, and
        ConnectionError while the practice Mailchimp is away: then it was not done."""
        DEEDS[deed](self, dice)

    def _some(self, dice: random.Random, share: float) -> list[int]:
        ids = list(
            Contact.objects.filter(company_id=self.company_id).order_by("id").values_list("id", flat=True)
        )
        return dice.sample(ids, max(int(len(ids) * share), 1))

    def _raw(self, statement: str, *values: object) -> None:
        with transaction.atomic(), database.cursor() as cursor:
            cursor.execute(statement, values)

    # --- in the book ---

    def new_names(self, dice: random.Random) -> None:
        self._raw(
            "UPDATE book_contact SET first_name = 'N' || id || '-' || %s WHERE id = ANY(%s)",
            dice.randrange(1_000_000),
            self._some(dice, 0.3),
        )

    def new_addresses(self, dice: random.Random) -> None:
        self._raw(
            """UPDATE book_contact SET email = 'moved' || id || '-' || %s || '@kestrel.example.net'
               WHERE id = ANY(%s)""",
            dice.randrange(1_000_000),
            self._some(dice, 0.004),
        )

    def swapped_addresses(self, dice: random.Random) -> None:
        one, other = self._some(dice, 0.002)[:2] if self.contacts >= 1_000 else self._some(dice, 0.5)[:2]
        self._raw(
            """UPDATE book_contact c SET email = o.email FROM book_contact o
               WHERE c.id = ANY(%s) AND o.id = ANY(%s) AND o.id <> c.id""",
            [one, other],
            [one, other],
        )

    def newcomers(self, dice: random.Random) -> None:
        with transaction.atomic():
            self._add(max(self.contacts // 50, 1))

    def no_marketing(self, dice: random.Random) -> None:
        self._raw(
            "UPDATE book_contact SET no_marketing = NOT no_marketing WHERE id = ANY(%s)",
            self._some(dice, 0.02),
        )

    def inactive(self, dice: random.Random) -> None:
        self._raw("UPDATE book_contact SET active = NOT active WHERE id = ANY(%s)", self._some(dice, 0.02))

    def deleted(self, dice: random.Random) -> None:
        self._raw(
            "UPDATE book_contact SET deleted_at = CASE WHEN deleted_at IS NULL THEN %s END"
            " WHERE id = ANY(%s)",
            timezone.now(),
            self._some(dice, 0.01),
        )

    def status_renamed(self, dice: random.Random) -> None:
        """A quarter of the book has it."""
        ids = ListValue.objects.filter(company_id=self.company_id, name__startswith="Level").order_by("id")
        value = dice.choice(list(ids.values_list("id", flat=True)))
        self._raw(
            "UPDATE book_listvalue SET name = %s WHERE id = %s", f"Level {dice.randrange(10**9)}", value
        )

    # --- at Mailchimp ---

    def subscribers_act(self, dice: random.Random) -> None:
        """Unsubscribes, bounces, edits by the marketer of our fields and of theirs."""
        for email in self._emails(dice, 12):
            what = dice.choice(["unsubscribe", "bounce", "admin_unsubscribe", "edit"])
            merges = {"CSKU_FNAME": "Meddled", "FNAME": f"Theirs{dice.randrange(100)}"}
            self._at_mailchimp(email, what, **({"merges": merges} if what == "edit" else {}))

    def members_vanish(self, dice: random.Random) -> None:
        """Archived, and deleted for good: these addresses Mailchimp takes from nobody any more."""
        for email in self._emails(dice, 6):
            what = dice.choice(["archive", "archive", "delete"])
            if what == "delete":
                self.refused.add(address_key(email))
            self._at_mailchimp(email, what)

    def _emails(self, dice: random.Random, number: int) -> list[str]:
        rows = Contact.objects.filter(company_id=self.company_id, deleted_at=None).order_by("id")
        return dice.sample(list(rows.values_list("email", flat=True)), number)

    def _at_mailchimp(self, email: str, what: str, **more: object) -> None:
        stack = self.stage.stack
        if stack.ask("GET", "/_sandbox/") is None:
            raise ConnectionError("the practice Mailchimp is down")
        member = stack.member(self.audience, email)
        if member is None and what != "bar":
            return
        if member is not None:
            self.moved.add(member["contact_id"])
            self.edited.add(member["contact_id"])
        if member is not None and member["status"] == "archived" and what != "delete":
            return
        stack.ask(
            "POST", "/_sandbox/happen", {"audience": self.audience, "email": email, "what": what, **more}
        )

    # --- with the sync ---

    def refresh(self, dice: random.Random) -> None:
        self._unless_refused(lambda: services.refresh(self.actor(), self.connection))

    def stop_and_start(self, dice: random.Random) -> None:
        self._unless_refused(lambda: services.stop_sync(self.actor(), self.connection))

    def start(self) -> None:
        """Start Sync, or start it again, where it is off."""
        if self.connection.mode == Connection.Mode.OFF:
            self._unless_refused(lambda: services.start_sync(self.actor(), self.connection))

    @staticmethod
    def _unless_refused(ask: Callable[[], object]) -> None:
        try:
            ask()
        except services.SyncRefused:
            return  # another run is under way, or the sync is being stopped


DEEDS: dict[str, Callable[[People, random.Random], None]] = {
    "new names": People.new_names,
    "new addresses": People.new_addresses,
    "swapped addresses": People.swapped_addresses,
    "newcomers": People.newcomers,
    "no marketing": People.no_marketing,
    "inactive": People.inactive,
    "deleted": People.deleted,
    "status renamed": People.status_renamed,
    "subscribers act": People.subscribers_act,
    "members vanish": People.members_vanish,
    "refresh": People.refresh,
    "stop and start": People.stop_and_start,
}


def _address(number: int) -> str:
    return f"person{number}@kestrel.example.net"
