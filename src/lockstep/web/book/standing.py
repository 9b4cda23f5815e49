"""How the contacts of a page stand with Mailchimp, for the marks beside their names.

Where no sync is on, the book alone already knows why somebody would be left
out; that is shown then, and nothing is claimed of the others.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from lockstep.core.member import Reason

__all__ = ["Judged", "book_reason", "standings"]


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
    """Why the contact would be left out of any sync, by the order in `Reason`; '' where the book sees none."""
    if not contact.active:
        return Reason.INACTIVE
    if contact.no_marketing:
        return Reason.NO_MARKETING
    if not contact.email.strip():
        return Reason.NO_EMAIL
    if not contact.email_valid:
        return Reason.INVALID_EMAIL
    return ""


def standings(contacts: Iterable[Judged]) -> dict[int, str]:
    """A state's key (see `web.states`) or '' by contact id. No Marketing is shown whatever else holds."""
    return {
        contact.id: Reason.NO_MARKETING if contact.no_marketing else book_reason(contact)
        for contact in contacts
    }
