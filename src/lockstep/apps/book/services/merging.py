"""Merge clients, or contacts, that are one and the same: one stays, the others become a part of it.

Everything of the others comes along: contacts, notes, addresses, tags. Who was
merged away keeps their row, deleted, with `merged_into`: so an old link leads
to the one that stays, an import that knows the old external id finds it, their
history is read with its history, and the merge can be undone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import transaction
from django.utils import timezone

from lockstep.apps.accounts.permissions import Actor, Permission
from lockstep.apps.book.errors import Invalid, NotFound
from lockstep.apps.book.models import BulkChange, Client, Contact, HistoryEntry
from lockstep.apps.book.queries.scope import clients_of, contacts_of
from lockstep.apps.book.services.fields import MAX_NOTES, MAX_TAGS
from lockstep.apps.book.services.naming import readable_values
from lockstep.apps.book.services.raw import (
    ADDRESS_PARTS,
    READABLE,
    Raw,
    addresses_of,
    differing,
    raw_of,
    write_raw,
)

MOST = 10
"""Rows merged at a time."""

CLIENT_PICKS = (
    "name",
    "account_number",
    "status_id",
    "industry_id",
    "rep_id",
    "website",
    "phone",
    "active",
    "address",
)
CONTACT_PICKS = (
    "first_name",
    "last_name",
    "position",
    "email",
    "phone",
    "extension",
    "cell",
    "fax",
    "department_id",
    "client_id",
    "active",
    "address",
)
"""What can be taken from one or another; `address` is a client's primary one, a contact's own one."""


def merged_client(kept: Raw, others: Sequence[Raw], picks: Mapping[str, Raw]) -> Raw:
    """What the client that stays will hold. Pure.

    `picks` says for a field whose value wins; without it the kept one's, or the
    first that isn't empty. Tags and addresses of all stay, and so do the notes.
    """
    merged = _picked(kept, others, picks, [name for name in CLIENT_PICKS if name != "address"])
    every = (kept, *others)
    merged["tag_ids"] = _union(*(row["tag_ids"] for row in every))
    notes = list(dict.fromkeys(row["notes"] for row in every if row["notes"]))
    merged["notes"] = "\n\n".join(notes)
    first = picks.get("address") or next((row for row in every if row["addresses"]), kept)
    addresses: list[dict[str, str]] = []
    for row in (first, *every):
        for address in row["addresses"]:
            if all(_where(address) != _where(known) for known in addresses):
                addresses.append(address)
    merged["addresses"] = addresses
    return merged


def merged_contact(kept: Raw, others: Sequence[Raw], picks: Mapping[str, Raw]) -> Raw:
    """What the contact that stays will hold. Pure.

    As `merged_client`; and if any of them is No Marketing, the one that stays is.
    """
    merged = _picked(kept, others, picks, [name for name in CONTACT_PICKS if name != "address"])
    every = (kept, *others)
    merged["tag_ids"] = _union(*(row["tag_ids"] for row in every))
    address = picks.get("address") or next(
        (row for row in every if any(row[part] for part in ADDRESS_PARTS)), kept
    )
    merged |= {part: address[part] for part in ADDRESS_PARTS}
    flagged = next((row for row in every if row["no_marketing"]), None)
    if flagged is not None:
        merged |= {name: flagged[name] for name in ("no_marketing", "no_marketing_reason", "no_marketing_at")}
    return merged


def _picked(kept: Raw, others: Sequence[Raw], picks: Mapping[str, Raw], names: Sequence[str]) -> Raw:
    merged: Raw = {}
    for name in names:
        if name in picks:
            merged[name] = picks[name][name]
        else:
            merged[name] = next(
                (row[name] for row in (kept, *others) if row[name] not in ("", None)), kept[name]
            )
    if "active" not in picks:
        merged["active"] = kept["active"]
    return merged


def _union(*lists: Sequence[int]) -> list[int]:
    return list(dict.fromkeys(tag for tags in lists for tag in tags))


def _where(address: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(address[part].casefold() for part in ADDRESS_PARTS)


@transaction.atomic
def merge_clients(
    actor: Actor, *, keep_id: int, other_ids: Sequence[int], picks: Mapping[str, int] | None = None
) -> BulkChange:
    """Merge the others into the client that stays; their contacts, deleted ones too, become its contacts.

    `picks` maps names of `CLIENT_PICKS` to the id of the client whose value is
    taken. Returns the bulk change, by which `start_undo` takes the merge back.
    Raises `NotPermitted`, `NotFound`, or `Invalid`.
    """
    rows = _to_merge(actor, "client", keep_id, other_ids)
    raw = {pk: raw_of(row) for pk, row in rows.items()}
    addresses = addresses_of(raw)
    for pk, held in raw.items():
        held["addresses"] = addresses.get(pk, [])
    chosen = _picks(raw, CLIENT_PICKS, picks or {})
    merged = merged_client(raw[keep_id], [raw[pk] for pk in other_ids], chosen)
    _check(merged)
    if actor.own_clients_only and merged["rep_id"] != raw[keep_id]["rep_id"]:
        raise Invalid({"rep_id": "You see only your own clients, so you can't give one to somebody else."})
    names = {pk: row.name for pk, row in rows.items() if isinstance(row, Client)}
    merge = _Merge(actor, "client", names[keep_id])
    contacts = {
        contact.pk: raw_of(contact)
        for contact in Contact.objects.select_for_update().filter(client_id__in=list(other_ids))
    }
    merge.write(
        "contact",
        contacts,
        {pk: {"client_id": keep_id} for pk in contacts},
        action="changed",
        readable={
            pk: {"client": [names[held["client_id"]], names[keep_id]]} for pk, held in contacts.items()
        },
    )
    merge.take_away(raw, keep_id, other_ids, names)
    merge.keep(raw, keep_id, merged, [names[pk] for pk in other_ids])
    return merge.bulk


@transaction.atomic
def merge_contacts(
    actor: Actor, *, keep_id: int, other_ids: Sequence[int], picks: Mapping[str, int] | None = None
) -> BulkChange:
    """Merge the others into the contact that stays, as `merge_clients` does; of one client or of several."""
    rows = _to_merge(actor, "contact", keep_id, other_ids)
    raw = {pk: raw_of(row) for pk, row in rows.items()}
    chosen = _picks(raw, CONTACT_PICKS, picks or {})
    merged = merged_contact(raw[keep_id], [raw[pk] for pk in other_ids], chosen)
    _check(merged)
    names = {pk: row.full_name or row.email for pk, row in rows.items() if isinstance(row, Contact)}
    merge = _Merge(actor, "contact", names[keep_id])
    merge.take_away(raw, keep_id, other_ids, names)
    merge.keep(raw, keep_id, merged, [names[pk] for pk in other_ids])
    return merge.bulk


def _to_merge(
    actor: Actor, kind: str, keep_id: int, other_ids: Sequence[int]
) -> dict[int, Client] | dict[int, Contact]:
    actor.require(Permission.EDIT_BOOK)
    actor.require(Permission.DELETE_BOOK)
    wanted = [keep_id, *other_ids]
    if not other_ids or len(set(wanted)) != len(wanted):
        raise Invalid({"": f"Choose at least two {kind}s to merge."})
    if len(wanted) > MOST:
        raise Invalid({"": f"{len(wanted)} are too many to merge at once: {MOST} fit."})
    found: Any = clients_of(actor) if kind == "client" else contacts_of(actor)
    rows = {row.pk: row for row in found.select_for_update(of=("self",)).filter(pk__in=wanted).order_by("pk")}
    if len(rows) < len(wanted):
        raise NotFound(kind)
    return rows


def _picks(raw: Mapping[int, Raw], names: Sequence[str], picks: Mapping[str, int]) -> dict[str, Raw]:
    if unknown := [name for name in picks if name not in names]:
        raise Invalid({unknown[0]: "This can't be chosen."})
    if wrong := [name for name, pk in picks.items() if pk not in raw]:
        raise Invalid({wrong[0]: "Choose one of those that are merged."})
    return {name: raw[pk] for name, pk in picks.items()}


def _check(merged: Raw) -> None:
    if len(merged["tag_ids"]) > MAX_TAGS:
        raise Invalid({"": f"Together they have {len(merged['tag_ids'])} tags: {MAX_TAGS} fit."})
    if len(merged.get("notes", "")) > MAX_NOTES:
        raise Invalid({"": f"Their notes together are too long: {MAX_NOTES:,} characters fit."})


class _Merge:
    """The writes of one merge, each with its history."""

    def __init__(self, actor: Actor, kind: str, name: str) -> None:
        self.actor, self.kind, self.now = actor, kind, timezone.now()
        self.bulk = BulkChange.objects.create(
            company=actor.company,
            user=actor.user,
            own_clients_only=actor.own_clients_only,
            kind=BulkChange.Kind.MERGE,
            subject_kind=kind,
            state=BulkChange.State.DONE,
            finished_at=self.now,
            words=f"Merged into {name}",
        )

    def take_away(
        self, raw: Mapping[int, Raw], keep_id: int, other_ids: Sequence[int], names: Mapping[int, str]
    ) -> None:
        model = Client if self.kind == "client" else Contact
        earlier = {
            row.pk: raw_of(row)  # type: ignore[arg-type]  # of one of the two models
            for row in model.objects.select_for_update().filter(merged_into_id__in=list(other_ids))
        }
        # Who was merged into one of these before is a part of the one that stays, too.
        self.write(self.kind, earlier, {pk: {"merged_into_id": keep_id} for pk in earlier}, action="changed")
        gone: Raw = {"deleted_at": self.now.isoformat(), "merged_into_id": keep_id}
        self.write(
            self.kind,
            {pk: raw[pk] for pk in other_ids},
            dict.fromkeys(other_ids, gone),
            action="merged",
            readable={pk: {"merged_into": ["", names[keep_id]]} for pk in other_ids},
        )

    def keep(self, raw: Mapping[int, Raw], keep_id: int, merged: Raw, others: Sequence[str]) -> None:
        """Last, so that an undo begins with it: it frees the name that another one gets back."""
        before, after = differing(raw[keep_id], merged)
        old, new = (
            readable_values(self.actor.company.pk, before),
            readable_values(self.actor.company.pk, after),
        )
        readable = {READABLE.get(column, column): [old[column], new[column]] for column in after}
        self.write(
            self.kind,
            {keep_id: raw[keep_id]},
            {keep_id: after},
            action="merged",
            readable={keep_id: {"merged": ["", ", ".join(others)], **readable}},
        )
        self.bulk.changed = self.bulk.total = self.bulk.done = self.bulk.entries.count()
        self.bulk.save(update_fields=["changed", "total", "done"])

    def write(
        self,
        kind: str,
        held: Mapping[int, Raw],
        values: Mapping[int, Raw],
        *,
        action: str,
        readable: Mapping[int, dict[str, list[str]]] | None = None,
    ) -> None:
        if not values:
            return
        write_raw(kind, values, now=self.now)
        entries = []
        for pk, row in values.items():
            before, after = differing(held[pk], row)
            entries.append(
                HistoryEntry(
                    company=self.actor.company,
                    user=self.actor.user,
                    at=self.now,
                    subject_kind=kind,
                    subject_id=pk,
                    action=action,
                    changes=(readable or {}).get(pk, {}),
                    before=before,
                    after=after,
                    bulk=self.bulk,
                )
            )
        HistoryEntry.objects.bulk_create(entries, batch_size=1_000)


__all__ = [
    "CLIENT_PICKS",
    "CONTACT_PICKS",
    "MOST",
    "merge_clients",
    "merge_contacts",
    "merged_client",
    "merged_contact",
]
