"""Segments: static ones, saved ones with every condition of contract 10, batch changes, members (trap 24)."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from lockstep.sandbox.campaign import campaigns_of
from lockstep.sandbox.testing import SandboxClient

PEOPLE = {"pat", "kim", "sam", "noor", "jo"}


@pytest.fixture
def segments(mailchimp: SandboxClient) -> str:
    return f"/lists/{mailchimp.audience.id}/segments"


def address(name: str) -> str:
    return f"{name}@club.example"


def key(name: str) -> str:
    return hashlib.md5(address(name).encode()).hexdigest()


def static(mailchimp: SandboxClient, segments: str, name: str = "Volunteers", *who: str) -> Any:
    answer = mailchimp.post(segments, {"name": name, "static_segment": [address(local) for local in who]})
    assert answer.status == 200, answer.text
    return answer.json


def people(mailchimp: SandboxClient, segments: str, segment_id: int, **query: Any) -> set[str]:
    rows = mailchimp.get(f"{segments}/{segment_id}/members", count=1000, **query).json["members"]
    return {row["email_address"].partition("@")[0] for row in rows}


def saved(mailchimp: SandboxClient, segments: str, *conditions: dict[str, Any], match: str = "all") -> Any:
    body = {"name": "Saved", "options": {"match": match, "conditions": list(conditions)}}
    answer = mailchimp.post(segments, body)
    assert answer.status == 200, answer.text
    return answer.json


def condition(type_: str, field: str, op: str, value: Any = None, **more: Any) -> dict[str, Any]:
    given = {"condition_type": type_, "field": field, "op": op, "value": value} | more
    return {name: held for name, held in given.items() if held is not None}


# --- static segments are tags ---


def test_a_static_segment_holds_those_who_are_on_the_list(mailchimp: SandboxClient, segments: str) -> None:
    made = static(mailchimp, segments, "Volunteers", "pat", "stranger")
    assert (made["type"], made["member_count"]) == ("static", 1)
    assert made["options"]["conditions"][0] == condition(
        "StaticSegment", "static_segment", "static_is", made["id"]
    )
    tags = mailchimp.get(f"/lists/{mailchimp.audience.id}/members/{key('pat')}/tags").json["tags"]
    assert [(tag["id"], tag["name"]) for tag in tags] == [(made["id"], "Volunteers")]


def test_an_empty_static_segment_is_an_empty_tag(mailchimp: SandboxClient, segments: str) -> None:
    assert static(mailchimp, segments)["member_count"] == 0


def test_a_taken_name_and_both_kinds_at_once_are_refused(mailchimp: SandboxClient, segments: str) -> None:
    static(mailchimp, segments)
    answer = mailchimp.post(segments, {"name": "volunteers", "static_segment": []})
    assert answer.json["detail"] == "Sorry, that tag already exists."
    both = {"name": "B", "static_segment": [], "options": {"match": "all", "conditions": []}}
    assert mailchimp.post(segments, both).status == 400
    assert mailchimp.post(segments, {"name": "neither"}).status == 400


def test_batch_add_and_remove(mailchimp: SandboxClient, segments: str) -> None:
    made = static(mailchimp, segments, "Volunteers", "pat", "kim")
    status_before = mailchimp.get(f"/lists/{mailchimp.audience.id}/members/{key('sam')}").json["status"]
    body = {
        "members_to_add": [address("sam"), address("pat"), "nobody@club.example"],
        "members_to_remove": [address("kim"), address("jo")],
    }
    answer = mailchimp.post(f"{segments}/{made['id']}", body).json
    assert [member["email_address"] for member in answer["members_added"]] == [address("sam")]
    assert [member["email_address"] for member in answer["members_removed"]] == [address("kim")]
    assert (answer["total_added"], answer["total_removed"], answer["error_count"]) == (1, 1, 3)
    refused = {email for error in answer["errors"] for email in error["email_addresses"]}
    assert refused == {address("pat"), "nobody@club.example", address("jo")}
    assert people(mailchimp, segments, made["id"]) == {"pat", "sam"}
    after = mailchimp.get(f"/lists/{mailchimp.audience.id}/members/{key('sam')}").json["status"]
    assert after == status_before


def test_more_than_500_addresses_are_refused(mailchimp: SandboxClient, segments: str) -> None:
    made = static(mailchimp, segments)
    many = [f"p{n}@club.example" for n in range(501)]
    answer = mailchimp.post(f"{segments}/{made['id']}", {"members_to_add": many})
    assert (answer.status, answer.json["errors"][0]["field"]) == (400, "members_to_add")


def test_one_member_in_and_out(mailchimp: SandboxClient, segments: str) -> None:
    made = static(mailchimp, segments)
    path = f"{segments}/{made['id']}/members"
    assert mailchimp.post(path, {"email_address": address("pat")}).json["id"] == key("pat")
    assert mailchimp.post(path, {"email_address": "nobody@club.example"}).status == 400
    assert mailchimp.delete(f"{path}/{key('pat')}").status == 204
    assert mailchimp.delete(f"{path}/{key('pat')}").status == 404


def test_a_saved_segment_takes_no_members(mailchimp: SandboxClient, segments: str) -> None:
    made = saved(mailchimp, segments)
    answer = mailchimp.post(f"{segments}/{made['id']}/members", {"email_address": address("pat")})
    assert answer.status == 404
    assert "A Static Segment with an id of" in answer.json["detail"]
    assert mailchimp.post(f"{segments}/{made['id']}", {"members_to_add": []}).status == 404


def test_a_patch_renames_and_replaces(mailchimp: SandboxClient, segments: str) -> None:
    made = static(mailchimp, segments, "Volunteers", "pat")
    body = {"name": "Helpers", "static_segment": [address("kim"), address("jo")]}
    changed = mailchimp.patch(f"{segments}/{made['id']}", body).json
    assert (changed["name"], changed["member_count"]) == ("Helpers", 2)
    assert people(mailchimp, segments, made["id"]) == {"kim", "jo"}
    static(mailchimp, segments, "Other")
    assert mailchimp.patch(f"{segments}/{made['id']}", {"name": "other"}).status == 400


def test_deleting_a_static_segment_takes_the_tag_off(mailchimp: SandboxClient, segments: str) -> None:
    made = static(mailchimp, segments, "Volunteers", "pat")
    assert mailchimp.delete(f"{segments}/{made['id']}").status == 204
    assert mailchimp.get(f"{segments}/{made['id']}").status == 404
    assert mailchimp.get(f"/lists/{mailchimp.audience.id}/members/{key('pat')}").json["tags_count"] == 0


# --- lists and counts ---


def test_lists_know_types_and_windows(mailchimp: SandboxClient, segments: str) -> None:
    mailchimp.sandbox.clock.run(0)
    first = static(mailchimp, segments, "A")
    mailchimp.sandbox.clock.advance(10)
    second = saved(mailchimp, segments)

    def ids(**query: Any) -> list[int]:
        return [row["id"] for row in mailchimp.get(segments, **query).json["segments"]]

    assert ids() == [first["id"], second["id"]]
    assert ids(type="static") == [first["id"]]
    assert ids(type="saved") == [second["id"]]
    assert ids(type="nonsense") == []  # contract 10: empty, no error
    assert ids(since_created_at=first["created_at"]) == [second["id"]]  # since excludes
    assert ids(before_created_at=first["created_at"]) == [first["id"]]  # before includes
    assert ids(since_updated_at=second["updated_at"]) == []


def test_include_flags_change_the_count_and_the_members_but_not_total_items(
    mailchimp: SandboxClient, segments: str
) -> None:
    audience = mailchimp.audience.id
    made = static(mailchimp, segments, "All", *PEOPLE)
    mailchimp.patch(f"/lists/{audience}/members/{key('kim')}", {"status": "unsubscribed"})
    mailchimp.control("/happen", {"audience": audience, "email": address("sam"), "what": "bounce"})
    mailchimp.delete(f"/lists/{audience}/members/{key('jo')}")

    def count(**query: Any) -> int:
        return int(mailchimp.get(f"{segments}/{made['id']}", **query).json["member_count"])

    assert count() == 2
    assert count(include_unsubscribed=True) == 3
    assert count(include_unsubscribed=True, include_cleaned=True, include_transactional=True) == 4
    listed = mailchimp.get(
        f"{segments}/{made['id']}/members", include_unsubscribed=True, include_cleaned=True
    ).json
    assert (len(listed["members"]), listed["total_items"]) == (4, 2)  # trap 24
    page = mailchimp.get(f"{segments}/{made['id']}/members", include_cleaned=True, offset=2, count=5).json
    assert len(page["members"]) == 1  # the offset walks the larger set


# --- conditions ---


@pytest.fixture
def colourful(mailchimp: SandboxClient) -> str:
    """The five subscribers with values that conditions can tell apart."""
    audience = mailchimp.audience
    mailchimp.control(
        "/audiences",
        {
            "name": "Colourful",
            "id": "colours",
            "merge_fields": [
                {"tag": "CITY", "name": "City", "type": "text"},
                {
                    "tag": "LEVEL",
                    "name": "Level",
                    "type": "dropdown",
                    "options": {"choices": ["gold", "silver"]},
                },
                {"tag": "JOINED", "name": "Joined", "type": "date"},
                {"tag": "AGE", "name": "Age", "type": "number"},
                {"tag": "BORN", "name": "Born", "type": "birthday"},
            ],
            "interest_categories": [{"title": "Topics", "interests": ["Music", "Sport"]}],
        },
    )
    assert audience.id != "colours"
    held = mailchimp.sandbox.find_audience("colours")
    assert held is not None
    music, sport = held[1].interests
    where = {"addr1": "1 St", "city": "Berlin", "state": "B", "zip": "10115", "country": "DE"}
    rows: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
        ("pat", {"CITY": "Berlin", "LEVEL": "gold", "JOINED": "2024-05-01", "AGE": 9, "BORN": "05/06"},
         {"vip": True, "language": "de", "interests": {music: True, sport: True}}),
        ("kim", {"CITY": "New Berlin", "LEVEL": "silver", "JOINED": "2023-01-02", "AGE": 40},
         {"interests": {music: True}}),
        ("sam", {"CITY": "Paris", "AGE": 100, "ADDRESS": where}, {"language": "fr"}),
        ("jo", {}, {"tags": ["Donor"]}),
    ]  # fmt: skip
    for name, merges, more in rows:
        body = {"email_address": address(name), "status": "subscribed", "merge_fields": merges} | more
        answer = mailchimp.post("/lists/colours/members", body)
        assert answer.status == 200, answer.text
    return "/lists/colours/segments"


TEXT = [
    ("is", "berlin", {"pat"}),
    ("not", "Berlin", {"kim", "sam", "jo"}),
    ("contains", "BERLIN", {"pat", "kim"}),
    ("notcontain", "Berlin", {"sam", "jo"}),
    ("starts", "Ber", {"pat"}),
    ("ends", "lin", {"pat", "kim"}),
    ("greater", "New", {"kim", "sam"}),
    ("less", "New", {"pat"}),
    ("blank", None, {"jo"}),
    ("blank_not", None, {"pat", "kim", "sam"}),
]


@pytest.mark.parametrize(("op", "value", "expected"), TEXT, ids=[row[0] for row in TEXT])
def test_text(mailchimp: SandboxClient, colourful: str, op: str, value: Any, expected: set[str]) -> None:
    made = saved(mailchimp, colourful, condition("TextMerge", "CITY", op, value))
    assert people(mailchimp, colourful, made["id"]) == expected
    assert made["member_count"] == len(expected)


OTHER: list[tuple[dict[str, Any], set[str]]] = [
    (condition("TextMerge", "AGE", "greater", "9"), {"kim", "sam"}),
    (condition("TextMerge", "MMERGE5", "is", "Paris"), {"sam"}),
    (condition("SelectMerge", "LEVEL", "is", "gold"), {"pat"}),
    (condition("SelectMerge", "LEVEL", "blank"), {"sam", "jo"}),
    (condition("DateMerge", "JOINED", "is", "05/01/2024"), {"pat"}),
    (condition("DateMerge", "JOINED", "less", "05/01/2024"), {"kim"}),
    (condition("DateMerge", "JOINED", "greater", "01/01/2023"), {"pat", "kim"}),
    (condition("DateMerge", "JOINED", "blank"), {"sam", "jo"}),
    (condition("BirthdayMerge", "BORN", "is", "05/06"), {"pat"}),
    (condition("BirthdayMerge", "BORN", "blank_not"), {"pat"}),
    (condition("AddressMerge", "ADDRESS", "contains", "berlin"), {"sam"}),
    (condition("AddressMerge", "ADDRESS", "blank"), {"pat", "kim", "jo"}),
    (condition("ZipMerge", "ADDRESS", "geoin", "10", extra="10115"), {"sam"}),
    (condition("EmailAddress", "EMAIL", "starts", "PAT@"), {"pat"}),
    (condition("EmailAddress", "merge0", "contains", "club"), {"pat", "kim", "sam", "jo"}),
    (condition("Language", "language", "is", "de"), {"pat"}),
    (condition("Language", "language", "not", "de"), {"kim", "sam", "jo"}),
    (condition("MemberRating", "rating", "greater", "1"), {"pat", "kim", "sam", "jo"}),
    (condition("MemberRating", "rating", "less", "2"), set()),
    (condition("SignupSource", "source", "source_is", "API - Generic"), {"pat", "kim", "sam", "jo"}),
    (condition("SignupSource", "source", "source_not", "API - Generic"), set()),
    (condition("EmailClient", "email_client", "client_is", "Gmail"), set()),
    (condition("VIP", "gmonkey", "member"), {"pat"}),
    (condition("VIP", "gmonkey", "notmember"), {"kim", "sam", "jo"}),
    (condition("Date", "ecomm_date", "blank"), {"pat", "kim", "sam", "jo"}),
    (condition("Date", "timestamp_opt", "blank_not"), {"pat", "kim", "sam", "jo"}),
]


@pytest.mark.parametrize(("wanted", "expected"), OTHER, ids=range(len(OTHER)))
def test_conditions(
    mailchimp: SandboxClient, colourful: str, wanted: dict[str, Any], expected: set[str]
) -> None:
    assert people(mailchimp, colourful, saved(mailchimp, colourful, wanted)["id"]) == expected


def test_interests(mailchimp: SandboxClient, colourful: str) -> None:
    category = mailchimp.get("/lists/colours/interest-categories").json["categories"][0]["id"]
    path = f"/lists/colours/interest-categories/{category}/interests"
    music, sport = [row["id"] for row in mailchimp.get(path).json["interests"]]
    for op, expected in (
        ("interestcontains", {"pat", "kim"}),
        ("interestcontainsall", {"pat"}),
        ("interestnotcontains", {"sam", "jo"}),
    ):
        made = saved(
            mailchimp, colourful, condition("Interests", f"interests-{category}", op, [music, sport])
        )
        assert people(mailchimp, colourful, made["id"]) == expected, op


def test_static_segments_as_conditions_and_match_any(mailchimp: SandboxClient, colourful: str) -> None:
    donors = mailchimp.get("/lists/colours/tag-search", name="Donor").json["tags"][0]["id"]
    inside = condition("StaticSegment", "static_segment", "static_is", donors)
    outside = condition("StaticSegment", "static_segment", "static_not", donors)
    assert people(mailchimp, colourful, saved(mailchimp, colourful, inside)["id"]) == {"jo"}
    assert people(mailchimp, colourful, saved(mailchimp, colourful, outside)["id"]) == {"pat", "kim", "sam"}
    paris = condition("TextMerge", "CITY", "is", "Paris")
    either = saved(mailchimp, colourful, inside, paris, match="any")
    assert people(mailchimp, colourful, either["id"]) == {"jo", "sam"}
    assert people(mailchimp, colourful, saved(mailchimp, colourful, inside, paris)["id"]) == set()


def test_dates_of_joining(mailchimp: SandboxClient, colourful: str) -> None:
    body = {
        "email_address": address("old"), "status": "subscribed", "timestamp_opt": "2020-03-04T12:00:00+00:00",
    }  # fmt: skip
    mailchimp.post("/lists/colours/members", body)
    for op, expected in (("is", True), ("less", False), ("greater", False), ("not", False)):
        wanted = condition("Date", "timestamp_opt", op, "date", extra="2020-03-04")
        found = people(mailchimp, colourful, saved(mailchimp, colourful, wanted)["id"])
        assert ("old" in found) is expected, op
    recent = saved(mailchimp, colourful, condition("Date", "timestamp_opt", "within", "7"))
    assert people(mailchimp, colourful, recent["id"]) == {"pat", "kim", "sam", "jo"}
    past = saved(mailchimp, colourful, condition("Date", "timestamp_opt", "notwithin", "7"))
    assert people(mailchimp, colourful, past["id"]) == {"old"}


def test_aim_is_about_campaigns(mailchimp: SandboxClient, colourful: str) -> None:
    sent = mailchimp.control(
        "/campaigns",
        {
            "audience": "colours", "subject": "Hello", "send": True, "links": ["https://club.example/"],
            "behaviour": {"open": 0, "machine": 0, "hard": 0, "soft": 0},
        },
    )  # fmt: skip
    mailchimp.sandbox.clock.advance(10)
    for who, what in (("pat", "open"), ("kim", "click")):
        mailchimp.control(
            "/campaigns/play",
            {
                "campaign": sent["id"], "email": address(who), "what": what,
                "url": "https://club.example/" if what == "click" else "",
            },
        )  # fmt: skip
    mailchimp.post("/lists/colours/members", {"email_address": address("late"), "status": "subscribed"})
    for op, expected in (
        ("sent", {"pat", "kim", "sam", "jo"}),
        ("nosent", {"late"}),
        ("open", {"pat", "kim"}),
        ("noopen", {"sam", "jo", "late"}),
        ("click", {"kim"}),
        ("noclick", {"pat", "sam", "jo", "late"}),
    ):
        made = saved(mailchimp, colourful, condition("Aim", "aim", op, sent["id"]))
        assert people(mailchimp, colourful, made["id"]) == expected, op
    since_last = condition("Date", "timestamp_opt", "greater", "last")
    mailchimp.sandbox.clock.advance(1)
    found = people(mailchimp, colourful, saved(mailchimp, colourful, since_last)["id"])
    assert found == {"late"}
    assert campaigns_of(mailchimp.sandbox).find(sent["id"]) is not None


BAD: list[Any] = [
    {},
    "text",
    condition("TextMerge", "NOSUCH", "is", "a"),
    condition("TextMerge", "FNAME", "resembles", "a"),
    condition("Nonsense", "FNAME", "is", "a"),
    condition("Interests", "interests-nowhere", "interestcontains", []),
    condition("VIP", "FNAME", "member"),
]


@pytest.mark.parametrize("wrong", BAD, ids=range(len(BAD)))
def test_conditions_that_do_not_fit_are_refused(mailchimp: SandboxClient, segments: str, wrong: Any) -> None:
    answer = mailchimp.post(segments, {"name": "S", "options": {"match": "all", "conditions": [wrong]}})
    assert (answer.status, answer.json["errors"]) == (
        400,
        [
            {
                "field": "options.conditions.item:0",
                "message": "Data did not match any of the schemas described in anyOf.",
            }
        ],
    )


def test_a_segment_whose_field_is_gone_holds_nobody(mailchimp: SandboxClient, colourful: str) -> None:
    made = saved(mailchimp, colourful, condition("TextMerge", "CITY", "is", "Paris"))
    fields = mailchimp.get("/lists/colours/merge-fields", count=100).json["merge_fields"]
    city = next(field["merge_id"] for field in fields if field["tag"] == "CITY")
    mailchimp.delete(f"/lists/colours/merge-fields/{city}")
    assert mailchimp.get(f"{colourful}/{made['id']}").json["member_count"] == 0
    assert mailchimp.get(f"{colourful}/{made['id']}/members").status == 400


# --- search ---


def test_search_finds_addresses_and_names(mailchimp: SandboxClient) -> None:
    found = mailchimp.get("/search-members", query="PAT@club.example").json
    assert [member["email_address"] for member in found["exact_matches"]["members"]] == [address("pat")]
    named = mailchimp.get("/search-members", query="løv").json
    assert named["exact_matches"]["total_items"] == 0
    assert [member["full_name"] for member in named["full_search"]["members"]] == ["Kim Løvland"]
    everybody = mailchimp.get("/search-members", query="club.example", list_id=mailchimp.audience.id).json
    assert everybody["full_search"]["total_items"] == 5
    assert mailchimp.get("/search-members", query="x", list_id="nowhere").status == 404
    assert mailchimp.get("/search-members").status == 400
    trimmed = mailchimp.get("/search-members", query="pat", fields="full_search.members.email_address").json
    assert trimmed == {"full_search": {"members": [{"email_address": address("pat")}]}}
