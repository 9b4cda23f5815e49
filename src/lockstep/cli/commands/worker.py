"""``lockstep worker``."""

import argparse
from collections.abc import Sequence

from lockstep.cli.surroundings import set_up_django, use_installation

__all__ = ["run"]


def run(arguments: Sequence[str]) -> int:
    """Do jobs until told to stop."""
    parser = argparse.ArgumentParser(
        prog="lockstep worker",
        description="Do the sync work. Any number of these may run, on any number of machines: each "
        "connection is worked on by one of them at a time.",
    )
    parser.add_argument(
        "--concurrency", type=int, default=8, help="connections worked on at the same time (default: 8)"
    )
    parser.add_argument("--until-idle", action="store_true", help="end when no job is left")
    options = parser.parse_args(arguments)
    use_installation()
    set_up_django()

    from lockstep.project.worker import run_worker

    run_worker(concurrency=options.concurrency, until_idle=options.until_idle)
    return 0
