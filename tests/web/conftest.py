"""People to look at pages with."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client as Browser

from lockstep.apps.accounts.models import Seat


@pytest.fixture
def browser_of() -> Callable[[Seat], Browser]:
    """Give me a browser in which the seat's person is signed in."""

    def sign_in(seat: Seat) -> Browser:
        browser = Browser()
        browser.force_login(seat.user, backend="django.contrib.auth.backends.ModelBackend")
        return browser

    return sign_in
