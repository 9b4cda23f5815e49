"""A filter of a list page: the chip, and the choices in its picker."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.http import QueryDict

__all__ = ["Choice", "Filter", "chosen_ids"]


@dataclass(frozen=True, slots=True)
class Choice:
    """`value` is what the address holds; `glyph` is drawn before a client status; None shows no count."""

    value: str
    name: str
    count: int | None = None
    chosen: bool = False
    glyph: str = ""


@dataclass(frozen=True, slots=True)
class Filter:
    """Narrows a list by one kind; the choices are alternatives (OR) unless `single`."""

    name: str
    label: str
    choices: tuple[Choice, ...]
    single: bool = False

    @classmethod
    def of(
        cls,
        name: str,
        label: str,
        choices: Iterable[tuple[object, str, int | None, str]],
        chosen: Sequence[str],
        *,
        single: bool = False,
    ) -> Filter:
        """From (value, name, count, glyph) and what the address asks for."""
        wanted = set(chosen)
        return cls(
            name,
            label,
            tuple(
                Choice(str(value), words, count, str(value) in wanted, glyph)
                for value, words, count, glyph in choices
            ),
            single,
        )

    @property
    def chosen(self) -> tuple[Choice, ...]:
        return tuple(choice for choice in self.choices if choice.chosen)

    @property
    def summary(self) -> str:
        """“Active”, “Active, Lead”, or “3 chosen”."""
        names = [choice.name for choice in self.chosen]
        return ", ".join(names) if len(names) <= 2 else f"{len(names)} chosen"


def chosen_ids(query: QueryDict, name: str) -> tuple[int, ...]:
    """The ids that the address names; what is no number is left out."""
    texts = query.getlist(name)
    return tuple(int(text) for text in texts if text.isascii() and text.isdigit() and len(text) < 19)
