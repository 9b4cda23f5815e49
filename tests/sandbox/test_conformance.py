"""The witness itself: does the check against Mailchimp's description see what is wrong?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lockstep.sandbox import create_app
from lockstep.sandbox.conformance import SETTING, ConformanceApp, Description, schema_errors
from lockstep.sandbox.routes import COLLECTIONS
from lockstep.sandbox.testing import SandboxClient

PROBLEM = "application/problem+json"
TINY = {
    "paths": {
        "/ping": {
            "get": {
                "responses": {
                    "200": {
                        "schema": {"type": "object", "properties": {"health_status": {"type": "string"}}},
                    }
                }
            }
        }
    }
}


def complaints(
    body: Any, *, status: int = 200, path: str = "/ping", kind: str = "application/json"
) -> list[str]:
    found = Description(TINY).complaints("GET", path, status, json.dumps(body).encode(), kind)
    return [f"{c.where}: {c.what}" for c in found]


def test_a_right_answer_passes() -> None:
    assert complaints({"health_status": "fine"}) == []


@pytest.mark.parametrize(
    ("body", "more"),
    [
        ({"health_status": 5}, {}),
        ({"health_status": "fine", "more": 1}, {}),
        ([], {}),
        ({"health_status": "fine"}, {"status": 201}),
        ({"health_status": "fine"}, {"path": "/pong"}),
        ({"health_status": "fine"}, {"kind": "text/html"}),
        ({"title": "T", "status": 400, "detail": "D", "instance": ""}, {"status": 404, "kind": PROBLEM}),
        ({"title": "T"}, {"status": 404, "kind": PROBLEM}),
        ({"error": "T"}, {"status": 404, "kind": "application/json"}),
    ],
)  # fmt: skip
def test_a_wrong_answer_does_not(body: Any, more: dict[str, Any]) -> None:
    assert complaints(body, **more)


@pytest.mark.parametrize(
    ("value", "schema", "fits"),
    [
        ("", {"type": "string", "format": "date-time"}, True),
        ("2024-05-06T07:08:09+00:00", {"type": "string", "format": "date-time"}, True),
        ("2024-05-06", {"type": "string", "format": "date-time"}, False),
        (True, {"type": "integer"}, False),
        (1, {"type": "number"}, True),
        ("x", {"type": "string", "enum": ["y"]}, False),
        ({}, {"type": "object", "required": ["a"]}, False),
        ([1], {"type": "array", "items": {"type": "string"}}, False),
        ({"a": 1}, {"type": "object", "properties": {"a": {"type": "string"}}}, False),
    ],
)  # fmt: skip
def test_schemas(value: Any, schema: dict[str, Any], fits: bool) -> None:
    assert (list(schema_errors(value, schema, "")) == []) is fits


def test_the_setting_names_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "description.json"
    monkeypatch.setenv(SETTING, str(file))
    assert Description.find() is None
    file.write_text(json.dumps(TINY))
    found = Description.find()
    assert found is not None
    assert [(method, path) for method, path, _ in found.operations()] == [("GET", "/ping")]


def test_every_described_path_we_serve_fits_with_its_defaults(description: Description) -> None:
    """Each GET that needs nothing but the first audience and member, once."""
    app = ConformanceApp(create_app(), description)
    client = SandboxClient(app=app)
    for routes in COLLECTIONS:
        for route in routes.all:
            if route.method == "GET":
                path = route.pattern.replace("{list_id}", client.audience.id)
                path = path.replace("{subscriber_hash}", "pat@club.example").replace("{merge_id}", "3")
                client.get(path)
    assert [str(complaint) for complaint in app.complaints] == []
    assert ("GET", "/lists/{list_id}/members/{subscriber_hash}") in app.seen
    assert app.checked >= 8
