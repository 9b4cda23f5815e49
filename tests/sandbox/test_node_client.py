"""Mailchimp's own Node client, unmodified, against the sandbox over HTTP, for every path there is (X2)."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import pytest

from lockstep.sandbox.testing import SandboxServer

from .played import DONATE, HOME, set_up, uncalled

HERE = Path(__file__).parent / "node_client"
#: One folder for one set of pinned packages, kept between runs.
CACHE = Path(tempfile.gettempdir()) / "lockstep-node-client"


def installed(npm: str) -> Path:
    """A folder with the client in `node_modules`, installed by npm from the lock file if it is not there."""
    wanted = CACHE / hashlib.sha256((HERE / "package-lock.json").read_bytes()).hexdigest()[:16]
    if (wanted / "node_modules").is_dir():
        return wanted
    CACHE.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as folder:
        fresh = Path(folder) / "client"
        fresh.mkdir()
        for name in ("package.json", "package-lock.json"):
            shutil.copy(HERE / name, fresh)
        command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        done = subprocess.run(command, cwd=fresh, capture_output=True, text=True, timeout=100, check=False)
        assert done.returncode == 0, done.stderr
        try:
            fresh.rename(wanted)
        except OSError:  # another run was faster
            assert (wanted / "node_modules").is_dir()
    return wanted


def test_every_path(server: SandboxServer) -> None:
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        pytest.skip("npm is missing: Mailchimp's Node client cannot be installed")
    played = set_up(server.sandbox)
    done = subprocess.run(
        [node, str(HERE / "every_path.js")],
        env={
            "PATH": os.environ["PATH"],
            "BASE": f"{server.url}/3.0",
            "KEY": server.api_key,
            "LIST": played.audience,
            "CAMPAIGN": played.campaign,
            "MODULES": str(installed(npm)),
        },
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    seen: dict[str, Any] = json.loads(done.stdout)
    assert uncalled(server) == set()

    assert seen["ping"] == {"health_status": "Everything's Chimpy!"}
    assert seen["root"] == {"account_name": "Example Club"}
    assert seen["getList"]["name"] == "Newer"
    assert seen["updateListMember"]["merge_fields"]["LEVEL"] == 7
    assert seen["batchListMembers"]["total_created"] == 1
    assert seen["refused"] == {"status": 400, "title": "Forgotten Email Not Subscribed"}
    assert [tag["name"] for tag in seen["tagSearch"]["tags"]] == ["Volunteer"]
    assert len(seen["listInterestCategoryInterests"]["interests"]) == 2
    assert seen["searchMembers"]["exact_matches"]["total_items"] == 1
    assert seen["batchSegmentMembers"]["total_added"] == 1
    assert seen["getSegmentMembersList"]["total_items"] == 2
    assert len(seen["createListWebhook"]["signing_secret"]) == 32
    assert seen["getListWebhook"]["events"]["cleaned"] is True
    assert (seen["batchStatus"]["status"], seen["batchStatus"]["finished_operations"]) == ("finished", 1)
    assert seen["getBatchWebhook"]["enabled"] is False
    assert seen["getCampaignReport"]["clicks"]["clicks_total"] == 1
    assert [link["url"] for link in seen["getCampaignClickDetails"]["urls_clicked"]] == [HOME, DONATE]
    assert [event["action"] for event in seen["getEmailActivityForSubscriber"]["activity"]] == [
        "open",
        "click",
    ]
    assert [row["action"] for row in seen["getListMemberActivity"]["activity"]] == ["click", "open"]
