"""The control door: seeding, happenings, clock, log, reset."""

from __future__ import annotations

from typing import Any

import pytest

from lockstep.sandbox import DEFAULT_API_KEY
from lockstep.sandbox.testing import SandboxClient


def test_reset_goes_back_to_the_same_beginning(mailchimp: SandboxClient) -> None:
    def state() -> Any:
        overview = mailchimp.control("/")
        return overview["accounts"], overview["seed"], mailchimp.control("/faults")["rules"]

    before = state()
    base = f"/lists/{mailchimp.audience.id}/members"
    mailchimp.post(f"{base}/pat@club.example/actions/delete-permanent")
    mailchimp.control("/faults", {"kind": "unavailable"})
    mailchimp.control("/switches", {"plan_limit": 1})
    mailchimp.control("/clock", {"advance": 10_000, "rate": 0})
    mailchimp.control("/reset", {})
    assert state() == before
    assert mailchimp.control("/switches")["plan_limit"] == 0
    assert mailchimp.control("/clock")["rate"] == 1
    assert mailchimp.control("/log")["entries"] == []
    assert mailchimp.get(f"{base}/pat@club.example").status == 200


def test_an_empty_reset_leaves_nothing(mailchimp: SandboxClient) -> None:
    assert mailchimp.control("/reset", {"empty": True, "seed": 7})["accounts"] == []
    made = mailchimp.control("/accounts", {"name": "Mine", "api_key": DEFAULT_API_KEY})
    mailchimp.control(
        "/audiences",
        {"name": "A", "id": "abcdefabcd", "account": made["id"],
         "merge_fields": [{"tag": "PHONE", "name": "Tel", "type": "text", "required": True}]},
    )  # fmt: skip
    fields = mailchimp.get("/lists/abcdefabcd/merge-fields").json["merge_fields"]
    assert [(f["tag"], f["type"]) for f in fields if f["tag"] == "PHONE"] == [("PHONE", "text")]


@pytest.mark.parametrize(
    ("given", "status", "title"),
    [
        ({"status": "unsubscribed", "set_by": "person"}, "unsubscribed", "Member In Compliance State"),
        ({"status": "unsubscribed", "set_by": "admin"}, "unsubscribed", None),
        ({"status": "cleaned", "set_by": "bounce"}, "cleaned", "Member In Compliance State"),
        ({"status": "archived"}, "archived", None),
        ({"status": "pending"}, "pending", None),
    ],
)
def test_members_can_be_seeded_in_any_state(
    mailchimp: SandboxClient, given: dict[str, str], status: str, title: str | None
) -> None:
    audience = mailchimp.audience.id
    body = given | {"email_address": "x@club.example", "merge_fields": {"FNAME": "X"}, "tags": ["t"]}
    body["last_changed"] = "1700000000"
    mailchimp.control("/members", {"audience": audience, "members": [body]})
    path = f"/lists/{audience}/members/x@club.example"
    seen = mailchimp.get(path).json
    assert (seen["status"], seen["last_changed"]) == (status, "2023-11-14T22:13:20+00:00")
    assert (seen["merge_fields"]["FNAME"], seen["tags"][0]["name"]) == ("X", "t")
    answer = mailchimp.put(path, {"status": "subscribed"})
    assert answer.json.get("title") == title
    if title is None:
        assert answer.json["status"] == "subscribed"


def test_generated_members_are_the_same_for_the_same_seed(mailchimp: SandboxClient) -> None:
    names = []
    for name in ("One", "Two"):
        audience = mailchimp.control("/audiences", {"name": name})["id"]
        mailchimp.control("/members", {"audience": audience, "generate": 30, "seed": 5})
        listed = mailchimp.get(f"/lists/{audience}/members", count=100).json["members"]
        names.append([(m["email_address"], m["full_name"]) for m in listed])
    assert names[0] == names[1]
    assert len(names[0]) == 30


def test_the_log_holds_requests_with_bodies_and_counts(mailchimp: SandboxClient) -> None:
    base = f"/lists/{mailchimp.audience.id}"
    mailchimp.get(base)
    body = {"members": [{"email_address": "new@club.example", "status_if_new": "subscribed"}]}
    mailchimp.post(base, body, skip_merge_validation=True)
    mailchimp.post(base, {"members": "wrong"})
    log = mailchimp.control("/log", bodies=1, writes=1)
    assert (log["total"], log["matching"]) == (3, 2)
    first, second = log["entries"]
    assert (first["method"], first["path"], first["query"]) == ("POST", base, "skip_merge_validation=true")
    assert "new@club.example" in first["request"]
    assert '"total_created":1' in first["response"]
    assert (first["route"], first["status"], second["status"]) == ("/lists/{list_id}", 200, 400)
    assert mailchimp.control("/log", after=first["number"])["matching"] == 1
    assert "request" not in mailchimp.control("/log")["entries"][0]
    counts = mailchimp.control("/log/counts")
    assert {"method": "POST", "route": "/lists/{list_id}", "status": 200, "count": 1} in counts
    mailchimp.control("/log", method="DELETE")
    assert mailchimp.control("/log/counts") == []


def test_the_clock_is_set_advanced_and_stopped(mailchimp: SandboxClient) -> None:
    assert mailchimp.control("/clock", {"rate": 0, "set": "2024-01-01T00:00:00Z"}) == {
        "now": "2024-01-01T00:00:00+00:00", "rate": 0,
    }  # fmt: skip
    assert mailchimp.control("/clock", {"advance": 86_400})["now"] == "2024-01-02T00:00:00+00:00"
    ran: list[float] = []
    now = mailchimp.sandbox.clock.now()
    mailchimp.sandbox.schedule.at(now + 10, ran.append)
    mailchimp.control("/clock", {"advance": 9})
    assert ran == []
    mailchimp.control("/clock", {"advance": 1})
    assert ran == [now + 10]


def test_the_history_tells_who_did_what(mailchimp: SandboxClient) -> None:
    audience = mailchimp.audience.id
    happen = {"audience": audience, "email": "pat@club.example"}
    mailchimp.control("/happen", happen | {"what": "admin_unsubscribe"})
    mailchimp.control("/happen", happen | {"what": "sign_up"})
    after = mailchimp.control("/happen", happen | {"what": "complain"})
    assert [entry["what"] for entry in after["history"]] == [
        "unsubscribed by an admin", "signed up on the hosted form", "complained",
    ]  # fmt: skip
    assert (after["set_by"], after["refusal"]) == ("complaint", "complaint")
    assert mailchimp.control("/member", audience=audience, email="pat@club.example") == after


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/happen", b'{"audience": "none", "email": "a@b.example", "what": "archive"}'),
        ("/happen", b'{"what": "archive"}'),
        ("/switches", b'{"nonsense": 1}'),
        ("/switches", b'{"long_text": "sometimes"}'),
        ("/switches", b'{"plan_limit": "many"}'),
        ("/clock", b'{"set": "tomorrow"}'),
        ("/accounts", b'{"name": "A", "api_key": "0123456789abcdef0123456789abcdef-us6"}'),
        ("/users", b'{"role": "emperor"}'),
        ("/reset", b"[1]"),
        ("/reset", b"{"),
        ("/save", b""),
        ("/revoke", b"{}"),
    ],
)
def test_mistakes_are_answered_with_what_is_wrong(mailchimp: SandboxClient, path: str, body: bytes) -> None:
    answer = mailchimp.raw("POST", f"/_sandbox{path}", body)
    assert answer.status == 400
    assert answer.json["error"]
