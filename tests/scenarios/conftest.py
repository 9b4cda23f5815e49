from collections.abc import Iterator

import pytest

from lockstep.sandbox.testing import SandboxServer, serve
from tests.scenarios.world import SyncWorld


@pytest.fixture
def practice_mailchimp() -> Iterator[SandboxServer]:
    with serve() as server:
        yield server


@pytest.fixture
def world(transactional_db: None, practice_mailchimp: SandboxServer) -> SyncWorld:
    return SyncWorld(practice_mailchimp)
