"""Which company and which sync a command is about; never a guess among several."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from lockstep.cli.failure import Failure

if TYPE_CHECKING:
    from lockstep.apps.accounts.models import Company
    from lockstep.apps.connections.models import Connection

__all__ = ["add_company_option", "company_named", "connection_named"]


def add_company_option(parser: argparse.ArgumentParser) -> None:
    """`--company`, the same for every command."""
    parser.add_argument(
        "--company", metavar="NAME", help="the company's name or number (needed where there are several)"
    )


def company_named(wanted: str | None) -> Company:
    """The company that is meant; a file in the wrong one would be a leak. Raises Failure."""
    from lockstep.apps.accounts.models import Company

    companies = list(Company.objects.order_by("id"))
    if wanted is not None:
        companies = [one for one in companies if wanted.casefold() in {str(one.pk), one.name.casefold()}]
        if not companies:
            raise Failure(f"there is no such company: {wanted}.")
    if len(companies) == 1:
        return companies[0]
    if not companies:
        raise Failure("there is no company yet; start Lockstep once (lockstep up).")
    names = ", ".join(f"{one.pk} ({one.name})" for one in companies)
    raise Failure(f"there are several companies; name one with --company: {names}.")


def connection_named(company: Company, wanted: str | None) -> Connection:
    """The audience that is meant, by its name or the number of its sync. Raises Failure."""
    from lockstep.apps.connections.queries.current import connections_of

    connections = connections_of(company.pk)
    if wanted is not None:
        named = {wanted.casefold()}
        connections = [one for one in connections if named & {str(one.pk), one.list_name.casefold()}]
        if not connections:
            raise Failure(f"there is no such audience: {wanted}.")
    if len(connections) == 1:
        return connections[0]
    if not connections:
        raise Failure("no audience was chosen yet; choose one under Settings, Integrations, Mailchimp.")
    names = ", ".join(f"{one.pk} ({one.list_name})" for one in connections)
    raise Failure(f"there are several audiences; name one with --audience: {names}.")
