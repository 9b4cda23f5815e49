"""Contract 7 and 12: limits and faults on demand, in-process and over real connections."""

from __future__ import annotations

import asyncio
import http.client
import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from lockstep.sandbox import Sandbox, create_app
from lockstep.sandbox.door import ConnectionDropped
from lockstep.sandbox.faults import KINDS, BadFault, FaultBook, parse_header
from lockstep.sandbox.ids import Ids
from lockstep.sandbox.testing import SandboxClient, SandboxServer


class Held:
    """A sleep that lasts until it is let go, and tells when so many sleep."""

    def __init__(self, wanted: int) -> None:
        self.sleepers, self.wanted = 0, wanted
        self.all_asleep = asyncio.Event()
        self.go = asyncio.Event()

    async def __call__(self, seconds: float) -> None:
        self.sleepers += 1
        if self.sleepers == self.wanted:
            self.all_asleep.set()
        await self.go.wait()


async def test_7_more_than_ten_requests_at_once_are_refused() -> None:
    held = Held(10)
    client = SandboxClient(app=create_app(Sandbox.practice(), sleep=held))
    client.sandbox.latency.milliseconds = 1
    headers = {"authorization": f"Bearer {client.api_key}"}
    first = [asyncio.create_task(client.araw("GET", "/3.0/ping", headers=headers)) for _ in range(10)]
    await held.all_asleep.wait()
    eleventh = await client.araw("GET", "/3.0/ping", headers=headers)
    assert (eleventh.status, eleventh.json["title"], eleventh.json["detail"]) == (
        429, "Too Many Requests", "You have exceeded the limit of 10 simultaneous connections.",
    )  # fmt: skip
    assert eleventh.headers["content-type"] == "application/problem+json; charset=utf-8"
    held.go.set()
    assert [answer.status for answer in await asyncio.gather(*first)] == [200] * 10
    assert (await client.araw("GET", "/3.0/ping", headers=headers)).status == 200
    assert not client.sandbox.in_flight


async def test_7_the_limit_is_per_user_not_per_key() -> None:
    held = Held(20)
    sandbox = Sandbox.practice(api_keys=("a" * 32 + "-us1", "b" * 32 + "-us2"))
    client = SandboxClient(app=create_app(sandbox, sleep=held))
    sandbox.latency.milliseconds = 1
    tasks = [
        asyncio.create_task(
            client.araw("GET", "/3.0/ping", headers={"authorization": f"Bearer {key * 32}-us{number}"})
        )
        for number, key in ((1, "a"), (2, "b"))
        for _ in range(10)
    ]
    await held.all_asleep.wait()
    held.go.set()
    assert {answer.status for answer in await asyncio.gather(*tasks)} == {200}


# --- rules ---


def struck(
    book: FaultBook, count: int, method: str = "GET", path: str = "/lists", seed: int = 1
) -> list[int]:
    ids = Ids(seed)
    return [number for number in range(1, count + 1) if list(book.striking(method, path, ids))]


@pytest.mark.parametrize(
    ("when", "expected"),
    [
        ({}, [1, 2, 3, 4, 5, 6]),
        ({"nth": 2}, [2]),
        ({"every": 3}, [3, 6]),
        ({"times": 2}, [1, 2]),
        ({"every": 2, "times": 1}, [2]),
        ({"method": "post"}, []),
        ({"method": "get", "path": "^/lists$"}, [1, 2, 3, 4, 5, 6]),
        ({"path": "/members"}, []),
        ({"probability": 0.0}, []),
    ],
)
def test_when_a_rule_strikes(when: dict[str, Any], expected: list[int]) -> None:
    book = FaultBook()
    book.add("unavailable", **when)
    assert struck(book, 6) == expected


def test_dice_are_seeded() -> None:
    def run(seed: int) -> list[int]:
        book = FaultBook()
        book.add("unavailable", probability=0.3)
        return struck(book, 200, seed=seed)

    assert run(1) == run(1) != run(2)
    assert 30 < len(run(1)) < 90


@pytest.mark.parametrize(
    ("kind", "parameters", "when"),
    [
        ("nonsense", {}, {}),
        ("latency", {"minutes": 1}, {}),
        ("latency", {"ms": "long"}, {}),
        ("reset", {}, {"nth": 0}),
        ("reset", {}, {"path": "("}),
        ("reset", {}, {"probability": 2}),
        ("reset", {}, {"sometimes": True}),
    ],
)
def test_rules_that_make_no_sense_are_refused(kind: str, parameters: Any, when: Any) -> None:
    with pytest.raises(BadFault):
        FaultBook().add(kind, parameters, **when)


def test_the_header_names_one_fault_or_several() -> None:
    first, second = parse_header("latency; ms=5, truncated")
    assert (first.kind, first["ms"], second.kind) == ("latency", 5.0, "truncated")


def test_the_control_door_lists_kinds_and_removes_rules(mailchimp: SandboxClient) -> None:
    made = mailchimp.control("/faults", {"kind": "unavailable", "path": "/ping", "times": 1})
    assert mailchimp.get("/ping").status == 503
    assert mailchimp.get("/ping").status == 200
    shown = mailchimp.control("/faults")
    assert shown["kinds"].keys() == KINDS.keys()
    assert (shown["rules"][0]["seen"], shown["rules"][0]["struck"]) == (2, 1)
    mailchimp.control(f"/faults/{made['number']}", method="DELETE")
    assert mailchimp.control("/faults")["rules"] == []
    assert mailchimp.raw("POST", "/_sandbox/faults", b'{"kind": "nonsense"}').status == 400


# --- what each kind does, in-process ---


def faulty(
    mailchimp: SandboxClient, fault: str, method: str = "GET", path: str = "/ping", body: Any = None
) -> Any:
    return mailchimp.request(method, path, body, headers={"x-sandbox-fault": fault})


@pytest.mark.parametrize(
    ("fault", "status", "kind", "body"),
    [
        ("too_many_requests_plain", 429, "text/plain", b"Too Many Requests"),
        ("unavailable", 503, "text/html", b""),
    ],
)
def test_7_trap_39_refusals_without_json(
    mailchimp: SandboxClient, fault: str, status: int, kind: str, body: bytes
) -> None:
    answer = faulty(mailchimp, fault)
    assert (answer.status, answer.headers["content-type"], answer.body) == (status, kind, body)


def test_7_trap_39_the_edge_denies_in_html(mailchimp: SandboxClient) -> None:
    answer = faulty(mailchimp, "forbidden_html")
    assert (answer.status, answer.headers["content-type"]) == (403, "text/html")
    assert b"Access Denied" in answer.body


@pytest.mark.parametrize(
    ("fault", "status", "title"),
    [
        ("too_many_requests", 429, "Too Many Requests"),
        ("internal_error", 500, "Internal Server Error"),
        ("key_revoked", 401, "API Key Invalid"),
        ("user_disabled", 403, "User Disabled"),
    ],
)
def test_7_refusals_in_json(mailchimp: SandboxClient, fault: str, status: int, title: str) -> None:
    answer = faulty(mailchimp, fault)
    assert (answer.status, answer.json["title"]) == (status, title)


def test_an_audience_that_was_deleted_and_a_plan_that_is_full(mailchimp: SandboxClient) -> None:
    base = f"/lists/{mailchimp.audience.id}"
    assert faulty(mailchimp, "audience_deleted", path=f"{base}/members").status == 404
    assert mailchimp.get(base).status == 200
    new = {"email_address": "new@club.example", "status": "subscribed"}
    assert faulty(mailchimp, "plan_limit", "POST", f"{base}/members", new).status == 400
    assert mailchimp.post(f"{base}/members", new).status == 200


def test_11_trap_38_stale_reads(mailchimp: SandboxClient) -> None:
    base = f"/lists/{mailchimp.audience.id}/members"
    mailchimp.control("/clock", {"rate": 0, "advance": 1000})
    mailchimp.patch(f"{base}/pat@club.example", {"merge_fields": {"FNAME": "New"}})
    mailchimp.patch(f"{base}/pat@club.example", {"merge_fields": {"FNAME": "Newer"}})
    mailchimp.post(base, {"email_address": "new@club.example", "status": "subscribed"})
    mailchimp.post(f"{base}/kim@club.example/actions/delete-permanent")
    stale = "stale; seconds=60"

    def first_name(fault: str | None) -> str:
        headers = {"x-sandbox-fault": fault} if fault else None
        answer = mailchimp.request("GET", f"{base}/pat@club.example", headers=headers)
        return answer.json["merge_fields"]["FNAME"]  # type: ignore[no-any-return]

    assert (first_name(stale), first_name(None)) == ("Pat", "Newer")
    assert faulty(mailchimp, stale, path=f"{base}/new@club.example").status == 404
    assert faulty(mailchimp, stale, path=f"{base}/kim@club.example").status == 200
    listed = [m["email_address"] for m in faulty(mailchimp, stale, path=base).json["members"]]
    assert "new@club.example" not in listed
    mailchimp.control("/clock", {"advance": 61})
    assert (first_name(stale), faulty(mailchimp, stale, path=f"{base}/kim@club.example").status) == (
        "Newer",
        404,
    )


def test_a_connection_that_breaks_is_an_exception_in_process(mailchimp: SandboxClient) -> None:
    with pytest.raises(ConnectionDropped):
        faulty(mailchimp, "reset")


def test_latency_has_a_spread_and_is_counted_in_milliseconds() -> None:
    waited: list[float] = []

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    client = SandboxClient(app=create_app(Sandbox.practice(), sleep=sleep))
    client.control("/latency", {"ms": 100, "spread_ms": 50})
    for _ in range(50):
        client.get("/ping")
    assert len(set(waited)) > 40
    assert 0.05 <= min(waited) < 0.07
    assert 0.13 < max(waited) <= 0.15


def test_a_malformed_fault_header_says_what_is_wrong(mailchimp: SandboxClient) -> None:
    app = mailchimp.app.app  # type: ignore[attr-defined]  # its answer is none of Mailchimp's
    answer = faulty(SandboxClient(app=app), "nonsense")
    assert answer.status == 400
    assert "there is no fault 'nonsense'" in answer.text


# --- over real connections ---


@pytest.fixture
def call(server: SandboxServer) -> Iterator[Any]:
    with requests.Session() as session:
        session.headers["Authorization"] = f"Bearer {server.api_key}"

        def call(method: str, path: str, fault: str = "", **more: Any) -> requests.Response:
            headers = {"X-Sandbox-Fault": fault} if fault else {}
            return session.request(method, f"{server.url}/3.0{path}", headers=headers, timeout=10, **more)

        yield call


def write(call: Any, server: SandboxServer, fault: str) -> bool:
    """A write under a fault; did it take effect?"""
    audience = next(iter(next(iter(server.sandbox.accounts.values())).audiences.values()))
    path = f"/lists/{audience.id}/members/pat@club.example"
    with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        call("PATCH", path, fault, json={"merge_fields": {"FNAME": "Written"}})
    return call("GET", path).json()["merge_fields"]["FNAME"] == "Written"  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("fault", "takes_effect"),
    [("reset", False), ("reset_after", True), ("timeout; seconds=0.05", True), ("truncated", True)],
)
def test_7_trap_36_lost_answers_and_whether_the_write_took_effect(
    call: Any, server: SandboxServer, fault: str, takes_effect: bool
) -> None:
    assert write(call, server, fault) is takes_effect
    logged = [entry.fault for entry in server.sandbox.log.entries(method="PATCH")]
    assert logged == [fault.partition(";")[0]]
    assert not server.sandbox.in_flight, "the slot is free again"


def test_a_truncated_answer_announces_its_whole_length(server: SandboxServer) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    headers = {"Authorization": f"Bearer {server.api_key}", "X-Sandbox-Fault": "truncated"}
    connection.request("GET", "/3.0/ping", headers=headers)
    answer = connection.getresponse()
    with pytest.raises((http.client.IncompleteRead, ConnectionResetError)) as broken:
        answer.read()
    if isinstance(broken.value, http.client.IncompleteRead):
        assert b'{"health_status"'.startswith(broken.value.partial[:16])
    connection.close()


def test_a_slow_drip_arrives_whole(call: Any) -> None:
    started = time.monotonic()
    answer = call("GET", "/lists", "slow_drip; bytes=400; ms=20")
    assert json.loads(answer.content)["total_items"] == 1
    assert time.monotonic() - started > 0.02


def test_rules_cut_connections_too(call: Any, server: SandboxServer) -> None:
    server.sandbox.faults.add("reset", path="^/ping", nth=2)
    assert call("GET", "/ping").status_code == 200
    with pytest.raises(requests.ConnectionError):
        call("GET", "/ping")
    assert call("GET", "/ping").status_code == 200


def test_a_client_that_went_away_before_the_cut_is_no_error(
    server: SandboxServer, caplog: pytest.LogCaptureFixture
) -> None:
    server.sandbox.faults.add("timeout", {"seconds": 0.3}, path="^/ping")
    with pytest.raises(requests.ReadTimeout):
        requests.get(f"{server.url}/3.0/ping", auth=("any", server.api_key), timeout=0.1)
    deadline = time.monotonic() + 10
    while server.sandbox.in_flight and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not server.sandbox.in_flight
    assert requests.get(f"{server.url}/3.0/", auth=("any", server.api_key), timeout=10).status_code == 200
    assert "Exception in ASGI application" not in caplog.text
