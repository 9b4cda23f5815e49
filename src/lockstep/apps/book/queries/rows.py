"""What lists and pages show of the book: frozen values, ready for templates and the API."""

from __future__ import annotations

import datetime
from dataclasses import dataclass

from lockstep.apps.accounts.permissions import Permission


@dataclass(frozen=True, slots=True)
class Named:
    """Something one can choose or link to; `glyph` is how a client status is drawn."""

    id: int
    name: str
    glyph: str = ""


@dataclass(frozen=True, slots=True)
class Address:
    line1: str = ""
    line2: str = ""
    city: str = ""
    state: str = ""
    postal_code: str = ""
    country: str = ""
    name: str = ""
    """What a client calls it: “Warehouse”."""

    def __bool__(self) -> bool:
        return any((self.line1, self.line2, self.city, self.state, self.postal_code, self.country))

    @property
    def lines(self) -> tuple[str, ...]:
        """As written on an envelope, without empty lines."""
        region = " ".join(part for part in (self.state, self.postal_code) if part)
        town = ", ".join(part for part in (self.city, region) if part)
        return tuple(line for line in (self.line1, self.line2, town, self.country) if line)

    @property
    def place(self) -> str:
        """“Boulder, Colorado”."""
        return ", ".join(part for part in (self.city, self.state) if part)


@dataclass(frozen=True, slots=True)
class ClientRow:
    """A line of the clients list."""

    id: int
    name: str
    account_number: str
    place: str
    status: Named | None
    industry: Named | None
    rep: Named | None
    tags: tuple[Named, ...]
    active: bool
    deleted_at: datetime.datetime | None
    contacts: int
    """Not deleted."""
    no_marketing: int
    """Of those contacts."""
    main_contact: Named | None
    """The first active one with an e-mail address, else the first."""
    created_at: datetime.datetime
    updated_at: datetime.datetime


@dataclass(frozen=True, slots=True)
class ContactRow:
    """A line of a contacts list."""

    id: int
    name: str
    """“First Last”, else the e-mail address."""
    first_name: str
    last_name: str
    position: str
    email: str
    email_valid: bool
    phone: str
    extension: str
    cell: str
    department: Named | None
    tags: tuple[Named, ...]
    client: Named
    no_marketing: bool
    active: bool
    deleted_at: datetime.datetime | None
    created_at: datetime.datetime
    updated_at: datetime.datetime


@dataclass(frozen=True, slots=True)
class ClientDetails:
    """Everything the client page shows of the book, contacts apart."""

    id: int
    name: str
    account_number: str
    status: Named | None
    industry: Named | None
    rep: Named | None
    rep_email: str
    tags: tuple[Named, ...]
    website: str
    website_link: str
    """`website` as an http(s) address to follow; '' where it can't be one."""
    phone: str
    notes: str
    address: Address
    """The primary one."""
    more_addresses: tuple[Address, ...]
    active: bool
    external_id: str
    contacts: int
    no_marketing: int
    created_at: datetime.datetime
    updated_at: datetime.datetime
    deleted_at: datetime.datetime | None
    merged_into_id: int | None


@dataclass(frozen=True, slots=True)
class ContactDetails:
    """Everything the contact page shows of the book."""

    id: int
    name: str
    first_name: str
    last_name: str
    position: str
    email: str
    email_valid: bool
    phone: str
    extension: str
    cell: str
    fax: str
    department: Named | None
    tags: tuple[Named, ...]
    client: Named
    client_external_id: str
    client_status: Named | None
    client_deleted: bool
    rep: Named | None
    own_address: Address
    client_address: Address
    no_marketing: bool
    no_marketing_reason: str
    no_marketing_at: datetime.datetime | None
    active: bool
    external_id: str
    created_at: datetime.datetime
    updated_at: datetime.datetime
    deleted_at: datetime.datetime | None
    merged_into_id: int | None

    @property
    def address(self) -> Address:
        """The own one as soon as any part of it is filled in, else the client's."""
        return self.own_address or self.client_address


@dataclass(frozen=True, slots=True)
class ChoiceRow:
    """A list value or tag with how many clients or contacts have it."""

    id: int
    name: str
    glyph: str
    count: int
    retired: bool = False


@dataclass(frozen=True, slots=True)
class SidebarCounts:
    clients: int
    contacts: int


@dataclass(frozen=True, slots=True)
class HistoryRow:
    id: int
    at: datetime.datetime
    who: str
    action: str
    """“created”, “changed”, “deleted”, “restored”, …"""
    changes: tuple[tuple[str, str, str], ...]
    """(what, old, new), as people read them; what is the label of the field."""
    undoable: Permission | None = None
    """What it takes to undo it; None where it can't be undone."""
    undone_at: datetime.datetime | None = None
    bulk_id: int | None = None
    """The bulk change that it is a part of."""
    is_merge: bool = False
    """Undone only as a whole."""


@dataclass(frozen=True, slots=True)
class AuditRow:
    """A line of the audit log: `subject` says what kind of thing, `label` which one."""

    at: datetime.datetime
    who: str
    subject: str
    label: str
    action: str
    changes: tuple[tuple[str, str, str], ...]
    """(what, old, new), as people read them."""
