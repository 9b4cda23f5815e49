"""Every address of the project, with sample arguments; and what the database holds, row by row."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from django.db import connection
from django.urls import URLPattern, URLResolver, get_resolver
from django.urls.resolvers import RoutePattern
from django.utils.regex_helper import normalize

__all__ = ["Address", "addresses", "rows", "scrubbed"]


@dataclass(frozen=True)
class Address:
    """A URL pattern: its qualified name ('' where it has none), its template (“clients/%(client_id)s”)."""

    name: str
    template: str
    arguments: tuple[str, ...]

    def fill(self, samples: Mapping[str, object]) -> str:
        """The path with the samples of its arguments; KeyError names the one that has none."""
        return "/" + self.template % {name: samples[name] for name in self.arguments}

    @property
    def label(self) -> str:
        return self.name or self.template


def addresses() -> list[Address]:
    """Every page, found by asking the resolver, so that one added tomorrow is among them.

    The API has its own walk (`tests/api/test_isolation.py`): a session opens none of its doors.
    """
    return [found for found in _below(get_resolver(), "", "", ()) if not found.template.startswith("api/")]


def _below(resolver: URLResolver, prefix: str, names: str, arguments: tuple[str, ...]) -> Iterator[Address]:
    for entry in resolver.url_patterns:
        text, wanted = _template(entry)
        if isinstance(entry, URLResolver):
            inner = f"{names}{entry.namespace}:" if entry.namespace else names
            yield from _below(entry, prefix + text, inner, arguments + wanted)
        else:
            name = f"{names}{entry.name}" if entry.name else ""
            yield Address(name, prefix + text, arguments + wanted)


def _template(entry: URLPattern | URLResolver) -> tuple[str, tuple[str, ...]]:
    if isinstance(entry.pattern, RoutePattern):
        route = str(entry.pattern)
        names = tuple(re.findall(r"<(?:[^:>]+:)?([^>]+)>", route))
        return re.sub(r"<(?:[^:>]+:)?([^>]+)>", r"%(\1)s", route.replace("%", "%%")), names
    [(template, wanted), *_] = normalize(str(entry.pattern))
    return template, tuple(wanted)


#: Tables that any visit may write: who is signed in and where, and how often somebody tried.
PASSING = ("django_session", "usersessions_usersession", "accounts_cache")


def rows() -> set[tuple[str, str]]:
    """Every row of every table, as (table, row in JSON)."""
    with connection.cursor() as cursor:
        tables = [name for name in connection.introspection.table_names(cursor) if name not in PASSING]
        parts = [f"SELECT '{name}', to_jsonb(t)::text FROM \"{name}\" t" for name in tables]
        cursor.execute(" UNION ALL ".join(parts))
        return set(cursor.fetchall())


def scrubbed(html: str) -> str:
    """A page without what differs at every visit: tokens against forgery, and nonces."""
    return re.sub(r'nonce="[^"]*"|\b[A-Za-z0-9]{64}\b', "", html)
