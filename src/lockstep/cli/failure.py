"""How a command gives up."""

__all__ = ["Failure"]


class Failure(Exception):
    """The command can't do it. The text is printed for the person, without a traceback."""
