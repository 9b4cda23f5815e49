"""Member tags and tag-search (contract, section 10; traps 30 and 31)."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from lockstep.sandbox.testing import SandboxClient

PAT = hashlib.md5(b"pat@club.example").hexdigest()


@pytest.fixture
def members(mailchimp: SandboxClient) -> str:
    return f"/lists/{mailchimp.audience.id}/members"


def tag(mailchimp: SandboxClient, members: str, *names: str, status: str = "active", who: str = PAT) -> int:
    body = {"tags": [{"name": name, "status": status} for name in names]}
    return mailchimp.post(f"{members}/{who}/tags", body).status


def names(mailchimp: SandboxClient, members: str) -> list[str]:
    return [entry["name"] for entry in mailchimp.get(f"{members}/{PAT}/tags", count=1000).json["tags"]]


def test_tags_come_and_go_with_an_empty_204(mailchimp: SandboxClient, members: str) -> None:
    body = {"tags": [{"name": "volunteer", "status": "active"}, {"name": "old", "status": "inactive"}]}
    answer = mailchimp.post(f"{members}/{PAT}/tags", body)
    assert (answer.status, answer.body) == (204, b"")
    listed = mailchimp.get(f"{members}/{PAT}/tags").json
    assert [entry["name"] for entry in listed["tags"]] == ["volunteer"]
    assert listed["total_items"] == 1
    assert listed["tags"][0]["date_added"]
    assert tag(mailchimp, members, "volunteer", status="inactive") == 204
    assert names(mailchimp, members) == []


def test_names_ignore_case_and_keep_their_first_spelling(mailchimp: SandboxClient, members: str) -> None:
    tag(mailchimp, members, "Volunteer", "VOLUNTEER")
    assert names(mailchimp, members) == ["Volunteer"]
    tag(mailchimp, members, "volunteer", status="inactive")
    assert names(mailchimp, members) == []


def test_a_tag_does_not_move_last_changed(mailchimp: SandboxClient, members: str) -> None:
    before = mailchimp.get(f"{members}/{PAT}").json["last_changed"]
    mailchimp.sandbox.clock.advance(60)
    tag(mailchimp, members, "volunteer")
    assert mailchimp.get(f"{members}/{PAT}").json["last_changed"] == before


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"tag": ["a"]},
        {"tags": {"name": "a", "status": "active"}},
        {"tags": ["a"]},
        {"tags": [{"name": ""}]},
    ],
)
def test_a_wrong_body_is_answered_204_and_does_nothing(
    mailchimp: SandboxClient, members: str, body: Any
) -> None:
    assert mailchimp.post(f"{members}/{PAT}/tags", body).status == 204  # trap 30
    assert names(mailchimp, members) == []


def test_a_wrong_status_is_refused(mailchimp: SandboxClient, members: str) -> None:
    answer = mailchimp.post(f"{members}/{PAT}/tags", {"tags": [{"name": "a", "status": "on"}]})
    assert answer.status == 400
    assert answer.json["errors"][0]["message"] == "The value you selected is not a valid choice."


def test_an_unknown_contact_is_404_and_an_archived_one_204(mailchimp: SandboxClient, members: str) -> None:
    assert tag(mailchimp, members, "a", who="0" * 32) == 404
    mailchimp.delete(f"{members}/{PAT}")
    assert tag(mailchimp, members, "a") == 204


def test_a_member_shows_fifty_tags_at_most(mailchimp: SandboxClient, members: str) -> None:
    tag(mailchimp, members, *(f"tag {n}" for n in range(60)))
    member = mailchimp.get(f"{members}/{PAT}").json
    assert (len(member["tags"]), member["tags_count"]) == (50, 60)  # trap 31
    assert len(names(mailchimp, members)) == 60


def test_put_of_an_existing_contact_ignores_tags(mailchimp: SandboxClient, members: str) -> None:
    mailchimp.put(f"{members}/{PAT}", {"status_if_new": "subscribed", "tags": ["new"]})
    assert names(mailchimp, members) == []  # trap 30


def test_tag_search_is_by_prefix_without_case(mailchimp: SandboxClient, members: str) -> None:
    tag(mailchimp, members, "Volunteer", "volley", "donor")
    path = members.replace("/members", "/tag-search")
    found = mailchimp.get(path, name="VOL").json
    assert [entry["name"] for entry in found["tags"]] == ["volley", "Volunteer"]
    assert found["total_items"] == 2
    assert mailchimp.get(path).json["total_items"] == 3
    page = mailchimp.get(path, count=1, offset=1).json
    assert [entry["name"] for entry in page["tags"]] == ["volley"]
    segments = mailchimp.get(members.replace("/members", "/segments"), count=100).json["segments"]
    assert {entry["id"] for entry in found["tags"]} <= {segment["id"] for segment in segments}
