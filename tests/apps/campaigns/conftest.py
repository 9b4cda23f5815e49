from collections.abc import Iterator

import pytest
from tests.apps.campaigns.world import CampaignWorld
from tests.scenarios.world import SyncWorld

from lockstep.sandbox.testing import SandboxServer, serve


@pytest.fixture
def practice_mailchimp() -> Iterator[SandboxServer]:
    with serve() as server:
        yield server


@pytest.fixture
def world(transactional_db: None, practice_mailchimp: SandboxServer) -> CampaignWorld:
    return CampaignWorld(SyncWorld(practice_mailchimp))
