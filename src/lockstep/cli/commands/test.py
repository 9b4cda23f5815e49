"""``lockstep test``: every check that a change has to pass."""

import argparse
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lockstep.cli.failure import Failure
from lockstep.cli.surroundings import home

__all__ = ["run"]

_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@dataclass(frozen=True, slots=True)
class _Step:
    name: str
    command: list[str]


def run(arguments: Sequence[str]) -> int:
    """Run all checks, or, with arguments, pytest alone with them."""
    parser = argparse.ArgumentParser(
        prog="lockstep test",
        usage="lockstep test [pytest arguments]",
        description="Without arguments: lint, format, types, the rules of who imports whom, 2,000 simulated "
        "histories of the sync, and all tests. "
        "With arguments: pytest alone, with them (lockstep test tests/core -k planner). The tests bring "
        "their own throw-away PostgreSQL unless DATABASE_URL is set.",
    )
    _, for_pytest = parser.parse_known_args(arguments)
    where = home()
    if not (where / "tests" / "conftest.py").exists():
        raise Failure("there are no tests here; run ./lockstep test in a clone of the project.")
    bin_folder = Path(sys.executable).parent

    def tool(name: str, *options: str) -> list[str]:
        return [str(bin_folder / name), *options]

    chosen = for_pytest or ["-n", "2", "--dist", "loadgroup"]
    pytest = _Step("tests", [sys.executable, "-m", "pytest", *chosen])
    steps = [pytest]
    if not for_pytest:
        _make_sure_of_chromium()
        steps = [
            _Step("lint", tool("ruff", "check")),
            _Step("format", tool("ruff", "format", "--check")),
            _Step("types", tool("mypy")),
            _Step("imports", tool("lint-imports", "--no-logo")),
            _Step("histories", [sys.executable, "-m", "lockstep.cli", "simulate", "--brief"]),
            pytest,
        ]
    failed = []
    for number, step in enumerate(steps, 1):
        print(f"[{number}/{len(steps)}] {step.name}", flush=True)
        began = time.monotonic()
        done = subprocess.run(step.command, cwd=where, env=_environment(), check=False)  # noqa: S603
        if done.returncode != 0:
            failed.append(f"{step.name} (after {time.monotonic() - began:.0f} s)")
    if failed:
        print(f"\nFailed: {', '.join(failed)}", flush=True)
        return 1
    return 0


def _environment() -> dict[str, str]:
    """Our environment less what belongs to an installation: tests must not touch a real one."""
    mine = ("LOCKSTEP_", "MAILCHIMP_")
    kept = ("LOCKSTEP_HOME", "LOCKSTEP_NO_SKIPS", "LOCKSTEP_CHROMIUM")
    return {name: value for name, value in os.environ.items() if not name.startswith(mine) or name in kept}


def _make_sure_of_chromium() -> None:
    """The pages' tests drive a real Chromium: find it, or install it where that is ours to do."""
    if os.environ.get("LOCKSTEP_CHROMIUM") or any(shutil.which(name) for name in _BROWSERS):
        return
    if os.environ.get("CI") and os.geteuid() == 0 and shutil.which("apt-get"):
        print("Installing Chromium", flush=True)
        quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for command in (["apt-get", "update", "-q"], ["apt-get", "install", "-qy", "chromium"]):
            subprocess.run(command, env=quiet, check=True, stdout=subprocess.DEVNULL)  # noqa: S603
        return
    raise Failure(
        "the tests of the pages need Chromium. Install it (Debian: apt-get install chromium), or name one "
        "in LOCKSTEP_CHROMIUM."
    )
