"""Search as people type: each word begins one of a name, number or address; accents and case don't matter.

The words live in the columns `search` of clients and contacts (migration
0002), with an index each. A search over both is a union of index look-ups,
never one condition over a join, which no index could serve.

One or two letters fit a good part of a big book. Such a search is cut off at
`SHORT_LIMIT` hits, which is more than anybody pages through: it is what
somebody has typed on the way to a longer one.
"""

from __future__ import annotations

from itertools import combinations

from django.db.models.expressions import RawSQL

from lockstep.apps.accounts.models import Company

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
    """Whether the search is one that is cut off at `SHORT_LIMIT` hits."""
    return all(len(word) <= SHORT_WORD for word in _words(text))


def clients_matching(company: Company, text: str, *, whole: bool = False) -> RawSQL:
    """Ids of clients that fit themselves, or one of whose contacts fits, or both together."""
    words = _words(text)
    branches = [
        ("SELECT id FROM book_client WHERE company_id = %s AND {own}", (words, [])),
        (
            "SELECT client_id FROM book_contact WHERE company_id = %s AND deleted_at IS NULL AND {own}",
            (words, []),
        ),
    ]
    for ours, theirs in _splits(words):
        branches.append(
            (
                "SELECT k.client_id FROM book_contact k JOIN book_client c ON c.id = k.client_id"
                " WHERE k.company_id = %s AND k.deleted_at IS NULL AND {k.own} AND {c.other}",
                (ours, theirs),
            )
        )
    return _union(company, text, branches, whole=whole)


def contacts_matching(company: Company, text: str, *, whole: bool = False) -> RawSQL:
    """Ids of contacts that fit themselves, or whose client fits, or both together."""
    words = _words(text)
    branches = [
        ("SELECT id FROM book_contact WHERE company_id = %s AND {own}", (words, [])),
        (
            "SELECT k.id FROM book_contact k JOIN book_client c ON c.id = k.client_id"
            " WHERE c.company_id = %s AND {c.own}",
            (words, []),
        ),
    ]
    for ours, theirs in _splits(words):
        branches.append(
            (
                "SELECT k.id FROM book_contact k JOIN book_client c ON c.id = k.client_id"
                " WHERE k.company_id = %s AND {k.own} AND {c.other}",
                (ours, theirs),
            )
        )
    return _union(company, text, branches, whole=whole)


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
    company: Company, text: str, branches: list[tuple[str, tuple[list[str], list[str]]]], *, whole: bool
) -> RawSQL:
    parts: list[str] = []
    parameters: list[object] = []
    limit = f" LIMIT {SHORT_LIMIT}" if is_short(text) and not whole else ""
    for sql, (own, other) in branches:
        filled = (
            sql.replace("{own}", "search @@ lockstep_word_query(%s)")
            .replace("{k.own}", "k.search @@ lockstep_word_query(%s)")
            .replace("{c.own}", "c.search @@ lockstep_word_query(%s)")
            .replace("{c.other}", "c.search @@ lockstep_word_query(%s)")
        )
        parts.append(f"({filled}{limit})")
        parameters += [company.pk, " ".join(own)]
        if "{c.other}" in sql:
            parameters.append(" ".join(other))
    return RawSQL(" UNION ".join(parts), parameters)  # noqa: S611  -- only words travel, as parameters
