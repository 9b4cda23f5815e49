"""`lockstep sandbox`: run the practice Mailchimp on a port."""

from __future__ import annotations

import argparse
import contextlib
import socket
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import uvicorn

from .account import Credential
from .app import SandboxApp, create_app
from .courier import HttpTransport, ThreadCourier
from .journal import Journal
from .oauth import OAuthApp
from .sandbox import DEFAULT_API_KEY, DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET, Latency, Sandbox
from .snapshot import BadSnapshot, load

__all__ = ["build_parser", "main"]

#: Bytes of journal after which a new snapshot is cheaper to start from.
_LONG = 32_000_000


def build_parser() -> argparse.ArgumentParser:
    """The options of `lockstep sandbox`."""
    parser = argparse.ArgumentParser(
        prog="lockstep sandbox",
        description="Run a practice Mailchimp: the Marketing API under /3.0, OAuth under /oauth2, a control "
        "door under /_sandbox/ and pages at /. Everything is kept in memory.",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=8350, help="port to listen on (default: %(default)s)")
    parser.add_argument(
        "--api-key",
        action="append",
        metavar="KEY",
        help="API key of an account, ending in its data centre; repeat for more accounts "
        f"(default: {DEFAULT_API_KEY})",
    )
    parser.add_argument(
        "--client-id", default=DEFAULT_CLIENT_ID, help="OAuth client id (default: %(default)s)"
    )
    parser.add_argument(
        "--client-secret", default=DEFAULT_CLIENT_SECRET, help="OAuth client secret (default: %(default)s)"
    )
    parser.add_argument("--app-name", default="Lockstep", help="name of the OAuth app (default: %(default)s)")
    parser.add_argument(
        "--api-endpoint",
        metavar="URL",
        help="api_endpoint in /oauth2/metadata (default: where the request came to)",
    )
    parser.add_argument(
        "--latency", type=float, default=0, metavar="MS", help="milliseconds that every answer takes"
    )
    parser.add_argument(
        "--state",
        type=Path,
        metavar="FILE",
        help="where everything is kept: read at start if there, and up to date even when killed",
    )
    parser.add_argument(
        "--webhooks-anywhere",
        action="store_true",
        help="let webhooks call any address; by default only this machine's own",
    )
    parser.add_argument("--seed", type=int, default=1, help="seed of ids and dice (default: %(default)s)")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run until interrupted; returns the exit code."""
    options = build_parser().parse_args(argv)
    sandbox = Sandbox.practice(
        api_keys=tuple(options.api_key or (DEFAULT_API_KEY,)),
        client_id=options.client_id,
        client_secret=options.client_secret,
        app_name=options.app_name,
        seed=options.seed,
    )
    state: Path | None = options.state
    if state is not None and state.exists():
        try:
            load(sandbox, state)
        except (BadSnapshot, OSError) as error:
            sys.stderr.write(f"lockstep sandbox: {error}\n")
            return 2
        _open_to(sandbox, options)
    if options.webhooks_anywhere:
        sandbox.courier = ThreadCourier(HttpTransport(anywhere=True))
    if options.latency:
        sandbox.latency = Latency(options.latency)
    app = create_app(sandbox, api_endpoint=options.api_endpoint, state_file=state)
    config = uvicorn.Config(
        app,
        host=options.host,
        port=options.port,
        log_level="warning",
        access_log=False,
        server_header=False,
        lifespan="off",
        timeout_graceful_shutdown=2,
    )
    journal = app.keep_journal()
    server = uvicorn.Server(config) if journal is None else _SavingServer(config, app, journal)
    _greet(sandbox, options)
    with contextlib.suppress(KeyboardInterrupt):
        server.run()
    return 0 if server.started else 1


def _open_to(sandbox: Sandbox, options: argparse.Namespace) -> None:
    """What the command line names opens a loaded sandbox too, whatever opened it when it was saved."""
    app = OAuthApp(options.client_id, options.client_secret, options.app_name)
    sandbox.oauth.apps[app.client_id] = app
    for api_key in options.api_key or ():
        if sandbox.opened_by(api_key) is None:
            account = next(iter(sandbox.accounts.values()), None)
            if account is None:
                account = sandbox.add_account("Example Club", api_key=api_key)
                sandbox.add_audience(account, "Members")
            else:
                sandbox.add_credential(account, Credential(api_key, account.owner))


class _SavingServer(uvicorn.Server):
    """Takes a snapshot at the end, before the signal that stopped it has its way, and now and then before:
    when time brought something, or the journal has grown long.

    Saving stops everything else for a moment, so it is done at most every five seconds and, where it takes
    long, takes no more than a twentieth of the time.
    """

    def __init__(self, config: uvicorn.Config, app: SandboxApp, journal: Journal) -> None:
        super().__init__(config)
        self._app = app
        self._journal = journal
        self._saved_ticks = 0
        self._next = 0.0

    async def on_tick(self, counter: int) -> bool:
        due = self._app.ticks != self._saved_ticks or self._journal.size > _LONG
        if due and time.monotonic() >= self._next:
            self._saved_ticks = self._app.ticks
            started = time.monotonic()
            self._journal.save()
            ended = time.monotonic()
            self._next = ended + max(5.0, 20 * (ended - started))
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await super().shutdown(sockets)
        self._journal.close()


def _greet(sandbox: Sandbox, options: argparse.Namespace) -> None:
    here = f"http://{options.host}:{options.port}"
    lines = [f"Practice Mailchimp at {here}  (API: {here}/3.0, control door: {here}/_sandbox/)"]
    for account in sandbox.accounts.values():
        keys = ", ".join(account.credentials)
        audiences = ", ".join(f"{a.name} {a.id}" for a in account.audiences.values())
        lines.append(f"  {account.name}: API key {keys}; audiences: {audiences}")
    lines += [
        f"  OAuth app {app.name}: client id {app.client_id}, client secret {app.client_secret}"
        for app in sandbox.oauth.apps.values()
    ]
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()
