"""Every kind of change of the book reaches Mailchimp by itself, as exactly the fields it is about (S9).

One book and one practice Mailchimp for the whole table: each row has a client, a contact, list values and
tags of its own, so that rows do not see each other. What went wrong is told row by row.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from django.db import connection as database

from lockstep.apps.accounts.models import Company, User
from lockstep.apps.accounts.permissions import Actor
from lockstep.apps.book.models import Client, Contact, ListValue, Tag
from lockstep.apps.book.services import (
    delete_tag,
    merge_list_values,
    merge_tags,
    rename_list_value,
    rename_tag,
    retire_list_value,
    save_client,
    save_contact,
)
from lockstep.apps.book.services.merging import merge_clients, merge_contacts
from lockstep.core.member import SyncState
from tests.factories import ClientFactory, ContactFactory, ListValueFactory, SeatFactory, TagFactory
from tests.scenarios.world import SyncWorld


@dataclass
class Subject:
    """The book of one row: whatever is named in it is the contact's; the `other_` ones are spare."""

    company: Company
    actor: Actor
    number: int
    client: Client
    other_client: Client
    contact: Contact
    lists: dict[str, ListValue]
    tags: dict[str, Tag]
    rep: User
    other_rep: User

    @classmethod
    def make(cls, world: SyncWorld, number: int) -> Subject:
        company = world.company
        kinds = {"status": "STATUS", "industry": "INDUSTRY", "department": "DEPARTMENT"}
        lists = {
            f"{spare}{name}": ListValueFactory(
                company=company, kind=ListValue.Kind[kind], name=f"{spare}{name} {number}"
            )
            for name, kind in kinds.items()
            for spare in ("", "other_")
        }
        tags = {
            f"{spare}{kind.value}": TagFactory(
                company=company, kind=kind, name=f"{spare}{kind.value} tag {number}"
            )
            for kind in Tag.Kind
            for spare in ("", "other_")
        }
        rep, other_rep = (SeatFactory(company=company).user for _ in "ab")
        User.objects.filter(pk=rep.pk).update(first_name="Rae", last_name="Bell")
        User.objects.filter(pk=other_rep.pk).update(first_name="Ola", last_name="Fox")
        client = ClientFactory(
            company=company,
            name=f"Client of {number}",
            status=lists["status"],
            industry=lists["industry"],
            rep=rep,
            tag_ids=[tags["client"].pk],
        )
        client.addresses.create(company=company, state="TX", country="US", line1="1 Main St")
        contact = ContactFactory(
            client=client,
            email=f"c{number}@kestrel.example.net",
            first_name="Ann",
            last_name="Lee",
            department=lists["department"],
            tag_ids=[tags["contact"].pk],
        )
        other = ClientFactory(company=company, name=f"Other client of {number}")
        return cls(company, world.actor, number, client, other, contact, lists, tags, rep, other_rep)

    def contacts(self, **values: object) -> None:
        Contact.objects.filter(pk=self.contact.pk).update(**values)

    def clients(self, **values: object) -> None:
        Client.objects.filter(pk=self.client.pk).update(**values)

    def save(self, **values: object) -> None:
        save_contact(self.actor, contact_id=self.contact.pk, **values)  # type: ignore[arg-type]

    def save_client(self, **values: object) -> None:
        save_client(self.actor, client_id=self.client.pk, **values)  # type: ignore[arg-type]

    def sql(self, statement: str) -> None:
        """Raw SQL; what is in braces stands for the row's own ids and names."""
        names = {"contact": self.contact.pk, "client": self.client.pk, "rep": self.rep.pk}
        names |= {name: value.pk for name, value in self.lists.items()}
        names |= {f"{name}_tag": tag.pk for name, tag in self.tags.items()}
        with database.cursor() as cursor:
            cursor.execute(statement.format(**names))


Row = tuple[Callable[[Subject], object], Mapping[str, str]]
"""What somebody does, and the audience fields that differ afterwards; `#` stands for the row's number."""

CONTACT: dict[str, Row] = {
    "first name": (lambda s: s.contacts(first_name="Eve"), {"FNAME": "Eve"}),
    "last name": (lambda s: s.save(last_name="Fox"), {"LNAME": "Fox"}),
    "position": (lambda s: s.contacts(position="CEO"), {"POS": "CEO"}),
    "phone": (lambda s: s.save(phone="+1 555 0100"), {"PHONE": "+1 555 0100"}),
    "extension": (lambda s: s.contacts(extension="12"), {"EXT": "12"}),
    "address in other letters": (
        lambda s: s.contacts(email=s.contact.email.upper()),
        {"EMAIL": "C#@KESTREL.EXAMPLE.NET"},
    ),
    "another department": (
        lambda s: s.contacts(department=s.lists["other_department"]),
        {"DEPT": "other_department #"},
    ),
    "no department": (lambda s: s.contacts(department=None), {"DEPT": ""}),
    "a tag more": (
        lambda s: s.contacts(tag_ids=[s.tags["contact"].pk, s.tags["other_contact"].pk]),
        {"TAGS": "contact tag #, other_contact tag #"},
    ),
    "no tags": (lambda s: s.contacts(tag_ids=[]), {"TAGS": ""}),
    "a new tag by name": (lambda s: s.save(tags=[f"Zebra {s.number}"]), {"TAGS": "Zebra #"}),
    "an own address": (
        lambda s: s.save(line1="2 Side St", state="OR", country="CA"),
        {"STATE": "OR", "CNTRY": "CA"},
    ),
    "an own address of one line": (lambda s: s.contacts(line1="2 Side St"), {"STATE": "", "CNTRY": ""}),
    "another client": (
        lambda s: s.contacts(client=s.other_client),
        {
            "STAT": "",
            "IND": "",
            "RFN": "",
            "RLN": "",
            "CTAGS": "",
            "STATE": "",
            "CNTRY": "",
            "CURL": "http://127.0.0.1:8000/clients/{other_client}/",
        },
    ),
    "what no field tells": (lambda s: s.contacts(cell="1", fax="2"), {}),
}

CLIENT: dict[str, Row] = {
    "another status": (lambda s: s.clients(status=s.lists["other_status"]), {"STAT": "other_status #"}),
    "no status": (lambda s: s.save_client(status_id=None), {"STAT": ""}),
    "another industry": (
        lambda s: s.save_client(industry_id=s.lists["other_industry"].pk),
        {"IND": "other_industry #"},
    ),
    "another rep": (lambda s: s.clients(rep=s.other_rep), {"RFN": "Ola", "RLN": "Fox"}),
    "no rep": (lambda s: s.clients(rep=None), {"RFN": "", "RLN": ""}),
    "other tags": (
        lambda s: s.clients(tag_ids=[s.tags["other_client"].pk]),
        {"CTAGS": "other_client tag #"},
    ),
    "a changed address": (lambda s: s.client.addresses.update(state="NY"), {"STATE": "NY"}),
    "no address": (lambda s: s.client.addresses.all().delete(), {"STATE": "", "CNTRY": ""}),
    "another primary address": (
        lambda s: s.save_client(
            addresses=[{"line1": "9 New St", "state": "WA", "country": "US"}, {"line1": "1 Main St"}]
        ),
        {"STATE": "WA"},
    ),
    "an address that is not the primary one": (
        lambda s: s.client.addresses.create(company=s.company, state="QC", is_primary=False),
        {},
    ),
    "a renamed client": (lambda s: s.clients(name=f"New name {s.number}"), {}),
}

NAMES: dict[str, Row] = {
    "a rep's last name": (
        lambda s: User.objects.filter(pk=s.rep.pk).update(last_name="Cole"),
        {"RLN": "Cole"},
    ),
    "a rep's first name": (
        lambda s: s.sql("UPDATE accounts_user SET first_name = 'Kim' WHERE id = {rep}"),
        {"RFN": "Kim"},
    ),
    "a status renamed": (
        lambda s: rename_list_value(s.actor, value_id=s.lists["status"].pk, name=f"Lead {s.number}"),
        {"STAT": "Lead #"},
    ),
    "an industry renamed": (
        lambda s: s.sql("UPDATE book_listvalue SET name = 'Steel' WHERE id = {industry}"),
        {"IND": "Steel"},
    ),
    "a department renamed": (
        lambda s: ListValue.objects.filter(pk=s.lists["department"].pk).update(name=f"Sales {s.number}"),
        {"DEPT": "Sales #"},
    ),
    "a status merged": (
        lambda s: merge_list_values(
            s.actor, value_id=s.lists["status"].pk, into_id=s.lists["other_status"].pk
        ),
        {"STAT": "other_status #"},
    ),
    "an industry merged": (
        lambda s: merge_list_values(
            s.actor, value_id=s.lists["industry"].pk, into_id=s.lists["other_industry"].pk
        ),
        {"IND": "other_industry #"},
    ),
    "a department merged": (
        lambda s: merge_list_values(
            s.actor, value_id=s.lists["department"].pk, into_id=s.lists["other_department"].pk
        ),
        {"DEPT": "other_department #"},
    ),
    "a retired status": (lambda s: retire_list_value(s.actor, value_id=s.lists["status"].pk), {}),
    "a contact tag renamed": (
        lambda s: rename_tag(s.actor, tag_id=s.tags["contact"].pk, name=f"VIP {s.number}"),
        {"TAGS": "VIP #"},
    ),
    "a client tag renamed": (
        lambda s: rename_tag(s.actor, tag_id=s.tags["client"].pk, name=f"Gold {s.number}"),
        {"CTAGS": "Gold #"},
    ),
    "a contact tag merged": (
        lambda s: merge_tags(s.actor, tag_id=s.tags["contact"].pk, into_id=s.tags["other_contact"].pk),
        {"TAGS": "other_contact tag #"},
    ),
    "a client tag merged": (
        lambda s: merge_tags(s.actor, tag_id=s.tags["client"].pk, into_id=s.tags["other_client"].pk),
        {"CTAGS": "other_client tag #"},
    ),
    "a contact tag deleted": (lambda s: delete_tag(s.actor, tag_id=s.tags["contact"].pk), {"TAGS": ""}),
    "a client tag deleted": (lambda s: delete_tag(s.actor, tag_id=s.tags["client"].pk), {"CTAGS": ""}),
}

MERGED: dict[str, Row] = {
    "clients merged": (
        lambda s: merge_clients(s.actor, keep_id=s.other_client.pk, other_ids=[s.client.pk]),
        {"CURL": "http://127.0.0.1:8000/clients/{other_client}/"},
    ),
    "contacts merged into this one": (
        lambda s: merge_contacts(
            s.actor,
            keep_id=s.contact.pk,
            other_ids=[ContactFactory(client=s.client, email="", position="CFO").pk],
        ),
        {"POS": "CFO"},
    ),
}

SQL: dict[str, Row] = {
    "UPDATE ... FROM": (
        lambda s: s.sql(
            "UPDATE book_contact c SET position = v.said FROM (VALUES ({contact}, 'Boss')) v(id, said)"
            " WHERE c.id = v.id"
        ),
        {"POS": "Boss"},
    ),
    "MERGE": (
        lambda s: s.sql(
            "MERGE INTO book_contact c USING (SELECT {contact} AS id) v ON c.id = v.id"
            " WHEN MATCHED THEN UPDATE SET extension = '77'"
        ),
        {"EXT": "77"},
    ),
    "a CTE that writes": (
        lambda s: s.sql(
            "WITH d AS (UPDATE book_client SET tag_ids = '{{}}' WHERE id = {client} RETURNING id)"
            " UPDATE book_contact SET phone = '1' WHERE client_id IN (SELECT id FROM d)"
        ),
        {"CTAGS": "", "PHONE": "1"},
    ),
    "ON CONFLICT": (
        lambda s: s.sql(
            "INSERT INTO book_tag (id, company_id, kind, name)"
            " SELECT id, company_id, kind, name FROM book_tag WHERE id = {contact_tag}"
            " ON CONFLICT (id) DO UPDATE SET name = 'Upserted {contact}'"
        ),
        {"TAGS": "Upserted {contact}"},
    ),
}

TABLE = {
    f"{part}: {what}": row
    for part, rows in (
        ("contact", CONTACT),
        ("client", CLIENT),
        ("names", NAMES),
        ("merges", MERGED),
        ("SQL", SQL),
    )
    for what, row in rows.items()
}


def test_every_kind_of_change_reaches_mailchimp_as_what_it_is(world: SyncWorld) -> None:
    subjects = {what: Subject.make(world, number) for number, what in enumerate(TABLE, start=1)}
    world.start()
    assert world.states() == {SyncState.SYNCED: len(TABLE)}
    wrong: list[str] = []
    for what, (change, expected) in TABLE.items():
        subject = subjects[what]
        before = world.fields(subject.contact.email)
        world.forget_requests()
        change(subject)
        world.work()
        after = world.fields(subject.contact.email)
        found = {tag: value for tag, value in after.items() if value != before[tag]}
        names = {"contact": subject.contact.pk, "other_client": subject.other_client.pk}
        want = {
            tag: value.replace("#", str(subject.number)).format(**names) for tag, value in expected.items()
        }
        if found != want:
            wrong.append(f"{what}: {found} instead of {want}")
        sent = [sorted((body or {}).get("merge_fields", ())) for _, _, body in world.writes()]
        if sent != [sorted(f"CSKU_{tag}" for tag in want)] * bool(want):
            wrong.append(f"{what}: sent {sent}")
    assert wrong == []
    world.check_counts()
    assert world.states() == {SyncState.SYNCED: len(TABLE)}
    world.forget_requests()
    world.refresh()
    assert world.writes() == []


def test_a_change_of_many_goes_in_one_call(world: SyncWorld) -> None:
    """A renamed status of 40 contacts, and a bulk edit: one batch call each (S9: bursts are batched)."""
    status = ListValueFactory(company=world.company, name="Prospect")
    client = ClientFactory(company=world.company, status=status)
    ContactFactory.create_batch(40, client=client)
    world.start()
    for change in (
        lambda: ListValue.objects.filter(pk=status.pk).update(name="Lead"),
        lambda: Contact.objects.filter(client=client).update(position="Buyer"),
    ):
        world.forget_requests()
        change()
        world.work()
        assert world.batches() == [40]
        assert len(world.writes()) == 1
