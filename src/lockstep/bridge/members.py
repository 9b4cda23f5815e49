"""Members as the wire has them ↔ members and changes as the core has them. Pure.

No function here writes a status for somebody who may be in the audience: the
wire types used have no such key (P1), and only our own fields are named (P2).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from lockstep.bridge import failures, member_tags
from lockstep.core import field_map as fields
from lockstep.core.consent import IF_VANISHED
from lockstep.core.field_map import FieldMap
from lockstep.core.identity import SubscriberHash, address_key, subscriber_hash
from lockstep.core.member import MemberStatus, ObservedMember, Values
from lockstep.core.outcome import Applied, Outcome
from lockstep.core.plan import AddMember, Change, ReleaseMember, RenameMember, TagMember, UpdateMember
from lockstep.core.ports import BatchChange
from lockstep.core.tags import TagRule
from lockstep.mailchimp.wire import (
    BatchMember,
    BatchSubscribed,
    ListMember,
    MemberPatch,
    MemberUpsert,
    MergeValue,
)

MEMBER_FIELDS = (
    "email_address",
    "status",
    "contact_id",
    "web_id",
    "member_rating",
    "last_changed",
)
"""What is asked of each member beside our fields; `id` always comes."""


def wanted_fields(
    field_map: FieldMap, tag_rule: TagRule | None = None, *, all_merge_fields: bool = False
) -> tuple[str, ...]:
    """The `fields` of a reading: what we need and nothing else, of merge fields only ours (P2)."""
    merge_fields = (
        ("merge_fields",) if all_merge_fields else tuple(f"merge_fields.{t}" for t in field_map.tags)
    )
    return (*MEMBER_FIELDS, *(member_tags.FIELDS if tag_rule else ()), *merge_fields)


def member_status(text: str) -> MemberStatus:
    """The marketing status. One that we do not know is read as unsubscribed.

    Of all statuses that one leads to the least: nobody is ever mailed because of it,
    nothing is renamed, and it is carried over as a “no” when an address changes.
    """
    try:
        return MemberStatus(text)
    except ValueError:
        return MemberStatus.UNSUBSCRIBED


def observed_member(
    row: ListMember | BatchSubscribed, field_map: FieldMap, tag_rule: TagRule | None = None
) -> ObservedMember:
    """The member in an answer.

    The hash is computed from the address rather than taken from `id`: very old
    audiences hold ids hashed without lower-casing (contract 4.1).
    """
    key = address_key(row.email_address)
    return ObservedMember(
        hash=subscriber_hash(key) if key else SubscriberHash(row.id),
        email=row.email_address,
        status=member_status(row.status),
        values=field_map.values_of(row.merge_fields),
        contact_key=row.contact_id,
        web_id=row.web_id,
        rating=row.member_rating,
        last_changed=row.last_changed,
        tags=member_tags.told(row, tag_rule),
    )


def batch_member(change: BatchChange, field_map: FieldMap) -> BatchMember:
    """One item of a call with several members (contract 0, way A)."""
    if isinstance(change, AddMember):
        return BatchMember(
            email_address=change.email,
            status_if_new=change.status_if_new.value,
            merge_fields=_values(field_map, change.values),
            tags=list(change.tags.add),
        )
    return BatchMember(
        email_address=change.email,
        status_if_new=IF_VANISHED.value,
        merge_fields=_values(field_map, change.values, change.differing),
        # `sync_tags` stays false, so these are added to whatever the member carries (contract 5).
        tags=[] if isinstance(change, ReleaseMember) else list(change.tags.add),
    )


def member_upsert(change: AddMember, field_map: FieldMap) -> MemberUpsert:
    """The body of a PUT for somebody new; should they be there, their status stays (contract 4.4)."""
    return MemberUpsert(
        email_address=change.email,
        status_if_new=change.status_if_new.value,
        merge_fields=_values(field_map, change.values),
    )


def member_patch(change: UpdateMember | ReleaseMember | RenameMember, field_map: FieldMap) -> MemberPatch:
    """The body of a PATCH: the fields that differ, and the new address where it is a rename."""
    if isinstance(change, RenameMember):
        differing = fields.differing(change.before, change.values)
        return MemberPatch(
            email_address=change.email, merge_fields=_values(field_map, change.values, differing)
        )
    return MemberPatch(merge_fields=_values(field_map, change.values, change.differing))


def confirmed(
    change: Change,
    row: ListMember | BatchSubscribed,
    field_map: FieldMap,
    tag_rule: TagRule | None = None,
    *,
    created: bool,
) -> Outcome:
    """The outcome of a change that Mailchimp said yes to: `Applied` with what it holds now.

    Refused where Mailchimp's own answer shows that a value we sent was not stored. An
    answer that does not tell the values is believed.
    """
    member = observed_member(row, field_map, tag_rule)
    if not row.merge_fields:
        return Applied(change, replace(member, values=change.values), created=created)
    for index in _sent(change):
        if member.values[index] != change.values[index]:
            return failures.not_kept(change, field_map.tags[index])
    return Applied(change, member, created=created)


def _sent(change: Change) -> Iterable[int]:
    match change:
        case AddMember():
            return range(len(change.values))
        case RenameMember():
            return fields.differing(change.before, change.values)
        case UpdateMember() | ReleaseMember():
            return change.differing
        case TagMember():
            return ()


def _values(field_map: FieldMap, values: Values, only: Iterable[int] | None = None) -> dict[str, MergeValue]:
    return {**field_map.merge_fields(values, only)}
