"""The imports that were made."""

from __future__ import annotations

from lockstep.apps.accounts.permissions import Actor, Permission
from lockstep.apps.book.models import Import, ImportRefusal


def recent_imports(actor: Actor, *, limit: int = 20) -> list[Import]:
    """The latest imports, newest first; who is limited to own clients sees their own only. One query."""
    actor.require(Permission.IMPORT_BOOK)
    imports = Import.objects.filter(company=actor.company).select_related("user")
    if actor.own_clients_only:
        imports = imports.filter(user=actor.user)
    return list(imports.order_by("-created_at", "-id")[:limit])


def first_refusals(parent: Import, *, limit: int = 10) -> list[ImportRefusal]:
    """The first rows that were refused; all of them are in `refused_rows_csv`."""
    return list(ImportRefusal.objects.filter(parent=parent).order_by("row_number")[:limit])
