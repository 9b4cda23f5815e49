"""Makes the bits: of blocks in which something changed, or of a whole book that has none yet."""

from __future__ import annotations

import zlib
from datetime import datetime, timedelta

from django.db import connection, transaction
from django.db.models import Count, Min

from lockstep.apps.book.models import Client, Contact
from lockstep.apps.book.tallies.facts import CLIENT, CONTACT, read_facts
from lockstep.apps.book.tallies.models import Tally, TallyMark
from lockstep.apps.book.tallies.reading import changed_ids_sql
from lockstep.apps.book.tallies.sheets import BLOCK, BLOCK_BYTES, gather

SMALLEST = 2_000
"""A book with fewer contacts is quick to read as it is; it has no bits."""

ENOUGH_MARKS = 500
LONG_MARKED = timedelta(minutes=10)

_MODELS = {CONTACT: Contact, CLIENT: Client}


def companies_to_tally(now: datetime) -> list[int]:
    """Companies whose bits are worth making anew: much changed, or something long ago."""
    marked = TallyMark.objects.values("company_id").annotate(number=Count("id"), oldest=Min("marked_at"))
    return [
        row["company_id"]
        for row in marked
        if row["number"] >= ENOUGH_MARKS or row["oldest"] < now - LONG_MARKED
    ]


@transaction.atomic
def make_tallies(company_id: int, *, smallest: int = SMALLEST) -> int:
    """Make the bits of whatever was marked; returns how many blocks were made.

    Safe at any time and in several processes: the marks are read before the
    book, so that what changes meanwhile stays marked, and who comes while
    another is at work leaves it alone. A book of fewer contacts than `smallest`
    loses its bits and marks.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_try_advisory_xact_lock(hashtext('lockstep tallies'), %s)", [company_id % 2**31]
        )
        [mine] = cursor.fetchone()
        if not mine:
            return 0
        cursor.execute("SELECT id FROM book_tallymark WHERE company_id = %s", [company_id])
        marks = [pk for (pk,) in cursor.fetchall()]
    made = 0
    if Contact.objects.filter(company_id=company_id, deleted_at=None)[:smallest].count() < smallest:
        Tally.objects.filter(company_id=company_id).delete()
    else:
        for subject in (CONTACT, CLIENT):
            blocks = _blocks(company_id, subject)
            for block in blocks:
                _make_block(company_id, subject, block)
            made += len(blocks)
    TallyMark.objects.filter(pk__in=marks).delete() if len(marks) < 30_000 else _forget(company_id, marks)
    return made


def _forget(company_id: int, marks: list[int]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM book_tallymark m USING unnest(%s::bigint[]) AS taken(id)"
            " WHERE m.id = taken.id AND m.company_id = %s",
            [marks, company_id],
        )


def _blocks(company_id: int, subject: str) -> list[int]:
    """Where something is marked; all, where nothing was made yet."""
    table = _MODELS[subject]._meta.db_table
    with connection.cursor() as cursor:
        if Tally.objects.filter(company_id=company_id, subject=subject).exists():
            source = f"({changed_ids_sql(subject)}) touched"
        else:
            source = f"{table} WHERE company_id = %(company)s"
        cursor.execute(f"SELECT DISTINCT id / {BLOCK} FROM {source} ORDER BY 1", {"company": company_id})
        return [block for (block,) in cursor.fetchall()]


def _make_block(company_id: int, subject: str, block: int) -> None:
    objects = ((pk % BLOCK, facets) for pk, facets in read_facts(company_id, subject, block=block))
    wanted = gather(objects, BLOCK_BYTES)
    there = Tally.objects.filter(company_id=company_id, subject=subject, block=block)
    gone = []
    same = set()
    for tally in there:
        bits = wanted.get((tally.kind, tally.value))
        if bits is not None and zlib.decompress(tally.bits) == bits:
            same.add((tally.kind, tally.value))
        else:
            gone.append(tally.pk)
    there.filter(pk__in=gone).delete()
    Tally.objects.bulk_create(
        Tally(
            company_id=company_id,
            subject=subject,
            kind=kind,
            value=value,
            block=block,
            number=int.from_bytes(bits, "little").bit_count(),
            bits=zlib.compress(bits, 1),
        )
        for (kind, value), bits in wanted.items()
        if (kind, value) not in same
    )
