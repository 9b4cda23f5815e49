"""Who fits, and why not: one SQL expression that every count, page and plan shares (S1, B5, P4).

A contact has the first reason that holds, in the order of `core.member.Reason`.
Two rules deserve words:

- *No Marketing* is a matter of the address: when any contact that is not
  deleted is flagged, no other contact with the same address is sent either.
  Otherwise flagging one of two duplicates would only move the mail to the
  other (promise P1).
- *Duplicate*: among the contacts that share an address and have no other
  reason against them, the chosen one wins, else the most recently created.
"""

from __future__ import annotations

from typing import Any

from lockstep.apps.connections.preferences import KINDS, NONE_GIVEN, Preferences

_COLUMNS = {
    "status_ids": "{client}.status_id",
    "industry_ids": "{client}.industry_id",
    "department_ids": "{contact}.department_id",
    "client_tag_ids": "{client}.tag_ids",
    "contact_tag_ids": "{contact}.tag_ids",
}


def parameters(company_id: int, preferences: Preferences) -> dict[str, Any]:
    """What `reason_sql` and `passes_sql` refer to, for psycopg's named parameters."""
    return {"company": company_id, **{kind: list(getattr(preferences, kind)) for kind in KINDS}}


def filters_sql(preferences: Preferences, *, contact: str, client: str) -> str:
    """Whether a contact passes the filters: OR inside a kind, AND between kinds."""
    conditions = []
    for kind in KINDS:
        ids = getattr(preferences, kind)
        if not ids:
            continue
        column = _COLUMNS[kind].format(client=client, contact=contact)
        if kind.endswith("tag_ids"):
            test = f"{column} && %({kind})s::bigint[]"
            if NONE_GIVEN in ids:
                test = f"({test} OR {column} = '{{}}')"
        else:
            test = f"{column} = ANY(%({kind})s::bigint[])"
            # IS TRUE: against a missing status the comparison is unknown, and NOT unknown would let it pass.
            test = f"({test} OR {column} IS NULL)" if NONE_GIVEN in ids else f"({test}) IS TRUE"
        conditions.append(test)
    return " AND ".join(conditions) or "TRUE"


def _flagged(contact: str) -> str:
    """Whether the contact or another with its address is flagged No Marketing."""
    return f"""({contact}.no_marketing OR ({contact}.email_key <> '' AND EXISTS (
        SELECT FROM book_contact flagged
        WHERE flagged.company_id = %(company)s AND flagged.email_key = {contact}.email_key
          AND flagged.no_marketing AND flagged.deleted_at IS NULL)))"""


def reason_sql(preferences: Preferences, *, contact: str = "ct", client: str = "cl") -> str:
    """SQL for the contact's `Reason`, given aliases of book_contact and its book_client."""
    better = f"""EXISTS (
        SELECT FROM book_contact other JOIN book_client other_client ON other_client.id = other.client_id
        WHERE other.company_id = %(company)s AND other.email_key = {contact}.email_key
          AND other.id <> {contact}.id
          AND other.deleted_at IS NULL AND other_client.deleted_at IS NULL
          AND other.active AND other_client.active
          AND {filters_sql(preferences, contact="other", client="other_client")}
          AND ({_rank("other")}) > ({_rank(contact)}))"""
    return f"""CASE
        WHEN {contact}.deleted_at IS NOT NULL OR {client}.deleted_at IS NOT NULL THEN 'deleted'
        WHEN NOT ({filters_sql(preferences, contact=contact, client=client)}) THEN 'outside'
        WHEN NOT ({contact}.active AND {client}.active) THEN 'inactive'
        WHEN {_flagged(contact)} THEN 'no_marketing'
        WHEN {contact}.email_key = '' THEN 'no_email'
        WHEN NOT {contact}.email_valid THEN 'invalid_email'
        WHEN {better} THEN 'duplicate'
        ELSE 'fits' END"""


def _rank(contact: str) -> str:
    """A choice of somebody who was merged into another contact is a choice of that one."""
    chosen = f"""EXISTS (SELECT FROM sync_duplicatechoice choice
        LEFT JOIN book_contact gone ON gone.id = choice.contact_id AND gone.merged_into_id = {contact}.id
        WHERE choice.company_id = %(company)s AND choice.email_key = {contact}.email_key
          AND (choice.contact_id = {contact}.id OR gone.id IS NOT NULL))"""
    return f"{chosen}, {contact}.created_at, {contact}.id"
