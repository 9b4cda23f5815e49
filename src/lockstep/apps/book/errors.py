"""What the book's services raise. Every text is for the person who asked.

BookError
├── Invalid      some fields can't be taken as given; `fields` says which and why
└── NotFound     no such client, contact, … in this company (or not one of the actor's own)
"""

from __future__ import annotations

from collections.abc import Mapping


class BookError(Exception):
    """The book refuses; nothing was written."""


class Invalid(BookError):
    """Some fields can't be taken as given.

    `fields` maps a field's name, as the service's argument is called, to what
    is wrong with it and what to do. The key '' is about the whole.
    """

    def __init__(self, fields: Mapping[str, str]) -> None:
        self.fields = dict(fields)
        super().__init__(" ".join(self.fields.values()))


class NotFound(BookError):
    """There is no such thing in the actor's company, or the actor may not see it."""

    def __init__(self, what: str) -> None:
        self.what = what
        super().__init__(f"This {what} does not exist, or you can't see it.")
