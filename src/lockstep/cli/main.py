"""The ``lockstep`` command: finds the one asked for and loads nothing else."""

import errno
import importlib
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec

from lockstep import __version__
from lockstep.cli.failure import Failure

__all__ = ["COMMANDS", "Command", "main"]


@dataclass(frozen=True, slots=True)
class Command:
    """A command's name, its line in the help, and where its function is."""

    name: str
    help: str
    module: str
    function: str = "run"
    #: Left out of the help: used by other commands only.
    hidden: bool = False

    def is_installed(self) -> bool:
        """Whether its module is there; a wheel, for instance, has no tests."""
        try:
            return find_spec(self.module) is not None
        except ModuleNotFoundError:
            return False

    def load(self) -> Callable[[Sequence[str]], int | None]:
        """Import its function."""
        function: Callable[[Sequence[str]], int | None]
        function = getattr(importlib.import_module(self.module), self.function)
        return function


_HERE = "lockstep.cli.commands"

COMMANDS = (
    Command(
        "up", "start everything on this machine: database, web, worker, practice Mailchimp", f"{_HERE}.up"
    ),
    Command("web", "serve the pages and the API", f"{_HERE}.web"),
    Command("worker", "do the sync work", f"{_HERE}.worker"),
    Command("sandbox", "serve a practice Mailchimp", "lockstep.sandbox.command", "main"),
    Command("migrate", "bring the database up to date", f"{_HERE}.migrate"),
    Command("company", "list or add companies, help somebody back in", "lockstep.cli.companies"),
    Command("import", "load clients and contacts from a file", "lockstep.cli.import_book"),
    Command("export", "write clients and contacts into a file", "lockstep.cli.export_book"),
    Command("user", "add people, keep them out, help them back in", "lockstep.cli.users"),
    Command("status", "tell how every sync stands", "lockstep.cli.sync_status", "status"),
    Command("why", "tell why somebody is, or is not, in Mailchimp", "lockstep.cli.sync_status", "why"),
    Command("plan", "tell what a sync would do, without doing it", "lockstep.cli.sync_plan"),
    Command("sync", "start, stop, refresh or retry a sync", "lockstep.cli.sync_work"),
    Command("doctor", "look at everything that Lockstep needs, and say what to do", "lockstep.cli.doctor"),
    Command("backup", "save the whole installation into one file", "lockstep.cli.backups", "backup"),
    Command("restore", "make an empty database what a backup holds", "lockstep.cli.backups", "restore"),
    Command("rotate-key", "put every secret under the newest key", "lockstep.cli.backups", "rotate_key"),
    Command("test", "install what the tests need and run all of them", f"{_HERE}.test"),
    Command(
        "simulate", "play random histories against the sync and check its promises", "lockstep.cli.simulate"
    ),
    Command(
        "generate-book",
        "fill a company with a big made-up book to measure with",
        "lockstep.cli.generate_book",
    ),
    Command("bench", "measure one of the figures in benchmarks/", f"{_HERE}.bench"),
    Command("docs", "build the documentation as a site, into build/docs", f"{_HERE}.docs"),
    Command("manage", "run a Django management command (for developers)", f"{_HERE}.manage"),
    Command("prepare", "", f"{_HERE}.prepare", hidden=True),
)


def _help() -> str:
    lines = ["usage: lockstep COMMAND [options]", "", "commands:"]
    shown = [command for command in COMMANDS if not command.hidden and command.is_installed()]
    lines += [f"  {command.name:<10} {command.help}" for command in shown]
    lines += ["", "lockstep COMMAND --help tells about one of them."]
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code. What went wrong is one message, not a traceback."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if not words or words[0] in {"-h", "--help", "help"}:
        print(_help())
        return 0 if words else 2
    if words[0] in {"-V", "--version"}:
        print(f"lockstep {__version__}")
        return 0
    command = next((known for known in COMMANDS if known.name == words[0]), None)
    if command is None or not command.is_installed():
        print(f"lockstep: there is no command {words[0]!r}.\n\n{_help()}", file=sys.stderr)
        return 2
    try:
        return command.load()(words[1:]) or 0
    except Failure as failure:
        print(f"lockstep: {failure}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        where = f" while writing {error.filename}" if error.filename else ""
        print(f"lockstep: No space left on the disk{where}. Make room and start again.", file=sys.stderr)
        return 1
