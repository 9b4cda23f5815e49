"""pytest fixtures: `pytest_plugins = ["lockstep.sandbox.fixtures"]`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .testing import SandboxClient, SandboxServer, serve

__all__ = ["sandbox_client", "sandbox_server"]


@pytest.fixture
def sandbox_client() -> SandboxClient:
    """A fresh practice Mailchimp, called in-process."""
    return SandboxClient()


@pytest.fixture
def sandbox_server() -> Iterator[SandboxServer]:
    """A fresh practice Mailchimp on a free port."""
    with serve() as server:
        yield server
