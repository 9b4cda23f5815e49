"""``lockstep sync start|stop|refresh|retry``: the buttons of the sync window."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Sequence

from lockstep.cli.choosing import add_company_option, company_named, connection_named
from lockstep.cli.failure import Failure
from lockstep.cli.surroundings import set_up_django, use_installation

__all__ = ["run"]


def run(arguments: Sequence[str]) -> int:
    """Ask for it; the worker does it."""
    parser = argparse.ArgumentParser(
        prog="lockstep sync",
        description="Start, stop, refresh or retry the sync of an audience. The worker does it: "
        "lockstep status tells how it gets on.",
    )
    parser.add_argument("what", choices=["start", "stop", "refresh", "retry"])
    parser.add_argument(
        "--audience",
        metavar="NAME",
        help="the audience's name or the sync's number (where there are several)",
    )
    add_company_option(parser)
    parser.add_argument("--json", action="store_true", help="for programs")
    options = parser.parse_args(arguments)
    use_installation()
    os.environ.setdefault("LOCKSTEP_LOG_LEVEL", "WARNING")
    set_up_django()

    from lockstep.apps.accounts.permissions import Actor
    from lockstep.apps.sync.services import SyncRefused, refresh, retry, start_sync, stop_sync
    from lockstep.core.member import SyncState

    company = company_named(options.company)
    connection = connection_named(company, options.audience)
    actor = Actor.lockstep(company)
    try:
        match options.what:
            case "start":
                start_sync(actor, connection)
                said = "The sync starts. Guards may stop it until it is confirmed on the page."
            case "stop":
                stop_sync(actor, connection)
                said = "The sync stops within seconds; then every member's Sync Status turns Inactive."
            case "refresh":
                refresh(actor, connection)
                said = "What changed in Mailchimp is read."
            case _:
                asked = retry(actor, connection, states=[SyncState.FAILED, SyncState.PENDING])
                said = f"{asked.total:,} failed and pending contacts are tried again."
    except SyncRefused as error:
        raise Failure(str(error)) from error
    if options.json:
        told = {"sync": connection.pk, "audience": connection.list_name, "asked": options.what, "text": said}
        print(json.dumps(told, indent=2))
        return 0
    print(f"{connection.list_name}: {said}")
    return 0
