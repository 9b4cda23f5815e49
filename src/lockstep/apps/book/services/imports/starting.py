"""Takes a file in, shows what would come of it, and sets the import going."""

from __future__ import annotations

import datetime
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.db import transaction
from django.utils import timezone

from lockstep.apps.accounts.permissions import Actor, Permission
from lockstep.apps.book.errors import Invalid, NotFound
from lockstep.apps.book.models import Import, ImportChunk, ImportRefusal
from lockstep.apps.book.services.contacts import email_is_valid
from lockstep.apps.book.services.fields import FieldCheck, one_line
from lockstep.apps.book.services.imports.checking import TEXTS, Accepted, Refused, RowChecker
from lockstep.apps.book.services.imports.columns import BY_KEY, guess_mapping, wrong_mapping
from lockstep.apps.book.services.imports.errors import UnreadableFile
from lockstep.apps.book.services.imports.files import Readable, open_file, store_file
from lockstep.apps.book.services.imports.reading import read_table

SAMPLE_ROWS = 20
SAMPLE_VALUES = 3


@dataclass(frozen=True, slots=True)
class FileColumn:
    """A column of the file: its name, its first different values, and the key it goes to ('' is left out)."""

    position: int
    name: str
    values: tuple[str, ...]
    key: str
    label: str


@dataclass(frozen=True, slots=True)
class PreviewRow:
    """How one of the first rows arrives."""

    number: int
    contact: str
    client: str
    email: str
    email_valid: bool
    no_marketing: bool
    refused: str
    """Why the row would be refused; '' if it would not, as far as the row itself can tell."""


@dataclass(frozen=True, slots=True)
class Preview:
    import_id: int
    filename: str
    kind: str
    """“Comma, UTF-8”."""
    columns: tuple[FileColumn, ...]
    rows: tuple[PreviewRow, ...]
    problem: str
    """What is wrong with the mapping; '' if the import can start."""


@transaction.atomic
def upload_import(actor: Actor, *, file: Readable, filename: str) -> Import:
    """Store a file and guess where its columns go; nothing else happens yet.

    `file` is anything with `read(size) -> bytes`. Raises `NotPermitted`, or
    `UnreadableFile` where it is no table, is empty or too big.
    """
    actor.require(Permission.IMPORT_BOOK)
    parent = Import.objects.create(
        company=actor.company,
        user=actor.user,
        own_clients_only=actor.own_clients_only,
        filename=one_line(filename.replace("\\", "/").rsplit("/", 1)[-1])[:255] or "contacts.csv",
    )
    parent.file_size = store_file(parent, file)
    with open_file(parent) as stored:
        table = read_table(stored)
        if len(table.header) < 2 and next(iter(table.rows), None) is None:
            raise UnreadableFile("The file has one cell only. Load a table with a row of column names.")
    parent.header = table.header
    parent.mapping = {str(position): key for position, key in guess_mapping(table.header).items()}
    parent.save()
    return parent


def preview_import(actor: Actor, *, import_id: int, mapping: Mapping[int, str] | None = None) -> Preview:
    """How the first rows would arrive under a mapping (without one: the import's own)."""
    actor.require(Permission.IMPORT_BOOK)
    parent = import_of(actor, import_id)
    chosen = _mapping(parent, mapping)
    with open_file(parent) as file:
        table = read_table(file)
        rows = list(itertools.islice(table.rows, SAMPLE_ROWS))
    columns = []
    for position, name in enumerate(table.header):
        key = chosen.get(position, "")
        values = dict.fromkeys(value for row in rows if (value := one_line(row.cells[position])[:60]))
        label = BY_KEY[key].label if key in BY_KEY else ""
        columns.append(FileColumn(position, name, tuple(values)[:SAMPLE_VALUES], key, label))
    problem = wrong_mapping(chosen, len(table.header))
    checker = RowChecker({} if problem else chosen)
    shown = [] if problem else [_preview_row(row.number, checker.check(row.cells)) for row in rows]
    return Preview(
        import_id=parent.pk,
        filename=parent.filename,
        kind=table.kind,
        columns=tuple(columns),
        rows=tuple(shown),
        problem=problem,
    )


def _preview_row(number: int, result: Accepted | Refused) -> PreviewRow:
    if isinstance(result, Refused):
        return PreviewRow(number, "", "", "", False, False, " ".join(result.reasons))
    texts = dict(zip(TEXTS, result.texts, strict=True))
    return PreviewRow(
        number=number,
        contact=f"{texts['first_name']} {texts['last_name']}".strip(),
        client=texts["client_name"] or texts["account_number"] or texts["client_external_id"],
        email=texts["email"],
        email_valid=bool(texts["email"]) and email_is_valid(texts["email"]),
        no_marketing=bool(result.no_marketing),
        refused="",
    )


@transaction.atomic
def confirm_import(
    actor: Actor,
    *,
    import_id: int,
    mapping: Mapping[int, str] | None = None,
    on_match: Import.OnMatch | str = Import.OnMatch.OVERWRITE,
    extra_tags: Sequence[str] = (),
    lift_no_marketing: bool = False,
    dry_run: bool = False,
    queue: bool = True,
) -> Import:
    """Set an uploaded (or checked) import going with these choices.

    With `queue` a worker takes it as soon as the caller's transaction commits;
    without, the caller runs `run_import` itself. Raises `Invalid` where the
    mapping or a tag is wrong, or the import is running or done already.
    """
    actor.require(Permission.IMPORT_BOOK)
    parent = import_of(actor, import_id, for_update=True)
    if parent.state not in {Import.State.UPLOADED, Import.State.CHECKED, Import.State.FAILED}:
        raise Invalid({"": f"This import is {parent.get_state_display().lower()} already."})
    if parent.file_deleted_at is not None:
        raise Invalid({"": "The file was deleted meanwhile. Load it again."})
    if on_match not in Import.OnMatch.values:
        raise Invalid({"on_match": "Choose what happens to contacts that the book has already."})
    chosen = _mapping(parent, mapping)
    check = FieldCheck()
    if problem := wrong_mapping(chosen, len(parent.header)):
        check.complain("mapping", problem)
    parent.extra_tags = check.tags(extra_tags, "extra_tags")
    check.finish()
    parent.mapping = {str(position): key for position, key in chosen.items()}
    parent.on_match, parent.lift_no_marketing, parent.dry_run = on_match, lift_no_marketing, dry_run
    parent.state, parent.stage, parent.progress, parent.error = Import.State.QUEUED, "", 0, ""
    parent.counts, parent.warnings = {}, []
    parent.save()
    if queue:
        from lockstep.apps.book.tasks import queue_import  # the task imports the services

        queue_import(parent.pk)
    return parent


@transaction.atomic
def start_import(
    actor: Actor,
    file: Readable,
    filename: str,
    mapping: Mapping[int, str] | None = None,
    *,
    on_match: Import.OnMatch | str = Import.OnMatch.OVERWRITE,
    extra_tags: Sequence[str] = (),
    lift_no_marketing: bool = False,
    dry_run: bool = False,
    queue: bool = True,
) -> Import:
    """Upload and confirm in one go, with the guessed mapping where none is given."""
    parent = upload_import(actor, file=file, filename=filename)
    return confirm_import(
        actor,
        import_id=parent.pk,
        mapping=mapping,
        on_match=on_match,
        extra_tags=extra_tags,
        lift_no_marketing=lift_no_marketing,
        dry_run=dry_run,
        queue=queue,
    )


def import_of(actor: Actor, import_id: int, *, for_update: bool = False) -> Import:
    """The company's import of that id; who is limited to own clients sees their own imports only."""
    imports = Import.objects.filter(company=actor.company)
    if actor.own_clients_only:
        imports = imports.filter(user=actor.user)
    if for_update:
        imports = imports.select_for_update()
    parent = imports.filter(pk=import_id).first()
    if parent is None:
        raise NotFound("import")
    return parent


def _mapping(parent: Import, mapping: Mapping[int, str] | None) -> dict[int, str]:
    if mapping is None:
        return {int(position): key for position, key in parent.mapping.items()}
    return {int(position): key for position, key in mapping.items() if key}


def delete_old_files(*, older_than_days: int = 30) -> int:
    """Delete the files and refused rows of older imports; the record stays. Returns how many."""
    now = timezone.now()
    old = Import.objects.filter(
        file_deleted_at=None, created_at__lt=now - datetime.timedelta(days=older_than_days)
    )
    ids = list(old.values_list("pk", flat=True))
    with transaction.atomic():
        ImportChunk.objects.filter(parent__in=ids).delete()
        ImportRefusal.objects.filter(parent__in=ids).delete()
        return Import.objects.filter(pk__in=ids).update(file_deleted_at=now)
