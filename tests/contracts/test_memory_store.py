"""The in-memory store keeps the contract of the one on PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from lockstep.core.member import SyncedMember, SyncState
from lockstep.core.tags import TagRule
from lockstep.core.testing import MemoryStore
from tests.contracts.store import StoreContract
from tests.contracts.store_tags import RULE, StoreTagsContract

NAMES = {"name": "first_name"}


@dataclass
class MemoryWorld:
    store: MemoryStore = field(default_factory=MemoryStore)

    async def add(self, email: str, name: str = "Name", group: str = "in") -> int:
        return self.store.add(email, first_name=name, group=group)

    async def edit(self, contact_id: int, **changes: object) -> None:
        self.store.edit(contact_id, **{NAMES.get(what, what): value for what, value in changes.items()})

    async def vanish(self, contact_id: int) -> None:
        self.store.vanish(contact_id)

    async def only(self, group: str | None) -> None:
        self.store.set_groups(None if group is None else frozenset({group}))

    async def choose(self, contact_id: int) -> None:
        self.store.choose(contact_id)

    async def ask(self, contact_ids: Sequence[int]) -> None:
        self.store.ask(contact_ids)

    async def switch_tags(self, rule: TagRule | None, *, clear: bool = False) -> None:
        self.store.book.tag_rule, self.store.book.clear_tags = rule, clear

    async def state(self, contact_id: int) -> SyncState | None:
        return self.store.records[contact_id].state

    async def synced(self, contact_id: int) -> SyncedMember:
        return self.store.records[contact_id].synced


@pytest.fixture
def world() -> MemoryWorld:
    return MemoryWorld()


class TestMemoryStore(StoreContract):
    pass


class TestTagsInMemory(StoreTagsContract):
    @pytest.fixture
    async def world(self) -> MemoryWorld:
        made = MemoryWorld()
        await made.switch_tags(RULE)
        return made
