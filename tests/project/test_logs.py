"""Logs tell what happened with our ids, and nothing about people."""

import json
import logging
from pathlib import Path

import pytest
from django.test import Client

from lockstep.project.log_format import JsonFormatter, KeyValueFormatter, quote


def record(message: str, *args: object, **extra: object) -> logging.LogRecord:
    made = logging.LogRecord("lockstep.sync", logging.INFO, __file__, 1, message, args, None)
    made.created = 1_700_000_000.25
    made.__dict__.update(extra)
    return made


def test_a_line_is_key_value() -> None:
    line = KeyValueFormatter().format(record("sync %s", "started", connection=7, reason='said "no"'))
    assert line == (
        "at=2023-11-14T22:13:20.250Z level=info from=lockstep.sync "
        'event="sync started" connection=7 reason="said \\"no\\""'
    )


def test_a_line_is_json_where_asked_for() -> None:
    odd = {"share": float("nan"), "path": Path("a")}
    line = JsonFormatter().format(record("sync %s", "started", connection=7, reason='said "no"\n', **odd))
    assert "\n" not in line
    assert json.loads(line, parse_constant=pytest.fail) == {
        "at": "2023-11-14T22:13:20.250Z",
        "level": "info",
        "from": "lockstep.sync",
        "event": "sync started",
        "connection": 7,
        "reason": 'said "no"\n',
        "share": "nan",
        "path": "a",
    }


@pytest.mark.parametrize("value", ["a b", 'q"', "two\nlines", "", "=", "\r"])
def test_a_value_stays_on_its_line_and_in_its_quotes(value: str) -> None:
    quoted = quote(value)
    assert quoted.startswith('"')
    assert quoted.endswith('"')
    assert "\n" not in quoted
    assert "\r" not in quoted


@pytest.mark.parametrize("formatter", [KeyValueFormatter(), JsonFormatter()])
def test_the_refused_row_of_a_database_error_is_left_out(formatter: logging.Formatter) -> None:
    message = (
        "duplicate key value\nDETAIL:  Key (email)=(ann@example.com) already exists.\nCONTEXT:  COPY ann"
    )
    try:
        raise ValueError(message)
    except ValueError as error:
        trace = (type(error), error, error.__traceback__)
    line = formatter.format(record("failed: %s", message))
    assert "ann" not in line
    failed = record("failed")
    failed.exc_info = trace
    line = formatter.format(failed)
    assert "duplicate key value" in line
    assert "ann" not in line


@pytest.mark.django_db
def test_a_request_is_logged_by_its_route(caplog: pytest.LogCaptureFixture, client: Client) -> None:
    with caplog.at_level(logging.INFO, "lockstep.request"):
        client.get("/accounts/password/reset/key/secret-token/?email=ann@example.com")
    lines = [
        KeyValueFormatter().format(entry) for entry in caplog.records if entry.name == "lockstep.request"
    ]
    assert len(lines) == 1
    assert "method=GET" in lines[0]
    assert "route=" in lines[0]
    assert "secret-token" not in lines[0]
    assert "ann" not in lines[0]


@pytest.mark.django_db
def test_health_answers_without_filling_the_log(caplog: pytest.LogCaptureFixture, client: Client) -> None:
    with caplog.at_level(logging.DEBUG, "lockstep.request"):
        response = client.get("/healthz")
    assert (response.status_code, response.content) == (200, b"ok\n")
    assert not [entry for entry in caplog.records if entry.name == "lockstep.request"]
