"""Nothing of one company, or of another rep's clients, is seen or touched through the API (A1, A2)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client as HttpClient
from tests.api.conftest import Caller, CallerOf
from tests.factories import CompanyFactory, SeatFactory
from tests.factories.filled import Part, Window, add_lists, add_part, add_window
from tests.web.walking import rows

from lockstep.api.application import api
from lockstep.apps.accounts.models import Seat
from lockstep.apps.accounts.permissions import Role

pytestmark = pytest.mark.django_db


def operations() -> Iterator[tuple[str, str]]:
    """(method, path template) of every call there is."""
    for path, methods in api.get_openapi_schema(path_prefix="")["paths"].items():
        for method in methods:
            yield method.upper(), path


def ids_of(part: Part, window: Window) -> list[dict[str, Any]]:
    alive = {"client_id": part.clients[0].pk, "contact_id": part.contacts[2].pk, "sync_id": window.on.pk}
    gone = {
        "client_id": part.deleted_client.pk,
        "contact_id": part.deleted_contact.pk,
        "sync_id": window.off.pk,
    }
    return [
        ids | {"subject_id": ids[f"{kind}_id"], "kind": kind}
        for ids in (alive, gone)
        for kind in ("client", "contact")
    ] + [alive | {"subject_id": 1, "kind": "statuses"}]


def bodies(part: Part, window: Window) -> list[dict[str, Any]]:
    """Everything of theirs, under every name by which a call is told of it."""
    contact = {
        "client_id": part.clients[0].pk,
        "email": "new@harmless.example",
        "department": "zebulon department",
    }
    client = {
        "name": "Harmless",
        "status": "zebulon status",
        "industry": "zebulon industry",
        "rep_email": part.seat.user.email,
    }
    return [
        contact,
        client,
        {"name": "Harmless"},
        {"client_id": part.clients[0].pk, "first_name": "Harmless"},
        {"client_external_id": "their-id", "first_name": "Harmless"},
        {"items": [contact | {"external_id": "their-id"}, {"external_id": "their-id", "first_name": "x"}]},
        {"items": [client | {"external_id": "their-id"}]},
        {"states": ["failed", "pending", "archived"]},
    ]


@pytest.fixture(params=["another company", "another rep's clients"])
def both(
    request: pytest.FixtureRequest, caller_of: CallerOf
) -> tuple[Caller, Part, Window, set[tuple[str, str]]]:
    """A caller with a full book, and somebody else's part (every text of theirs says “zebulon”)."""
    mine = SeatFactory(company=CompanyFactory(name="Alpaca company"))
    lists, window = add_lists(mine, "alpaca"), add_window(mine, "alpaca")
    add_part(mine, "alpaca", lists, window)
    caller = caller_of(mine)
    if request.param == "another company":
        other: Seat = SeatFactory(company=CompanyFactory(name="zebulon company"))
        their_lists, their_window = add_lists(other, "zebulon"), add_window(other, "zebulon")
    else:
        mine.role, mine.own_clients_only = Role.MANAGER, True
        mine.save()
        other = SeatFactory(company=mine.company, role=Role.SALES)
        their_lists, their_window = lists, window
    before = rows()
    part = add_part(other, "zebulon", their_lists, their_window)
    client, contact = part.clients[0], part.contacts[2]
    for thing in (client, contact):
        thing.external_id = "their-id"
        thing.save()
    return caller, part, their_window, rows() - before


def test_somebody_elses_is_not_there(both: tuple[Caller, Part, Window, set[tuple[str, str]]]) -> None:
    caller, part, window, theirs = both
    tried, faults = 0, []
    for method, template in operations():
        for ids in ids_of(part, window):
            path = template.format(**ids | {"external_id": "their-id"})
            for body in [None, *bodies(part, window)] if method != "GET" else [None]:
                answer = caller.raw(method, path, body)
                text = answer.content.decode()
                tried += 1
                if answer.status_code >= 500:
                    faults.append(f"{method} {path} {body}: {answer.status_code}")
                if "zebulon" in text and "zebulon" not in json.dumps(body):
                    faults.append(f"{method} {path} tells {text[:300]}")
        missing = theirs - rows()
        if missing:
            faults.append(f"{method} {template} changed {sorted({table for table, _ in missing})}")
            theirs -= missing
    assert tried > 300
    assert not faults


def test_lists_read_the_same_whatever_somebody_else_has(
    both: tuple[Caller, Part, Window, set[tuple[str, str]]],
) -> None:
    caller, _, _, _ = both
    seen = 0
    for method, template in operations():
        if method == "GET" and "{" not in template:
            for query in ("", "?search=zebulon", "?deleted=true", "?sort=-changed&size=200"):
                answer = caller.raw("GET", template + query)
                assert answer.status_code in {200, 422}, template
                assert "zebulon" not in answer.content.decode(), template + query
                seen += answer.status_code == 200
    assert seen > 8


def test_signed_out_every_door_is_shut(db: None) -> None:
    before = rows()
    for method, template in operations():
        path = template.format(
            kind="client", client_id=1, contact_id=1, subject_id=1, sync_id=1, external_id="x"
        )
        answer = HttpClient().generic(method, f"/api/v1{path}", "{}", "application/json")
        assert answer.status_code == 401, (method, path)
    assert rows() == before
