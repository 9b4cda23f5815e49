"""Add or change by external id: how other systems keep the book up to date."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar

from django.db import transaction
from django.db.models import QuerySet

from lockstep.apps.accounts.permissions import Actor, Permission
from lockstep.apps.book.errors import Invalid
from lockstep.apps.book.models import Client, Contact
from lockstep.apps.book.queries.names import named
from lockstep.apps.book.queries.scope import clients_of, contacts_of
from lockstep.apps.book.services.clients import save_client
from lockstep.apps.book.services.contacts import save_contact
from lockstep.apps.book.services.fields import one_line

CREATED, UPDATED, UNCHANGED = "created", "updated", "unchanged"


@dataclass(frozen=True, slots=True)
class Upserted:
    """`result` is one of created, updated, unchanged; `warnings` say what was left as it is, and why."""

    id: int
    result: str
    warnings: tuple[str, ...] = ()


@transaction.atomic
def upsert_client(actor: Actor, *, external_id: str, values: dict[str, Any]) -> Upserted:
    """Change the client of that external id, or add it.

    A client of the same name without an external id is taken for the one
    meant, so that a book which was filled by hand or by file is not doubled.
    Raises as `save_client`, and `Invalid` where the client is deleted: what a
    person deleted is not brought back by another system.
    """
    actor.require(Permission.EDIT_BOOK)
    external_id = _checked(external_id)
    everything = clients_of(actor, deleted=None)
    found, own_id = _who(everything, external_id)
    if found is None and values.get("name"):
        found = named(clients_of(actor).filter(external_id=""), one_line(values["name"])).first()
    _refuse_deleted(found, "client")
    saved = save_client(actor, client_id=found.pk if found else None, **{**values, "external_id": own_id})
    return Upserted(saved.pk, _result(found, saved))


@transaction.atomic
def upsert_contact(
    actor: Actor, *, external_id: str, values: dict[str, Any], lift_no_marketing: bool = False
) -> Upserted:
    """Change the contact of that external id, or add it.

    The only contact of the client with that e-mail address and without an
    external id is taken for the one meant. `no_marketing=False` takes the mark
    off only with `lift_no_marketing`; otherwise the mark stays and a warning
    says so, because another system's “no” is rarely the person's own word (P1).
    Raises as `save_contact`, and `Invalid` where the contact is deleted.
    """
    actor.require(Permission.EDIT_BOOK)
    external_id = _checked(external_id)
    found, own_id = _who(contacts_of(actor, deleted=None), external_id)
    if found is None and values.get("client_id") and values.get("email"):
        twins = contacts_of(actor).filter(
            external_id="",
            client_id=values["client_id"],
            email_key=one_line(values["email"]).lower(),
        )[:2]
        found = twins[0] if len(twins) == 1 else None
    _refuse_deleted(found, "contact")
    warnings = []
    lifting = found is not None and found.no_marketing and not values.get("no_marketing", True)
    if lifting and not lift_no_marketing:
        values = {name: value for name, value in values.items() if not name.startswith("no_marketing")}
        warnings.append("No Marketing stays: taking it off needs lift_no_marketing.")
    saved = save_contact(actor, contact_id=found.pk if found else None, **{**values, "external_id": own_id})
    return Upserted(saved.pk, _result(found, saved), tuple(warnings))


M = TypeVar("M", Client, Contact)


def _who(rows: QuerySet[M], external_id: str) -> tuple[M | None, str]:
    """Who has the external id, and the id that they are to have.

    Who was merged into another keeps the old id, which leads to the other one.
    """
    found = rows.filter(external_id=external_id).first()
    if found is not None and found.merged_into_id is not None:
        stayed = rows.filter(pk=found.merged_into_id).first()
        if stayed is not None:
            return stayed, stayed.external_id
    return found, external_id


def _checked(external_id: str) -> str:
    """As it is stored, so that it is found again however it is spaced."""
    cleaned = one_line(external_id)
    if not cleaned:
        raise Invalid({"external_id": "Give the id that it has in the other system."})
    return cleaned


def _refuse_deleted(found: Client | Contact | None, what: str) -> None:
    if found is not None and found.deleted_at is not None:
        raise Invalid({"external_id": f"This {what} was deleted in the book. Restore it first."})


def _result(before: Client | Contact | None, after: Client | Contact) -> str:
    if before is None:
        return CREATED
    return UNCHANGED if before.updated_at == after.updated_at else UPDATED
