"""``lockstep migrate``."""

import argparse
from collections.abc import Sequence

from lockstep.cli.surroundings import set_up_django, use_installation

__all__ = ["run"]


def run(arguments: Sequence[str]) -> int:
    """Apply what migrations are missing."""
    argparse.ArgumentParser(
        prog="lockstep migrate",
        description="Bring the database of DATABASE_URL (or of the running Lockstep) up to date.",
    ).parse_args(arguments)
    use_installation()
    set_up_django()

    from lockstep.project.prepare import migrate_database

    steps = migrate_database(print)
    print("The database is up to date." if steps == 0 else f"Done: {steps} steps.")
    return 0
