"""How the contacts of a page stand with Mailchimp, for the marks beside their names.

Where no sync is on, the book alone already knows why somebody would be left
out; that is shown then, and nothing is claimed of the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from lockstep.apps.accounts.permissions import Actor
from lockstep.apps.book.queries import ClientDetails, ClientRow
from lockstep.apps.sync.queries import client_figures, marks_of
from lockstep.apps.sync.queries.contacts import ContactMark
from lockstep.core.member import Reason, SyncState
from lockstep.web.states import STATES, look_of
from lockstep.web.wording import number, plural

__all__ = ["Figures", "Judged", "book_reason", "figures_of", "main_marks", "standings"]


class Judged(Protocol):
    """What is looked at of a contact."""

    @property
    def id(self) -> int: ...
    @property
    def email(self) -> str: ...
    @property
    def email_valid(self) -> bool: ...
    @property
    def no_marketing(self) -> bool: ...
    @property
    def active(self) -> bool: ...


def book_reason(contact: Judged) -> str:
    """Why any sync would leave the contact out, by the order in `Reason`; '' where the book sees nothing."""
    if not contact.active:
        return Reason.INACTIVE
    if contact.no_marketing:
        return Reason.NO_MARKETING
    if not contact.email.strip():
        return Reason.NO_EMAIL
    if not contact.email_valid:
        return Reason.INVALID_EMAIL
    return ""


def standings(actor: Actor, contacts: Sequence[Judged]) -> dict[int, str]:
    """A state's key (see `web.states`) or '' by contact id; one query.

    No Marketing is shown whatever else holds.
    """
    marks = marks_of(actor.company.pk, [contact.id for contact in contacts]) if contacts else {}
    return {contact.id: _standing(contact, marks.get(contact.id)) for contact in contacts}


def _standing(contact: Judged, mark: ContactMark | None) -> str:
    if contact.no_marketing:
        return Reason.NO_MARKETING
    if mark is None:
        return book_reason(contact)
    return _mark_key(mark)


def _mark_key(mark: ContactMark) -> str:
    if mark.state is not None:
        return mark.state
    return SyncState.PENDING if mark.reason in (None, Reason.FITS) else mark.reason


def main_marks(actor: Actor, clients: Sequence[ClientRow]) -> dict[int, str]:
    """The same for the main contacts of a page of clients, by contact id; one query."""
    ids = [client.main_contact.id for client in clients if client.main_contact]
    found = marks_of(actor.company.pk, ids) if ids else {}
    return {contact_id: _mark_key(mark) for contact_id, mark in found.items()}


@dataclass(frozen=True, slots=True)
class Figures:
    """How a client's contacts stand: counts by state's key, in the order in which states are shown."""

    counts: dict[str, int]
    contacts: int

    @property
    def synced(self) -> int:
        return self.counts.get(SyncState.SYNCED, 0)

    @property
    def failed(self) -> int:
        return self.counts.get(SyncState.FAILED, 0)

    @property
    def failed_label(self) -> str:
        return f"{number(self.failed)} failed to sync"

    @property
    def by_kind(self) -> list[tuple[str, int]]:
        order = [kind for kind in STATES if self.counts.get(kind)]
        return [(kind, self.counts[kind]) for kind in order]

    @property
    def parts(self) -> list[tuple[str, int]]:
        """For the bar: every contact is in one part, those not looked at yet in the rest."""
        parts = [(look_of(kind).tone, count) for kind, count in self.by_kind]
        return [*parts, ("rest", max(0, self.contacts - sum(count for _, count in parts)))]

    @property
    def label(self) -> str:
        return f"{number(self.synced)} of {plural(self.contacts, 'contact')} are in Mailchimp"

    @property
    def label_by_kind(self) -> str:
        return ", ".join(f"{number(count)} {look_of(kind).word.lower()}" for kind, count in self.by_kind)


def figures_of(actor: Actor, clients: Sequence[ClientRow | ClientDetails]) -> dict[int, Figures]:
    """By client id; empty while no sync is on. Two queries."""
    sizes = {client.id: client.contacts for client in clients}
    found = client_figures(actor.company.pk, list(sizes)) if sizes else {}
    pending = SyncState.PENDING.value
    figures = {}
    for client_id, counts in found.items():
        counts = dict(counts)
        if Reason.FITS in counts:  # fits, and was not planned yet
            counts[pending] = counts.get(pending, 0) + counts.pop(Reason.FITS)
        figures[client_id] = Figures(counts, sizes[client_id])
    return figures
