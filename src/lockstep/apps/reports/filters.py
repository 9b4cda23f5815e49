"""What the Mailing List report is narrowed to (B5): plain values.

Inside one of them the values are alternatives, between them all must hold. An
id of 0 (a state or country of '') stands for “none given”.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

from lockstep.apps.accounts.permissions import Actor
from lockstep.apps.book.tallies import NO, YES, Clause
from lockstep.core.member import Reason, SyncState

STANDINGS: tuple[str, ...] = (
    Reason.FITS,
    *(state.value for state in SyncState),
    Reason.OUTSIDE,
    Reason.INACTIVE,
    Reason.NO_MARKETING,
    Reason.NO_EMAIL,
    Reason.INVALID_EMAIL,
    Reason.DUPLICATE,
)
"""How a contact may stand with the sync: that it fits, and how far it got; or why it is left out."""

EMAILS = ("valid", "invalid", "none")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportFilter:
    """Which contacts; the empty filter is everybody in the book."""

    status_ids: Sequence[int] = ()
    industry_ids: Sequence[int] = ()
    department_ids: Sequence[int] = ()
    rep_ids: Sequence[int] = ()
    client_tag_ids: Sequence[int] = ()
    client_tag_ids_all: Sequence[int] = ()
    client_tag_ids_none: Sequence[int] = ()
    contact_tag_ids: Sequence[int] = ()
    contact_tag_ids_all: Sequence[int] = ()
    contact_tag_ids_none: Sequence[int] = ()
    states: Sequence[str] = ()
    countries: Sequence[str] = ()
    active: bool | None = None
    no_marketing: bool | None = None
    """Of the contact itself; that another contact with its address is flagged is a matter of `standings`."""
    emails: Sequence[str] = ()
    """Of `EMAILS`."""
    standings: Sequence[str] = ()
    """Of `STANDINGS`."""
    search: str = ""
    set: str = ""
    """See `reports.sets`."""

    @property
    def is_empty(self) -> bool:
        return all(getattr(self, one.name) == one.default for one in fields(self))


_ANY = {
    "status_ids": "status",
    "industry_ids": "industry",
    "department_ids": "department",
    "rep_ids": "rep",
    "client_tag_ids": "client_tag",
    "contact_tag_ids": "tag",
    "states": "state",
    "countries": "country",
    "emails": "email",
}


def clauses_of(actor: Actor, wanted: ReportFilter) -> list[Clause]:
    """What the tallies can say of it (all but standings, search and set), and the actor's scope."""
    clauses = [Clause.of(kind, getattr(wanted, name)) for name, kind in _ANY.items() if getattr(wanted, name)]
    clauses += [Clause.of("client_tag", [tag]) for tag in wanted.client_tag_ids_all]
    clauses += [Clause.of("tag", [tag]) for tag in wanted.contact_tag_ids_all]
    if wanted.client_tag_ids_none:
        clauses.append(Clause.of("client_tag", wanted.client_tag_ids_none, exclude=True))
    if wanted.contact_tag_ids_none:
        clauses.append(Clause.of("tag", wanted.contact_tag_ids_none, exclude=True))
    if wanted.active is not None:
        clauses.append(Clause.of("active", [YES if wanted.active else NO]))
    if wanted.no_marketing is not None:
        clauses.append(Clause.of("no_marketing", [YES if wanted.no_marketing else NO]))
    if actor.own_clients_only:
        clauses.append(Clause.of("rep", [actor.user.pk if actor.user else None]))
    return clauses
