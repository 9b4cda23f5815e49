"""Exact counts of any filters over a big book, in milliseconds (docs/explanation/counting.md)."""

from lockstep.apps.book.tallies.facts import CLIENT, CONTACT, NO, NONE_GIVEN, YES
from lockstep.apps.book.tallies.reading import numbers_of, read_sheet
from lockstep.apps.book.tallies.sheets import EVERYONE, Clause, Facet, Sheet

__all__ = [
    "CLIENT",
    "CONTACT",
    "EVERYONE",
    "NO",
    "NONE_GIVEN",
    "YES",
    "Clause",
    "Facet",
    "Sheet",
    "numbers_of",
    "read_sheet",
]
