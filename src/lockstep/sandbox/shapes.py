"""How collections and audiences are answered: envelopes, pages, selections."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from .api import Call

__all__ = ["collection", "instance"]

T = TypeVar("T")


def collection(
    call: Call,
    key: str,
    rows: Sequence[T],
    describe: Callable[[T], dict[str, Any]],
    *,
    known: Iterable[str] | None,
    links: str,
    extra: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """The page of `rows` that `count` and `offset` name, described and cut down to what is asked for.

    `known` are the keys a row can have (what `fields` may name; None: do not check), `links` the path of the
    collection, `extra` further keys of the envelope.
    """
    count, offset = call.page()
    page = [describe(row) for row in rows[offset : offset + count]]
    return envelope(call, key, page, len(rows), known=known, links=links, extra=extra)


def envelope(
    call: Call,
    key: str,
    page: list[dict[str, Any]],
    total: int,
    *,
    known: Iterable[str] | None,
    links: str,
    extra: dict[str, Any] | None = None,
    selected: bool = False,
) -> dict[str, Any]:
    """The envelope around rows; `selected` says that the rows are cut down already."""
    selection = call.selection
    document = {
        key: page,
        **(extra or {}),
        "total_items": total,
        "_links": [{"rel": "self", "href": f"{call.base}{links}", "method": "GET"}],
    }
    selection.check_known({name: known if name == key else None for name in document})
    if selected:
        return {
            name: page if name == key else selection.within(name).apply(document[name])
            for name in selection.keys(document)
        }
    answer: dict[str, Any] = selection.apply(document)
    return answer


def instance(call: Call, document: dict[str, Any], known: Iterable[str] | None = None) -> dict[str, Any]:
    """One thing, cut down to what is asked for; `known` are further keys it could have had."""
    selection = call.selection
    selection.check_known(dict.fromkeys([*document, *(known or ())]))
    answer: dict[str, Any] = selection.apply(document)
    return answer
