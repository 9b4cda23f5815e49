"""How long `lockstep up` takes on a machine where it has run before, until somebody is signed in."""

from __future__ import annotations

import http.cookiejar
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from pathlib import Path

from tests.processes import free_port

_ADMIN = "admin@lockstep.example"


def seconds_to_signed_in() -> float:
    """From the start of the process to the page behind the sign-in, the second time on one data folder."""
    with tempfile.TemporaryDirectory(prefix="lockstep-bench-up-") as folder:
        port = free_port()
        words = ["up", "--empty", "--data", f"{folder}/data", "--port", str(port)]
        command = [sys.executable, "-P", "-m", "lockstep.cli", *words, "--sandbox-port", str(free_port())]
        first = _start(command, Path(folder))
        told = _until_it_runs(first)
        found = re.search(rf"{re.escape(_ADMIN)}  password (\S+)", told)
        _end(first)
        if found is None:
            raise SystemExit(f"lockstep up did not tell a password:\n{told}")
        began = time.monotonic()
        again = _start(command, Path(folder))
        try:
            _until_it_runs(again)
            _sign_in(port, found[1])
            return time.monotonic() - began
        finally:
            _end(again)


def _start(command: list[str], home: Path) -> subprocess.Popen[str]:
    environment = {"PATH": os.environ["PATH"], "HOME": str(home)}
    return subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def _until_it_runs(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    told = ""
    for line in process.stdout:
        told += line
        if line.strip().startswith("Stop "):
            return told
    raise SystemExit(f"lockstep up ended:\n{told}")


def _end(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)


def _sign_in(port: int, password: str) -> None:
    """Sign in as a browser does, and read the page that this leads to."""
    base = f"http://127.0.0.1:{port}"
    jar = http.cookiejar.CookieJar()
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))
    with browser.open(f"{base}/accounts/login/", timeout=60) as page:
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.read().decode())
    assert token
    fields = {"csrfmiddlewaretoken": token[1], "login": _ADMIN, "password": password}
    form = urllib.parse.urlencode(fields).encode()
    with browser.open(
        urllib.request.Request(f"{base}/accounts/login/", form, {"Referer": base}), timeout=60
    ) as page:
        if page.status != 200 or not any(cookie.name == "lockstep" for cookie in jar):
            raise SystemExit("Signing in did not lead to a page.")
