"""Where a command finds its data folder, its database and its secrets."""

import os
from pathlib import Path

from lockstep.cli.failure import Failure
from lockstep.project.data_folder import DataFolder

__all__ = ["data_folder", "home", "set_up_django", "use_installation"]


def home() -> Path:
    """The folder of the checkout that ``./lockstep`` was started from; else where we are."""
    return Path(os.environ.get("LOCKSTEP_HOME") or Path.cwd())


def data_folder() -> Path:
    """The data folder where no ``--data`` says otherwise."""
    return Path(os.environ.get("LOCKSTEP_DATA_DIR") or home() / "data").expanduser().absolute()


def use_installation(folder: Path | None = None) -> None:
    """Complete the environment from a data folder, so that a command works beside ``lockstep up``.

    What is set already stays. Raises Failure where there is no database to be found.
    """
    kept = DataFolder(folder or data_folder())
    running = kept.running()
    for name, value in running.items():
        os.environ.setdefault(name, value)
    for name, value in kept.secrets().items():
        if name.startswith(("LOCKSTEP_", "MAILCHIMP_")):
            os.environ.setdefault(name, value)
    if running:
        os.environ.setdefault("LOCKSTEP_DATA_DIR", str(kept.path))
    if not os.environ.get("DATABASE_URL"):
        raise Failure(
            f"there is no database: Lockstep is not running on {kept.path}. "
            "Start it (lockstep up), or set DATABASE_URL to a PostgreSQL."
        )


def set_up_django() -> None:
    """Load Django with our settings. Raises Failure where one of them is missing or unusable."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "lockstep.project.settings")
    import django
    from django.core.exceptions import ImproperlyConfigured

    try:
        django.setup()
    except ImproperlyConfigured as error:
        raise Failure(str(error)) from error
