"""What can be set from outside, and what is refused."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from lockstep.project.environment import (
    SETTINGS,
    Database,
    Environment,
    SettingError,
    parse_database_url,
)

REFERENCE = Path(__file__).parents[2] / "docs" / "reference" / "settings.md"
SOURCES = Path(__file__).parents[2] / "src"

COMPLETE = {
    "DATABASE_URL": "postgres://me@127.0.0.1/lockstep",
    "LOCKSTEP_SECRET_KEY": "0123456789abcdef" * 2,
    "LOCKSTEP_ENCRYPTION_KEYS": "b25seS1mb3ItdGVzdHMtMDEyMzQ1Njc4OTAxMjM0NTY=",
}


def load_settings(**environment: str) -> tuple[int, str]:
    """Load the real settings in a process of their own; its exit code and what it printed."""
    program = (
        "from lockstep.project import settings as s; "
        "print(s.SESSION_COOKIE_SECURE, s.SECURE_HSTS_SECONDS > 0, s.ALLOWED_HOSTS, s.DEBUG)"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", program],
        env={"PATH": os.environ["PATH"], **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (
            "postgres://ann:p%40ss@db.example:5433/book?sslmode=require",
            Database("book", "ann", "p@ss", "db.example", "5433", {"sslmode": "require"}),
        ),
        ("postgresql://127.0.0.1/book", Database("book", "", "", "127.0.0.1", "", {})),
        ("postgres://ann@[::1]:5432/book", Database("book", "ann", "", "::1", "5432", {})),
        (
            "postgres://lockstep@/book?host=%2Ftmp%2Fsocket",
            Database("book", "lockstep", "", "/tmp/socket", "", {}),
        ),
        ("postgres:///b%20k?user=ann&port=7", Database("b k", "ann", "", "", "7", {})),
    ],
)
def test_database_urls_are_taken_apart(url: str, expected: Database) -> None:
    assert parse_database_url(url) == expected


@pytest.mark.parametrize(
    "url", ["mysql://me@host/book", "sqlite:///book.db", "postgres://host", "postgres://h:no/b", ""]
)
def test_other_databases_are_refused(url: str) -> None:
    with pytest.raises(SettingError):
        parse_database_url(url)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("1", True), ("true", True), ("ON", True), ("0", False), ("no", False), ("", False), ("maybe", None)],
)
def test_a_flag_is_clear_or_refused(text: str, expected: bool | None) -> None:
    environment = Environment({"LOCKSTEP_DEBUG": text})
    if expected is None:
        with pytest.raises(SettingError, match="LOCKSTEP_DEBUG must be 1 or 0"):
            environment.flag("LOCKSTEP_DEBUG")
    else:
        assert environment.flag("LOCKSTEP_DEBUG") is expected


def test_a_setting_that_is_not_declared_cannot_be_read() -> None:
    with pytest.raises(KeyError):
        Environment({"LOCKSTEP_SURPRISE": "1"}).text("LOCKSTEP_SURPRISE")


def test_the_reference_describes_every_setting_as_it_is() -> None:
    rows = {
        match["name"]: match["meaning"]
        for match in re.finditer(r"^\| `(?P<name>\w+)` \| (?P<meaning>.*?) \| ", REFERENCE.read_text(), re.M)
    }
    assert rows == {setting.name: setting.meaning for setting in SETTINGS}


def test_no_variable_is_read_past_the_table() -> None:
    """Whatever looks like one of our variables anywhere in the sources is declared."""
    declared = {setting.name for setting in SETTINGS}
    found = {
        name
        for path in (SOURCES / "lockstep" / "project").rglob("*.py")
        for name in re.findall(
            r"environ(?:ment)?\.?(?:get|text|flag|number|words|folder|required)?[\[(]\"(\w+)\"",
            path.read_text(),
        )
        if name.startswith(("LOCKSTEP_", "MAILCHIMP_", "DATABASE_"))
    }
    assert found
    assert found <= declared


@pytest.mark.parametrize("missing", sorted(COMPLETE))
def test_settings_refuse_to_load_without(missing: str) -> None:
    code, output = load_settings(**{name: value for name, value in COMPLETE.items() if name != missing})
    assert code != 0
    assert f"{missing} is not set" in output


def test_a_short_secret_is_refused() -> None:
    code, output = load_settings(**COMPLETE | {"LOCKSTEP_SECRET_KEY": "change-me"})
    assert code != 0
    assert "too short" in output


def test_on_this_machine_plain_http_is_enough() -> None:
    code, output = load_settings(**COMPLETE)
    assert code == 0, output
    assert output.split() == ["False", "False", "['127.0.0.1',", "'localhost',", "'[::1]']", "False"]


def test_with_tls_cookies_never_travel_without() -> None:
    code, output = load_settings(**COMPLETE | {"LOCKSTEP_BASE_URL": "https://book.example.com"})
    assert code == 0, output
    assert output.split() == ["True", "True", "['book.example.com']", "False"]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"LOCKSTEP_DEBUG": "1"}, "LOCKSTEP_DEBUG"),
        ({"LOCKSTEP_SECRET_KEY": "change-me" * 4}, "repeats a few characters"),
        ({"LOCKSTEP_ALLOWED_HOSTS": "*"}, "must name the hosts"),
    ],
)
def test_what_is_harmless_at_home_is_refused_where_others_come(given: dict[str, str], told: str) -> None:
    code, output = load_settings(**COMPLETE | {"LOCKSTEP_BASE_URL": "https://book.example.com"} | given)
    assert code != 0
    assert told in output
