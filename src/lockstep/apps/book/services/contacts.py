"""Create, edit, delete and restore contacts; No Marketing and active."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import Any, TypedDict, Unpack

from django.db import connection, transaction
from django.utils import timezone

from lockstep.apps.accounts.permissions import Actor, Permission
from lockstep.apps.book.errors import Invalid, NotFound
from lockstep.apps.book.models import Client, Contact, ListValue, Tag
from lockstep.apps.book.queries.scope import clients_of, contacts_of
from lockstep.apps.book.services import history
from lockstep.apps.book.services.choices import check_list_value, named_tags
from lockstep.apps.book.services.clients import ADDRESS_FIELDS
from lockstep.apps.book.services.fields import FieldCheck, unique_or_invalid
from lockstep.apps.book.services.raw import differing, raw_of
from lockstep.apps.book.services.tags import ensure_tags

_TEXTS = (
    "first_name",
    "last_name",
    "position",
    "email",
    "phone",
    "extension",
    "cell",
    "fax",
    "external_id",
    *ADDRESS_FIELDS,
)


class ContactValues(TypedDict, total=False):
    """What `save_contact` takes; what isn't given stays as it is."""

    client_id: int
    first_name: str
    last_name: str
    position: str
    email: str
    phone: str
    extension: str
    cell: str
    fax: str
    department_id: int | None
    tags: Sequence[str]
    """Names; new ones are made."""
    line1: str
    line2: str
    city: str
    state: str
    postal_code: str
    country: str
    no_marketing: bool
    no_marketing_reason: str
    active: bool
    external_id: str


@transaction.atomic
def save_contact(actor: Actor, *, contact_id: int | None = None, **values: Unpack[ContactValues]) -> Contact:
    """Create a contact of a client, or change the given values of one.

    Writes one history entry if anything differs. An address that can't be an
    e-mail address is refused when it is new; one that came in by import
    doesn't stand in the way of other changes. A new contact needs a client and
    a name or an e-mail address.

    Raises `NotPermitted`, `NotFound`, or `Invalid` with all fields that are wrong.
    """
    actor.require(Permission.EDIT_BOOK)
    now = timezone.now()
    contact = Contact(company=actor.company) if contact_id is None else _own_contact(actor, contact_id)
    before = {} if contact_id is None else _readable(contact)
    raw_before = {} if contact_id is None else raw_of(contact)

    check = FieldCheck()
    texts = check.texts(Contact, values, _TEXTS)
    client = _check_client(actor, contact, values, check)
    _check_identity(actor, contact, texts, check)
    if "department_id" in values:
        contact.department = check_list_value(
            actor,
            check,
            "department_id",
            ListValue.Kind.DEPARTMENT,
            values["department_id"],
            contact.department_id,
        )
    tags = check.tags(values["tags"]) if "tags" in values else None
    reason = check.texts(Contact, values, ["no_marketing_reason"]).get("no_marketing_reason")
    check.finish()

    if client is not None:
        contact.client = client
    for field, text in texts.items():
        setattr(contact, field, text)
    if tags is not None:
        contact.tag_ids = ensure_tags(actor.company, Tag.Kind.CONTACT, tags)
    if "active" in values:
        contact.active = values["active"]
    _mark_no_marketing(contact, values.get("no_marketing"), reason, now)

    changes = history.differences(before, _readable(contact))
    if contact_id is None or changes:
        contact.updated_at = now
        with unique_or_invalid():
            contact.save()
        action = "created" if contact_id is None else "changed"
        history.record(
            actor,
            subject="contact",
            subject_id=contact.pk,
            action=action,
            changes=changes,
            raw=None if contact_id is None else differing(raw_before, raw_of(contact)),
            at=now,
        )
    return contact


def set_no_marketing(actor: Actor, *, contact_id: int, no_marketing: bool, reason: str = "") -> Contact:
    """Keep a contact out of all marketing from now on, or undo that; reason and date are kept with it.

    Setting it again keeps the first date, and the first reason unless a new one is given.
    """
    values: ContactValues = {"no_marketing": no_marketing}
    if reason:
        values["no_marketing_reason"] = reason
    return save_contact(actor, contact_id=contact_id, **values)


def set_contact_active(actor: Actor, *, contact_id: int, active: bool) -> Contact:
    """Make a contact active or inactive."""
    return save_contact(actor, contact_id=contact_id, active=active)


@transaction.atomic
def delete_contact(actor: Actor, *, contact_id: int) -> Contact:
    """Delete a contact; `restore_contact` brings it back."""
    actor.require(Permission.DELETE_BOOK)
    contact = _own_contact(actor, contact_id)
    return _remove(actor, contact, timezone.now(), "deleted")


@transaction.atomic
def restore_contact(actor: Actor, *, contact_id: int) -> Contact:
    """Bring a deleted contact back. Raises `Invalid` while its client is deleted: that one comes first."""
    actor.require(Permission.DELETE_BOOK)
    contact = contacts_of(actor, deleted=True).select_for_update(of=("self",)).filter(pk=contact_id).first()
    if contact is None:
        raise NotFound("contact")
    if contact.client.deleted_at is not None:
        raise Invalid({"": f"The client “{contact.client.name}” is deleted. Restore the client first."})
    return _remove(actor, contact, None, "restored")


def _remove(actor: Actor, contact: Contact, deleted_at: datetime.datetime | None, action: str) -> Contact:
    now, before = deleted_at or timezone.now(), raw_of(contact)
    contact.deleted_at, contact.updated_at, contact.merged_into = deleted_at, now, None
    contact.save(update_fields=["deleted_at", "updated_at", "merged_into"])
    raw = differing(before, raw_of(contact))
    history.record(actor, subject="contact", subject_id=contact.pk, action=action, raw=raw, at=now)
    return contact


def _own_contact(actor: Actor, contact_id: int) -> Contact:
    contact = contacts_of(actor).select_for_update(of=("self",)).filter(pk=contact_id).first()
    if contact is None:
        raise NotFound("contact")
    return contact


def _check_client(actor: Actor, contact: Contact, values: ContactValues, check: FieldCheck) -> Client | None:
    """The client that the contact is to belong to, where it is new or another; None where it stays."""
    client_id = values.get("client_id", contact.client_id)
    if client_id == contact.client_id and contact.pk is not None:
        return None
    if client_id is None:
        check.complain("client_id", "Choose the client that this contact belongs to.")
        return None
    # Held until the end, so that the client can't be deleted while a contact comes to it.
    client = clients_of(actor).select_for_update(of=("self",)).filter(pk=client_id).first()
    if client is None:
        check.complain("client_id", "This client does not exist, or you can't see it.")
    return client


def _check_identity(actor: Actor, contact: Contact, texts: dict[str, str], check: FieldCheck) -> None:
    """Somebody one can tell from others: a name or an e-mail address, and an external id of their own."""
    known = {
        field: texts.get(field, getattr(contact, field)) for field in ("first_name", "last_name", "email")
    }
    if not any(known.values()):
        check.complain("first_name", "Give the contact a name or an e-mail address.")
    email = texts.get("email")
    if email and email != contact.email and not email_is_valid(email):
        check.complain("email", f"“{email}” can't be an e-mail address. Check it for typing mistakes.")
    external_id = texts.get("external_id")
    if external_id:
        others = Contact.objects.filter(company=actor.company, external_id=external_id).exclude(pk=contact.pk)
        if others.exists():
            check.complain("external_id", f"Another contact has the external id “{external_id}”.")


def email_is_valid(email: str) -> bool:
    """Whether the book will call the address valid: asked of the database, which has the one rule."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT lockstep_email_valid(%s)", [email])
        (valid,) = cursor.fetchone()
        return bool(valid)


def _mark_no_marketing(
    contact: Contact, no_marketing: bool | None, reason: str | None, now: datetime.datetime
) -> None:
    wanted = contact.no_marketing if no_marketing is None else no_marketing
    if wanted and not contact.no_marketing:
        contact.no_marketing_at = now
        contact.no_marketing_reason = reason or ""
    elif wanted and reason is not None:
        contact.no_marketing_reason = reason
    elif not wanted:
        contact.no_marketing_at = None
        contact.no_marketing_reason = ""
    contact.no_marketing = wanted


def _readable(contact: Contact) -> dict[str, Any]:
    """Every field as people read it."""
    values: dict[str, Any] = {
        field: getattr(contact, field) for field in (*_TEXTS, "no_marketing", "no_marketing_reason", "active")
    }
    values["client"] = contact.client.name
    values["department"] = contact.department.name if contact.department else ""
    values["tags"] = named_tags(contact.company_id, contact.tag_ids)
    return values
