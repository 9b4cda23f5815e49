"""What a person may do in a company, and the one place where it is asked.

Every service takes an `Actor` and calls `require` first; views and API
endpoints never decide permissions themselves.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lockstep.apps.accounts.models import Company, User


class Permission(enum.StrEnum):
    """One thing that a role may or may not do (product points A1, C1)."""

    VIEW_BOOK = "view_book"
    EDIT_BOOK = "edit_book"
    IMPORT_BOOK = "import_book"
    EXPORT_BOOK = "export_book"
    DELETE_BOOK = "delete_book"
    VIEW_SYNC = "view_sync"
    MANAGE_COMPANY = "manage_company"
    """“Manage users, billing, and company settings”: users, lists, all Mailchimp settings."""


class Role(enum.StrEnum):
    ADMIN = "admin"
    MANAGER = "manager"
    SALES = "sales"
    LIMITED = "limited"
    READ_ONLY = "read_only"


ROLE_LABELS: dict[Role, str] = {
    Role.ADMIN: "Admin",
    Role.MANAGER: "Manager",
    Role.SALES: "Sales",
    Role.LIMITED: "Limited",
    Role.READ_ONLY: "Read-only",
}

_VIEW = frozenset({Permission.VIEW_BOOK, Permission.VIEW_SYNC})

ROLE_PERMISSIONS: dict[Role, frozenset[Permission]] = {
    Role.ADMIN: frozenset(Permission),
    Role.MANAGER: _VIEW
    | {Permission.EDIT_BOOK, Permission.IMPORT_BOOK, Permission.EXPORT_BOOK, Permission.DELETE_BOOK},
    Role.SALES: _VIEW | {Permission.EDIT_BOOK, Permission.EXPORT_BOOK},
    Role.LIMITED: _VIEW | {Permission.EDIT_BOOK},
    Role.READ_ONLY: _VIEW,
}


"""What the roles are shipped with; a company may change it, see `permissions_of`."""

PERMISSION_LABELS: dict[Permission, str] = {
    Permission.VIEW_BOOK: "See clients and contacts",
    Permission.EDIT_BOOK: "Add and change clients and contacts",
    Permission.IMPORT_BOOK: "Import files",
    Permission.EXPORT_BOOK: "Export and download lists",
    Permission.DELETE_BOOK: "Delete and restore",
    Permission.VIEW_SYNC: "See the Mailchimp sync",
    Permission.MANAGE_COMPANY: "Manage users, billing, and company settings",
}

ALWAYS: dict[Role, frozenset[Permission]] = {
    role: frozenset(Permission) if role is Role.ADMIN else frozenset({Permission.VIEW_BOOK}) for role in Role
}
"""What no company can take from a role: everybody sees the book, and an Admin, who could give back to
themselves whatever was taken, always may do everything.
"""


def permissions_of(role: Role, changed: Mapping[str, Iterable[str]]) -> frozenset[Permission]:
    """What the role may do in a company that has `changed` some roles; the others are as shipped.

    Names that are no permission (any more) count for nothing. Pure.
    """
    if role.value not in changed:
        return ROLE_PERMISSIONS[role]
    known = {permission.value for permission in Permission}
    return frozenset(Permission(name) for name in changed[role.value] if name in known) | ALWAYS[role]


class NotPermitted(Exception):
    """The actor's role lacks the permission; the text is for the person."""

    def __init__(self, permission: Permission) -> None:
        self.permission = permission
        super().__init__(
            f"Your role does not include the permission “{PERMISSION_LABELS[permission]}”. "
            "An admin of your company can change it."
        )


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts, in which company, with which permissions.

    `user` is None for Lockstep itself (a timer, the worker, an import at the
    command line); Lockstep may do everything within its company.
    """

    company: Company
    user: User | None
    permissions: frozenset[Permission]
    own_clients_only: bool = False

    @classmethod
    def lockstep(cls, company: Company) -> Actor:
        return cls(company=company, user=None, permissions=frozenset(Permission))

    def may(self, permission: Permission) -> bool:
        return permission in self.permissions

    def require(self, permission: Permission) -> None:
        """Raise `NotPermitted` unless the actor holds the permission."""
        if permission not in self.permissions:
            raise NotPermitted(permission)

    @property
    def name(self) -> str:
        return self.user.full_name if self.user else "Lockstep"
