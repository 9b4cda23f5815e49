"""Batch operations and batch webhooks: `/batches`, `/batch-webhooks` (contract, section 6)."""

from __future__ import annotations

from typing import Any

from lockstep.sandbox import problems
from lockstep.sandbox.api import Call, Routes
from lockstep.sandbox.batch import (
    PENDING_LIMIT,
    WEBHOOK_LIMIT,
    Batch,
    BatchWebhook,
    batches_of,
    describe_batch,
)
from lockstep.sandbox.courier import is_http_url
from lockstep.sandbox.schema import BOOLEAN, STRING, Anything, Array, Enum, Map, Obj
from lockstep.sandbox.shapes import collection, instance

routes = Routes("Batches")

_BATCH = (
    "id", "status", "total_operations", "finished_operations", "errored_operations", "submitted_at",
    "completed_at", "response_body_url", "_links",
)  # fmt: skip
_HOOK = ("id", "url", "enabled", "_links")
_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
_OPERATION = Obj(
    {
        "method": Enum(*_METHODS),
        "path": STRING,
        # Strings in the examples; the service takes other simple values too.
        "params": Map(Anything()),
        "body": STRING,
        "operation_id": STRING,
    },
    required=("method", "path"),
)
_NEW = Obj({"operations": Array(_OPERATION)}, required=("operations",))
_NEW_HOOK = Obj({"url": STRING, "enabled": BOOLEAN}, required=("url",))
_CHANGED_HOOK = Obj({"url": STRING, "enabled": BOOLEAN})


def _describe(call: Call, batch: Batch) -> dict[str, Any]:
    return describe_batch(batch, batches_of(call.sandbox).link(batch), call.base)


def _batch(call: Call) -> Batch:
    found = batches_of(call.sandbox).find(call.account, call.params["batch_id"])
    if found is None:
        raise problems.not_found()
    return found


@routes.get("/batches")
def list_batches(call: Call) -> dict[str, Any]:
    found = batches_of(call.sandbox).of(call.account)
    return collection(
        call, "batches", found, lambda batch: _describe(call, batch), known=_BATCH, links="/batches"
    )


@routes.post("/batches")
def start_batch(call: Call) -> dict[str, Any]:
    body, batches = call.body(_NEW), batches_of(call.sandbox)
    too_many = batches.pending(call.account) >= PENDING_LIMIT
    if too_many or batches.undelivered(call.account) >= PENDING_LIMIT:
        raise problems.too_many_batches(PENDING_LIMIT)
    made = batches.add(call.account, call.credential.secret, call.base, call.request.ip, body["operations"])
    return _describe(call, made)


@routes.get("/batches/{batch_id}")
def get_batch(call: Call) -> dict[str, Any]:
    return instance(call, _describe(call, _batch(call)))


@routes.delete("/batches/{batch_id}")
def delete_batch(call: Call) -> None:
    batches_of(call.sandbox).delete(_batch(call))


# --- batch webhooks ---


def _describe_hook(call: Call, hook: BatchWebhook) -> dict[str, Any]:
    here = f"{call.base}/batch-webhooks/{hook.id}"
    return {
        "id": hook.id,
        "url": hook.url,
        "enabled": hook.enabled,
        "_links": [{"rel": "self", "href": here, "method": "GET"}],
    }


def _hook(call: Call) -> BatchWebhook:
    found = batches_of(call.sandbox).webhooks.get(call.params["batch_webhook_id"])
    if found is None or found.account_id != call.account.id:
        raise problems.not_found()
    return found


def _checked(url: str) -> str:
    if not is_http_url(url):
        raise problems.invalid_resource(("url", "Invalid URL"))
    return url


@routes.get("/batch-webhooks")
def list_batch_webhooks(call: Call) -> dict[str, Any]:
    hooks = batches_of(call.sandbox).webhooks.values()
    return collection(
        call,
        "webhooks",
        [hook for hook in hooks if hook.account_id == call.account.id],
        lambda hook: _describe_hook(call, hook),
        known=_HOOK,
        links="/batch-webhooks",
    )


@routes.post("/batch-webhooks")
def create_batch_webhook(call: Call) -> dict[str, Any]:
    body, hooks = call.body(_NEW_HOOK), batches_of(call.sandbox).webhooks
    if sum(hook.account_id == call.account.id for hook in hooks.values()) >= WEBHOOK_LIMIT:
        raise problems.too_many_batch_webhooks(WEBHOOK_LIMIT)
    made = BatchWebhook(
        call.sandbox.ids.hex(10), call.account.id, _checked(body["url"]), body.get("enabled", True)
    )
    hooks[made.id] = made
    return _describe_hook(call, made)


@routes.get("/batch-webhooks/{batch_webhook_id}")
def get_batch_webhook(call: Call) -> dict[str, Any]:
    return instance(call, _describe_hook(call, _hook(call)))


@routes.patch("/batch-webhooks/{batch_webhook_id}")
def update_batch_webhook(call: Call) -> dict[str, Any]:
    hook, body = _hook(call), call.body(_CHANGED_HOOK)
    hook.url = _checked(body.get("url", hook.url))
    hook.enabled = body.get("enabled", hook.enabled)
    return _describe_hook(call, hook)


@routes.delete("/batch-webhooks/{batch_webhook_id}")
def delete_batch_webhook(call: Call) -> None:
    del batches_of(call.sandbox).webhooks[_hook(call).id]
