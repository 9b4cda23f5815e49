"""Interest categories and interests, read only."""

from __future__ import annotations

from typing import Any

from lockstep.sandbox import problems
from lockstep.sandbox.api import Call, Routes
from lockstep.sandbox.shapes import collection

routes = Routes("Lists/InterestCategories")

_CATEGORY = ("list_id", "id", "title", "display_order", "type", "_links")
_INTEREST = ("category_id", "list_id", "id", "name", "subscriber_count", "display_order", "_links")


@routes.get("/lists/{list_id}/interest-categories")
def list_categories(call: Call) -> dict[str, Any]:
    audience = call.audience()
    wanted = call.text("type")
    found = [
        (key, category)
        for key, category in audience.interest_categories.items()
        if wanted in (None, category["type"])
    ]
    path = f"/lists/{audience.id}/interest-categories"
    return collection(
        call,
        "categories",
        found,
        lambda row: {
            "list_id": audience.id,
            "id": row[0],
            **row[1],
            "_links": [{"rel": "self", "href": f"{call.base}{path}/{row[0]}", "method": "GET"}],
        },
        known=_CATEGORY,
        links=path,
        extra={"list_id": audience.id},
    )


@routes.get("/lists/{list_id}/interest-categories/{interest_category_id}/interests")
def list_interests(call: Call) -> dict[str, Any]:
    audience, category_id = call.audience(), call.params["interest_category_id"]
    if category_id not in audience.interest_categories:
        raise problems.not_found()
    found = [
        (number, key, name)
        for number, (key, (category, name)) in enumerate(audience.interests.items(), 1)
        if category == category_id
    ]
    path = f"/lists/{audience.id}/interest-categories/{category_id}/interests"
    return collection(
        call,
        "interests",
        found,
        lambda row: {
            "category_id": category_id,
            "list_id": audience.id,
            "id": row[1],
            "name": row[2],
            # A string in the description.
            "subscriber_count": str(sum(row[1] in m.interests for m in audience if m.status == "subscribed")),
            "display_order": row[0],
            "_links": [{"rel": "self", "href": f"{call.base}{path}/{row[1]}", "method": "GET"}],
        },
        known=_INTEREST,
        links=path,
        extra={"list_id": audience.id, "category_id": category_id},
    )
