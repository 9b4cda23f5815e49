"""What can be chosen as preferences (S1), how many contacts each choice has, and filters in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from django.db import connection as database

from lockstep.apps.book.models import ListValue, Tag
from lockstep.apps.book.tallies import CONTACT, numbers_of
from lockstep.apps.connections.preferences import KINDS, NONE_GIVEN, Preferences

NONE_WORDS = "None given"

_LISTED = {
    "status_ids": (ListValue.Kind.STATUS, "cl.status_id"),
    "industry_ids": (ListValue.Kind.INDUSTRY, "cl.industry_id"),
    "department_ids": (ListValue.Kind.DEPARTMENT, "ct.department_id"),
}
_TAGGED = {
    "client_tag_ids": (Tag.Kind.CLIENT, "cl.tag_ids"),
    "contact_tag_ids": (Tag.Kind.CONTACT, "ct.tag_ids"),
}
TALLIED = {
    "status_ids": "status",
    "industry_ids": "industry",
    "department_ids": "department",
    "client_tag_ids": "client_tag",
    "contact_tag_ids": "tag",
}
"""What the kinds of preferences are called in the tallies."""

_BOOK = """book_contact ct JOIN book_client cl ON cl.id = ct.client_id
    WHERE ct.company_id = %(company)s AND ct.deleted_at IS NULL AND cl.deleted_at IS NULL"""


@dataclass(frozen=True, slots=True)
class Choice:
    """One value that may be chosen; `count` is of contacts, whatever the other kinds say."""

    id: int
    name: str
    count: int


def choices(company_id: int) -> dict[str, list[Choice]]:
    """By the names of `Preferences`: lists in the company's order, tags by how many have them.

    “None given” is offered where somebody has none. Retired values are offered
    as long as somebody has them.
    """
    counted: dict[str, dict[int, int]] = {}
    tallied = numbers_of(company_id, CONTACT, list(TALLIED.values()))
    if tallied is not None:
        for kind, name in TALLIED.items():
            counted[kind] = {int(value): number for (of, value), number in tallied.items() if of == name}
    else:
        counted = {kind: _counts(company_id, kind) for kind in KINDS}
    found: dict[str, list[Choice]] = {}
    for kind in KINDS:
        counts = counted[kind]
        if kind in _LISTED:
            values = ListValue.objects.filter(company_id=company_id, kind=_kind(kind))
            rows = [
                Choice(pk, name, counts.get(pk, 0))
                for pk, name, retired in values.order_by("position", "id").values_list(
                    "id", "name", "retired"
                )
                if not retired or counts.get(pk)
            ]
        else:
            tags = Tag.objects.filter(company_id=company_id, kind=_kind(kind)).values_list("id", "name")
            rows = [Choice(pk, name, counts.get(pk, 0)) for pk, name in tags]
            rows.sort(key=lambda choice: (-choice.count, choice.name.lower(), choice.id))
        if counts.get(NONE_GIVEN) and rows:
            rows.append(Choice(NONE_GIVEN, NONE_WORDS, counts[NONE_GIVEN]))
        found[kind] = rows
    return found


def names_of(company_id: int, preferences: Preferences) -> dict[str, list[str]]:
    """The chosen values by kind, as people read them; kinds without a choice are not there."""
    named: dict[str, list[str]] = {}
    for kind in KINDS:
        ids = getattr(preferences, kind)
        if not ids:
            continue
        model = ListValue if kind in _LISTED else Tag
        known = dict(
            model.objects.filter(company_id=company_id, kind=_kind(kind), pk__in=ids).values_list(
                "pk", "name"
            )
        )
        named[kind] = [known[pk] for pk in ids if pk in known]
        if NONE_GIVEN in ids:
            named[kind].append(NONE_WORDS)
    return named


_CLAUSES: Mapping[str, str] = {
    "status_ids": "whose client is",
    "industry_ids": "whose client’s industry is",
    "client_tag_ids": "whose client has the tag",
    "department_ids": "whose department is",
    "contact_tag_ids": "with the tag",
}


def clauses(named: Mapping[str, list[str]]) -> list[tuple[str, list[str]]]:
    """The rule in words, one clause a kind: “whose client is” and the values that are alternatives."""
    return [(words, named[kind]) for kind, words in _CLAUSES.items() if named.get(kind)]


def in_words(named: Mapping[str, list[str]]) -> str:
    """“Contacts whose client is Active or Prospect and whose department is Marketing”."""
    parts = [f"{words} {any_of(names)}" for words, names in clauses(named)]
    return f"Contacts {' and '.join(parts)}" if parts else "Everybody in the book"


def any_of(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"


def _kind(kind: str) -> str:
    return (_LISTED[kind] if kind in _LISTED else _TAGGED[kind])[0].value


def _counts(company_id: int, kind: str) -> dict[int, int]:
    """Contacts by value, `NONE_GIVEN` for those without one, by looking at all of them."""
    if kind in _LISTED:
        query = f"SELECT coalesce({_LISTED[kind][1]}, 0), count(*) FROM {_BOOK} GROUP BY 1"
    else:
        column = _TAGGED[kind][1]
        query = f"""SELECT tag_id, count(*) FROM (SELECT unnest(
            CASE WHEN {column} = '{{}}' THEN ARRAY[0]::bigint[] ELSE {column} END) AS tag_id
            FROM {_BOOK}) tagged GROUP BY 1"""
    with database.cursor() as cursor:
        cursor.execute(query, {"company": company_id})
        return dict(cursor.fetchall())
