"""Audience webhooks (contract, section 8; traps 33 to 35): set-up, fields, sources, signature, repeats."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
import time
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl

import pytest

from lockstep.sandbox.clock import Clock
from lockstep.sandbox.courier import HttpTransport, InlineCourier, Outcome, Post, ThreadCourier
from lockstep.sandbox.ids import unique_email_id
from lockstep.sandbox.snapshot import load, save
from lockstep.sandbox.testing import SandboxClient, SandboxServer

URL = "http://127.0.0.1:9/hooks/secret"
ALL = dict.fromkeys(("subscribe", "unsubscribe", "profile", "cleaned", "upemail", "campaign"), True)
PAT = "pat@club.example"
KEY = hashlib.md5(PAT.encode()).hexdigest()


class Receiver:
    """A transport that keeps what it is given and answers as told."""

    def __init__(self) -> None:
        self.posts: list[Post] = []
        self.status: int | None = 200

    def __call__(self, post: Post) -> Outcome:
        self.posts.append(post)
        return Outcome(self.status, "" if self.status else "connection refused")

    @property
    def calls(self) -> list[dict[str, str]]:
        """The forms of all calls, the validating GETs left out."""
        return [
            dict(parse_qsl(post.body.decode(), keep_blank_values=True))
            for post in self.posts
            if post.method == "POST"
        ]

    @property
    def types(self) -> list[str]:
        return [call["type"] for call in self.calls]


@pytest.fixture
def receiver(mailchimp: SandboxClient) -> Receiver:
    receiver = Receiver()
    mailchimp.sandbox.courier = InlineCourier(receiver, now=lambda: 1_700_000_000.0)
    mailchimp.sandbox.clock.run(0)
    return receiver


@pytest.fixture
def hooks(mailchimp: SandboxClient) -> str:
    return f"/lists/{mailchimp.audience.id}/webhooks"


def make(mailchimp: SandboxClient, hooks: str, **body: Any) -> Any:
    answer = mailchimp.post(hooks, {"url": URL, "events": ALL} | body)
    assert answer.status == 200, answer.text
    return answer.json


def happen(mailchimp: SandboxClient, what: str, email: str = PAT, **more: Any) -> None:
    body = {"audience": mailchimp.audience.id, "email": email, "what": what} | more
    mailchimp.control("/happen", body)


def advance(mailchimp: SandboxClient, seconds: float) -> None:
    mailchimp.control("/clock", {"advance": seconds})


def states(mailchimp: SandboxClient) -> list[str]:
    return [delivery["state"] for delivery in mailchimp.control("/deliveries")]


# --- setting up ---


def test_creation_asks_the_address_with_a_get(
    mailchimp: SandboxClient, receiver: Receiver, hooks: str
) -> None:
    made = make(mailchimp, hooks, sources={"user": True, "admin": True, "api": False})
    [asked] = receiver.posts
    assert (asked.method, asked.url) == ("GET", URL)
    assert asked.headers["User-Agent"] == "MailChimp.com WebHook Validator"
    assert made["sources"] == {"user": True, "admin": True, "api": False}
    assert made["list_id"] == mailchimp.audience.id


@pytest.mark.parametrize("status", [201, 302, 404, 500, None])
def test_creation_fails_unless_the_answer_is_200(
    mailchimp: SandboxClient, receiver: Receiver, hooks: str, status: int | None
) -> None:
    receiver.status = status
    answer = mailchimp.post(hooks, {"url": URL, "events": ALL})
    assert (answer.status, answer.json["errors"][0]["field"]) == (400, "url")
    assert "We couldn't verify the URL is working." in answer.json["errors"][0]["message"]
    assert mailchimp.get(hooks).json["webhooks"] == []


def test_the_secret_is_shown_at_creation_only(
    mailchimp: SandboxClient, receiver: Receiver, hooks: str
) -> None:
    made = make(mailchimp, hooks)
    assert len(made["signing_secret"]) == 32
    shown = mailchimp.get(f"{hooks}/{made['id']}").json
    assert "signing_secret" not in shown
    assert "signing_secret" not in mailchimp.get(hooks).json["webhooks"][0]
    assert "signing_secret" not in mailchimp.patch(f"{hooks}/{made['id']}", {}).json


def test_one_webhook_for_an_address_whatever_its_parameters(
    mailchimp: SandboxClient, receiver: Receiver, hooks: str
) -> None:
    make(mailchimp, hooks)
    answer = mailchimp.post(hooks, {"url": f"{URL}?key=2", "events": ALL})
    assert answer.json["errors"][0]["message"] == "Sorry, you can't set up multiple WebHooks for one URL"


@pytest.mark.parametrize(
    "url", ["", "ftp://club.example/", "/relative", "http://", "http://a:b/", "http://ä/"]
)
def test_addresses_that_are_none_are_refused(
    mailchimp: SandboxClient, receiver: Receiver, hooks: str, url: str
) -> None:
    answer = mailchimp.post(hooks, {"url": url, "events": ALL})
    assert (answer.status, answer.json["errors"][0]["message"]) == (400, "Invalid URL")
    assert receiver.posts == []


def test_a_patch_changes_events_and_asks_a_new_address(
    mailchimp: SandboxClient, receiver: Receiver, hooks: str
) -> None:
    made = make(mailchimp, hooks)
    path = f"{hooks}/{made['id']}"
    changed = mailchimp.patch(path, {"events": {"campaign": False}, "sources": {"api": False}}).json
    assert (changed["events"]["campaign"], changed["events"]["profile"]) == (False, True)
    assert changed["sources"]["api"] is False
    assert len(receiver.posts) == 1
    receiver.status = 404
    assert mailchimp.patch(path, {"url": f"{URL}/new"}).status == 400
    receiver.status = 200
    assert mailchimp.patch(path, {"url": f"{URL}/new"}).json["url"] == f"{URL}/new"
    assert [post.url for post in receiver.posts] == [URL, f"{URL}/new", f"{URL}/new"]


def test_a_deleted_webhook_is_called_no_more(
    mailchimp: SandboxClient, receiver: Receiver, hooks: str
) -> None:
    made = make(mailchimp, hooks)
    assert mailchimp.delete(f"{hooks}/{made['id']}").status == 204
    assert mailchimp.get(f"{hooks}/{made['id']}").status == 404
    happen(mailchimp, "unsubscribe")
    assert receiver.calls == []


# --- what is told ---


def test_subscribe(mailchimp: SandboxClient, receiver: Receiver, hooks: str) -> None:
    make(mailchimp, hooks)
    mailchimp.control("/clock", {"set": "2024-05-06T07:08:09Z"})
    happen(mailchimp, "sign_up", "new@club.example", merges={"FNAME": "New", "LNAME": "Person"})
    member = mailchimp.audience.get(hashlib.md5(b"new@club.example").hexdigest())
    assert member is not None
    assert receiver.calls == [
        {
            "type": "subscribe",
            "fired_at": "2024-05-06 07:08:09",
            "data[id]": unique_email_id(member.id),
            "data[email]": "new@club.example",
            "data[email_type]": "html",
            "data[ip_opt]": "",
            "data[web_id]": str(mailchimp.audience.web_id_base + member.serial),
            "data[merges][EMAIL]": "new@club.example",
            "data[merges][FNAME]": "New",
            "data[merges][LNAME]": "Person",
            "data[merges][ADDRESS]": "",
            "data[merges][PHONE]": "",
            "data[list_id]": mailchimp.audience.id,
        }
    ]
    assert receiver.calls[0]["data[id]"] != member.id  # not the subscriber hash
    post = receiver.posts[-1]
    assert post.headers["User-Agent"] == "MailChimp.com"
    assert post.headers["Content-Type"] == "application/x-www-form-urlencoded"


@pytest.mark.parametrize(
    ("what", "action", "reason"),
    [
        ("unsubscribe", "unsub", "manual"),
        ("complain", "unsub", "abuse"),
        ("archive", "delete", "manual"),
        ("delete", "delete", "manual"),
    ],
)
def test_unsubscribe(
    mailchimp: SandboxClient, receiver: Receiver, hooks: str, what: str, action: str, reason: str
) -> None:
    make(mailchimp, hooks)
    happen(mailchimp, what)
    [call] = receiver.calls
    assert (call["type"], call["data[action]"], call["data[reason]"]) == ("unsubscribe", action, reason)
    assert (call["data[email]"], call["data[list_id]"]) == (PAT, mailchimp.audience.id)
    assert call["data[campaign_id]"] == ""
    assert call["data[merges][FNAME]"] == "Pat"


def test_the_action_can_be_missing(mailchimp: SandboxClient, receiver: Receiver, hooks: str) -> None:
    make(mailchimp, hooks)
    mailchimp.control("/switches", {"webhook_omits_action": True})
    happen(mailchimp, "unsubscribe")
    assert "data[action]" not in receiver.calls[0]  # trap 34


def test_a_change_of_address_fires_upemail_and_profile(
    mailchimp: SandboxClient, receiver: Receiver, hooks: str
) -> None:
    make(mailchimp, hooks)
    happen(mailchimp, "edit", new_email="patricia@club.example", by="user")
    assert sorted(receiver.types) == ["profile", "upemail"]
    upemail = next(call for call in receiver.calls if call["type"] == "upemail")
    new_hash = hashlib.md5(b"patricia@club.example").hexdigest()
    assert {name: value for name, value in upemail.items() if name != "fired_at"} == {
        "type": "upemail",
        "data[list_id]": mailchimp.audience.id,
        "data[new_id]": unique_email_id(new_hash),
        "data[new_email]": "patricia@club.example",
        "data[old_email]": PAT,
    }


def test_cleaned(mailchimp: SandboxClient, receiver: Receiver, hooks: str) -> None:
    make(mailchimp, hooks)
    happen(mailchimp, "bounce")
    [call] = receiver.calls
    del call["fired_at"]
    assert call == {
        "type": "cleaned",
        "data[list_id]": mailchimp.audience.id,
        "data[campaign_id]": "",
        "data[reason]": "hard",
        "data[email]": PAT,
    }


def test_a_profile_fires_for_unsubscribed_contacts_too(
    mailchimp: SandboxClient, receiver: Receiver, hooks: str
) -> None:
    happen(mailchimp, "unsubscribe")
    make(mailchimp, hooks)
    where = {"addr1": "1 St", "addr2": "", "city": "Town", "state": "TS", "zip": "1", "country": "US"}
    happen(mailchimp, "edit", merges={"FNAME": "P", "ADDRESS": where}, by="admin")
    [call] = receiver.calls  # trap 34 (veda #336)
    assert (call["type"], call["data[merges][FNAME]"]) == ("profile", "P")
    assert call["data[merges][ADDRESS]"] == "1 St  Town  TS  1  US"


def test_a_campaign_that_went_out(mailchimp: SandboxClient, receiver: Receiver, hooks: str) -> None:
    make(mailchimp, hooks, sources={"user": False, "admin": False, "api": False})
    sent = mailchimp.control(
        "/campaigns", {"audience": mailchimp.audience.id, "subject": "Spring", "send": True}
    )
    advance(mailchimp, 5)
    call = receiver.calls[0]
    del call["fired_at"]
    assert call == {
        "type": "campaign",
        "data[id]": sent["id"],
        "data[subject]": "Spring",
        "data[status]": "sent",
        "data[reason]": "",
        "data[list_id]": mailchimp.audience.id,
    }


def test_interests_come_as_names(mailchimp: SandboxClient, receiver: Receiver) -> None:
    mailchimp.control(
        "/audiences",
        {
            "name": "B",
            "id": "b",
            "interest_categories": [{"title": "T", "interests": ["One", "Two", "Three"]}],
        },
    )
    held = mailchimp.sandbox.find_audience("b")
    assert held is not None
    one, _, three = held[1].interests
    make(mailchimp, "/lists/b/webhooks")
    body = {"email_address": PAT, "status": "subscribed", "interests": {one: True, three: True}}
    mailchimp.post("/lists/b/members", body)
    assert receiver.calls[0]["data[merges][INTERESTS]"] == "One, Three"


def test_tags_have_no_event(mailchimp: SandboxClient, receiver: Receiver, hooks: str) -> None:
    make(mailchimp, hooks)
    path = f"/lists/{mailchimp.audience.id}/members/{KEY}/tags"
    mailchimp.post(path, {"tags": [{"name": "a", "status": "active"}]})
    assert receiver.calls == []


# --- who is told ---


@pytest.mark.parametrize("source", ["user", "admin", "api"])
def test_sources_are_honoured(mailchimp: SandboxClient, receiver: Receiver, hooks: str, source: str) -> None:
    make(mailchimp, hooks, sources={name: name == source for name in ("user", "admin", "api")})
    happen(mailchimp, "unsubscribe", "kim@club.example")  # user
    happen(mailchimp, "admin_unsubscribe", "sam@club.example")  # admin
    mailchimp.patch(
        f"/lists/{mailchimp.audience.id}/members/{KEY}", {"status": "unsubscribed"}
    )  # api: trap 33
    expected = {"user": "kim@club.example", "admin": "sam@club.example", "api": PAT}[source]
    assert [call["data[email]"] for call in receiver.calls] == [expected]


def test_events_that_are_off_are_not_told(mailchimp: SandboxClient, receiver: Receiver, hooks: str) -> None:
    make(mailchimp, hooks, events={"cleaned": True})
    happen(mailchimp, "unsubscribe")
    happen(mailchimp, "bounce", "kim@club.example")
    assert receiver.types == ["cleaned"]


# --- signature, repeats, disabling ---


def test_calls_are_signed(mailchimp: SandboxClient, receiver: Receiver, hooks: str) -> None:
    secret = make(mailchimp, hooks)["signing_secret"]
    happen(mailchimp, "unsubscribe")
    post = receiver.posts[-1]
    moment, digest = (part.partition("=")[2] for part in post.headers["X-Mailchimp-Signature"].split(","))
    assert moment == "1700000000"  # real time, not the sandbox's
    expected = hmac.new(secret.encode(), moment.encode() + b"." + post.body, hashlib.sha256).hexdigest()
    assert digest == expected


def test_a_refused_call_is_repeated_with_growing_gaps_and_then_disables(
    mailchimp: SandboxClient, receiver: Receiver, hooks: str
) -> None:
    made = make(mailchimp, hooks)
    receiver.status = 500
    happen(mailchimp, "unsubscribe")
    start = mailchimp.sandbox.clock.now()
    tried = []
    while (due := mailchimp.sandbox.schedule.next_due()) is not None:
        advance(mailchimp, due - mailchimp.sandbox.clock.now())
        tried.append(mailchimp.sandbox.clock.now() - start)
    assert tried[-1] == pytest.approx(75 * 60, abs=1)
    gaps = [later - earlier for earlier, later in zip([0.0, *tried], tried, strict=False)]
    assert gaps == sorted(gaps)
    assert len(receiver.calls) == len(tried) + 1
    [delivery] = mailchimp.control("/deliveries")
    assert (delivery["state"], len(delivery["attempts"])) == ("failed", len(tried) + 1)
    [hook] = mailchimp.control("/webhooks")
    assert (hook["enabled"], hook["disabled_why"]) == (False, "repeats were not answered")
    receiver.status = 200
    happen(mailchimp, "unsubscribe", "kim@club.example")
    assert len(receiver.calls) == len(tried) + 1
    mailchimp.patch(f"{hooks}/{made['id']}", {})
    happen(mailchimp, "unsubscribe", "sam@club.example")
    assert receiver.calls[-1]["data[email]"] == "sam@club.example"


def test_a_repeat_that_is_taken_ends_it(mailchimp: SandboxClient, receiver: Receiver, hooks: str) -> None:
    make(mailchimp, hooks)
    receiver.status = None
    happen(mailchimp, "unsubscribe")
    receiver.status = 200
    advance(mailchimp, 60)
    advance(mailchimp, 86_400)
    assert len(receiver.calls) == 2
    [delivery] = mailchimp.control("/deliveries")
    assert [attempt["error"] for attempt in delivery["attempts"]] == ["connection refused", ""]
    assert delivery["state"] == "delivered"


def test_the_other_documented_repeats(mailchimp: SandboxClient, receiver: Receiver, hooks: str) -> None:
    make(mailchimp, hooks)
    mailchimp.control("/switches", {"webhook_retries": "even"})
    receiver.status = 500
    happen(mailchimp, "unsubscribe")
    advance(mailchimp, 20 * 20 * 60)
    assert len(receiver.calls) == 21


def test_a_mass_of_failures_disables_at_once(
    mailchimp: SandboxClient, receiver: Receiver, hooks: str
) -> None:
    make(mailchimp, hooks)
    mailchimp.control("/members", {"audience": mailchimp.audience.id, "generate": 300})
    receiver.status = 503
    for number in range(5, 305):
        happen(mailchimp, "unsubscribe", f"person{number}@people.example")
    [hook] = mailchimp.control("/webhooks")
    assert hook["enabled"] is False
    assert "failure rate" in hook["disabled_why"]  # trap 35
    assert len(receiver.calls) < 300


# --- faults of delivery ---


def test_faults_of_delivery(mailchimp: SandboxClient, receiver: Receiver, hooks: str) -> None:
    make(mailchimp, hooks)
    mailchimp.control("/faults", {"kind": "hook_twice", "path": "/profile", "times": 1})
    mailchimp.control("/faults", {"kind": "hook_never", "path": "/cleaned"})
    mailchimp.control(
        "/faults", {"kind": "hook_late", "path": "/unsubscribe", "parameters": {"seconds": 3600}}
    )
    happen(mailchimp, "edit", merges={"FNAME": "P"}, by="admin")
    assert receiver.types == ["profile", "profile"]
    happen(mailchimp, "bounce", "kim@club.example")
    happen(mailchimp, "unsubscribe")
    assert receiver.types == ["profile", "profile"]
    assert states(mailchimp) == ["delivered", "delivered", "lost", "waiting"]
    advance(mailchimp, 3600)
    assert receiver.types == ["profile", "profile", "unsubscribe"]


def test_faults_of_delivery_leave_requests_alone(mailchimp: SandboxClient) -> None:
    mailchimp.control("/faults", {"kind": "hook_never"})
    mailchimp.control("/faults", {"kind": "internal_error", "method": "HOOK"})
    assert mailchimp.get("/ping").status == 200
    seen = [rule["seen"] for rule in mailchimp.control("/faults")["rules"]]
    assert seen == [0, 0]


def test_calls_in_the_wrong_order(mailchimp: SandboxClient, receiver: Receiver, hooks: str) -> None:
    make(mailchimp, hooks)
    mailchimp.control("/faults", {"kind": "hook_disorder", "parameters": {"seconds": 30}})
    names = ("pat", "kim", "sam", "noor", "jo")
    for name in names:
        happen(mailchimp, "edit", f"{name}@club.example", merges={"LNAME": "X"})
    advance(mailchimp, 31)
    told = [call["data[email]"].partition("@")[0] for call in receiver.calls]
    assert sorted(told) == sorted(names)
    assert told != list(names)


def test_an_event_can_be_fired_by_hand(mailchimp: SandboxClient, receiver: Receiver, hooks: str) -> None:
    make(mailchimp, hooks)
    audience = mailchimp.audience.id
    for kind in ("subscribe", "unsubscribe", "delete", "profile", "upemail", "cleaned"):
        fired = mailchimp.control("/webhooks/fire", {"audience": audience, "type": kind, "email": PAT})
        assert fired == {"calls": 1}
    mailchimp.control("/webhooks/fire", {"audience": audience, "type": "campaign", "detail": {"id": "x"}})
    assert receiver.types == [
        "subscribe", "unsubscribe", "unsubscribe", "profile", "upemail", "cleaned", "campaign",
    ]  # fmt: skip
    assert mailchimp.get(f"/lists/{audience}/members/{KEY}").json["status"] == "subscribed"


def test_webhooks_live_on_in_a_snapshot(
    mailchimp: SandboxClient, receiver: Receiver, hooks: str, tmp_path: Any
) -> None:
    make(mailchimp, hooks)
    file = tmp_path / "state"
    save(mailchimp.sandbox, file)
    secret = mailchimp.control("/webhooks")[0]["signing_secret"]
    load(mailchimp.sandbox, file)
    assert mailchimp.control("/webhooks")[0]["signing_secret"] == secret
    happen(mailchimp, "unsubscribe")
    assert receiver.types == ["unsubscribe"]


# --- over real HTTP ---


class Listener:
    """A web server on the loopback that keeps what it gets and answers with `status`."""

    def __init__(self) -> None:
        self.got: list[tuple[str, str, bytes]] = []
        self.status = 200
        self.location = ""
        listener = self

        class Handler(BaseHTTPRequestHandler):
            def _take(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                listener.got.append((self.command, self.headers.get("User-Agent", ""), body))
                self.send_response(listener.status)
                if listener.location:
                    self.send_header("Location", listener.location)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def do_GET(self) -> None:
                self._take()

            def do_POST(self) -> None:
                self._take()

            def log_message(self, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def listener() -> Iterator[Listener]:
    listener = Listener()
    yield listener
    listener.close()


def until(true: Any, deadline: float = 10.0) -> None:
    end = time.monotonic() + deadline
    while not true():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.01)


def test_over_http_without_another_request(server: SandboxServer, listener: Listener) -> None:
    """What happens reaches the listener by itself: nobody has to ask the sandbox for anything."""
    client = SandboxClient(app=server.app)
    hook = {"url": listener.url, "events": ALL}

    def call(method: str, path: str, body: bytes) -> int:
        request = urllib.request.Request(
            f"{server.url}{path}", body, {"Authorization": f"Bearer {server.api_key}"}, method=method
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            return int(answer.status)

    assert call("POST", f"/3.0/lists/{client.audience.id}/webhooks", json.dumps(hook).encode()) == 200
    body = {"audience": client.audience.id, "email": PAT, "what": "unsubscribe"}
    assert call("POST", "/_sandbox/happen", json.dumps(body).encode()) == 200
    until(lambda: len(listener.got) == 2)
    assert [(method, agent) for method, agent, _ in listener.got] == [
        ("GET", "MailChimp.com WebHook Validator"),
        ("POST", "MailChimp.com"),
    ]
    assert b"type=unsubscribe" in listener.got[1][2]


def test_the_transport_reports_what_came(listener: Listener) -> None:
    send = HttpTransport(timeout=2)
    assert send(Post("GET", listener.url)).good
    listener.status, listener.location = 302, "http://192.0.2.1/"
    assert send(Post("POST", listener.url, {}, b"a=b")).status == 302  # no redirect is followed
    assert len(listener.got) == 2
    nobody = send(Post("GET", "http://127.0.0.1:1/"))
    assert nobody.status is None
    assert nobody.error


@pytest.mark.parametrize("url", ["http://192.0.2.1/", "http://[2001:db8::1]/", "https://198.51.100.7:8443/x"])
def test_only_this_machine_is_called(url: str) -> None:
    outcome = HttpTransport(timeout=2)(Post("GET", url))
    assert outcome.status is None
    assert "only addresses on this machine" in outcome.error


def test_a_slow_listener_holds_up_nobody_else() -> None:
    hold = threading.Event()
    started: list[str] = []

    def transport(post: Post) -> Outcome:
        started.append(post.url)
        if "slow" in post.url:
            hold.wait(10)
        return Outcome(200)

    courier, told = ThreadCourier(transport), []
    courier.send(Post("POST", "http://slow.test/1"), lambda outcome: told.append("slow"))
    for number in range(3):
        courier.send(Post("POST", f"http://quick.test/{number}"), lambda outcome: told.append("quick"))

    def came(*expected: str) -> bool:
        courier.collect()
        return told == list(expected)

    until(lambda: came("quick", "quick", "quick"))
    assert [url for url in started if "quick" in url] == [f"http://quick.test/{n}" for n in range(3)]
    assert courier.outstanding() == 1
    hold.set()
    until(lambda: came("quick", "quick", "quick", "slow"))
    assert courier.outstanding() == 0


def test_signatures_carry_real_time() -> None:
    assert abs(ThreadCourier(lambda post: Outcome(200)).now() - time.time()) < 5
    assert Clock(start=0).now() < 5
