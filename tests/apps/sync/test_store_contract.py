"""The store on PostgreSQL keeps the contract of `core.ports.Store`, as the in-memory one does."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.db import connection as database
from django.utils import timezone
from tests.contracts.store import StoreContract
from tests.contracts.store_tags import RULE, StoreTagsContract
from tests.factories import ClientFactory, CompanyFactory, ContactFactory

from lockstep.apps.accounts.models import Company
from lockstep.apps.book.models import Client, Contact, ListValue, Tag
from lockstep.apps.connections.models import Connection, MailchimpAccount
from lockstep.apps.connections.preferences import Preferences
from lockstep.apps.sync.database_thread import DatabaseThread
from lockstep.apps.sync.models import DuplicateChoice, MemberRecord
from lockstep.apps.sync.store import PostgresStore
from lockstep.core.member import SyncedMember, SyncState
from lockstep.core.tags import TagRule

pytestmark = pytest.mark.django_db(transaction=True)

NAMES = {"name": "first_name"}


@dataclass
class DatabaseWorld:
    """Writes as people do, and nothing tells the store but the triggers."""

    store: PostgresStore
    company: Company
    client: Client
    connection: Connection
    groups: dict[str, ListValue] = field(default_factory=dict)

    async def _do(self, work: Callable[[], Any]) -> Any:
        return await self.store.do(work)

    def _group(self, name: str) -> ListValue:
        if name not in self.groups:
            self.groups[name] = ListValue.objects.create(
                company=self.company, kind=ListValue.Kind.DEPARTMENT, name=name
            )
        return self.groups[name]

    def _tag(self, name: str) -> int:
        return Tag.objects.get_or_create(company=self.company, kind=Tag.Kind.CONTACT, name=name)[0].pk

    async def switch_tags(self, rule: TagRule | None, *, clear: bool = False) -> None:
        def work() -> None:
            Connection.objects.filter(pk=self.connection.pk).update(
                member_tags=rule is not None,
                member_tag_prefix=rule.prefix if rule else RULE.prefix,
                member_tag_removal=clear,
            )

        await self._do(work)

    async def add(self, email: str, name: str = "Name", group: str = "in") -> int:
        def work() -> int:
            made: Contact = ContactFactory(
                client=self.client, email=email, first_name=name, department=self._group(group)
            )
            return made.pk

        made: int = await self._do(work)
        return made

    async def edit(self, contact_id: int, **changes: object) -> None:
        def work() -> None:
            given = {NAMES.get(what, what): value for what, value in changes.items()}
            if "group" in given:
                given["department"] = self._group(str(given.pop("group")))
            if "deleted" in given:
                given["deleted_at"] = timezone.now() if given.pop("deleted") else None
            if "tags" in given:
                given["tag_ids"] = [self._tag(str(name)) for name in given.pop("tags")]  # type: ignore[attr-defined]
            Contact.objects.filter(pk=contact_id).update(**given)

        await self._do(work)

    async def vanish(self, contact_id: int) -> None:
        def work() -> None:
            with database.cursor() as cursor:
                cursor.execute("DELETE FROM book_contact WHERE id = %s", [contact_id])

        await self._do(work)

    async def only(self, group: str | None) -> None:
        def work() -> list[int]:
            chosen = Preferences() if group is None else Preferences(department_ids=(self._group(group).pk,))
            Connection.objects.filter(pk=self.connection.pk).update(preferences=chosen.to_json())
            return list(Contact.objects.filter(company=self.company).values_list("pk", flat=True))

        await self.store.look_again(await self._do(work))

    async def choose(self, contact_id: int) -> None:
        def work() -> None:
            contact = Contact.objects.get(pk=contact_id)
            DuplicateChoice.objects.create(company=self.company, email_key=contact.email_key, contact=contact)

        await self._do(work)

    async def ask(self, contact_ids: Sequence[int]) -> None:
        def work() -> None:
            MemberRecord.objects.filter(connection=self.connection, contact_id__in=contact_ids).update(
                asked=True
            )

        await self._do(work)
        await self.store.look_again(contact_ids)

    async def state(self, contact_id: int) -> SyncState | None:
        def work() -> str:
            return MemberRecord.objects.get(connection=self.connection, contact_id=contact_id).state

        state: str = await self._do(work)
        return SyncState(state) if state else None

    async def synced(self, contact_id: int) -> SyncedMember:
        part = await self.store.slice_after(contact_id - 1, 1)
        assert part is not None
        return part.synced[contact_id]


@pytest.fixture
async def world(transactional_db: None) -> AsyncIterator[DatabaseWorld]:
    async with DatabaseThread() as thread:

        def made() -> DatabaseWorld:
            company = CompanyFactory()
            account = MailchimpAccount.objects.create(
                company=company,
                auth_kind=MailchimpAccount.AuthKind.API_KEY,
                secret=b"",
                data_center="us6",
                api_base="http://127.0.0.1:1",
            )
            connection = Connection.objects.create(
                company=company, account=account, list_id="a1", list_name="Friends", mode=Connection.Mode.ON
            )
            store = PostgresStore(thread, connection.pk, company.pk)
            return DatabaseWorld(store, company, ClientFactory(company=company), connection)

        yield await thread.run(made)


class TestPostgresStore(StoreContract):
    pass


class TestTagsOnPostgres(StoreTagsContract):
    @pytest.fixture
    async def world(self, world: DatabaseWorld) -> DatabaseWorld:
        await world.switch_tags(RULE)
        return world
