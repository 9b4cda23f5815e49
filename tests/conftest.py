"""What every test gets: a real PostgreSQL when asked for, and no network but this machine."""

import ipaddress
import os
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from lockstep.sandbox.conformance import REPORT_SETTING, SETTING
from tests.database import ask_for_server

# quick: while working; thorough: CI and nightly. Chosen by HYPOTHESIS_PROFILE.
settings.register_profile("quick", deadline=None, max_examples=50)
settings.register_profile(
    "thorough", deadline=None, max_examples=500, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))


class NetworkIsOffError(RuntimeError):
    """A test tried to reach another machine."""


def _is_this_machine(address: object) -> bool:
    """Whether a socket address is a unix socket's or a loopback one."""
    if not isinstance(address, tuple):
        return True
    host = str(address[0]).partition("%")[0]
    if host in {"localhost", ""}:
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@pytest.fixture(scope="session", autouse=True)
def network_is_off() -> Any:
    """Refuse every connection that would leave this machine, and every look-up of a name but localhost."""
    patch = pytest.MonkeyPatch()
    real_connect, real_connect_ex = socket.socket.connect, socket.socket.connect_ex
    real_getaddrinfo = socket.getaddrinfo

    def connect(self: socket.socket, address: Any) -> None:
        if not _is_this_machine(address):
            raise NetworkIsOffError(f"a test tried to connect to {address!r}")
        real_connect(self, address)

    def connect_ex(self: socket.socket, address: Any) -> int:
        if not _is_this_machine(address):
            raise NetworkIsOffError(f"a test tried to connect to {address!r}")
        return real_connect_ex(self, address)

    def getaddrinfo(host: Any, *args: Any, **kwargs: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        if name is not None and not _is_this_machine((name,)):
            raise NetworkIsOffError(f"a test tried to look {name!r} up")
        return real_getaddrinfo(host, *args, **kwargs)

    patch.setattr(socket.socket, "connect", connect)
    patch.setattr(socket.socket, "connect_ex", connect_ex)
    patch.setattr(socket, "getaddrinfo", getaddrinfo)
    yield
    patch.undo()


@pytest.fixture(scope="session", autouse=True)
def complaints_of_the_sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Every practice Mailchimp of the session, those in processes of their own too, checks all its answers
    against Mailchimp's description, and writes into this file what does not fit."""
    file = tmp_path_factory.mktemp("sandbox") / "complaints"
    file.touch()
    description = Path(os.environ.get(SETTING) or "../shared/mailchimp/marketing-openapi.json").absolute()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(REPORT_SETTING, str(file))
        patch.setenv(SETTING, str(description))
        yield file


@pytest.fixture(autouse=True)
def answers_fit_the_description(complaints_of_the_sandbox: Path) -> Iterator[None]:
    """Fail the test during which a practice Mailchimp gave an answer that Mailchimp does not describe."""
    before = complaints_of_the_sandbox.stat().st_size
    yield
    with complaints_of_the_sandbox.open(encoding="utf-8") as lines:
        lines.seek(before)
        assert lines.read() == ""


@pytest.fixture(scope="session")
def postgres_url() -> str:
    """The ``DATABASE_URL`` of a running server, for tests that create databases of their own on it."""
    return ask_for_server()


@pytest.fixture(scope="session")
def django_db_modify_db_settings(
    postgres_url: str, django_db_modify_db_settings_parallel_suffix: None
) -> None:
    """Point Django at the session's server before its test database is made there (pytest-django's hook)."""
    from django.db import connections

    from lockstep.project.environment import parse_database_url

    server = parse_database_url(postgres_url)
    connections["default"].settings_dict.update(
        USER=server.user, PASSWORD=server.password, HOST=server.host, PORT=server.port
    )


@pytest.fixture(scope="session")
def chromium() -> Path:
    """The browser that page tests drive: LOCKSTEP_CHROMIUM, or the one on the path."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    found = os.environ.get("LOCKSTEP_CHROMIUM") or next(filter(None, map(shutil.which, names)), None)
    if found is None:
        pytest.fail("Chromium is missing. Install it (Debian: apt-get install chromium).")
    return Path(found)


@pytest.fixture(autouse=True)
def empty_job_queue(request: pytest.FixtureRequest) -> Iterator[None]:
    """Empty the job tables after tests that commit: Django's flush passes them by, being unmanaged."""
    marker = request.node.get_closest_marker("django_db")
    commits = bool(marker and marker.kwargs.get("transaction")) or "transactional_db" in request.fixturenames
    if not commits:
        yield
        return
    request.getfixturevalue("transactional_db")
    yield
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            "TRUNCATE procrastinate_jobs, procrastinate_workers, procrastinate_periodic_defers CASCADE"
        )


# --- In CI a skipped test is a failed one: everything it could miss is installed there ------------

_skipped: list[str] = []


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Note what was skipped, in the process that hears of all workers' tests."""
    if report.skipped and not hasattr(report, "wasxfail"):
        _skipped.append(report.nodeid)


def pytest_collectreport(report: pytest.CollectReport) -> None:
    """Note modules that were skipped as a whole."""
    if report.skipped:
        _skipped.append(report.nodeid)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail the session where LOCKSTEP_NO_SKIPS is set and something was skipped."""
    if _skipped and os.environ.get("LOCKSTEP_NO_SKIPS") and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say why such a session failed."""
    if _skipped and os.environ.get("LOCKSTEP_NO_SKIPS"):
        terminalreporter.section("skipped, and nothing may be skipped here", sep="=", red=True)
        terminalreporter.write_line("\n".join(sorted(set(_skipped))))
