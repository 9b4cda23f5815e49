"""Calls about members (contract 4, 5). Subscriber hashes come as text; this client computes none.

Nothing here sends a `status`, but the two builders whose names say so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias

from msgspec import UNSET

from lockstep.mailchimp.calls.call import PAGE_SIZE, Call, Repeat, encode, path, query, trimmed
from lockstep.mailchimp.errors import InvalidCall
from lockstep.mailchimp.replies import NOTHING, Reader
from lockstep.mailchimp.wire import (
    ActivityFeed,
    BatchMember,
    BatchResult,
    BatchSubscribeBody,
    ListMember,
    ListMemberPage,
    MemberPatch,
    MemberTagPage,
    MemberTagsBody,
    MemberUpsert,
    MemberWithStatus,
    MergeValue,
    NewStatus,
    TagChange,
)

#: members a batch may hold (contract 5)
MAX_BATCH = 500

SortField: TypeAlias = Literal["last_changed", "timestamp_opt", "timestamp_signup"]

_MEMBER = Reader(ListMember)
_MEMBERS = Reader(ListMemberPage)
_TAGS = Reader(MemberTagPage)
_FEED = Reader(ActivityFeed)
_BATCH = Reader(BatchResult)


def get_members(
    list_id: str,
    *,
    fields: Sequence[str] | None = None,
    status: str = "",
    since_last_changed: str = "",
    before_last_changed: str = "",
    sort_field: SortField | None = None,
    sort_dir: Literal["ASC", "DESC"] = "ASC",
    count: int = PAGE_SIZE,
    offset: int = 0,
) -> Call[ListMemberPage]:
    """A page of members. Without `status` the archived ones are left out (contract 4.2).

    Windows are `(since, before]` in whole seconds; leave `since` out for a full read, a date far in the
    past was seen to hang. `fields` are names of `ListMember`, dotted below (`merge_fields.FNAME`).
    """
    parameters = query(
        {
            "count": count,
            "offset": offset,
            "status": status,
            "since_last_changed": since_last_changed,
            "before_last_changed": before_last_changed,
            "sort_field": sort_field,
            "sort_dir": sort_dir if sort_field else None,
            "fields": trimmed("members", fields),
        }
    )
    return Call("members.list", "GET", path("/lists/{}/members", list_id), _MEMBERS, parameters)


def get_member(
    list_id: str, subscriber_hash: str, *, fields: Sequence[str] | None = None
) -> Call[ListMember]:
    """Archived members are found too."""
    parameters = query({"fields": ",".join(dict.fromkeys(("id", *fields))) if fields is not None else None})
    return Call("members.get", "GET", _member(list_id, subscriber_hash), _MEMBER, parameters)


def put_member(
    list_id: str, subscriber_hash: str, member: MemberUpsert, *, skip_merge_validation: bool = True
) -> Call[ListMember]:
    """Creates the member with `status_if_new`, or updates them and leaves their status alone (contract 4.4).

    `skip_merge_validation` lets required fields be missing; wrong values are refused all the same (contract
    3.2).
    """
    return Call(
        "members.put",
        "PUT",
        _member(list_id, subscriber_hash),
        _MEMBER,
        _skip(skip_merge_validation),
        encode(member),
        Repeat.SAME_EFFECT,
    )


def patch_member(
    list_id: str, subscriber_hash: str, patch: MemberPatch, *, skip_merge_validation: bool = True
) -> Call[ListMember]:
    """Updates somebody who is there, 404 otherwise; never their status. With an `email_address` it
    renames, and is then not to be repeated: the hash in the path is the old one.
    """
    return Call(
        "members.patch",
        "PATCH",
        _member(list_id, subscriber_hash),
        _MEMBER,
        _skip(skip_merge_validation),
        encode(patch),
        Repeat.SAME_EFFECT if patch.email_address is UNSET else Repeat.ONCE,
    )


def archive_member(list_id: str, subscriber_hash: str) -> Call[None]:
    """Archives. Refused with 405 for the archived, cleaned and pending (contract 4.3)."""
    return Call("members.archive", "DELETE", _member(list_id, subscriber_hash), NOTHING, repeat=Repeat.ONCE)


def create_member_with_explicit_status(
    list_id: str, email_address: str, status: NewStatus, merge_fields: Mapping[str, MergeValue]
) -> Call[ListMember]:
    """`POST .../members`: refused for members who are there, but **brings archived ones back** (contract
    4.4).
    """
    body = MemberWithStatus(status=status, email_address=email_address, merge_fields=dict(merge_fields))
    return Call(
        "members.create_with_explicit_status",
        "POST",
        path("/lists/{}/members", list_id),
        _MEMBER,
        body=encode(body),
        repeat=Repeat.ONCE,
    )


def set_member_status_explicitly(list_id: str, subscriber_hash: str, status: NewStatus) -> Call[ListMember]:
    """**Overrides the member's marketing status.** Never part of a sync; for a person's logged action
    only.
    """
    return Call(
        "members.set_status_explicitly",
        "PATCH",
        _member(list_id, subscriber_hash),
        _MEMBER,
        body=encode(MemberWithStatus(status=status)),
        repeat=Repeat.ONCE,
    )


def get_member_tags(
    list_id: str, subscriber_hash: str, *, count: int = PAGE_SIZE, offset: int = 0
) -> Call[MemberTagPage]:
    """All tags; a member shows at most 50 of them (contract trap 31)."""
    parameters = query({"count": count, "offset": offset})
    return Call("member_tags.list", "GET", _member(list_id, subscriber_hash) + "/tags", _TAGS, parameters)


def change_member_tags(
    list_id: str,
    subscriber_hash: str,
    *,
    add: Sequence[str] = (),
    remove: Sequence[str] = (),
    quiet: bool = True,
) -> Call[None]:
    """Adds and removes tags by name. `quiet` keeps Mailchimp's automations from starting (`is_syncing`).

    A wrong body was answered 204 without effect (contract 10), so this shape is the only one there is.
    """
    changes = [TagChange(name=n, status="active") for n in add]
    changes += [TagChange(name=n, status="inactive") for n in remove]
    if not changes or not all(c.name.strip() for c in changes):
        raise InvalidCall("A change of tags needs at least one tag, and names that are not empty.")
    return Call(
        "member_tags.change",
        "POST",
        _member(list_id, subscriber_hash) + "/tags",
        NOTHING,
        body=encode(MemberTagsBody(tags=changes, is_syncing=quiet)),
        repeat=Repeat.SAME_EFFECT,
    )


def subscribe_batch(
    list_id: str, members: Sequence[BatchMember], *, skip_merge_validation: bool = True
) -> Call[BatchResult]:
    """Creates or updates up to 500 members, leaving the status of those who are there alone (contract 0,
    way A).

    Raises `InvalidCall` for none, for more than 500, and for the same address twice, whose outcome is
    not known (contract 5).
    """
    if not 0 < len(members) <= MAX_BATCH:
        raise InvalidCall("A batch holds 1 to 500 members.")
    if len({m.email_address.lower() for m in members}) != len(members):
        raise InvalidCall("A batch holds every address once.")
    return Call(
        "members.subscribe_batch",
        "POST",
        path("/lists/{}", list_id),
        _BATCH,
        _skip(skip_merge_validation),
        encode(BatchSubscribeBody(members=members)),
        Repeat.SAME_EFFECT,
    )


def get_activity_feed(
    list_id: str,
    subscriber_hash: str,
    *,
    kinds: Sequence[str] = (),
    count: int = PAGE_SIZE,
    offset: int = 0,
) -> Call[ActivityFeed]:
    """What one member did and was sent. `kinds` narrows it (open, click, sent, bounce, unsub ...)."""
    parameters = query({"count": count, "offset": offset, "activity_filters": ",".join(kinds)})
    return Call(
        "members.activity_feed",
        "GET",
        _member(list_id, subscriber_hash) + "/activity-feed",
        _FEED,
        parameters,
    )


def _member(list_id: str, subscriber_hash: str) -> str:
    return path("/lists/{}/members/{}", list_id, subscriber_hash)


def _skip(skip_merge_validation: bool) -> tuple[tuple[str, str], ...]:
    return (("skip_merge_validation", "true"),) if skip_merge_validation else ()
