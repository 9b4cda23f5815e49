"""What proves to Mailchimp who is calling; never shown in a repr or a log."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field

from lockstep.mailchimp.errors import InvalidCall


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key pasted by a person (contract 1.1); sent as HTTP Basic, whose user name Mailchimp ignores."""

    key: str = field(repr=False)

    def header(self) -> str:
        return "Basic " + base64.b64encode(f"lockstep:{_checked(self.key)}".encode()).decode("ascii")


@dataclass(frozen=True, slots=True)
class AccessToken:
    """A token from OAuth (contract 1.2); valid until revoked."""

    token: str = field(repr=False)

    def header(self) -> str:
        return "Bearer " + _checked(self.token)


def _checked(secret: str) -> str:
    """Raises `InvalidCall` for what cannot stand in a header line."""
    if not secret or not secret.isascii() or not secret.isprintable() or " " in secret:
        raise InvalidCall("The key or token holds characters that no key of Mailchimp has.")
    return secret
