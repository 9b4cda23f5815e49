"""The page of access tokens: the secret is shown once, and a revoked token opens nothing."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from django.test import Client as Browser
from tests.factories import SeatFactory

from lockstep.apps.accounts.models import Seat
from lockstep.apps.accounts.permissions import Role
from lockstep.apps.integrations.models import AccessToken

pytestmark = pytest.mark.django_db

BrowserOf = Callable[[Seat], Browser]
GIVEN = {"name": "CRM", "days": "90", "scopes": ["book:read", "book:write"]}


def works(secret: str) -> bool:
    answer = Browser().get("/api/v1/clients", headers={"Authorization": f"Bearer {secret}"})
    return answer.status_code == 200


def test_a_token_is_made_shown_once_and_revoked(browser_of: BrowserOf) -> None:
    browser = browser_of(SeatFactory())
    made = browser.post("/settings/api", GIVEN)
    [secret] = re.findall(r"lockstep_[\w-]{43}", made.content.decode())
    assert made["Cache-Control"] == "no-store"
    assert works(secret)
    token = AccessToken.objects.get()
    assert (token.name, token.scopes) == ("CRM", GIVEN["scopes"])
    page = browser.get("/settings/api").content.decode()
    assert secret not in page
    assert token.hint in page
    browser.post(f"/settings/api/{token.pk}/revoke")
    assert not works(secret)
    assert "Revoked" in browser.get("/settings/api").content.decode()


def test_what_is_missing_is_said_beside_its_field(browser_of: BrowserOf) -> None:
    answer = browser_of(SeatFactory()).post("/settings/api", {"name": "", "days": "90"})
    assert answer.status_code == 422
    page = answer.content.decode()
    assert "Give the token a name" in page
    assert "Choose at least one thing" in page
    assert not AccessToken.objects.exists()


@pytest.mark.parametrize("role", sorted(set(Role) - {Role.ADMIN}))
def test_only_who_manages_the_company_comes_here(browser_of: BrowserOf, role: Role) -> None:
    browser = browser_of(SeatFactory(role=role))
    assert browser.get("/settings/api").status_code == 403
    assert browser.post("/settings/api", GIVEN).status_code == 403
    assert not AccessToken.objects.exists()
