"""Contract 1.3, 4.5, 4.6 and 7: refusals in the vendor's words."""

from __future__ import annotations

import base64
import hashlib
import re

import pytest

from lockstep.sandbox import DEFAULT_API_KEY
from lockstep.sandbox.account import Credential
from lockstep.sandbox.testing import Answer, SandboxClient

NOT_VALIDATED = (
    "The resource submitted could not be validated. For field-specific details, see the 'errors' array."
)
TYPE = "https://mailchimp.com/developer/marketing/docs/errors/"


def members(mailchimp: SandboxClient) -> str:
    return f"/lists/{mailchimp.audience.id}/members"


def basic(password: str) -> dict[str, str]:
    return {"authorization": "Basic " + base64.b64encode(f"anything:{password}".encode()).decode()}


def fields(answer: Answer) -> list[tuple[str, str]]:
    return [(error["field"], error["message"]) for error in answer.json["errors"]]


# --- 1.3: who asks ---


def test_1_3_a_key_opens_as_basic_password_and_as_bearer(mailchimp: SandboxClient) -> None:
    for headers in (basic(DEFAULT_API_KEY), {"authorization": f"Bearer {DEFAULT_API_KEY}"}):
        answer = mailchimp.raw("GET", "/3.0/ping", headers=headers)
        assert (answer.status, answer.json) == (200, {"health_status": "Everything's Chimpy!"})


def test_1_3_no_key(mailchimp: SandboxClient) -> None:
    answer = mailchimp.raw("GET", "/3.0/ping")
    assert (answer.status, answer.json["title"], answer.json["detail"], answer.json["type"]) == (
        401, "API Key Missing", "Your request did not include an API key.", TYPE,
    )  # fmt: skip


@pytest.mark.parametrize("secret", ["0" * 32 + "-us6", "nonsense", DEFAULT_API_KEY[:-1] + "7"])
def test_1_3_a_wrong_key(mailchimp: SandboxClient, secret: str) -> None:
    answer = mailchimp.raw("GET", "/3.0/ping", headers=basic(secret))
    assert (answer.status, answer.json["title"], answer.json["detail"]) == (
        401,
        "API Key Invalid",
        "Your API key may be invalid, or you've attempted to access the wrong datacenter.",
    )


def test_1_3_the_right_key_at_the_wrong_data_centre(mailchimp: SandboxClient) -> None:
    headers = basic(DEFAULT_API_KEY) | {"host": "us7.api.mailchimp.com"}
    answer = mailchimp.raw("GET", "/3.0/ping", headers=headers)
    assert (answer.status, answer.json["title"], answer.json["detail"]) == (
        403, "Forbidden", "The API key provided is linked to datacenter 'us6'",
    )  # fmt: skip
    assert (
        mailchimp.raw("GET", "/3.0/ping", headers=headers | {"host": "us6.api.mailchimp.com"}).status == 200
    )


def test_1_3_a_disabled_user(mailchimp: SandboxClient) -> None:
    mailchimp.control("/users", {"enabled": False})
    answer = mailchimp.get("/ping")
    assert (answer.status, answer.json["title"], answer.json["detail"]) == (
        403, "User Disabled", "This account has been deactivated.",
    )  # fmt: skip


def test_1_3_trap_45_a_small_role_passes_ping_and_fails_on_writes(mailchimp: SandboxClient) -> None:
    mailchimp.control("/users", {"role": "viewer"})
    assert mailchimp.get("/ping").status == 200
    assert mailchimp.get(members(mailchimp)).status == 200
    answer = mailchimp.post(members(mailchimp), {"email_address": "a@club.example", "status": "subscribed"})
    assert (answer.status, answer.json["title"], answer.json["detail"]) == (
        403, "User action not permitted", "User does not have access to the requested operation",
    )  # fmt: skip


def test_1_2_a_revoked_key_is_invalid_at_once(mailchimp: SandboxClient) -> None:
    assert mailchimp.control("/revoke", {"secret": DEFAULT_API_KEY}) == {"revoked": 1}
    assert mailchimp.get("/ping").json["title"] == "API Key Invalid"


def test_each_account_sees_its_own_audiences_only(mailchimp: SandboxClient) -> None:
    other = mailchimp.control("/accounts", {"name": "Other", "data_centre": "us9"})
    assert other["api_key"].endswith("-us9")
    mailchimp.control("/audiences", {"name": "Theirs", "account": other["id"]})
    theirs = mailchimp.raw("GET", "/3.0/lists", headers=basic(other["api_key"])).json
    assert [a["name"] for a in theirs["lists"]] == ["Theirs"]
    foreign = mailchimp.get(f"/lists/{theirs['lists'][0]['id']}")
    assert (foreign.status, foreign.json["title"]) == (404, "Resource Not Found")


# --- 4.2: headers; 7: the glossary ---


def test_4_2_headers_of_answers_and_errors(mailchimp: SandboxClient) -> None:
    good = mailchimp.get("/lists")
    assert good.headers["content-type"] == "application/json; charset=utf-8"
    assert good.headers["server"] == "openresty"
    assert 'rel="describedBy"' in good.headers["link"]
    bad = mailchimp.get("/lists/nothing")
    assert bad.headers["content-type"] == "application/problem+json; charset=utf-8"
    assert bad.headers["x-request-id"] == bad.json["instance"]
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", bad.json["instance"])
    assert good.headers["x-request-id"] != bad.headers["x-request-id"]


@pytest.mark.parametrize(
    "path", ["/lists/none", "/lists/none/members", "/nothing", "/lists/none/merge-fields/1"]
)
def test_7_resource_not_found(mailchimp: SandboxClient, path: str) -> None:
    answer = mailchimp.get(path)
    assert (answer.status, answer.json["title"], answer.json["detail"]) == (
        404, "Resource Not Found", "The requested resource could not be found.",
    )  # fmt: skip


def test_7_method_not_allowed_names_the_allowed_ones(mailchimp: SandboxClient) -> None:
    answer = mailchimp.post("/ping", {})
    assert (answer.status, answer.json["title"], answer.headers["allow"]) == (
        405,
        "Method Not Allowed",
        "GET",
    )
    assert answer.json["detail"] == (
        "The requested method and resource are not compatible. "
        "See the Allow header for this resource's available methods."
    )


def test_7_method_override_only_with_post(mailchimp: SandboxClient) -> None:
    path = f"{members(mailchimp)}/pat@club.example"
    override = {"x-http-method-override": "PATCH"}
    done = mailchimp.request("POST", path, {"vip": True}, headers=override)
    assert (done.status, done.json["vip"]) == (200, True)
    refused = mailchimp.request("GET", path, headers=override)
    assert (refused.status, refused.json["title"], refused.json["detail"]) == (
        422,
        "Invalid Method Override",
        "You can only use the X-HTTP-Method-Override header with the POST method.",
    )


def test_7_resource_nesting_too_deep(mailchimp: SandboxClient) -> None:
    assert mailchimp.get("/a" * 9).status == 414


# --- 4.5: bodies ---


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"not json",
        '{"email_address":"müller@club.example"}'.encode("latin-1"),
        b"null",
        b'{"vip": NaN}',
    ],
)
def test_4_5_trap_42_a_body_that_is_no_json_or_no_utf_8(mailchimp: SandboxClient, body: bytes) -> None:
    answer = mailchimp.post(members(mailchimp), body)
    assert (answer.status, answer.json["title"], answer.json["detail"]) == (
        400, "Invalid Resource", NOT_VALIDATED,
    )  # fmt: skip
    assert fields(answer) == [("", "Schema describes object, NULL found instead")]


@pytest.mark.parametrize(
    ("body", "field", "message"),
    [
        ({"status": "subscribed"}, "", "Required fields were not provided: email_address"),
        ({}, "", "Required fields were not provided: email_address, status"),
        ({"status": ""}, "status", "The value you selected is not a valid choice."),
        ({"status": "archived"}, "status", "The value you selected is not a valid choice."),
        ({"merge_fields": []}, "merge_fields", "Schema describes object, array found instead"),
        ({"interests": []}, "interests", "Schema describes object, array found instead"),
        ({"language": 5}, "language", "Schema describes string, integer found instead"),
        ({"vip": "yes"}, "vip", "Schema describes boolean, string found instead"),
        ({"merge_fields": {"PRO": None}}, "merge_fields.PRO",
         "Data did not match any of the schemas described in anyOf."),
        ({"merge_fields": {"PRO": True}}, "merge_fields.PRO",
         "Data did not match any of the schemas described in anyOf."),
    ],
)  # fmt: skip
def test_4_5_and_3_2_bodies_that_do_not_fit(
    mailchimp: SandboxClient, body: dict[str, object], field: str, message: str
) -> None:
    whole = {"email_address": "new@club.example", "status": "subscribed"}
    sent = body if "Required" in message else whole | body
    answer = mailchimp.post(members(mailchimp), sent)
    assert (answer.status, answer.json["title"], answer.json["detail"]) == (
        400, "Invalid Resource", NOT_VALIDATED,
    )  # fmt: skip
    assert (field, message) in fields(answer)
    assert mailchimp.get(f"{members(mailchimp)}/new@club.example").status == 404


# --- 4.5: addresses ---


@pytest.mark.parametrize(
    "address", ["pat", "pat@", "@club.example", "a b@club.example", "a..b@club.example", "x@y"]
)
def test_4_5_an_address_that_is_none(mailchimp: SandboxClient, address: str) -> None:
    answer = mailchimp.post(members(mailchimp), {"email_address": address, "status": "subscribed"})
    assert (answer.status, answer.json["title"], answer.json["detail"]) == (
        400, "Invalid Resource", "Please provide a valid email address.",
    )  # fmt: skip


@pytest.mark.parametrize(
    "address", ["admin@club.de", "pat@gmial.com", "pat@example.com", "pat@mail.example.org"]
)
def test_4_5_trap_26_fake_addresses_if_switched_on(mailchimp: SandboxClient, address: str) -> None:
    body = {"email_address": address, "status": "subscribed"}
    mailchimp.control("/switches", {"refuse_fake_addresses": True})
    answer = mailchimp.post(members(mailchimp), body)
    assert (answer.status, answer.json["detail"]) == (
        400, f"{address} looks fake or invalid, please enter a real email address.",
    )  # fmt: skip
    mailchimp.control("/switches", {"refuse_fake_addresses": False})
    assert mailchimp.post(members(mailchimp), body).status == 200


def test_4_5_trap_27_too_many_recent_sign_ups_pass_with_time(mailchimp: SandboxClient) -> None:
    happen = {"audience": mailchimp.audience.id, "email": "busy@club.example"}
    body = {"email_address": "busy@club.example", "status": "subscribed"}
    mailchimp.control("/happen", happen | {"what": "too_many_signups"})
    answer = mailchimp.post(members(mailchimp), body)
    assert (answer.status, answer.json["detail"]) == (
        400,
        "busy@club.example has signed up to a lot of lists very recently; "
        "we're not allowing more signups for now",
    )
    mailchimp.control("/happen", happen | {"what": "calm_down"})
    assert mailchimp.post(members(mailchimp), body).status == 200


def test_4_5_trap_20_compliance_state_of_somebody_get_does_not_know(mailchimp: SandboxClient) -> None:
    path = f"{members(mailchimp)}/barred@club.example"
    mailchimp.control(
        "/happen", {"audience": mailchimp.audience.id, "email": "barred@club.example", "what": "bar"}
    )
    assert mailchimp.get(path).status == 404
    answer = mailchimp.put(path, {"email_address": "barred@club.example", "status_if_new": "subscribed"})
    assert (answer.status, answer.json["title"]) == (400, "Member In Compliance State")
    assert "type" not in answer.json
    pending = mailchimp.put(path, {"email_address": "barred@club.example", "status_if_new": "pending"})
    assert (pending.status, pending.json["status"]) == (200, "pending")


def test_4_5_pending_is_the_way_back_from_an_own_unsubscribe_and_the_person_confirms(
    mailchimp: SandboxClient,
) -> None:
    path = f"{members(mailchimp)}/pat@club.example"
    happen = {"audience": mailchimp.audience.id, "email": "pat@club.example"}
    mailchimp.control("/happen", happen | {"what": "unsubscribe"})
    assert mailchimp.patch(path, {"status": "pending"}).json["status"] == "pending"
    assert mailchimp.patch(path, {"status": "subscribed"}).json["title"] == "Member In Compliance State"
    mailchimp.control("/happen", happen | {"what": "confirm"})
    assert mailchimp.get(path).json["status"] == "subscribed"


def test_4_5_trap_19_only_the_hosted_form_brings_the_forgotten_back(mailchimp: SandboxClient) -> None:
    path = f"{members(mailchimp)}/pat@club.example"
    assert mailchimp.post(f"{path}/actions/delete-permanent").status == 204
    for status in ("subscribed", "pending", "transactional"):
        answer = mailchimp.put(path, {"email_address": "pat@club.example", "status_if_new": status})
        assert answer.json["title"] == "Forgotten Email Not Subscribed"
    mailchimp.control(
        "/happen", {"audience": mailchimp.audience.id, "email": "pat@club.example", "what": "sign_up"}
    )
    back = mailchimp.get(path).json
    assert (back["status"], back["source"]) == ("subscribed", "Hosted Signup Form")


# --- 4.6: another address ---


@pytest.mark.parametrize("status", ["unsubscribed", "pending", "transactional"])
def test_4_6_trap_15_only_subscribed_contacts_change_address(mailchimp: SandboxClient, status: str) -> None:
    mailchimp.post(members(mailchimp), {"email_address": "old@club.example", "status": status})
    answer = mailchimp.patch(f"{members(mailchimp)}/old@club.example", {"email_address": "new@club.example"})
    assert fields(answer) == [
        (
            "email address",
            f'This member\'s status is "{status}." You can only update email addresses for members with a '
            'status of "subscribed."',
        )
    ]


@pytest.mark.parametrize(
    ("status", "word"),
    [("subscribed", "Subscribed"), ("transactional", "Non-Subscribed"), ("archived", "Deleted")],
)
def test_4_6_trap_16_the_new_address_is_taken(mailchimp: SandboxClient, status: str, word: str) -> None:
    first = "subscribed" if status == "archived" else status
    mailchimp.post(members(mailchimp), {"email_address": "taken@club.example", "status": first})
    if status == "archived":
        mailchimp.delete(f"{members(mailchimp)}/taken@club.example")
    patched = mailchimp.patch(
        f"{members(mailchimp)}/pat@club.example", {"email_address": "taken@club.example"}
    )
    assert patched.status == 400
    assert fields(patched) == [
        ("email address", f'"taken@club.example" is already in this list with a status of "{word}"')
    ]
    put = mailchimp.put(f"{members(mailchimp)}/pat@club.example", {"email_address": "taken@club.example"})
    assert (put.status, put.json["title"]) == (400, "Member Exists")


def test_4_5_trap_13_the_hash_must_be_of_the_lower_cased_address(mailchimp: SandboxClient) -> None:
    wrong = hashlib.md5(b"Pat@Club.example", usedforsecurity=False).hexdigest()
    answer = mailchimp.put(
        f"{members(mailchimp)}/{wrong}", {"email_address": "Pat@Club.example", "status_if_new": "subscribed"}
    )
    assert (answer.status, answer.json["detail"]) == (
        400,
        "Pat@Club.example is already a list member. Use PUT to insert or update list members.",
    )


def test_4_3_archiving_what_cannot_be_archived(mailchimp: SandboxClient) -> None:
    """4.3 and trap 18."""
    path = f"{members(mailchimp)}/pat@club.example"
    assert mailchimp.delete(path).status == 204
    answer = mailchimp.delete(path)
    assert (answer.status, answer.json["title"], answer.json["detail"], answer.headers["allow"]) == (
        405,
        "Method Not Allowed",
        "This list member cannot be removed. Can not archive a contact that is bounced, pending or archived",
        "GET, PUT",
    )


def test_a_plan_that_is_full_refuses_new_contacts_only(mailchimp: SandboxClient) -> None:
    """7: limits (the text is not established)."""
    mailchimp.control("/switches", {"plan_limit": 5})
    body = {"email_address": "sixth@club.example", "status": "subscribed"}
    assert mailchimp.post(members(mailchimp), body).status == 400
    assert mailchimp.patch(f"{members(mailchimp)}/pat@club.example", {"vip": True}).status == 200
    mailchimp.delete(f"{members(mailchimp)}/pat@club.example")
    assert mailchimp.post(members(mailchimp), body).status == 200


def test_two_keys_of_one_account_share_its_audiences(mailchimp: SandboxClient) -> None:
    account = next(iter(mailchimp.sandbox.accounts.values()))
    mailchimp.sandbox.add_credential(account, Credential("e" * 32 + "-us6", account.owner))
    answer = mailchimp.raw("GET", "/3.0/lists", headers=basic("e" * 32 + "-us6"))
    assert answer.json["total_items"] == 1
