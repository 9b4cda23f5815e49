"""Segments, webhooks, and batches of operations (contract 6, 8, 10)."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import UNSET, Struct, UnsetType

from lockstep.mailchimp.wire.base import Reply, Request

# A segment's conditions are of many shapes (contract 10) and travel as they are.


class SegmentOptions(Request, frozen=True, kw_only=True):
    match: Literal["any", "all"]
    conditions: list[dict[str, Any]]


class NewSegment(Request, frozen=True, kw_only=True):
    """A saved segment (`options`) or a static one (`static_segment`, which makes a tag); not both."""

    name: str
    options: SegmentOptions | UnsetType = UNSET
    static_segment: list[str] | UnsetType = UNSET

    def __post_init__(self) -> None:
        if (self.options is UNSET) == (self.static_segment is UNSET):
            raise ValueError("a segment has either options or a static list of addresses")


class SegmentMembersBody(Request, frozen=True, kw_only=True):
    """At most 500 addresses each (contract 7)."""

    members_to_add: list[str] = []
    members_to_remove: list[str] = []


class SegmentReplyOptions(Reply, frozen=True, kw_only=True):
    match: str = ""
    conditions: list[dict[str, Any]] = []


class Segment(Reply, frozen=True, kw_only=True):
    """Tags are static segments and share their ids (contract 10)."""

    id: int
    name: str = ""
    member_count: int = 0
    type: str = ""
    created_at: str = ""
    updated_at: str = ""
    options: SegmentReplyOptions = SegmentReplyOptions()
    list_id: str = ""


class SegmentPage(Reply, frozen=True, kw_only=True):
    segments: list[Segment]
    total_items: int = 0


class SegmentMembersError(Reply, frozen=True, kw_only=True):
    email_addresses: list[str] = []
    error: str = ""


class SegmentMember(Reply, frozen=True, kw_only=True):
    id: str = ""
    email_address: str = ""


class SegmentMembersResult(Reply, frozen=True, kw_only=True):
    """Answer of `POST .../segments/{id}`."""

    members_added: list[SegmentMember] = []
    members_removed: list[SegmentMember] = []
    errors: list[SegmentMembersError] = []
    total_added: int = 0
    total_removed: int = 0
    error_count: int = 0


# --- webhooks ---------------------------------------------------------------------------------------------


class WebhookEvents(Struct, frozen=True, kw_only=True):
    """What a webhook tells of. Written whole, read with absent ones as False."""

    subscribe: bool = False
    unsubscribe: bool = False
    profile: bool = False
    cleaned: bool = False
    upemail: bool = False
    campaign: bool = False


class WebhookSources(Struct, frozen=True, kw_only=True):
    """Whose changes a webhook tells of. `api` echoes our own writes and stays False (contract trap 33)."""

    user: bool = False
    admin: bool = False
    api: bool = False


class Webhook(Reply, frozen=True, kw_only=True):
    """`signing_secret` comes only with the answer to the creation (contract 8); keep it then or never."""

    id: str
    url: str = ""
    events: WebhookEvents = WebhookEvents()
    sources: WebhookSources = WebhookSources()
    list_id: str = ""
    signing_secret: str = ""


class WebhookPage(Reply, frozen=True, kw_only=True):
    webhooks: list[Webhook]
    total_items: int = 0


class NewWebhook(Request, frozen=True, kw_only=True):
    url: str
    events: WebhookEvents
    sources: WebhookSources


class WebhookPatch(Request, frozen=True, kw_only=True):
    url: str | UnsetType = UNSET
    events: WebhookEvents | UnsetType = UNSET
    sources: WebhookSources | UnsetType = UNSET


# --- batches ----------------------------------------------------------------------------------------------


class Operation(Request, frozen=True, kw_only=True):
    """One call inside a batch; `body` is JSON as a string, `params` the query (contract 6)."""

    method: str
    path: str
    operation_id: str
    params: dict[str, str] = {}
    body: str | UnsetType = UNSET


class BatchBody(Request, frozen=True, kw_only=True):
    operations: list[Operation]


class Batch(Reply, frozen=True, kw_only=True):
    """A batch of operations. `total_operations` is 0 until preprocessing is over, `finished_operations`
    counts the errored ones too, `response_body_url` is good for about ten minutes (contract 6)."""

    id: str
    status: str = ""
    total_operations: int = 0
    finished_operations: int = 0
    errored_operations: int = 0
    submitted_at: str = ""
    completed_at: str = ""
    response_body_url: str = ""


class BatchPage(Reply, frozen=True, kw_only=True):
    batches: list[Batch]
    total_items: int = 0


class OperationResult(Reply, frozen=True, kw_only=True):
    """What became of one operation; `response` is its JSON answer as a string."""

    status_code: int
    operation_id: str = ""
    response: str = ""
