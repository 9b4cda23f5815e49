"""Tags of a member, and the search for tags (contract, section 10)."""

from __future__ import annotations

from typing import Any

from lockstep.sandbox import problems
from lockstep.sandbox.api import Call, Routes
from lockstep.sandbox.audience import Audience
from lockstep.sandbox.clock import iso
from lockstep.sandbox.member import Member
from lockstep.sandbox.shapes import collection, instance
from lockstep.sandbox.tag import add_tag, remove_tag

routes = Routes("Lists/Members/Tags")

_TAG = ("id", "name", "date_added")
_STATUSES = ("active", "inactive")


def _member(call: Call) -> tuple[Audience, Member]:
    audience = call.audience()
    member = audience.find(call.params["subscriber_hash"])
    if member is None:
        raise problems.not_found()
    return audience, member


@routes.get("/lists/{list_id}/members/{subscriber_hash}/tags")
def list_member_tags(call: Call) -> dict[str, Any]:
    audience, member = _member(call)
    return collection(
        call,
        "tags",
        member.tags,
        lambda entry: {
            "id": entry[0],
            "name": audience.tags.by_id[entry[0]].name,
            "date_added": iso(entry[1]),
        },
        known=_TAG,
        links=f"/lists/{audience.id}/members/{member.id}/tags",
    )


@routes.post("/lists/{list_id}/members/{subscriber_hash}/tags")
def change_member_tags(call: Call) -> None:
    """Put tags on a member and take them off. Archived contacts too; no event tells of it (contract, 8)."""
    audience, member = _member(call)
    at = call.sandbox.clock.second()
    for name, status in _wanted(call.body()):
        if status == "active":
            tag = audience.tag_named(name, call.sandbox.ids, at)
            changed = add_tag(member, tag.id, at)
        else:
            found = audience.tags.find(name)
            if found is None:
                continue
            tag, changed = found, remove_tag(member, found.id)
        if changed:
            tag.updated_at = at


def _wanted(body: dict[str, Any]) -> list[tuple[str, str]]:
    """(name, status) of each entry; nothing for a body of the wrong shape, which is answered 204 without
    effect (trap 30)."""
    tags = body.get("tags")
    if not isinstance(tags, list):
        return []
    wanted = []
    for number, entry in enumerate(tags):
        if not isinstance(entry, dict) or not isinstance(entry.get("name"), str) or not entry["name"].strip():
            return []
        if entry.get("status") not in _STATUSES:
            raise problems.invalid_resource(
                (f"tags.item:{number}.status", "The value you selected is not a valid choice.")
            )
        wanted.append((entry["name"].strip(), entry["status"]))
    return wanted


@routes.get("/lists/{list_id}/tag-search")
def search_tags(call: Call) -> dict[str, Any]:
    """Prefix match without regard to case; without `name` all tags."""
    audience = call.audience()
    prefix = (call.text("name") or "").casefold()
    found = [tag for tag in audience.tags.by_id.values() if tag.name.casefold().startswith(prefix)]
    found.sort(key=lambda tag: tag.name.casefold())
    count, offset = call.page()
    page = [{"id": tag.id, "name": tag.name} for tag in found[offset : offset + count]]
    # No `_links` are described here.
    return instance(call, {"tags": page, "total_items": len(found)})
