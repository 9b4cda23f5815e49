"""Runs an import from its stored file to the book, or as far as a dry run goes."""

from __future__ import annotations

import datetime
import itertools
import json
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from django.db import connection, transaction
from django.utils import timezone

from lockstep.apps.accounts.permissions import Actor, Permission
from lockstep.apps.book.errors import BookError, NotFound
from lockstep.apps.book.models import BulkChange, Import, ImportRefusal
from lockstep.apps.book.services.imports.applying import apply_plan
from lockstep.apps.book.services.imports.checking import Accepted, Refused, RowChecker
from lockstep.apps.book.services.imports.counting import collect_warnings, count_rows
from lockstep.apps.book.services.imports.files import open_file
from lockstep.apps.book.services.imports.matching import match_rows
from lockstep.apps.book.services.imports.planning import plan_changes
from lockstep.apps.book.services.imports.reading import Row, Table, read_table
from lockstep.apps.book.services.imports.staging import copy_rows, staging_tables
from lockstep.apps.book.statistics import refresh_statistics

logger = logging.getLogger(__name__)

BATCH = 5_000
"""Rows copied, and refusals written, at a time: this is what stays in memory."""

READING_SHARE = 60
"""Per cent of the progress that reading the file makes."""

_LOCK_SPACE = 0x4C530001
"""First half of the advisory locks' key; the second is the company's id, so that its imports take turns."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an import is: what it is doing, per cent, and rows read so far."""

    stage: str
    percent: int
    rows: int


ProgressReport = Callable[[Progress], None]


def run_import(import_id: int, *, progress: ProgressReport | None = None) -> Import:
    """Load the file of an import, or check it where `dry_run` is set; returns the import with its numbers.

    Safe to repeat after a crash: nothing of a file is in the book until all of
    it is, and rows that are there already change nothing. An import that is
    done, or failed, is returned as it is. What is wrong with the file as a
    whole is recorded on the import (state “failed”), not raised.
    """
    parent = Import.objects.select_related("company", "user").filter(pk=import_id).first()
    if parent is None:
        raise NotFound("import")
    if parent.state not in {Import.State.QUEUED, Import.State.RUNNING}:
        return parent
    actor = Actor(
        company=parent.company,
        user=parent.user,
        permissions=frozenset({Permission.IMPORT_BOOK}),
        own_clients_only=parent.own_clients_only,
    )
    run = _Run(parent, actor, progress, timezone.now())
    logger.info("import started", extra={"import_id": parent.pk, "dry_run": parent.dry_run})
    try:
        run.load()
        if not parent.dry_run:
            refresh_statistics()
    except BookError as error:
        _finish(parent, Import.State.FAILED, error=str(error))
    except Exception:
        if connection.is_usable():  # else the worker that takes the job over runs it again
            _finish(
                parent,
                Import.State.FAILED,
                error="Lockstep failed at this file. Nothing was saved; try again.",
            )
        raise
    logger.info("import ended", extra={"import_id": parent.pk, "state": parent.state, **parent.counts})
    return parent


def _finish(parent: Import, state: Import.State, *, error: str = "") -> None:
    parent.state, parent.error, parent.stage = state, error, ""
    parent.finished_at = timezone.now()
    parent.save(
        update_fields=[
            "state",
            "error",
            "stage",
            "progress",
            "counts",
            "warnings",
            "started_at",
            "finished_at",
        ]
    )


class _Run:
    """One run of one import; what it keeps in memory doesn't grow with the file."""

    def __init__(
        self, parent: Import, actor: Actor, progress: ProgressReport | None, now: datetime.datetime
    ) -> None:
        self.parent = parent
        self.actor = actor
        self.progress = progress
        self.now = now
        self.checker = RowChecker({int(position): key for position, key in parent.mapping.items()})
        self.rows = 0
        self.refused = 0

    def load(self) -> None:
        parent = self.parent
        parent.state, parent.started_at = Import.State.RUNNING, self.now
        self.tell("Reading the file", 0)
        ImportRefusal.objects.filter(parent=parent).delete()
        with staging_tables():
            self.stage_file()
            with transaction.atomic():
                self.take_turn()
                self.tell("Comparing with the book", READING_SHARE, save=False)
                match_rows(self.actor)
                plan_changes(self.actor, on_match=parent.on_match, lift_no_marketing=parent.lift_no_marketing)
                parent.counts = count_rows(parent, refused_early=self.refused)
                parent.warnings = collect_warnings()
                self.record_late_refusals()
                if not parent.dry_run:
                    self.tell("Saving", 80, save=False)
                    bulk = self.bulk_change()
                    apply_plan(
                        self.actor,
                        on_match=parent.on_match,
                        lift_no_marketing=parent.lift_no_marketing,
                        filename=parent.filename,
                        source=json.dumps({"import": ["", parent.filename]}),
                        bulk_id=bulk.pk,
                        now=self.now,
                    )
                parent.progress = 100
                _finish(parent, Import.State.CHECKED if parent.dry_run else Import.State.DONE)
        self.tell("Done", 100, save=False)

    def bulk_change(self) -> BulkChange:
        """By which the whole import can be undone; its history hangs on it."""
        rows = self.parent.counts["new_contacts"] + self.parent.counts["changed_contacts"]
        return BulkChange.objects.create(
            company=self.actor.company,
            user=self.actor.user,
            own_clients_only=self.actor.own_clients_only,
            kind=BulkChange.Kind.IMPORT,
            subject_kind="contact",
            words=f"Import of {self.parent.filename}"[:500],
            parent_import=self.parent,
            total=rows,
            done=rows,
            changed=rows,
            state=BulkChange.State.DONE,
            created_at=self.now,
            finished_at=self.now,
        )

    def take_turn(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_advisory_xact_lock(%s, %s)", [_LOCK_SPACE, self.actor.company.pk % 2**31]
            )

    def stage_file(self) -> None:
        """Check every row; copy the good ones, record the others."""
        with open_file(self.parent) as file:
            table = read_table(file)
            for batch in _batches(table):
                self.rows += len(batch)
                copy_rows(self.accepted(batch))
                share = min(1.0, file.tell() / max(1, self.parent.file_size)) if not file.closed else 1.0
                self.tell("Reading the file", int(READING_SHARE * share))

    def accepted(self, batch: list[Row]) -> Iterator[tuple[int, Accepted]]:
        refusals, taken = [], []
        for row in batch:
            result = self.checker.check(row.cells)
            if isinstance(result, Refused):
                refusals.append(self.refusal(row, " ".join(result.reasons)))
                continue
            if self.parent.extra_tags and result.has_contact:
                result.contact_tags.extend(self.parent.extra_tags)
            taken.append((row.number, result))
        ImportRefusal.objects.bulk_create(refusals)
        self.refused += len(refusals)
        return iter(taken)

    def record_late_refusals(self) -> None:
        """Rows that only the comparison with the book refused; their cells are read from the file again."""
        with connection.cursor() as cursor:
            cursor.execute("SELECT row_no, reason FROM import_refused")
            reasons = dict(cursor.fetchall())
        if not reasons:
            return
        with open_file(self.parent) as file:
            wanted = (row for row in read_table(file).rows if row.number in reasons)
            while batch := list(itertools.islice(wanted, BATCH)):
                ImportRefusal.objects.bulk_create(self.refusal(row, reasons[row.number]) for row in batch)

    def refusal(self, row: Row, reason: str) -> ImportRefusal:
        cells = [cell.replace("\x00", "")[:2_000] for cell in row.cells[: len(self.parent.header)]]
        return ImportRefusal(parent=self.parent, row_number=row.number, reason=reason, cells=cells)

    def tell(self, stage: str, percent: int, *, save: bool = True) -> None:
        """Report progress; inside the transaction others could not see it: `save` is false there."""
        self.parent.stage, self.parent.progress = stage, percent
        if save:
            self.parent.save(update_fields=["state", "started_at", "stage", "progress"])
        if self.progress:
            self.progress(Progress(stage, percent, self.rows))


def _batches(table: Table) -> Iterator[list[Row]]:
    while batch := list(itertools.islice(table.rows, BATCH)):
        yield batch
