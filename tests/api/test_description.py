"""The API keeps its own description: whatever is sent, no failure, no leak, and answers as described."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections
from hypothesis import HealthCheck, given, settings
from pytest_django import Settings
from schemathesis.checks import (
    content_type_conformance,
    not_a_server_error,
    response_schema_conformance,
    status_code_conformance,
)
from tests.api.conftest import Caller, CallerOf
from tests.factories import CompanyFactory, SeatFactory
from tests.factories.filled import add_lists, add_part, add_window

from lockstep.api.application import api


@pytest.fixture
def caller(caller_of: CallerOf, settings: Settings) -> Caller:
    """A token for everything, in a company full of data, beside another company full of data."""
    settings.LOCKSTEP_API_RATE = 1_000_000
    seats = [SeatFactory(company=CompanyFactory(name=f"{word} company")) for word in ("alpaca", "zebulon")]
    for seat, word in zip(seats, ("alpaca", "zebulon"), strict=True):
        lists, window = add_lists(seat, word), add_window(seat, word)
        part = add_part(seat, word, lists, window)
        if word == "alpaca":
            KNOWN.update(
                client_id=part.clients[0].pk,
                contact_id=part.contacts[2].pk,
                subject_id=part.clients[0].pk,
                sync_id=window.on.pk,
                external_id="known",
            )
    return caller_of(seats[0])


#: Ids that exist, filled in for half of the calls, so that they reach what is behind the look-up.
KNOWN: dict[str, Any] = {}


OPERATIONS = [
    (path, method)
    for path, methods in api.get_openapi_schema(path_prefix="/api/v1/")["paths"].items()
    for method in methods
]


@pytest.fixture(autouse=True)
def connection_stays_open() -> Iterator[None]:
    """A request through WSGI closes the connection at its end, and with it the test's transaction."""
    for moment in (request_started, request_finished):
        moment.disconnect(close_old_connections)
    yield
    for moment in (request_started, request_finished):
        moment.connect(close_old_connections)


@pytest.fixture
def described(caller: Caller) -> schemathesis.BaseSchema:
    return schemathesis.openapi.from_wsgi("/api/v1/openapi.json", get_wsgi_application())


CHECKS = (
    not_a_server_error,
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)


@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_whatever_is_sent(path: str, method: str, described: schemathesis.BaseSchema, caller: Caller) -> None:
    @given(case=described[path][method.upper()].as_strategy())
    @settings(suppress_health_check=list(HealthCheck), deadline=None)
    def send(case: schemathesis.Case) -> None:
        known = {name: KNOWN[name] for name in case.path_parameters or {} if name in KNOWN}
        for place in ({}, known):
            case.path_parameters = {**(case.path_parameters or {}), **place}
            response = case.call(headers={"Authorization": f"Bearer {caller.secret}"})
            case.validate_response(response, checks=CHECKS)
            sent = f"{case.body} {case.query} {case.path_parameters}"
            assert "zebulon" in sent or "zebulon" not in response.text, "tells of another company"

    send()


def test_every_call_is_described_for_people() -> None:
    """A summary and a sentence each, and an explanation of every status."""
    for path, methods in api.get_openapi_schema(path_prefix="")["paths"].items():
        for method, operation in methods.items():
            assert operation["summary"], (method, path)
            assert operation["description"].endswith("."), (method, path)
            assert all(response["description"] for response in operation["responses"].values())
            assert operation["security"] == [{"AccessToken": []}]


def test_the_description_is_open_and_of_version_3_1(client: Any) -> None:
    description = client.get("/api/v1/openapi.json").json()
    assert description["openapi"] == "3.1.0"
    assert description["components"]["securitySchemes"]["AccessToken"]["scheme"] == "bearer"
