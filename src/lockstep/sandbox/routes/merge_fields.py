"""Merge fields: `/lists/{list_id}/merge-fields` (contract, 3.1 and 3.3)."""

from __future__ import annotations

import re
from typing import Any

from lockstep.sandbox import problems
from lockstep.sandbox.api import Call, Routes
from lockstep.sandbox.audience import Audience
from lockstep.sandbox.merge_field import TYPES, MergeField
from lockstep.sandbox.schema import BOOLEAN, INTEGER, STRING, Array, Enum, Obj, Shape
from lockstep.sandbox.shapes import collection, instance

routes = Routes("Lists/MergeFields")

FIELDS = (
    "merge_id", "tag", "name", "type", "required", "default_value", "public", "display_order", "options",
    "help_text", "list_id", "_links",
)  # fmt: skip
_OPTIONS = Obj(
    {
        "default_country": INTEGER,
        "phone_format": STRING,
        "date_format": STRING,
        "choices": Array(STRING),
        "size": INTEGER,
    }
)
_COMMON: dict[str, Shape] = {
    "tag": STRING,
    "name": STRING,
    "required": BOOLEAN,
    "default_value": STRING,
    "public": BOOLEAN,
    "display_order": INTEGER,
    "options": _OPTIONS,
    "help_text": STRING,
}
_NEW = Obj(_COMMON | {"type": Enum(*TYPES)}, required=("name", "type"))
_CHANGE = Obj(_COMMON, required=("name",))
_TAG = re.compile(r"[A-Z0-9_]{1,10}")


def describe(field: MergeField, audience: Audience, base: str) -> dict[str, Any]:
    """One merge field as answered."""
    here = f"{base}/lists/{audience.id}/merge-fields/{field.merge_id}"
    return {
        "merge_id": field.merge_id,
        "tag": field.tag,
        "name": field.name,
        "type": field.type,
        "required": field.required,
        "default_value": field.default_value,
        "public": field.public,
        "display_order": field.display_order,
        "options": field.described_options(),
        "help_text": field.help_text,
        "list_id": audience.id,
        "_links": [
            {"rel": "self", "href": here, "method": "GET"},
            {"rel": "update", "href": here, "method": "PATCH"},
            {"rel": "delete", "href": here, "method": "DELETE"},
        ],
    }


def _field(call: Call) -> tuple[Audience, MergeField]:
    audience, name = call.audience(), call.params["merge_id"]
    field = audience.merge_fields.get(int(name)) if name.isascii() and name.isdigit() else None
    if field is None:
        raise problems.not_found()
    return audience, field


def _tag(audience: Audience, given: str, but: MergeField | None = None) -> str:
    """The tag as stored: upper case. Raises Problem if it is malformed or taken."""
    tag = given.upper()
    if not _TAG.fullmatch(tag):
        # INFERRED: the form of a tag is known, the refusal is not (contract, 13.3).
        raise problems.invalid_resource(
            ("tag", "Merge tags can have up to 10 characters: letters, digits and underscores.")
        )
    taken = audience.merge_field(tag)
    if tag == "EMAIL" or (taken is not None and taken is not but):
        raise problems.tag_exists(tag)
    return tag


@routes.get("/lists/{list_id}/merge-fields")
def list_merge_fields(call: Call) -> dict[str, Any]:
    audience = call.audience()
    found = list(audience.merge_fields.values())
    if (type_ := call.text("type")) is not None:
        found = [field for field in found if field.type == type_]
    if call.text("required") is not None:
        required = call.flag("required")
        found = [field for field in found if field.required == required]
    return collection(
        call,
        "merge_fields",
        found,
        lambda field: describe(field, audience, call.base),
        known=FIELDS,
        links=f"/lists/{audience.id}/merge-fields",
        extra={"list_id": audience.id},
    )


@routes.post("/lists/{list_id}/merge-fields")
def create_merge_field(call: Call) -> dict[str, Any]:
    audience, body = call.audience(), call.body(_NEW)
    limit = call.sandbox.switches.merge_field_limit
    tag = _tag(audience, body["tag"]) if body.get("tag") else _default_tag(audience)
    # The limit counts EMAIL, which is no field here (contract, 3.3).
    if len(audience.merge_fields) + 1 >= limit:
        raise problems.too_many_merge_fields(limit)
    attributes = {
        name: body[name] for name in _COMMON.keys() & body.keys() - {"tag"} if body[name] is not None
    }
    field = audience.add_merge_field(tag=tag, type=body["type"], **attributes)
    return describe(field, audience, call.base) | {
        "merge_field_limit": limit,
        "total_items": len(audience.merge_fields) + 1,
    }


def _default_tag(audience: Audience) -> str:
    """INFERRED: what the API picks was not established; the web interface picks MMERGE<n> (contract, 3.3)."""
    number = 1
    while audience.merge_field(f"MMERGE{number}") or number <= len(audience.merge_fields):
        number += 1
    return f"MMERGE{number}"


@routes.get("/lists/{list_id}/merge-fields/{merge_id}")
def get_merge_field(call: Call) -> dict[str, Any]:
    audience, field = _field(call)
    return instance(call, describe(field, audience, call.base))


@routes.patch("/lists/{list_id}/merge-fields/{merge_id}")
def update_merge_field(call: Call) -> dict[str, Any]:
    audience, field = _field(call)
    body = call.body(_CHANGE)
    if body.get("tag"):
        field.tag = _tag(audience, body["tag"], but=field)
    options = dict(body.get("options") or {})
    if field.type not in ("dropdown", "radio") and "choices" in options:
        raise problems.invalid_resource(
            ("options.choices", "This resource has not yet implemented array assignment for options.choices.")
        )
    field.options = field.options | options
    for name in ("name", "required", "default_value", "public", "display_order", "help_text"):
        if name in body:
            setattr(field, name, body[name])
    audience.refresh_columns()
    return describe(field, audience, call.base)


@routes.delete("/lists/{list_id}/merge-fields/{merge_id}")
def delete_merge_field(call: Call) -> None:
    audience, field = _field(call)
    audience.remove_merge_field(field)
