"""``lockstep web``."""

import argparse
import os
from collections.abc import Sequence

from lockstep.cli.surroundings import set_up_django, use_installation

__all__ = ["run"]


def run(arguments: Sequence[str]) -> int:
    """Serve the pages until told to stop."""
    parser = argparse.ArgumentParser(
        prog="lockstep web",
        description="Serve the pages and the API. Any number of these may run, on any number of machines.",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: 127.0.0.1)")
    parser.add_argument("--port", type=int, default=8000, help="port to listen on (default: 8000)")
    options = parser.parse_args(arguments)
    use_installation()
    os.environ.setdefault("LOCKSTEP_DATABASE_POOL", "10")
    set_up_django()

    import uvicorn

    from lockstep.project.prepare import prepare_static_files

    prepare_static_files()
    uvicorn.run(
        "lockstep.project.asgi:application",
        host=options.host,
        port=options.port,
        lifespan="off",
        access_log=False,  # ours tells the route; a path or query may hold addresses and secrets
        log_config=None,
        server_header=False,
        proxy_headers=False,  # X-Forwarded-* are judged by Django's settings
        timeout_graceful_shutdown=5,
    )
    return 0
