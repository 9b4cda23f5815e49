"""Audience webhooks: `/lists/{list_id}/webhooks` (contract, section 8)."""

from __future__ import annotations

from typing import Any

from lockstep.sandbox import problems
from lockstep.sandbox.api import Call, Later, Routes
from lockstep.sandbox.audience import Audience
from lockstep.sandbox.courier import Outcome, Post, is_http_url
from lockstep.sandbox.schema import BOOLEAN, STRING, Obj
from lockstep.sandbox.shapes import collection, instance
from lockstep.sandbox.webhook import EVENTS, SMS_EVENTS, SOURCES, Webhook, webhooks_of

routes = Routes("Lists/Webhooks")

_FIELDS = ("id", "url", "events", "sources", "list_id", "_links")
_BODY = Obj(
    {
        "url": STRING,
        "events": Obj(dict.fromkeys((*EVENTS, *SMS_EVENTS), BOOLEAN)),
        "sources": Obj(dict.fromkeys(SOURCES, BOOLEAN)),
    }
)
_VALIDATOR = "MailChimp.com WebHook Validator"


def _describe(call: Call, audience: Audience, webhook: Webhook) -> dict[str, Any]:
    here = f"{call.base}/lists/{audience.id}/webhooks/{webhook.id}"
    return {
        "id": webhook.id,
        "url": webhook.url,
        "events": {name: webhook.events.get(name, False) for name in EVENTS},
        "sources": {name: webhook.sources[name] for name in SOURCES},
        "list_id": audience.id,
        "_links": [
            {"rel": "self", "href": here, "method": "GET"},
            {"rel": "parent", "href": f"{call.base}/lists/{audience.id}/webhooks", "method": "GET"},
            {"rel": "update", "href": here, "method": "PATCH"},
            {"rel": "delete", "href": here, "method": "DELETE"},
        ],
    }


def _webhook(call: Call, audience: Audience) -> Webhook:
    found = webhooks_of(call.sandbox).find(audience, call.params["webhook_id"])
    if found is None:
        raise problems.not_found()
    return found


def _checked_url(call: Call, audience: Audience, url: str, known: Webhook | None) -> str:
    if not is_http_url(url):
        raise problems.invalid_resource(("url", "Invalid URL"))
    if webhooks_of(call.sandbox).at_url(audience, url) not in (None, known):
        # INFERRED wording: that parameters do not make a second webhook is seen (codegen issue 11).
        raise problems.invalid_resource(("url", "Sorry, you can't set up multiple WebHooks for one URL"))
    return url


def _validation(url: str) -> Post:
    """The GET that the address must answer with 200 (contract, 8)."""
    return Post("GET", url, {"User-Agent": _VALIDATOR})


def _refuse_unless_working(outcome: Outcome) -> None:
    if outcome.status != 200:
        raise problems.webhook_unreachable(outcome.status or 0)


@routes.get("/lists/{list_id}/webhooks")
def list_webhooks(call: Call) -> dict[str, Any]:
    audience = call.audience()
    return collection(
        call,
        "webhooks",
        webhooks_of(call.sandbox).of(audience),
        lambda webhook: _describe(call, audience, webhook),
        known=_FIELDS,
        links=f"/lists/{audience.id}/webhooks",
        extra={"list_id": audience.id},
    )


@routes.post("/lists/{list_id}/webhooks")
def create_webhook(call: Call) -> Later:
    audience, body = call.audience(), call.body(_BODY)
    if "url" not in body:
        raise problems.required("url")
    url = _checked_url(call, audience, body["url"], None)
    # INFERRED: without events or sources all are meant, with some the others are off.
    events = {name: body["events"].get(name, False) if "events" in body else True for name in EVENTS}
    sources = {name: body["sources"].get(name, False) if "sources" in body else True for name in SOURCES}
    sms = {name: body["events"][name] for name in SMS_EVENTS if name in body.get("events", {})}

    def then(outcome: Outcome) -> dict[str, Any]:
        _refuse_unless_working(outcome)
        _checked_url(call, audience, url, None)  # somebody may have been faster
        made = webhooks_of(call.sandbox).add(audience, url, events | sms, sources)
        return _describe(call, audience, made) | {"signing_secret": made.secret}

    return Later(_validation(url), then)


@routes.get("/lists/{list_id}/webhooks/{webhook_id}")
def get_webhook(call: Call) -> dict[str, Any]:
    audience = call.audience()
    return instance(call, _describe(call, audience, _webhook(call, audience)))


@routes.patch("/lists/{list_id}/webhooks/{webhook_id}")
def update_webhook(call: Call) -> Later | dict[str, Any]:
    """Change a webhook."""
    # INFERRED: a new address is asked first like that of a new webhook, and a change enables it again.
    audience, body = call.audience(), call.body(_BODY)
    webhook = _webhook(call, audience)
    url = _checked_url(call, audience, body.get("url", webhook.url), webhook)

    def change() -> dict[str, Any]:
        webhook.url = url
        webhook.events |= body.get("events", {})
        webhook.sources |= body.get("sources", {})
        webhook.enable()
        return _describe(call, audience, webhook)

    def then(outcome: Outcome) -> dict[str, Any]:
        _refuse_unless_working(outcome)
        return change()

    return change() if url == webhook.url else Later(_validation(url), then)


@routes.delete("/lists/{list_id}/webhooks/{webhook_id}")
def delete_webhook(call: Call) -> None:
    audience = call.audience()
    webhooks_of(call.sandbox).delete(audience, _webhook(call, audience))
