"""What a write says about a member apart from status, address, merge fields and tags (contract, 4.3)."""

from __future__ import annotations

from typing import Any

from .audience import Audience
from .clock import parse_time
from .member import Member
from .merge_field import is_incomplete_address

__all__ = ["attributes", "has_incomplete_address"]

JSON = Any
_PLAIN = ("email_type", "language", "vip", "ip_signup", "ip_opt")
_TIMES = ("timestamp_signup", "timestamp_opt")


def attributes(audience: Audience, member: Member, body: dict[str, JSON]) -> dict[str, JSON]:
    """What `body` says about everything but status, address, merge fields and tags."""
    found: dict[str, JSON] = {name: body[name] for name in _PLAIN if body.get(name) is not None}
    found |= {name: parse_time(body[name]) for name in _TIMES if body.get(name) is not None}
    if (location := body.get("location")) is not None:
        found["location"] = (
            location.get("latitude", member.location[0]),
            location.get("longitude", member.location[1]),
        )
    if interests := body.get("interests"):
        # Ids that are no interest of the audience are passed over, like unknown merge tags.
        on = {key for key, value in interests.items() if value and key in audience.interests}
        found["interests"] = frozenset(
            (member.interests - {key for key, value in interests.items() if not value}) | on
        )
    if permissions := body.get("marketing_permissions"):
        held = set(member.permissions)
        for entry in permissions:
            key = entry.get("marketing_permission_id")
            if key in audience.permission_texts:
                (held.add if entry.get("enabled") else held.discard)(key)
        found["permissions"] = frozenset(held)
    return found


def has_incomplete_address(audience: Audience, member: Member, body: dict[str, JSON]) -> bool:
    """Is an incomplete address stored that `body` does not replace (contract, 3.2; trap 6)?"""
    sent = body.get("merge_fields") or {}
    return any(
        tag not in sent and column < len(member.values) and is_incomplete_address(member.values[column])
        for tag, column in audience.columns
    )
