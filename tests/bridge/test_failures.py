"""The one table from the client's errors to outcomes, row by row, with the contract's own texts."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.bridge.world import add

from lockstep.bridge import failures
from lockstep.bridge.failures import SetupRefused
from lockstep.core.errors import (
    AnswerLost,
    AudienceUnavailable,
    BatchRefused,
    BrokenKind,
    ConnectionBroken,
    SyncError,
)
from lockstep.core.field_map import FieldMap
from lockstep.core.outcome import Lost, Outcome, RefusalKind, Refused, Stale
from lockstep.mailchimp import errors
from lockstep.mailchimp.errors import Applied, Facts, MailchimpError
from lockstep.mailchimp.refusals import TEXT_RULES, Reason
from lockstep.mailchimp.replies import read_failure
from lockstep.mailchimp.wire import BatchError

TAGS = FieldMap().tags
CHANGE = add("pat@example.com")
MAYBE = Facts(applied=Applied.UNKNOWN)


def answered(
    status: int, title: str, detail: str = "", *fields: tuple[str, str], writes: bool = True
) -> MailchimpError:
    """The client's error for an answer of Mailchimp."""
    document: dict[str, Any] = {"title": title, "status": status, "detail": detail, "instance": ""}
    if fields:
        document["errors"] = [{"field": field, "message": message} for field, message in fields]
    return read_failure(status, {}, json.dumps(document).encode(), writes=writes)


def single(error: MailchimpError) -> Outcome | SyncError:
    try:
        return failures.single_outcome(error, CHANGE, TAGS)
    except SyncError as raised:
        return raised


NOT_VALID = (
    "The resource submitted could not be validated. For field-specific details, see the 'errors' array."
)
MERGE = "Your merge fields were invalid."

REFUSALS: list[tuple[MailchimpError, RefusalKind, str]] = [
    (
        answered(
            400,
            "Forgotten Email Not Subscribed",
            "pat@example.com was permanently deleted and cannot be re-imported. "
            "The contact must re-subscribe to get back on the list.",
        ),
        RefusalKind.FORGOTTEN,
        "",
    ),
    (
        answered(
            400,
            "Member In Compliance State",
            "pat@example.com is in a compliance state due to unsubscribe, bounce, or compliance review "
            "and cannot be subscribed.",
        ),
        RefusalKind.COMPLIANCE,
        "",
    ),
    (
        answered(400, "Invalid Resource", "Please provide a valid email address."),
        RefusalKind.INVALID_ADDRESS,
        "",
    ),
    (
        answered(
            400,
            "Invalid Resource",
            "pat@example.com looks fake or invalid, please enter a real email address.",
        ),
        RefusalKind.FAKE_ADDRESS,
        "",
    ),
    (
        answered(
            400,
            "Invalid Resource",
            "pat@example.com has signed up to a lot of lists very recently; "
            "we're not allowing more signups for now",
        ),
        RefusalKind.TOO_MANY_SIGNUPS,
        "",
    ),
    # a field of ours: our value is wrong
    (answered(400, "Invalid Resource", MERGE, ("CSKU_POS", "?")), RefusalKind.MERGE_FIELDS, "CSKU_POS"),
    (
        answered(400, "Invalid Resource", NOT_VALID, ("merge_fields.CSKU_POS", "anyOf")),
        RefusalKind.MERGE_FIELDS,
        "CSKU_POS",
    ),
    (answered(400, "Invalid Resource", MERGE), RefusalKind.MERGE_FIELDS, ""),
    # a field of others: not sent, so it is missing or wrong in what is stored; in whatever language
    (
        answered(400, "Invalid Resource", MERGE, ("MMERGE3", "Please enter a value")),
        RefusalKind.REQUIRED_FIELD,
        "MMERGE3",
    ),
    (
        answered(400, "Invalid Resource", "Alia lingvo", ("MMERGE3", "Bitte gib einen Wert ein.")),
        RefusalKind.REQUIRED_FIELD,
        "MMERGE3",
    ),
    (
        answered(
            400, "Invalid Resource", MERGE, ("CSKU_POS", "?"), ("ADDRESS", "Please enter a complete address")
        ),
        RefusalKind.REQUIRED_FIELD,
        "ADDRESS",
    ),
    # nothing that we know: raw, never dropped
    (answered(400, "Neniam vidita", "Io nova"), RefusalKind.OTHER, ""),
    (
        answered(400, "Invalid Resource", NOT_VALID, ("language", "No such choice")),
        RefusalKind.OTHER,
        "language",
    ),
    (answered(405, "Method Not Allowed", "This list member cannot be removed."), RefusalKind.OTHER, ""),
    (
        answered(
            400,
            "Bad Request",
            "Your account has reached the contact limit of its plan. Upgrade to add contacts.",
        ),
        RefusalKind.OVER_PLAN,
        "",
    ),
    (errors.InvalidCall("A value cannot be written as JSON."), RefusalKind.OTHER, ""),
]


@pytest.mark.parametrize(
    ("error", "kind", "field"), REFUSALS, ids=lambda v: getattr(v, "detail", str(v))[:40]
)
def test_refusals_of_one_contact(error: MailchimpError, kind: RefusalKind, field: str) -> None:
    outcome = single(error)
    assert isinstance(outcome, Refused)
    assert outcome.refusal.kind is kind
    assert outcome.refusal.field == field
    assert outcome.refusal.digest == CHANGE.digest
    assert outcome.refusal.key == CHANGE.key
    assert (error.detail or error.explanation) in outcome.refusal.text
    if isinstance(error, errors.RequestRefused):
        assert all(e.message in outcome.refusal.text for e in error.errors), (
            "nothing Mailchimp said is dropped"
        )


@pytest.mark.parametrize(
    ("error", "kind", "field"), REFUSALS, ids=lambda v: getattr(v, "detail", str(v))[:40]
)
def test_the_same_for_a_call_with_several_halves_it(
    error: MailchimpError, kind: RefusalKind, field: str
) -> None:
    assert isinstance(failures.batch_error(error), BatchRefused)


STALE = [
    answered(
        400,
        "Member Exists",
        "pat@example.com is already a list member. Use PUT to insert or update list members.",
    ),
    answered(404, "Resource Not Found", "The requested resource could not be found."),
    answered(
        400,
        "Invalid Resource",
        NOT_VALID,
        (
            "email address",
            'This member\'s status is "unsubscribed." You can only update email addresses for members '
            'with a status of "subscribed."',
        ),
    ),
    answered(
        400,
        "Invalid Resource",
        NOT_VALID,
        ("email address", '"new@example.com" is already in this list with a status of "Deleted"'),
    ),
    answered(400, "Invalid Resource", NOT_VALID, ("email address", "In einer anderen Sprache")),
]


@pytest.mark.parametrize("error", STALE, ids=lambda e: e.detail[:40])
def test_an_audience_other_than_planned_is_looked_at_again(error: MailchimpError) -> None:
    outcome = single(error)
    assert isinstance(outcome, Stale)
    assert error.detail in outcome.text


BROKEN = [
    (answered(401, "API Key Invalid", "Your API key may be invalid"), BrokenKind.KEY_REVOKED),
    (answered(401, "API Key Missing"), BrokenKind.KEY_REVOKED),
    (answered(403, "User Disabled", "This account has been deactivated."), BrokenKind.USER_DISABLED),
    (
        answered(403, "Forbidden", "The API key provided is linked to datacenter 'us6'"),
        BrokenKind.WRONG_DATACENTER,
    ),
    (answered(403, "User action not permitted", "User does not have access"), BrokenKind.ROLE_TOO_LOW),
    (answered(403, "Forbidden", "You are not permitted to access this resource."), BrokenKind.ROLE_TOO_LOW),
    (answered(503, "Compliance Related", "This method has been disabled."), BrokenKind.USER_DISABLED),
    (errors.OAuthRefused(), BrokenKind.KEY_REVOKED),
    (errors.AccountRefused(), BrokenKind.KEY_REVOKED),
]


@pytest.mark.parametrize(("error", "kind"), BROKEN, ids=lambda v: str(v)[:60])
def test_what_stops_everybody_pauses_the_connection(error: MailchimpError, kind: BrokenKind) -> None:
    for raised in (
        single(error),
        failures.batch_error(error),
        failures.read_error(error),
        failures.setup_error(error),
    ):
        assert isinstance(raised, ConnectionBroken)
        assert raised.kind is kind
        assert raised.raw


def test_a_404_of_a_read_or_a_batch_is_the_audience_s() -> None:
    error = answered(404, "Resource Not Found")
    for raised in (failures.batch_error(error), failures.read_error(error), failures.setup_error(error)):
        assert isinstance(raised, ConnectionBroken)
        assert raised.kind is BrokenKind.AUDIENCE_GONE


NOT_NOW = [
    answered(429, "Too Many Requests", "You have exceeded the limit of 10 simultaneous connections."),
    read_failure(429, {"retry-after": "17"}, b"", writes=True),
    read_failure(403, {}, b"<html>Access Denied</html>", writes=True),
    read_failure(404, {}, b"<html>not found</html>", writes=True),
    read_failure(401, {}, b"", writes=True),
    errors.NotSent(),
    errors.BatchNotFinished(),
]


@pytest.mark.parametrize("error", NOT_NOW, ids=str)
def test_turned_away_at_the_door_says_nothing_about_anybody(error: MailchimpError) -> None:
    for raised in (single(error), failures.batch_error(error), failures.read_error(error)):
        assert isinstance(raised, AudienceUnavailable)
        assert raised.retry_after >= 1


def test_mailchimp_s_own_wish_for_patience_is_kept() -> None:
    raised = failures.unavailable(errors.TooManyRequests(retry_after=17))
    assert raised.retry_after == 17


MAY_HAVE_HAPPENED = [
    errors.AnswerLost("", MAYBE),
    errors.TimedOut("", MAYBE),
    answered(500, "Internal Server Error", "A deep, internal error has occurred"),
    read_failure(502, {}, b"<html>bad gateway</html>", writes=True),
    read_failure(503, {}, b"", writes=True),
]


@pytest.mark.parametrize("error", MAY_HAVE_HAPPENED, ids=str)
def test_what_may_have_happened_is_looked_at_before_it_is_repeated(error: MailchimpError) -> None:
    assert single(error) == Lost(CHANGE)
    assert isinstance(failures.batch_error(error), AnswerLost)
    assert isinstance(failures.read_error(error), AudienceUnavailable)


def test_a_call_that_we_built_wrongly_is_our_own_mistake() -> None:
    error = errors.InvalidCall()
    assert failures.read_error(error) is error
    assert isinstance(failures.setup_error(error), SetupRefused)


# --- items of a batch ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("item", "kind", "field"),
    [
        (
            BatchError(
                email_address="pat@example.com",
                error="pat@example.com looks fake or invalid, please enter a real email address.",
                error_code="ERROR_GENERIC",
            ),
            RefusalKind.FAKE_ADDRESS,
            "",
        ),
        (
            BatchError(error=MERGE, error_code="ERROR_GENERIC", field="CSKU_POS", field_message="Zu lang"),
            RefusalKind.MERGE_FIELDS,
            "CSKU_POS",
        ),
        (
            BatchError(
                error=MERGE, error_code="ERROR_GENERIC", field="ADDRESS", field_message="Unvollständig"
            ),
            RefusalKind.REQUIRED_FIELD,
            "ADDRESS",
        ),
        (BatchError(error="Io nova", error_code="ERROR_GENERIC"), RefusalKind.OTHER, ""),
        (BatchError(error_code="ERROR_GENERIC"), RefusalKind.OTHER, ""),
    ],
)
def test_items_that_a_batch_refused(item: BatchError, kind: RefusalKind, field: str) -> None:
    outcome = failures.item_outcome(item, CHANGE, TAGS)
    assert isinstance(outcome, Refused)
    assert outcome.refusal.kind is kind
    assert outcome.refusal.field == field
    assert item.error in outcome.refusal.text
    assert item.field_message in outcome.refusal.text


def test_an_item_that_exists_after_all_is_stale() -> None:
    item = BatchError(error="kim@example.com is already a list member", error_code="ERROR_CONTACT_EXISTS")
    assert isinstance(failures.item_outcome(item, CHANGE, TAGS), Stale)


# --- the table as a whole -----------------------------------------------------------------------


def _family(kind: type[MailchimpError]) -> list[type[MailchimpError]]:
    return [kind, *(below for child in kind.__subclasses__() for below in _family(child))]


@pytest.mark.parametrize("kind", _family(MailchimpError), ids=lambda k: k.__name__)
def test_every_error_of_the_client_has_its_place(kind: type[MailchimpError]) -> None:
    """Whatever comes, the core meets only its own errors; a new class in the client is met here first."""
    for facts in (Facts(), MAYBE):
        error = kind("", facts)
        assert isinstance(single(error), SyncError | Refused | Stale | Lost)
        assert isinstance(failures.batch_error(error), SyncError)
        assert isinstance(failures.setup_error(error), SyncError)
        read = failures.read_error(error)
        assert isinstance(read, AudienceUnavailable | ConnectionBroken) or kind is errors.InvalidCall


def test_every_reason_is_either_a_refusal_or_a_reason_to_look_again() -> None:
    assert set(failures.REFUSALS) | failures.ASSUMPTION_FELL == set(Reason)
    assert not set(failures.REFUSALS) & failures.ASSUMPTION_FELL


@pytest.mark.parametrize("rule", TEXT_RULES, ids=lambda r: r.reason)
def test_the_guess_at_a_full_plan_takes_no_other_text_for_it(rule: Any) -> None:
    assert not any(failures.OVER_PLAN_TEXT.search(sample) for sample in rule.samples)
