"""``lockstep bench``: the table of promised figures, or one of the modules in ``benchmarks/``."""

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
    """Measure the figures T1 to T11 (all, or those named), or run one benchmark by its name.

    On a PostgreSQL of its own, or that of DATABASE_URL.
    """
    folder = home() / "benchmarks"
    known = {path.stem: _summary(path) for path in sorted(folder.glob("*.py")) if path.stem[0] != "_"}
    if not known:
        raise Failure("there are no benchmarks here; run ./lockstep bench in a clone of the project.")
    name, rest = _chosen(arguments)
    if name not in known:
        print("usage: lockstep bench [T1 ... T11] [options]\n       lockstep bench NAME [options]\n")
        print("\n".join(f"  {name:<20} {summary}" for name, summary in known.items()))
        return 0 if name in {"-h", "--help"} else 2
    sys.path.insert(0, str(home()))
    module = importlib.import_module(f"benchmarks.{name}")
    if os.environ.get("DATABASE_URL") or not getattr(module, "NEEDS_DATABASE", True):
        return module.main(rest) or 0
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
            return module.main(rest) or 0
    except EmbeddedPostgresError as error:
        raise Failure(str(error)) from error


def _chosen(arguments: Sequence[str]) -> tuple[str, list[str]]:
    """The module that the words ask for, and what is left of them: figures and options mean the table."""
    first = arguments[0] if arguments else ""
    is_figure = first[:1] == "T" and first[1:].isdigit()
    if not first or is_figure or (first.startswith("-") and first not in {"-h", "--help"}):
        return "targets", list(arguments)
    return first, list(arguments[1:])


def _fernet_key() -> str:
    from cryptography.fernet import Fernet

    return Fernet.generate_key().decode()


def _summary(path: Path) -> str:
    """The first line of a module's docstring, without running it."""
    return (ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "").partition("\n")[0]
