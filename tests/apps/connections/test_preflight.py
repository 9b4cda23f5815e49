"""Ready to sync? Each answer of Mailchimp and what the page says of it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from pytest_django import Settings

from lockstep.apps.accounts.permissions import Actor
from lockstep.apps.connections import queries
from lockstep.apps.connections.models import Connection
from lockstep.apps.connections.queries.preflight import (
    Answers,
    CheckKind,
    Verdict,
    is_reachable,
    judge,
)
from lockstep.bridge.account import AccountFacts, AudienceFacts
from lockstep.bridge.audience_fields import FieldsReport, RequiredField
from lockstep.core.consent import NewStatus
from lockstep.core.field_map import FieldMap
from lockstep.sandbox.audience import Audience

TAGS = FieldMap().tags
ACCOUNT = AccountFacts("a1", "Northbeam", "owner@example.net", "admin", "monthly", 4000)
AUDIENCE = AudienceFacts("l1", 1, "Main", "", "", False, False, False, 4000, 3, 2, 4318, 6)
FIELDS = FieldsReport(wanted=TAGS, missing=TAGS, wrong_type=(), used=5, limit=None)
ANSWERS = Answers(ACCOUNT, AUDIENCE, FIELDS, ())


def verdicts(
    answers: Answers, new: NewStatus = NewStatus.SUBSCRIBED, *, reachable: bool = True
) -> dict[CheckKind, Verdict]:
    return {check.kind: check.verdict for check in judge(answers, new_status=new, reachable=reachable)}


GOOD = {
    CheckKind.LOGIN: Verdict.GOOD,
    CheckKind.ROLE: Verdict.GOOD,
    CheckKind.REQUIRED_FIELDS: Verdict.GOOD,
    CheckKind.ROOM: Verdict.GOOD,
    CheckKind.WEBHOOK: Verdict.GOOD,
    CheckKind.PLAN: Verdict.UNKNOWN,
}


def test_a_usual_audience_is_ready() -> None:
    assert verdicts(ANSWERS) == GOOD


@pytest.mark.parametrize(
    ("answers", "differs"),
    [
        (replace(ANSWERS, account=replace(ACCOUNT, role="viewer")), {CheckKind.ROLE: Verdict.BAD}),
        (replace(ANSWERS, account=replace(ACCOUNT, role="")), {}),
        (replace(ANSWERS, account=replace(ACCOUNT, plan="forever_free")), {CheckKind.PLAN: Verdict.CARE}),
        (
            replace(ANSWERS, required=(RequiredField("SHIRT", "T-shirt size", "text"),)),
            {CheckKind.REQUIRED_FIELDS: Verdict.CARE},
        ),
        (replace(ANSWERS, fields=replace(FIELDS, used=12)), {}),
        (replace(ANSWERS, fields=replace(FIELDS, used=13)), {CheckKind.ROOM: Verdict.CARE}),
        (replace(ANSWERS, fields=replace(FIELDS, used=40, limit=80)), {}),
        (replace(ANSWERS, fields=replace(FIELDS, used=70, limit=80)), {CheckKind.ROOM: Verdict.CARE}),
        (replace(ANSWERS, fields=replace(FIELDS, used=30, missing=())), {}),
        (
            replace(ANSWERS, fields=replace(FIELDS, missing=(), wrong_type=((TAGS[0], "phone"),))),
            {CheckKind.ROOM: Verdict.BAD},
        ),
        (
            replace(ANSWERS, audience=replace(AUDIENCE, double_opt_in=True)),
            {CheckKind.DOUBLE_OPT_IN: Verdict.CARE},
        ),
        (
            replace(ANSWERS, audience=replace(AUDIENCE, marketing_permissions=True)),
            {CheckKind.GDPR: Verdict.CARE},
        ),
    ],
)
def test_each_answer_changes_its_own_check_only(answers: Answers, differs: dict[CheckKind, Verdict]) -> None:
    assert verdicts(answers) == GOOD | differs


def test_double_opt_in_is_no_matter_for_people_who_are_asked_anyway() -> None:
    answers = replace(ANSWERS, audience=replace(AUDIENCE, double_opt_in=True))
    assert verdicts(answers, NewStatus.PENDING) == GOOD


def test_a_server_that_mailchimp_cannot_reach_is_said() -> None:
    assert verdicts(ANSWERS, reachable=False) == GOOD | {CheckKind.WEBHOOK: Verdict.CARE}


def test_required_fields_are_named() -> None:
    required = (RequiredField("SHIRT", "T-shirt size", "text"), RequiredField("BDAY", "Birthday", "birthday"))
    [check] = [
        check
        for check in judge(replace(ANSWERS, required=required), new_status=NewStatus.PENDING, reachable=True)
        if check.kind is CheckKind.REQUIRED_FIELDS
    ]
    assert check.title == "2 audience fields are marked as required"
    assert check.text.startswith("T-shirt size and Birthday.")
    assert check.fields == required


@pytest.mark.parametrize(
    ("base", "api", "reachable"),
    [
        ("https://lockstep.example.com", "https://us6.api.mailchimp.com", True),
        ("http://127.0.0.1:8000", "https://us6.api.mailchimp.com", False),
        ("http://localhost:8000", "https://us6.api.mailchimp.com", False),
        ("http://192.168.1.5", "https://us6.api.mailchimp.com", False),
        ("http://[::1]:8000", "https://us6.api.mailchimp.com", False),
        ("https://crm.internal", "https://us6.api.mailchimp.com", False),
        ("http://127.0.0.1:8000", "http://127.0.0.1:9000", True),
    ],
)
def test_reachable(settings: Settings, base: str, api: str, reachable: bool) -> None:
    settings.LOCKSTEP_BASE_URL = base
    assert is_reachable(api) is reachable


def test_the_practice_audience_is_asked(actor: Actor, connection: Connection, audience: Audience) -> None:
    audience.add_merge_field(tag="SHIRT", name="T-shirt size", type="text", required=True)
    found = {check.kind: check for check in queries.preflight(actor, connection)}
    assert found[CheckKind.REQUIRED_FIELDS].text.startswith("T-shirt size.")
    assert found[CheckKind.LOGIN].verdict is Verdict.GOOD
