"""The lists that a company edits: client statuses, industries, departments (B1)."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from lockstep.apps.accounts.models import Company
from lockstep.apps.accounts.permissions import Actor, Permission
from lockstep.apps.book.errors import Invalid, NotFound
from lockstep.apps.book.models import Client, Contact, ListValue
from lockstep.apps.book.queries.names import named
from lockstep.apps.book.services import history
from lockstep.apps.book.services.fields import FieldCheck

_Kind, _Glyph = ListValue.Kind, ListValue.Glyph

STARTING_VALUES: dict[ListValue.Kind, tuple[tuple[str, str], ...]] = {
    _Kind.STATUS: (
        ("Active", _Glyph.FULL),
        ("Key account", _Glyph.STAR),
        ("Prospect", _Glyph.HALF),
        ("Lead", _Glyph.EMPTY),
        ("Dormant", _Glyph.DASHED),
    ),
    _Kind.INDUSTRY: tuple(
        (name, "")
        for name in (
            "Agriculture",
            "Automotive",
            "Construction",
            "Education",
            "Energy",
            "Finance",
            "Food & drink",
            "Government",
            "Healthcare",
            "Hospitality",
            "Insurance",
            "Legal",
            "Logistics",
            "Manufacturing",
            "Media",
            "Non-profit",
            "Professional services",
            "Real estate",
            "Retail",
            "Sports & recreation",
            "Technology",
            "Travel",
        )
    ),
    _Kind.DEPARTMENT: tuple(
        (name, "")
        for name in (
            "Accounting",
            "Administration",
            "Events",
            "Executive",
            "Finance",
            "Human resources",
            "IT",
            "Marketing",
            "Operations",
            "Purchasing",
            "Sales",
        )
    ),
}
"""What a promotional-products distributor starts with; every value can be renamed or retired."""


def add_starting_values(company: Company) -> None:
    """Give a company its first lists. Lists that have values already are left alone."""
    filled = set(ListValue.objects.filter(company=company).values_list("kind", flat=True))
    ListValue.objects.bulk_create(
        ListValue(company=company, kind=kind, name=name, glyph=glyph, position=position)
        for kind, values in STARTING_VALUES.items()
        if kind not in filled
        for position, (name, glyph) in enumerate(values, start=1)
    )


@transaction.atomic
def add_list_value(
    actor: Actor, *, kind: ListValue.Kind, name: str, glyph: ListValue.Glyph | str = ""
) -> ListValue:
    """Add a value at the end of its list. A retired one of that name comes back instead."""
    actor.require(Permission.MANAGE_COMPANY)
    name = _checked_name(name)
    _check_glyph(kind, glyph)
    there = named(ListValue.objects.filter(company=actor.company, kind=kind), name).first()
    if there is not None and not there.retired:
        raise Invalid({"name": f"“{there.name}” is in this list already."})
    if there is not None:
        there.retired = False
        there.save(update_fields=["retired"])
        _record(actor, there, "brought back", {})
        return there
    last = ListValue.objects.filter(company=actor.company, kind=kind).aggregate(last=Max("position"))["last"]
    value = ListValue.objects.create(
        company=actor.company, kind=kind, name=name, glyph=glyph, position=(last or 0) + 1
    )
    _record(actor, value, "created", {"name": ["", name]})
    return value


@transaction.atomic
def rename_list_value(
    actor: Actor, *, value_id: int, name: str, glyph: ListValue.Glyph | str | None = None
) -> ListValue:
    """Rename a value, and redraw it where a glyph is given; clients and contacts keep it."""
    actor.require(Permission.MANAGE_COMPANY)
    value = _value(actor, value_id)
    name = _checked_name(name)
    if glyph is not None:
        _check_glyph(ListValue.Kind(value.kind), glyph)
    twin = named(ListValue.objects.filter(company=actor.company, kind=value.kind), name)
    if twin.exclude(pk=value.pk).exists():
        raise Invalid({"name": f"“{name}” is in this list already. Merge the two instead."})
    new = {"name": name, "glyph": value.glyph if glyph is None else str(glyph)}
    changes = history.differences({"name": value.name, "glyph": value.glyph}, new)
    if changes:
        value.name, value.glyph = new["name"], new["glyph"]
        value.save(update_fields=["name", "glyph"])
        _record(actor, value, "renamed", changes)
    return value


@transaction.atomic
def reorder_list_values(actor: Actor, *, kind: ListValue.Kind, value_ids: Sequence[int]) -> None:
    """Put a list into the given order; values left out follow in their old order."""
    actor.require(Permission.MANAGE_COMPANY)
    values = list(
        ListValue.objects.select_for_update()
        .filter(company=actor.company, kind=kind)
        .order_by("position", "id")
    )
    by_id = {value.pk: value for value in values}
    if len(set(value_ids)) != len(value_ids) or not set(value_ids) <= set(by_id):
        raise Invalid({"value_ids": "The list has changed meanwhile. Load the page again."})
    chosen = [by_id[value_id] for value_id in value_ids]
    rest = [value for value in values if value.pk not in set(value_ids)]
    for position, value in enumerate([*chosen, *rest], start=1):
        value.position = position
    if [value.pk for value in values] == [value.pk for value in [*chosen, *rest]]:
        return
    ListValue.objects.bulk_update(values, ["position"])
    history.record(
        actor,
        subject=kind,
        subject_id=chosen[0].pk,
        label="",
        action="put in order",
        changes={"order": [", ".join(v.name for v in values), ", ".join(v.name for v in [*chosen, *rest])]},
        at=timezone.now(),
    )


@transaction.atomic
def retire_list_value(actor: Actor, *, value_id: int, retired: bool = True) -> ListValue:
    """Take a value out of the choices, or back in. Who has it keeps it."""
    actor.require(Permission.MANAGE_COMPANY)
    value = _value(actor, value_id)
    if value.retired != retired:
        value.retired = retired
        value.save(update_fields=["retired"])
        _record(actor, value, "retired" if retired else "brought back", {})
    return value


@transaction.atomic
def merge_list_values(actor: Actor, *, value_id: int, into_id: int) -> int:
    """Whoever has the first value gets the second; the first is deleted. Returns how many had it."""
    actor.require(Permission.MANAGE_COMPANY)
    value, into = _value(actor, value_id), _value(actor, into_id)
    if value.pk == into.pk or value.kind != into.kind:
        raise Invalid({"into_id": "Choose another value of the same list."})
    now = timezone.now()
    match ListValue.Kind(value.kind):
        case ListValue.Kind.STATUS:
            moved = Client.objects.filter(company=actor.company, status=value).update(
                status=into, updated_at=now
            )
        case ListValue.Kind.INDUSTRY:
            moved = Client.objects.filter(company=actor.company, industry=value).update(
                industry=into, updated_at=now
            )
        case ListValue.Kind.DEPARTMENT:
            moved = Contact.objects.filter(company=actor.company, department=value).update(
                department=into, updated_at=now
            )
    _record(actor, value, "merged", {"name": [value.name, into.name]})
    value.delete()
    return moved


def _value(actor: Actor, value_id: int) -> ListValue:
    value = ListValue.objects.select_for_update().filter(company=actor.company, pk=value_id).first()
    if value is None:
        raise NotFound("list value")
    return value


def _checked_name(name: str) -> str:
    check = FieldCheck()
    cleaned = check.texts(ListValue, {"name": name}, ["name"])["name"]
    if not cleaned:
        check.complain("name", "Give it a name.")
    check.finish()
    return cleaned


def _check_glyph(kind: ListValue.Kind, glyph: str) -> None:
    if glyph and (kind != ListValue.Kind.STATUS or glyph not in ListValue.Glyph.values):
        raise Invalid({"glyph": "Choose one of the signs shown."})


def _record(actor: Actor, value: ListValue, action: str, changes: dict[str, list[str]]) -> None:
    history.record(
        actor,
        subject=value.kind,
        subject_id=value.pk,
        label=value.name,
        action=action,
        changes=changes,
        at=timezone.now(),
    )
