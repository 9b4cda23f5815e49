"""Batch subscribe: `POST /lists/{list_id}` (contract, section 5)."""

from __future__ import annotations

from typing import Any

from lockstep.sandbox import member_schemas
from lockstep.sandbox.api import Call, Routes
from lockstep.sandbox.batch_subscribe import batch_subscribe
from lockstep.sandbox.member import BATCH_FIELDS, Member, describe
from lockstep.sandbox.selection import parse_selection

routes = Routes("Lists")

#: Described for members everywhere else.
_WITHOUT_REGION = parse_selection(None, "location.region")


@routes.post("/lists/{list_id}")
def batch_members(call: Call) -> dict[str, Any]:
    audience = call.audience()
    body = call.body(member_schemas.BATCH[call.sandbox.switches.batch_validator])
    result = batch_subscribe(
        audience,
        body,
        call.doing(skip_merge_validation=call.flag("skip_merge_validation")),
        skip_duplicate_check=call.flag("skip_duplicate_check"),
    )

    def shown(members: list[Member]) -> list[dict[str, Any]]:
        return [describe(member, audience, call.base, _WITHOUT_REGION, BATCH_FIELDS) for member in members]

    return {
        "new_members": shown(result.created),
        "updated_members": shown(result.updated),
        "errors": result.errors,
        "total_created": len(result.created),
        "total_updated": len(result.updated),
        "error_count": len(result.errors),
        "_links": [{"rel": "self", "href": f"{call.base}/lists/{audience.id}", "method": "POST"}],
    }
