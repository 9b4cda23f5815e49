"""What each call sends, to the byte; and that no argument can make it go elsewhere."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockstep.mailchimp import calls, wire
from lockstep.mailchimp.calls import Call, Repeat, account, audience, batch, member, report
from lockstep.mailchimp.calls.call import encode, path
from lockstep.mailchimp.errors import InvalidCall

UPSERT = wire.MemberUpsert(
    email_address="pat@example.com", status_if_new="subscribed", merge_fields={"FNAME": "Zoë", "AGE": 7}
)
EVENTS = wire.WebhookEvents(subscribe=True, unsubscribe=True)
SOURCES = wire.WebhookSources(user=True, admin=True)
PAGE = {"count": "1000", "offset": "0"}
SKIP = {"skip_merge_validation": "true"}
READ, SAME, ONCE = Repeat.READ, Repeat.SAME_EFFECT, Repeat.ONCE

EVERY_CALL: list[tuple[Call[Any], str, str, dict[str, str], Any, Repeat]] = [
    (account.get_root(), "GET", "/", {}, None, READ),
    (account.ping(), "GET", "/ping", {}, None, READ),
    (
        account.search_members("pat", list_id="a1"),
        "GET",
        "/search-members",
        {"query": "pat", "list_id": "a1"},
        None,
        READ,
    ),
    (account.search_members("pat"), "GET", "/search-members", {"query": "pat"}, None, READ),
    (audience.get_lists(), "GET", "/lists", PAGE, None, READ),
    (
        audience.get_lists(fields=["name", "stats.member_count"]),
        "GET",
        "/lists",
        {**PAGE, "fields": "lists.id,lists.name,lists.stats.member_count,total_items"},
        None,
        READ,
    ),
    (audience.get_list("a1"), "GET", "/lists/a1", {}, None, READ),
    (
        audience.get_list("a1", include_total_contacts=True),
        "GET",
        "/lists/a1",
        {"include_total_contacts": "true"},
        None,
        READ,
    ),
    (
        audience.patch_list("a1", wire.ListPatch(double_optin=False)),
        "PATCH",
        "/lists/a1",
        {},
        {"double_optin": False},
        SAME,
    ),
    (
        audience.get_merge_fields("a1", offset=1000),
        "GET",
        "/lists/a1/merge-fields",
        {"count": "1000", "offset": "1000"},
        None,
        READ,
    ),
    (
        audience.create_merge_field(
            "a1", wire.NewMergeField(tag="CSKU_EMAIL", name="CSKU Email", required=False, public=False)
        ),
        "POST",
        "/lists/a1/merge-fields",
        {},
        {"tag": "CSKU_EMAIL", "name": "CSKU Email", "required": False, "public": False, "type": "text"},
        ONCE,
    ),
    (
        audience.patch_merge_field("a1", 5, wire.MergeFieldPatch(name="CSKU Email")),
        "PATCH",
        "/lists/a1/merge-fields/5",
        {},
        {"name": "CSKU Email"},
        SAME,
    ),
    (audience.delete_merge_field("a1", 5), "DELETE", "/lists/a1/merge-fields/5", {}, None, ONCE),
    (
        audience.get_segments("a1", segment_type="static"),
        "GET",
        "/lists/a1/segments",
        {**PAGE, "type": "static"},
        None,
        READ,
    ),
    (
        audience.create_segment(
            "a1",
            wire.NewSegment(
                name="Berlin",
                options=wire.SegmentOptions(
                    match="all",
                    conditions=[
                        {"condition_type": "TextMerge", "field": "CITY", "op": "is", "value": "Berlin"}
                    ],
                ),
            ),
        ),
        "POST",
        "/lists/a1/segments",
        {},
        {
            "name": "Berlin",
            "options": {
                "match": "all",
                "conditions": [
                    {"condition_type": "TextMerge", "field": "CITY", "op": "is", "value": "Berlin"}
                ],
            },
        },
        ONCE,
    ),
    (
        audience.create_segment("a1", wire.NewSegment(name="Volunteers", static_segment=[])),
        "POST",
        "/lists/a1/segments",
        {},
        {"name": "Volunteers", "static_segment": []},
        ONCE,
    ),
    (
        audience.change_segment_members("a1", 9, add=["pat@example.com"]),
        "POST",
        "/lists/a1/segments/9",
        {},
        {"members_to_add": ["pat@example.com"]},
        SAME,
    ),
    (audience.delete_segment("a1", 9), "DELETE", "/lists/a1/segments/9", {}, None, ONCE),
    (audience.get_webhooks("a1"), "GET", "/lists/a1/webhooks", {"count": "1000"}, None, READ),
    (
        audience.create_webhook(
            "a1", wire.NewWebhook(url="https://h.example/x", events=EVENTS, sources=SOURCES)
        ),
        "POST",
        "/lists/a1/webhooks",
        {},
        {
            "url": "https://h.example/x",
            "events": {
                "subscribe": True,
                "unsubscribe": True,
                "profile": False,
                "cleaned": False,
                "upemail": False,
                "campaign": False,
            },
            "sources": {"user": True, "admin": True, "api": False},
        },
        ONCE,
    ),
    (audience.get_webhook("a1", "w1"), "GET", "/lists/a1/webhooks/w1", {}, None, READ),
    (
        audience.patch_webhook("a1", "w1", wire.WebhookPatch(url="https://h.example/y")),
        "PATCH",
        "/lists/a1/webhooks/w1",
        {},
        {"url": "https://h.example/y"},
        SAME,
    ),
    (audience.delete_webhook("a1", "w1"), "DELETE", "/lists/a1/webhooks/w1", {}, None, ONCE),
    (member.get_members("a1"), "GET", "/lists/a1/members", PAGE, None, READ),
    (
        member.get_members(
            "a1",
            fields=["email_address", "merge_fields.FNAME"],
            status="archived",
            since_last_changed="2024-05-06T07:08:09+00:00",
            before_last_changed="2024-05-07T00:00:00+00:00",
            sort_field="last_changed",
            offset=2000,
        ),
        "GET",
        "/lists/a1/members",
        {
            "count": "1000",
            "offset": "2000",
            "status": "archived",
            "since_last_changed": "2024-05-06T07:08:09+00:00",
            "before_last_changed": "2024-05-07T00:00:00+00:00",
            "sort_field": "last_changed",
            "sort_dir": "ASC",
            "fields": "members.id,members.email_address,members.merge_fields.FNAME,total_items",
        },
        None,
        READ,
    ),
    (member.get_member("a1", "h"), "GET", "/lists/a1/members/h", {}, None, READ),
    (
        member.get_member("a1", "h", fields=["status"]),
        "GET",
        "/lists/a1/members/h",
        {"fields": "id,status"},
        None,
        READ,
    ),
    (
        member.put_member("a1", "h", UPSERT),
        "PUT",
        "/lists/a1/members/h",
        SKIP,
        {
            "email_address": "pat@example.com",
            "status_if_new": "subscribed",
            "merge_fields": {"FNAME": "Zoë", "AGE": 7},
        },
        SAME,
    ),
    (
        member.patch_member(
            "a1", "h", wire.MemberPatch(merge_fields={"FNAME": ""}), skip_merge_validation=False
        ),
        "PATCH",
        "/lists/a1/members/h",
        {},
        {"merge_fields": {"FNAME": ""}},
        SAME,
    ),
    (
        member.patch_member("a1", "h", wire.MemberPatch(email_address="new@example.com")),
        "PATCH",
        "/lists/a1/members/h",
        SKIP,
        {"email_address": "new@example.com"},
        ONCE,
    ),
    (member.archive_member("a1", "h"), "DELETE", "/lists/a1/members/h", {}, None, ONCE),
    (
        member.create_member_with_explicit_status("a1", "pat@example.com", "transactional", {"FNAME": "Pat"}),
        "POST",
        "/lists/a1/members",
        {},
        {"email_address": "pat@example.com", "status": "transactional", "merge_fields": {"FNAME": "Pat"}},
        ONCE,
    ),
    (
        member.set_member_status_explicitly("a1", "h", "unsubscribed"),
        "PATCH",
        "/lists/a1/members/h",
        {},
        {"status": "unsubscribed"},
        ONCE,
    ),
    (member.get_member_tags("a1", "h"), "GET", "/lists/a1/members/h/tags", PAGE, None, READ),
    (
        member.change_member_tags("a1", "h", add=["one"], remove=["two"]),
        "POST",
        "/lists/a1/members/h/tags",
        {},
        {
            "tags": [{"name": "one", "status": "active"}, {"name": "two", "status": "inactive"}],
            "is_syncing": True,
        },
        SAME,
    ),
    (
        member.subscribe_batch(
            "a1",
            [wire.BatchMember(email_address="pat@example.com", status_if_new="pending", tags=["a"])],
        ),
        "POST",
        "/lists/a1",
        SKIP,
        {
            "members": [{"email_address": "pat@example.com", "status_if_new": "pending", "tags": ["a"]}],
            "update_existing": True,
            "sync_tags": False,
        },
        SAME,
    ),
    (
        member.get_activity_feed("a1", "h", kinds=["open", "click"]),
        "GET",
        "/lists/a1/members/h/activity-feed",
        {**PAGE, "activity_filters": "open,click"},
        None,
        READ,
    ),
    (
        batch.start_batch([batch.operation(member.put_member("a1", "h", UPSERT), "row-1")]),
        "POST",
        "/batches",
        {},
        {
            "operations": [
                {
                    "method": "PUT",
                    "path": "/lists/a1/members/h",
                    "operation_id": "row-1",
                    "params": SKIP,
                    "body": '{"email_address":"pat@example.com","status_if_new":"subscribed",'
                    '"merge_fields":{"FNAME":"Zoë","AGE":7}}',
                }
            ]
        },
        ONCE,
    ),
    (batch.get_batch("b1"), "GET", "/batches/b1", {}, None, READ),
    (batch.get_batches(), "GET", "/batches", PAGE, None, READ),
    (batch.delete_batch("b1"), "DELETE", "/batches/b1", {}, None, ONCE),
    (
        report.get_campaigns(list_id="a1", status="sent", sort_field="send_time", sort_dir="DESC"),
        "GET",
        "/campaigns",
        {**PAGE, "list_id": "a1", "status": "sent", "sort_field": "send_time", "sort_dir": "DESC"},
        None,
        READ,
    ),
    (report.get_campaign("c1"), "GET", "/campaigns/c1", {}, None, READ),
    (
        report.get_reports(since_send_time="2024-01-01T00:00:00+00:00", fields=["send_time"]),
        "GET",
        "/reports",
        {
            **PAGE,
            "since_send_time": "2024-01-01T00:00:00+00:00",
            "fields": "reports.id,reports.send_time,total_items",
        },
        None,
        READ,
    ),
    (report.get_report("c1"), "GET", "/reports/c1", {}, None, READ),
    (
        report.get_email_activity("c1", since="2024-01-01T00:00:00+00:00"),
        "GET",
        "/reports/c1/email-activity",
        {
            **PAGE,
            "since": "2024-01-01T00:00:00+00:00",
            "fields": "emails.email_id,emails.email_address,emails.activity,total_items",
        },
        None,
        READ,
    ),
    (
        report.get_sent_to("c1"),
        "GET",
        "/reports/c1/sent-to",
        {
            **PAGE,
            "fields": "sent_to.email_id,sent_to.email_address,sent_to.status,sent_to.open_count,"
            "sent_to.last_open,total_items",
        },
        None,
        READ,
    ),
    (
        report.get_unsubscribed("c1"),
        "GET",
        "/reports/c1/unsubscribed",
        {
            **PAGE,
            "fields": "unsubscribes.email_id,unsubscribes.email_address,unsubscribes.timestamp,"
            "unsubscribes.reason,total_items",
        },
        None,
        READ,
    ),
    (
        report.get_open_details("c1"),
        "GET",
        "/reports/c1/open-details",
        {
            **PAGE,
            "fields": "members.email_id,members.email_address,members.contact_status,members.opens_count,"
            "members.opens,total_items",
        },
        None,
        READ,
    ),
    (report.get_click_details("c1"), "GET", "/reports/c1/click-details", PAGE, None, READ),
    (
        report.get_click_members("c1", "l1"),
        "GET",
        "/reports/c1/click-details/l1/members",
        {
            **PAGE,
            "fields": "members.email_id,members.email_address,members.contact_status,members.clicks,"
            "total_items",
        },
        None,
        READ,
    ),
]
LOUD = {"members.create_with_explicit_status", "members.set_status_explicitly"}


@pytest.mark.parametrize(
    ("call", "method", "target", "query", "body", "repeat"), EVERY_CALL, ids=[c[0].name for c in EVERY_CALL]
)
def test_every_call(
    call: Call[Any], method: str, target: str, query: dict[str, str], body: Any, repeat: Repeat
) -> None:
    parts = urlsplit(call.target())

    assert (call.method, parts.path) == (method, target)
    assert dict(parse_qsl(parts.query, strict_parsing=bool(parts.query))) == query
    assert (None if call.body is None else json.loads(call.body)) == body
    assert call.repeat is repeat
    assert call.writes is (method != "GET")


def test_every_builder_is_in_the_table() -> None:
    builders = {
        f"{module.__name__}.{name}"
        for module in (account, audience, member, batch, report)
        for name, value in vars(module).items()
        if callable(value)
        and getattr(value, "__annotations__", {}).get("return", "").startswith("Call[")
        and value.__module__ == module.__name__
    }

    assert len({c[0].name for c in EVERY_CALL}) == len(builders)


def _keys(value: Any) -> set[str]:
    if isinstance(value, dict):
        return set(value).union(*map(_keys, value.values()))
    if isinstance(value, list):
        return set().union(*map(_keys, value))
    return set()


@pytest.mark.parametrize("call", [c[0] for c in EVERY_CALL if c[0].body], ids=lambda c: c.name)
def test_no_call_but_the_loud_ones_sends_a_status(call: Call[Any]) -> None:
    body = json.loads(call.body or b"")
    if call.name == "member_tags.change":
        body = {}

    assert ("status" in _keys(body)) is (call.name in LOUD)


def test_nothing_of_a_call_is_in_its_repr() -> None:
    shown = repr(member.put_member("a1", "0123456789abcdef", UPSERT))

    assert "pat@example.com" not in shown
    assert "0123456789abcdef" not in shown


@pytest.mark.parametrize("part", ["", ".", "..", " ", "a b", "a\nb", "a\x00", "\u200b"])
def test_a_part_that_would_change_the_path_is_refused(part: str) -> None:
    with pytest.raises(InvalidCall):
        member.archive_member("a1", part)
    with pytest.raises(InvalidCall):
        audience.get_list(part)


@given(st.text(min_size=1))
def test_a_part_stays_one_part(part: str) -> None:
    try:
        built = path("/lists/{}/members/{}", "a1", part)
    except InvalidCall:
        return
    except UnicodeEncodeError:
        pytest.fail("half a surrogate pair is not handled")

    assert built.isascii()
    assert built.count("/") == 4
    assert "?" not in built
    assert "#" not in built
    assert unquote(built.rpartition("/")[2]) == part


@pytest.mark.parametrize("sizes", [(0, 0), (501, 0), (0, 501)])
def test_a_segment_takes_500_at_a_time(sizes: tuple[int, int]) -> None:
    with pytest.raises(InvalidCall):
        audience.change_segment_members("a1", 1, add=["a"] * sizes[0], remove=["b"] * sizes[1])


def _item(address: str) -> wire.BatchMember:
    return wire.BatchMember(email_address=address, status_if_new="subscribed")


def test_a_batch_holds_1_to_500_different_addresses() -> None:
    assert member.subscribe_batch("a1", [_item(f"p{n}@example.com") for n in range(500)]).body
    for wrong in (
        [],
        [_item(f"p{n}@example.com") for n in range(501)],
        [_item("pat@example.com"), _item("PAT@example.com")],
    ):
        with pytest.raises(InvalidCall):
            member.subscribe_batch("a1", wrong)


def test_operations_have_ids_of_their_own() -> None:
    one = batch.operation(account.ping(), "1")
    with pytest.raises(InvalidCall):
        batch.start_batch([])
    with pytest.raises(InvalidCall):
        batch.start_batch([one, one])
    with pytest.raises(InvalidCall):
        batch.start_batch([batch.operation(account.ping(), str(n)) for n in range(501)])


@pytest.mark.parametrize(("add", "remove"), [([], []), ([""], []), ([], [" "])])
def test_a_change_of_tags_says_something(add: list[str], remove: list[str]) -> None:
    with pytest.raises(InvalidCall):
        member.change_member_tags("a1", "h", add=add, remove=remove)


def test_what_json_cannot_hold_is_not_sent() -> None:
    upsert = wire.MemberUpsert(
        email_address="pat@example.com", status_if_new="subscribed", merge_fields={"FNAME": "\ud83d"}
    )
    with pytest.raises(InvalidCall):
        member.put_member("a1", "h", upsert)
    with pytest.raises(InvalidCall):
        encode(object())


@pytest.mark.parametrize("datacenter", ["us6", "us21", "eu1", "usx12", "us999"])
def test_data_centres(datacenter: str) -> None:
    assert calls.check_datacenter(datacenter) == datacenter
    assert calls.base_address(datacenter) == f"https://{datacenter}.api.mailchimp.com/3.0"
    assert calls.datacenter_of_key(f"{'0' * 32}-{datacenter}") == datacenter


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "us",
        "6",
        "us6\n",
        "US6",
        "us6.evil.example",
        "us6/",
        "us6@evil.example/",
        "us1234",
        "abcd1",
        "us６",
        "us6#",
    ],
)
def test_what_is_no_data_centre_never_becomes_a_host(wrong: str) -> None:
    with pytest.raises(InvalidCall):
        calls.check_datacenter(wrong)
    with pytest.raises(InvalidCall):
        calls.base_address(wrong)
    with pytest.raises(InvalidCall):
        calls.base_address(wrong, "http://127.0.0.1:8099/3.0")


@given(st.text())
def test_a_key_names_a_checked_data_centre_or_none(key: str) -> None:
    try:
        datacenter = calls.datacenter_of_key(key)
    except InvalidCall:
        return
    host = urlsplit(calls.base_address(datacenter)).hostname
    assert host == f"{datacenter}.api.mailchimp.com"


def test_the_practice_mailchimp_is_a_setting() -> None:
    assert calls.base_address("us6", "http://127.0.0.1:8099/3.0/") == "http://127.0.0.1:8099/3.0"
    for wrong in ("127.0.0.1:8099", "ftp://x/3.0", "http:///3.0", "http://x/3.0?a=1", "http://x/3.0#a"):
        with pytest.raises(InvalidCall):
            calls.base_address("us6", wrong)
