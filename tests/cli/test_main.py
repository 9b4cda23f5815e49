"""The command finds what it is asked for, and says so where there is none."""

import errno
import sys
from collections.abc import Sequence

import pytest

from lockstep.cli import main as cli
from lockstep.cli.failure import Failure


def test_help_has_a_line_for_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--help"]) == 0
    lines = capsys.readouterr().out.splitlines()
    for command in cli.COMMANDS:
        shown = [line for line in lines if line.split()[:1] == [command.name]]
        assert len(shown) == (0 if command.hidden or not command.is_installed() else 1), command.name
    assert all(len(line) <= 100 for line in lines)


@pytest.mark.parametrize(
    "command", [one for one in cli.COMMANDS if one.is_installed()], ids=lambda one: one.name
)
def test_every_command_that_is_offered_can_be_loaded(command: cli.Command) -> None:
    assert callable(command.load())


@pytest.mark.parametrize("words", [["sing"], ["--sing"], []])
def test_an_unknown_command_gets_the_list(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(words) == 2
    captured = capsys.readouterr()
    assert "commands:" in captured.out + captured.err


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("lockstep 0.")


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (Failure("the moon is missing."), 1, "lockstep: the moon is missing.\n"),
        (KeyboardInterrupt(), 130, ""),
        (
            OSError(errno.ENOSPC, "No space left on device", "/data/x"),
            1,
            "lockstep: No space left on the disk while writing /data/x. Make room and start again.\n",
        ),
    ],
)
def test_what_goes_wrong_is_one_message(
    error: BaseException,
    code: int,
    told: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(arguments: Sequence[str]) -> int:
        raise error

    monkeypatch.setattr(cli.Command, "load", lambda self: fail)
    assert cli.main(["up"]) == code
    assert capsys.readouterr().err == told


def test_a_fault_of_ours_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(arguments: Sequence[str]) -> int:
        raise ZeroDivisionError

    monkeypatch.setattr(cli.Command, "load", lambda self: fail)
    with pytest.raises(ZeroDivisionError):
        cli.main(["up"])


def test_up_and_help_never_load_django() -> None:
    """The supervisor stays small, and the help quick."""
    import subprocess

    program = (
        "import sys; from lockstep.cli.main import main; main(['--help']); "
        "import lockstep.cli.commands.up, lockstep.project.up; "
        "print([name for name in ('django', 'psycopg', 'procrastinate') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", program], capture_output=True, text=True, check=True, env={}
    )
    assert done.stdout.splitlines()[-1] == "[]"
