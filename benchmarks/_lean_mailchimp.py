"""A lean stand-in for Mailchimp on the loopback, so that the practice Mailchimp's own cost is not measured.

It answers the calls of a sync and no others, each after a fixed time, with answers of Mailchimp's shape and
size (about 2.6 KB a member in the answer of a batch), and refuses an eleventh call at once with 429 (contract
7). It checks nothing and knows no rules: what Mailchimp would do with a member is the sandbox's part.
"""

from __future__ import annotations

import asyncio
import hashlib
import multiprocessing
import re
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from multiprocessing.connection import Connection as Pipe
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec

CONNECTIONS = 10
"""Calls at once that Mailchimp allows a user (contract 7)."""

DAY = 86_400.0

MEMBER_BYTES = 2_600
"""A member in the answer of a batch, as Mailchimp sends it."""

MARK = re.compile(rb"\+1 556 \d{6}")
"""Telephone numbers that a benchmark gives to contacts whose way it follows."""

_REST = (
    b'"unique_email_id":"7ee8f2229e","email_type":"html","stats":{"avg_open_rate":0,"avg_click_rate":0},'
    b'"ip_signup":"","timestamp_signup":"","ip_opt":"192.0.2.10","timestamp_opt":"2024-05-06T07:08:09+00:00",'
    b'"member_rating":2,"last_changed":"2024-05-06T07:08:09+00:00","language":"","vip":false,'
    b'"email_client":"","location":{"latitude":0,"longitude":0,"gmtoff":0,"dstoff":0,"country_code":"",'
    b'"timezone":""},"tags_count":0,"tags":[],"list_id":"a1b2c3d4e5","_links":['
)
_LINK = (
    b'{"rel":"self","href":"https://us6.api.mailchimp.com/3.0/lists/a1b2c3d4e5/members/'
    b'0123456789abcdef0123456789abcdef","method":"GET","targetSchema":'
    b'"https://us6.api.mailchimp.com/schema/3.0/Definitions/Lists/Members/Response.json"}'
)


class _Item(msgspec.Struct):
    email_address: str = ""
    status_if_new: str = "subscribed"
    merge_fields: msgspec.Raw = msgspec.Raw(b"{}")


class _Batch(msgspec.Struct):
    members: list[_Item] = []


@dataclass(slots=True)
class _Member:
    email: str
    status: str
    merge_fields: bytes
    changed: float
    hash: str

    def row(self, *, whole: bool) -> bytes:
        """With `whole` as a batch answers, else as a page that is trimmed with `fields` does."""
        head = b'{"id":"%b","email_address":"%b","status":"%b","merge_fields":%b,' % (
            self.hash.encode(),
            self.email.encode(),
            self.status.encode(),
            self.merge_fields,
        )
        if not whole:
            moment = datetime.fromtimestamp(self.changed, UTC).strftime("%Y-%m-%dT%H:%M:%S+00:00")
            return head + (
                b'"contact_id":"%b","web_id":7,"member_rating":2,"last_changed":"%b"}'
                % (self.hash.encode(), moment.encode())
            )
        missing = MEMBER_BYTES - len(head) - len(_REST) - 2
        links = max(1, round(missing / (len(_LINK) + 1)))
        return head + _REST + b",".join([_LINK] * links) + b"]}"


@dataclass(slots=True)
class _Audience:
    members: dict[str, _Member] = field(default_factory=dict)
    order: list[_Member] | None = None

    def put(self, email: str, status: str, merge_fields: bytes) -> tuple[_Member, bool]:
        """The member, who goes to the end of the order of changes; whether they are new."""
        key = hashlib.md5(email.strip().lower().encode(), usedforsecurity=False).hexdigest()
        known = self.members.pop(key, None)
        if known is not None:
            status = known.status
            merged = msgspec.json.decode(known.merge_fields) | msgspec.json.decode(merge_fields)
            merge_fields = msgspec.json.encode(merged)
        made = _Member(email, status, merge_fields, time.time(), key)
        self.members[key] = made
        self.order = None
        return made, known is None

    def page(self, query: dict[str, list[str]]) -> tuple[Sequence[_Member], int]:
        """The members of a window, in the order of their changes."""
        if self.order is None:
            self.order = list(self.members.values())
        if query.get("status") == ["archived"]:
            return [], 0
        first, last = 0, len(self.order)
        if "since_last_changed" in query:
            first = bisect_left(self.order, _moment(query["since_last_changed"]), key=lambda m: m.changed)
        if "before_last_changed" in query:
            last = bisect_left(self.order, _moment(query["before_last_changed"]), key=lambda m: m.changed)
        start = first + int(query.get("offset", ["0"])[0])
        return self.order[start : min(last, start + int(query["count"][0]))], max(last - first, 0)


def _moment(given: list[str]) -> float:
    return datetime.fromisoformat(given[0]).timestamp()


@dataclass(slots=True)
class _Lean:
    seconds: float
    open_calls: Counter[bytes] = field(default_factory=Counter)
    """Calls under way, by the credential that they came with."""
    refused: int = 0
    reads: int = 0
    writes: int = 0
    members_written: int = 0
    marks: dict[str, float] = field(default_factory=dict)
    audiences: dict[str, _Audience] = field(default_factory=dict)

    def answer(self, method: str, target: str, body: bytes) -> tuple[int, bytes]:
        """Status and body, and what the call does."""
        parts = urlsplit(target)
        words = parts.path.removeprefix("/3.0").strip("/").split("/")
        if method == "GET":
            self.reads += 1
        else:
            self.writes += 1
            for mark in MARK.findall(body):
                self.marks.setdefault(mark.decode(), time.monotonic())
        if words[0] != "lists" or len(words) < 2:
            return 404, _problem(404, "Resource Not Found")
        audience = self.audiences.setdefault(words[1], _Audience())
        match method, words[2:]:
            case "POST", []:
                return 200, self._batch(audience, body)
            case "GET", ["members"]:
                members, total = audience.page(parse_qs(parts.query))
                rows = b",".join(member.row(whole=False) for member in members)
                return 200, b'{"members":[%b],"total_items":%d}' % (rows, total)
            case "GET", []:
                return 200, b'{"id":"%b","name":"Lean"}' % words[1].encode()
            case "POST" | "PUT" | "PATCH", ["members", *hashes]:
                return self._single(audience, hashes, body)
            case "GET", ["members", member_hash]:
                found = audience.members.get(member_hash)
                return (200, found.row(whole=True)) if found else (404, _problem(404, "Resource Not Found"))
            case _:
                return 404, _problem(404, "Resource Not Found")

    def _batch(self, audience: _Audience, body: bytes) -> bytes:
        made: list[bytes] = []
        updated: list[bytes] = []
        for item in _BATCH.decode(body).members:
            member, new = audience.put(item.email_address, item.status_if_new, bytes(item.merge_fields))
            (made if new else updated).append(member.row(whole=True))
        self.members_written += len(made) + len(updated)
        return (
            b'{"new_members":[%b],"updated_members":[%b],"errors":[],"total_created":%d,'
            b'"total_updated":%d,"error_count":0,"_links":[]}'
            % (b",".join(made), b",".join(updated), len(made), len(updated))
        )

    def _single(self, audience: _Audience, hashes: list[str], body: bytes) -> tuple[int, bytes]:
        item = _ITEM.decode(body)
        known = audience.members.get(hashes[0]) if hashes else None
        email = item.email_address or (known.email if known else "")
        if not email:
            return 404, _problem(404, "Resource Not Found")
        member, _ = audience.put(email, item.status_if_new, bytes(item.merge_fields))
        self.members_written += 1
        return 200, member.row(whole=True)


_BATCH = msgspec.json.Decoder(_Batch)
_ITEM = msgspec.json.Decoder(_Item)


def _problem(status: int, title: str) -> bytes:
    return msgspec.json.encode({"type": "about:blank", "title": title, "status": status, "detail": title})


class _Talk(asyncio.Protocol):
    """One kept connection, one call at a time."""

    def __init__(self, lean: _Lean) -> None:
        self._lean = lean
        self._came = bytearray()
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._came += data
        end = self._came.find(b"\r\n\r\n")
        if end < 0:
            return
        head = bytes(self._came[:end])
        found = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
        whole = end + 4 + (int(found[1]) if found else 0)
        if len(self._came) < whole:
            return
        body = bytes(self._came[end + 4 : whole])
        del self._came[:whole]
        method, target, _ = head.split(b"\r\n", 1)[0].decode().split(" ", 2)
        user = re.search(rb"(?i)\r\nauthorization: *([^\r]*)", head)
        name = user[1] if user else b""
        if self._lean.open_calls[name] >= CONNECTIONS:
            self._lean.refused += 1
            self._send(429, _problem(429, "Too Many Requests"))
            return
        self._lean.open_calls[name] += 1
        due = asyncio.get_running_loop().time() + self._lean.seconds
        status, answer = self._lean.answer(method, target, body)
        asyncio.get_running_loop().call_at(due, self._end, name, status, answer)

    def _end(self, name: bytes, status: int, answer: bytes) -> None:
        self._lean.open_calls[name] -= 1
        self._send(status, answer)

    def _send(self, status: int, body: bytes) -> None:
        head = f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        self._transport.write(head.encode() + body)


def _serve(pipe: Pipe) -> None:
    """Runs in a process of its own until told to stop."""

    async def run() -> None:
        lean = _Lean(0.0)
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: _Talk(lean), "127.0.0.1", 0)
        pipe.send(server.sockets[0].getsockname()[1])
        while True:
            wish = await loop.run_in_executor(None, pipe.recv)
            if wish == "stop":
                return
            if wish == "figures":
                pipe.send(
                    Figures(lean.reads, lean.writes, lean.members_written, lean.refused, time.process_time())
                )
            elif wish == "grow old":
                for audience in lean.audiences.values():
                    for member in audience.members.values():
                        member.changed -= DAY
                pipe.send(None)
            elif wish == "marks":
                pipe.send(dict(lean.marks))
            else:
                lean.seconds = wish
                pipe.send(None)

    asyncio.run(run())


@dataclass(frozen=True, slots=True)
class Figures:
    """Calls and members since it was started, calls refused, and its own CPU in seconds."""

    reads: int
    writes: int
    members: int
    refused: int
    cpu: float


class LeanMailchimp:
    """The stand-in as a process of its own."""

    api_key = "0123456789abcdef0123456789abcdef-us6"

    def __init__(self, milliseconds: float, audience: str = "a1b2c3d4e5") -> None:
        self._pipe, theirs = multiprocessing.Pipe()
        self._process = multiprocessing.get_context("spawn").Process(
            target=_serve, args=(theirs,), daemon=True
        )
        self._process.start()
        self.url = f"http://127.0.0.1:{self._pipe.recv()}"
        self.audience, self.audience_name = audience, "Lean"
        self.take(milliseconds)

    def take(self, milliseconds: float) -> None:
        """From now on every call takes so long."""
        self._ask(milliseconds / 1000)

    def figures(self) -> Figures:
        """What was asked of it so far, and what that cost."""
        figures: Figures = self._ask("figures")
        return figures

    def grow_old(self) -> None:
        """Everybody was changed a day earlier than they were: a reading finds nothing that is new."""
        self._ask("grow old")

    def marks(self) -> dict[str, float]:
        """When each marked telephone number first arrived in a write, on the monotonic clock."""
        marks: dict[str, float] = self._ask("marks")
        return marks

    def stop(self) -> None:
        self._pipe.send("stop")
        self._process.join(10)

    def _ask(self, wish: Any) -> Any:
        self._pipe.send(wish)
        return self._pipe.recv()
