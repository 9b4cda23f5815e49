"""What the columns of a client or contact hold, as JSON: what history keeps so that it can set a row back.

Ids stay ids, moments are ISO 8601. A client's addresses are one value: all of
them in order, the primary one first.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.db import connection

from lockstep.apps.book.models import Client, ClientAddress, Contact

Raw = dict[str, Any]

ADDRESS_PARTS = ("line1", "line2", "city", "state", "postal_code", "country")

COLUMNS: dict[str, tuple[str, ...]] = {
    "client": (
        "name",
        "account_number",
        "status_id",
        "industry_id",
        "rep_id",
        "tag_ids",
        "website",
        "phone",
        "notes",
        "active",
        "external_id",
        "deleted_at",
        "merged_into_id",
    ),
    "contact": (
        "client_id",
        "first_name",
        "last_name",
        "position",
        "email",
        "phone",
        "extension",
        "cell",
        "fax",
        "department_id",
        "tag_ids",
        "no_marketing",
        "no_marketing_reason",
        "no_marketing_at",
        "active",
        "external_id",
        *ADDRESS_PARTS,
        "deleted_at",
        "merged_into_id",
    ),
}

TABLES = {"client": "book_client", "contact": "book_contact"}

READABLE = {
    "status_id": "status",
    "industry_id": "industry",
    "rep_id": "rep",
    "department_id": "department",
    "client_id": "client",
    "tag_ids": "tags",
}
"""What history calls a column where it is not called the same."""


def raw_of(row: Client | Contact) -> Raw:
    """Every column that can be set back; addresses are not among them (`addresses_of`)."""
    kind = "client" if isinstance(row, Client) else "contact"
    values = {column: getattr(row, column) for column in COLUMNS[kind]}
    return {
        column: value.isoformat() if isinstance(value, datetime.datetime) else value
        for column, value in values.items()
    } | {"tag_ids": list(row.tag_ids)}


def addresses_of(client_ids: Iterable[int]) -> dict[int, list[dict[str, str]]]:
    """By client: its addresses, the primary one first; clients without any are left out."""
    found: dict[int, list[dict[str, str]]] = {}
    rows = ClientAddress.objects.filter(client_id__in=list(client_ids)).order_by("-is_primary", "id")
    for row in rows:
        found.setdefault(row.client_id, []).append(address_raw(row))
    return found


def address_raw(row: ClientAddress) -> dict[str, str]:
    return {part: getattr(row, part) for part in ("name", *ADDRESS_PARTS)}


def differing(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[Raw, Raw]:
    """What `new` holds otherwise than `old`: (before, after) of those columns."""
    columns = [column for column, value in new.items() if old.get(column) != value]
    return {column: old.get(column) for column in columns}, {column: new[column] for column in columns}


def json_of_differing(columns: Sequence[str], pick: str, other: str) -> str:
    """SQL for the JSON of those columns of `pick` in which it differs from `other`."""
    return " || ".join(
        f"CASE WHEN {pick}.{column} IS DISTINCT FROM {other}.{column}"
        f" THEN jsonb_build_object('{column}', {pick}.{column}) ELSE '{{}}'::jsonb END"
        for column in columns
    )


def write_raw(kind: str, rows: Mapping[int, Raw], *, now: datetime.datetime) -> None:
    """Set the given columns of the rows, in one statement; for services, which asked and checked before."""
    values = {pk: {c: v for c, v in row.items() if c != "addresses"} for pk, row in rows.items()}
    if values:
        columns = [column for column in COLUMNS[kind] if any(column in row for row in values.values())]
        assigned = ", ".join([*columns, "updated_at"])
        picked = ", ".join([*(f"p.{column}" for column in columns), "%s::timestamptz"])
        with connection.cursor() as cursor:
            cursor.execute(
                f"""
                UPDATE {TABLES[kind]} k SET ({assigned}) =
                    (SELECT {picked} FROM jsonb_populate_record(k, r.row) AS p)
                FROM unnest(%s::bigint[], %s::jsonb[]) AS r(id, row) WHERE k.id = r.id
                """,
                [now, list(values), [json.dumps(row) for row in values.values()]],
            )
    moved = {pk: row["addresses"] for pk, row in rows.items() if "addresses" in row}
    if kind == "client" and moved:
        write_addresses(moved)


def write_addresses(addresses: Mapping[int, Sequence[Mapping[str, str]]]) -> None:
    """Give each of the clients exactly these addresses, the first as the primary one; rows that fit stay."""
    companies = dict(Client.objects.filter(pk__in=list(addresses)).values_list("pk", "company_id"))
    held: dict[int, list[ClientAddress]] = {}
    for row in ClientAddress.objects.filter(client_id__in=list(addresses)).order_by("-is_primary", "id"):
        held.setdefault(row.client_id, []).append(row)
    made, changed, surplus = [], [], []
    for client_id, wanted in addresses.items():
        rows = held.get(client_id, [])
        surplus += [row.pk for row in rows[len(wanted) :]]
        for place, address in enumerate(wanted):
            parts = {part: address.get(part, "") for part in ("name", *ADDRESS_PARTS)}
            if place >= len(rows):
                made.append(
                    ClientAddress(
                        company_id=companies[client_id], client_id=client_id, is_primary=place == 0, **parts
                    )
                )
            elif address_raw(rows[place]) != parts:
                for part, text in parts.items():
                    setattr(rows[place], part, text)
                changed.append(rows[place])
    if surplus:
        ClientAddress.objects.filter(pk__in=surplus).delete()
    if changed:
        ClientAddress.objects.bulk_update(changed, ["name", *ADDRESS_PARTS])
    if made:
        ClientAddress.objects.bulk_create(made)
