"""Undo: sets back what one change or a bulk change did, wherever nobody changed it since.

Works from the history: an entry that holds `before` and `after` can be undone.
What is set back is recorded like any other change, so an undo can be undone.
"""

from __future__ import annotations

import datetime
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import connection, transaction
from django.db.models import Q
from django.utils import timezone

from lockstep.apps.accounts.models import Seat
from lockstep.apps.accounts.permissions import Actor, Permission
from lockstep.apps.book.errors import Invalid, NotFound
from lockstep.apps.book.models import BulkChange, BulkTarget, Client, Contact, HistoryEntry, ListValue, Tag
from lockstep.apps.book.queries.history import FIELD_LABELS, undo_permission
from lockstep.apps.book.queries.scope import clients_of, contacts_of
from lockstep.apps.book.services.bulk.editing import SliceResult, actor_of
from lockstep.apps.book.services.raw import READABLE, Raw, addresses_of, differing, raw_of, write_raw
from lockstep.apps.book.services.setting_back import UNITS, set_back

ADDED = "added"
"""In `before` false and in `after` true: the row came into the book by this change."""


@dataclass(frozen=True, slots=True)
class Undone:
    """What `undo_entry` did; `kept` names the fields that somebody changed since, as people read them."""

    set_back: bool
    kept: tuple[str, ...]


@transaction.atomic
def undo_entry(actor: Actor, *, entry_id: int) -> Undone:
    """Undo one change of one client or contact.

    Raises `NotPermitted`, `NotFound`, or `Invalid` where it can't be undone: it
    is undone already, or is part of a merge, which is undone as a whole.
    """
    actor.require(Permission.EDIT_BOOK)
    entry = (
        HistoryEntry.objects.select_for_update(of=("self",))
        .select_related("bulk")
        .filter(company=actor.company, pk=entry_id, subject_kind__in=["client", "contact"])
        .first()
    )
    if entry is None or not _visible(actor, entry.subject_kind, [entry.subject_id]):
        raise NotFound("change")
    if entry.before is None or entry.after is None:
        raise Invalid({"": "This change can't be undone."})
    actor.require(undo_permission(entry))
    if entry.undone_at is not None:
        raise Invalid({"": "This change is undone already."})
    if entry.bulk is not None and entry.bulk.kind == BulkChange.Kind.MERGE:
        raise Invalid({"": "This is part of a merge. Undo the merge as a whole."})
    outcome = _undo(actor, [entry], bulk=None, now=timezone.now())
    kept = outcome.kept.get(entry.pk, ())
    if not outcome.done and kept:
        raise Invalid({"": outcome.why(entry.pk)})
    return Undone(bool(outcome.done), kept)


@transaction.atomic
def start_undo(actor: Actor, *, bulk_id: int) -> BulkChange:
    """Undo a bulk edit, a merge, an import, or an undo; `advance` does it.

    Raises `NotPermitted`, `NotFound`, or `Invalid` where it can't be undone (any more).
    """
    actor.require(Permission.EDIT_BOOK)
    bulk = (
        BulkChange.objects.select_for_update(of=("self",)).filter(company=actor.company, pk=bulk_id).first()
    )
    if bulk is None or (actor.own_clients_only and (actor.user is None or bulk.user_id != actor.user.pk)):
        raise NotFound("change")
    for permission in permissions_to_undo(bulk):
        actor.require(permission)
    if bulk.state == BulkChange.State.RUNNING:
        raise Invalid({"": "This is still under way. Wait until it is done, then undo it."})
    if bulk.undone_by.exclude(state=BulkChange.State.FAILED).exists():
        raise Invalid({"": "This is undone already."})
    undo = BulkChange.objects.create(
        company=actor.company,
        user=actor.user,
        own_clients_only=actor.own_clients_only,
        kind=BulkChange.Kind.UNDO,
        subject_kind=bulk.subject_kind,
        words=f"Undone: {bulk.words}"[:500],
        undoes=bulk,
    )
    with connection.cursor() as cursor:
        # The last first: contacts that an import added go before the clients it added.
        cursor.execute(
            f"""
            INSERT INTO {BulkTarget._meta.db_table} (bulk_id, ids)
                SELECT %s, coalesce(array_agg(e.id ORDER BY e.id DESC), '{{}}') FROM book_historyentry e
                WHERE e.bulk_id = %s AND e.before IS NOT NULL AND e.undone_at IS NULL
            RETURNING cardinality(ids)
            """,
            [undo.pk, bulk.pk],
        )
        (undo.total,) = cursor.fetchone()
    if not undo.total:
        raise Invalid({"": "There is nothing left of it that could be undone."})
    undo.save(update_fields=["total"])
    return undo


def permissions_to_undo(bulk: BulkChange) -> frozenset[Permission]:
    """What takes back a bulk change: what made it, and deleting where rows come or go."""
    first = first_of(bulk)
    match first.kind:
        case BulkChange.Kind.IMPORT:
            return frozenset({Permission.IMPORT_BOOK, Permission.EDIT_BOOK, Permission.DELETE_BOOK})
        case BulkChange.Kind.MERGE:
            return frozenset({Permission.EDIT_BOOK, Permission.DELETE_BOOK})
        case _:
            deletes = "deleted" in first.edit.get("sets", {})
            return frozenset({Permission.EDIT_BOOK} | ({Permission.DELETE_BOOK} if deletes else set()))


def first_of(bulk: BulkChange) -> BulkChange:
    """What was undone in the first place, where undos were undone."""
    while bulk.undoes is not None:
        bulk = bulk.undoes
    return bulk


def undo_slice(bulk: BulkChange, ids: list[int]) -> SliceResult:
    """Undo these history entries."""
    place = {pk: n for n, pk in enumerate(ids)}
    entries = sorted(
        HistoryEntry.objects.select_for_update().filter(pk__in=ids, undone_at=None),
        key=lambda entry: place[entry.pk],
    )
    outcome = _undo(actor_of(bulk), entries, bulk=bulk, now=timezone.now())
    skips = [
        {"kind": entry.subject_kind, "id": entry.subject_id, "why": outcome.why(entry.pk)}
        for entry in entries
        if entry.pk in outcome.kept
    ]
    return SliceResult(len(outcome.done), len(skips), skips)


@dataclass(slots=True)
class _Outcome:
    done: list[int] = field(default_factory=list)
    """Entries of which something was set back."""
    kept: dict[int, tuple[str, ...]] = field(default_factory=dict)
    """Entry → what stays, as people read it."""
    reasons: dict[int, str] = field(default_factory=dict)
    """Entry → why, where it is another reason than a later change."""

    def why(self, entry_id: int) -> str:
        if entry_id in self.reasons:
            return self.reasons[entry_id]
        return f"Changed since: {', '.join(self.kept[entry_id])}."


def _undo(
    actor: Actor, entries: Sequence[HistoryEntry], *, bulk: BulkChange | None, now: datetime.datetime
) -> _Outcome:
    outcome = _Outcome()
    if bulk is not None and first_of(bulk).kind == BulkChange.Kind.MERGE:
        # One by one, the one that stayed first: it frees the name that another one gets back.
        for entry in entries:
            _undo_kind(actor, entry.subject_kind, [entry], outcome, bulk=bulk, now=now)
        HistoryEntry.objects.filter(pk__in=outcome.done).update(undone_at=now)
        return outcome
    # Contacts first: a client that was added goes only when nobody is left at it.
    for kind in ("contact", "client"):
        theirs = [entry for entry in entries if entry.subject_kind == kind]
        if theirs:
            _undo_kind(actor, kind, theirs, outcome, bulk=bulk, now=now)
    HistoryEntry.objects.filter(pk__in=outcome.done).update(undone_at=now)
    return outcome


def _undo_kind(
    actor: Actor,
    kind: str,
    entries: Sequence[HistoryEntry],
    outcome: _Outcome,
    *,
    bulk: BulkChange | None,
    now: datetime.datetime,
) -> None:
    ids = sorted({entry.subject_id for entry in entries})
    rows = _visible(actor, kind, ids)
    current = {pk: raw_of(row) for pk, row in rows.items()}
    if kind == "client" and any("addresses" in (entry.before or {}) for entry in entries):
        addresses = addresses_of(rows)
        for pk, held in current.items():
            held["addresses"] = addresses.get(pk, [])
    touched_since = _changed_later(actor, kind, [e for e in entries if ADDED in (e.before or {})])
    allowed = _Allowed.of(actor, kind, entries, current)
    writes: dict[int, Raw] = {}
    for entry in entries:
        now_held = current.get(entry.subject_id)
        if now_held is None:
            _keep(outcome, entry, ["everything"], "You can't see this any more, so it was left alone.")
            continue
        before, after = dict(entry.before or {}), dict(entry.after or {})
        if ADDED in before:
            why = _stays(entry, now_held, touched_since)
            if why:
                _keep(outcome, entry, ["everything"], why)
                continue
            values: Raw = {} if now_held["deleted_at"] else {"deleted_at": now.isoformat()}
            kept: tuple[str, ...] = ()
        else:
            back = set_back(before, after, now_held)
            values, kept = dict(back.values), tuple(_label(column) for column in back.changed_since)
            refused = allowed.refuse(entry.subject_id, values, now_held)
            if refused:
                outcome.reasons[entry.pk] = " ".join(refused.values())
                kept += tuple(_label(column) for column in refused)
        if kept:
            outcome.kept[entry.pk] = kept
        if values:
            writes.setdefault(entry.subject_id, {}).update(values)
            current[entry.subject_id] = {**now_held, **values}
        if values or not kept:
            outcome.done.append(entry.pk)
    _write(actor, kind, writes, {pk: raw_of(row) for pk, row in rows.items()}, entries, bulk=bulk, now=now)


def _keep(outcome: _Outcome, entry: HistoryEntry, kept: list[str], why: str) -> None:
    outcome.kept[entry.pk], outcome.reasons[entry.pk] = tuple(kept), why


def _label(column: str) -> str:
    name = READABLE.get(column, column)
    return {"deleted_at": "deleted or not", "merged_into_id": "merged or not"}.get(
        column, FIELD_LABELS.get(name, name.replace("_", " "))
    )


def _visible(actor: Actor, kind: str, ids: Sequence[int]) -> dict[int, Client | Contact]:
    rows: Any = clients_of(actor, deleted=None) if kind == "client" else contacts_of(actor, deleted=None)
    return {row.pk: row for row in rows.filter(pk__in=ids).order_by("pk").select_for_update(of=("self",))}


def _changed_later(actor: Actor, kind: str, added: Sequence[HistoryEntry]) -> set[int]:
    """Of rows that the entries added: those changed later by something that still holds."""
    if not added:
        return set()
    later = HistoryEntry.objects.filter(
        company=actor.company, subject_kind=kind, subject_id__in=[entry.subject_id for entry in added]
    ).exclude(Q(pk__in=[entry.pk for entry in added]) | Q(action="undone") | Q(undone_at__isnull=False))
    first = {entry.subject_id: entry.pk for entry in added}
    return {subject for subject, pk in later.values_list("subject_id", "pk") if pk > first[subject]}


def _stays(entry: HistoryEntry, held: Raw, touched_since: set[int]) -> str:
    """Why a row that the change added stays in the book; '' where it goes."""
    if held["deleted_at"]:
        return ""
    if entry.subject_id in touched_since:
        return "Changed since it was added, so it stays."
    if entry.subject_kind == "client":
        live = Contact.objects.filter(client_id=entry.subject_id, deleted_at=None)
        if live.exists():
            return "There are contacts at it that stay, so it stays."
    return ""


@dataclass(slots=True)
class _Allowed:
    """What the company still has of the values to set back: a name or id that is taken can't return."""

    values: set[int]
    tags: set[int]
    reps: set[int]
    clients: set[int]
    names: dict[str, int]
    external_ids: dict[str, int]
    kind: str
    own_only: int | None

    @classmethod
    def of(
        cls, actor: Actor, kind: str, entries: Sequence[HistoryEntry], current: Mapping[int, Raw]
    ) -> _Allowed:
        company = actor.company
        wanted: dict[str, set[Any]] = defaultdict(set)
        for entry in entries:
            for column, value in (entry.before or {}).items():
                if column != "addresses" and value is not None:
                    wanted[column].update(value if isinstance(value, list) else [value])
        lists = wanted["status_id"] | wanted["industry_id"] | wanted["department_id"]
        model = Client if kind == "client" else Contact
        names = {text.lower() for text in wanted["name"]}
        if "deleted_at" in {column for entry in entries for column in (entry.before or {})}:
            names |= {held["name"].lower() for held in current.values() if "name" in held}
        taken = (
            Client.objects.filter(company=company, deleted_at=None).extra(
                where=["lower(name) = ANY(%s)"], params=[list(names)]
            )
            if names and kind == "client"
            else Client.objects.none()
        )
        return cls(
            values=set(ListValue.objects.filter(company=company, pk__in=lists).values_list("pk", flat=True)),
            tags=set(
                Tag.objects.filter(company=company, pk__in=wanted["tag_ids"]).values_list("pk", flat=True)
            ),
            reps=set(
                Seat.objects.filter(company=company, user_id__in=wanted["rep_id"]).values_list(
                    "user_id", flat=True
                )
            ),
            clients=set(
                clients_of(actor, deleted=None)
                .filter(pk__in=wanted["client_id"])
                .values_list("pk", flat=True)
            ),
            names={client.name.lower(): client.pk for client in taken},
            external_ids=dict(
                model.objects.filter(
                    company=company, external_id__in=wanted["external_id"] - {""}
                ).values_list("external_id", "pk")
            ),
            kind=kind,
            own_only=actor.user.pk if actor.own_clients_only and actor.user else None,
        )

    def refuse(self, pk: int, values: Raw, held: Raw) -> dict[str, str]:
        """Take out of `values` what can't be set back: column → why."""
        refused = {}
        for column in ("status_id", "industry_id", "department_id"):
            if values.get(column) is not None and values[column] not in self.values:
                refused[column] = f"The {_label(column).lower()} of before is no longer in the list."
        if values.get("rep_id") is not None and values["rep_id"] not in self.reps:
            refused["rep_id"] = "The client rep of before is no longer in the company."
        if "rep_id" in values and self.own_only is not None and values["rep_id"] != self.own_only:
            refused["rep_id"] = "You see only your own clients, so you can't give one to somebody else."
        if "client_id" in values and values["client_id"] not in self.clients:
            refused["client_id"] = "The client of before is not there any more."
        name = str(values.get("name", held.get("name", "") if "deleted_at" in values else ""))
        is_named = values.get("deleted_at", "") is None or "name" in values
        if is_named and self.names.get(name.lower(), pk) != pk:
            column = "name" if "name" in values else "deleted_at"
            refused[column] = f"Another client is called “{name}” by now."
        if self.external_ids.get(values.get("external_id", ""), pk) != pk:
            refused["external_id"] = "Another one has the external id of before by now."
        for column in refused:
            for together in next((unit for unit in UNITS if column in unit), {column}):
                values.pop(together, None)
        if "tag_ids" in values:
            values["tag_ids"] = [
                tag for tag in values["tag_ids"] if tag in self.tags or tag in held["tag_ids"]
            ]
        return refused


def _write(
    actor: Actor,
    kind: str,
    writes: dict[int, Raw],
    held: Mapping[int, Raw],
    entries: Sequence[HistoryEntry],
    *,
    bulk: BulkChange | None,
    now: datetime.datetime,
) -> None:
    if not writes:
        return
    write_raw(kind, writes, now=now)
    if kind == "client":
        for pk, values in writes.items():
            if "deleted_at" in values:
                _with_client(pk, held[pk]["deleted_at"], values["deleted_at"], now)
    readable: dict[int, dict[str, list[str]]] = {}
    old_raw: dict[int, Raw] = {}
    for entry in entries:
        readable.setdefault(entry.subject_id, {}).update(
            {name: [new, old] for name, (old, new) in entry.changes.items() if name != "import"}
        )
        old_raw.setdefault(entry.subject_id, {}).update(entry.after or {})
    made = []
    for pk, values in writes.items():
        old = {**old_raw.get(pk, {}), **held[pk]}
        before, after = differing(old, values)
        kept = {READABLE.get(column, column) for column in values}
        changes = {
            name: pair
            for name, pair in readable.get(pk, {}).items()
            if name in kept
            or (name in {"tags_added", "tags_removed"} and "tag_ids" in values)
            or "addresses" in values
        }
        made.append(
            HistoryEntry(
                company=actor.company,
                user=actor.user,
                at=now,
                subject_kind=kind,
                subject_id=pk,
                action="undone",
                changes=changes,
                before=before,
                after=after,
                bulk=bulk,
            )
        )
    HistoryEntry.objects.bulk_create(made)


def _with_client(client_id: int, gone: str | None, going: str | None, now: datetime.datetime) -> None:
    """A client's contacts leave and come back with it, as when it is deleted or restored by hand."""
    contacts = Contact.objects.filter(client_id=client_id)
    if going:
        contacts.filter(deleted_at=None).update(deleted_at=going, updated_at=now)
    elif gone:
        contacts.filter(deleted_at=gone, merged_into=None).update(deleted_at=None, updated_at=now)
