"""The control door `/_sandbox/`: everything that a test or a page makes happen outside the Mailchimp API.

JSON in, JSON out. A mistake of the caller is answered 400 with `{"error": …}`. There is no key to this
door: the sandbox binds to loopback and holds made-up people.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from . import happenings, marketer, seeding, snapshot, webhook_desk
from .clock import BadTime, iso, parse_time
from .faults import KINDS, BadFault
from .merge_field import BadValue
from .problems import Problem
from .sandbox import Latency, Sandbox
from .subscriber import CannotHappen

__all__ = ["routes"]

_MISTAKES = (BadFault, BadTime, BadValue, CannotHappen, KeyError, TypeError, ValueError)


def routes(sandbox: Sandbox, state_file: Path | None) -> list[Route]:
    """The routes below `/_sandbox`."""

    def reset(given: dict[str, Any]) -> Any:
        sandbox.reset(seed=given.get("seed"), empty=bool(given.get("empty")))
        return _overview(sandbox)

    def add_faults(given: dict[str, Any]) -> Any:
        kind = str(given.pop("kind"))
        return sandbox.faults.add(kind, given.pop("parameters", None), **given).document()

    def save(given: dict[str, Any]) -> Any:
        if state_file is None:
            raise ValueError("the sandbox was started without --state FILE")
        if sandbox.journal is None:
            snapshot.save(sandbox, state_file)
        else:
            sandbox.journal.save()
        return {"saved": str(state_file)}

    def set_latency(given: dict[str, Any]) -> Any:
        sandbox.latency = Latency(float(given.get("ms", 0)), float(given.get("spread_ms", 0)))
        return given

    def set_switches(given: dict[str, Any]) -> Any:
        for name, value in given.items():
            sandbox.switches.set(name, value)
        return _switches(sandbox)

    def move_clock(given: dict[str, Any]) -> Any:
        clock = sandbox.clock
        if "rate" in given:
            clock.run(float(given["rate"]))
        if "set" in given:
            clock.set(parse_time(str(given["set"])) or 0)
        if "advance" in given:
            clock.advance(float(given["advance"]))
        sandbox.tick()
        return _clock(sandbox)

    async def faults(request: Request) -> Response:
        if request.method == "GET":
            kinds = {kind: {"does": text, "parameters": known} for kind, (text, known) in KINDS.items()}
            rules = [rule.document() for rule in sandbox.faults.rules.values()]
            return JSONResponse({"rules": rules, "kinds": kinds})
        if request.method == "DELETE":
            sandbox.faults.clear()
            return JSONResponse({"rules": []})
        return await _post(add_faults)(request)

    async def fault(request: Request) -> Response:
        gone = sandbox.faults.remove(int(request.path_params["number"]))
        return JSONResponse({"removed": gone}, 200 if gone else 404)

    async def log(request: Request) -> Response:
        if request.method == "DELETE":
            sandbox.log.clear()
            return JSONResponse({"entries": []})
        query = request.query_params
        entries = list(
            sandbox.log.entries(
                after=int(query.get("after", 0)),
                method=query.get("method", ""),
                path=query.get("path", ""),
                writes=query.get("writes", "") in ("1", "true"),
            )
        )
        limit = int(query.get("limit", 1000))
        bodies = query.get("bodies", "") in ("1", "true")
        return JSONResponse(
            {
                "total": sandbox.log.total,
                "matching": len(entries),
                "entries": [entry.document(bodies=bodies) for entry in entries[-limit:]],
            }
        )

    async def deliveries(request: Request) -> Response:
        query = request.query_params
        return JSONResponse(
            webhook_desk.deliveries(
                sandbox, after=int(query.get("after", 0)), webhook=query.get("webhook", "")
            )
        )

    async def counts(request: Request) -> Response:
        return JSONResponse(
            [
                {"method": method, "route": route, "status": status, "count": count}
                for (method, route, status), count in sorted(sandbox.log.counts.items())
            ]
        )

    return [
        Route("/", _get(lambda: _overview(sandbox))),
        Route("/reset", _post(reset), methods=["POST"]),
        Route("/save", _post(save), methods=["POST"]),
        Route("/accounts", _post(lambda given: seeding.add_account(sandbox, **given)), methods=["POST"]),
        Route("/audiences", _post(lambda given: seeding.add_audience(sandbox, **given)), methods=["POST"]),
        Route("/members", _post(lambda given: seeding.add_members(sandbox, **given)), methods=["POST"]),
        Route("/member", _inside(sandbox)),
        Route("/happen", _post(lambda given: happenings.happen(sandbox, **given)), methods=["POST"]),
        Route("/campaigns", _get(lambda: marketer.list_campaigns(sandbox)), methods=["GET"]),
        Route(
            "/campaigns", _post(lambda given: marketer.create_campaign(sandbox, **given)), methods=["POST"]
        ),
        Route(
            "/campaigns/send", _post(lambda given: marketer.send_campaign(sandbox, **given)), methods=["POST"]
        ),
        Route("/campaigns/play", _post(lambda given: marketer.play(sandbox, **given)), methods=["POST"]),
        Route("/webhooks", _get(lambda: webhook_desk.list_webhooks(sandbox)), methods=["GET"]),
        Route(
            "/webhooks/enable", _post(lambda given: webhook_desk.enable(sandbox, **given)), methods=["POST"]
        ),
        Route("/webhooks/fire", _post(lambda given: webhook_desk.fire(sandbox, **given)), methods=["POST"]),
        Route("/deliveries", deliveries, methods=["GET"]),
        Route("/revoke", _post(lambda given: happenings.revoke(sandbox, **given)), methods=["POST"]),
        Route("/users", _post(lambda given: happenings.set_user(sandbox, **given)), methods=["POST"]),
        Route("/faults", faults, methods=["GET", "POST", "DELETE"]),
        Route("/faults/{number:int}", fault, methods=["DELETE"]),
        Route("/latency", _post(set_latency), methods=["POST"]),
        Route("/switches", _get(lambda: _switches(sandbox)), methods=["GET"]),
        Route("/switches", _post(set_switches), methods=["POST"]),
        Route("/clock", _get(lambda: _clock(sandbox)), methods=["GET"]),
        Route("/clock", _post(move_clock), methods=["POST"]),
        Route("/log", log, methods=["GET", "DELETE"]),
        Route("/log/counts", counts),
    ]


Endpoint = Callable[[Request], Awaitable[Response]]


def _get(show: Callable[[], Any]) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        return JSONResponse(show())

    return endpoint


def _post(act: Callable[[dict[str, Any]], Any]) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        body = await request.body()
        try:
            given = json.loads(body) if body.strip() else {}
            if not isinstance(given, dict):
                raise ValueError("the body must be a JSON object")
            return JSONResponse(act(given))
        except Problem as problem:
            return JSONResponse({"error": problem.detail, "errors": problem.errors}, 400)
        except _MISTAKES as error:
            return JSONResponse({"error": str(error) or type(error).__name__}, 400)

    return endpoint


def _inside(sandbox: Sandbox) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        try:
            query = request.query_params
            return JSONResponse(happenings.look(sandbox, query["audience"], query["email"]))
        except _MISTAKES as error:
            return JSONResponse({"error": str(error) or type(error).__name__}, 404)

    return endpoint


def _overview(sandbox: Sandbox) -> dict[str, Any]:
    return {
        "clock": _clock(sandbox),
        "seed": sandbox.ids.seed,
        "requests": sandbox.log.total,
        "oauth_apps": [
            {"client_id": app.client_id, "client_secret": app.client_secret, "name": app.name}
            for app in sandbox.oauth.apps.values()
        ],
        "accounts": [
            {
                "id": account.id,
                "name": account.name,
                "data_centre": account.data_centre,
                "keys": [c.secret for c in account.credentials.values() if not c.client_id],
                "tokens": [c.secret for c in account.credentials.values() if c.client_id],
                "audiences": [
                    {
                        "id": audience.id,
                        "name": audience.name,
                        "members": {shelf: len(held) for shelf, held in audience.shelves.items()},
                        "forgotten": len(audience.forgotten),
                    }
                    for audience in account.audiences.values()
                ],
            }
            for account in sandbox.accounts.values()
        ],
    }


def _clock(sandbox: Sandbox) -> dict[str, Any]:
    return {"now": iso(sandbox.clock.second()), "rate": sandbox.clock.rate}


def _switches(sandbox: Sandbox) -> dict[str, Any]:
    switches = sandbox.switches
    return {name: getattr(switches, name) for name in switches.names()}
