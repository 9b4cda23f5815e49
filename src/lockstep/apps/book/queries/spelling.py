"""Mistyped search words: a word that nothing in the book begins with is read as the words most like it.

A look-up table by deletions: each word of the book is stored with its beginning
and that beginning with each letter left out. A word with one letter wrong,
missing, doubled or swapped shares one of these keys with the right one, so a
GIN index finds the candidates and only they are compared letter by letter.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from django.db import connection

SHORTEST = 4
"""Letters; in shorter words a wrong letter leaves too little to go by."""

LONG = 8
"""From here on two mistakes are forgiven, but for two among the first five letters."""

ALTERNATIVES = 6
_LENGTHS = (5, 7)
"""Of the beginnings that migration 0007 makes keys of."""

_CANDIDATES = 2_000


def respelled(company_id: int, words: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """By word: what it may have been meant to be, the likeliest first; words that are known are left out.

    `words` are folded already (`lockstep_words`). Two queries at most.
    """
    wanted = [word for word in words if len(word) >= SHORTEST and word.isalpha()]
    if not wanted:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT w.word FROM (SELECT word COLLATE "C" AS word FROM unnest(%(words)s::text[]) AS u(word)) w
            WHERE NOT EXISTS (SELECT FROM book_searchword s WHERE s.company_id = %(company)s
                AND s.word >= w.word AND s.word < w.word || chr(1114109))
            """,
            {"words": wanted, "company": company_id},
        )
        unknown = [word for (word,) in cursor.fetchall()]
        if not unknown:
            return {}
        cursor.execute(
            """
            SELECT w.word, c.word FROM unnest(%(words)s::text[]) WITH ORDINALITY AS w(word, place)
            CROSS JOIN LATERAL (SELECT DISTINCT s.word FROM book_searchword s
                WHERE s.keys && (SELECT array_agg(k.key)
                    FROM unnest(%(keys)s::text[], %(places)s::bigint[]) AS k(key, place)
                    WHERE k.place = w.place)
                AND s.company_id = %(company)s LIMIT %(most)s) c
            """,
            {
                "words": unknown,
                "keys": [f"{company_id}:{key}" for word in unknown for key in typo_keys(word)],
                "places": [n for n, word in enumerate(unknown, 1) for _ in typo_keys(word)],
                "company": company_id,
                "most": _CANDIDATES,
            },
        )
        candidates: dict[str, list[str]] = {}
        for word, candidate in cursor.fetchall():
            candidates.setdefault(word, []).append(candidate)
    found = {word: likeliest(word, candidates.get(word, ())) for word in unknown}
    return {word: alternatives for word, alternatives in found.items() if alternatives}


def typo_keys(word: str) -> list[str]:
    """The keys under which words like this one are looked for."""
    shorter, longer = _LENGTHS
    parts = [word[:longer] if len(word) >= longer else word[:shorter]]
    if len(word) >= LONG:  # both mistakes may be among the first seven letters, hardly among the first five
        parts.append(word[:shorter])
    return list(
        dict.fromkeys(
            key for part in parts for key in (part, *(part[:n] + part[n + 1 :] for n in range(len(part))))
        )
    )


def likeliest(word: str, candidates: Iterable[str]) -> tuple[str, ...]:
    """The candidates close enough to be meant, the closest first: by mistakes, then by length."""
    allowed = 2 if len(word) >= LONG else 1
    judged = sorted(
        (mistakes, abs(len(candidate) - len(word)), candidate)
        for candidate in candidates
        if (mistakes := mistakes_in(word, candidate)) <= allowed
    )
    return tuple(candidate for _, _, candidate in judged[:ALTERNATIVES])


def mistakes_in(word: str, meant: str) -> int:
    """Letters wrong, missing, too many or swapped, if `word` was to be `meant` or the beginning of it."""
    width = min(len(meant), len(word) + 2) + 1
    before, row = [0] * width, list(range(width))
    for n, letter in enumerate(word, 1):
        older, before, row = before, row, [n, *[0] * (width - 1)]
        for m in range(1, width):
            same = letter == meant[m - 1]
            row[m] = min(before[m] + 1, row[m - 1] + 1, before[m - 1] + (not same))
            if n > 1 and m > 1 and letter == meant[m - 2] and word[n - 2] == meant[m - 1]:
                row[m] = min(row[m], older[m - 2] + 1)
    return min(row)
