"""What the bridge's tests share: a world with a fresh practice Mailchimp, called without a socket."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from tests.bridge.world import World, make_world


@pytest.fixture
async def world() -> AsyncIterator[World]:
    """Whatever a test does in it, every request is checked at its end: no status, only our fields."""
    async with make_world() as made:
        yield made
