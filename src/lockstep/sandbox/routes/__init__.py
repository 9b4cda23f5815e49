"""The routes of the API, one module per resource: parse, call the rules, shape the answer.

`COLLECTIONS` is everything that is served below `/3.0`.
"""

from __future__ import annotations

from lockstep.sandbox.api import Routes

from . import batch_subscribe, interests, lists, members, merge_fields, root

__all__ = ["COLLECTIONS"]

COLLECTIONS: tuple[Routes, ...] = (
    root.routes,
    lists.routes,
    batch_subscribe.routes,
    merge_fields.routes,
    members.routes,
    interests.routes,
)
