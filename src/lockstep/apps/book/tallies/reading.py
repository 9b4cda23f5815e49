"""Reads sheets: the stored bits, corrected by whatever changed since they were made. Exact at all times."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Collection, Iterable, Sequence

from django.db import connection

from lockstep.apps.book.tallies.facts import CONTACT, read_facts
from lockstep.apps.book.tallies.sheets import BLOCK, EVERYONE, Clause, Facet, Sheet, lay_out

# One statement, so that the bits and the marks are of one moment.
_CHANGED = {
    CONTACT: """
        SELECT object_id AS id FROM book_tallymark WHERE company_id = %(company)s AND kind = 'contact'
        UNION SELECT ct.id FROM book_tallymark m JOIN book_contact ct ON ct.client_id = m.object_id
            WHERE m.company_id = %(company)s AND m.kind = 'client'
        UNION SELECT ct.id FROM book_tallymark m
            JOIN book_contact ct ON ct.company_id = m.company_id AND ct.email_key = m.key
            WHERE m.company_id = %(company)s AND m.kind = 'key'""",
    "client": """
        SELECT DISTINCT object_id AS id FROM book_tallymark
            WHERE company_id = %(company)s AND kind = 'client'""",
}
_READ = """
    WITH changed AS MATERIALIZED ({changed})
    SELECT '', '', id, 0, NULL FROM changed
    UNION ALL
    SELECT t.kind, t.value, t.block, t.number,
        CASE WHEN %(whole)s OR t.block IN (SELECT id / {block} FROM changed) THEN t.bits END
    FROM book_tally t WHERE t.company_id = %(company)s AND t.subject = %(subject)s AND {which}
"""


def changed_ids_sql(subject: str) -> str:
    """The ids that the company's marks speak of."""
    return _CHANGED[subject]


def read_sheet(
    company_id: int, subject: str, facets: Iterable[Facet] = (), kinds: Collection[str] = ()
) -> Sheet:
    """The sheet of these facets and of all values of these kinds; without bits, of the book as it is."""
    wanted = {EVERYONE, *facets}
    rows, changed = _read(company_id, subject, wanted, kinds, whole=True)
    if not rows:
        loose = dict(read_facts(company_id, subject))
        return lay_out((), {}, loose, ())
    stored: dict[Facet, dict[int, bytes]] = {}
    for kind, value, block, _, bits in rows:
        assert bits is not None
        stored.setdefault((kind, value), {})[block] = zlib.decompress(bits)
    loose = dict(read_facts(company_id, subject, ids=changed)) if changed else {}
    blocks = sorted(stored.get(EVERYONE, ()))
    asked = {
        object_id: [facet for facet in facets if facet in wanted or facet[0] in kinds]
        for object_id, facets in loose.items()
    }
    return lay_out(blocks, stored, asked, changed)


def numbers_of(
    company_id: int, subject: str, kinds: Collection[str], within: Sequence[Clause] = ()
) -> Counter[Facet] | None:
    """How many have each value of these kinds (and how many there are: `EVERYONE`), two queries at most.

    `within`: counted among those only for whom these hold. None for a book
    without bits, which is small and quickly counted as it is.
    """
    if within:
        sheet = read_sheet(company_id, subject, [facet for one in within for facet in one.facets], kinds)
        if not sheet.blocks:
            return None
        among = sheet.fitting(within)
        found = Counter({EVERYONE: among.bit_count()})
        for facet, bits in sheet.bits.items():
            if facet[0] in kinds:
                found[facet] = (bits & among).bit_count()
        return found
    rows, changed = _read(company_id, subject, {EVERYONE}, kinds, whole=False)
    if not rows:
        return None
    found = Counter()
    stored: dict[Facet, dict[int, bytes]] = {}
    for kind, value, block, number, bits in rows:
        if bits is None:
            found[kind, value] += number
        else:
            stored.setdefault((kind, value), {})[block] = zlib.decompress(bits)
    if not changed:
        return found
    loose = dict(read_facts(company_id, subject, ids=changed))
    sheet = lay_out(sorted({id_ // BLOCK for id_ in changed}), stored, loose, changed)
    for facet, bits in sheet.bits.items():
        if facet == EVERYONE or facet[0] in kinds:
            found[facet] += bits.bit_count()
    return found


def _read(
    company_id: int, subject: str, facets: Collection[Facet], kinds: Collection[str], *, whole: bool
) -> tuple[list[tuple[str, str, int, int, bytes | None]], list[int]]:
    """(kind, value, block, number, bits) of what is stored, and the ids that it no longer holds for."""
    which = """(t.kind = ANY(%(kinds)s::text[])
        OR (t.kind, t.value) IN (SELECT * FROM unnest(%(of)s::text[], %(values)s::text[])))"""
    with connection.cursor() as cursor:
        cursor.execute(
            _READ.format(changed=_CHANGED[subject], block=BLOCK, which=which),
            {
                "company": company_id,
                "subject": subject,
                "whole": whole,
                "kinds": list(kinds),
                "of": [kind for kind, _ in facets],
                "values": [value for _, value in facets],
            },
        )
        found = cursor.fetchall()
    return [row for row in found if row[0]], [row[2] for row in found if not row[0]]
