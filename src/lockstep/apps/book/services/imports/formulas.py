"""Keeps a spreadsheet from running what somebody typed into the book."""

from __future__ import annotations

_STARTS = ("=", "+", "-", "@", "\t", "\r", "'")


def safe_cell(text: str) -> str:
    """The text as a CSV cell that no spreadsheet takes for a formula.

    An apostrophe goes before whatever could begin one; `checking.cell_text`
    takes it off again, so a file survives the way out and back in. A text that
    begins with an apostrophe gets one more, where it would else lose its own.
    """
    if text and text[0] in _STARTS and (text[0] != "'" or text[1:2] in _STARTS):
        return f"'{text}"
    return text
