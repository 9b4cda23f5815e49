"""``lockstep up``."""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

from lockstep.cli.failure import Failure
from lockstep.cli.surroundings import data_folder
from lockstep.project.data_folder import DataFolderError
from lockstep.project.embedded_postgres import EmbeddedPostgresError
from lockstep.project.ports import PortBusyError
from lockstep.project.supervisor import DidNotStartError
from lockstep.project.up import Plan, sandbox_is_installed, up

__all__ = ["run"]


def run(arguments: Sequence[str]) -> int:
    """Start everything and stay until Ctrl-C."""
    parser = argparse.ArgumentParser(
        prog="lockstep up",
        description="Start Lockstep on this machine: an embedded PostgreSQL (or the one of DATABASE_URL), "
        "the web server, the worker and a practice Mailchimp. Ctrl-C stops all of them; the data stays.",
    )
    parser.add_argument(
        "--data", type=Path, metavar="FOLDER", help="where the data lives (default: data/ beside ./lockstep)"
    )
    parser.add_argument("--port", type=_port, default=8000, help="port of the pages (default: 8000)")
    parser.add_argument(
        "--sandbox-port", type=_port, default=8350, help="port of the practice Mailchimp (default: 8350)"
    )
    parser.add_argument("--empty", action="store_true", help="begin without the sample data")
    parser.add_argument(
        "--no-sandbox",
        action="store_true",
        help="connect to the real Mailchimp (see MAILCHIMP_CLIENT_ID in docs/reference/settings.md)",
    )
    options = parser.parse_args(arguments)
    if options.port == options.sandbox_port:
        raise Failure(f"--port and --sandbox-port are both {options.port}; they need one each.")
    plan = Plan(
        data=(options.data or data_folder()).expanduser().absolute(),
        port=options.port,
        sandbox_port=options.sandbox_port,
        with_sample=not options.empty,
        with_sandbox=not options.no_sandbox
        and not os.environ.get("MAILCHIMP_CLIENT_ID")
        and sandbox_is_installed(),
    )
    try:
        up(plan, lambda line: print(line, flush=True))
    except (DataFolderError, PortBusyError, EmbeddedPostgresError, DidNotStartError) as error:
        raise Failure(str(error)) from error
    return 0


def _port(text: str) -> int:
    number = int(text)
    if not 1 <= number <= 65535:
        raise argparse.ArgumentTypeError("a port is a number from 1 to 65535")
    return number
