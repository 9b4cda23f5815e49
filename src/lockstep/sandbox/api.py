"""The API without HTTP: a request value in, an answer value out. No I/O, no waiting.

`Api.answer` finds the route, checks who asks, runs the handler and turns a `Problem` into its document. The
ASGI door uses it, and so does anything that calls the API from inside (batch operations do).
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from . import problems
from .account import Account, Credential
from .audience import Audience
from .clock import BadTime, parse_time
from .courier import Outcome, Post
from .encode import encode
from .faults import Fault
from .problems import Problem
from .sandbox import Sandbox
from .schema import Obj, Shape, check, errors_in
from .selection import Selection, parse_selection
from .subscription import Doing

__all__ = ["Api", "Call", "Handler", "Later", "Reply", "Request", "Route", "Routes"]

JSON = Any
MAX_COUNT = 1000
DEFAULT_COUNT = 10
_TRUE = frozenset(("true", "1"))
_FALSE = frozenset(("false", "0", ""))


@dataclass(frozen=True, slots=True)
class Request:
    """What came in. `path` is below `/3.0` and still percent-encoded; header names are lower case."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    ip: str = "127.0.0.1"
    base: str = "http://sandbox/3.0"


@dataclass(frozen=True, slots=True)
class Later:
    """What a handler gives that must ask an address first: `then` answers by what came of `post`."""

    post: Post
    then: Callable[[Outcome], JSON]


@dataclass(slots=True)
class Reply:
    """What goes out. `document` None means an empty body. With `later` it is not finished yet
    (`Api.finish`)."""

    status: int
    document: JSON = None
    headers: dict[str, str] = field(default_factory=dict)
    route: str = ""
    account: Account | None = None
    later: Later | None = None

    def body(self) -> bytes:
        """The bytes on the wire."""
        return b"" if self.document is None else encode(self.document)


@dataclass(slots=True)
class Call:
    """A request that has been let in: what handlers get."""

    sandbox: Sandbox
    account: Account
    credential: Credential
    request: Request
    params: dict[str, str]
    faults: tuple[Fault, ...] = ()

    # --- what is asked for ---

    @property
    def base(self) -> str:
        """Address of the API, for `_links`."""
        return self.request.base

    @property
    def selection(self) -> Selection:
        """`fields` and `exclude_fields`. Raises Problem."""
        query = self.request.query
        return parse_selection(query.get("fields"), query.get("exclude_fields"))

    def page(self) -> tuple[int, int]:
        """(count, offset): 10 by default, cut at 1000 in silence; 0 is the default (contract, section 2)."""
        count = self.integer("count", DEFAULT_COUNT)
        offset = self.integer("offset", 0)
        for name, value in (("count", count), ("offset", offset)):
            if value < 0:
                raise problems.invalid_resource((name, "This value should be 0 or more."))
        return min(count or DEFAULT_COUNT, MAX_COUNT), offset

    def text(self, name: str) -> str | None:
        """A query parameter; None if it is absent or empty."""
        return self.request.query.get(name) or None

    def integer(self, name: str, default: int) -> int:
        """A whole number from the query. Raises Problem."""
        text = self.text(name)
        if text is None:
            return default
        if not re.fullmatch(r"[+-]?\d{1,18}", text):
            raise problems.invalid_resource((name, "Schema describes integer, string found instead"))
        return int(text)

    def flag(self, name: str) -> bool:
        """A yes or no from the query; absent means no. Raises Problem."""
        text = self.request.query.get(name, "").lower()
        if text not in _TRUE and text not in _FALSE:
            raise problems.invalid_resource((name, "Schema describes boolean, string found instead"))
        return text in _TRUE

    def choice(self, name: str, choices: Iterable[str]) -> str | None:
        """One of some words from the query. Raises Problem."""
        text = self.text(name)
        if text is not None and text not in choices:
            raise problems.invalid_resource((name, "The value you selected is not a valid choice."))
        return text

    def moment(self, name: str) -> int | None:
        """A time from the query in seconds since 1970. Raises Problem."""
        text = self.text(name)
        if text is None:
            return None
        try:
            return parse_time(text)
        except BadTime as error:
            raise problems.invalid_resource((name, "Please enter a valid date and time.")) from error

    def body(self, shape: Shape | None = None) -> dict[str, JSON]:
        """The JSON object that was sent, checked against `shape`. Raises Problem."""
        try:
            document = json.loads(self.request.body.decode(), parse_constant=_refuse_constant)
        except (ValueError, RecursionError) as error:
            raise problems.not_json() from error
        if document is None:
            raise problems.not_json()
        if not isinstance(document, dict):
            raise problems.invalid_resource(*errors_in(document, Obj({})))
        if shape is not None:
            check(document, shape)
        return document

    # --- what it is about ---

    def audience(self) -> Audience:
        """The audience in the path. Raises Problem (404)."""
        audience = self.account.audiences.get(self.params["list_id"])
        if audience is None or any(fault.kind == "audience_deleted" for fault in self.faults):
            raise problems.not_found()
        return audience

    def doing(self, **more: Any) -> Doing:
        """Who writes and from where, for the rules."""
        if any(fault.kind == "plan_limit" for fault in self.faults):
            more["has_room"] = lambda: False
        return self.sandbox.doing(
            self.account, ip=self.request.ip, label=self.credential.label, source="api", set_by="api", **more
        )


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


Handler = Callable[[Call], Reply | Later | JSON]


@dataclass(frozen=True, slots=True)
class Route:
    """One path and method.

    `writes` are forbidden to small roles; `schema` names the description in the `Link` header.
    """

    method: str
    pattern: str
    handler: Handler
    schema: str

    @property
    def writes(self) -> bool:
        return self.method != "GET"


class Routes:
    """The routes of the API. Every module in `routes/` has one named `routes` and fills it:

    routes = Routes("Lists/Members")

    @routes.get("/lists/{list_id}/members")
    def list_members(call: Call) -> ...:
    """

    def __init__(self, schema: str = "Root") -> None:
        self._schema = schema
        self.all: list[Route] = []

    def _add(self, method: str, pattern: str) -> Callable[[Handler], Handler]:
        def remember(handler: Handler) -> Handler:
            self.all.append(Route(method, pattern, handler, self._schema))
            return handler

        return remember

    def get(self, pattern: str) -> Callable[[Handler], Handler]:
        return self._add("GET", pattern)

    def post(self, pattern: str) -> Callable[[Handler], Handler]:
        return self._add("POST", pattern)

    def put(self, pattern: str) -> Callable[[Handler], Handler]:
        return self._add("PUT", pattern)

    def patch(self, pattern: str) -> Callable[[Handler], Handler]:
        return self._add("PATCH", pattern)

    def delete(self, pattern: str) -> Callable[[Handler], Handler]:
        return self._add("DELETE", pattern)


class Api:
    """All routes over one sandbox."""

    def __init__(self, sandbox: Sandbox, collections: Iterable[Routes]) -> None:
        self.sandbox = sandbox
        sandbox.api = self
        self._tree: dict[str, Any] = {}
        self.routes: list[Route] = []
        for routes in collections:
            for route in routes.all:
                self.routes.append(route)
                node = self._tree
                for part in _parts(route.pattern):
                    node = node.setdefault("{}" if part.startswith("{") else part, {})
                node.setdefault("", {})[route.method] = route

    @staticmethod
    def request(
        method: str, path: str, query: Mapping[str, str], secret: str, body: str, base: str, ip: str
    ) -> Request:
        """A request as if it came in with this key; for what calls the API from inside."""
        headers = {"authorization": f"Bearer {secret}"}
        return Request(method, path, query, headers, body.encode(errors="replace"), ip, base)

    def answer(self, request: Request, request_id: str, faults: tuple[Fault, ...] = ()) -> Reply:
        """The reply to a request; never raises Problem."""
        found: dict[str, Route] = {}
        who: tuple[Account, Credential] | None = None
        try:
            method = _overridden(request)
            found, names = self._find(request.path)
            who = self.authenticate(request, faults)
            account, credential = who
            if not found:
                raise problems.nesting_too_deep() if len(_parts(request.path)) > 8 else problems.not_found()
            route = found.get(method)
            if route is None:
                raise problems.method_not_allowed(found)
            if route.writes and not credential.user.may_write:
                raise problems.action_not_permitted()
            pattern_names = [part[1:-1] for part in _parts(route.pattern) if part.startswith("{")]
            params = dict(zip(pattern_names, names, strict=True))
            given = route.handler(Call(self.sandbox, account, credential, request, params, faults))
            reply = _reply(given)
        except Problem as problem:
            reply = Reply(problem.status, problem.document(request_id), dict(problem.headers))
        route = next(iter(found.values()), None)
        reply.route = route.pattern if route else ""
        reply.account = who[0] if who else None
        self._dress(reply, request, request_id, route)
        return reply

    def finish(self, reply: Reply, outcome: Outcome, request: Request, request_id: str) -> Reply:
        """The finished answer of one that had to ask an address first; never raises Problem."""
        if reply.later is None:
            return reply
        try:
            finished = _reply(reply.later.then(outcome))
        except Problem as problem:
            finished = Reply(problem.status, problem.document(request_id), dict(problem.headers))
        finished.route, finished.account = reply.route, reply.account
        found, _ = self._find(request.path)
        self._dress(finished, request, request_id, next(iter(found.values()), None))
        return finished

    def authenticate(self, request: Request, faults: tuple[Fault, ...] = ()) -> tuple[Account, Credential]:
        """Who asks (contract, 1.3). Raises Problem."""
        secret = _secret(request.headers.get("authorization", ""))
        if secret is None:
            raise problems.api_key_missing()
        opened = self.sandbox.opened_by(secret)
        kinds = {fault.kind for fault in faults}
        if opened is None or opened[1].revoked or "key_revoked" in kinds:
            raise problems.api_key_invalid()
        account, credential = opened
        host = re.match(r"(us\d+)\.api\.", request.headers.get("host", ""))
        if host and host[1] != account.data_centre:
            raise problems.wrong_data_centre(account.data_centre)
        if not credential.user.enabled or "user_disabled" in kinds:
            raise problems.user_disabled()
        return account, credential

    def _find(self, path: str) -> tuple[dict[str, Route], list[str]]:
        node, names = self._tree, []
        for part in _parts(path):
            if part in node and part:
                node = node[part]
            elif "{}" in node:
                node = node["{}"]
                names.append(unquote(part))
            else:
                return {}, []
        return node.get("", {}), names

    @staticmethod
    def _dress(reply: Reply, request: Request, request_id: str, route: Route | None) -> None:
        """The headers of every answer (contract, 4.2)."""
        failed = reply.status >= 400
        described = "ProblemDetailDocument.json" if failed else f"{route.schema if route else 'Root'}.json"
        site = request.base.removesuffix("/3.0")
        reply.headers = {
            "Server": "openresty",
            "X-Request-Id": request_id,
            "Link": f'<{site}/schema/3.0/{described}>; rel="describedBy"',
        } | reply.headers
        if reply.document is not None:
            kind = "problem+json" if failed else "json"
            reply.headers["Content-Type"] = f"application/{kind}; charset=utf-8"


def _reply(given: Reply | Later | JSON) -> Reply:
    match given:
        case Reply():
            return given
        case Later():
            return Reply(202, later=given)
        case _:
            return Reply(204 if given is None else 200, given)


def _parts(path: str) -> list[str]:
    return [part for part in path.split("/") if part]


def _overridden(request: Request) -> str:
    wanted = request.headers.get("x-http-method-override")
    if not wanted:
        return request.method
    if request.method != "POST":
        raise problems.invalid_method_override()
    return wanted.upper()


def _secret(authorization: str) -> str | None:
    """The key or token in an Authorization header; None if there is none."""
    scheme, _, value = authorization.strip().partition(" ")
    value = value.strip()
    match scheme.lower():
        case "bearer" | "oauth" | "apikey":
            return value.rpartition(" ")[2] or None
        case "basic":
            try:
                pair = base64.b64decode(value, validate=True).decode()
            except (binascii.Error, UnicodeDecodeError):
                return None
            return pair.partition(":")[2] or None
        case _:
            return None
