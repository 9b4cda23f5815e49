"""Answers become values or members of the error family, whatever comes."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockstep.mailchimp import errors, replies, wire
from lockstep.mailchimp.errors import Applied, MailchimpError
from lockstep.mailchimp.refusals import Reason
from lockstep.mailchimp.replies import NOTHING, Reader, read_failure, read_reply

TYPE = "https://mailchimp.com/developer/marketing/docs/errors/"


def problem(title: str, status: int, detail: str = "", **more: Any) -> bytes:
    return json.dumps(
        {"title": title, "status": status, "detail": detail, "instance": "i-1", **more}
    ).encode()


# the texts of contract 1.3, 4.3, 4.5, 7
FAILURES = [
    (401, problem("API Key Invalid", 401, "Your API key may be invalid", type=TYPE), errors.ApiKeyInvalid),
    (401, problem("API Key Missing", 401, type=TYPE), errors.ApiKeyMissing),
    (401, problem("Something new", 401), errors.ApiKeyInvalid),
    (
        403,
        problem("Forbidden", 403, "The API key provided is linked to datacenter 'us6'"),
        errors.WrongDatacenter,
    ),
    (403, problem("WrongDatacenter", 403, "Alia loko."), errors.WrongDatacenter),
    (403, problem("Forbidden", 403, "You are not permitted to access this resource."), errors.Forbidden),
    (403, problem("User Disabled", 403, "This account has been deactivated."), errors.UserDisabled),
    (403, problem("UserDisabled", 403, "This account has been disabled."), errors.UserDisabled),
    (403, problem("User action not permitted", 403), errors.RoleTooLow),
    (404, problem("Resource Not Found", 404, type=TYPE), errors.NotFound),
    (405, problem("Method Not Allowed", 405, "This list member cannot be removed."), errors.MethodNotAllowed),
    (400, problem("Member Exists", 400, "pat@example.com is already a list member."), errors.MemberExists),
    (400, problem("Member In Compliance State", 400), errors.ComplianceState),
    (400, problem("Forgotten Email Not Subscribed", 400), errors.ForgottenEmail),
    (400, problem("Invalid Resource", 400, "Please provide a valid email address."), errors.InvalidResource),
    (400, problem("Neniam vidita", 400, errors=[{"field": "LTV", "message": "?"}]), errors.InvalidResource),
    (400, problem("Bad Request", 400), errors.BadRequest),
    (413, problem("Too Large", 413), errors.TooLarge),
    (414, problem("ResourceNestingTooDeep", 414), errors.BadRequest),
    (422, problem("RequestedFieldsInvalid", 422), errors.BadRequest),
    (426, problem("Upgrade", 426), errors.BadRequest),
    (408, problem("Timeout", 408), errors.ServerError),
    (429, problem("Too Many Requests", 429), errors.TooManyRequests),
    (429, b"", errors.TooManyRequests),
    (429, b"<html>slow down</html>", errors.TooManyRequests),
    (500, problem("Internal Server Error", 500, type="about:blank"), errors.ServerError),
    (502, b"<html>bad gateway</html>", errors.ServerError),
    (504, b"", errors.ServerError),
    (503, problem("ComplianceRelated", 503, "This method has been disabled."), errors.MethodDisabled),
    (503, problem("Service Unavailable", 503), errors.ServerError),
    (503, b"", errors.EdgeRefused),
    (403, b"<HTML><HEAD>\n<TITLE>Access Denied</TITLE>\n</HEAD></HTML>", errors.EdgeRefused),
    (401, b"<html>proxy</html>", errors.EdgeRefused),
    (404, b"<html>not here</html>", errors.EdgeRefused),
    (404, b'{"message":"no route"}', errors.EdgeRefused),
    (404, b"[]", errors.EdgeRefused),
    (404, b"null", errors.EdgeRefused),
    (407, b"", errors.EdgeRefused),
    (413, b"<html>too large</html>", errors.TooLarge),
    (301, b"", errors.EdgeRefused),
    (0, b"", errors.EdgeRefused),
]


@pytest.mark.parametrize(("status", "body", "kind"), FAILURES)
def test_each_known_failure_has_its_class(status: int, body: bytes, kind: type[MailchimpError]) -> None:
    error = read_failure(status, {}, body, writes=True, call="members.put")

    assert type(error) is kind
    assert error.status_code == status
    assert error.facts.call == "members.put"


@pytest.mark.parametrize("status", [404, 410, 400, 401, 403])
@pytest.mark.parametrize("body", [b"", b"<html></html>", b"{}", b"\xff\xfe", b"Access Denied"])
def test_without_a_problem_document_nothing_is_concluded_about_members_or_keys(
    status: int, body: bytes
) -> None:
    error = read_failure(status, {}, body, writes=False)

    assert error.advice is errors.Advice.RETRY


def test_the_facts_are_kept() -> None:
    body = problem(
        "Invalid Resource",
        400,
        "Your merge fields were invalid.",
        errors=[{"field": "LTV", "message": "Please enter a number"}],
    )

    error = read_failure(400, {}, body, writes=True)

    assert isinstance(error, errors.InvalidResource)
    assert error.reason is Reason.MERGE_FIELDS
    assert error.errors == (wire.FieldProblem(field="LTV", message="Please enter a number"),)
    assert error.detail == "Your merge fields were invalid."
    assert error.facts.instance == "i-1"
    assert error.applied is Applied.NO


def test_the_culprits_of_a_refused_batch_are_named() -> None:
    body = problem(
        "Invalid Resource",
        400,
        errors=[
            {"field": "members.item:7.status", "message": "x"},
            {"field": "members.item:2.merge_fields.A", "message": "x"},
            {"field": "members.item:7.language", "message": "x"},
            {"field": "update_existing", "message": "x"},
        ],
    )

    error = read_failure(400, {}, body, writes=True)

    assert isinstance(error, errors.InvalidResource)
    assert error.culprits == (2, 7)


def test_the_right_datacenter_is_kept() -> None:
    error = read_failure(
        403, {}, problem("Forbidden", 403, "The API key provided is linked to datacenter 'us6'"), writes=False
    )

    assert isinstance(error, errors.WrongDatacenter)
    assert error.datacenter == "us6"


def test_allow_is_kept() -> None:
    error = read_failure(405, {"allow": "GET, PUT"}, problem("Method Not Allowed", 405), writes=True)

    assert isinstance(error, errors.MethodNotAllowed)
    assert error.allow == ("GET", "PUT")


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("3", 3.0),
        ("0.5", 0.5),
        ("", None),
        ("soon", None),
        ("-1", None),
        ("1e9", None),
        ("9" * 30, None),
        ("²", None),
    ],
)
def test_retry_after(header: str, seconds: float | None) -> None:
    error = read_failure(429, {"retry-after": header}, b"", writes=False)

    assert isinstance(error, errors.TooManyRequests)
    assert error.retry_after == seconds


@pytest.mark.parametrize(
    ("status", "body", "writes", "applied"),
    [
        (500, b"", True, Applied.UNKNOWN),
        (500, b"", False, Applied.NO),
        (503, b"", True, Applied.UNKNOWN),
        (504, b"", True, Applied.UNKNOWN),
        (403, b"<html>", True, Applied.NO),
        (404, b"<html>", True, Applied.NO),
        (301, b"", True, Applied.UNKNOWN),
        (429, b"", True, Applied.NO),
        (400, problem("Member Exists", 400), True, Applied.NO),
    ],
)
def test_whether_a_write_may_have_happened(status: int, body: bytes, writes: bool, applied: Applied) -> None:
    assert read_failure(status, {}, body, writes=writes).applied is applied


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"id":"a","mem', b"{}", b"[]", b"\xff", b'{"id":7e999}'])
def test_an_unreadable_success_is_a_lost_answer_for_a_write_only(body: bytes) -> None:
    reader = Reader(wire.ListMember)

    with pytest.raises(errors.AnswerLost) as lost:
        read_reply(reader, 200, {}, body, writes=True)
    with pytest.raises(errors.UnreadableReply) as unreadable:
        read_reply(reader, 200, {}, body, writes=False)

    assert lost.value.applied is Applied.UNKNOWN
    assert unreadable.value.applied is Applied.NO


def test_an_unreadable_reply_does_not_carry_its_content_in_the_traceback() -> None:
    with pytest.raises(errors.UnreadableReply) as caught:
        read_reply(
            Reader(wire.ListMember), 200, {}, b'{"id": 1, "email_address": ["pat@example.com"]}', writes=False
        )

    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


@pytest.mark.parametrize("body", [b"", b"anything", b"{}"])
def test_calls_that_promise_nothing_read_nothing(body: bytes) -> None:
    assert read_reply(NOTHING, 204, {}, body, writes=True) is None


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)
problem_like = st.fixed_dictionaries(
    {},
    optional={
        "type": json_values,
        "title": st.sampled_from([f[1].decode("latin-1")[11:40] for f in FAILURES]) | json_values,
        "status": json_values,
        "detail": st.text() | json_values,
        "instance": json_values,
        "errors": st.lists(st.fixed_dictionaries({}, optional={"field": st.text(), "message": st.text()}))
        | json_values,
    },
)
bodies = (
    st.binary(max_size=200)
    | st.text(max_size=100).map(lambda t: t.encode("utf-8", "surrogatepass"))
    | json_values.map(lambda v: json.dumps(v).encode())
    | problem_like.map(lambda v: json.dumps(v).encode())
    | st.sampled_from([f[1] for f in FAILURES])
    | st.sampled_from([b"[" * 100_000, b'{"a":' * 100_000, b'{"merge_fields":' + b"[" * 5000])
)
header_values = st.dictionaries(
    st.sampled_from(["retry-after", "allow", "content-type", "x-request-id"]),
    st.text(max_size=30),
    max_size=3,
)
readers = st.sampled_from(
    [
        NOTHING,
        Reader(wire.ListMember),
        Reader(wire.ListMemberPage),
        Reader(wire.BatchResult),
        Reader(wire.Report),
        Reader(wire.OAuthMetadata),
        Reader(list[wire.OperationResult]),
    ]
)


@given(
    reader=readers,
    status=st.integers(-10, 1000) | st.sampled_from([200, 204, 400, 401, 403, 404, 405, 429, 500, 503]),
    headers=header_values,
    body=bodies,
    writes=st.booleans(),
)
def test_nothing_outside_the_family_is_ever_raised(
    reader: Reader[Any], status: int, headers: dict[str, str], body: bytes, writes: bool
) -> None:
    error: MailchimpError | None = None
    try:
        read_reply(reader, status, headers, body, writes=writes, call="c")
    except MailchimpError as raised:
        error = raised

    if 200 <= status < 300:
        assert error is None or isinstance(error, errors.AnswerLost | errors.UnreadableReply)
    else:
        assert error is not None
    if error is not None:
        assert str(error)
        assert writes or error.applied is Applied.NO


@given(member=st.builds(dict, id=st.text(min_size=1), email_address=st.text(), web_id=st.integers(0, 2**53)))
def test_what_is_well_formed_is_read_as_sent(member: dict[str, Any]) -> None:
    read = read_reply(Reader(wire.ListMember), 200, {}, msgspec.json.encode(member), writes=False)

    assert (read.id, read.email_address, read.web_id) == (
        member["id"],
        member["email_address"],
        member["web_id"],
    )


def test_the_object_keys_that_php_breaks_are_all_known() -> None:
    """Every key that holds an object in a reply must be in the list that mends PHP's empty arrays."""
    objects = set()
    for name in wire.__all__:
        kind = getattr(wire, name)
        if isinstance(kind, type) and issubclass(kind, wire.Reply):
            for field in msgspec.structs.fields(kind):
                is_struct = isinstance(field.type, type) and issubclass(field.type, msgspec.Struct)
                if is_struct or str(field.type).startswith("dict["):
                    objects.add(field.encode_name)

    assert objects <= replies._OBJECT_KEYS
