"""Contract 2 (paging), 4.1 (identity) and 4.2 (reading, last_changed)."""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from typing import Any

import pytest

from lockstep.sandbox.testing import SandboxClient

START = 1_700_000_000


class Book:
    """An audience at a stopped clock whose members are made by name."""

    def __init__(self, mailchimp: SandboxClient) -> None:
        self.mailchimp = mailchimp
        mailchimp.control("/audiences", {"name": "Empty", "id": "e" * 10})
        mailchimp.control("/clock", {"rate": 0, "set": "2023-11-14T22:13:20Z"})
        self.list = "/lists/" + "e" * 10
        self.base = f"{self.list}/members"

    def add(self, name: str, status: str = "subscribed", **more: Any) -> dict[str, Any]:
        body = {"email_address": f"{name}@club.example", "status": status} | more
        made = self.mailchimp.post(self.base, body)
        assert made.status == 200, made.text
        return made.json  # type: ignore[no-any-return]

    def names(self, **query: Any) -> list[str]:
        answer = self.mailchimp.get(self.base, **query)
        assert answer.status == 200, answer.text
        return [member["email_address"].partition("@")[0] for member in answer.json["members"]]

    def wait(self, seconds: int = 1) -> None:
        self.mailchimp.control("/clock", {"advance": seconds})


@pytest.fixture
def book(mailchimp: SandboxClient) -> Book:
    return Book(mailchimp)


def at(offset: int) -> str:
    return dt.datetime.fromtimestamp(START + offset, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


# --- 2: paging ---


def test_2_trap_1_the_default_page_is_ten(book: Book) -> None:
    for number in range(12):
        book.add(f"p{number:02}")
    answer = book.mailchimp.get(book.base).json
    assert (len(answer["members"]), answer["total_items"], answer["list_id"]) == (10, 12, "e" * 10)
    assert book.names(offset=10) == ["p10", "p11"]
    assert len(book.names(count=0)) == 10, "0 gives the default page"
    past = book.mailchimp.get(book.base, offset=50).json
    assert (past["members"], past["total_items"]) == ([], 12)


def test_2_trap_3_a_count_above_1000_is_taken_and_cut(book: Book) -> None:
    book.mailchimp.control("/members", {"audience": "e" * 10, "generate": 1005})
    answer = book.mailchimp.get(book.base, count=1_000_000, fields="members.id,total_items")
    assert (answer.status, len(answer.json["members"]), answer.json["total_items"]) == (200, 1000, 1005)
    rest = book.mailchimp.get(book.base, count=1000, offset=1000).json["members"]
    assert len(rest) == 5


@pytest.mark.parametrize("query", [{"count": -1}, {"offset": -1}, {"count": "ten"}, {"sort_dir": "UP"}])
def test_2_nonsense_in_the_query_is_refused(book: Book, query: dict[str, Any]) -> None:
    answer = book.mailchimp.get(book.base, **query)
    assert (answer.status, answer.json["title"]) == (400, "Invalid Resource")
    assert answer.json["errors"][0]["field"] in query


def test_2_fields_and_exclude_fields(book: Book) -> None:
    book.add("pat", merge_fields={"FNAME": "Pat"})
    only = book.mailchimp.get(
        book.base, fields="members.email_address,members.merge_fields.FNAME,total_items"
    )
    assert only.json == {
        "members": [{"email_address": "pat@club.example", "merge_fields": {"FNAME": "Pat"}}],
        "total_items": 1,
    }
    assert book.mailchimp.get(book.base, fields="total_items").json == {"total_items": 1}
    less = book.mailchimp.get(book.base, exclude_fields="members._links,members.merge_fields,_links").json
    assert {"members", "list_id", "total_items"} == less.keys()
    assert "email_address" in less["members"][0]
    assert not {"_links", "merge_fields"} & less["members"][0].keys()
    unknown = book.mailchimp.get(book.base, fields="members.nonsense")
    assert (unknown.status, unknown.json["title"], unknown.json["detail"]) == (
        422, "Requested Fields Invalid", "The fields requested from this resource are invalid.",
    )  # fmt: skip
    assert book.mailchimp.get(book.base, exclude_fields="members.nonsense,nothing.at.all").status == 200
    both = book.mailchimp.get(book.base, fields="total_items", exclude_fields="_links")
    assert both.status == 400
    single = book.mailchimp.get(f"{book.base}/pat@club.example", fields="id,status").json
    assert single.keys() == {"id", "status"}


def test_2_trap_4_windows_leave_the_first_second_out_and_take_the_last(book: Book) -> None:
    for name in ("a", "b", "c"):
        book.add(name)
        book.wait()
    assert book.names(since_last_changed=at(0)) == ["b", "c"]
    assert book.names(before_last_changed=at(1)) == ["a", "b"]
    assert book.names(since_last_changed=at(0), before_last_changed=at(1)) == ["b"]
    assert book.names(since_last_changed=at(1), sort_field="last_changed", sort_dir="DESC") == ["c"]
    assert book.mailchimp.get(book.base, since_last_changed=at(0)).json["total_items"] == 2
    assert book.names(since_timestamp_opt=at(0), before_timestamp_opt=at(1)) == ["b"]
    assert book.mailchimp.get(book.base, since_last_changed="yesterday").status == 400


# --- 4.2: filters and orders ---


def test_4_2_trap_2_archived_contacts_need_their_own_pass(book: Book) -> None:
    book.add("here")
    book.add("away")
    book.wait()
    book.mailchimp.delete(f"{book.base}/away@club.example")
    assert book.names() == ["here"]
    assert book.names(status="archived") == ["away"]
    assert book.names(status="archived", since_last_changed=at(0)) == ["away"], "archiving moves last_changed"
    assert book.names(status="archived", since_last_changed=at(1)) == []
    assert book.mailchimp.get(f"{book.base}/away@club.example").json["status"] == "archived"


def test_4_2_each_status_has_its_list(book: Book) -> None:
    for status in ("subscribed", "unsubscribed", "cleaned", "pending", "transactional"):
        book.add(status, status)
    for status in ("subscribed", "unsubscribed", "cleaned", "pending", "transactional"):
        assert book.names(status=status) == [status]
    assert len(book.names()) == 5
    assert book.mailchimp.get(book.base, status="all").status == 400


def test_4_2_orders(book: Book) -> None:
    for name in ("a", "b", "c"):
        book.add(name)
        book.wait()
    book.mailchimp.patch(f"{book.base}/a@club.example", {"vip": True})
    assert book.names() == ["a", "b", "c"], "by default the order of making"
    assert book.names(sort_field="last_changed") == ["b", "c", "a"]
    assert book.names(sort_field="last_changed", sort_dir="DESC") == ["a", "c", "b"]
    assert book.names(sort_field="timestamp_opt", sort_dir="DESC", count=2) == ["c", "b"]
    assert book.names(sort_dir="DESC", offset=1) == ["b", "a"]


def test_4_2_further_filters(book: Book) -> None:
    pat = book.add("pat", vip=True, email_type="text")
    book.add("kim", "unsubscribed")
    book.wait()
    book.add("sam", "unsubscribed")
    assert book.names(vip_only=True) == ["pat"]
    assert book.names(email_type="text") == ["pat"]
    assert book.names(unique_email_id=pat["unique_email_id"]) == ["pat"]
    assert book.names(unique_email_id="0123456789") == []
    assert book.names(unsubscribed_since=at(0)) == ["sam"]
    assert book.mailchimp.get(book.base, unsubscribed_since=at(0), status="subscribed").status == 400
    assert book.mailchimp.get(book.base, since_last_campaign=True).status == 400
    assert book.names(since_last_campaign=True, status="subscribed") == ["pat"]


def test_4_2_interests_filter(mailchimp: SandboxClient) -> None:
    made = mailchimp.control(
        "/audiences",
        {"name": "Groups", "interest_categories": [{"title": "Topics", "interests": ["News", "Events"]}]},
    )
    base = f"/lists/{made['id']}"
    category = mailchimp.get(f"{base}/interest-categories").json["categories"][0]["id"]
    listed = mailchimp.get(f"{base}/interest-categories/{category}/interests").json["interests"]
    news, events = (interest["id"] for interest in listed)
    for name, chosen in (("both", {news: True, events: True}), ("one", {news: True}), ("none", {})):
        body = {"email_address": f"{name}@club.example", "status": "subscribed", "interests": chosen}
        assert (
            mailchimp.post(f"{base}/members", body).json["interests"] == {news: False, events: False} | chosen
        )
    for match, expected in (("any", ["both", "one"]), ("all", ["both"]), ("none", ["none"])):
        answer = mailchimp.get(
            f"{base}/members",
            interest_category_id=category,
            interest_ids=f"{news},{events}",
            interest_match=match,
        ).json
        assert [m["email_address"].partition("@")[0] for m in answer["members"]] == expected
    path = f"{base}/members/both@club.example"
    assert mailchimp.patch(path, {"interests": {news: False}}).json["interests"] == {
        news: False,
        events: True,
    }


def test_4_2_a_contact_made_through_the_api(book: Book) -> None:
    pat = book.add("pat", merge_fields={"FNAME": "Pat", "LNAME": "Doe"})
    links = pat.pop("_links")
    assert links[0]["href"].endswith(f"{book.base}/{pat['id']}")
    assert re.fullmatch("[0-9a-f]{10}", pat.pop("unique_email_id"))
    assert re.fullmatch("[0-9a-f]{32}", pat.pop("contact_id"))
    assert isinstance(pat.pop("web_id"), int)
    assert pat == {
        "id": hashlib.md5(b"pat@club.example", usedforsecurity=False).hexdigest(),
        "email_address": "pat@club.example", "full_name": "Pat Doe", "email_type": "html",
        "status": "subscribed", "consents_to_one_to_one_messaging": True,
        "merge_fields": {"FNAME": "Pat", "LNAME": "Doe", "ADDRESS": "", "PHONE": ""},
        "stats": {"avg_open_rate": 0, "avg_click_rate": 0}, "ip_signup": "", "timestamp_signup": "",
        "ip_opt": "192.0.2.10", "timestamp_opt": "2023-11-14T22:13:20+00:00", "member_rating": 2,
        "last_changed": "2023-11-14T22:13:20+00:00", "language": "", "vip": False, "email_client": "",
        "location": {
            "latitude": 0, "longitude": 0, "gmtoff": 0, "dstoff": 0, "country_code": "", "timezone": "",
            "region": "",
        },
        "source": "API - Generic", "tags_count": 0, "tags": [], "list_id": "e" * 10,
    }  # fmt: skip


def test_4_2_an_unsubscribe_through_the_api_says_so(book: Book) -> None:
    book.add("pat")
    answer = book.mailchimp.patch(f"{book.base}/pat@club.example", {"status": "unsubscribed"}).json
    assert answer["unsubscribe_reason"] == "N/A (Unsubscribed by admin)"
    back = book.mailchimp.patch(f"{book.base}/pat@club.example", {"status": "subscribed"}).json
    assert "unsubscribe_reason" not in back


@pytest.mark.parametrize(
    "body",
    [
        {"merge_fields": {"FNAME": "Pat"}},
        {"status": "subscribed"},
        {"vip": False, "language": "", "email_type": "html"},
        {"email_address": "PAT@club.example"},
        {},
    ],
)
def test_4_2_last_changed_does_not_move_without_a_change(book: Book, body: dict[str, Any]) -> None:
    before = book.add("pat", merge_fields={"FNAME": "Pat"})
    book.wait()
    for method in ("PUT", "PATCH"):
        after = book.mailchimp.request(method, f"{book.base}/pat@club.example", body)
        assert (after.status, after.json) == (200, before)


@pytest.mark.parametrize(
    "body",
    [{"merge_fields": {"FNAME": "New"}}, {"status": "unsubscribed"}, {"vip": True}, {"language": "fr"}],
)
def test_4_2_last_changed_moves_with_a_change(book: Book, body: dict[str, Any]) -> None:
    book.add("pat", merge_fields={"FNAME": "Pat"})
    book.wait(5)
    after = book.mailchimp.patch(f"{book.base}/pat@club.example", body).json
    assert after["last_changed"] == "2023-11-14T22:13:25+00:00"


# --- 4.1: identity ---


def test_4_1_the_path_takes_hash_address_and_contact_id(book: Book) -> None:
    pat = book.add("pat")
    book.add("kim")
    for name in (pat["id"], "PAT@club.example", pat["contact_id"], pat["id"].upper()):
        assert book.mailchimp.get(f"{book.base}/{name}").json["email_address"] == "pat@club.example"


def test_4_1_trap_17_renaming_keeps_the_person(book: Book) -> None:
    pat = book.add("pat", tags=["volunteer"])
    book.wait()
    after = book.mailchimp.put(f"{book.base}/{pat['id']}", {"email_address": "Patricia@club.example"}).json
    assert after["id"] == hashlib.md5(b"patricia@club.example", usedforsecurity=False).hexdigest()
    assert after["unique_email_id"] != pat["unique_email_id"]
    for name in ("contact_id", "web_id", "tags", "timestamp_opt"):
        assert after[name] == pat[name]
    assert after["last_changed"] > pat["last_changed"]
    assert book.mailchimp.get(f"{book.base}/{pat['id']}").status == 404
    assert book.add("pat")["contact_id"] != pat["contact_id"], "the old address is free"


def test_4_1_the_same_person_in_two_audiences(book: Book) -> None:
    pat = book.add("pat")
    other = book.mailchimp.get(f"/lists/{book.mailchimp.audience.id}/members/pat@club.example").json
    assert pat["unique_email_id"] == other["unique_email_id"]
    assert pat["contact_id"] != other["contact_id"]
    holding = book.mailchimp.get("/lists", email="kim@club.example").json["lists"]
    assert [a["name"] for a in holding] == ["Members"]


def test_4_3_times_and_places_are_kept(book: Book) -> None:
    pat = book.add(
        "pat",
        timestamp_signup="2020-01-02 03:04:05",
        timestamp_opt="2020-01-02T05:04:05+02:00",
        ip_signup="198.51.100.1",
        location={"latitude": 52.5, "longitude": 13.4},
    )
    assert pat["timestamp_signup"] == pat["timestamp_opt"] == "2020-01-02T03:04:05+00:00"
    assert (pat["location"]["latitude"], pat["location"]["longitude"]) == (52.5, 13.4)
    cleared = book.mailchimp.patch(f"{book.base}/pat@club.example", {"timestamp_signup": ""}).json
    assert cleared["timestamp_signup"] == ""
    assert book.mailchimp.patch(f"{book.base}/pat@club.example", {"timestamp_opt": "soon"}).status == 400


def test_4_7_marketing_permissions(book: Book) -> None:
    assert "marketing_permissions" not in book.add("pat")
    assert (
        book.mailchimp.patch(book.list, {"marketing_permissions": True}).json["marketing_permissions"] is True
    )
    path = f"{book.base}/pat@club.example"
    first = book.mailchimp.get(path).json["marketing_permissions"][0]
    assert first["enabled"] is False
    body = {"marketing_permissions": [
        {"marketing_permission_id": first["marketing_permission_id"], "enabled": True},
    ]}  # fmt: skip
    assert book.mailchimp.patch(path, body).json["marketing_permissions"][0]["enabled"] is True


def test_10_tags_on_post_but_not_on_put_of_an_existing_contact(book: Book) -> None:
    """10 and trap 30."""
    made = book.add("pat", tags=["Volunteer", "donor"])
    assert [tag["name"] for tag in made["tags"]] == ["Volunteer", "donor"]
    assert made["tags_count"] == 2
    after = book.mailchimp.put(f"{book.base}/pat@club.example", {"tags": ["third"]}).json
    assert after["tags"] == made["tags"]
    again = book.add("kim", tags=["VOLUNTEER"])
    assert again["tags"] == made["tags"][:1], "no regard to case, first spelling kept"


def test_11_trap_31_a_member_shows_fifty_tags(book: Book) -> None:
    made = book.add("pat", tags=[f"tag {number}" for number in range(60)])
    assert (len(made["tags"]), made["tags_count"]) == (50, 60)


# --- 2: audiences and their numbers ---


def test_2_stats_follow_the_members(book: Book) -> None:
    for name, status in (("a", "subscribed"), ("b", "subscribed"), ("c", "unsubscribed"), ("d", "cleaned")):
        book.add(name, status)
    book.mailchimp.delete(f"{book.base}/a@club.example")
    stats = book.mailchimp.get(book.list, include_total_contacts=True).json["stats"]
    assert (stats["member_count"], stats["unsubscribe_count"], stats["cleaned_count"]) == (1, 1, 1)
    assert (stats["total_contacts"], stats["merge_field_count"]) == (4, 4)
    assert (stats["campaign_last_sent"], stats["last_unsub_date"]) == ("", "")
    assert stats["last_sub_date"] == "2023-11-14T22:13:20+00:00"
    assert "total_contacts" not in book.mailchimp.get(book.list).json["stats"]


def test_11_trap_47_stats_may_come_from_a_cache(book: Book) -> None:
    book.mailchimp.control("/switches", {"stats_cache_seconds": 300})
    assert book.mailchimp.get(book.list).json["stats"]["member_count"] == 0
    book.add("pat")
    assert book.mailchimp.get(book.list).json["stats"]["member_count"] == 0
    book.wait(300)
    assert book.mailchimp.get(book.list).json["stats"]["member_count"] == 1


def test_2_audiences_are_made_changed_and_deleted(mailchimp: SandboxClient) -> None:
    contact = {"company": "C", "address1": "1", "city": "T", "state": "S", "zip": "1", "country": "US"}
    defaults = {"from_name": "C", "from_email": "c@club.example", "subject": "", "language": "en"}
    body = {"name": "New", "contact": contact, "permission_reminder": "You asked.", "email_type_option": True}
    refused = mailchimp.post("/lists", body)
    assert refused.json["errors"] == [
        {"field": "", "message": "Required fields were not provided: campaign_defaults"}
    ]
    made = mailchimp.post("/lists", body | {"campaign_defaults": defaults}).json
    assert (made["name"], made["email_type_option"], made["date_created"] != "") == ("New", True, True)
    path = f"/lists/{made['id']}"
    assert mailchimp.patch(path, {"name": "Newer", "double_optin": True}).json["double_optin"] is True
    listed = mailchimp.get("/lists", sort_field="date_created", sort_dir="DESC").json
    assert {audience["name"] for audience in listed["lists"]} == {"Newer", "Members"}
    assert listed["constraints"] == {"may_create": True, "max_instances": -1, "current_total_instances": 2}
    assert mailchimp.delete(path).status == 204
    assert mailchimp.get(path).status == 404
    assert mailchimp.get("/lists").json["total_items"] == 1


def test_1_4_the_root_counts_subscribers(mailchimp: SandboxClient) -> None:
    root = mailchimp.get("/").json
    assert (root["account_name"], root["total_subscribers"], root["role"]) == ("Example Club", 5, "owner")
    assert mailchimp.get("/", fields="account_name").json == {"account_name": "Example Club"}
