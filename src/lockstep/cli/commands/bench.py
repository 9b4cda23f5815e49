"""``lockstep bench``: one command per figure, each a module in ``benchmarks/`` of the clone."""

import ast
import importlib
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from lockstep.cli.failure import Failure
from lockstep.cli.surroundings import home
from lockstep.project.embedded_postgres import EmbeddedPostgres, EmbeddedPostgresError

__all__ = ["run"]


def run(arguments: Sequence[str]) -> int:
    """List the benchmarks, or run one on a PostgreSQL of its own (or that of DATABASE_URL)."""
    folder = home() / "benchmarks"
    known = {path.stem: _summary(path) for path in sorted(folder.glob("*.py")) if path.stem[0] != "_"}
    if not known:
        raise Failure("there are no benchmarks here; run ./lockstep bench in a clone of the project.")
    if not arguments or arguments[0] not in known:
        print("usage: lockstep bench NAME [options]\n")
        print("\n".join(f"  {name:<20} {summary}" for name, summary in known.items()))
        return 0 if not arguments or arguments[0] in {"-h", "--help"} else 2
    sys.path.insert(0, str(home()))
    module = importlib.import_module(f"benchmarks.{arguments[0]}")
    if os.environ.get("DATABASE_URL") or not getattr(module, "NEEDS_DATABASE", True):
        return module.main(list(arguments[1:])) or 0
    try:
        with (
            tempfile.TemporaryDirectory(prefix="lockstep-bench-") as temporary,
            # Durable, as in real use: figures of a database that may lose data would flatter.
            EmbeddedPostgres(Path(temporary) / "postgres") as postgres,
        ):
            postgres.ensure_database()
            os.environ["DATABASE_URL"] = postgres.url()
            os.environ.setdefault("LOCKSTEP_SECRET_KEY", os.urandom(32).hex())
            os.environ.setdefault("LOCKSTEP_ENCRYPTION_KEYS", _fernet_key())
            return module.main(list(arguments[1:])) or 0
    except EmbeddedPostgresError as error:
        raise Failure(str(error)) from error


def _fernet_key() -> str:
    from cryptography.fernet import Fernet

    return Fernet.generate_key().decode()


def _summary(path: Path) -> str:
    """The first line of a module's docstring, without running it."""
    return (ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "").partition("\n")[0]
