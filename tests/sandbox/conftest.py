"""What the sandbox's tests share: a fresh practice Mailchimp for each, every answer checked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lockstep.sandbox import create_app
from lockstep.sandbox.conformance import SETTING, ConformanceApp, Description
from lockstep.sandbox.testing import SandboxClient, SandboxServer, serve

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def found_description() -> Description | None:
    """Mailchimp's own description of the API, where this machine has it."""
    return Description.find(ROOT)


@pytest.fixture
def description(found_description: Description | None) -> Description:
    """As above, for tests that are about nothing else."""
    if found_description is None:
        pytest.skip(f"Mailchimp's API description is absent; {SETTING} can name it")
    return found_description


@pytest.fixture
def mailchimp(found_description: Description | None) -> Iterator[SandboxClient]:
    """A fresh practice Mailchimp: one account, one audience with five subscribers at club.example.

    Where the description is at hand, an answer that does not fit it fails the test.
    """
    app = ConformanceApp(create_app(), found_description)
    yield SandboxClient(app=app)
    assert [str(complaint) for complaint in app.complaints] == []


@pytest.fixture
def server(found_description: Description | None) -> Iterator[SandboxServer]:
    """The same over HTTP on a free port."""
    app = ConformanceApp(create_app(), found_description)
    with serve(app) as server:
        yield server
    assert [str(complaint) for complaint in app.complaints] == []
