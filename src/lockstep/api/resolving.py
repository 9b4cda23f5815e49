"""From what other systems say (names, addresses, external ids) to what services take (ids).

One `Names` serves one request: each list is read once, however many items ask.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

from lockstep.api.shapes import ClientInput, ContactInput
from lockstep.apps.accounts.permissions import Actor
from lockstep.apps.book.errors import Invalid
from lockstep.apps.book.models import ListValue
from lockstep.apps.book.queries import list_values, reps_by_email
from lockstep.apps.book.queries.scope import clients_of


class Names:
    """What names stand for in the actor's company."""

    def __init__(self, actor: Actor) -> None:
        self.actor = actor
        self._lists: dict[ListValue.Kind, dict[str, int]] = {}
        self._clients: dict[str, int] = {}

    def client_values(self, given: ClientInput) -> dict[str, Any]:
        """Arguments of `save_client`. Raises `Invalid` with every name that stands for nothing."""
        values, wrong = _plain(given.given()), {}
        for field, kind in (("status", ListValue.Kind.STATUS), ("industry", ListValue.Kind.INDUSTRY)):
            self._resolve_list(values, wrong, field, kind)
        if "rep_email" in values:
            address = (values.pop("rep_email") or "").strip().lower()
            values["rep_id"] = self._people.get(address)
            if address and values["rep_id"] is None:
                wrong["rep_email"] = f"None of your people has the address “{address}”."
        if wrong:
            raise Invalid(wrong)
        return values

    def contact_values(self, given: ContactInput) -> dict[str, Any]:
        """Arguments of `save_contact`. Raises `Invalid` with every name that stands for nothing."""
        values, wrong = _plain(given.given()), {}
        values |= values.pop("address", {})
        values.pop("lift_no_marketing", None)
        self._resolve_list(values, wrong, "department", ListValue.Kind.DEPARTMENT)
        if "client_external_id" in values:
            external_id = " ".join((values.pop("client_external_id") or "").replace("\0", " ").split())
            found = self._client(external_id)
            if found is None:
                wrong["client_external_id"] = f"No client has the external id “{external_id}”."
            elif values.get("client_id", found) != found:
                wrong["client_external_id"] = "This is another client than that of client_id."
            values["client_id"] = found
        if wrong:
            raise Invalid(wrong)
        return values

    def _resolve_list(
        self, values: dict[str, Any], wrong: dict[str, str], field: str, kind: ListValue.Kind
    ) -> None:
        if field not in values:
            return
        name = " ".join((values.pop(field) or "").split())
        if kind not in self._lists:
            self._lists[kind] = {
                value.name.lower(): value.id
                for value in list_values(self.actor, kind, retired=True, counts=False)
            }
        found = self._lists[kind].get(name.lower())
        if name and found is None:
            wrong[field] = f"“{name}” is not in the list. An admin can add it under Settings, Lists."
        values[f"{field}_id"] = found

    @cached_property
    def _people(self) -> dict[str, int]:
        return reps_by_email(self.actor)

    def _client(self, external_id: str) -> int | None:
        if external_id and external_id not in self._clients:
            found = (
                clients_of(self.actor).filter(external_id=external_id).values_list("pk", flat=True).first()
            )
            if found is not None:
                self._clients[external_id] = found
        return self._clients.get(external_id)


def _plain(given: dict[str, Any]) -> dict[str, Any]:
    """null means empty, as it does in the tables that other systems keep."""
    values = {}
    for field, value in given.items():
        if value is None and field in {"active", "no_marketing", "client_id"}:
            continue
        if field == "address":
            value = {part: text or "" for part, text in (value or _NO_ADDRESS).items()}
        elif field == "tags":
            value = value or []
        elif value is None:
            value = ""
        values[field] = value
    return values


_NO_ADDRESS = dict.fromkeys(("line1", "line2", "city", "state", "postal_code", "country"), "")
