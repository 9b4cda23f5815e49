"""``lockstep up`` on a real machine: starts, tells, mends, stops, and leaves nothing behind."""

import contextlib
import http.cookiejar
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from lockstep.project.data_folder import DataFolder
from lockstep.project.embedded_postgres.leftovers import wait_for

pytestmark = [pytest.mark.postgres, pytest.mark.slow, pytest.mark.timeout(300)]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Running:
    """A ``lockstep up`` on a folder and ports of its own, and what it printed."""

    def __init__(self, data: Path, *options: str) -> None:
        self.data = data
        self.port = free_port()
        self.options = [
            *("--data", str(data), "--port", str(self.port), "--sandbox-port", str(free_port())),
            *options,
        ]
        self.output = ""

    def start(self, *extra: str) -> "Running":
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "lockstep.cli", "up", *self.options, *extra],
            env={"PATH": os.environ["PATH"], "HOME": str(self.data.parent)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert self.process.stdout is not None
        self.output = ""
        for line in self.process.stdout:
            self.output += line
            if line.strip().startswith("Stop "):
                break
        return self

    def children(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def numbers(self, word: str) -> set[int]:
        """The process numbers of the living children with that word in their command line."""
        found = set()
        for one in self.children():
            with contextlib.suppress(psutil.Error):  # ended, or ending, since it was listed
                if word in one.cmdline():
                    found.add(one.pid)
        return found

    def end(self, how: signal.Signals) -> tuple[int, str]:
        """Signal it; its exit code and last output."""
        self.process.send_signal(how)
        rest, _ = self.process.communicate(timeout=60)
        return self.process.returncode, rest

    def password(self) -> str:
        found = re.search(r"admin@lockstep\.example  password (\S+)", self.output)
        assert found, self.output
        return found[1]

    def answers(self, path: str = "/healthz") -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Running]:
    running = Running(tmp_path / "data", "--empty")
    yield running
    if hasattr(running, "process") and running.process.poll() is None:
        running.process.kill()
        running.process.communicate()


def sign_in(running: Running, password: str) -> int:
    """The status of the page that signing in leads to; 403 or the form again where it fails."""
    base = f"http://127.0.0.1:{running.port}"
    jar = http.cookiejar.CookieJar()
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))
    form = browser.open(f"{base}/accounts/login/", timeout=20).read().decode()
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', form)
    assert token
    fields = {"csrfmiddlewaretoken": token[1], "login": "admin@lockstep.example", "password": password}
    request = urllib.request.Request(
        f"{base}/accounts/login/", urllib.parse.urlencode(fields).encode(), {"Referer": base}
    )
    try:
        browser.open(request, timeout=20)
    except urllib.error.HTTPError as error:
        if error.code != 404:  # a start page is not this test's matter
            raise
    return len([cookie for cookie in jar if cookie.name == "lockstep"])


def kill_and_see_it_return(running: Running, victim: str) -> None:
    (before,) = running.numbers(victim)
    os.kill(before, signal.SIGKILL)
    assert wait_for(lambda: bool(running.numbers(victim) - {before}), 60)


def test_it_starts_tells_mends_and_stops(up: Running) -> None:
    up.start()
    assert "Lockstep is running." in up.output, up.output
    assert f"http://127.0.0.1:{up.port}" in up.output
    assert up.answers()
    assert sign_in(up, up.password()) == 1
    assert sign_in(up, "wrong") == 0

    second = subprocess.run(
        [sys.executable, "-P", "-m", "lockstep.cli", "up", *up.options],
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
    )
    assert second.returncode == 1
    assert second.stdout == ""
    assert "already running" in second.stderr
    assert f"process {up.process.pid}, at http://127.0.0.1:{up.port}" in second.stderr
    assert "Traceback" not in second.stderr

    beside = subprocess.run(
        [sys.executable, "-P", "-m", "lockstep.cli", "migrate"],
        env={"PATH": os.environ["PATH"], "LOCKSTEP_DATA_DIR": str(up.data)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert beside.stdout == "The database is up to date.\n", beside.stderr

    for victim in ("worker", "web"):
        kill_and_see_it_return(up, victim)
    assert wait_for(up.answers, 60)

    everyone = up.children()
    assert len(everyone) >= 4
    code, rest = up.end(signal.SIGINT)
    assert code == 0
    assert "Stopped. Your data is kept in" in rest
    assert not [one for one in everyone if one.is_running()]
    assert not DataFolder(up.data).is_in_use

    password = up.password()
    up.start()
    assert up.password() == password, "the same folder, the same company, the same sign-in"
    assert "Making a new database" not in up.output
    code, _ = up.end(signal.SIGTERM)
    assert code == 0


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process of its parent's death")
def test_nothing_survives_a_kill_and_the_next_start_is_as_if_nothing_was(up: Running) -> None:
    up.start()
    everyone = up.children()
    up.end(signal.SIGKILL)
    assert wait_for(lambda: not [one for one in everyone if one.is_running()], 30)
    up.start()
    assert "Lockstep is running." in up.output, up.output
    code, _ = up.end(signal.SIGTERM)
    assert code == 0


def test_a_stop_in_the_middle_of_starting_stops_all_of_it(up: Running) -> None:
    up.process = subprocess.Popen(
        [sys.executable, "-P", "-m", "lockstep.cli", "up", *up.options],
        env={"PATH": os.environ["PATH"]},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert up.process.stdout is not None
    for line in up.process.stdout:
        if line.startswith("Bringing the database up to date"):
            break
    everyone = up.children()
    code, rest = up.end(signal.SIGINT)
    assert code == 0, rest
    assert "Traceback" not in rest
    assert not [one for one in everyone if one.is_running()]


@pytest.mark.parametrize(
    ("option", "who"), [("--port", "Lockstep"), ("--sandbox-port", "the practice Mailchimp")]
)
def test_a_busy_port_is_told_before_anything_is_started(tmp_path: Path, option: str, who: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ports = {"--port": free_port(), "--sandbox-port": free_port()} | {option: port}
        done = subprocess.run(
            [
                *(sys.executable, "-P", "-m", "lockstep.cli", "up", "--data", str(tmp_path / "data")),
                *(str(word) for pair in ports.items() for word in pair),
            ],
            env={"PATH": os.environ["PATH"]},
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr.startswith(f"lockstep: Port {port}, for {who}, is used by another program.")
    assert f"{option} {port + 1}" in done.stderr or f"{option} {port - 1}" in done.stderr
    assert not (tmp_path / "data" / "postgres").exists()


def test_a_command_without_any_database_says_what_to_do(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-m", "lockstep.cli", "worker"],
        env={"PATH": os.environ["PATH"], "LOCKSTEP_DATA_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("lockstep: there is no database")
    assert "lockstep up" in done.stderr
