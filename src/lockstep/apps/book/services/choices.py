"""Looks up what ids in a form stand for, within the company."""

from __future__ import annotations

from collections.abc import Sequence

from lockstep.apps.accounts.permissions import Actor
from lockstep.apps.book.models import ListValue, Tag
from lockstep.apps.book.services.fields import FieldCheck


def check_list_value(
    actor: Actor,
    check: FieldCheck,
    field: str,
    kind: ListValue.Kind,
    value_id: int | None,
    current_id: int | None,
) -> ListValue | None:
    """The company's list value of that id; complains where there is none, or a retired one new here."""
    if value_id is None:
        return None
    value = ListValue.objects.filter(company=actor.company, kind=kind, pk=value_id).first()
    if value is None:
        check.complain(field, "Choose one of the values in the list.")
    elif value.retired and value.pk != current_id:
        check.complain(field, f"“{value.name}” is no longer in use. Choose another value.")
    return value


def named_tags(company_id: int, tag_ids: Sequence[int]) -> list[str]:
    """The names of the tags, in the order of the ids; ids of deleted tags are left out."""
    if not tag_ids:
        return []
    names = dict(Tag.objects.filter(company_id=company_id, pk__in=tag_ids).values_list("pk", "name"))
    return [names[tag_id] for tag_id in tag_ids if tag_id in names]
