"""Loads contacts from CSV and XLSX files (B4).

A file is stored, its columns are matched, its rows are checked one by one and
copied into a staging table; set-based SQL then matches them with the book,
plans, and, unless it is a dry run, writes, all in one transaction.
"""

from lockstep.apps.book.services.imports.columns import BY_KEY, COLUMNS, Column, guess_mapping
from lockstep.apps.book.services.imports.errors import ImportRefused, UnreadableFile
from lockstep.apps.book.services.imports.refused import refused_rows_csv
from lockstep.apps.book.services.imports.running import Progress, run_import
from lockstep.apps.book.services.imports.starting import (
    FileColumn,
    Preview,
    PreviewRow,
    confirm_import,
    delete_old_files,
    import_of,
    preview_import,
    start_import,
    upload_import,
)

__all__ = [
    "BY_KEY",
    "COLUMNS",
    "Column",
    "FileColumn",
    "ImportRefused",
    "Preview",
    "PreviewRow",
    "Progress",
    "UnreadableFile",
    "confirm_import",
    "delete_old_files",
    "guess_mapping",
    "import_of",
    "preview_import",
    "refused_rows_csv",
    "run_import",
    "start_import",
    "upload_import",
]
