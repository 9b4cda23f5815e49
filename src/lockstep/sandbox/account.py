"""Accounts, their users, and what opens them: API keys and OAuth tokens (contract, section 1)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from .audience import Audience

__all__ = ["Account", "Credential", "Role", "User"]

#: Roles from most to least; only the first three may write (trap 45: a small role passes /ping).
Role = str
ROLES = ("owner", "admin", "manager", "author", "viewer")
_WRITERS = frozenset(ROLES[:3])


@dataclass(slots=True)
class User:
    """Somebody with a login. The ten-connection limit is counted per user (contract, 7)."""

    id: int
    username: str
    email: str
    role: Role = "owner"
    enabled: bool = True

    @property
    def may_write(self) -> bool:
        return self.role in _WRITERS


@dataclass(slots=True)
class Credential:
    """An API key or an OAuth token of a user. `label` becomes a new member's `source`."""

    secret: str
    user: User
    client_id: str = ""
    label: str = "API - Generic"
    revoked: bool = False


@dataclass(slots=True)
class Account:
    """A Mailchimp account in one data centre, with its audiences in the order of their making."""

    id: str
    name: str
    data_centre: str
    created: int
    users: list[User]
    credentials: dict[str, Credential] = field(default_factory=dict)
    audiences: dict[str, Audience] = field(default_factory=dict)
    contact: dict[str, str] = field(default_factory=dict)
    extras: dict[str, Any] = field(default_factory=dict)

    @property
    def owner(self) -> User:
        return self.users[0]

    def contacts(self) -> int:
        """What a plan counts: all but archived and cleaned ones (contract, 7: limits)."""
        return sum(
            len(audience.shelves["current"]) - len(audience.shelves["cleaned"])
            for audience in self.audiences.values()
        )
