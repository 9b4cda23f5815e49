"""Choosing the columns of a list: what the address says, and the choices as links."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.http import QueryDict

from lockstep.web.doors import AskedRequest

__all__ = ["ColumnChoice", "asked_columns", "column_choices"]

_KEPT = "columns"
"""Where the session keeps what a person last chose, by list."""


@dataclass(frozen=True, slots=True)
class ColumnChoice:
    """A column in the menu; `toggled` and `earlier` lead to the page with it off or on, or moved up."""

    key: str
    label: str
    chosen: bool
    toggled: str
    earlier: str


def column_choices(query: QueryDict, offered: Mapping[str, str], keys: Sequence[str]) -> list[ColumnChoice]:
    """The chosen ones (`keys`) in their order, then the others; `offered` maps keys to labels."""

    def address(wanted: Sequence[str]) -> str:
        changed = query.copy()
        changed.pop("page", None)
        changed.setlist("cols", list(wanted))
        return f"?{changed.urlencode()}"

    rows = []
    for place, key in enumerate(keys):
        moved = list(keys)
        if place:
            moved[place - 1], moved[place] = moved[place], moved[place - 1]
        without = [one for one in keys if one != key]
        rows.append(
            ColumnChoice(key, offered[key], True, address(without or keys), address(moved) if place else "")
        )
    rest = [key for key in offered if key not in keys]
    return rows + [ColumnChoice(key, offered[key], False, address([*keys, key]), "") for key in rest]


def asked_columns(
    request: AskedRequest, page: str, offered: Mapping[str, str], usual: Sequence[str]
) -> list[str]:
    """The keys that the address names (`cols`), else those chosen last in this session, else the usual ones.

    What the address names is remembered; an empty `cols` forgets it. The
    request's own query is made to name what is shown, so that a saved view,
    the order and the pages carry it along.
    """
    kept: dict[str, list[str]] = request.session.get(_KEPT, {})
    if "cols" in request.GET:
        keys = [key for key in dict.fromkeys(request.GET.getlist("cols")) if key in offered]
        wanted = {name: held for name, held in kept.items() if name != page}
        if keys and keys != list(usual):
            wanted[page] = keys
        if wanted != kept:
            request.session[_KEPT] = wanted
    else:
        keys = [key for key in kept.get(page, []) if key in offered]
        if keys:
            query = request.GET.copy()
            query.setlist("cols", keys)
            request.GET = query  # type: ignore[assignment]  # as Django's own middleware does
    return keys or list(usual)
