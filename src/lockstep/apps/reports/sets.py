"""Contacts that another part of Lockstep names, as a filter of the report: “who clicked in this campaign”.

A part that knows such sets registers a source under a word; the report's
address then says `set=word:value`, see `address_of`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from django.urls import reverse

from lockstep.apps.accounts.permissions import Actor


@dataclass(frozen=True, slots=True)
class ContactSet:
    """`title` says in a few words who they are; ids the actor may not see are left out by the report."""

    title: str
    contact_ids: Sequence[int]


Source = Callable[[Actor, str], ContactSet | None]

_SOURCES: dict[str, Source] = {}


def register(word: str, source: Source) -> None:
    """`source(actor, value)` answers with the set, None where the actor has no such thing."""
    _SOURCES[word] = source


def find_set(actor: Actor, named: str) -> ContactSet | None:
    """The set that `word:value` names, '' and unknown ones are None."""
    word, _, value = named.partition(":")
    source = _SOURCES.get(word)
    return source(actor, value) if source else None


def address_of(word: str, value: object) -> str:
    """The report narrowed to this set."""
    return f"{reverse('report:index')}?{urlencode({'set': f'{word}:{value}'})}"
