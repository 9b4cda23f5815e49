"""``lockstep docs``: the pages of ``docs/`` as a site that needs no network."""

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence

from lockstep.cli.failure import Failure
from lockstep.cli.surroundings import home

__all__ = ["run"]


def run(arguments: Sequence[str]) -> int:
    """Build the site; with ``--pictures`` let the browser tests take the guide's pictures anew first."""
    parser = argparse.ArgumentParser(
        prog="lockstep docs", description="Build docs/ as a site. A warning is a failure."
    )
    parser.add_argument("--to", default="build/docs", metavar="FOLDER", help="where to (build/docs)")
    parser.add_argument(
        "--pictures", action="store_true", help="take the guide's pictures anew first (needs Chromium)"
    )
    chosen = parser.parse_args(arguments)
    where = home()
    if not (where / "docs" / "conf.py").exists():
        raise Failure("there is no documentation here; run ./lockstep docs in a clone of the project.")
    if chosen.pictures:
        taken = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "tests/e2e/test_guide.py"],
            cwd=where,
            env={**os.environ, "LOCKSTEP_KEEP_PICTURES": "1"},
            check=False,
        )
        if taken.returncode != 0:
            raise Failure("the pictures could not be taken; the lines above say why.")
    built = subprocess.run(  # noqa: S603
        [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html", "docs", chosen.to],
        cwd=where,
        check=False,
    )
    if built.returncode == 0:
        print(f"The site is in {chosen.to}; open index.html there.")
    return built.returncode
