"""What names a member: the address key and the subscriber hash. The only place a hash is computed."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import NewType

AddressKey = NewType("AddressKey", str)
"""An address trimmed and lower-cased, as Mailchimp compares addresses; '' where there is none.

The book's database computes it (generated column), so that counts in SQL and the engine agree.
"""

NO_ADDRESS = AddressKey("")

SubscriberHash = NewType("SubscriberHash", str)
"""MD5 of the address key, 32 hex characters: the member's `id` at Mailchimp (contract 4.1)."""


def address_key(email: str) -> AddressKey:
    """The key of an address that did not come from the book (an observed member, a webhook)."""
    return AddressKey(email.strip().lower())


@lru_cache(maxsize=1 << 14)
def subscriber_hash(key: AddressKey) -> SubscriberHash:
    """The member's id for an address key (contract 4.1: MD5 of the lower-cased address).

    Kept for the contacts of the calls under way: each step of a sync asks for the same ones again.
    """
    return SubscriberHash(hashlib.md5(key.encode(), usedforsecurity=False).hexdigest())
