"""Turns ids on models into names, for a whole page at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from lockstep.apps.accounts.models import User
from lockstep.apps.book.models import ListValue, Tag
from lockstep.apps.book.queries.rows import Named


def named_value(value: ListValue | None) -> Named | None:
    return Named(value.pk, value.name, value.glyph) if value else None


def named_rep(rep: User | None) -> Named | None:
    return Named(rep.pk, rep.full_name) if rep else None


def tags_by_id(company_id: int, id_lists: Iterable[Sequence[int]]) -> dict[int, Named]:
    """The tags that any of the lists holds; one query, none where there are no ids."""
    wanted = {tag_id for ids in id_lists for tag_id in ids}
    if not wanted:
        return {}
    tags = Tag.objects.filter(company_id=company_id, pk__in=wanted).values_list("pk", "name")
    return {pk: Named(pk, name) for pk, name in tags}


def pick_tags(ids: Sequence[int], tags: Mapping[int, Named]) -> tuple[Named, ...]:
    """In the order of the ids; ids of deleted tags are left out."""
    return tuple(tags[tag_id] for tag_id in ids if tag_id in tags)
