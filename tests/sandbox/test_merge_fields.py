"""Contract section 3: merge fields and their values."""

from __future__ import annotations

from typing import Any

import pytest

from lockstep.sandbox.testing import Answer, SandboxClient

ADDRESS = {"addr1": "1 High St", "addr2": "", "city": "Town", "state": "TS", "zip": "12345", "country": "US"}


class Fields:
    """An audience with one field of a type, written through Pat."""

    def __init__(self, mailchimp: SandboxClient) -> None:
        self.mailchimp = mailchimp
        self.base = f"/lists/{mailchimp.audience.id}"
        self.pat = f"{self.base}/members/pat@club.example"

    def make(self, type_: str, **more: Any) -> Answer:
        body = {"name": "Field", "type": type_, "tag": "FIELD"} | more
        return self.mailchimp.post(f"{self.base}/merge-fields", body)

    def write(self, value: Any, tag: str = "FIELD", **query: Any) -> Answer:
        return self.mailchimp.patch(self.pat, {"merge_fields": {tag: value}}, **query)


@pytest.fixture
def fields(mailchimp: SandboxClient) -> Fields:
    return Fields(mailchimp)


CHOICES = {"options": {"choices": ["one-off", "monthly"]}}


@pytest.mark.parametrize(
    ("type_", "more", "sent", "stored"),
    [
        ("text", {}, "Zoë 🎈", "Zoë 🎈"),
        ("text", {}, 5, "5"),
        ("text", {}, "", ""),
        ("number", {}, 15.5, 15.5),
        ("number", {}, "15.5", 15.5),
        ("number", {}, "7", 7),
        ("number", {}, "", ""),
        ("date", {}, "2024-02-29", "2024-02-29"),
        ("date", {}, "02/29/2024", "2024-02-29"),
        ("birthday", {}, "02/29", "02/29"),
        ("phone", {}, "+5583999999999", "+5583999999999"),
        ("phone", {}, "000", "000"),
        ("dropdown", CHOICES, "monthly", "monthly"),
        ("radio", CHOICES, "", ""),
        ("url", {}, "https://club.example/x", "https://club.example/x"),
        ("imageurl", {}, "https://club.example/x.png", "https://club.example/x.png"),
        ("zip", {}, "12345", "12345"),
        ("address", {}, ADDRESS, ADDRESS),
        ("address", {}, {k: v for k, v in ADDRESS.items() if k != "country"}, ADDRESS),
        ("address", {}, "", ""),
    ],
)
def test_3_2_values_that_are_taken(fields: Fields, type_: str, more: Any, sent: Any, stored: Any) -> None:
    assert fields.make(type_, **more).status == 200
    assert fields.write(sent).json["merge_fields"]["FIELD"] == stored
    assert fields.mailchimp.get(fields.pat).json["merge_fields"]["FIELD"] == stored


@pytest.mark.parametrize(
    ("type_", "more", "sent", "message"),
    [
        ("number", {}, "AAAAA", "Please enter a number"),
        ("number", {}, "nan", "Please enter a number"),
        ("date", {}, "29.02.2024", "Please enter the date"),
        ("date", {}, "2023-02-29", "Please enter the date"),
        ("birthday", {}, "2024-02-29", "Please enter a month (01-12) and a day (01-31)"),
        ("birthday", {}, "13/01", "Please enter a month (01-12) and a day (01-31)"),
        ("address", {}, {"addr1": "1 High St"}, "Please enter a complete address"),
        ("address", {}, "1 High St", "Please enter a complete address"),
        ("dropdown", CHOICES, "12", "Value must be one of: , one-off, monthly (not 12)"),
        ("dropdown", {"required": True, **CHOICES}, "12", "Value must be one of: one-off, monthly (not 12)"),
        ("text", {"required": True}, "", "Please enter a value"),
    ],
)
def test_3_2_values_that_are_refused(fields: Fields, type_: str, more: Any, sent: Any, message: str) -> None:
    fields.make(type_, **more)
    before = fields.mailchimp.get(fields.pat).json
    answer = fields.write(sent)
    assert (answer.status, answer.json["title"], answer.json["detail"]) == (
        400, "Invalid Resource", "Your merge fields were invalid.",
    )  # fmt: skip
    assert answer.json["errors"] == [{"field": "FIELD", "message": message}]
    assert fields.mailchimp.get(fields.pat).json == before


def test_3_2_trap_11_unknown_tags_vanish_and_unsent_keys_keep_their_value(fields: Fields) -> None:
    answer = fields.write("x", tag="NOSUCH")
    assert answer.status == 200
    assert answer.json["merge_fields"] == {"FNAME": "Pat", "LNAME": "Doe", "ADDRESS": "", "PHONE": ""}


def test_3_2_required_values_missing_on_a_new_contact(fields: Fields) -> None:
    fields.make("text", required=True)
    body = {"email_address": "new@club.example", "status": "subscribed"}
    path = f"{fields.base}/members"
    answer = fields.mailchimp.post(path, body)
    assert answer.json["errors"] == [{"field": "FIELD", "message": "Please enter a value"}]
    skipped = fields.mailchimp.post(path, body, skip_merge_validation=True)
    assert skipped.status == 200


def test_3_2_skip_merge_validation_still_refuses_wrong_values(fields: Fields) -> None:
    fields.make("number")
    assert fields.write("AAAAA", skip_merge_validation=True).status == 400


def test_3_2_trap_6_an_incomplete_stored_address_blocks_other_updates(fields: Fields) -> None:
    """Put there through the web interface, which takes partial addresses."""
    edit = {"what": "edit", "merges": {"ADDRESS": {"addr1": "1 High St"}}}
    fields.mailchimp.control(
        "/happen", {"audience": fields.mailchimp.audience.id, "email": "pat@club.example"} | edit
    )
    answer = fields.write("Patricia", tag="FNAME")
    assert answer.json["errors"] == [{"field": "ADDRESS", "message": "Please enter a complete address"}]
    fields.mailchimp.control("/switches", {"stored_address": "ignore"})
    assert fields.write("Patricia", tag="FNAME").json["merge_fields"]["FNAME"] == "Pat", "200 but not updated"
    assert fields.write(ADDRESS, tag="ADDRESS").json["merge_fields"]["ADDRESS"] == ADDRESS
    assert fields.write("Patricia", tag="FNAME").json["merge_fields"]["FNAME"] == "Patricia"


@pytest.mark.parametrize(
    ("switch", "stored"), [("reject", None), ("truncate", "é" * 127), ("keep", "é" * 200)]
)
def test_3_2_long_text_is_a_switch(fields: Fields, switch: str, stored: str | None) -> None:
    fields.make("text")
    fields.mailchimp.control("/switches", {"long_text": switch})
    answer = fields.write("é" * 200)
    if stored is None:
        assert answer.json["detail"] == "Your merge fields were invalid."
    else:
        assert answer.json["merge_fields"]["FIELD"] == stored


def test_3_2_trap_5_messages_are_in_the_language_of_the_audience(fields: Fields) -> None:
    fields.mailchimp.control("/switches", {"translate": True})
    defaults = {"from_name": "A", "from_email": "a@club.example", "subject": "", "language": "de"}
    assert fields.mailchimp.patch(fields.base, {"campaign_defaults": defaults}).status == 200
    fields.make("dropdown", required=True, **CHOICES)
    assert fields.write("").json["errors"][0]["message"] == "Bitte gib einen Wert ein."
    assert fields.write("x").json["errors"][0]["message"] == (
        "Der Wert muss einer der folgenden sein: one-off, monthly (nicht x)"
    )


def test_3_1_a_field_is_answered_as_described(fields: Fields) -> None:
    made = fields.make("dropdown", help_text="Why", public=True, display_order=9, **CHOICES).json
    assert made["merge_field_limit"] == 30
    # The four default ones, this one, and EMAIL, which counts (3.3).
    assert made["total_items"] == 6
    links = made.pop("_links")
    assert links[0]["href"].endswith(f"/merge-fields/{made['merge_id']}")
    assert {k: v for k, v in made.items() if k not in ("merge_field_limit", "total_items")} == {
        "merge_id": 5, "tag": "FIELD", "name": "Field", "type": "dropdown", "required": False,
        "default_value": "", "public": True, "display_order": 9,
        "options": {"choices": ["one-off", "monthly"]}, "help_text": "Why",
        "list_id": fields.mailchimp.audience.id,
    }  # fmt: skip


def test_3_1_trap_1_ten_fields_are_listed_unless_more_are_asked_for(fields: Fields) -> None:
    for number in range(8):
        fields.make("text", tag=f"F{number}")
    short = fields.mailchimp.get(f"{fields.base}/merge-fields").json
    assert (len(short["merge_fields"]), short["total_items"]) == (10, 12)
    assert "EMAIL" not in [field["tag"] for field in short["merge_fields"]]
    assert [field["merge_id"] for field in short["merge_fields"]] == list(range(1, 11))
    whole = fields.mailchimp.get(f"{fields.base}/merge-fields", count=100).json
    assert len(whole["merge_fields"]) == 12
    typed = fields.mailchimp.get(f"{fields.base}/merge-fields", type="address").json
    assert [field["tag"] for field in typed["merge_fields"]] == ["ADDRESS"]


def test_3_3_a_tag_can_be_used_once(fields: Fields) -> None:
    assert fields.make("text", tag="greeting").json["tag"] == "GREETING"
    answer = fields.make("text", tag="GREETING")
    assert (answer.status, answer.json["detail"]) == (
        400, 'A Merge Field with the tag "GREETING" already exists for this list.',
    )  # fmt: skip


@pytest.mark.parametrize("tag", ["TOOLONGATAG", "SP ACE", "DASH-ED", "ÉTÉ"])
def test_3_3_tags_have_up_to_ten_plain_characters(fields: Fields, tag: str) -> None:
    assert fields.make("text", tag=tag).status == 400


def test_3_3_trap_46_thirty_fields_email_included(fields: Fields) -> None:
    made = [fields.make("text", tag=f"F{number}").status for number in range(27)]
    assert made == [200] * 25 + [400] * 2


def test_3_1_patch_needs_a_name_and_cannot_change_the_type(fields: Fields) -> None:
    path = f"{fields.base}/merge-fields/{fields.make('text').json['merge_id']}"
    assert fields.mailchimp.patch(path, {"required": True}).status == 400
    changed = fields.mailchimp.patch(path, {"name": "New", "type": "number", "tag": "NEWTAG"}).json
    assert (changed["name"], changed["type"], changed["tag"]) == ("New", "text", "NEWTAG")
    assert "NEWTAG" in fields.mailchimp.get(fields.pat).json["merge_fields"]


def test_3_3_choices_in_the_patch_of_another_type(fields: Fields) -> None:
    path = f"{fields.base}/merge-fields/{fields.make('text').json['merge_id']}"
    answer = fields.mailchimp.patch(path, {"name": "New", "options": {"choices": []}})
    assert answer.json["errors"][0]["message"] == (
        "This resource has not yet implemented array assignment for options.choices."
    )


def test_3_1_deleting_a_field_takes_the_values_along(fields: Fields) -> None:
    made = fields.make("text").json
    fields.write("kept?")
    assert fields.mailchimp.delete(f"{fields.base}/merge-fields/{made['merge_id']}").status == 204
    assert "FIELD" not in fields.mailchimp.get(fields.pat).json["merge_fields"]
    again = fields.make("text").json
    assert again["merge_id"] > made["merge_id"]
    assert fields.mailchimp.get(fields.pat).json["merge_fields"]["FIELD"] == ""
