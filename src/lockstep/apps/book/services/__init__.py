"""Verbs that write the book. Each asks the actor's permission, owns its transaction, and records history."""

from lockstep.apps.book.services.bulk import (
    BulkEdit,
    EditPreview,
    Undone,
    advance_bulk,
    preview_bulk_edit,
    start_bulk_edit,
    start_undo,
    undo_entry,
)
from lockstep.apps.book.services.clients import (
    AddressValues,
    ClientValues,
    delete_client,
    restore_client,
    save_client,
    set_client_active,
)
from lockstep.apps.book.services.contacts import (
    ContactValues,
    delete_contact,
    email_is_valid,
    restore_contact,
    save_contact,
    set_contact_active,
    set_no_marketing,
)
from lockstep.apps.book.services.exports import contacts_csv, contacts_xlsx
from lockstep.apps.book.services.list_values import (
    add_list_value,
    add_starting_values,
    merge_list_values,
    rename_list_value,
    reorder_list_values,
    retire_list_value,
)
from lockstep.apps.book.services.merging import merge_clients, merge_contacts
from lockstep.apps.book.services.no_marketing import flag_no_marketing
from lockstep.apps.book.services.tags import add_tag, delete_tag, ensure_tags, merge_tags, rename_tag
from lockstep.apps.book.services.upserts import Upserted, upsert_client, upsert_contact

__all__ = [
    "AddressValues",
    "BulkEdit",
    "ClientValues",
    "ContactValues",
    "EditPreview",
    "Undone",
    "Upserted",
    "add_list_value",
    "add_starting_values",
    "add_tag",
    "advance_bulk",
    "contacts_csv",
    "contacts_xlsx",
    "delete_client",
    "delete_contact",
    "delete_tag",
    "email_is_valid",
    "ensure_tags",
    "flag_no_marketing",
    "merge_clients",
    "merge_contacts",
    "merge_list_values",
    "merge_tags",
    "preview_bulk_edit",
    "rename_list_value",
    "rename_tag",
    "reorder_list_values",
    "restore_client",
    "restore_contact",
    "retire_list_value",
    "save_client",
    "save_contact",
    "set_client_active",
    "set_contact_active",
    "set_no_marketing",
    "start_bulk_edit",
    "start_undo",
    "undo_entry",
    "upsert_client",
    "upsert_contact",
]
