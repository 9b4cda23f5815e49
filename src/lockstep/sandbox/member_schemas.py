"""What bodies about members must look like (the described shapes; contract, 4.3 and 5)."""

from __future__ import annotations

from .member import STATUSES
from .schema import BOOLEAN, MERGE_VALUES, NUMBER, STRING, TIME, Array, Enum, Map, Obj, Shape

__all__ = ["BATCH", "PATCH", "POST", "PUT"]

BATCH_SIZE = 500


def _member(*, in_batch: bool) -> dict[str, Shape]:
    return {
        "email_address": STRING,
        "email_type": Enum("html", "text", "", in_batch=in_batch),
        "status": Enum(*STATUSES, in_batch=in_batch),
        "status_if_new": Enum(*STATUSES, in_batch=in_batch),
        "merge_fields": MERGE_VALUES,
        "interests": Map(BOOLEAN),
        "language": STRING,
        "vip": BOOLEAN,
        "location": Obj({"latitude": NUMBER, "longitude": NUMBER}),
        "ip_signup": STRING,
        "timestamp_signup": TIME,
        "ip_opt": STRING,
        "timestamp_opt": TIME,
        "tags": Array(STRING),
    }


_PERMISSIONS = Array(Obj({"marketing_permission_id": STRING, "enabled": BOOLEAN}))
_SINGLE = _member(in_batch=False) | {"marketing_permissions": _PERMISSIONS}

POST = Obj(_SINGLE, required=("email_address", "status"))
PUT = Obj(_SINGLE)
PATCH = Obj(_SINGLE)


_OLDER = {name: shape for name, shape in _member(in_batch=True).items() if name != "status_if_new"}


def _batch(item: Obj) -> Obj:
    return Obj(
        {"members": Array(item, at_most=BATCH_SIZE), "sync_tags": BOOLEAN, "update_existing": BOOLEAN},
        required=("members",),
    )


#: By generation (`Switches.batch_validator`). The newest wants `status` or `status_if_new` and takes null
#: everywhere (contract, section 5); older ones have never heard of `status_if_new` (contract, section 0).
BATCH = {
    "status_if_new": _batch(Obj(_member(in_batch=True), any_of=("status", "status_if_new"), nullable=True)),
    "status_required": _batch(Obj(_OLDER, required=("status",))),
    "status_if_new_ignored": _batch(Obj(_OLDER)),
}
