"""Addresses that several contacts share, and which of them is synced (S3)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from lockstep.apps.book.models import Contact
from lockstep.apps.connections.preferences import Preferences
from lockstep.apps.sync.queries.reasons import read_reasons


@dataclass(frozen=True, slots=True)
class DuplicateContact:
    contact_id: int
    name: str
    client: str
    created_at: datetime
    synced: bool
    newest: bool


@dataclass(frozen=True, slots=True)
class DuplicateGroup:
    """One address and the contacts that would be synced if they did not share it; the synced one first."""

    email: str
    contacts: list[DuplicateContact]
    chosen: bool
    """A person chose; otherwise the newest is synced."""


def duplicates(
    company_id: int, preferences: Preferences, *, limit: int = 0
) -> tuple[int, list[DuplicateGroup], int]:
    """How many contacts are left out as duplicates, the first `limit` addresses (0: all), how many more."""
    claims = read_reasons(company_id, preferences).claims
    addresses = sorted(claims)
    shown = addresses[:limit] if limit else addresses
    rows = Contact.objects.filter(pk__in=[claim.contact_id for key in shown for claim in claims[key]])
    contacts = {contact.pk: contact for contact in rows.select_related("client")}
    groups = []
    for key in shown:
        listed = [
            DuplicateContact(
                claim.contact_id,
                contacts[claim.contact_id].full_name,
                contacts[claim.contact_id].client.name,
                contacts[claim.contact_id].created_at,
                claim.wins,
                claim.newest,
            )
            for claim in claims[key]
            if claim.contact_id in contacts
        ]
        groups.append(DuplicateGroup(key, listed, any(claim.chosen for claim in claims[key])))
    left_out = sum(len(rivals) - 1 for rivals in claims.values())
    return left_out, groups, len(addresses) - len(shown)
