"""What workers do for the book: doors only."""

from __future__ import annotations

from django.utils import timezone
from procrastinate.contrib.django import app

from lockstep.apps.book.services.bulk import advance_bulk
from lockstep.apps.book.services.imports.running import run_import as load_file
from lockstep.apps.book.services.imports.starting import delete_old_files
from lockstep.apps.book.tallies.building import companies_to_tally, make_tallies


@app.task(name="book.run_import", queue="book")
def run_import(import_id: int) -> None:
    load_file(import_id)


@app.periodic(cron="41 3 * * *")
@app.task(name="book.delete_old_import_files", queue="book")
def delete_old_import_files(timestamp: int) -> None:
    delete_old_files()


@app.periodic(cron="* * * * * */10", periodic_id="tallies")
@app.task(name="book.make_tallies", queue="book", queueing_lock="book-tallies", lock="book-tallies")
def keep_tallies(timestamp: int) -> None:
    for company_id in companies_to_tally(timezone.now()):
        make_tallies(company_id)


def queue_import(import_id: int) -> None:
    """Have a worker run the import once the surrounding transaction commits (the job is part of it)."""
    run_import.configure(lock=f"import:{import_id}").defer(import_id=import_id)


@app.task(name="book.go_on_with_bulk_change", queue="book")
def go_on_with_bulk_change(bulk_id: int) -> None:
    advance_bulk(bulk_id)


def queue_bulk_change(bulk_id: int) -> None:
    """Have a worker go on with a bulk change."""
    go_on_with_bulk_change.configure(lock=f"bulk:{bulk_id}").defer(bulk_id=bulk_id)
