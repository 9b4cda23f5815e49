"""Bulk edits: counted before, then carried out a slice at a time, each slice set-based and with its history.

What takes longer than a request may is carried on by a worker (`advance`): the
slices are transactions of their own, and the place is kept with them, so that
a crash costs nothing and doubles nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import connection, transaction
from django.utils import timezone

from lockstep.apps.accounts.models import User
from lockstep.apps.accounts.permissions import Actor, Permission
from lockstep.apps.book.errors import BookError
from lockstep.apps.book.models import BulkChange, BulkTarget, ListValue, Tag
from lockstep.apps.book.queries.selection import Selection, chosen_rows
from lockstep.apps.book.services.bulk.edits import (
    LIST_KINDS,
    BulkEdit,
    CheckedEdit,
    check_edit,
    edit_parameters,
    edit_sql,
    require_possible,
)
from lockstep.apps.book.services.clients import restore_client
from lockstep.apps.book.services.raw import READABLE, TABLES, json_of_differing
from lockstep.apps.book.services.tags import ensure_tags

SLICE = 2_000
"""Rows changed in one transaction."""

KEPT_SKIPS = 200
"""Rows left alone that a bulk change names; more of them are only counted."""


@dataclass(frozen=True, slots=True)
class EditPreview:
    """What an edit would do: `total` = `changing` + `already` + `impossible`."""

    words: str
    total: int
    changing: int
    already: int
    """Are so by now."""
    impossible: int
    """Can't take it: too many tags, or the client of a contact to restore is deleted."""


def preview_bulk_edit(actor: Actor, chosen: Selection, edit: BulkEdit) -> EditPreview:
    """Count what `start_bulk_edit` would do; one query. Raises as it does."""
    checked = check_edit(actor, edit)
    told = edit_sql(checked)
    sql, parameters = _chosen_sql(actor, chosen, edit)
    differs = "true" if checked.new_tags else told.differs
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT count(*), count(*) FILTER (WHERE {differs} AND NOT {told.impossible}),
                count(*) FILTER (WHERE {differs} AND {told.impossible})
            FROM {TABLES[checked.subject]} k WHERE k.id IN ({sql})
            """,
            {**_named(parameters), **edit_parameters(checked), "now": timezone.now()},
        )
        total, changing, impossible = cursor.fetchone()
    require_possible(edit, total)
    return EditPreview(checked.words, total, changing, total - changing - impossible, impossible)


@transaction.atomic
def start_bulk_edit(actor: Actor, chosen: Selection, edit: BulkEdit) -> BulkChange:
    """Note which rows are chosen and what they get; `advance` does it.

    Who is chosen is settled here: rows that come to fit the list's filters
    later are not touched, and rows that leave them are.
    Raises `NotPermitted`, or `Invalid` with all fields that are wrong.
    """
    checked = check_edit(actor, edit)
    plus = ensure_tags(actor.company, Tag.Kind(edit.subject), edit.add_tags)
    bulk = BulkChange.objects.create(
        company=actor.company,
        user=actor.user,
        own_clients_only=actor.own_clients_only,
        kind=BulkChange.Kind.EDIT,
        subject_kind=edit.subject,
        edit={**checked.as_json(), "add_tag_ids": sorted(plus)},
        words=checked.words,
    )
    sql, parameters = _chosen_sql(actor, chosen, edit)
    target = BulkTarget._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {target} (bulk_id, ids)"
            f" SELECT %(bulk)s, coalesce(array_agg(c.id ORDER BY c.id), '{{}}') FROM ({sql}) AS c(id)"
            " RETURNING cardinality(ids)",
            {**_named(parameters), "bulk": bulk.pk},
        )
        (bulk.total,) = cursor.fetchone()
    require_possible(edit, bulk.total)
    bulk.save(update_fields=["total"])
    return bulk


def _chosen_sql(actor: Actor, chosen: Selection, edit: BulkEdit) -> tuple[str, tuple[Any, ...]]:
    """The ids of the chosen rows as SQL with named parameters p0, p1, …"""
    rows = chosen_rows(actor, chosen.deleted(deleted=True) if edit.restores else chosen)
    try:
        sql, parameters = rows.order_by().values("id").query.sql_with_params()
    except EmptyResultSet:
        require_possible(edit, 0)
        raise
    named = sql.replace("%%", "%%%%") % tuple(f"%(p{n})s" for n in range(len(parameters)))
    return named, parameters


def _named(parameters: tuple[Any, ...]) -> dict[str, Any]:
    return {f"p{n}": value for n, value in enumerate(parameters)}


def actor_of(bulk: BulkChange) -> Actor:
    """Who asked for it, as they were allowed to when they did."""
    return Actor(
        company=bulk.company,
        user=bulk.user,
        permissions=frozenset({Permission.VIEW_BOOK, Permission.EDIT_BOOK, Permission.DELETE_BOOK}),
        own_clients_only=bulk.own_clients_only,
    )


SliceOf = Callable[[BulkChange, list[int]], "SliceResult"]


@dataclass(frozen=True, slots=True)
class SliceResult:
    changed: int
    skipped: int
    skips: list[dict[str, Any]]


def advance_by(bulk_id: int, work: SliceOf, *, more: Callable[[], bool], size: int) -> BulkChange:
    """Do one slice, and further ones while `more()`; the work of a slice and the place are one transaction.

    A slice that breaks rolls back, and the change ends as failed with what was done before it.
    """
    while True:
        try:
            with transaction.atomic():
                bulk = (
                    BulkChange.objects.select_for_update(of=("self",))
                    .select_related("company", "user", "undoes")
                    .get(pk=bulk_id)
                )
                if bulk.state != BulkChange.State.RUNNING:
                    return bulk
                _one_slice(bulk, work, size)
        except BookError as error:
            return _failed(bulk_id, str(error))
        except Exception:
            if connection.is_usable():
                _failed(bulk_id, "Lockstep failed at this. What was done so far can be undone; try again.")
            raise
        if bulk.state != BulkChange.State.RUNNING or not more():
            return bulk


def _one_slice(bulk: BulkChange, work: SliceOf, size: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT ids[%s:%s] FROM {BulkTarget._meta.db_table} WHERE bulk_id = %s",
            [bulk.done + 1, bulk.done + size, bulk.pk],
        )
        row = cursor.fetchone()
    ids: list[int] = list(row[0]) if row else []
    if ids:
        result = work(bulk, ids)
        bulk.changed += result.changed
        bulk.skipped += result.skipped
        bulk.skips = (bulk.skips + result.skips)[:KEPT_SKIPS]
    bulk.done += len(ids)
    if not ids or bulk.done >= bulk.total:
        bulk.state, bulk.finished_at = BulkChange.State.DONE, timezone.now()
        BulkTarget.objects.filter(pk=bulk.pk).delete()
    bulk.save(update_fields=["done", "changed", "skipped", "skips", "state", "finished_at"])


def _failed(bulk_id: int, error: str) -> BulkChange:
    bulk = BulkChange.objects.get(pk=bulk_id)
    bulk.state, bulk.error, bulk.finished_at = BulkChange.State.FAILED, error, timezone.now()
    bulk.save(update_fields=["state", "error", "finished_at"])
    return bulk


def edit_slice(bulk: BulkChange, ids: list[int]) -> SliceResult:
    """Change those of the rows that are not so already, and write their history."""
    edit = CheckedEdit.from_json(bulk.subject_kind, bulk.edit, bulk.words)
    if bulk.subject_kind == "client" and edit.sets.get("deleted") is False:
        return _restore_clients(bulk, ids)
    now = timezone.now()
    told, table = edit_sql(edit), TABLES[edit.subject]
    columns = list(told.assigned)
    gone = "NOT NULL" if edit.sets.get("deleted") is False else "NULL"
    visible = "true"
    if bulk.own_clients_only:
        client = "k.id" if edit.subject == "client" else "k.client_id"
        visible = f"EXISTS (SELECT FROM book_client own WHERE own.id = {client} AND own.rep_id = %(viewer)s)"
    within = f"""k.id = ANY(%(ids)s) AND k.company_id = %(company)s AND k.deleted_at IS {gone}
        AND {visible} AND {told.differs}"""
    parameters = {
        **edit_parameters(edit),
        "ids": ids,
        "company": bulk.company_id,
        "viewer": bulk.user_id,
        "user": bulk.user_id,
        "bulk": bulk.pk,
        "now": now,
        "subject": edit.subject,
        "action": {None: "changed", True: "deleted", False: "restored"}[edit.sets.get("deleted")],
        **_constants(bulk, edit),
    }
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT k.id FROM {table} k WHERE {within} AND {told.impossible} ORDER BY k.id", parameters
        )
        impossible = [pk for (pk,) in cursor.fetchall()]
        cursor.execute(
            f"""
            WITH o AS MATERIALIZED (
                SELECT k.id, {", ".join(f"k.{column}" for column in columns)} FROM {table} k
                WHERE {within} AND NOT {told.impossible} ORDER BY k.id FOR UPDATE
            ), changed AS (
                UPDATE {table} k SET {", ".join(f"{c} = {new}" for c, new in told.assigned.items())},
                    updated_at = %(now)s
                FROM o WHERE k.id = o.id
                RETURNING k.id, {_readable_sql(edit)} AS changes,
                    {_json_of(columns, "o", "k")} AS before, {_json_of(columns, "k", "o")} AS after
            )
            INSERT INTO book_historyentry (company_id, at, user_id, subject_kind, subject_id, action, changes,
                    before, after, bulk_id)
                SELECT %(company)s, %(now)s, %(user)s::bigint, %(subject)s, id, %(action)s, changes, before,
                    after, %(bulk)s FROM changed ORDER BY id
            """,
            parameters,
        )
        changed = cursor.rowcount
        if edit.subject == "client" and edit.sets.get("deleted"):
            cursor.execute(
                """
                UPDATE book_contact k SET deleted_at = %(now)s, updated_at = %(now)s FROM book_client c
                WHERE c.id = ANY(%(ids)s) AND c.company_id = %(company)s AND c.deleted_at = %(now)s
                    AND k.client_id = c.id AND k.deleted_at IS NULL
                """,
                parameters,
            )
    why = (
        "Its client is deleted: restore the client first."
        if "deleted" in edit.sets
        else "It has too many tags for another one."
    )
    return SliceResult(
        changed,
        len(impossible),
        [{"kind": edit.subject, "id": pk, "why": why} for pk in impossible[:KEPT_SKIPS]],
    )


def _restore_clients(bulk: BulkChange, ids: list[int]) -> SliceResult:
    """One by one: each may be refused because its name was given to another client."""
    actor, changed, skips = actor_of(bulk), 0, []
    for client_id in ids:
        try:
            restore_client(actor, client_id=client_id, bulk=bulk)
        except BookError as error:
            skips.append({"kind": "client", "id": client_id, "why": str(error)})
        else:
            changed += 1
    return SliceResult(changed, len(skips), skips)


def _json_of(columns: list[str], pick: str, other: str) -> str:
    """JSON of the columns of `pick` in which it differs from `other`."""
    if len(columns) == 1:  # the rows differ, so the column does
        return f"jsonb_build_object('{columns[0]}', {pick}.{columns[0]})"
    return json_of_differing(columns, pick, other)


_YES = "CASE WHEN {} THEN 'yes' ELSE 'no' END"


def _readable_sql(edit: CheckedEdit) -> str:
    """JSON of what differs between `o` and `k`, as [old, new] as people read them."""
    parts = []
    for name in edit.sets:
        if name in LIST_KINDS:
            old = f"coalesce((SELECT v.name FROM book_listvalue v WHERE v.id = o.{name}), '')"
            parts.append(_differing_pair(name, old, f"%(name_of_{name})s::text"))
        elif name == "rep_id":
            old = """coalesce((SELECT coalesce(nullif(btrim(u.first_name || ' ' || u.last_name), ''), u.email)
                FROM accounts_user u WHERE u.id = o.rep_id), '')"""
            parts.append(_differing_pair(name, old, "%(name_of_rep_id)s::text"))
        elif name in {"active", "no_marketing"}:
            parts.append(_differing_pair(name, _YES.format(f"o.{name}"), _YES.format(f"k.{name}")))
    if "no_marketing" in edit.sets:
        parts.append(_differing_pair("no_marketing_reason", "o.no_marketing_reason", "k.no_marketing_reason"))
    if edit.add_tag_ids:
        parts.append(_tags_pair("tags_added", "%(plus)s::bigint[]", "t <> ALL(o.tag_ids)", old=False))
    if edit.remove_tag_ids:
        parts.append(_tags_pair("tags_removed", "%(minus)s::bigint[]", "t = ANY(o.tag_ids)", old=True))
    if edit.subject == "client" and edit.sets.get("deleted"):
        parts.append(
            """coalesce((SELECT jsonb_build_object('contacts', jsonb_build_array('', count(*)::text))
                FROM book_contact c WHERE c.client_id = k.id AND c.deleted_at IS NULL HAVING count(*) > 0),
                '{}'::jsonb)"""
        )
    return "(" + " || ".join(parts or ["'{}'::jsonb"]) + ")"


def _differing_pair(column: str, old: str, new: str) -> str:
    name = READABLE.get(column, column)
    return (
        f"CASE WHEN o.{column} IS DISTINCT FROM k.{column}"
        f" THEN jsonb_build_object('{name}', jsonb_build_array({old}, {new})) ELSE '{{}}'::jsonb END"
    )


def _tags_pair(name: str, ids: str, which: str, *, old: bool) -> str:
    names = (
        f"(SELECT string_agg(%(tag_names)s::jsonb ->> t::text, ', ') FROM unnest({ids}) AS t WHERE {which})"
    )
    pair = f"coalesce({names}, ''), ''" if old else f"'', coalesce({names}, '')"
    return f"jsonb_build_object('{name}', jsonb_build_array({pair}))"


def _constants(bulk: BulkChange, edit: CheckedEdit) -> dict[str, Any]:
    """Names of what the rows get, for their history."""
    tags = Tag.objects.filter(
        company_id=bulk.company_id, pk__in=[*edit.add_tag_ids, *edit.remove_tag_ids]
    ).values_list("pk", "name")
    names: dict[str, Any] = {"tag_names": json.dumps({str(pk): name for pk, name in tags})}
    for name, value in edit.sets.items():
        if name in LIST_KINDS:
            held = ListValue.objects.filter(company_id=bulk.company_id, pk=value or 0).first()
            names[f"name_of_{name}"] = held.name if held else ""
        elif name == "rep_id":
            rep = User.objects.filter(pk=value or 0).first()
            names["name_of_rep_id"] = rep.full_name if rep else ""
    return names


def deadline(seconds: float, clock: Callable[[], float]) -> Callable[[], bool]:
    """For `advance`: whether less than `seconds` have passed since now, by `clock`."""
    end = clock() + seconds
    return lambda: clock() < end
