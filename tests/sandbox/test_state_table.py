"""Contract 4.4: what each write does to a contact in each state, one test per cell."""

from __future__ import annotations

import hashlib

import pytest

from lockstep.sandbox.testing import Answer, SandboxClient

EMAIL = "robin@club.example"
HASH = hashlib.md5(EMAIL.encode(), usedforsecurity=False).hexdigest()

STATES = (
    "unknown", "subscribed", "unsubscribed by API", "unsubscribed by admin", "unsubscribed by person",
    "complained", "cleaned", "pending", "transactional", "archived", "archived after own unsubscribe",
    "forgotten",
)  # fmt: skip


class Stage:
    """An audience with one contact in a state, and the five writes of the table."""

    def __init__(self, mailchimp: SandboxClient, state: str) -> None:
        self.mailchimp = mailchimp
        self.base = f"/lists/{mailchimp.audience.id}/members"
        self.path = f"{self.base}/{HASH}"
        first = {"pending": "pending", "transactional": "transactional"}.get(state, "subscribed")
        if state != "unknown":
            body = {
                "email_address": EMAIL,
                "status": first,
                "merge_fields": {"FNAME": "Robin", "LNAME": "Roe"},
            }
            assert mailchimp.post(self.base, body).status == 200
        match state:
            case "unsubscribed by API":
                assert mailchimp.patch(self.path, {"status": "unsubscribed"}).status == 200
            case "unsubscribed by admin":
                self.happen("admin_unsubscribe")
            case "unsubscribed by person":
                self.happen("unsubscribe")
            case "complained":
                self.happen("complain")
            case "cleaned":
                self.happen("bounce")
            case "archived":
                assert mailchimp.delete(self.path).status == 204
            case "archived after own unsubscribe":
                self.happen("unsubscribe")
                assert mailchimp.delete(self.path).status == 204
            case "forgotten":
                assert mailchimp.post(f"{self.path}/actions/delete-permanent").status == 204
        mailchimp.control("/clock", {"advance": 60})

    def happen(self, what: str) -> None:
        self.mailchimp.control(
            "/happen", {"audience": self.mailchimp.audience.id, "email": EMAIL, "what": what}
        )

    def write(self, column: str) -> Answer:
        merges = {"merge_fields": {"FNAME": "New"}}
        match column:
            case "PUT status_if_new":
                return self.mailchimp.put(
                    self.path, {"email_address": EMAIL, "status_if_new": "subscribed"} | merges
                )
            case "PUT status":
                return self.mailchimp.put(
                    self.path, {"email_address": EMAIL, "status": "subscribed"} | merges
                )
            case "PATCH status":
                return self.mailchimp.patch(self.path, {"status": "subscribed"} | merges)
            case "POST":
                return self.mailchimp.post(
                    self.base, {"email_address": EMAIL, "status": "subscribed"} | merges
                )
            case "PATCH address":
                return self.mailchimp.patch(self.path, {"email_address": "renamed@club.example"})
            case "PUT address":
                return self.mailchimp.put(self.path, {"email_address": "renamed@club.example"})
            case _:
                return self.mailchimp.delete(self.path)

    def now(self) -> Answer:
        return self.mailchimp.get(self.path)


EXISTS = f"{EMAIL} is already a list member. Use PUT to insert or update list members."
COMPLIANCE = (
    f"{EMAIL} is in a compliance state due to unsubscribe, bounce, or compliance review "
    "and cannot be subscribed."
)
FORGOTTEN = (
    f"{EMAIL} was permanently deleted and cannot be re-imported. "
    "The contact must re-subscribe to get back on the list."
)

# (state, write) -> the status afterwards, or (HTTP status, title)
KEEPS = {
    "subscribed": "subscribed", "unsubscribed by API": "unsubscribed",
    "unsubscribed by admin": "unsubscribed", "unsubscribed by person": "unsubscribed",
    "complained": "unsubscribed", "cleaned": "cleaned",
    "pending": "pending", "transactional": "transactional", "archived": "archived",
    "archived after own unsubscribe": "archived",
}  # fmt: skip
EXISTING = (400, "Member Exists")
COMPLIES = (400, "Member In Compliance State")
GONE = (400, "Forgotten Email Not Subscribed")
INVALID = (400, "Invalid Resource")
NOWHERE = (404, "Resource Not Found")
NOT_ALLOWED = (405, "Method Not Allowed")

TABLE: dict[str, dict[str, object]] = {
    "PUT status_if_new": {"unknown": "subscribed", **KEEPS, "forgotten": GONE},
    "PUT status": {
        "unknown": "subscribed", "subscribed": "subscribed", "unsubscribed by API": "subscribed",
        "unsubscribed by admin": "subscribed", "unsubscribed by person": COMPLIES, "complained": COMPLIES,
        "cleaned": COMPLIES, "pending": "subscribed", "transactional": "subscribed", "archived": "subscribed",
        "archived after own unsubscribe": "subscribed", "forgotten": GONE,
    },
    "PATCH status": {
        "unknown": NOWHERE, "subscribed": "subscribed", "unsubscribed by API": "subscribed",
        "unsubscribed by admin": "subscribed", "unsubscribed by person": COMPLIES, "complained": COMPLIES,
        "cleaned": COMPLIES, "pending": "subscribed", "transactional": "subscribed", "archived": INVALID,
        "archived after own unsubscribe": INVALID, "forgotten": GONE,
    },
    "POST": {
        "unknown": "subscribed", "subscribed": EXISTING, "unsubscribed by API": EXISTING,
        "unsubscribed by admin": EXISTING, "unsubscribed by person": COMPLIES, "complained": COMPLIES,
        "cleaned": COMPLIES, "pending": EXISTING, "transactional": EXISTING, "archived": "subscribed",
        "archived after own unsubscribe": "subscribed", "forgotten": GONE,
    },
    "PATCH address": {
        "unknown": NOWHERE, "subscribed": "renamed", "unsubscribed by API": INVALID,
        "unsubscribed by admin": INVALID, "unsubscribed by person": INVALID, "complained": INVALID,
        "cleaned": INVALID, "pending": INVALID, "transactional": INVALID, "archived": INVALID,
        "archived after own unsubscribe": INVALID, "forgotten": NOWHERE,
    },
    "PUT address": {
        "subscribed": "renamed", "unsubscribed by API": INVALID, "unsubscribed by admin": INVALID,
        "unsubscribed by person": INVALID, "complained": INVALID, "cleaned": INVALID, "pending": INVALID,
        "transactional": INVALID, "archived": INVALID, "archived after own unsubscribe": INVALID,
    },
    "DELETE": {
        "unknown": NOWHERE, "subscribed": "archived", "unsubscribed by API": "archived",
        "unsubscribed by admin": "archived", "unsubscribed by person": "archived", "complained": "archived",
        "cleaned": NOT_ALLOWED, "pending": NOT_ALLOWED, "transactional": "archived", "archived": NOT_ALLOWED,
        "archived after own unsubscribe": NOT_ALLOWED, "forgotten": NOWHERE,
    },
}  # fmt: skip

CELLS = [(state, column, expected) for column, rows in TABLE.items() for state, expected in rows.items()]


@pytest.mark.parametrize(
    ("state", "column", "expected"), CELLS, ids=[f"4.4-{state}-{column}" for state, column, _ in CELLS]
)
def test_cell_of_the_state_table(mailchimp: SandboxClient, state: str, column: str, expected: object) -> None:
    stage = Stage(mailchimp, state)
    before = stage.now()
    answer = stage.write(column)
    after = stage.now()

    if isinstance(expected, tuple):
        assert (answer.status, answer.json["title"]) == expected, answer.text
        assert after.json | {"instance": ""} == before.json | {"instance": ""}, (
            "a refused write changes nothing"
        )
        details = {"Member Exists": EXISTS, "Member In Compliance State": COMPLIANCE}
        if expected in (EXISTING, COMPLIES):
            assert answer.json["detail"] == details[answer.json["title"]]
            assert "type" not in answer.json
    elif column == "DELETE":
        assert (answer.status, answer.body) == (204, b"")
        assert after.json["status"] == "archived"
    elif expected == "renamed":
        assert answer.status == 200
        assert answer.json["email_address"] == "renamed@club.example"
        assert after.status == 404
        assert answer.json["contact_id"] == before.json["contact_id"]
        assert answer.json["web_id"] == before.json["web_id"]
        assert answer.json["unique_email_id"] != before.json["unique_email_id"]
    else:
        assert answer.status == 200, answer.text
        assert answer.json["status"] == after.json["status"] == expected
        assert answer.json["merge_fields"]["FNAME"] == "New"
        assert after.json["last_changed"] > before.json.get("last_changed", "")


def test_put_without_any_status_needs_one_for_a_new_contact(mailchimp: SandboxClient) -> None:
    """4.4, unknown: PUT with neither is 400 (inferred)."""
    answer = Stage(mailchimp, "unknown").mailchimp.put(
        f"/lists/{mailchimp.audience.id}/members/{HASH}", {"email_address": EMAIL}
    )
    assert (answer.status, answer.json["title"]) == INVALID
    assert answer.json["errors"] == [
        {"field": "", "message": "Required fields were not provided: status_if_new"}
    ]


@pytest.mark.parametrize("write", ["POST", "PUT status", "PUT status_if_new"])
def test_forgotten_says_so_with_the_address(mailchimp: SandboxClient, write: str) -> None:
    """4.4 and 4.5, permanently deleted; trap 19: 404 on read, 400 on write."""
    stage = Stage(mailchimp, "forgotten")
    answer = stage.write(write)
    assert (answer.status, answer.json["detail"]) == (400, FORGOTTEN)
    assert "type" not in answer.json
    assert stage.now().status == 404


def test_post_brings_an_archived_contact_back_as_the_same_person(mailchimp: SandboxClient) -> None:
    """4.4, archived: same contact_id and web_id, tags and unsent fields kept, timestamp_opt reset."""
    stage = Stage(mailchimp, "archived")
    before = stage.now().json
    after = stage.write("POST").json
    assert (after["contact_id"], after["web_id"]) == (before["contact_id"], before["web_id"])
    assert after["merge_fields"]["LNAME"] == "Roe"
    assert after["timestamp_opt"] > before["timestamp_opt"]


def test_both_statuses_on_a_new_contact(mailchimp: SandboxClient) -> None:
    """4.3 and trap 29: status_if_new wins."""
    stage = Stage(mailchimp, "unknown")
    answer = mailchimp.put(
        stage.path, {"email_address": EMAIL, "status": "subscribed", "status_if_new": "pending"}
    )
    assert answer.json["status"] == "pending"
