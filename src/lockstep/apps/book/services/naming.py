"""What columns hold (see `services.raw`), as people read it: names instead of ids."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lockstep.apps.accounts.models import User
from lockstep.apps.book.models import Client, ListValue
from lockstep.apps.book.services.choices import named_tags
from lockstep.apps.book.services.history import Readable, readable
from lockstep.apps.book.services.raw import ADDRESS_PARTS


def readable_values(company_id: int, values: Mapping[str, Any]) -> dict[str, Readable]:
    """The same columns, as people read them; a query for each kind of id."""
    return {column: _readable(company_id, column, value) for column, value in values.items()}


def address_in_a_line(address: Mapping[str, str]) -> str:
    """“Warehouse: 1 Main Street, Boulder”."""
    text = ", ".join(address[part] for part in ADDRESS_PARTS if address[part])
    return f"{address['name']}: {text}" if address.get("name") else text


def _readable(company_id: int, column: str, value: Any) -> Readable:
    if column == "tag_ids":
        return readable(named_tags(company_id, value))
    if column == "addresses":
        return "; ".join(address_in_a_line(address) for address in value)
    if value is None or not column.endswith("_id") or column == "external_id":
        return readable(value)
    if column == "rep_id":
        rep = User.objects.filter(pk=value).first()
        return rep.full_name if rep else ""
    if column in {"client_id", "merged_into_id"}:
        named = Client.objects.filter(company_id=company_id, pk=value).first()
    else:
        named = ListValue.objects.filter(company_id=company_id, pk=value).first()  # type: ignore[assignment]
    return named.name if named else ""
