"""Become another program that ends when the process which started it ends, however that ended.

Run as a script: ``python -I -S tether.py PARENT SIGNAL USER COMMAND...``. It moves into a session of its
own (so that Ctrl-C in a terminal reaches the supervisor alone, which then stops things in order), drops
root for USER where that is not ``-``, asks the kernel for SIGNAL at the death of its parent, makes sure
that PARENT is still alive, and executes COMMAND in its own place: no process is left between the two.

A script rather than a ``preexec_fn``, because the death signal is lost when the user changes, and
because code between fork and exec may deadlock in a process with threads. Linux only gives the signal;
elsewhere a killed supervisor's orphans are found and ended at the next start.

Standard library only, and nothing from Lockstep: it starts in some ten milliseconds.
"""

import ctypes
import os
import signal
import sys

__all__ = ["command"]

_PR_SET_PDEATHSIG = 1


def command(program: list[str], *, at_death_of_parent: signal.Signals, user: int | None = None) -> list[str]:
    """The command line that runs ``program`` tied to the calling process.

    ``user``: the numeric id of the account to run it under; None keeps the present one.
    """
    script = [sys.executable, "-I", "-S", __file__]
    return [
        *script,
        str(os.getpid()),
        str(int(at_death_of_parent)),
        "-" if user is None else str(user),
        *program,
    ]


def _become(parent: int, death_signal: int, user: str, program: list[str]) -> None:
    os.setsid()
    if user != "-":
        import pwd

        account = pwd.getpwuid(int(user))
        os.initgroups(account.pw_name, account.pw_gid)
        os.setgid(account.pw_gid)
        os.setuid(account.pw_uid)
        os.environ.update(HOME="/", USER=account.pw_name, LOGNAME=account.pw_name)
        os.umask(0o077)
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, death_signal, 0, 0, 0)
    if os.getppid() != parent:
        # It died before the kernel could be asked to tell.
        raise SystemExit(0)
    os.execv(program[0], program)  # noqa: S606 -- replacing this process is the purpose


if __name__ == "__main__":
    _become(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4:])
