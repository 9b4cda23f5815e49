"""The columns that the clients and the contacts list can show beside the name."""

from __future__ import annotations

from collections.abc import Mapping

CLIENT_COLUMNS: Mapping[str, str] = {
    "status": "Status",
    "industry": "Industry",
    "rep": "Rep",
    "main_contact": "Main contact",
    "mailchimp": "In Mailchimp",
    "flags": "Flags",
    "changed": "Changed",
    "account": "Account number",
    "place": "Place",
    "tags": "Tags",
    "contacts": "Contacts",
    "created": "Added",
}
USUAL_OF_CLIENTS = ("status", "industry", "rep", "main_contact", "mailchimp", "flags", "changed")

CONTACT_COLUMNS: Mapping[str, str] = {
    "client": "Client",
    "email": "E-mail",
    "phone": "Phone",
    "tags": "Tags",
    "marketing": "Marketing",
    "position": "Position",
    "department": "Department",
    "cell": "Cell",
    "created": "Added",
    "changed": "Changed",
}
USUAL_OF_CONTACTS = ("client", "email", "phone", "tags", "marketing")
