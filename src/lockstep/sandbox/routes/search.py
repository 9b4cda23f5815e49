"""`/search-members`: find members by address or name over the whole account or one audience."""

from __future__ import annotations

from typing import Any

from lockstep.sandbox import problems
from lockstep.sandbox.api import Call, Routes
from lockstep.sandbox.audience import Audience
from lockstep.sandbox.member import Member, describe, full_name
from lockstep.sandbox.shapes import instance

routes = Routes("SearchMembers")

#: INFERRED: how many matches the service lists.
_SHOWN = 100


@routes.get("/search-members")
def search_members(call: Call) -> dict[str, Any]:
    query = (call.text("query") or "").strip().casefold()
    if not query:
        raise problems.required("query")
    exact: list[tuple[Audience, Member]] = []
    others: list[tuple[Audience, Member]] = []
    for audience in _audiences(call):
        for member in audience:
            email = member.email.casefold()
            if email == query:
                exact.append((audience, member))
            elif query in email or query in full_name(member, audience).casefold():
                others.append((audience, member))
    return instance(
        call,
        {
            "exact_matches": _matches(call, exact),
            "full_search": _matches(call, others),
            "_links": [{"rel": "self", "href": f"{call.base}/search-members", "method": "GET"}],
        },
    )


def _audiences(call: Call) -> list[Audience]:
    list_id = call.text("list_id")
    if list_id is None:
        return list(call.account.audiences.values())
    if list_id not in call.account.audiences:
        raise problems.not_found()
    return [call.account.audiences[list_id]]


def _matches(call: Call, found: list[tuple[Audience, Member]]) -> dict[str, Any]:
    return {
        "members": [describe(member, audience, call.base) for audience, member in found[:_SHOWN]],
        "total_items": len(found),
    }
