"""``lockstep up``: everything that Lockstep needs, on this machine, out of one folder."""

import http.client
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from lockstep.project import tether
from lockstep.project.child import Child
from lockstep.project.data_folder import DataFolder
from lockstep.project.embedded_postgres import EmbeddedPostgres
from lockstep.project.ports import check_port
from lockstep.project.supervisor import (
    DidNotStartError,
    StopRequestedError,
    Supervisor,
    stop_on_signals,
)

__all__ = ["FIRST_ADMIN", "SANDBOX_CLIENT_ID", "Plan", "environment_for", "up"]

#: Who signs in first. The ``.example`` ending belongs to nobody, so no mail can go astray.
FIRST_ADMIN = "admin@lockstep.example"

#: Lockstep's name as an app of the practice Mailchimp.
SANDBOX_CLIENT_ID = "lockstep-up"

_HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Plan:
    """What ``lockstep up`` was asked for."""

    data: Path
    port: int = 8000
    sandbox_port: int = 8350
    with_sample: bool = True
    with_sandbox: bool = True


def environment_for(
    plan: Plan, kept: Mapping[str, str], database_url: str, given: Mapping[str, str]
) -> dict[str, str]:
    """The environment of web, worker and practice Mailchimp.

    What the person set (``given``) wins over the folder's own secrets (``kept``) and over what ``plan``
    means.
    """
    made = {
        "LOCKSTEP_SECRET_KEY": kept["LOCKSTEP_SECRET_KEY"],
        "LOCKSTEP_ENCRYPTION_KEYS": kept["LOCKSTEP_ENCRYPTION_KEYS"],
        "LOCKSTEP_BASE_URL": f"http://{_HOST}:{plan.port}",
    }
    if plan.with_sandbox:
        sandbox = f"http://{_HOST}:{plan.sandbox_port}"
        made |= {
            "MAILCHIMP_OAUTH_BASE_URL": sandbox,
            "MAILCHIMP_API_BASE_OVERRIDE": sandbox,
            "MAILCHIMP_CLIENT_ID": SANDBOX_CLIENT_ID,
            "MAILCHIMP_CLIENT_SECRET": kept["MAILCHIMP_CLIENT_SECRET"],
        }
    chosen = {name: value for name, value in given.items() if value}
    always = {
        "DATABASE_URL": database_url,
        "LOCKSTEP_DATA_DIR": str(plan.data),
        "PYTHONUNBUFFERED": "1",
    }
    return made | chosen | always


def up(plan: Plan, say: Callable[[str], None]) -> None:
    """Start everything, tell where it is, and stay until asked to stop; then stop everything.

    ``say`` prints a line for the person. Raises DataFolderError, PortBusyError, EmbeddedPostgresError or
    DidNotStartError, each with a text for people; by then nothing is left running.
    """
    os.umask(0o077)  # whatever is written from here on is the owner's alone, in a folder made by hand too
    folder = DataFolder(plan.data)
    with ExitStack() as at_the_end, stop_on_signals() as stop:
        try:
            folder.acquire()
            at_the_end.callback(folder.release)
            check_port(plan.port, "Lockstep", "--port", _HOST)
            if plan.with_sandbox:
                check_port(plan.sandbox_port, "the practice Mailchimp", "--sandbox-port", _HOST)
            kept = folder.ensure_secrets()
            postgres, database_url = _database(plan, at_the_end, say)
            environment = environment_for(plan, kept, database_url, os.environ)
            password_works = _prepare(plan, environment, kept["FIRST_PASSWORD"], say)
            children = _children(plan, environment, kept)
            supervisor = Supervisor(children, postgres, say)
            at_the_end.callback(supervisor.stop)
            say("Starting " + ", ".join(child.name for child in children))
            supervisor.start()
            folder.note_running(
                {
                    name: environment[name]
                    for name in (
                        "DATABASE_URL",
                        "LOCKSTEP_BASE_URL",
                        "MAILCHIMP_OAUTH_BASE_URL",
                        "MAILCHIMP_API_BASE_OVERRIDE",
                        "MAILCHIMP_CLIENT_ID",
                    )
                    if name in environment
                }
            )
            say(_welcome(plan, environment, kept, password_works))
            stop.interrupting = False
            supervisor.run_until(stop.requested)
        except StopRequestedError:
            pass
        finally:
            stop.interrupting = False
            if stop.requested.is_set():
                say("Stopping")
            at_the_end.close()
    say("Stopped. Your data is kept in " + str(plan.data))


def _database(
    plan: Plan, at_the_end: ExitStack, say: Callable[[str], None]
) -> tuple[EmbeddedPostgres | None, str]:
    """The embedded PostgreSQL, started, with its address; or None and the address that was given."""
    given = os.environ.get("DATABASE_URL", "")
    if given:
        return None, given
    say("Starting PostgreSQL")
    postgres = EmbeddedPostgres(plan.data / "postgres", say=say)
    at_the_end.callback(postgres.stop)
    postgres.start()
    postgres.ensure_database()
    return postgres, postgres.url()


def _lockstep(*arguments: str) -> list[str]:
    return [sys.executable, "-P", "-m", "lockstep.cli", *arguments]


def _prepare(plan: Plan, environment: Mapping[str, str], password: str, say: Callable[[str], None]) -> bool:
    """Run migrations and the like in a process that has Django; whether the first password still signs in."""
    # Its last line is its answer; all others are for the person.
    with subprocess.Popen(  # noqa: S603 -- our own command
        tether.command(
            _lockstep("prepare", "--email", FIRST_ADMIN, *([] if plan.with_sample else ["--empty"])),
            at_death_of_parent=15,
        ),
        env={**environment, "LOCKSTEP_FIRST_PASSWORD": password},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        answer = ""
        try:
            for line in process.stdout:
                answer = line.rstrip()
                if not answer.startswith("sign-in:"):
                    say(answer)
        except BaseException:
            process.terminate()
            raise
    if process.returncode != 0:
        raise DidNotStartError("The database could not be prepared; see above.")
    return answer == "sign-in: works"


def _children(plan: Plan, environment: Mapping[str, str], kept: Mapping[str, str]) -> list[Child]:
    logs = plan.data / "logs"

    def child(name: str, log: str, arguments: list[str], is_ready: Callable[[], bool]) -> Child:
        return Child(name, _lockstep(*arguments), environment=environment, log=logs / log, is_ready=is_ready)

    children = []
    if plan.with_sandbox:
        arguments = ["sandbox", "--port", str(plan.sandbox_port), "--state", str(plan.data / "sandbox.json")]
        arguments += ["--api-key", kept["SANDBOX_API_KEY"]]
        arguments += ["--client-id", SANDBOX_CLIENT_ID, "--client-secret", kept["MAILCHIMP_CLIENT_SECRET"]]
        children.append(
            child("practice Mailchimp", "sandbox.log", arguments, lambda: _answers(plan.sandbox_port, "/"))
        )
    web = child(
        "web server", "web.log", ["web", "--port", str(plan.port)], lambda: _answers(plan.port, "/healthz")
    )
    worker = child(
        "worker",
        "worker.log",
        ["worker"],
        lambda: any("worker started" in line for line in worker.last_lines),
    )
    return [*children, web, worker]


def _answers(port: int, path: str) -> bool:
    """Whether something serves there: any answer but a failure of its own."""
    connection = http.client.HTTPConnection(_HOST, port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status < 500
    except OSError:
        return False
    finally:
        connection.close()


def _welcome(
    plan: Plan, environment: Mapping[str, str], kept: Mapping[str, str], password_works: bool
) -> str:
    password = f"password {kept['FIRST_PASSWORD']}" if password_works else "and your own password"
    rows = [("Lockstep", environment["LOCKSTEP_BASE_URL"]), ("Sign in with", f"{FIRST_ADMIN}  {password}")]
    if plan.with_sandbox:
        rows += [
            ("Practice Mailchimp", f"http://{_HOST}:{plan.sandbox_port}"),
            ("  its API key", kept["SANDBOX_API_KEY"]),
        ]
    if not environment.get("LOCKSTEP_MAIL_URL"):
        rows += [("Mails", f"written as files into {plan.data / 'mail'}")]
    rows += [("Data and logs", str(plan.data)), ("Stop", "Ctrl-C")]
    return "\nLockstep is running.\n\n" + "\n".join(f"  {name:<20}{value}" for name, value in rows) + "\n"


def sandbox_is_installed() -> bool:
    """Whether this Lockstep has its practice Mailchimp."""
    return find_spec("lockstep.sandbox.command") is not None
