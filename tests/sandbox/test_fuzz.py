"""No described call, however strange its values, gets an answer that is not described, nor an internal error.

Calls are made up from Mailchimp's own description, in sequences against one sandbox, so that they meet what
earlier ones left behind.
"""

from __future__ import annotations

import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lockstep.sandbox import Sandbox, create_app
from lockstep.sandbox.api import Api
from lockstep.sandbox.conformance import ConformanceApp, Description
from lockstep.sandbox.courier import InlineCourier, Outcome
from lockstep.sandbox.routes import COLLECTIONS
from lockstep.sandbox.testing import SandboxClient

AUDIENCE = "a" * 10
MEMBERS = f"/lists/{AUDIENCE}/members"
ADDRESSES = st.sampled_from(
    [
        "pat@club.example",
        "kim@club.example",
        "PAT@club.example",
        "new@club.example",
        "ü@club.example",
        "nobody",
        "",
    ]
)
NAMES = {
    "list_id": st.sampled_from([AUDIENCE] * 20 + ["none"]),
    "subscriber_hash": st.sampled_from(
        ["pat@club.example", "kim@club.example", "new@club.example", "0" * 32, "x", "%2F", "é"]
    ),
    "merge_id": st.sampled_from(["1", "3", "5", "0", "x", "²"]),
    "url": st.sampled_from(["http://127.0.0.1:9/hook", "http://127.0.0.1:9/other", "nonsense"]),
    "op": st.sampled_from(["is", "contains", "blank", "greater", "static_is", "member", "within"]),
}
ODD = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=8), st.just([]), st.just({}),
)  # fmt: skip
TIMES = st.sampled_from(
    ["2024-05-06T07:08:09+00:00", "2024-05-06 07:08:09", "", "soon", "0001-01-01", "9999-12-31"]
)
CONDITIONS = st.fixed_dictionaries(
    {
        "condition_type": st.sampled_from(["TextMerge", "DateMerge", "Date", "VIP", "StaticSegment", "Aim"]),
        "field": st.sampled_from(["FNAME", "LEVEL", "timestamp_opt", "gmonkey", "static_segment", "aim"]),
        "op": NAMES["op"],
    },
    optional={"value": st.one_of(ODD, st.just("last"), st.just("05/06/2024")), "extra": ODD},
)
OPERATIONS = st.fixed_dictionaries(
    {
        "method": st.sampled_from(["GET", "POST", "PUT", "DELETE"]),
        "path": st.sampled_from(
            [
                f"/lists/{AUDIENCE}/members",
                "/ping",
                f"/lists/{AUDIENCE}/members/pat@club.example",
                "/batches",
                "?",
            ]
        ),
    },
    optional={"body": st.sampled_from(['{"status": "subscribed"}', "{}", "nonsense", "\ud800"])},
)
TAGS = st.sampled_from(["FNAME", "LNAME", "ADDRESS", "PHONE", "LEVEL", "NOSUCH"])


def values(name: str, schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Values for a described schema, mostly fitting."""
    if name == "email_address":
        right: st.SearchStrategy[Any] = ADDRESSES
    elif name == "url":
        right = NAMES["url"]
    elif name == "conditions":
        right = st.lists(CONDITIONS, max_size=2)
    elif name == "operations":
        right = st.lists(OPERATIONS, max_size=3)
    elif "enum" in schema:
        right = st.sampled_from(schema["enum"])
    elif schema.get("format") == "date-time" or name.startswith(("since_", "before_", "timestamp_")):
        right = TIMES
    elif name == "merge_fields":
        right = st.dictionaries(
            TAGS, st.one_of(ODD, st.just({"addr1": "1", "city": "C", "state": "S", "zip": "1"}))
        )
    elif name in ("fields", "exclude_fields"):
        right = st.sampled_from(
            ["id", "members.id", "members._links", "total_items", "nonsense", "a.b.c", ","]
        )
    else:
        right = by_type(name, schema)
    return now_and_then(ODD, right)


def now_and_then(odd: st.SearchStrategy[Any], right: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """One in twenty is odd."""
    return st.integers(0, 19).flatmap(lambda dice: right if dice else odd)


def by_type(name: str, schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    match schema.get("type"):
        case "object":
            known = schema.get("properties", {})
            required = set(schema.get("required", ()))
            return st.fixed_dictionaries(
                {key: values(key, inner) for key, inner in known.items() if key in required},
                optional={key: values(key, inner) for key, inner in known.items() if key not in required},
            )
        case "array":
            return st.lists(values("", schema.get("items", {})), max_size=3)
        case "integer":
            return st.integers(-2, 1005)
        case "number":
            return st.floats(-1e6, 1e6)
        case "boolean":
            return st.booleans()
        case _:
            return st.text(max_size=12)


def calls(description: Description) -> st.SearchStrategy[tuple[str, str, dict[str, Any], Any]]:
    """(method, path, query, body) for the described operations that the sandbox serves."""
    served = {(route.method, route.pattern) for routes in COLLECTIONS for route in routes.all}
    ids = made_ids(furnished())
    each = [
        one_call(method, pattern, operation, ids)
        for method, pattern, operation in description.operations()
        if (method, pattern) in served
    ]
    assert len(each) >= 20, "the served paths are described under the same names"
    return st.one_of(each)


def one_call(
    method: str, pattern: str, operation: dict[str, Any], ids: dict[str, str]
) -> st.SearchStrategy[Any]:
    parameters = operation.get("parameters", [])
    body = next((values("", p["schema"]) for p in parameters if p["in"] == "body"), st.none())
    query = st.fixed_dictionaries(
        {}, optional={p["name"]: values(p["name"], p).map(str) for p in parameters if p["in"] == "query"}
    )
    names = st.fixed_dictionaries(
        {
            p["name"]: NAMES.get(p["name"], st.sampled_from([ids.get(p["name"], "1")] * 9 + ["none"]))
            for p in parameters
            if p["in"] == "path"
        }
    )
    return st.tuples(st.just(method), names.map(lambda found: pattern.format(**found)), query, body)


def furnished() -> Sandbox:
    """The same every time, ids too: a clock and a seed of its own."""
    sandbox = Sandbox.practice()
    sandbox.courier = InlineCourier(lambda post: Outcome(200))
    account = next(iter(sandbox.accounts.values()))
    account.audiences.clear()
    audience = sandbox.add_audience(account, "Fuzzed", id=AUDIENCE)
    audience.add_merge_field(tag="LEVEL", name="Level", type="number", required=True)
    client = SandboxClient(sandbox)
    for address in ("pat@club.example", "kim@club.example"):
        body = {"email_address": address, "status": "subscribed", "merge_fields": {"LEVEL": 1}}
        assert client.post(f"/lists/{AUDIENCE}/members", body).status == 200
    segments = f"/lists/{AUDIENCE}/segments"
    for made in (
        client.post(segments, {"name": "Tag", "static_segment": ["pat@club.example"]}),
        client.post("/batches", {"operations": [{"method": "GET", "path": "/ping"}]}),
        client.post("/batch-webhooks", {"url": "http://127.0.0.1:9/batch"}),
        client.post(f"/lists/{AUDIENCE}/webhooks", {"url": "http://127.0.0.1:9/hook"}),
    ):
        assert made.status == 200, made.text
    sent = client.control(
        "/campaigns",
        {"audience": AUDIENCE, "subject": "S", "send": True, "behaviour": {"hard": 0, "soft": 0}},
    )
    client.control("/clock", {"advance": 60})
    click = {"campaign": sent["id"], "email": "pat@club.example", "what": "click", "url": sent["links"][0]}
    client.control("/campaigns/play", click)
    return sandbox


def made_ids(sandbox: Sandbox) -> dict[str, str]:
    """By the names that paths give them."""
    client = SandboxClient(sandbox)
    campaign = client.get("/campaigns").json["campaigns"][0]["id"]
    return {
        "segment_id": str(client.get(f"/lists/{AUDIENCE}/segments").json["segments"][0]["id"]),
        "batch_id": client.get("/batches").json["batches"][0]["id"],
        "batch_webhook_id": client.get("/batch-webhooks").json["webhooks"][0]["id"],
        "webhook_id": client.get(f"/lists/{AUDIENCE}/webhooks").json["webhooks"][0]["id"],
        "campaign_id": campaign,
        "link_id": client.get(f"/reports/{campaign}/click-details").json["urls_clicked"][0]["id"],
    }


def test_strange_calls_get_described_answers(description: Description) -> None:
    @settings(max_examples=250, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(st.lists(calls(description), min_size=1, max_size=8))
    def run(sequence: list[tuple[str, str, dict[str, Any], Any]]) -> None:
        app = ConformanceApp(create_app(furnished()), description)
        client = SandboxClient(app=app)
        for method, path, query, body in sequence:
            answer = client.request(method, path, json.dumps(body).encode(), query=query)
            assert answer.status < 500, answer.text
        assert [str(complaint) for complaint in app.complaints] == []
        check_order(client)

    run()


def test_furniture_has_the_same_ids_every_time() -> None:
    assert made_ids(furnished()) == made_ids(furnished())


def check_order(client: SandboxClient) -> None:
    """Whatever was written, the indexes of the audience tell the same as its members."""
    for account in client.sandbox.accounts.values():
        for audience in account.audiences.values():
            members = list(audience)
            assert sum(len(audience.shelves[name]) for name in audience.shelves if name != "current") == len(
                members
            )
            for member in members:
                assert audience.get(member.id) is member
                assert member.serial in audience.shelves[member.shown_status].by_serial
                assert (member.serial in audience.shelves["current"].by_serial) is not member.archived


def test_every_described_operation_that_is_served_has_one_route(description: Description) -> None:
    api = Api(Sandbox(), COLLECTIONS)
    served = [(route.method, route.pattern) for route in api.routes]
    assert len(served) == len(set(served))
