"""Search as people type: each word begins one of a name, number, address or tag, whatever accents and case.

A word that nothing begins with is taken for those most like it (see
`spelling`), and a telephone number is found however it is written.

The words live in the columns `search` of clients and contacts (migration
0002), with an index each. A search over both is a union of index look-ups,
never one condition over a join, which no index could serve.

A list asks for one page of the hits (see `finding`). Where all are needed as a
set, as in the report, a search for one or two letters, which fit a good part of
a big book, is cut off at `SHORT_LIMIT` hits.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from django.db import connection
from django.db.models import BooleanField, Q
from django.db.models.expressions import RawSQL

from lockstep.apps.accounts.models import Company
from lockstep.apps.book.models import Tag
from lockstep.apps.book.queries.spelling import respelled

MAX_WORDS = 8
MAX_SPLIT_WORDS = 4
"""Up to here, some words may fit the contact and the others its client (“dana kestrel”)."""

SHORT_WORD = 2
SHORT_LIMIT = 5_000


def _words(text: str) -> list[str]:
    words = text[:200].replace("\x00", " ").encode("utf-8", "ignore").decode().split()
    return list(dict.fromkeys(word for word in words if any(map(_counts, word))))[:MAX_WORDS]


def _counts(character: str) -> bool:
    """Whether a character is more than punctuation to `lockstep_words`."""
    return character.isalnum() or (character > "\x7f" and not "\u2000" <= character <= "\u206f")


def has_words(text: str) -> bool:
    return bool(_words(text))


def is_short(text: str) -> bool:
    """Whether the search probably fits a good part of a book."""
    return all(len(word) <= SHORT_WORD for word in _words(text))


@dataclass(frozen=True, slots=True)
class Terms:
    """What is looked for: the words as a query takes them, and the tags that each of them may name."""

    words: tuple[str, ...]
    tag_ids: Mapping[tuple[Tag.Kind, str], tuple[int, ...]]
    respelled: tuple[str, ...] = ()
    """Words that nothing begins with, and that were taken for others."""

    def condition(self, table: str, kind: Tag.Kind, words: Sequence[str]) -> tuple[str, list[object]]:
        """SQL and its parameters: whether a row has all of `words`, each in its own or among its tags."""
        plain = [word for word in words if not self.tag_ids.get((kind, word))]
        parts, parameters = [], list[object]()
        if plain:
            parts.append(f"{table}search @@ lockstep_search_query(%s)")
            parameters.append(" ".join(plain))
        for word in words:
            if ids := self.tag_ids.get((kind, word)):
                parts.append(
                    f"({table}search @@ lockstep_search_query(%s) OR {table}tag_ids && %s::bigint[])"
                )
                parameters += [word, list(ids)]
        return " AND ".join(parts), parameters


def terms_of(company: Company, text: str) -> Terms:
    """Read what was typed; two queries, three with letters in it, four where a word is mistyped."""
    words = _words(text)
    number = _phone(text)
    if number:
        words = [number]
    folded, tags = _look_up(company, words)
    missing = [
        part
        for word, parts in folded.items()
        for part in parts
        if "|" not in word and not any(tags.get((kind, word)) for kind in Tag.Kind)
    ]
    instead = respelled(company.pk, missing)
    read = []
    for word in words:
        parts = folded.get(word, ())
        if "|" not in word and any(part in instead for part in parts):
            read += ["|".join(instead.get(part, (part,))) for part in parts]
        else:
            read.append(word)
    return Terms(tuple(read), tags, tuple(instead))


def _phone(text: str) -> str:
    """The digits of what can only be a telephone number written with blanks and signs; else ''."""
    if not re.fullmatch(r"[\d\s()+./-]{6,30}", text.strip()):
        return ""
    digits = re.sub(r"\D", "", text)
    return digits[-10:] if len(digits) >= 5 and re.search(r"\D", text.strip()) else ""


def _look_up(
    company: Company, words: Sequence[str]
) -> tuple[dict[str, tuple[str, ...]], dict[tuple[Tag.Kind, str], tuple[int, ...]]]:
    """By word: its folded parts; and by kind and word the tags that a word of theirs begins with."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT w, tsvector_to_array(lockstep_words(w)) FROM unnest(%s::text[]) AS w", [list(words)]
        )
        folded = {word: tuple(parts) for word, parts in cursor.fetchall()}
        cursor.execute(
            """
            SELECT t.kind, w, array_agg(t.id) FROM
                (SELECT id, kind, lockstep_words(name) AS words FROM book_tag
                    WHERE company_id = %s OFFSET 0) t, unnest(%s::text[]) AS w
            WHERE t.words @@ lockstep_search_query(w) GROUP BY 1, 2
            """,
            [company.pk, list(words)],
        )
        tags = {(Tag.Kind(kind), word): tuple(ids) for kind, word, ids in cursor.fetchall()}
    return folded, tags


@dataclass(frozen=True, slots=True)
class Way:
    """One way in which a row may fit what was typed, said twice."""

    by_index: Q
    """Put so that the index of the words finds the rows."""
    of_row: Q
    """Put so that one row is asked at a time."""


def client_ways(company: Company, terms: Terms) -> list[Way]:
    """A client fits itself, or one of its contacts does, or both together; for a query of clients."""
    own, values = terms.condition("book_client.", Tag.Kind.CLIENT, terms.words)
    ways = [_way(own, values)]
    through = "SELECT k.client_id FROM book_contact k WHERE k.company_id = %s AND k.deleted_at IS NULL AND "
    each = (
        "EXISTS (SELECT FROM book_contact k WHERE k.client_id = book_client.id AND k.deleted_at IS NULL AND "
    )
    own, values = terms.condition("k.", Tag.Kind.CONTACT, terms.words)
    ways.append(_way(f"book_client.id IN ({through}{own})", [company.pk, *values], f"{each}{own})", values))
    for ours, theirs in _splits(list(terms.words)):
        of_contact, some = terms.condition("k.", Tag.Kind.CONTACT, ours)
        of_client, others = terms.condition("book_client.", Tag.Kind.CLIENT, theirs)
        ways.append(
            _way(
                f"book_client.id IN ({through}{of_contact}) AND {of_client}",
                [company.pk, *some, *others],
                f"{each}{of_contact}) AND {of_client}",
                [*some, *others],
            )
        )
    return ways


def contact_ways(company: Company, terms: Terms) -> list[Way]:
    """A contact fits itself, or its client does, or both together; for a query of contacts."""
    own, values = terms.condition("book_contact.", Tag.Kind.CONTACT, terms.words)
    ways = [_way(own, values)]
    through = "SELECT c.id FROM book_client c WHERE c.company_id = %s AND "
    each = "EXISTS (SELECT FROM book_client c WHERE c.id = book_contact.client_id AND "
    own, values = terms.condition("c.", Tag.Kind.CLIENT, terms.words)
    ways.append(
        _way(f"book_contact.client_id IN ({through}{own})", [company.pk, *values], f"{each}{own})", values)
    )
    for ours, theirs in _splits(list(terms.words)):
        of_contact, some = terms.condition("book_contact.", Tag.Kind.CONTACT, ours)
        of_client, others = terms.condition("c.", Tag.Kind.CLIENT, theirs)
        ways.append(
            _way(
                f"book_contact.client_id IN ({through}{of_client}) AND {of_contact}",
                [company.pk, *others, *some],
                f"{each}{of_client}) AND {of_contact}",
                [*others, *some],
            )
        )
    return ways


def _way(
    by_index: str, values: list[object], of_row: str | None = None, row_values: list[object] | None = None
) -> Way:
    """`of_row` is as `by_index` where that asks nothing but the row."""
    said = _q(by_index, values)
    return Way(said, said if of_row is None else _q(of_row, row_values or []))


def _q(sql: str, values: list[object]) -> Q:
    # only words and ids travel, as parameters
    return Q(RawSQL(f"({sql})", values, output_field=BooleanField()))  # noqa: S611


def clients_matching(company: Company, text: str, *, whole: bool = False) -> RawSQL:
    """Ids of clients that fit themselves, or one of whose contacts fits, or both together.

    `whole`: not cut off, however short the search.
    """
    terms = terms_of(company, text)
    own, parameters = terms.condition("", Tag.Kind.CLIENT, terms.words)
    branches = [(f"SELECT id FROM book_client WHERE company_id = %s AND {own}", parameters)]
    own, parameters = terms.condition("", Tag.Kind.CONTACT, terms.words)
    branches.append(
        (
            f"SELECT client_id FROM book_contact WHERE company_id = %s AND deleted_at IS NULL AND {own}",
            parameters,
        )
    )
    return _union(company, text, [*branches, *_shared(terms, "k.client_id", live=True)], whole=whole)


def contacts_matching(company: Company, text: str, *, whole: bool = False) -> RawSQL:
    """Ids of contacts that fit themselves, or whose client fits, or both together; `whole` as above."""
    terms = terms_of(company, text)
    own, parameters = terms.condition("", Tag.Kind.CONTACT, terms.words)
    branches = [(f"SELECT id FROM book_contact WHERE company_id = %s AND {own}", parameters)]
    own, parameters = terms.condition("c.", Tag.Kind.CLIENT, terms.words)
    branches.append(
        (
            "SELECT k.id FROM book_contact k JOIN book_client c ON c.id = k.client_id"
            f" WHERE c.company_id = %s AND {own}",
            parameters,
        )
    )
    return _union(company, text, [*branches, *_shared(terms, "k.id", live=False)], whole=whole)


def _shared(terms: Terms, picked: str, *, live: bool) -> list[tuple[str, list[object]]]:
    """Branches in which some of the words fit the contact and the others its client."""
    branches = []
    for ours, theirs in _splits(list(terms.words)):
        of_contact, some = terms.condition("k.", Tag.Kind.CONTACT, ours)
        of_client, others = terms.condition("c.", Tag.Kind.CLIENT, theirs)
        branches.append(
            (
                f"SELECT {picked} FROM book_contact k JOIN book_client c ON c.id = k.client_id"
                f" WHERE k.company_id = %s{' AND k.deleted_at IS NULL' if live else ''}"
                f" AND {of_contact} AND {of_client}",
                [*some, *others],
            )
        )
    return branches


def _splits(words: list[str]) -> list[tuple[list[str], list[str]]]:
    """Every way to give some of the words to the contact and the rest to its client."""
    if not 2 <= len(words) <= MAX_SPLIT_WORDS:
        return []
    places = range(len(words))
    return [
        ([words[i] for i in chosen], [words[i] for i in places if i not in chosen])
        for size in range(1, len(words))
        for chosen in combinations(places, size)
    ]


def _union(
    company: Company, text: str, branches: Sequence[tuple[str, list[object]]], *, whole: bool
) -> RawSQL:
    limit = f" LIMIT {SHORT_LIMIT}" if is_short(text) and not whole else ""
    parameters: list[object] = []
    for _, own in branches:
        parameters += [company.pk, *own]
    sql = " UNION ".join(f"({branch}{limit})" for branch, _ in branches)
    return RawSQL(sql, parameters)  # noqa: S611  -- only words and ids travel, as parameters
