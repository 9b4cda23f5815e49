"""``lockstep manage``: Django's own commands, for developers."""

from collections.abc import Sequence

from lockstep.cli.surroundings import set_up_django, use_installation

__all__ = ["run"]


def run(arguments: Sequence[str]) -> int:
    """Pass the arguments on to Django."""
    use_installation()
    set_up_django()

    from django.core.management import execute_from_command_line

    execute_from_command_line(["lockstep manage", *arguments])
    return 0
