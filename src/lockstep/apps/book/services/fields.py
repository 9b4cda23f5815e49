"""Checks what was typed, field by field, before a service writes it.

Pure: a `FieldCheck` collects every complaint, so that a form shows all of them at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from django.db import IntegrityError, models, transaction

from lockstep.apps.book.errors import Invalid

MAX_NOTES = 20_000
MAX_TAGS = 200
"""Tags on one client or contact."""
MAX_TAG = 100
SEPARATORS = ",;"
"""What separates tags in a cell of a file, and so can't be part of a tag's name."""


def one_line(value: str | None) -> str:
    """Without control characters, runs of blanks as one, nothing around; what can't be stored is dropped.

    PostgreSQL can't hold a NUL; a lone surrogate can't be sent as UTF-8.
    """
    if not value:
        return ""
    if value.isascii() and value.isprintable():
        return " ".join(value.split()) if "  " in value or value[0] == " " or value[-1] == " " else value
    cleaned = "".join(
        character if character.isprintable() or character in "\u200d\u200c\ufe0f" else " "
        for character in value
        if not "\ud800" <= character <= "\udfff"
    )
    return " ".join(cleaned.split())


def many_lines(value: str | None) -> str:
    """Line by line as `one_line`, with the line breaks kept."""
    lines = [one_line(line) for line in (value or "").splitlines()]
    return "\n".join(lines).strip()


def tag_names(values: Iterable[str]) -> list[str]:
    """Cleaned, without empty ones and repetitions (whatever their case), in the order given."""
    names: dict[str, str] = {}
    for value in values:
        name = one_line(value)
        if name:
            names.setdefault(name.lower(), name)
    return list(names.values())


def longest(model: type[models.Model], field: str) -> int:
    """Characters that a text column takes."""
    length = model._meta.get_field(field).max_length
    return MAX_NOTES if length is None else length


class FieldCheck:
    """Collects complaints by field; `finish` raises them together as `Invalid`."""

    def __init__(self) -> None:
        self.wrong: dict[str, str] = {}

    def complain(self, field: str, text: str) -> None:
        self.wrong.setdefault(field, text)

    def texts(
        self, model: type[models.Model], values: Mapping[str, Any], fields: Iterable[str]
    ) -> dict[str, str]:
        """Those of `fields` that are given, cleaned, and complained about where too long."""
        taken = {}
        for field in fields:
            if field in values:
                text = many_lines(values[field]) if field == "notes" else one_line(values[field])
                limit = longest(model, field)
                if len(text) > limit:
                    self.complain(field, f"This is too long: {len(text):,} characters, {limit:,} fit.")
                taken[field] = text
        return taken

    def tags(self, values: Iterable[str], field: str = "tags") -> list[str]:
        names = tag_names(values)
        if len(names) > MAX_TAGS:
            self.complain(field, f"{len(names)} tags are too many: {MAX_TAGS} fit.")
        for name in names:
            if len(name) > MAX_TAG:
                self.complain(field, f"The tag “{name[:30]}…” is too long: {MAX_TAG} characters fit.")
            elif any(separator in name for separator in SEPARATORS):
                self.complain(field, f"The tag “{name}” can't contain a comma or a semicolon.")
        return names

    def finish(self) -> None:
        """Raise `Invalid` if anything was complained about."""
        if self.wrong:
            raise Invalid(self.wrong)


_TAKEN = {
    "book_client_name_unique": ("name", "There is a client of this name already."),
    "book_client_external_id_unique": ("external_id", "Another client has this external id."),
    "book_contact_external_id_unique": ("external_id", "Another contact has this external id."),
}


@contextmanager
def unique_or_invalid() -> Iterator[None]:
    """Say it as `Invalid` when somebody else took the name or id between the check and the write."""
    try:
        with transaction.atomic():
            yield
    except IntegrityError as error:
        constraint = getattr(getattr(error.__cause__, "diag", None), "constraint_name", None)
        if constraint not in _TAKEN:
            raise
        field, text = _TAKEN[constraint]
        raise Invalid({field: text}) from error
