"""Ids in Mailchimp's shapes, from one seed, so that two runs with the same seed and calls give the same ids.

Ids that belong to a contact are not stored but computed both ways (a million contacts then cost no memory
for them): multiplying by an odd number modulo a power of two can be undone.
"""

from __future__ import annotations

import random
import uuid
from typing import Any

__all__ = ["Ids", "contact_id", "contact_serial", "hash_prefix", "unique_email_id"]

_ODD_128 = 0x9E3779B97F4A7C15F39CC0605CEDC835
_BACK_128 = pow(_ODD_128, -1, 1 << 128)
_ODD_40 = 0x9E3779B97F
_SHIFT_40 = 0x51ED270B1
_BACK_40 = pow(_ODD_40, -1, 1 << 40)


class Ids:
    """A seeded source of ids."""

    def __init__(self, seed: int = 1) -> None:
        self.seed = seed
        # Repeatable ids are the point; nothing here guards a secret.
        self._random = random.Random(seed)  # noqa: S311
        self._number = 0

    def hex(self, digits: int) -> str:
        """`digits` hexadecimal digits."""
        return f"{self._random.getrandbits(4 * digits):0{digits}x}"

    def number(self) -> int:
        """The next number of the account-wide count (members, audiences, segments and so on)."""
        self._number += 1
        return self._number

    def request_id(self) -> str:
        """A UUID, as in `X-Request-Id` and `instance`."""
        return str(uuid.UUID(int=self._random.getrandbits(128), version=4))

    def chance(self) -> float:
        """A number in [0, 1) for seeded decisions."""
        return self._random.random()

    def dump(self) -> dict[str, Any]:
        """State for the snapshot file."""
        version, internal, gauss = self._random.getstate()
        return {"seed": self.seed, "number": self._number, "random": [version, list(internal), gauss]}

    def load(self, state: dict[str, Any]) -> None:
        """The reverse of `dump`."""
        self.seed, self._number = state["seed"], state["number"]
        version, internal, gauss = state["random"]
        self._random.setstate((version, tuple(internal), gauss))


def contact_id(serial: int, salt: int) -> str:
    """32 hex that stay with the person in this audience whatever the address becomes (contract, 4.1)."""
    return f"{(serial * _ODD_128 + salt) % (1 << 128):032x}"


def contact_serial(text: str, salt: int) -> int:
    """The serial that `contact_id` made `text` of; some other number for foreign text."""
    return (int(text, 16) - salt) * _BACK_128 % (1 << 128)


def unique_email_id(subscriber_hash: str) -> str:
    """10 hex that name the address across all audiences (contract, 4.1)."""
    return f"{(int(subscriber_hash[:10], 16) * _ODD_40 + _SHIFT_40) % (1 << 40):010x}"


def hash_prefix(unique_id: str) -> str:
    """The first ten digits of the subscriber hash behind a unique_email_id."""
    return f"{(int(unique_id, 16) - _SHIFT_40) * _BACK_40 % (1 << 40):010x}"
