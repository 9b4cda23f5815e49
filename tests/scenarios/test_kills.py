"""SIGKILL in the middle of syncs, the short form: `lockstep bench kills` with one victim of each kind."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

HOME = Path(__file__).parents[2]
VICTIMS = ("busy worker", "postmaster", "backend", "sandbox")


@pytest.mark.postgres
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_every_promise_is_kept_whoever_is_killed(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-P",
        "-m",
        "lockstep.cli",
        "bench",
        "kills",
        "--seed",
        "3",
        "--contacts",
        "600",
    ]
    command += ["--rounds", str(len(VICTIMS)), "--victims", ",".join(VICTIMS), "--keep", str(tmp_path)]
    environment = os.environ | {"LOCKSTEP_HOME": str(HOME)}
    environment.pop("DATABASE_URL", None)
    played = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=840, check=False
    )
    assert played.returncode == 0, played.stdout[-6000:] + played.stderr[-3000:]
    assert "Every promise was kept." in played.stdout
    assert played.stdout.count("every promise kept") == len(VICTIMS)
