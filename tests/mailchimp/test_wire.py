"""What we send can hold no status by accident; what we read may lack almost everything."""

from __future__ import annotations

import msgspec
import pytest

from lockstep.mailchimp import wire
from lockstep.mailchimp.replies import Reader
from lockstep.mailchimp.wire.base import Reply, Request

REQUESTS = [t for n in wire.__all__ if isinstance(t := getattr(wire, n), type) and issubclass(t, Request)]
REPLIES = [t for n in wire.__all__ if isinstance(t := getattr(wire, n), type) and issubclass(t, Reply)]


def test_only_the_loud_request_can_hold_a_members_status() -> None:
    with_status = {t.__name__ for t in REQUESTS if "status" in t.__struct_fields__}

    # TagChange's status is active or inactive, and is the tag's
    assert with_status == {"MemberWithStatus", "TagChange"}


@pytest.mark.parametrize("kind", [wire.BatchMember, wire.MemberUpsert, wire.MemberPatch])
def test_a_status_cannot_be_slipped_in(kind: type) -> None:
    with pytest.raises(TypeError):
        kind(email_address="pat@example.com", status_if_new="subscribed", status="subscribed")


def test_an_upsert_leaves_out_what_was_not_said() -> None:
    upsert = wire.MemberUpsert(email_address="pat@example.com", status_if_new="pending")

    assert msgspec.to_builtins(upsert) == {"email_address": "pat@example.com", "status_if_new": "pending"}


@pytest.mark.parametrize("kind", REPLIES)
def test_replies_ignore_unknown_keys(kind: type[Reply]) -> None:
    least = {f.encode_name: _least(f.type) for f in msgspec.structs.fields(kind) if f.required}

    read = Reader(kind).read(msgspec.json.encode({**least, "brand_new_key": {"a": [1]}, "_links": []}))

    assert isinstance(read, kind)


def _least(kind: object) -> object:
    if kind is str:
        return "x"
    if kind is int:
        return 7
    return []


def test_nulls_numbers_as_text_and_php_arrays_are_mended() -> None:
    body = b'{"id":"1","web_id":"42","full_name":null,"merge_fields":[],"interests":[],"tags":[],"vip":false}'

    member = Reader(wire.ListMember).read(body)

    assert member.web_id == 42
    assert member.full_name == ""
    assert member.merge_fields == {}


def test_an_object_without_its_rows_is_no_empty_page() -> None:
    for kind in (wire.ListMemberPage, wire.ListPage, wire.MergeFieldPage, wire.EmailActivityPage):
        with pytest.raises(msgspec.ValidationError):
            Reader(kind).read(b"{}")


def test_an_empty_page_is_one() -> None:
    assert Reader(wire.ListMemberPage).read(b'{"members":[],"total_items":0}').members == []


@pytest.mark.parametrize(
    ("given", "plain"),
    [
        ("pat@example.com", "pat@example.com"),
        ('"pat@example.com"', "pat@example.com"),
        ("'pat@example.com'", "pat@example.com"),
        ("\"'pat@example.com'\"", "pat@example.com"),
        (" pat@example.com ", "pat@example.com"),
        ("'o.neil@example.com", "'o.neil@example.com"),
        ('"', '"'),
        ("", ""),
    ],
)
def test_the_address_of_a_batch_error_loses_its_wrapping(given: str, plain: str) -> None:
    assert wire.BatchError(email_address=given).address() == plain


@pytest.mark.parametrize(
    ("field", "position"),
    [
        ("members.item:0.status", 0),
        ("members.item:499.merge_fields.FNAME", 499),
        ("members.item:12", 12),
        ("members.item:.status", None),
        ("members.item:-1.status", None),
        ("members.item:²", None),
        ("x.members.item:3.status", None),
        ("status", None),
        ("", None),
    ],
)
def test_the_position_of_a_culprit(field: str, position: int | None) -> None:
    assert wire.FieldProblem(field=field).item_position() == position


def test_a_segment_is_saved_or_static() -> None:
    options = wire.SegmentOptions(match="all", conditions=[])
    with pytest.raises(ValueError, match="either"):
        wire.NewSegment(name="both", options=options, static_segment=[])
    with pytest.raises(ValueError, match="either"):
        wire.NewSegment(name="none")


def test_a_merge_field_needs_a_tag() -> None:
    with pytest.raises(ValueError, match="tag"):
        wire.NewMergeField(tag="", name="Label")
