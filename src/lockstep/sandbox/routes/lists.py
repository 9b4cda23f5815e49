"""Audiences: `/lists` and `/lists/{list_id}` (contract, section 2)."""

from __future__ import annotations

from typing import Any

from lockstep.sandbox import problems
from lockstep.sandbox.api import Call, Routes
from lockstep.sandbox.audience import Audience
from lockstep.sandbox.list_document import LIST_FIELDS, describe_list
from lockstep.sandbox.member import hash_of
from lockstep.sandbox.schema import BOOLEAN, STRING, Obj, Shape
from lockstep.sandbox.shapes import collection, instance

routes = Routes("Lists")

_CONTACT = ("company", "address1", "city", "state", "zip", "country")
_DEFAULTS = ("from_name", "from_email", "subject", "language")
_FIELDS: dict[str, Shape] = {
    "name": STRING,
    "permission_reminder": STRING,
    "use_archive_bar": BOOLEAN,
    "notify_on_subscribe": STRING,
    "notify_on_unsubscribe": STRING,
    "email_type_option": BOOLEAN,
    "double_optin": BOOLEAN,
    "marketing_permissions": BOOLEAN,
    "visibility": STRING,
}
_ADDRESS_KEYS = dict.fromkeys((*_CONTACT, "address2", "phone"), STRING)
_DEFAULT_KEYS = dict.fromkeys(_DEFAULTS, STRING)
_NEW = Obj(
    _FIELDS
    | {
        "contact": Obj(_ADDRESS_KEYS, required=_CONTACT),
        "campaign_defaults": Obj(_DEFAULT_KEYS, required=_DEFAULTS),
    },
    required=("name", "contact", "permission_reminder", "campaign_defaults", "email_type_option"),
)
#: The newest description requires nothing on PATCH, the older one nearly everything (contract, section 2).
_CHANGE = Obj(_FIELDS | {"contact": Obj(_ADDRESS_KEYS), "campaign_defaults": Obj(_DEFAULT_KEYS)})


def _describe(call: Call, audience: Audience) -> dict[str, Any]:
    return describe_list(
        audience,
        call.account,
        call.base,
        now=call.sandbox.clock.second(),
        cache_seconds=call.sandbox.switches.stats_cache_seconds,
        total_contacts=call.flag("include_total_contacts"),
    )


@routes.get("/lists")
def list_lists(call: Call) -> dict[str, Any]:
    found = list(call.account.audiences.values())
    since, before = call.moment("since_date_created"), call.moment("before_date_created")
    found = [a for a in found if _inside(a.created, since, before)]
    since, before = call.moment("since_campaign_last_sent"), call.moment("before_campaign_last_sent")
    if since is not None or before is not None:
        found = [a for a in found if a.stats.last_campaign and _inside(a.stats.last_campaign, since, before)]
    if (address := call.text("email")) is not None:
        found = [a for a in found if a.get(hash_of(address))]
    if call.flag("has_ecommerce_store"):
        found = []
    call.choice("sort_field", ("date_created",))
    found.sort(
        key=lambda a: (a.created, a.web_id), reverse=call.choice("sort_dir", ("ASC", "DESC")) == "DESC"
    )
    constraints = {
        "may_create": True,
        "max_instances": -1,
        "current_total_instances": len(call.account.audiences),
    }
    return collection(
        call,
        "lists",
        found,
        lambda audience: _describe(call, audience),
        known=LIST_FIELDS,
        links="/lists",
        extra={"constraints": constraints},
    )


def _inside(moment: int, since: int | None, before: int | None) -> bool:
    """`(since, before]` (contract, section 2)."""
    return (since is None or moment > since) and (before is None or moment <= before)


@routes.post("/lists")
def create_list(call: Call) -> dict[str, Any]:
    body = call.body(_NEW)
    settings = {name: value for name, value in body.items() if name in _FIELDS and name != "name"}
    settings["contact"] = {"address2": "", "phone": ""} | body["contact"]
    settings["campaign_defaults"] = body["campaign_defaults"]
    audience = call.sandbox.add_audience(call.account, body["name"], settings=settings)
    return _describe(call, audience)


@routes.get("/lists/{list_id}")
def get_list(call: Call) -> dict[str, Any]:
    return instance(call, _describe(call, call.audience()))


@routes.patch("/lists/{list_id}")
def update_list(call: Call) -> dict[str, Any]:
    audience, body = call.audience(), call.body(_CHANGE)
    if body.get("name") == "":
        raise problems.invalid_resource(("name", "This value should not be blank."))
    audience.name = body.get("name", audience.name)
    for name in _FIELDS.keys() & body.keys() - {"name", "marketing_permissions"}:
        audience.settings[name] = body[name]
    for name in ("contact", "campaign_defaults"):
        audience.settings[name] = audience.settings[name] | body.get(name, {})
    if "marketing_permissions" in body:
        audience.set_marketing_permissions(body["marketing_permissions"], call.sandbox.ids)
    return _describe(call, audience)


@routes.delete("/lists/{list_id}")
def delete_list(call: Call) -> None:
    del call.account.audiences[call.audience().id]
