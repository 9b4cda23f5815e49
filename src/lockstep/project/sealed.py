"""Every secret that the installation's encryption keys seal: found, tried, and put under the newest key."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from allauth.mfa.models import Authenticator
from cryptography.fernet import Fernet, InvalidToken
from django.conf import settings
from django.db import models, transaction

from lockstep.apps.connections.models import Connection, MailchimpAccount
from lockstep.apps.connections.secrets import SecretUnreadable, reseal, unseal

__all__ = ["rotate", "unreadable"]

#: Which columns hold sealed bytes; authenticators hold sealed texts within their JSON.
COLUMNS: tuple[tuple[type[models.Model], tuple[str, ...]], ...] = (
    (MailchimpAccount, ("secret",)),
    (Connection, ("webhook_secret", "webhook_signing_secret")),
)
AT_ONCE = 200


def unreadable() -> tuple[int, list[str]]:
    """How many secrets there are, and whose the present keys don't open (“mailchimp account 3”)."""
    total, lost = 0, []
    for name, sealed in _every():
        total += 1
        try:
            unseal(sealed)
        except SecretUnreadable:
            lost.append(name)
    return total, lost


def _every() -> Iterator[tuple[str, bytes]]:
    for model, columns in COLUMNS:
        for row in model._default_manager.order_by("pk").iterator(chunk_size=AT_ONCE):
            for column in columns:
                if value := bytes(getattr(row, column)):
                    yield f"{model._meta.verbose_name} {row.pk}", value
    for factor in Authenticator.objects.order_by("pk").iterator(chunk_size=AT_ONCE):
        for text in _sealed_texts(factor.data):
            yield f"second factor {factor.pk}", text.encode()


def _sealed_texts(value: Any) -> Iterator[str]:
    """Fernet's tokens begin with its version byte, which base64 writes as these letters."""
    if isinstance(value, str) and value.startswith("gAAAAA"):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _sealed_texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _sealed_texts(inner)


def rotate(note: Callable[[int], None] = lambda done: None) -> tuple[int, int, list[str]]:
    """Put every secret under the first key: (changed, there already, unreadable ones left as they are).

    Rows are locked and changed some at a time, each transaction whole: an interrupted rotation is simply
    begun again and goes on where it ended. `note` hears how many were changed so far.
    """
    newest = Fernet(settings.LOCKSTEP_ENCRYPTION_KEYS[0])
    changed = kept = 0
    lost: list[str] = []

    def renewed(sealed: bytes, name: str) -> bytes:
        nonlocal changed, kept
        try:
            newest.decrypt(sealed)
        except InvalidToken:
            try:
                fresh = reseal(sealed)
            except SecretUnreadable:
                lost.append(name)
                return sealed
            changed += 1
            return fresh
        kept += 1
        return sealed

    def in_json(value: Any, name: str) -> Any:
        if isinstance(value, str) and value.startswith("gAAAAA"):
            return renewed(value.encode(), name).decode()
        if isinstance(value, dict):
            return {key: in_json(inner, name) for key, inner in value.items()}
        if isinstance(value, list):
            return [in_json(inner, name) for inner in value]
        return value

    for model, columns in (*COLUMNS, (Authenticator, ("data",))):
        last = 0
        while True:
            with transaction.atomic():
                rows = list(
                    model._default_manager.select_for_update().filter(pk__gt=last).order_by("pk")[:AT_ONCE]
                )
                for row in rows:
                    name = f"{model._meta.verbose_name} {row.pk}"
                    before = {column: getattr(row, column) for column in columns}
                    for column, value in before.items():
                        if model is Authenticator:
                            setattr(row, column, in_json(value, name))
                        elif value:
                            setattr(row, column, renewed(bytes(value), name))
                    if any(getattr(row, column) != value for column, value in before.items()):
                        row.save(update_fields=list(columns))
            if not rows:
                break
            last = rows[-1].pk
            note(changed)
    return changed, kept, lost
