"""The answer of a call with several members, matched to its changes (contract 5)."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from tests.bridge.world import add, hash_of, update, values_of

from lockstep.bridge.batch_answer import outcomes
from lockstep.core.field_map import FieldMap
from lockstep.core.member import MemberStatus
from lockstep.core.outcome import Applied, Lost, RefusalKind, Refused, Stale
from lockstep.mailchimp.wire import BatchError, BatchResult, BatchSubscribed

FIELDS = FieldMap()
FAKE = "looks fake or invalid, please enter a real email address."


def answer(
    new: list[BatchSubscribed] | None = None,
    updated: list[BatchSubscribed] | None = None,
    errors: list[BatchError] | None = None,
) -> BatchResult:
    return BatchResult(new_members=new or [], updated_members=updated or [], errors=errors or [])


def told(email: str, status: str = "subscribed", **more: object) -> BatchSubscribed:
    return BatchSubscribed(id=hash_of(email), email_address=email, status=status, **more)  # type: ignore[arg-type]


def test_found_by_address_in_any_spelling() -> None:
    [outcome] = outcomes([add("Pat@Example.com")], answer(new=[told("PAT@example.COM")]), FIELDS)
    assert isinstance(outcome, Applied)
    assert outcome.member.email == "PAT@example.COM"
    assert outcome.member.hash == hash_of("pat@example.com")


def test_found_by_hash_where_the_address_is_missing() -> None:
    row = BatchSubscribed(id=hash_of("pat@example.com"), status="subscribed")
    [outcome] = outcomes([add("pat@example.com")], answer(updated=[row]), FIELDS)
    assert isinstance(outcome, Applied)
    assert not outcome.created


def test_addresses_in_errors_come_in_quotes() -> None:
    for wrapped in ('"pat@example.com"', "'pat@example.com'", ' "Pat@Example.com" '):
        [outcome] = outcomes(
            [add("pat@example.com")], answer(errors=[BatchError(email_address=wrapped, error=FAKE)]), FIELDS
        )
        assert isinstance(outcome, Refused)
        assert outcome.refusal.kind is RefusalKind.FAKE_ADDRESS


def test_not_mentioned_is_lost() -> None:
    changes = [add("a@example.com"), add("b@example.com")]
    first, second = outcomes(changes, answer(new=[told("b@example.com")]), FIELDS)
    assert first == Lost(changes[0])
    assert isinstance(second, Applied)


def test_an_error_of_nobody_belongs_to_one_of_those_not_mentioned() -> None:
    changes = [add("a@example.com"), add("b@example.com")]
    strange = BatchError(email_address="<unreadable>", error="Io okazis")
    first, second = outcomes(changes, answer(new=[told("b@example.com")], errors=[strange]), FIELDS)
    assert first == Stale(changes[0], "Io okazis")
    assert isinstance(second, Applied)


def test_named_twice_is_refused_rather_than_confirmed() -> None:
    errors = [BatchError(email_address="a@example.com", error=FAKE)]
    [outcome] = outcomes(
        [add("a@example.com")], answer(updated=[told("a@example.com")], errors=errors), FIELDS
    )
    assert isinstance(outcome, Refused)


def test_the_status_told_is_the_status_observed() -> None:
    """Trap 21: a batch's counts look fine, the status does not."""
    [outcome] = outcomes(
        [add("a@example.com")], answer(updated=[told("a@example.com", "unsubscribed")]), FIELDS
    )
    assert isinstance(outcome, Applied)
    assert outcome.member.status is MemberStatus.UNSUBSCRIBED


def test_a_status_that_we_do_not_know_leads_to_the_least() -> None:
    [outcome] = outcomes([add("a@example.com")], answer(updated=[told("a@example.com", "paused")]), FIELDS)
    assert isinstance(outcome, Applied)
    assert outcome.member.status is MemberStatus.UNSUBSCRIBED


def test_values_come_from_the_answer_where_it_tells_them() -> None:
    values = values_of(first_name="Pat")
    before = values_of(first_name="P", last_name="Doe")
    change = update("a@example.com", values_of(first_name="Pat", last_name="Doe"), before)
    fields = {
        **FIELDS.merge_fields(change.values),
        "CSKU_LNAME": "Changed by somebody meanwhile",
        "FNAME": "x",
    }
    [outcome] = outcomes([change], answer(updated=[told("a@example.com", merge_fields=fields)]), FIELDS)
    assert isinstance(outcome, Applied)
    assert outcome.member.values == values_of(first_name="Pat", last_name="Changed by somebody meanwhile")
    [silent] = outcomes([change], answer(updated=[told("a@example.com")]), FIELDS)
    assert isinstance(silent, Applied)
    assert silent.member.values == change.values
    [kept] = outcomes(
        [change], answer(updated=[told("a@example.com", merge_fields=FIELDS.merge_fields(before))]), FIELDS
    )
    assert isinstance(kept, Refused)
    assert kept.refusal.field == "CSKU_FNAME"
    assert values != before


_NAMES = st.lists(st.sampled_from("abcdefgh"), unique=True)


@given(_NAMES, _NAMES, _NAMES, _NAMES)
def test_every_change_has_its_outcome_whatever_the_answer(
    asked: list[str], new: list[str], updated: list[str], refused: list[str]
) -> None:
    changes = [add(f"{name}@example.com", contact=number) for number, name in enumerate(asked)]
    found = outcomes(
        changes,
        answer(
            [told(f"{n}@example.com") for n in new],
            [told(f"{n}@example.com") for n in updated],
            [BatchError(email_address=f"{n}@example.com", error=FAKE) for n in refused],
        ),
        FIELDS,
    )
    assert [outcome.change for outcome in found] == changes
    for name, outcome in zip(asked, found, strict=True):
        if isinstance(outcome, Applied):
            assert name in {*new, *updated} - set(refused)
            assert outcome.created == (name in new)
        elif isinstance(outcome, Refused):
            assert name in refused
        else:
            assert name not in {*new, *updated, *refused}
            assert isinstance(outcome, Stale) == bool(set(refused) - set(asked))
