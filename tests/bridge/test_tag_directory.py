"""Tags by name: several calls share what was read of them."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from lockstep.bridge.member_tags import TagDirectory
from lockstep.core.errors import BatchRefused
from lockstep.mailchimp.errors import NotFound


class SlowAPI:
    """Makes a tag only once `go` is set; the tag “gone” was deleted at Mailchimp a moment ago."""

    def __init__(self) -> None:
        self.making, self.go = asyncio.Event(), asyncio.Event()

    async def segments(self, list_id: str, **_: Any) -> list[SimpleNamespace]:
        return [SimpleNamespace(name="gone", id=1)]

    async def create_segment(self, list_id: str, segment: Any) -> SimpleNamespace:
        self.making.set()
        await self.go.wait()
        return SimpleNamespace(id=2)

    async def change_segment_members(
        self, list_id: str, segment: int, add: list[str], remove: list[str]
    ) -> SimpleNamespace:
        if segment == 1:
            raise NotFound
        named = [SimpleNamespace(email_address=email) for email in add]
        return SimpleNamespace(members_added=named, members_removed=[])


async def test_a_tag_that_is_being_made_survives_that_another_is_gone() -> None:
    """Seed 11673 of the simulation: the second call forgot the names that the first was adding to."""
    api: Any = SlowAPI()
    directory = TagDirectory("list")
    first = asyncio.create_task(directory.change(api, "new", ["ada@acme.example"], []))
    await api.making.wait()
    with pytest.raises(BatchRefused):
        await directory.change(api, "gone", ["bob@acme.example"], [])
    api.go.set()
    assert await first == frozenset()
