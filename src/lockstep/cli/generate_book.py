"""``lockstep generate-book``: a company with a big made-up book, to measure with and to look at."""

import argparse
import os
import time
from collections.abc import Sequence

from lockstep.cli.failure import Failure
from lockstep.cli.surroundings import set_up_django, use_installation

__all__ = ["run"]

REPS = 12


def run(arguments: Sequence[str]) -> int:
    """Make the company and fill it; a company that has a book already is never filled."""
    parser = argparse.ArgumentParser(
        prog="lockstep generate-book",
        description="Makes a company of its own with a made-up book, the same for the same numbers, and "
        "gives the first admin of this installation a seat in it. A million contacts take a minute or two "
        "and some 3 GB.",
    )
    parser.add_argument("--company", metavar="NAME", default="Big book", help="default: Big book")
    parser.add_argument("--clients", metavar="N", type=_positive, default=120_000, help="default: 120000")
    parser.add_argument("--contacts", metavar="N", type=_positive, default=1_000_000, help="default: 1000000")
    parser.add_argument(
        "--at-once",
        metavar="N",
        type=_positive,
        default=min(2, os.cpu_count() or 1),
        help="database connections that write at the same time; default: 2",
    )
    options = parser.parse_args(arguments)
    use_installation()
    os.environ.setdefault("LOCKSTEP_LOG_LEVEL", "WARNING")
    set_up_django()

    from lockstep.apps.accounts.models import Company, Seat
    from lockstep.apps.accounts.permissions import Role
    from lockstep.apps.accounts.services import create_company
    from lockstep.apps.book.big_book import add_made_up_reps, generate_book
    from lockstep.apps.book.models import Client

    if Company.objects.filter(name__iexact=options.company).exists():
        raise Failure(f"there is a company {options.company} already. Name another one with --company.")
    admin = Seat.objects.filter(role=Role.ADMIN).order_by("id").first()
    company = create_company(name=options.company)
    if admin is not None:
        Seat.objects.create(company=company, user=admin.user, role=Role.ADMIN)
    add_made_up_reps(company, REPS)
    begun = time.monotonic()

    def progress(what: str, done: int, of: int) -> None:
        print(f"{done:>9,} of {of:,} {what}, {time.monotonic() - begun:.0f} s", flush=True)

    generate_book(
        company,
        clients=options.clients,
        contacts=options.contacts,
        batch=25_000,
        at_once=options.at_once,
        progress=progress,
    )
    made = Client.objects.filter(company=company).count()
    print(f"{options.company}: {made:,} clients, {options.contacts:,} contacts.")
    return 0


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return number
