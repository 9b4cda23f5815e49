"""Calls about audiences, their merge fields, segments and webhooks (contract 2, 3, 8, 10)."""

from __future__ import annotations

from collections.abc import Sequence

from lockstep.mailchimp.calls.call import PAGE_SIZE, Call, Repeat, encode, path, query, trimmed
from lockstep.mailchimp.errors import InvalidCall
from lockstep.mailchimp.replies import NOTHING, Reader
from lockstep.mailchimp.wire import (
    List,
    ListPage,
    ListPatch,
    MergeField,
    MergeFieldPage,
    MergeFieldPatch,
    NewMergeField,
    NewSegment,
    NewWebhook,
    Segment,
    SegmentMembersBody,
    SegmentMembersResult,
    SegmentPage,
    Webhook,
    WebhookPage,
    WebhookPatch,
)

#: addresses a call may add to or remove from a segment (contract 7)
MAX_SEGMENT_CHANGES = 500

_LIST = Reader(List)
_LISTS = Reader(ListPage)
_FIELD = Reader(MergeField)
_FIELDS = Reader(MergeFieldPage)
_SEGMENT = Reader(Segment)
_SEGMENTS = Reader(SegmentPage)
_SEGMENT_MEMBERS = Reader(SegmentMembersResult)
_WEBHOOK = Reader(Webhook)
_WEBHOOKS = Reader(WebhookPage)


def get_lists(
    *, fields: Sequence[str] | None = None, count: int = PAGE_SIZE, offset: int = 0
) -> Call[ListPage]:
    parameters = query({"count": count, "offset": offset, "fields": trimmed("lists", fields)})
    return Call("lists.list", "GET", "/lists", _LISTS, parameters)


def get_list(list_id: str, *, include_total_contacts: bool = False) -> Call[List]:
    parameters = query({"include_total_contacts": True if include_total_contacts else None})
    return Call("lists.get", "GET", path("/lists/{}", list_id), _LIST, parameters)


def patch_list(list_id: str, patch: ListPatch) -> Call[List]:
    return Call(
        "lists.patch",
        "PATCH",
        path("/lists/{}", list_id),
        _LIST,
        body=encode(patch),
        repeat=Repeat.SAME_EFFECT,
    )


def get_merge_fields(list_id: str, *, count: int = PAGE_SIZE, offset: int = 0) -> Call[MergeFieldPage]:
    parameters = query({"count": count, "offset": offset})
    return Call("merge_fields.list", "GET", path("/lists/{}/merge-fields", list_id), _FIELDS, parameters)


def create_merge_field(list_id: str, merge_field: NewMergeField) -> Call[MergeField]:
    return Call(
        "merge_fields.create",
        "POST",
        path("/lists/{}/merge-fields", list_id),
        _FIELD,
        body=encode(merge_field),
        repeat=Repeat.ONCE,
    )


def patch_merge_field(list_id: str, merge_id: int, patch: MergeFieldPatch) -> Call[MergeField]:
    return Call(
        "merge_fields.patch",
        "PATCH",
        path("/lists/{}/merge-fields/{}", list_id, merge_id),
        _FIELD,
        body=encode(patch),
        repeat=Repeat.SAME_EFFECT,
    )


def delete_merge_field(list_id: str, merge_id: int) -> Call[None]:
    """The values of all members go with the field (contract 3.1)."""
    return Call(
        "merge_fields.delete",
        "DELETE",
        path("/lists/{}/merge-fields/{}", list_id, merge_id),
        NOTHING,
        repeat=Repeat.ONCE,
    )


def get_segments(
    list_id: str, *, segment_type: str = "", count: int = PAGE_SIZE, offset: int = 0
) -> Call[SegmentPage]:
    """`segment_type` is saved, static or fuzzy; "" for all."""
    parameters = query({"type": segment_type, "count": count, "offset": offset})
    return Call("segments.list", "GET", path("/lists/{}/segments", list_id), _SEGMENTS, parameters)


def create_segment(list_id: str, segment: NewSegment) -> Call[Segment]:
    return Call(
        "segments.create",
        "POST",
        path("/lists/{}/segments", list_id),
        _SEGMENT,
        body=encode(segment),
        repeat=Repeat.ONCE,
    )


def change_segment_members(
    list_id: str, segment_id: int, *, add: Sequence[str] = (), remove: Sequence[str] = ()
) -> Call[SegmentMembersResult]:
    """Adds and removes addresses, up to 500 each; tags many members without touching a status (contract
    10).
    """
    if len(add) > MAX_SEGMENT_CHANGES or len(remove) > MAX_SEGMENT_CHANGES or not (add or remove):
        raise InvalidCall("A segment takes 1 to 500 addresses to add and to remove at a time.")
    return Call(
        "segments.change_members",
        "POST",
        path("/lists/{}/segments/{}", list_id, segment_id),
        _SEGMENT_MEMBERS,
        body=encode(SegmentMembersBody(members_to_add=list(add), members_to_remove=list(remove))),
        repeat=Repeat.SAME_EFFECT,
    )


def delete_segment(list_id: str, segment_id: int) -> Call[None]:
    return Call(
        "segments.delete",
        "DELETE",
        path("/lists/{}/segments/{}", list_id, segment_id),
        NOTHING,
        repeat=Repeat.ONCE,
    )


def get_webhooks(list_id: str) -> Call[WebhookPage]:
    """Not paged in the published description; `count` is sent all the same, being harmless."""
    return Call(
        "webhooks.list",
        "GET",
        path("/lists/{}/webhooks", list_id),
        _WEBHOOKS,
        query({"count": PAGE_SIZE}),
    )


def create_webhook(list_id: str, webhook: NewWebhook) -> Call[Webhook]:
    """Mailchimp asks the address with a GET before it answers (contract 8)."""
    return Call(
        "webhooks.create",
        "POST",
        path("/lists/{}/webhooks", list_id),
        _WEBHOOK,
        body=encode(webhook),
        repeat=Repeat.ONCE,
    )


def get_webhook(list_id: str, webhook_id: str) -> Call[Webhook]:
    return Call("webhooks.get", "GET", path("/lists/{}/webhooks/{}", list_id, webhook_id), _WEBHOOK)


def patch_webhook(list_id: str, webhook_id: str, patch: WebhookPatch) -> Call[Webhook]:
    return Call(
        "webhooks.patch",
        "PATCH",
        path("/lists/{}/webhooks/{}", list_id, webhook_id),
        _WEBHOOK,
        body=encode(patch),
        repeat=Repeat.SAME_EFFECT,
    )


def delete_webhook(list_id: str, webhook_id: str) -> Call[None]:
    return Call(
        "webhooks.delete",
        "DELETE",
        path("/lists/{}/webhooks/{}", list_id, webhook_id),
        NOTHING,
        repeat=Repeat.ONCE,
    )
