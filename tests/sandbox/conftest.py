"""What the sandbox's tests share: a fresh practice Mailchimp for each, called in-process."""

from __future__ import annotations

import pytest

from lockstep.sandbox.testing import SandboxClient


@pytest.fixture
def mailchimp() -> SandboxClient:
    """A fresh practice Mailchimp: one account, one audience with five subscribers at club.example."""
    return SandboxClient()
