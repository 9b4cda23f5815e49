"""Batch operations (contract, section 6; traps 36 and 37) and batch webhooks."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from lockstep.sandbox import Sandbox, create_app
from lockstep.sandbox.courier import InlineCourier, Outcome, Post
from lockstep.sandbox.snapshot import load, save
from lockstep.sandbox.testing import Answer, SandboxClient

DAY = 86_400


def operation(method: str, path: str, body: Any = None, **more: Any) -> dict[str, Any]:
    given = {"method": method, "path": path} | more
    return given if body is None else given | {"body": json.dumps(body)}


def upserts(mailchimp: SandboxClient, count: int) -> list[dict[str, Any]]:
    base = f"/lists/{mailchimp.audience.id}/members"
    return [
        operation(
            "PUT",
            f"{base}/{hashlib.md5(f'p{n}@club.example'.encode()).hexdigest()}",
            {"email_address": f"p{n}@club.example", "status_if_new": "subscribed"},
            operation_id=f"row-{n}",
        )
        for n in range(count)
    ]


@pytest.fixture
def still(mailchimp: SandboxClient) -> SandboxClient:
    """The sandbox with a clock that moves only by hand."""
    mailchimp.sandbox.clock.run(0)
    return mailchimp


def start(mailchimp: SandboxClient, operations: list[dict[str, Any]]) -> Any:
    answer = mailchimp.post("/batches", {"operations": operations})
    assert answer.status == 200, answer.text
    return answer.json


def advance(mailchimp: SandboxClient, seconds: float) -> None:
    mailchimp.control("/clock", {"advance": seconds})


def status(mailchimp: SandboxClient, batch: Any) -> str:
    return str(mailchimp.get(f"/batches/{batch['id']}").json["status"])


def finish(mailchimp: SandboxClient, batch: Any) -> Any:
    for _ in range(1000):
        answer = mailchimp.get(f"/batches/{batch['id']}").json
        if answer["status"] == "finished":
            return answer
        advance(mailchimp, 1)
    raise AssertionError("the batch did not finish")


def download(mailchimp: SandboxClient, link: str) -> Answer:
    parts = urlsplit(link)
    return mailchimp.raw("GET", parts.path, query=dict(parse_qsl(parts.query)))


def unpack(archive: bytes) -> tuple[list[str], list[bytes], list[dict[str, Any]]]:
    """Names, contents and all results."""
    names, contents, results = [], [], []
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as tar:
        for entry in tar:
            names.append(entry.name)
            file = tar.extractfile(entry)
            if file is not None:
                contents.append(file.read())
                results += json.loads(contents[-1]) if contents[-1] else []
    return names, contents, results


def test_a_new_batch_counts_nothing_yet(still: SandboxClient) -> None:
    made = start(still, upserts(still, 3))
    assert (made["status"], made["total_operations"], made["finished_operations"]) == ("pending", 0, 0)
    assert (made["completed_at"], made["response_body_url"]) == ("", "")


def test_the_stages_by_the_clock(still: SandboxClient) -> None:
    still.control("/switches", {"batch_operations_per_second": 2})
    made = start(still, upserts(still, 5))
    seen: list[tuple[str, int, int]] = []
    for _ in range(12):
        answer = still.get(f"/batches/{made['id']}").json
        seen.append((answer["status"], answer["total_operations"], answer["finished_operations"]))
        advance(still, 1)
    assert list(dict.fromkeys(state for state, _, _ in seen)) == [
        "pending", "preprocessing", "started", "finalizing", "finished",
    ]  # fmt: skip
    assert all(total == 0 for state, total, _ in seen if state in ("pending", "preprocessing"))
    assert [done for state, _, done in seen if state == "started"] == [2, 4]
    assert seen[-1] == ("finished", 5, 5)


def test_the_results_come_as_a_strange_archive(still: SandboxClient) -> None:
    made = start(still, upserts(still, 250))
    answer = finish(still, made)
    archive = download(still, answer["response_body_url"])
    assert (archive.status, archive.headers["content-type"]) == (200, "application/gzip")
    names, contents, results = unpack(archive.body)
    assert names[0] in (".", "./")  # trap 37
    assert b"" in contents
    ids = [result["operation_id"] for result in results]
    assert sorted(ids) == sorted(f"row-{n}" for n in range(250))
    assert ids != [f"row-{n}" for n in range(250)]  # any order
    assert {result["status_code"] for result in results} == {200}
    member = json.loads(next(r for r in results if r["operation_id"] == "row-7")["response"])
    assert member["email_address"] == "p7@club.example"
    assert len(still.audience) == 255


def test_errors_inside_are_counted_and_whole(still: SandboxClient) -> None:
    base = f"/lists/{still.audience.id}"
    made = start(
        still,
        [
            operation("GET", f"{base}/members/nobody@club.example", operation_id="missing"),
            operation("POST", f"{base}/members", {"status": "subscribed"}, operation_id="wrong"),
            operation("GET", "/nonsense", operation_id="path"),
            operation("DELETE", f"{base}/members/pat@club.example", operation_id="gone"),
            {"method": "POST", "path": f"{base}/members", "body": "not json", "operation_id": "text"},
        ],
    )
    answer = finish(still, made)
    assert (answer["total_operations"], answer["finished_operations"], answer["errored_operations"]) == (
        5,
        5,
        4,
    )
    results = {r["operation_id"]: r for r in unpack(download(still, answer["response_body_url"]).body)[2]}
    assert {name: result["status_code"] for name, result in results.items()} == {
        "missing": 404, "wrong": 400, "path": 404, "gone": 204, "text": 400,
    }  # fmt: skip
    problem = json.loads(results["wrong"]["response"])
    assert (problem["title"], problem["instance"]) == ("Invalid Resource", "")
    assert results["gone"]["response"] == ""


def test_the_key_is_checked_when_an_operation_runs(still: SandboxClient) -> None:
    made = start(still, upserts(still, 2))
    account = next(iter(still.sandbox.accounts.values()))
    still.control("/users", {"role": "viewer"})
    advance(still, 10)
    still.control("/users", {"role": "owner"})
    assert still.get(f"/batches/{made['id']}").json["errored_operations"] == 2
    assert account.owner.role == "owner"


def test_params_and_full_paths_are_taken(still: SandboxClient) -> None:
    base = f"lists/{still.audience.id}/members"
    made = start(
        still,
        [
            operation("GET", f"/3.0/{base}", params={"count": "2", "fields": "members.id"}, operation_id="a"),
            operation("GET", f"{base}?count=1&offset=4", params={"fields": "total_items"}, operation_id="b"),
            operation("GET", base, params={"count": 3, "vip_only": False}, operation_id="c"),
        ],
    )
    results = unpack(download(still, finish(still, made)["response_body_url"]).body)[2]
    answers = {result["operation_id"]: json.loads(result["response"]) for result in results}
    assert len(answers["a"]["members"]) == 2
    assert answers["b"] == {"total_items": 5}
    assert len(answers["c"]["members"]) == 3


def test_a_get_without_count_is_paged_through(still: SandboxClient) -> None:
    still.control("/members", {"audience": still.audience.id, "generate": 2100})
    made = start(still, [operation("GET", f"/lists/{still.audience.id}/members", operation_id="all")])
    answer = finish(still, made)
    assert (answer["total_operations"], answer["finished_operations"]) == (3, 3)
    results = unpack(download(still, answer["response_body_url"]).body)[2]
    pages = [json.loads(result["response"])["members"] for result in results]
    assert sum(map(len, pages)) == 2105
    assert len({member["id"] for page in pages for member in page}) == 2105


def test_the_link_dies_after_ten_minutes_and_is_renewed(still: SandboxClient) -> None:
    made = start(still, upserts(still, 1))
    link = finish(still, made)["response_body_url"]
    advance(still, 600)
    assert download(still, link).status == 200
    advance(still, 1)
    dead = download(still, link)
    assert (dead.status, dead.headers["content-type"]) == (403, "application/xml")
    fresh = still.get(f"/batches/{made['id']}").json["response_body_url"]
    assert fresh != link
    assert download(still, fresh).status == 200
    assert download(still, fresh.replace("signature=", "signature=0")).status == 403
    assert download(still, fresh.replace("expires=", "expires=9")).status == 403


def test_results_are_kept_for_seven_days(still: SandboxClient) -> None:
    made = start(still, upserts(still, 1))
    finish(still, made)
    advance(still, 7 * DAY - 60)
    assert still.get(f"/batches/{made['id']}").status == 200
    advance(still, 120)
    assert still.get(f"/batches/{made['id']}").status == 404
    assert still.get("/batches").json["total_items"] == 0


def test_one_batch_of_an_account_runs_at_a_time(still: SandboxClient) -> None:
    still.control("/switches", {"batch_operations_per_second": 1})
    first, second = (start(still, upserts(still, 5)) for _ in range(2))
    other = still.control("/accounts", {"name": "Other"})
    client = SandboxClient(app=still.app, api_key=other["api_key"])
    third = client.post("/batches", {"operations": [operation("GET", "/ping")]}).json
    advance(still, 4)
    assert (status(still, first), status(still, second)) == ("started", "pending")
    assert status(client, third) == "finished"
    assert client.get(f"/batches/{first['id']}").status == 404
    finish(still, first)
    advance(still, 2)
    assert status(still, second) in ("preprocessing", "started")
    finish(still, second)


def test_deleting_a_running_batch_stops_it_and_loses_its_results(still: SandboxClient) -> None:
    still.control("/switches", {"batch_operations_per_second": 1})
    made, after = start(still, upserts(still, 10)), start(still, upserts(still, 1))
    advance(still, 4)
    done = still.get(f"/batches/{made['id']}").json["finished_operations"]
    assert 0 < done < 10
    assert still.delete(f"/batches/{made['id']}").status == 204
    assert still.get(f"/batches/{made['id']}").status == 404
    finish(still, after)
    advance(still, 60)
    assert len(still.audience) == 5 + done


def test_deleting_a_waiting_batch_lets_the_next_one_run(still: SandboxClient) -> None:
    first, second = start(still, upserts(still, 1)), start(still, upserts(still, 2))
    assert still.delete(f"/batches/{first['id']}").status == 204
    finish(still, second)


def test_500_may_wait(still: SandboxClient) -> None:
    ping = [operation("GET", "/ping")]
    for _ in range(500):
        start(still, ping)
    refused = still.post("/batches", {"operations": ping})
    assert (refused.status, refused.json["title"]) == (429, "Too Many Requests")
    assert still.get("/batches", count=1000).json["total_items"] == 500
    advance(still, 60)
    assert still.post("/batches", {"operations": ping}).status == 200


def test_a_batch_of_nothing_ends_without_a_link(still: SandboxClient) -> None:
    answer = finish(still, start(still, []))
    assert (answer["total_operations"], answer["response_body_url"]) == (0, "")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"operations": {}},
        {"operations": [{"method": "PUT"}]},
        {"operations": [{"method": "HEAD", "path": "/ping"}]},
        {"operations": [{"method": "PUT", "path": "/ping", "body": {"an": "object"}}]},
        {"operations": [{"method": "GET", "path": "/ping", "params": []}]},
    ],
    ids=range(6),
)
def test_wrong_batches_are_refused(still: SandboxClient, body: Any) -> None:
    assert still.post("/batches", body).status == 400


def test_a_timed_out_post_may_have_worked(still: SandboxClient) -> None:
    answer = None
    with pytest.raises(ConnectionError):
        answer = still.request(
            "POST",
            "/batches",
            {"operations": upserts(still, 1)},
            headers={"x-sandbox-fault": "reset_after"},
        )
    assert answer is None
    [found] = still.get("/batches").json["batches"]  # trap 36: look before sending again
    finish(still, found)
    assert len(still.audience) == 6


def test_webhooks_made_in_a_batch_are_not_asked(still: SandboxClient) -> None:
    asked: list[Post] = []

    def transport(post: Post) -> Outcome:
        asked.append(post)
        return Outcome(200)

    still.sandbox.courier = InlineCourier(transport)
    path = f"/lists/{still.audience.id}/webhooks"
    made = start(still, [operation("POST", path, {"url": "http://127.0.0.1:9/x"}, operation_id="hook")])
    [result] = unpack(download(still, finish(still, made)["response_body_url"]).body)[2]
    assert (result["status_code"], asked) == (200, [])
    assert still.get(path).json["total_items"] == 1


def test_batches_live_on_in_a_snapshot(still: SandboxClient, tmp_path: Any) -> None:
    still.control("/switches", {"batch_operations_per_second": 2})
    done = start(still, upserts(still, 1))
    finish(still, done)
    running, waiting = start(still, upserts(still, 8)), start(still, upserts(still, 2))
    advance(still, 4)
    assert status(still, running) == "started"
    file = tmp_path / "state"
    save(still.sandbox, file)
    restored = Sandbox()
    load(restored, file)
    client = SandboxClient(app=create_app(restored), api_key=still.api_key)
    link = client.get(f"/batches/{done['id']}").json["response_body_url"]
    assert len(unpack(download(client, link).body)[2]) == 1
    for batch, count in ((running, 8), (waiting, 2)):
        link = finish(client, batch)["response_body_url"]
        assert len(unpack(download(client, link).body)[2]) == count


# --- batch webhooks ---


def test_batch_webhooks_are_told_when_a_batch_ends(still: SandboxClient) -> None:
    posts: list[Post] = []

    def transport(post: Post) -> Outcome:
        posts.append(post)
        return Outcome(200)

    still.sandbox.courier = InlineCourier(transport)
    hook = still.post("/batch-webhooks", {"url": "http://127.0.0.1:9/batch"}).json
    assert hook["enabled"] is True
    silent = still.post("/batch-webhooks", {"url": "http://127.0.0.1:9/silent", "enabled": False}).json
    made = start(still, upserts(still, 2))
    finish(still, made)
    [post] = posts
    form = dict(parse_qsl(post.body.decode(), keep_blank_values=True))
    assert post.url == hook["url"]
    assert (form["type"], form["data[id]"]) == ("batch_operation_completed", made["id"])
    assert (form["data[total_operations]"], form["data[errored_operations]"]) == ("2", "0")
    assert download(still, form["data[response_body_url]"]).status == 200
    assert still.get(f"/batch-webhooks/{silent['id']}").json == silent


def test_batch_webhooks_can_be_changed_and_deleted(still: SandboxClient) -> None:
    hook = still.post("/batch-webhooks", {"url": "http://127.0.0.1:9/batch"}).json
    path = f"/batch-webhooks/{hook['id']}"
    assert still.patch(path, {"enabled": False}).json["enabled"] is False
    assert still.patch(path, {"url": "nonsense"}).status == 400
    assert still.post("/batch-webhooks", {"url": "nonsense"}).status == 400
    assert still.delete(path).status == 204
    assert still.get(path).status == 404


def test_there_are_twenty_batch_webhooks_at_most(still: SandboxClient) -> None:
    for number in range(20):
        assert still.post("/batch-webhooks", {"url": f"http://127.0.0.1:9/{number}"}).status == 200
    assert still.post("/batch-webhooks", {"url": "http://127.0.0.1:9/20"}).status == 400
    assert still.get("/batch-webhooks", count=100).json["total_items"] == 20


def test_500_undelivered_calls_stop_new_batches(still: SandboxClient) -> None:
    still.sandbox.courier = InlineCourier(lambda post: Outcome(500))
    still.control("/switches", {"batch_stage_seconds": 0, "batch_operations_per_second": 0})
    for number in range(20):
        still.post("/batch-webhooks", {"url": f"http://127.0.0.1:9/{number}"})
    answers = [still.post("/batches", {"operations": [operation("GET", "/ping")]}).status for _ in range(26)]
    assert answers == [200] * 25 + [429]
