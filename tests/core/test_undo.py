"""What undoing a run does about each member: a decision table, and that doing it twice does nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockstep.core import field_map
from lockstep.core.field_map import FIELD_SPECS
from lockstep.core.identity import address_key, subscriber_hash
from lockstep.core.member import MemberStatus, ObservedMember
from lockstep.core.observation import ABSENT, Present
from lockstep.core.plan import UpdateMember
from lockstep.core.undo import ArchiveMember, Deed, LeaveMember, UndoCounts, UndoStep, Why, undo_step

EMAIL = "ann@kestrel.example.net"
HASH = subscriber_hash(address_key(EMAIL))
AT = {spec.name: position for position, spec in enumerate(FIELD_SPECS)}
SUBSCRIBED, UNSUBSCRIBED = MemberStatus.SUBSCRIBED, MemberStatus.UNSUBSCRIBED


def values(**some: str) -> tuple[str, ...]:
    return tuple(some.get(spec.name, "") for spec in FIELD_SPECS)


def member(status: MemberStatus = SUBSCRIBED, **some: str) -> Present:
    return Present(ObservedMember(HASH, EMAIL, status, values(**some)))


def wrote(**fields: tuple[str, str]) -> Deed:
    return Deed(7, HASH, {AT[name]: change for name, change in fields.items()})


TO_ACTIVE = {"sync_status": ("", "Active"), "contact_url": ("", "https://x/7/"), "position": ("Old", "New")}


@pytest.mark.parametrize(
    ("deed", "observed", "answer"),
    [
        # what the run wrote is still there, as a stop left it: back to before
        (wrote(**TO_ACTIVE), member(position="New", sync_status="Inactive"), {"position": "Old"}),
        # not even stopped meanwhile
        (
            wrote(**TO_ACTIVE),
            member(position="New", sync_status="Active", contact_url="https://x/7/"),
            {"position": "Old"},
        ),
        # a member that was in step before stays Inactive: nobody keeps it in step now
        (
            wrote(position=("Old", "New")),
            member(position="New", sync_status="Inactive"),
            {"position": "Old", "sync_status": "Inactive"},
        ),
        (
            wrote(position=("Old", "New"), sync_status=("Active", "Inactive")),
            member(position="New", sync_status="Inactive"),
            {"position": "Old", "sync_status": "Inactive"},
        ),
        # somebody unsubscribed: fields go back, the status is no matter of ours
        (wrote(position=("Old", "New")), member(UNSUBSCRIBED, position="New"), {"position": "Old"}),
        # nothing to do, or hands off
        (wrote(position=("Old", "New")), member(position="Old"), Why.AS_BEFORE),
        (wrote(position=("Old", "New")), member(position="Edited"), Why.CHANGED),
        (wrote(**TO_ACTIVE), member(position="Edited", sync_status="Inactive"), Why.CHANGED),
        (wrote(sync_status=("Active", "Inactive")), member(sync_status="Inactive"), Why.AS_BEFORE),
        (wrote(position=("Old", "New")), ABSENT, Why.GONE),
        (wrote(position=("Old", "New")), member(MemberStatus.ARCHIVED, position="New"), Why.ARCHIVED),
        (replace(wrote(position=("Old", "New")), renamed=True), member(position="New"), Why.RENAMED),
        (Deed(7, HASH, untold=True), member(), Why.UNTOLD),
        # added by the run
        (Deed(7, HASH, added_as=SUBSCRIBED), member(), ArchiveMember),
        (
            Deed(7, HASH, added_as=MemberStatus.TRANSACTIONAL),
            member(MemberStatus.TRANSACTIONAL),
            ArchiveMember,
        ),
        (Deed(7, HASH, added_as=SUBSCRIBED), member(UNSUBSCRIBED), Why.STATUS),
        (Deed(7, HASH, added_as=MemberStatus.PENDING), member(), Why.STATUS),
        (Deed(7, HASH, added_as=MemberStatus.PENDING), member(MemberStatus.PENDING), Why.UNCONFIRMED),
        (Deed(7, HASH, added_as=SUBSCRIBED), member(MemberStatus.ARCHIVED), Why.ARCHIVED),
        (Deed(7, HASH, added_as=SUBSCRIBED), ABSENT, Why.GONE),
    ],
)
def test_every_member_has_one_answer(deed: Deed, observed: Present, answer: object) -> None:
    step = undo_step(deed, observed)
    if isinstance(answer, Why):
        assert isinstance(step, LeaveMember)
        assert step.why is answer
    elif isinstance(answer, dict):
        assert isinstance(step, UpdateMember)
        assert step.values == values(**answer)
        assert step.status is observed.member.status
    else:
        assert isinstance(step, ArchiveMember)
        assert step.status is observed.member.status


def test_what_was_changed_since_is_named() -> None:
    step = undo_step(
        wrote(position=("a", "b"), phone=("1", "2"), state=("CA", "NY")),
        member(position="x", phone="2", state="Z"),
    )
    assert step == LeaveMember(7, Why.CHANGED, (AT["position"], AT["state"]))


def test_two_writes_of_one_run_are_one_deed() -> None:
    both = wrote(position=("a", "b")).and_then(wrote(position=("b", "c"), phone=("", "1")))
    assert dict(both.overwritten) == {AT["position"]: ("a", "c"), AT["phone"]: ("", "1")}
    assert Deed(7, HASH, added_as=SUBSCRIBED).and_then(wrote(position=("a", "b"))).added_as is SUBSCRIBED


text = st.sampled_from(["", "a", "b", "Active", "Inactive"])
some_values = st.tuples(*[text] * len(FIELD_SPECS))


@given(
    st.dictionaries(st.integers(0, len(FIELD_SPECS) - 1), st.tuples(text, text)),
    some_values,
    st.sampled_from(list(MemberStatus)),
)
def test_done_once_there_is_nothing_left_to_do(
    overwritten: dict[int, tuple[str, str]], now: tuple[str, ...], status: MemberStatus
) -> None:
    """A second undo, or one that goes on after a crash, writes nothing; no other field moves."""
    deed = Deed(7, HASH, overwritten)
    seen = ObservedMember(HASH, EMAIL, status, now)
    step = undo_step(deed, Present(seen))
    if not isinstance(step, UpdateMember):
        return
    assert step.status is status
    moved = set(field_map.differing(now, step.values))
    released = {i for i in range(len(FIELD_SPECS)) if field_map.released(now)[i] != now[i]}
    assert moved <= set(overwritten) | released
    again = undo_step(deed, Present(replace(seen, values=step.values)))
    assert isinstance(again, LeaveMember)


def test_the_fingerprint_is_of_what_would_be_done_in_whatever_order() -> None:
    back = undo_step(wrote(position=("a", "b")), member(position="b"))
    away = undo_step(Deed(8, HASH, added_as=SUBSCRIBED), member())
    left = undo_step(Deed(9, HASH), ABSENT)

    def counted(*steps: UndoStep) -> UndoCounts:
        counts = UndoCounts()
        for step in steps:
            counts.add([step])
        return counts

    assert counted(back, away, left).fingerprint == counted(away, back).fingerprint
    assert counted(back).fingerprint != counted(away).fingerprint
    assert (counted(back, away, left).writes, counted(left).left) == (2, {Why.GONE: 1})
