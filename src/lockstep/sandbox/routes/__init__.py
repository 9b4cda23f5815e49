"""The routes of the API, one module per resource: parse, call the rules, shape the answer.

`COLLECTIONS` is everything that is served below `/3.0`.
"""

from __future__ import annotations

from lockstep.sandbox.api import Routes

from . import (
    batch_subscribe,
    batches,
    campaigns,
    interests,
    lists,
    member_activity,
    member_tags,
    members,
    merge_fields,
    reports,
    root,
    search,
    segments,
    webhooks,
)

__all__ = ["COLLECTIONS"]

COLLECTIONS: tuple[Routes, ...] = (
    root.routes,
    lists.routes,
    batch_subscribe.routes,
    merge_fields.routes,
    members.routes,
    member_tags.routes,
    interests.routes,
    segments.routes,
    search.routes,
    campaigns.routes,
    reports.routes,
    member_activity.routes,
    webhooks.routes,
    batches.routes,
)
