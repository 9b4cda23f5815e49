"""Members: `/lists/{list_id}/members` (contract, 4.2 to 4.6)."""

from __future__ import annotations

from typing import Any

from lockstep.sandbox import member_schemas, problems
from lockstep.sandbox.api import Call, Routes
from lockstep.sandbox.audience import Audience
from lockstep.sandbox.member import MEMBER_FIELDS, SILENT_FIELDS, STATUSES, Member, describe, hash_of
from lockstep.sandbox.member_list import ListQuery, find_members
from lockstep.sandbox.shapes import envelope
from lockstep.sandbox.subscription import archive, delete_permanently, patch, post, put

routes = Routes("Lists/Members")

_KNOWN = (*MEMBER_FIELDS, *SILENT_FIELDS)


def _answer(call: Call, audience: Audience, member: Member) -> dict[str, Any]:
    selection = call.selection
    selection.check_known(dict.fromkeys(_KNOWN))
    return describe(member, audience, call.base, selection)


@routes.get("/lists/{list_id}/members")
def list_members(call: Call) -> dict[str, Any]:
    audience = call.audience()
    count, offset = call.page()
    query = ListQuery(
        status=call.choice("status", (*STATUSES, "archived")),
        since_changed=call.moment("since_last_changed"),
        before_changed=call.moment("before_last_changed"),
        since_opt=call.moment("since_timestamp_opt"),
        before_opt=call.moment("before_timestamp_opt"),
        unsubscribed_since=call.moment("unsubscribed_since"),
        email_type=call.text("email_type"),
        unique_email_id=call.text("unique_email_id"),
        vip_only=call.flag("vip_only"),
        interests=_interests(call),
        interest_match=call.choice("interest_match", ("any", "all", "none")) or "any",
        since_last_campaign=call.flag("since_last_campaign"),
        sort_field=call.choice("sort_field", ("timestamp_opt", "timestamp_signup", "last_changed")),
        descending=call.choice("sort_dir", ("ASC", "DESC")) == "DESC",
    )
    rows, total = find_members(audience, query, count=count, offset=offset)
    selection = call.selection
    rows_selection = selection.within("members")
    rows = _as_seen(call, audience, rows)
    page = (
        [describe(member, audience, call.base, rows_selection) for member in rows]
        if selection.wants("members")
        else []
    )
    return envelope(
        call,
        "members",
        page,
        total,
        known=_KNOWN,
        links=f"/lists/{audience.id}/members",
        extra={"list_id": audience.id},
        selected=True,
    )


def _interests(call: Call) -> frozenset[str]:
    category, ids = call.text("interest_category_id"), call.text("interest_ids")
    if (category is None) != (ids is None) and call.text("interest_match") is not None:
        # INFERRED: the description says the three go together, the refusal is not recorded.
        raise problems.invalid_resource(
            ("interest_match", "Use interest_category_id, interest_ids and interest_match together.")
        )
    return frozenset(ids.split(",")) if ids else frozenset()


@routes.post("/lists/{list_id}/members")
def add_member(call: Call) -> dict[str, Any]:
    audience, body = call.audience(), call.body(member_schemas.POST)
    doing = call.doing(skip_merge_validation=call.flag("skip_merge_validation"))
    return _answer(call, audience, post(audience, body, doing))


@routes.get("/lists/{list_id}/members/{subscriber_hash}")
def get_member(call: Call) -> dict[str, Any]:
    audience = call.audience()
    member = audience.find(call.params["subscriber_hash"])
    if (past := _past(call, audience)) is not None:
        name = call.params["subscriber_hash"].lower()
        wanted = hash_of(name) if "@" in name else name
        member = past.get(member.serial, member) if member else None
        member = member or next((was for was in past.values() if was is not None and was.id == wanted), None)
    if member is None:
        raise problems.not_found()
    return _answer(call, audience, member)


def _past(call: Call, audience: Audience) -> dict[int, Member | None] | None:
    """What a stale read sees of the contacts that have changed; None unless that fault strikes."""
    seconds = [fault["seconds"] for fault in call.faults if fault.kind == "stale"]
    return audience.before(call.sandbox.clock.now() - max(seconds)) if seconds else None


def _as_seen(call: Call, audience: Audience, rows: list[Member]) -> list[Member]:
    past = _past(call, audience)
    if past is None:
        return rows
    seen = (past.get(member.serial, member) for member in rows)
    return [member for member in seen if member is not None]


@routes.put("/lists/{list_id}/members/{subscriber_hash}")
def set_member(call: Call) -> dict[str, Any]:
    audience, body = call.audience(), call.body(member_schemas.PUT)
    doing = call.doing(skip_merge_validation=call.flag("skip_merge_validation"))
    return _answer(call, audience, put(audience, call.params["subscriber_hash"], body, doing))


@routes.patch("/lists/{list_id}/members/{subscriber_hash}")
def update_member(call: Call) -> dict[str, Any]:
    audience, body = call.audience(), call.body(member_schemas.PATCH)
    doing = call.doing(skip_merge_validation=call.flag("skip_merge_validation"))
    return _answer(call, audience, patch(audience, call.params["subscriber_hash"], body, doing))


@routes.delete("/lists/{list_id}/members/{subscriber_hash}")
def archive_member(call: Call) -> None:
    archive(call.audience(), call.params["subscriber_hash"], call.doing())


@routes.post("/lists/{list_id}/members/{subscriber_hash}/actions/delete-permanent")
def delete_member_permanently(call: Call) -> None:
    delete_permanently(call.audience(), call.params["subscriber_hash"], call.doing())
