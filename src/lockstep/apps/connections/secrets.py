"""Credentials at rest: Fernet with rotation. Nothing else in the project encrypts or decrypts."""

from __future__ import annotations

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings


class SecretUnreadable(Exception):
    """The installation's encryption keys don't open this secret (a key was lost or replaced)."""


def _fernet() -> MultiFernet:
    return MultiFernet([Fernet(key) for key in settings.LOCKSTEP_ENCRYPTION_KEYS])


def seal(text: str) -> bytes:
    """Encrypt with the newest key."""
    return _fernet().encrypt(text.encode())


def unseal(sealed: bytes | memoryview) -> str:
    """Decrypt with whichever key fits. Raises `SecretUnreadable`."""
    try:
        return _fernet().decrypt(bytes(sealed)).decode()
    except InvalidToken as error:
        raise SecretUnreadable from error


def reseal(sealed: bytes | memoryview) -> bytes:
    """The same secret under the newest key."""
    return seal(unseal(sealed))
