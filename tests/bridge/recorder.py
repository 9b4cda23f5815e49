"""Writes down every request that leaves for Mailchimp, and checks what none may ever contain (P1, P2).

Wrap any transport of the client in a `Recorder`, in any test, and call `check_promises`
when all is over; `pytest_plugins = ["tests.bridge.recorder"]` gives the fixture `recorder`,
whose recordings are checked when the test ends.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from lockstep.bridge.canary import CANARY_TAG
from lockstep.core.identity import address_key, subscriber_hash
from lockstep.mailchimp.exchange import HttpReply, HttpRequest, Transport

Meddle = Callable[[HttpRequest], None]


class Recorder:
    """A transport around another. `meddle` is called before each request goes on."""

    def __init__(self, inner: Transport, *, meddle: Meddle | None = None) -> None:
        self.inner = inner
        self.meddle = meddle
        self.requests: list[HttpRequest] = []

    async def send(self, request: HttpRequest) -> HttpReply:
        self.requests.append(request)
        if self.meddle is not None:
            self.meddle(request)
        return await self.inner.send(request)

    async def close(self) -> None:
        await self.inner.close()

    def sent(self, method: str = "", path: str = "") -> list[HttpRequest]:
        return [
            r for r in self.requests if (not method or r.method == method) and path in urlsplit(r.url).path
        ]

    def writes(self) -> list[HttpRequest]:
        return [r for r in self.requests if r.method != "GET"]

    def bodies(self, method: str = "", path: str = "") -> list[Any]:
        return [body_of(request) for request in self.sent(method, path)]

    def clear(self) -> None:
        self.requests.clear()


def body_of(request: HttpRequest) -> Any:
    return None if request.body is None else json.loads(request.body)


def query_of(request: HttpRequest) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(request.url).query))


def check_promises(
    requests: Collection[HttpRequest], our_tags: Collection[str] | None = None, tag_prefix: str = ""
) -> None:
    """Raises AssertionError for a request that carries a status for anybody but the canary (P1), that
    replaces somebody's tags, or, given our tags, that writes a merge field or a member's tag which is not
    ours (P2). Member's tags are ours under `tag_prefix`; without one none is."""
    canaries = _canaries(requests)
    for request in requests:
        where = f"{request.method} {urlsplit(request.url).path}"
        body = body_of(request)
        for holder in _objects(body):
            if our_tags is not None:
                for name in _member_tags(holder):
                    ours = tag_prefix and name.casefold().startswith(tag_prefix.casefold())
                    assert ours, f"{where} writes a tag that is not ours"
            if "status" in holder and holder["status"] not in ("active", "inactive"):
                assert _is_about(request, holder, canaries), f"{where} carries a status: {sorted(holder)}"
            assert holder.get("sync_tags") is not True, f"{where} replaces tags"
            fields = holder.get("merge_fields")
            if our_tags is not None and isinstance(fields, dict):
                assert set(fields) <= set(our_tags), f"{where} writes fields that are not ours"


def _member_tags(holder: dict[str, Any]) -> list[str]:
    """Names of tags that one object of a request writes (contract 5, 10)."""
    if holder.get("status") in ("active", "inactive"):
        return [holder["name"]]
    if "static_segment" in holder:
        return [holder["name"]]
    tags = holder.get("tags") or []
    return [tag for tag in tags if isinstance(tag, str)]


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
        for below in value.values():
            yield from _objects(below)
    elif isinstance(value, list):
        for below in value:
            yield from _objects(below)
    elif isinstance(value, str) and value.startswith(("{", "[")):
        # the body of an operation inside a batch is JSON in a string (contract 6)
        try:
            yield from _objects(json.loads(value))
        except ValueError:
            return


def _canaries(requests: Collection[HttpRequest]) -> set[str]:
    """Hashes of the canary's addresses, as they stand in the requests themselves."""
    addresses = (holder.get("email_address") for r in requests for holder in _objects(body_of(r)))
    return {
        subscriber_hash(address_key(a)) for a in addresses if isinstance(a, str) and f"+{CANARY_TAG}" in a
    }


def _is_about(request: HttpRequest, holder: dict[str, Any], canaries: set[str]) -> bool:
    """Whether an object with a status is the canary's: by its address, else by the hash in the path."""
    address = holder.get("email_address")
    if address is not None:
        return subscriber_hash(address_key(address)) in canaries
    return urlsplit(request.url).path.rpartition("/members/")[2] in canaries


@pytest.fixture
def recorder() -> Iterator[Callable[[Transport], Recorder]]:
    """Wraps transports; everything that went through any of them is checked at the end of the test."""
    made: list[Recorder] = []

    def wrap(inner: Transport) -> Recorder:
        made.append(Recorder(inner))
        return made[-1]

    yield wrap
    for one in made:
        check_promises(one.requests)
