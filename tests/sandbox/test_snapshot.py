"""The snapshot file and the command: what a practice Mailchimp holds outlives its process."""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lockstep.sandbox import Sandbox
from lockstep.sandbox.app import create_app
from lockstep.sandbox.clock import Clock
from lockstep.sandbox.encode import encode
from lockstep.sandbox.snapshot import BadSnapshot, audience_line, journal_of, load, member_row, save
from lockstep.sandbox.testing import SandboxClient


def furnished() -> SandboxClient:
    """A sandbox with something of everything."""
    mailchimp = SandboxClient()
    furnish(mailchimp)
    return mailchimp


def furnish(mailchimp: SandboxClient) -> None:
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


def test_the_command_forgets_nothing_when_it_is_killed(tmp_path: Path) -> None:
    """Killed the moment it has answered, and what came out of a journal is killed again."""
    state = tmp_path / "state"
    for number in range(1, 4):
        with running(state, "--api-key", KEY, stop=signal.SIGKILL) as url:
            assert f'"total_items":{number}'.encode() in _ask(f"{url}/3.0/lists", KEY)
            _ask(f"{url}/_sandbox/audiences", KEY, b'{"name": "One more"}')
    with running(state, "--api-key", KEY) as url:
        assert b'"total_items":4' in _ask(f"{url}/3.0/lists", KEY)


def kept(state: Path) -> SandboxClient:
    """A practice Mailchimp that keeps a state file, as the command runs it."""
    sandbox = Sandbox.practice()
    app = create_app(sandbox, state_file=state)
    app.keep_journal()
    return SandboxClient(app=app)


def killed(state: Path) -> SandboxClient:
    """What starts after a kill: of the process only the files are left."""
    loaded = Sandbox()
    load(loaded, state)
    return SandboxClient(loaded)


def test_a_journal_gives_back_everything_that_was_answered(tmp_path: Path) -> None:
    before = kept(tmp_path / "state")
    snapshot = (tmp_path / "state").read_bytes()
    furnish(before)
    assert (tmp_path / "state").read_bytes() == snapshot, "all of it must come from the journal"
    after = killed(tmp_path / "state")
    assert everything(after) == everything(before)
    assert after.sandbox.dump_stores() == before.sandbox.dump_stores()
    assert after.sandbox.ids.hex(30) == before.sandbox.ids.hex(30)


WRITES = st.lists(
    st.tuples(
        st.sampled_from(
            ["add", "patch", "rename", "archive", "forget", "tag", "segment", "leave", "audience"]
        ),
        st.integers(0, 5),
    ),
    max_size=25,
)


@settings(max_examples=30)
@given(WRITES, st.integers(0, 25))
def test_no_write_is_missing_in_the_journal(writes: list[tuple[str, int]], snapshot_at: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        before = kept(Path(folder) / "state")
        before.control("/clock", {"rate": 0})
        for position, (what, number) in enumerate(writes):
            if position == snapshot_at:
                before.control("/save", {})
            write(before, what, number)
        after = killed(Path(folder) / "state")
    assert rows(after.sandbox) == rows(before.sandbox)
    assert after.sandbox.dump_stores() == before.sandbox.dump_stores()


def write(mailchimp: SandboxClient, what: str, number: int) -> None:
    """One write; some are refused, which is a write like any other."""
    base = f"/lists/{mailchimp.audience.id}"
    email = f"p{number}@club.example"
    match what:
        case "add":
            item = {"email_address": email, "status": "subscribed", "tags": ["t"]}
            mailchimp.post(base, {"members": [item], "update_existing": True})
        case "patch":
            mailchimp.patch(f"{base}/members/{email}", {"merge_fields": {"FNAME": f"F{number}"}})
        case "rename":
            mailchimp.patch(f"{base}/members/{email}", {"email_address": f"q{number}@club.example"})
        case "archive":
            mailchimp.delete(f"{base}/members/{email}")
        case "forget":
            mailchimp.post(f"{base}/members/{email}/actions/delete-permanent")
        case "tag":
            tags = {"tags": [{"name": f"t{number}", "status": "active"}]}
            mailchimp.post(f"{base}/members/{email}/tags", tags)
        case "segment":
            mailchimp.post(f"{base}/segments", {"name": f"s{number}", "static_segment": [email]})
        case "leave":
            body = {"audience": mailchimp.audience.id, "email": email, "what": "unsubscribe"}
            mailchimp.raw("POST", "/_sandbox/happen", json.dumps(body).encode())
        case "audience":
            mailchimp.control("/audiences", {"name": f"Audience {number}"})


def rows(sandbox: Sandbox) -> list[object]:
    """All that a snapshot would hold, but the time."""
    return [
        [
            audience_line(account, audience),
            [json.loads(encode(member_row(member))) for member in audience],
        ]
        for account in sandbox.accounts.values()
        for audience in account.audiences.values()
    ]


def test_an_entry_that_was_cut_off_is_none(tmp_path: Path) -> None:
    mailchimp = kept(tmp_path / "state")
    write(mailchimp, "add", 1)
    journal = journal_of(tmp_path / "state")
    whole = journal.stat().st_size
    write(mailchimp, "add", 2)
    with journal.open("r+b") as file:
        file.truncate(whole + 100)
    loaded = killed(tmp_path / "state").audience
    assert loaded.find("p1@club.example") is not None
    assert loaded.find("p2@club.example") is None


def test_the_journal_of_another_snapshot_counts_for_nothing(tmp_path: Path) -> None:
    """As when the process is killed between a new snapshot and a new journal."""
    mailchimp = kept(tmp_path / "state")
    write(mailchimp, "add", 1)
    old = journal_of(tmp_path / "state").read_bytes()
    write(mailchimp, "forget", 1)
    mailchimp.control("/save", {})
    journal_of(tmp_path / "state").write_bytes(old)
    assert killed(tmp_path / "state").audience.find("p1@club.example") is None


def test_what_nobody_asked_for_since_it_was_loaded_is_saved_again(tmp_path: Path) -> None:
    mailchimp = furnished()
    write(mailchimp, "segment", 1)
    save(mailchimp.sandbox, tmp_path / "one")
    save(killed(tmp_path / "one").sandbox, tmp_path / "two")
    again = killed(tmp_path / "two")
    names = [row["name"] for row in again.get(f"/lists/{again.audience.id}/segments").json["segments"]]
    assert "s1" in names


def test_time_goes_on_while_it_is_away() -> None:
    state = Clock(lambda: 1000.0, start=5000.0).dump()
    clock = Clock(lambda: 1600.0)
    clock.load(state)
    assert clock.now() == 5600.0
    clock.load(state | {"rate": 0.0})
    assert clock.now() == 5000.0


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
