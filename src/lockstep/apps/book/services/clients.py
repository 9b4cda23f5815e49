"""Create, edit, delete and restore clients."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import Any, TypedDict, Unpack

from django.db import transaction
from django.utils import timezone

from lockstep.apps.accounts.models import Seat
from lockstep.apps.accounts.permissions import Actor, Permission
from lockstep.apps.book.errors import NotFound
from lockstep.apps.book.models import BulkChange, Client, ClientAddress, Contact, ListValue, Tag
from lockstep.apps.book.queries.names import named
from lockstep.apps.book.queries.scope import clients_of
from lockstep.apps.book.services import history
from lockstep.apps.book.services.choices import check_list_value, named_tags
from lockstep.apps.book.services.fields import FieldCheck, unique_or_invalid
from lockstep.apps.book.services.naming import address_in_a_line
from lockstep.apps.book.services.raw import Raw, addresses_of, differing, raw_of, write_addresses
from lockstep.apps.book.services.tags import ensure_tags

ADDRESS_FIELDS = ("line1", "line2", "city", "state", "postal_code", "country")
MAX_ADDRESSES = 50
_TEXTS = ("name", "account_number", "website", "phone", "notes", "external_id")


class AddressValues(TypedDict, total=False):
    name: str
    """What the address is: “Warehouse”."""
    line1: str
    line2: str
    city: str
    state: str
    postal_code: str
    country: str


class ClientValues(TypedDict, total=False):
    """What `save_client` takes; what isn't given stays as it is."""

    name: str
    account_number: str
    status_id: int | None
    industry_id: int | None
    rep_id: int | None
    """A user with a seat in the company."""
    tags: Sequence[str]
    """Names; new ones are made."""
    website: str
    phone: str
    notes: str
    active: bool
    external_id: str
    address: AddressValues
    """The primary address; what isn't given stays as it is."""
    addresses: Sequence[AddressValues]
    """All addresses, the primary one first; empty ones are left out. Instead of `address`."""


@transaction.atomic
def save_client(actor: Actor, *, client_id: int | None = None, **values: Unpack[ClientValues]) -> Client:
    """Create a client, or change the given values of one.

    Writes one history entry if anything differs. A person limited to own
    clients becomes the rep of the clients they create, and can't give one away.

    Raises `NotPermitted`, `NotFound`, or `Invalid` with all fields that are wrong.
    """
    actor.require(Permission.EDIT_BOOK)
    now = timezone.now()
    client = Client(company=actor.company) if client_id is None else _own_client(actor, client_id)
    held = addresses_of([client_id]).get(client_id, []) if client_id is not None else []
    before = {} if client_id is None else _readable(client, held)
    raw_before = raw_of(client) | {"addresses": held}

    check = FieldCheck()
    texts = check.texts(Client, values, _TEXTS)
    _check_identity(actor, client, texts, check, creating=client_id is None)
    if "status_id" in values:
        client.status = check_list_value(
            actor, check, "status_id", ListValue.Kind.STATUS, values["status_id"], client.status_id
        )
    if "industry_id" in values:
        client.industry = check_list_value(
            actor, check, "industry_id", ListValue.Kind.INDUSTRY, values["industry_id"], client.industry_id
        )
    _set_rep(actor, client, values, check)
    tags = check.tags(values["tags"]) if "tags" in values else None
    addresses = _check_addresses(values, held, check)
    check.finish()

    for field, text in texts.items():
        setattr(client, field, text)
    if tags is not None:
        client.tag_ids = ensure_tags(actor.company, Tag.Kind.CLIENT, tags)
    if "active" in values:
        client.active = values["active"]

    changes = history.differences(before, _readable(client, addresses))
    raw = differing(raw_before, raw_of(client) | {"addresses": addresses})
    if client_id is None or raw[1]:
        client.updated_at = now
        with unique_or_invalid():
            client.save()
        if addresses != held:
            write_addresses({client.pk: addresses})
        action = "created" if client_id is None else "changed"
        history.record(
            actor,
            subject="client",
            subject_id=client.pk,
            action=action,
            changes=changes,
            raw=None if client_id is None else raw,
            at=now,
        )
    return client


def set_client_active(actor: Actor, *, client_id: int, active: bool) -> Client:
    """Make a client active or inactive; its contacts keep their own mark."""
    return save_client(actor, client_id=client_id, active=active)


@transaction.atomic
def delete_client(actor: Actor, *, client_id: int) -> int:
    """Delete a client together with its contacts; `restore_client` brings all of them back.

    Returns how many contacts left with it.
    """
    actor.require(Permission.DELETE_BOOK)
    client = _own_client(actor, client_id)
    before, now = raw_of(client), timezone.now()
    client.deleted_at = client.updated_at = now
    client.save(update_fields=["deleted_at", "updated_at"])
    left = Contact.objects.filter(client=client, deleted_at=None).update(deleted_at=now, updated_at=now)
    _record_removal(actor, client, "deleted", left, now, differing(before, raw_of(client)))
    return left


@transaction.atomic
def restore_client(actor: Actor, *, client_id: int, bulk: BulkChange | None = None) -> int:
    """Bring a deleted client back, with the contacts that were deleted together with it.

    Contacts that were deleted before on their own stay deleted. Raises
    `Invalid` if another client has the name by now. Returns how many contacts came back.
    A client that was merged into another comes back by itself: undoing the
    merge is what brings its contacts along. `bulk` is what the restoration is a part of.
    """
    actor.require(Permission.DELETE_BOOK)
    client = clients_of(actor, deleted=True).select_for_update().filter(pk=client_id).first()
    if client is None:
        raise NotFound("client")
    check = FieldCheck()
    _check_identity(actor, client, {"name": client.name}, check, creating=False)
    check.finish()
    before, gone_at, now = raw_of(client), client.deleted_at, timezone.now()
    client.deleted_at, client.updated_at, client.merged_into = None, now, None
    with unique_or_invalid():
        client.save(update_fields=["deleted_at", "updated_at", "merged_into"])
    back = Contact.objects.filter(client=client, deleted_at=gone_at).update(deleted_at=None, updated_at=now)
    _record_removal(actor, client, "restored", back, now, differing(before, raw_of(client)), bulk)
    return back


def _own_client(actor: Actor, client_id: int) -> Client:
    client = clients_of(actor).select_for_update().filter(pk=client_id).first()
    if client is None:
        raise NotFound("client")
    return client


def _check_identity(
    actor: Actor, client: Client, texts: dict[str, str], check: FieldCheck, *, creating: bool
) -> None:
    """The name is there and nobody else's, and so is the external id where one is given."""
    others = Client.objects.filter(company=actor.company).exclude(pk=client.pk)
    name = texts.get("name")
    if name == "" or (name is None and creating):
        check.complain("name", "Give the client a name.")
    elif name is not None and named(others.filter(deleted_at=None), name).exists():
        check.complain("name", f"There is a client called “{name}” already.")
    external_id = texts.get("external_id")
    if external_id and others.filter(external_id=external_id).exists():
        check.complain("external_id", f"Another client has the external id “{external_id}”.")


def _set_rep(actor: Actor, client: Client, values: ClientValues, check: FieldCheck) -> None:
    if actor.own_clients_only:
        if client.pk is None:
            client.rep = actor.user
        elif values.get("rep_id", client.rep_id) != client.rep_id:
            check.complain("rep_id", "You see only your own clients, so you can't give one to somebody else.")
        return
    if "rep_id" not in values or values["rep_id"] == client.rep_id:
        return
    rep_id = values["rep_id"]
    seat = None
    if rep_id is not None:
        seat = Seat.objects.filter(company=actor.company, user_id=rep_id).select_related("user").first()
        if seat is None:
            check.complain("rep_id", "Choose one of the people in your company.")
    client.rep = seat.user if seat else None


def _check_addresses(
    values: ClientValues, held: list[dict[str, str]], check: FieldCheck
) -> list[dict[str, str]]:
    """The addresses that the client is to have, the primary one first."""
    parts = ("name", *ADDRESS_FIELDS)
    if "addresses" in values:
        given = [check.texts(ClientAddress, address, parts) for address in values["addresses"]]
        wanted = [{part: address.get(part, "") for part in parts} for address in given]
        wanted = [address for address in wanted if any(address[part] for part in ADDRESS_FIELDS)]
        if len(wanted) > MAX_ADDRESSES:
            check.complain("addresses", f"{len(wanted)} addresses are too many: {MAX_ADDRESSES} fit.")
        return wanted
    primary = check.texts(ClientAddress, values.get("address", {}), parts)
    if not primary or (not held and not any(primary.values())):
        return held
    first = {**(held[0] if held else dict.fromkeys(parts, "")), **primary}
    return [first, *held[1:]]


def _readable(client: Client, addresses: list[dict[str, str]]) -> dict[str, Any]:
    """Every field as people read it."""
    values: dict[str, Any] = {
        "name": client.name,
        "account_number": client.account_number,
        "status": client.status.name if client.status else "",
        "industry": client.industry.name if client.industry else "",
        "rep": client.rep.full_name if client.rep else "",
        "tags": named_tags(client.company_id, client.tag_ids),
        "website": client.website,
        "phone": client.phone,
        "notes": client.notes,
        "active": client.active,
        "external_id": client.external_id,
    }
    primary = addresses[0] if addresses else {}
    for field in ADDRESS_FIELDS:
        values[field] = primary.get(field, "")
    values["address_name"] = primary.get("name", "")
    values["other_addresses"] = "; ".join(address_in_a_line(address) for address in addresses[1:])
    return values


def _record_removal(
    actor: Actor,
    client: Client,
    action: str,
    contacts: int,
    at: datetime.datetime,
    raw: tuple[Raw, Raw],
    bulk: BulkChange | None = None,
) -> None:
    history.record(
        actor,
        subject="client",
        subject_id=client.pk,
        action=action,
        changes={"contacts": ["", str(contacts)]} if contacts else {},
        raw=raw,
        bulk=bulk,
        at=at,
    )
