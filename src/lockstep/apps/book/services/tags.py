"""Tags: made on the fly by name, renamed, merged, deleted."""

from __future__ import annotations

from collections.abc import Iterable

from django.db import connection, transaction
from django.utils import timezone

from lockstep.apps.accounts.models import Company
from lockstep.apps.accounts.permissions import Actor, Permission
from lockstep.apps.book.errors import Invalid, NotFound
from lockstep.apps.book.models import Client, Contact, Tag
from lockstep.apps.book.queries.names import named
from lockstep.apps.book.services import history
from lockstep.apps.book.services.fields import FieldCheck, tag_names

_TAGGED = {Tag.Kind.CLIENT: Client, Tag.Kind.CONTACT: Contact}


def ensure_tags(company: Company, kind: Tag.Kind, names: Iterable[str]) -> list[int]:
    """Ids of the tags so named, whatever their case, made where new; in the order given.

    For services: asks for no permission. Safe against two at once making the same tag.
    """
    wanted = tag_names(names)
    if not wanted:
        return []
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO book_tag (company_id, kind, name)
            SELECT %s, %s, w.name FROM unnest(%s::text[]) AS w(name)
            WHERE NOT EXISTS (SELECT FROM book_tag t
                WHERE t.company_id = %s AND t.kind = %s AND lower(t.name) = lower(w.name))
            ON CONFLICT DO NOTHING
            """,
            [company.pk, kind, wanted, company.pk, kind],
        )
        cursor.execute(
            """
            SELECT t.id FROM unnest(%s::text[]) WITH ORDINALITY AS w(name, place)
            JOIN book_tag t ON t.company_id = %s AND t.kind = %s AND lower(t.name) = lower(w.name)
            GROUP BY t.id ORDER BY min(w.place)
            """,
            [wanted, company.pk, kind],
        )
        return [tag_id for (tag_id,) in cursor.fetchall()]


@transaction.atomic
def add_tag(actor: Actor, *, kind: Tag.Kind, name: str) -> Tag:
    """Make a tag before anybody has it. A name that is there already raises `Invalid`."""
    actor.require(Permission.MANAGE_COMPANY)
    check = FieldCheck()
    names = check.tags([name], "name")
    if not names:
        check.complain("name", "Give the tag a name.")
    check.finish()
    if named(Tag.objects.filter(company=actor.company, kind=kind), names[0]).exists():
        raise Invalid({"name": f"There is a tag “{names[0]}” already."})
    [tag_id] = ensure_tags(actor.company, kind, names)
    tag = _tag(actor, tag_id)
    _record(actor, tag, "created", {"name": ["", tag.name]})
    return tag


@transaction.atomic
def rename_tag(actor: Actor, *, tag_id: int, name: str) -> Tag:
    """Rename a tag; a name that another one has raises `Invalid` (merge them instead)."""
    actor.require(Permission.MANAGE_COMPANY)
    tag = _tag(actor, tag_id)
    check = FieldCheck()
    names = check.tags([name], "name")
    if not names:
        check.complain("name", "Give the tag a name.")
    check.finish()
    twin = named(Tag.objects.filter(company=actor.company, kind=tag.kind), names[0]).exclude(pk=tag.pk)
    if twin.exists():
        raise Invalid({"name": f"There is a tag “{names[0]}” already. Merge the two instead."})
    old, tag.name = tag.name, names[0]
    if old != tag.name:
        tag.save(update_fields=["name"])
        _record(actor, tag, "renamed", {"name": [old, tag.name]})
    return tag


@transaction.atomic
def delete_tag(actor: Actor, *, tag_id: int) -> int:
    """Take a tag off everything and delete it. Returns how many clients or contacts had it."""
    actor.require(Permission.MANAGE_COMPANY)
    tag = _tag(actor, tag_id)
    table = _TAGGED[Tag.Kind(tag.kind)]._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE {table} SET tag_ids = array_remove(tag_ids, %s), updated_at = %s"
            " WHERE company_id = %s AND tag_ids @> ARRAY[%s::bigint]",
            [tag.pk, timezone.now(), actor.company.pk, tag.pk],
        )
        touched = cursor.rowcount
    _record(actor, tag, "deleted", {"name": [tag.name, ""]})
    tag.delete()
    return touched


@transaction.atomic
def merge_tags(actor: Actor, *, tag_id: int, into_id: int) -> int:
    """Everything tagged with the first gets the second instead; the first is deleted. Returns how many."""
    actor.require(Permission.MANAGE_COMPANY)
    tag, into = _tag(actor, tag_id), _tag(actor, into_id)
    if tag.pk == into.pk or tag.kind != into.kind:
        raise Invalid({"into_id": "Choose another tag of the same kind."})
    table = _TAGGED[Tag.Kind(tag.kind)]._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            UPDATE {table} SET updated_at = %s, tag_ids = CASE WHEN tag_ids @> ARRAY[%s::bigint]
                THEN array_remove(tag_ids, %s) ELSE array_replace(tag_ids, %s, %s) END
            WHERE company_id = %s AND tag_ids @> ARRAY[%s::bigint]
            """,
            [timezone.now(), into.pk, tag.pk, tag.pk, into.pk, actor.company.pk, tag.pk],
        )
        touched = cursor.rowcount
    _record(actor, tag, "merged", {"name": [tag.name, into.name]})
    tag.delete()
    return touched


def _tag(actor: Actor, tag_id: int) -> Tag:
    tag = Tag.objects.select_for_update().filter(company=actor.company, pk=tag_id).first()
    if tag is None:
        raise NotFound("tag")
    return tag


def _record(actor: Actor, tag: Tag, action: str, changes: dict[str, list[str]]) -> None:
    history.record(
        actor,
        subject=f"{tag.kind}_tag",
        subject_id=tag.pk,
        label=tag.name,
        action=action,
        changes=changes,
        at=timezone.now(),
    )
