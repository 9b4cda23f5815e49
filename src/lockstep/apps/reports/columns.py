"""The columns that a report may show and write into a file, in the order in which they are offered."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from lockstep.apps.book.models import ClientAddress, Contact
from lockstep.core.member import Reason


@dataclass(frozen=True, slots=True)
class Line:
    """One contact of the report with what its columns are made of."""

    contact: Contact
    address: ClientAddress | None
    """The client's primary one."""
    standing: str
    """Of `filters.STANDINGS`."""
    department: str
    status: str
    industry: str
    rep: str
    client_tags: tuple[str, ...]
    contact_tags: tuple[str, ...]

    def place(self, part: str) -> str:
        """A part of the contact's own address where any part of it is filled in, else of the client's."""
        own = self.contact
        if any((own.line1, own.line2, own.city, own.state, own.postal_code, own.country)):
            return str(getattr(own, part))
        return str(getattr(self.address, part)) if self.address else ""


@dataclass(frozen=True, slots=True)
class Column:
    key: str
    label: str
    text: Callable[[Line], str]


STANDING_WORDS = {
    "synced": "Synced",
    "pending": "Pending",
    "failed": "Failed",
    "archived": "Archived in Mailchimp",
    "unsubscribed": "Unsubscribed",
    Reason.FITS.value: "Will sync",
    Reason.OUTSIDE.value: "Left out: outside the filters of the sync",
    Reason.INACTIVE.value: "Left out: inactive",
    Reason.NO_MARKETING.value: "Left out: No Marketing",
    Reason.NO_EMAIL.value: "Left out: no e-mail",
    Reason.INVALID_EMAIL.value: "Left out: invalid e-mail",
    Reason.DUPLICATE.value: "Left out: duplicate",
}


def _yes(value: bool) -> str:
    return "yes" if value else "no"


COLUMNS: dict[str, Column] = {
    column.key: column
    for column in (
        Column("name", "Name", lambda line: line.contact.full_name or line.contact.email),
        Column("client", "Client", lambda line: line.contact.client.name),
        Column("email", "E-mail", lambda line: line.contact.email),
        Column("department", "Department", lambda line: line.department),
        Column("state", "State", lambda line: line.place("state")),
        Column("industry", "Industry", lambda line: line.industry),
        Column("sync", "Sync", lambda line: STANDING_WORDS[line.standing]),
        Column("first_name", "First name", lambda line: line.contact.first_name),
        Column("last_name", "Last name", lambda line: line.contact.last_name),
        Column("position", "Position", lambda line: line.contact.position),
        Column("phone", "Phone", lambda line: line.contact.phone),
        Column("extension", "Extension", lambda line: line.contact.extension),
        Column("cell", "Cell", lambda line: line.contact.cell),
        Column("status", "Client status", lambda line: line.status),
        Column("rep", "Rep", lambda line: line.rep),
        Column("client_tags", "Client tags", lambda line: ", ".join(line.client_tags)),
        Column("contact_tags", "Contact tags", lambda line: ", ".join(line.contact_tags)),
        Column("city", "City", lambda line: line.place("city")),
        Column("postal_code", "Postal code", lambda line: line.place("postal_code")),
        Column("country", "Country", lambda line: line.place("country")),
        Column("account_number", "Account number", lambda line: line.contact.client.account_number),
        Column("no_marketing", "No Marketing", lambda line: _yes(line.contact.no_marketing)),
        Column("active", "Active", lambda line: _yes(line.contact.active)),
        Column("created", "Added on", lambda line: f"{line.contact.created_at:%Y-%m-%d}"),
        Column("changed", "Changed on", lambda line: f"{line.contact.updated_at:%Y-%m-%d}"),
    )
}

USUAL = ("name", "client", "email", "department", "state", "industry", "sync")


def columns_of(keys: Iterable[str]) -> list[Column]:
    """The columns in the order asked for, unknown ones left out; with none left, the usual ones."""
    known = [COLUMNS[key] for key in dict.fromkeys(keys) if key in COLUMNS]
    return known or [COLUMNS[key] for key in USUAL]
