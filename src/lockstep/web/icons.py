"""Tabler's outline icons (MIT), kept as files so that one is added by dropping it in."""

from __future__ import annotations

import functools
import re
from pathlib import Path

__all__ = ["icon_names", "icon_paths"]

_FOLDER = Path(__file__).parent / "icons"


@functools.cache
def icon_paths(name: str) -> str:
    """What stands inside the `<svg>` of an icon, ready to be put inline.

    Raises `LookupError` for a name that is not in the folder, so that a misspelt
    icon breaks the page's test and not the page's look.
    """
    if name not in icon_names():
        raise LookupError(f"There is no icon “{name}” in web/icons")
    text = (_FOLDER / f"{name}.svg").read_text(encoding="utf-8")
    body = re.sub(r"<svg[^>]*>|</svg>|<path stroke=\"none\"[^>]*/>", "", text)
    return re.sub(r"\s+", " ", body).replace("> <", "><").replace(" />", "/>").strip()


@functools.cache
def icon_names() -> frozenset[str]:
    return frozenset(file.stem for file in _FOLDER.glob("*.svg"))
