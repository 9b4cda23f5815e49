"""Nouns that read the book: scoped to what the actor may see, a constant number of queries each."""

from lockstep.apps.book.queries.audit import SUBJECTS, AuditFilter, audit_page, audit_rows
from lockstep.apps.book.queries.clients import CLIENT_SORTS, client_details, clients_in_full, clients_page
from lockstep.apps.book.queries.contacts import (
    CONTACT_SORTS,
    contact_details,
    contact_rows,
    contacts_in_full,
    contacts_page,
)
from lockstep.apps.book.queries.filters import (
    ClientFilter,
    ContactFilter,
    filtered_clients,
    filtered_contacts,
)
from lockstep.apps.book.queries.history import (
    FIELD_LABELS,
    history_page,
)
from lockstep.apps.book.queries.imports import first_refusals, recent_imports
from lockstep.apps.book.queries.lists import list_values, reps, reps_by_email, sidebar_counts, tags
from lockstep.apps.book.queries.paging import Page
from lockstep.apps.book.queries.rows import (
    Address,
    AuditRow,
    ChoiceRow,
    ClientDetails,
    ClientRow,
    ContactDetails,
    ContactRow,
    HistoryRow,
    Named,
    SidebarCounts,
)

__all__ = [
    "CLIENT_SORTS",
    "CONTACT_SORTS",
    "FIELD_LABELS",
    "SUBJECTS",
    "Address",
    "AuditFilter",
    "AuditRow",
    "ChoiceRow",
    "ClientDetails",
    "ClientFilter",
    "ClientRow",
    "ContactDetails",
    "ContactFilter",
    "ContactRow",
    "HistoryRow",
    "Named",
    "Page",
    "SidebarCounts",
    "audit_page",
    "audit_rows",
    "client_details",
    "clients_in_full",
    "clients_page",
    "contact_details",
    "contact_rows",
    "contacts_in_full",
    "contacts_page",
    "filtered_clients",
    "filtered_contacts",
    "first_refusals",
    "history_page",
    "list_values",
    "recent_imports",
    "reps",
    "reps_by_email",
    "sidebar_counts",
    "tags",
]
