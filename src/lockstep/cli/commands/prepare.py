"""``lockstep prepare``: what ``lockstep up`` does between starting PostgreSQL and starting processes."""

import argparse
import os
from collections.abc import Sequence
from functools import partial

from lockstep.cli.surroundings import set_up_django

__all__ = ["run"]


def run(arguments: Sequence[str]) -> int:
    """Migrate and fill the database; the last line printed says whether the first password signs in."""
    parser = argparse.ArgumentParser(prog="lockstep prepare")
    parser.add_argument("--email", required=True)
    parser.add_argument("--empty", action="store_true")
    options = parser.parse_args(arguments)
    password = os.environ.pop("LOCKSTEP_FIRST_PASSWORD")
    set_up_django()

    from lockstep.project.prepare import create_first_data, migrate_database

    say = partial(print, flush=True)
    migrate_database(say)
    works = create_first_data(email=options.email, password=password, with_sample=not options.empty, say=say)
    print("sign-in: works" if works else "sign-in: changed")
    return 0
