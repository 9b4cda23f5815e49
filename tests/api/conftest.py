"""Another system at the API: holds a token, speaks JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.test import Client as HttpClient
from tests.factories import SeatFactory

from lockstep.apps.accounts.models import Seat
from lockstep.apps.integrations.scopes import Scope
from lockstep.apps.integrations.services import create_token


@dataclass
class Caller:
    """`seat`'s token for `scopes`; answers are (status, decoded body)."""

    seat: Seat
    secret: str
    http: HttpClient = field(default_factory=HttpClient)

    def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        answer = self.raw(method, path, body, **headers)
        return answer.status_code, json.loads(answer.content)

    def raw(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        sent = {"Authorization": f"Bearer {self.secret}"} | {
            name.replace("_", "-"): value for name, value in headers.items()
        }
        content = body if isinstance(body, bytes) else json.dumps(body) if body is not None else b""
        return self.http.generic(method, f"/api/v1{path}", content, "application/json", headers=sent)


CallerOf = Callable[..., Caller]


@pytest.fixture
def caller_of(db: None) -> CallerOf:
    def make(
        seat: Seat | None = None, scopes: Iterable[str] = tuple(Scope), maker: Seat | None = None
    ) -> Caller:
        seat = seat or SeatFactory()
        _, secret = create_token((maker or seat).actor(), name="CRM", scopes=scopes, days=30)
        return Caller(seat, secret)

    return make


@pytest.fixture
def call(caller_of: CallerOf) -> Caller:
    """An admin's token for everything."""
    return caller_of()
