"""What goes wrong with a whole file."""

from __future__ import annotations

from lockstep.apps.book.errors import BookError


class UnreadableFile(BookError):
    """The file can't be read as a table; the text says why and what to do."""


class ImportRefused(BookError):
    """The file can be read, but loading it would surely be a mistake; the text says why."""
