"""Which account the server runs under. PostgreSQL refuses to run as root, so as root it needs another one."""

import os
import pwd
import stat
from pathlib import Path

from lockstep.project.embedded_postgres.errors import EmbeddedPostgresError

__all__ = ["can_reach", "give_to", "server_account"]

#: In order of preference: one made for the purpose, the one every distribution's PostgreSQL uses, the
#: common last.
_CANDIDATES = ("lockstep", "postgres", "nobody")


def server_account(cluster: Path) -> pwd.struct_passwd | None:
    """The account to switch to for a cluster folder, which need not exist yet; None to stay who we are.

    A cluster stays with the account that it belongs to. Raises EmbeddedPostgresError where that is
    somebody else and we are not root, or where no account can be found.
    """
    owner = cluster.stat().st_uid if cluster.exists() else None
    if os.geteuid() != 0:
        if owner not in {None, os.geteuid()}:
            raise EmbeddedPostgresError(
                f"{cluster} belongs to user number {owner}, who started Lockstep on this folder first. "
                "Start it as that user (or as root), or choose another folder with --data."
            )
        return None
    if owner:
        try:
            return pwd.getpwuid(owner)
        except KeyError:
            pass  # The folder came from another machine, where numbers mean other people.
    for name in _CANDIDATES:
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise EmbeddedPostgresError(
        "PostgreSQL does not run as root and there is no account to run it under. "
        "Make one: useradd --system lockstep"
    )


def give_to(account: pwd.struct_passwd | None, folder: Path) -> None:
    """Make the folder, and all in it, the account's own. Nothing to do where it is None or already so."""
    if account is None or folder.stat().st_uid == account.pw_uid:
        return
    for path in [folder, *folder.rglob("*")]:
        os.chown(path, account.pw_uid, account.pw_gid, follow_symlinks=False)


def can_reach(account: pwd.struct_passwd, path: Path) -> bool:
    """Whether the account may pass through every folder down to ``path`` and execute or enter it."""
    groups = set(os.getgrouplist(account.pw_name, account.pw_gid))
    resolved = path.resolve()
    for step in [resolved, *resolved.parents]:
        facts = step.stat()
        if facts.st_uid == account.pw_uid:
            needed = stat.S_IXUSR
        elif facts.st_gid in groups:
            needed = stat.S_IXGRP
        else:
            needed = stat.S_IXOTH
        if not facts.st_mode & needed:
            return False
    return True
