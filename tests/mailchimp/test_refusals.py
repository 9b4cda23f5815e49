"""Reasons come from titles, codes and fields; texts are only helped by, and every known one is tried here."""

from __future__ import annotations

import pytest

from lockstep.mailchimp.refusals import (
    DATACENTER_TEXT,
    TEXT_RULES,
    Reason,
    TextRule,
    reason_by_text,
    reason_of_item,
    reason_of_problem,
)
from lockstep.mailchimp.wire import BatchError, FieldProblem

SAMPLES = [(rule, sample) for rule in TEXT_RULES for sample in rule.samples]


@pytest.mark.parametrize(("rule", "sample"), SAMPLES)
def test_every_sample_means_its_rules_reason(rule: TextRule, sample: str) -> None:
    assert reason_by_text(sample) is rule.reason
    matching = {r.reason for r in TEXT_RULES if r.pattern.search(sample)}
    assert matching == {rule.reason}, "two rules claim this text"


@pytest.mark.parametrize(("rule", "sample"), SAMPLES)
def test_a_batch_item_with_a_known_text(rule: TextRule, sample: str) -> None:
    assert reason_of_item(BatchError(error=sample, error_code="ERROR_GENERIC")) is rule.reason


@pytest.mark.parametrize(
    ("title", "fields", "reason"),
    [
        ("Member Exists", [], Reason.MEMBER_EXISTS),
        ("MemberExists", [], Reason.MEMBER_EXISTS),
        ("Member In Compliance State", [], Reason.COMPLIANCE),
        ("Forgotten Email Not Subscribed", [], Reason.FORGOTTEN),
        ("JSON Parse Error", [], Reason.MALFORMED),
        ("Invalid Resource", ["LTV"], Reason.MERGE_FIELDS),
        ("Invalid Resource", ["MMERGE3", "FNAME"], Reason.MERGE_FIELDS),
        ("Invalid Resource", ["CSKU_CTAGS"], Reason.MERGE_FIELDS),
        ("Invalid Resource", ["merge_fields.PRO"], Reason.MERGE_FIELDS),
        ("Invalid Resource", ["members.item:3.merge_fields.PRO"], Reason.MERGE_FIELDS),
        ("Invalid Resource", ["email address"], Reason.RENAME_REFUSED),
        ("Invalid Resource", ["email_address"], Reason.INVALID_ADDRESS),
        ("Invalid Resource", ["status"], Reason.MALFORMED),
        ("Invalid Resource", ["members.item:0.status"], Reason.MALFORMED),
        ("Invalid Resource", [""], Reason.MALFORMED),
        ("Invalid Resource", [], Reason.UNKNOWN),
        ("", [], Reason.UNKNOWN),
    ],
)
def test_a_problem_in_a_language_nobody_here_reads(title: str, fields: list[str], reason: Reason) -> None:
    errors = [FieldProblem(field=f, message="Ĉi tiu valoro ne taŭgas.") for f in fields]

    assert reason_of_problem(title, "Io misfunkciis.", errors) is reason


@pytest.mark.parametrize(
    ("code", "field", "reason"),
    [
        ("ERROR_CONTACT_EXISTS", "", Reason.MEMBER_EXISTS),
        ("ERROR_GENERIC", "FNAME", Reason.MERGE_FIELDS),
        ("ERROR_GENERIC", "merge_fields.FNAME", Reason.MERGE_FIELDS),
        ("ERROR_GENERIC", "email_address", Reason.INVALID_ADDRESS),
        ("ERROR_GENERIC", "", Reason.UNKNOWN),
        ("", "", Reason.UNKNOWN),
    ],
)
def test_a_batch_item_in_a_language_nobody_here_reads(code: str, field: str, reason: Reason) -> None:
    item = BatchError(error="Ĉi tiu valoro ne taŭgas.", error_code=code, field=field, field_message="Ne.")

    assert reason_of_item(item) is reason


def test_the_rename_refusals_are_told_apart_where_the_text_is_known() -> None:
    field = "email address"
    taken = FieldProblem(
        field=field, message='"new@example.com" is already in this list with a status of "Deleted"'
    )
    wrong_status = FieldProblem(
        field=field,
        message='This member\'s status is "unsubscribed." You can only update email addresses for members '
        'with a status of "subscribed."',
    )

    assert reason_of_problem("Invalid Resource", "", [taken]) is Reason.RENAME_TARGET_TAKEN
    assert reason_of_problem("Invalid Resource", "", [wrong_status]) is Reason.RENAME_NOT_SUBSCRIBED


@pytest.mark.parametrize(
    ("text", "datacenter"),
    [
        ("The API key provided is linked to datacenter 'us6'", "us6"),
        ("The API key provided is linked to a different data center.", None),
    ],
)
def test_the_wrong_datacenter_is_recognised(text: str, datacenter: str | None) -> None:
    match = DATACENTER_TEXT.search(text)
    assert match is not None
    assert match[1] == datacenter
