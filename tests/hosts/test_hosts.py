"""Several hosts, one cut off and one killed: the short form of `lockstep bench hosts`."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.hosts.network import why_not

HOME = Path(__file__).parents[2]


@pytest.mark.postgres
@pytest.mark.slow
@pytest.mark.timeout(420)
def test_lost_hosts_cost_nothing() -> None:
    reason = why_not()
    if reason:
        pytest.skip(reason)
    command = [
        sys.executable,
        "-m",
        "tests.hosts.play",
        "--hosts",
        "3",
        "--accounts",
        "6",
        "--contacts",
        "100",
    ]
    environment = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    played = subprocess.run(
        command, cwd=HOME, env=environment, capture_output=True, text=True, timeout=400, check=False
    )
    assert played.returncode == 0, played.stdout[-4000:] + played.stderr[-4000:]
    assert "Nothing was lost, nothing was done twice." in played.stdout
