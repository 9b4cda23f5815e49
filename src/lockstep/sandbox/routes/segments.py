"""Segments: `/lists/{list_id}/segments` (contract, section 10)."""

from __future__ import annotations

from typing import Any

from lockstep.sandbox import problems
from lockstep.sandbox.api import Call, Routes
from lockstep.sandbox.audience import Audience
from lockstep.sandbox.campaign import campaigns_of
from lockstep.sandbox.clock import iso
from lockstep.sandbox.condition import Surroundings, condition_errors
from lockstep.sandbox.member import MEMBER_FIELDS, Member, describe, hash_of
from lockstep.sandbox.schema import STRING, Array, Enum, Obj, check
from lockstep.sandbox.segment import (
    BATCH_LIMIT,
    SavedSegment,
    Segment,
    Segments,
    add_static,
    change_static,
    counts,
    delete_static,
    held_by,
    set_static_members,
)
from lockstep.sandbox.shapes import collection, envelope, instance
from lockstep.sandbox.tag import Tag, add_tag, remove_tag

routes = Routes("Lists/Segments")

_FIELDS = ("id", "name", "member_count", "type", "created_at", "updated_at", "options", "list_id", "_links")
_NOT_DESCRIBED = {
    "contact_id", "web_id", "unsubscribe_reason", "consents_to_one_to_one_messaging", "source",
    "marketing_permissions",
}  # fmt: skip
#: Batch changes answer tags and no name; the member list a name and no tags (as described).
_CHANGED_FIELDS = tuple(name for name in MEMBER_FIELDS if name not in _NOT_DESCRIBED | {"full_name"})
_ROW_FIELDS = tuple(name for name in MEMBER_FIELDS if name not in _NOT_DESCRIBED | {"tags", "tags_count"})
_OPTIONS = Obj({"match": Enum("any", "all")})
_SHAPE = {"name": STRING, "static_segment": Array(STRING), "options": _OPTIONS}
_NEW = Obj(_SHAPE, required=("name",))
#: `name` is required by the description; changing members alone is what clients do, so it is not here.
_CHANGE = Obj(_SHAPE)
_BATCH = Obj(
    {
        "members_to_add": Array(STRING, at_most=BATCH_LIMIT),
        "members_to_remove": Array(STRING, at_most=BATCH_LIMIT),
    }
)
_ONE = Obj({"email_address": STRING}, required=("email_address",))


def _segments(call: Call) -> Segments:
    return call.sandbox.store("segments", Segments)


def _around(call: Call, audience: Audience) -> Surroundings:
    return campaigns_of(call.sandbox).around(audience, call.sandbox.clock.second())


def _segment(call: Call, audience: Audience) -> Segment:
    text = call.params["segment_id"]
    found = _segments(call).find(audience, int(text)) if text.isascii() and text.isdigit() else None
    if found is None:
        raise problems.not_found()
    return found


def _static(call: Call, audience: Audience) -> Tag:
    found = _segment(call, audience)
    if isinstance(found, SavedSegment):
        raise problems.no_such_static_segment(found.id)
    return found


def _statuses(call: Call) -> tuple[str, ...]:
    """Whom a segment counts: the subscribed, and who is asked for."""
    more = [name for name in ("cleaned", "transactional", "unsubscribed") if call.flag(f"include_{name}")]
    return ("subscribed", *more)


def _describe(call: Call, audience: Audience, segment: Segment, count: int) -> dict[str, Any]:
    here = f"{call.base}/lists/{audience.id}/segments/{segment.id}"
    if isinstance(segment, SavedSegment):
        type_, options = "saved", segment.options
    else:
        condition = {
            "condition_type": "StaticSegment",
            "field": "static_segment",
            "op": "static_is",
            "value": segment.id,
        }
        type_, options = "static", {"match": "any", "conditions": [condition]}
    return {
        "id": segment.id,
        "name": segment.name,
        "member_count": count,
        "type": type_,
        "created_at": iso(segment.created_at),
        "updated_at": iso(segment.updated_at),
        "options": options,
        "list_id": audience.id,
        "_links": [
            {"rel": "self", "href": here, "method": "GET"},
            {"rel": "parent", "href": f"{call.base}/lists/{audience.id}/segments", "method": "GET"},
            {"rel": "delete", "href": here, "method": "DELETE"},
            {"rel": "update", "href": here, "method": "PATCH"},
            {"rel": "members", "href": f"{here}/members", "method": "GET"},
        ],
    }


def _one(call: Call, audience: Audience, segment: Segment) -> dict[str, Any]:
    found = counts([segment], _around(call, audience), _statuses(call))
    return _describe(call, audience, segment, found[segment.id])


@routes.get("/lists/{list_id}/segments")
def list_segments(call: Call) -> dict[str, Any]:
    audience = call.audience()
    wanted = call.text("type")
    windows = [
        (name, call.moment(f"since_{name}"), call.moment(f"before_{name}"))
        for name in ("created_at", "updated_at")
    ]
    found = [
        segment
        for segment in _segments(call).all(audience)
        # An unknown type is an empty list, not an error (contract, 10).
        if wanted in (None, "saved" if isinstance(segment, SavedSegment) else "static")
        and all(
            (since is None or getattr(segment, name) > since)
            and (before is None or getattr(segment, name) <= before)
            for name, since, before in windows
        )
    ]
    held = counts(found, _around(call, audience), _statuses(call))
    return collection(
        call,
        "segments",
        found,
        lambda segment: _describe(call, audience, segment, held[segment.id]),
        known=_FIELDS,
        links=f"/lists/{audience.id}/segments",
        extra={"list_id": audience.id},
    )


@routes.post("/lists/{list_id}/segments")
def create_segment(call: Call) -> dict[str, Any]:
    audience, body = call.audience(), call.body(_NEW)
    name, at = body["name"].strip(), call.sandbox.clock.second()
    if not name:
        raise problems.invalid_resource(("name", "This value should not be blank."))
    if ("static_segment" in body) == ("options" in body):
        # INFERRED wording: that the two exclude each other is described.
        raise problems.invalid_resource(("", "Use either static_segment or options."))
    if "static_segment" in body:
        tag = add_static(audience, name, body["static_segment"], call.sandbox.ids, at)
        return _one(call, audience, tag)
    options = _options(audience, body["options"])
    segment = SavedSegment(2_000_000 + call.sandbox.ids.number(), name, options, at, at)
    return _one(call, audience, _segments(call).save(audience, segment))


def _options(audience: Audience, options: dict[str, Any]) -> dict[str, Any]:
    if errors := condition_errors(audience, options):
        raise problems.invalid_resource(*errors)
    return {"match": options.get("match", "all"), "conditions": options.get("conditions", [])}


@routes.get("/lists/{list_id}/segments/{segment_id}")
def get_segment(call: Call) -> dict[str, Any]:
    audience = call.audience()
    return instance(call, _one(call, audience, _segment(call, audience)))


@routes.patch("/lists/{list_id}/segments/{segment_id}")
def update_segment(call: Call) -> dict[str, Any]:
    audience, body = call.audience(), call.body(_CHANGE)
    segment, at = _segment(call, audience), call.sandbox.clock.second()
    name = body.get("name", segment.name).strip()
    options = _options(audience, body["options"]) if "options" in body else None
    if isinstance(segment, SavedSegment):
        if "static_segment" in body:
            raise problems.no_such_static_segment(segment.id)
        segment.name = name or segment.name
        segment.options = options or segment.options
    else:
        taken = audience.tags.find(name)
        if taken not in (None, segment):
            raise problems.tag_name_taken()
        audience.tags.rename(segment, name or segment.name)
        if "static_segment" in body:
            set_static_members(audience, segment, body["static_segment"], at)
    segment.updated_at = at
    return _one(call, audience, segment)


@routes.delete("/lists/{list_id}/segments/{segment_id}")
def delete_segment(call: Call) -> None:
    audience = call.audience()
    segment = _segment(call, audience)
    if isinstance(segment, SavedSegment):
        _segments(call).delete(audience, segment)
    else:
        delete_static(audience, segment)


@routes.post("/lists/{list_id}/segments/{segment_id}")
def change_segment_members(call: Call) -> dict[str, Any]:
    audience, body = call.audience(), call.body()
    tag = _static(call, audience)
    check(body, _BATCH)
    changed = change_static(
        audience,
        tag,
        body.get("members_to_add", []),
        body.get("members_to_remove", []),
        call.sandbox.clock.second(),
    )
    return {
        "members_added": [_member(call, audience, m, _CHANGED_FIELDS) for m in changed.added],
        "members_removed": [_member(call, audience, m, _CHANGED_FIELDS) for m in changed.removed],
        "errors": [
            {"email_addresses": addresses, "error": reason} for reason, addresses in changed.errors.items()
        ],
        "total_added": len(changed.added),
        "total_removed": len(changed.removed),
        "error_count": sum(map(len, changed.errors.values())),
        "_links": [
            {
                "rel": "self",
                "href": f"{call.base}/lists/{audience.id}/segments/{tag.id}",
                "method": "GET",
            }
        ],
    }


def _member(call: Call, audience: Audience, member: Member, fields: tuple[str, ...]) -> dict[str, Any]:
    described = describe(member, audience, call.base, fields=fields)
    described["location"].pop("region", None)  # not described here
    return described


@routes.get("/lists/{list_id}/segments/{segment_id}/members")
def list_segment_members(call: Call) -> dict[str, Any]:
    """With `include_*` the pages walk the larger set while `total_items` still counts the subscribed (trap
    24)."""
    audience = call.audience()
    segment, around = _segment(call, audience), _around(call, audience)
    count, offset = call.page()
    found = held_by(segment, around, _statuses(call))
    return envelope(
        call,
        "members",
        [_member(call, audience, member, _ROW_FIELDS) for member in found[offset : offset + count]],
        sum(member.status == "subscribed" for member in found),
        known=_ROW_FIELDS,
        links=f"/lists/{audience.id}/segments/{segment.id}/members",
    )


@routes.post("/lists/{list_id}/segments/{segment_id}/members")
def add_segment_member(call: Call) -> dict[str, Any]:
    audience, body = call.audience(), call.body(_ONE)
    tag = _static(call, audience)
    member = audience.get(hash_of(body["email_address"]))
    if member is None:
        raise problems.invalid_resource(("email_address", f"{body['email_address']} is not on this list."))
    at = call.sandbox.clock.second()
    if add_tag(member, tag.id, at):
        tag.updated_at = at
    return _member(call, audience, member, _ROW_FIELDS)


@routes.delete("/lists/{list_id}/segments/{segment_id}/members/{subscriber_hash}")
def remove_segment_member(call: Call) -> None:
    audience = call.audience()
    tag, member = _static(call, audience), audience.find(call.params["subscriber_hash"])
    if member is None or not remove_tag(member, tag.id):
        raise problems.not_found()
    tag.updated_at = call.sandbox.clock.second()
