"""Importing a file: choose it, match its columns, see what will happen, let it run, mend what was refused."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.http import HttpResponse, QueryDict, StreamingHttpResponse
from django.urls import reverse

from lockstep.apps.accounts.permissions import Permission
from lockstep.apps.book.errors import BookError, Invalid
from lockstep.apps.book.models import BulkChange, Import
from lockstep.apps.book.queries import first_refusals, recent_imports
from lockstep.apps.book.sample import has_sample
from lockstep.apps.book.services.bulk import permissions_to_undo
from lockstep.apps.book.services.imports import (
    COLUMNS,
    confirm_import,
    import_of,
    preview_import,
    refused_rows_csv,
    upload_import,
)
from lockstep.web.doors import AskedRequest, answer, door, go
from lockstep.web.streams import csv_file

__all__ = ["Outcome", "import_page", "import_start", "outcome_of", "refused_file"]

_WORKING = (Import.State.QUEUED, Import.State.RUNNING)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an import does, or would do, so that every row is counted once."""

    rows: int
    parts: tuple[tuple[str, str, int], ...]
    """(tone, words, rows); they add up to `rows`."""
    facts: tuple[tuple[str, int], ...]
    """What else comes into the book."""
    contacts: int
    """Contacts that are added or changed."""
    taken: int
    refused: int

    @property
    def bar(self) -> list[tuple[str, int]]:
        return [(tone, count) for tone, _, count in self.parts]

    @property
    def label(self) -> str:
        return ", ".join(f"{words}: {count:,}" for _, words, count in self.parts if count)


def outcome_of(counts: Mapping[str, int]) -> Outcome | None:
    """From the numbers of `services.imports.counting`; None while there are none."""
    if "rows" not in counts:
        return None
    new, bad_email = counts["new_contacts"], counts["new_without_email"]
    parts = (
        ("ok", "New contacts", new - bad_email),
        ("wait", "New, no usable e-mail", bad_email),
        ("run", "Update a contact you have", counts["changed_contacts"]),
        ("off", "Nothing to change", counts["unchanged_contacts"]),
        ("off", "Skipped, in the book already", counts["skipped_rows"]),
        ("off", "Further rows of the same contact", counts["merged_rows"]),
        ("left", "About the client only", counts["client_rows"]),
        ("bad", "Refused", counts["refused_rows"]),
    )
    facts = (
        ("New clients", counts["new_clients"]),
        ("Clients to update", counts["changed_clients"]),
        ("New tags", counts["new_tags"]),
        ("New statuses, industries and departments", counts["new_list_values"]),
        ("Flagged No Marketing", counts["no_marketing"]),
    )
    return Outcome(
        rows=counts["rows"],
        parts=parts,
        facts=tuple((words, count) for words, count in facts if count),
        contacts=new + counts["changed_contacts"],
        taken=counts["rows"] - counts["refused_rows"] - counts["skipped_rows"],
        refused=counts["refused_rows"],
    )


@door(Permission.IMPORT_BOOK, nav="import", methods=("GET", "POST"))
def import_start(request: AskedRequest) -> HttpResponse:
    """Choose a file; it is read and checked at once, nothing of it is saved yet."""
    if request.method == "GET":
        context = {"imports": recent_imports(request.actor), "sample": has_sample(request.company)}
        return answer(request, "book/import_start.html", context)
    file = request.FILES.get("file")
    problem = "" if file else "Choose a file first."
    if file:
        try:
            with transaction.atomic():
                parent = upload_import(request.actor, file=file, filename=file.name or "")
                if not preview_import(request.actor, import_id=parent.pk).problem:
                    confirm_import(request.actor, import_id=parent.pk, on_match="fill", dry_run=True)
        except BookError as error:
            problem = str(error)
        else:
            return go(request, reverse("book:import_page", args=[parent.pk]))
    context = {"imports": recent_imports(request.actor), "problem": problem}
    return answer(request, "book/import_start.html", context, status=422)


@door(Permission.IMPORT_BOOK, nav="import", methods=("GET", "POST"))
def import_page(request: AskedRequest, import_id: int) -> HttpResponse:
    """The columns and what will happen, the progress, or the result: whichever the import has come to."""
    problem = ""
    if request.method == "POST":
        try:
            confirm_import(
                request.actor,
                import_id=import_id,
                mapping=_mapping(request.POST),
                on_match=request.POST.get("on_match", ""),
                extra_tags=request.POST.get("extra_tags", "").split(","),
                lift_no_marketing="lift_no_marketing" in request.POST,
                dry_run=request.POST.get("do") != "import",
            )
        except Invalid as error:
            problem = str(error)
        else:
            if not request.htmx:
                return go(request, reverse("book:import_page", args=[import_id]))
    parent = import_of(request.actor, import_id)
    context = _context(request, parent, problem)
    return answer(
        request, "book/import_page.html", context, fragment="import", status=422 if problem else 200
    )


def _mapping(data: QueryDict) -> dict[int, str]:
    """From the fields “column-<position>”; what is no position is left out."""
    named = {
        name.removeprefix("column-"): str(key) for name, key in data.items() if name.startswith("column-")
    }
    return {int(place): key for place, key in named.items() if key and re.fullmatch("[0-9]{1,6}", place)}


def _context(request: AskedRequest, parent: Import, problem: str) -> dict[str, Any]:
    working = parent.state in _WORKING
    context: dict[str, Any] = {
        "parent": parent,
        "outcome": outcome_of(parent.counts),
        "working": working,
        "matching": parent.state not in {Import.State.DONE} and (parent.dry_run or not working),
        "problem": problem,
    }
    if context["matching"] and parent.file_deleted_at is None:
        asked = _mapping(request.POST) if problem else None
        preview = preview_import(request.actor, import_id=parent.pk, mapping=asked)
        context |= {
            "preview": preview,
            "problem": problem or preview.problem,
            "columns": COLUMNS,
            "matched": sum(1 for column in preview.columns if column.key),
            "choices": [
                (Import.OnMatch.FILL, "Fill empty fields only"),
                (Import.OnMatch.OVERWRITE, "Overwrite with the file"),
                (Import.OnMatch.SKIP, "Skip the row"),
            ],
        }
    if parent.state in {Import.State.DONE, Import.State.CHECKED}:
        context["refusals"] = first_refusals(parent)
        context["undo"] = _undo(request, parent)
    return context


def _undo(request: AskedRequest, parent: Import) -> int | str:
    """The bulk change by which the import can be taken back; “undone” where it was; '' where it can't be."""
    bulk = BulkChange.objects.filter(parent_import=parent).first()
    if bulk is None:
        return ""
    if bulk.undone_by.exclude(state=BulkChange.State.FAILED).exists():
        return "undone"
    permitted = all(request.actor.may(permission) for permission in permissions_to_undo(bulk))
    return bulk.pk if permitted and bulk.entries.exists() else ""


@door(Permission.IMPORT_BOOK)
def refused_file(request: AskedRequest, import_id: int) -> StreamingHttpResponse:
    """The refused rows with the reasons, to be mended and loaded again."""
    parent = import_of(request.actor, import_id)
    lines = refused_rows_csv(request.actor, import_id=import_id)
    return csv_file(request, lines, parent.filename.rsplit(".", 1)[0] + ".refused.csv")
