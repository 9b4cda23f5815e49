"""What an access token may be allowed to do, and what that means in permissions."""

from __future__ import annotations

import enum
from collections.abc import Iterable

from lockstep.apps.accounts.permissions import Permission


class Scope(enum.StrEnum):
    """One thing that a token is made for. The values are part of the API."""

    BOOK_READ = "book:read"
    BOOK_WRITE = "book:write"
    BOOK_DELETE = "book:delete"
    SYNC_READ = "sync:read"
    SYNC_MANAGE = "sync:manage"
    WEBHOOKS_MANAGE = "webhooks:manage"


SCOPE_LABELS: dict[Scope, str] = {
    Scope.BOOK_READ: "Read clients, contacts, lists and history",
    Scope.BOOK_WRITE: "Add and change clients and contacts",
    Scope.BOOK_DELETE: "Delete and restore clients and contacts",
    Scope.SYNC_READ: "Read how contacts stand with Mailchimp",
    Scope.SYNC_MANAGE: "Start, stop, refresh and retry syncs",
    Scope.WEBHOOKS_MANAGE: "Say where sync outcomes are reported to",
}

_GIVES: dict[Scope, frozenset[Permission]] = {
    Scope.BOOK_READ: frozenset({Permission.VIEW_BOOK}),
    Scope.BOOK_WRITE: frozenset({Permission.VIEW_BOOK, Permission.EDIT_BOOK}),
    Scope.BOOK_DELETE: frozenset({Permission.VIEW_BOOK, Permission.DELETE_BOOK}),
    Scope.SYNC_READ: frozenset({Permission.VIEW_BOOK, Permission.VIEW_SYNC}),
    Scope.SYNC_MANAGE: frozenset({Permission.VIEW_SYNC, Permission.MANAGE_COMPANY}),
    Scope.WEBHOOKS_MANAGE: frozenset({Permission.MANAGE_COMPANY}),
}


def permissions_of(scopes: Iterable[str]) -> frozenset[Permission]:
    """The permissions that the scopes ask for; a scope of another version of Lockstep gives none."""
    known = {scope.value for scope in Scope}
    return frozenset().union(*(_GIVES[Scope(scope)] for scope in scopes if scope in known))
