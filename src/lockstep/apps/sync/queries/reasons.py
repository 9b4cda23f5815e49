"""Every contact's reason at once, in bits: the same answer as `eligibility.reason_sql`, in milliseconds.

`reason_sql` says what counts; a test holds the two together on random books.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from django.db import connection as database

from lockstep.apps.book.tallies import CONTACT, NO, YES, Clause, Facet, Sheet, read_sheet
from lockstep.apps.connections.preferences import Preferences
from lockstep.apps.connections.queries.picks import TALLIED
from lockstep.core.member import Reason

_NEEDED: tuple[Facet, ...] = (
    ("active", NO),
    ("client_active", NO),
    ("flagged", YES),
    ("email", "none"),
    ("email", "invalid"),
    ("shared", YES),
)


@dataclass(frozen=True, slots=True)
class Claim:
    """A contact that would be synced if nobody shared its address."""

    contact_id: int
    key: str
    chosen: bool
    newest: bool
    wins: bool


@dataclass(frozen=True, slots=True)
class Reasons:
    """The contacts of the book by reason, as places on a sheet. Each contact has exactly one."""

    sheet: Sheet
    bits: dict[Reason, int]
    claims: dict[str, list[Claim]]
    """By address, where there is more than one; who is synced first, then the newer before the older."""

    def counts(self, among: int | None = None) -> dict[Reason, int]:
        """How many of each reason (those with none of them not at all), of everyone or of these places."""
        counted = {
            reason: (bits if among is None else bits & among).bit_count()
            for reason, bits in self.bits.items()
        }
        return {reason: number for reason, number in counted.items() if number}


def clauses_of(preferences: Preferences) -> list[Clause]:
    """The filters of a connection: OR inside a kind, AND between kinds."""
    return [
        Clause.of(kind, getattr(preferences, name))
        for name, kind in TALLIED.items()
        if getattr(preferences, name)
    ]


def read_reasons(
    company_id: int,
    preferences: Preferences,
    *,
    facets: Iterable[Facet] = (),
    kinds: Collection[str] = (),
) -> Reasons:
    """Why each contact is in the sync or left out under these filters, saved or not.

    `facets` and `kinds` are read onto the same sheet, for whoever narrows it.
    """
    clauses = clauses_of(preferences)
    wanted = {*_NEEDED, *(facet for clause in clauses for facet in clause.facets), *facets}
    sheet = read_sheet(company_id, CONTACT, wanted, kinds)
    left = sheet.everyone
    bits: dict[Reason, int] = {}

    def take(reason: Reason, those: int) -> None:
        nonlocal left
        bits[reason] = left & those
        left &= ~those

    take(Reason.OUTSIDE, sheet.everyone & ~sheet.fitting(clauses))
    take(Reason.INACTIVE, sheet.having("active", [NO]) | sheet.having("client_active", [NO]))
    take(Reason.NO_MARKETING, sheet.having("flagged", [YES]))
    take(Reason.NO_EMAIL, sheet.having("email", ["none"]))
    take(Reason.INVALID_EMAIL, sheet.having("email", ["invalid"]))
    claims = _claims(company_id, sheet.ids(left & sheet.having("shared", [YES])))
    losers = [claim.contact_id for rivals in claims.values() for claim in rivals if not claim.wins]
    take(Reason.DUPLICATE, sheet.chosen(losers))
    bits[Reason.FITS] = left
    return Reasons(sheet, bits, claims)


def _claims(company_id: int, ids: list[int]) -> dict[str, list[Claim]]:
    if not ids:
        return {}
    with database.cursor() as cursor:
        cursor.execute(
            """SELECT ct.id, ct.email_key, ct.created_at, choice.contact_id IS NOT NULL
               FROM unnest(%(ids)s::bigint[]) AS wanted(id) JOIN book_contact ct USING (id)
               LEFT JOIN sync_duplicatechoice choice ON choice.company_id = %(company)s
                   AND choice.email_key = ct.email_key AND choice.contact_id = ct.id""",
            {"company": company_id, "ids": ids},
        )
        rows = cursor.fetchall()
    by_key: dict[str, list[tuple[bool, object, int]]] = {}
    for pk, key, created, chosen in rows:
        by_key.setdefault(key, []).append((chosen, created, pk))
    found = {}
    for key, rivals in by_key.items():
        if len(rivals) < 2:
            continue
        newest = max((created, pk) for _, created, pk in rivals)  # type: ignore[type-var]  -- moments
        ranked = sorted(rivals, key=lambda rival: rival, reverse=True)  # type: ignore[arg-type,return-value]
        found[key] = [
            Claim(pk, key, chosen, (created, pk) == newest, place == 0)
            for place, (chosen, created, pk) in enumerate(ranked)
        ]
    return found
