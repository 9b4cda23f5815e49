"""The snapshot file and the command: what a practice Mailchimp holds outlives its process."""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from lockstep.sandbox import Sandbox
from lockstep.sandbox.snapshot import BadSnapshot, load, save
from lockstep.sandbox.testing import SandboxClient


def furnished() -> SandboxClient:
    """A sandbox with something of everything."""
    mailchimp = SandboxClient()
    audience = mailchimp.audience.id
    base = f"/lists/{audience}"
    mailchimp.control(
        "/audiences",
        {
            "name": "Second",
            "interest_categories": [{"title": "Topics", "interests": ["News"]}],
            "compliance": ["barred@club.example"],
        },
    )
    mailchimp.post(f"{base}/merge-fields", {"name": "Level", "type": "number", "tag": "LEVEL"})
    removed = mailchimp.post(f"{base}/merge-fields", {"name": "Gone", "type": "text", "tag": "GONE"}).json
    mailchimp.delete(f"{base}/merge-fields/{removed['merge_id']}")
    address = {"addr1": "1 High St", "city": "Town", "state": "TS", "zip": "12345"}
    mailchimp.post(
        base,
        {
            "members": [
                {
                    "email_address": "robin@club.example",
                    "status": "subscribed",
                    "merge_fields": {"LEVEL": 2.5, "ADDRESS": address},
                    "tags": ["one", "two"],
                    "location": {"latitude": 1.5, "longitude": 2},
                }
            ]
        },
    )
    mailchimp.delete(f"{base}/members/pat@club.example")
    mailchimp.post(f"{base}/members/kim@club.example/actions/delete-permanent")
    mailchimp.control("/happen", {"audience": audience, "email": "sam@club.example", "what": "unsubscribe"})
    mailchimp.control("/switches", {"long_text": "truncate"})
    mailchimp.control("/clock", {"rate": 0})
    return mailchimp


def everything(mailchimp: SandboxClient) -> list[object]:
    seen: list[object] = [mailchimp.get("/lists", include_total_contacts=True).json]
    for audience in seen[0]["lists"]:  # type: ignore[index]
        base = f"/lists/{audience['id']}"
        seen += [
            mailchimp.get(f"{base}/merge-fields").json,
            mailchimp.get(f"{base}/members", sort_field="last_changed").json,
            mailchimp.get(f"{base}/members", status="archived").json,
            mailchimp.get(f"{base}/interest-categories").json,
            mailchimp.get(f"{base}/members/{'0' * 32}").status,
        ]
    seen.append(mailchimp.control("/switches"))
    return seen


def test_a_loaded_snapshot_answers_like_the_sandbox_it_was_taken_of(tmp_path: Path) -> None:
    before = furnished()
    save(before.sandbox, tmp_path / "state")
    loaded = Sandbox()
    load(loaded, tmp_path / "state")
    after = SandboxClient(loaded)

    assert everything(after) == everything(before)
    base = f"/lists/{before.audience.id}"
    for write in (
        lambda m: m.put(
            f"{base}/members/{'0' * 32}", {"email_address": "kim@club.example", "status": "subscribed"}
        ),
        lambda m: m.patch(f"{base}/members/sam@club.example", {"status": "subscribed"}),
        lambda m: m.post(f"{base}/members", {"email_address": "new@club.example", "status": "subscribed"}),
        lambda m: m.post(f"{base}/merge-fields", {"name": "New", "type": "text", "tag": "NEW"}),
    ):
        one, other = write(before), write(after)
        assert one.status == other.status
        assert one.json | {"instance": ""} == other.json | {"instance": ""}, (
            "also the ids go on as they would have"
        )


def test_a_file_that_is_no_snapshot_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("{}\n")
    with pytest.raises(BadSnapshot, match="state"):
        load(Sandbox(), tmp_path / "state")


KEY = "f" * 32 + "-us9"


@contextlib.contextmanager
def running(state: Path, *more: str, stop: signal.Signals = signal.SIGTERM) -> Iterator[str]:
    """The command in a process of its own; gives its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "lockstep.sandbox", "--port", str(port), "--state", str(state), *more]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.send_signal(stop)
        process.communicate(timeout=20)


def test_the_command_saves_when_it_is_told_to_stop_and_goes_on_from_there(tmp_path: Path) -> None:
    """SIGTERM is what a supervisor sends."""
    for expected in (1, 2):
        with running(tmp_path / "state", "--api-key", KEY) as url:
            assert f'"total_items":{expected}'.encode() in _ask(f"{url}/3.0/lists", KEY)
            _ask(f"{url}/_sandbox/audiences", KEY, b'{"name": "One more"}')
    with running(tmp_path / "state", "--api-key", "e" * 32 + "-us9") as url:
        assert b'"total_items":3' in _ask(f"{url}/3.0/lists", "e" * 32 + "-us9"), "a new key opens it too"


def test_the_command_saves_in_time_for_being_killed(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with running(state, "--api-key", KEY, stop=signal.SIGKILL) as url:
        _ask(f"{url}/_sandbox/audiences", KEY, b'{"name": "One more"}')
        until = time.monotonic() + 30
        while not (state.exists() and b"One more" in state.read_bytes()):
            assert time.monotonic() < until
            time.sleep(0.05)
    with running(state, "--api-key", KEY) as url:
        assert b'"total_items":2' in _ask(f"{url}/3.0/lists", KEY)


def _ask(url: str, key: str, body: bytes | None = None) -> bytes:
    request = urllib.request.Request(url, body, headers={"Authorization": f"Bearer {key}"})
    until = time.monotonic() + 20
    while True:
        try:
            with urllib.request.urlopen(request) as answer:
                return bytes(answer.read())
        except urllib.error.HTTPError:
            raise
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.02)
