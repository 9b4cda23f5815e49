"""Contract section 5 and section 0: batch subscribe in all its generations."""

from __future__ import annotations

import time
from typing import Any

import pytest

from lockstep.sandbox.testing import Answer, SandboxClient

PAT = "pat@club.example"


class Batch:
    def __init__(self, mailchimp: SandboxClient) -> None:
        self.mailchimp = mailchimp
        self.base = f"/lists/{mailchimp.audience.id}"

    def send(self, *items: dict[str, Any], query: dict[str, Any] | None = None, **body: Any) -> Answer:
        return self.mailchimp.post(self.base, {"members": list(items), **body}, **(query or {}))

    def member(self, address: str) -> dict[str, Any]:
        return self.mailchimp.get(f"{self.base}/members/{address}").json  # type: ignore[no-any-return]

    def happen(self, what: str, address: str = PAT) -> None:
        self.mailchimp.control(
            "/happen", {"audience": self.mailchimp.audience.id, "email": address, "what": what}
        )


@pytest.fixture
def batch(mailchimp: SandboxClient) -> Batch:
    return Batch(mailchimp)


def item(address: str = PAT, **more: Any) -> dict[str, Any]:
    return {"email_address": address, "merge_fields": {"FNAME": "New"}} | more


def test_5_new_and_existing_and_the_counts(batch: Batch) -> None:
    answer = batch.send(
        item("one@club.example", status_if_new="subscribed", tags=["volunteer"]),
        item("two@club.example", status_if_new="transactional"),
        item(status_if_new="unsubscribed"),
        update_existing=True,
        sync_tags=False,
    ).json
    assert [m["email_address"] for m in answer["new_members"]] == ["one@club.example", "two@club.example"]
    assert [m["status"] for m in answer["new_members"]] == ["subscribed", "transactional"]
    assert [(m["email_address"], m["status"]) for m in answer["updated_members"]] == [(PAT, "subscribed")]
    assert (answer["total_created"], answer["total_updated"], answer["error_count"]) == (2, 1, 0)
    assert not {"contact_id", "full_name", "web_id", "source"} & answer["new_members"][0].keys()
    assert batch.member(PAT)["merge_fields"]["FNAME"] == "New"
    assert [tag["name"] for tag in batch.member("one@club.example")["tags"]] == ["volunteer"]


def test_5_without_update_existing_an_existing_contact_is_an_error_item_and_not_touched(batch: Batch) -> None:
    before = batch.member(PAT)
    answer = batch.send(item(status_if_new="subscribed"), item("one@club.example", status="subscribed")).json
    assert answer["errors"] == [
        {
            "email_address": PAT,
            "error": f"{PAT} is already a list member, do you want to update? "
            "please provide update_existing:true in the request body",
            "error_code": "ERROR_CONTACT_EXISTS",
            "field": "",
            "field_message": "",
        }
    ]
    assert (answer["total_created"], answer["error_count"]) == (1, 1)
    assert batch.member(PAT) == before


STATES = {
    "unsubscribed by API": "unsubscribed", "unsubscribe": "unsubscribed", "complain": "unsubscribed",
    "bounce": "cleaned", "admin_unsubscribe": "unsubscribed", "archived": "archived",
}  # fmt: skip


def put_into(batch: Batch, state: str) -> None:
    path = f"{batch.base}/members/{PAT}"
    if state == "unsubscribed by API":
        batch.mailchimp.patch(path, {"status": "unsubscribed"})
    elif state == "archived":
        batch.mailchimp.delete(path)
    else:
        batch.happen(state)


@pytest.mark.parametrize("state", STATES)
def test_0_status_if_new_never_touches_an_existing_status(batch: Batch, state: str) -> None:
    """0, way A: the canary must come back with its status and the new field."""
    put_into(batch, state)
    answer = batch.send(item(status_if_new="subscribed"), update_existing=True).json
    assert (answer["total_updated"], answer["error_count"]) == (1, 0)
    after = batch.member(PAT)
    assert (after["status"], after["merge_fields"]["FNAME"]) == (STATES[state], "New")


def test_0_the_canary_fails_where_status_is_required(batch: Batch) -> None:
    """The older validator refuses the whole request."""
    batch.mailchimp.control("/switches", {"batch_validator": "status_required"})
    answer = batch.send(item(status_if_new="subscribed"), update_existing=True)
    assert (answer.status, answer.json["errors"]) == (
        400, [{"field": "members.item:0", "message": "Required fields were not provided: status"}],
    )  # fmt: skip
    assert batch.send(item(status="subscribed"), update_existing=True).status == 200


def test_0_the_canary_fails_where_status_if_new_is_ignored(batch: Batch) -> None:
    """The dangerous kind: a missing status is taken for subscribed."""
    batch.mailchimp.control("/switches", {"batch_validator": "status_if_new_ignored"})
    put_into(batch, "admin_unsubscribe")
    assert batch.send(item(status_if_new="unsubscribed"), update_existing=True).status == 200
    assert batch.member(PAT)["status"] == "subscribed"


def test_5_status_subscribed_brings_back_whom_the_api_or_an_admin_unsubscribed(batch: Batch) -> None:
    put_into(batch, "admin_unsubscribe")
    answer = batch.send(item(status="subscribed"), update_existing=True).json
    assert [m["status"] for m in answer["updated_members"]] == ["subscribed"]


def test_5_trap_21_whoever_unsubscribed_themselves_stays_out_in_silence(batch: Batch) -> None:
    put_into(batch, "unsubscribe")
    answer = batch.send(item(status="subscribed"), update_existing=True).json
    assert (answer["total_updated"], answer["error_count"]) == (1, 0), "the counts look fine"
    assert batch.member(PAT)["status"] == "unsubscribed"
    batch.mailchimp.control("/switches", {"batch_compliance": "error"})
    answer = batch.send(item(status="subscribed"), update_existing=True).json
    assert "is in a compliance state" in answer["errors"][0]["error"]
    assert answer["errors"][0]["error_code"] == "ERROR_GENERIC"


def test_5_cleaned_contacts_are_an_error_item(batch: Batch) -> None:
    put_into(batch, "bounce")
    answer = batch.send(item(status="subscribed"), update_existing=True).json
    assert "is in a compliance state due to unsubscribe, bounce" in answer["errors"][0]["error"]
    assert batch.member(PAT)["status"] == "cleaned"


def test_5_an_archived_contact_with_a_status_comes_back_as_new(batch: Batch) -> None:
    before = batch.member(PAT)
    put_into(batch, "archived")
    answer = batch.send(item(status="subscribed"), update_existing=True).json
    assert (answer["total_created"], answer["total_updated"]) == (1, 0)
    after = batch.member(PAT)
    assert (after["status"], after["contact_id"]) == ("subscribed", before["contact_id"])


def test_5_the_forgotten_are_an_error_item(batch: Batch) -> None:
    batch.mailchimp.post(f"{batch.base}/members/{PAT}/actions/delete-permanent")
    answer = batch.send(item(status_if_new="subscribed"), update_existing=True).json
    assert answer["errors"][0]["error"] == (
        f"{PAT} was permanently deleted and cannot be re-imported. "
        "The contact must re-subscribe to get back on the list."
    )


def test_5_trap_22_an_error_item_names_the_field(batch: Batch) -> None:
    batch.mailchimp.post(f"{batch.base}/merge-fields", {"name": "N", "tag": "N", "type": "number"})
    answer = batch.send(
        item(status_if_new="subscribed", merge_fields={"N": "AAAAA"}),
        item("no address", status_if_new="subscribed"),
        update_existing=True,
    )
    assert answer.status == 200
    first, second = answer.json["errors"]
    assert (first["field"], first["field_message"]) == ("N", "Please enter a number")
    assert (second["error"], second["error_code"]) == (
        "Please provide a valid email address.",
        "ERROR_GENERIC",
    )


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"status": ""}, "members.item:1.status"),
        ({"status": "archived"}, "members.item:1.status"),
        ({"status_if_new": "nobody"}, "members.item:1.status_if_new"),
        ({"merge_fields": []}, "members.item:1.merge_fields"),
        ({"merge_fields": {"FNAME": None}}, "members.item:1.merge_fields.FNAME"),
        ({"vip": "yes"}, "members.item:1.vip"),
    ],
)
def test_5_trap_23_one_malformed_item_fails_the_whole_request(
    batch: Batch, wrong: dict[str, Any], field: str
) -> None:
    good = item("one@club.example", status_if_new="subscribed")
    answer = batch.send(good, item("two@club.example", status_if_new="subscribed") | wrong)
    assert (answer.status, answer.json["title"]) == (400, "Invalid Resource")
    assert [error["field"] for error in answer.json["errors"]] == [field]
    assert batch.mailchimp.get(f"{batch.base}/members/one@club.example").status == 404


def test_5_an_item_without_any_status_fails_the_whole_request(batch: Batch) -> None:
    """Inferred from the newest description, which demands one of the two."""
    assert batch.send(item()).status == 400


def test_5_null_stands_for_not_sent(batch: Batch) -> None:
    answer = batch.send(
        item("one@club.example", status_if_new="subscribed", status=None, language=None, tags=None)
    )
    assert (answer.status, answer.json["total_created"]) == (200, 1)


def test_5_at_most_500(batch: Batch) -> None:
    items = [item(f"p{number}@club.example", status_if_new="subscribed") for number in range(501)]
    refused = batch.send(*items)
    assert (refused.status, refused.json["errors"][0]["field"]) == (400, "members")
    taken = batch.send(*items[:500])
    assert taken.json["total_created"] == 500


def test_5_trap_25_the_same_address_twice(batch: Batch) -> None:
    twice = (item("one@club.example", status="subscribed"), item("ONE@club.example", status="unsubscribed"))
    answer = batch.send(*twice).json
    assert (answer["total_created"], answer["error_count"]) == (1, 1)
    answer = batch.send(
        item("three@club.example", status="subscribed"),
        item("three@club.example", status="unsubscribed"),
        query={"skip_duplicate_check": True},
    ).json
    assert (answer["total_created"], answer["error_count"]) == (1, 0)
    assert batch.member("three@club.example")["status"] == "subscribed", "the first one's status counts"


def test_5_tags_are_added_or_replace_all(batch: Batch) -> None:
    one = item(status_if_new="subscribed", tags=["a", "b"])
    batch.send(one, update_existing=True)
    batch.send(item(status_if_new="subscribed", tags=["C"]), update_existing=True)
    assert [tag["name"] for tag in batch.member(PAT)["tags"]] == ["a", "b", "C"]
    batch.send(item(status_if_new="subscribed", tags=["c", "d"]), update_existing=True, sync_tags=True)
    assert [tag["name"] for tag in batch.member(PAT)["tags"]] == ["C", "d"]


def test_3_2_skip_merge_validation_in_a_batch(batch: Batch) -> None:
    batch.mailchimp.post(
        f"{batch.base}/merge-fields", {"name": "R", "tag": "R", "type": "text", "required": True}
    )
    new = item("one@club.example", status_if_new="subscribed")
    assert batch.send(new).json["errors"][0]["field_message"] == "Please enter a value"
    assert batch.send(new, query={"skip_merge_validation": True}).json["total_created"] == 1


@pytest.mark.slow
def test_12_a_hundred_thousand_members_load_in_well_under_a_minute() -> None:
    batch = Batch(SandboxClient())
    started = time.monotonic()
    for block in range(200):
        answer = batch.send(
            *(item(f"p{block}.{n}@club.example", status_if_new="subscribed") for n in range(500)),
            update_existing=True,
        )
        assert answer.status == 200
    assert batch.mailchimp.get(batch.base).json["stats"]["member_count"] == 100_005
    assert time.monotonic() - started < 60
    started = time.monotonic()
    page = batch.mailchimp.get(f"{batch.base}/members", count=1000, offset=99_000)
    assert len(page.json["members"]) == 1000
    assert time.monotonic() - started < 1, "a page deep in the list does not cost a sort of it"
