"""The planner: a decision table, one row a combination of desired, observed and synced, and properties."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockstep.core import field_map
from lockstep.core.consent import NewStatus
from lockstep.core.identity import NO_ADDRESS, AddressKey, SubscriberHash, address_key, subscriber_hash
from lockstep.core.member import DesiredMember, MemberStatus, ObservedMember, Reason, SyncedMember, SyncState
from lockstep.core.observation import ABSENT, UNKNOWN, Observation, Present
from lockstep.core.outcome import Refusal, RefusalKind
from lockstep.core.plan import (
    AddMember,
    Plan,
    PlanCounts,
    ReleaseMember,
    RenameMember,
    Skip,
    UpdateMember,
)
from lockstep.core.planner import Policy, Slice, make_plan
from lockstep.core.testing.book import BookContact, values_of

A, B, C = "pat@a.test", "pat@b.test", "pat@c.test"
PAT = 7


def wanted(
    email: str = A, reason: Reason = Reason.FITS, *, contact_id: int = PAT, name: str = "Pat"
) -> DesiredMember:
    values = values_of(BookContact(contact_id, email, name))
    return DesiredMember(contact_id, email, address_key(email), reason, values, field_map.digest(values))


OUT = Reason.NO_MARKETING
IN_STEP = "in step"
OLD = "old values"
RELEASED = "released"
EMPTY = "empty"


def member(
    email: str = A,
    status: MemberStatus = MemberStatus.SUBSCRIBED,
    holds: str = IN_STEP,
    *,
    contact_key: str = "ck1",
    of: str = A,
) -> ObservedMember:
    """A member with the values of contact 7 at the address `of`, or some way from them."""
    values = wanted(of).values
    match holds:
        case "old values":
            values = wanted(of, name="Former").values
        case "released":
            values = field_map.released(values)
        case "empty":
            values = ("",) * len(values)
    key = address_key(email)
    return ObservedMember(subscriber_hash(key), email, status, values, contact_key)


def slice_of(
    *desired: DesiredMember,
    there: tuple[ObservedMember, ...] = (),
    synced: SyncedMember | None = None,
    moved: ObservedMember | None = None,
    claimed: tuple[str, ...] = (),
    unknown: tuple[str, ...] = (),
) -> Slice:
    """Everybody known but `unknown`: who is not `there` is absent."""
    keys = {want.key for want in desired} | {address_key(m.email) for m in there}
    if synced is not None:
        keys |= {synced.key, synced.sent_key}
    observed: dict[SubscriberHash, Observation] = {subscriber_hash(key): ABSENT for key in keys if key}
    observed |= {m.hash: Present(m) for m in there}
    observed |= {subscriber_hash(address_key(email)): UNKNOWN for email in unknown}
    return Slice(
        desired=desired,
        synced={synced.contact_id: synced} if synced else {},
        observed=observed,
        moved={PAT: moved} if moved else {},
        claimed=frozenset(address_key(email) for email in claimed),
    )


def linked(email: str = A, **more: object) -> SyncedMember:
    return replace(SyncedMember(PAT, address_key(email), contact_key="ck1"), **more)  # type: ignore[arg-type]


def said_no(digest: bytes, kind: RefusalKind = RefusalKind.FAKE_ADDRESS) -> Refusal:
    return Refusal(kind, "no", digest=digest)


def released_digest(email: str) -> bytes:
    """What a refused release of contact 7's member at an address is remembered by."""
    part = slice_of(wanted(reason=OUT), there=(member(email),), synced=linked(email))
    [change] = make_plan(part, Policy()).changes
    return change.digest


def told(plan: Plan) -> str:
    """The plan's one step in words."""
    [step] = [*plan.changes, *plan.skips]
    match step:
        case AddMember():
            return f"add {step.email} as {step.status_if_new}"
        case UpdateMember():
            return f"update {step.email}"
        case RenameMember():
            return f"rename {step.former_email} to {step.email}"
        case ReleaseMember():
            return f"release {step.email}" + (", then look again" if step.look_again else "")
        case Skip():
            state = f", {step.state}" if step.state else ""
            return f"{step.answer}{state}" + (", forget" if step.forget else "")


AS_SUBSCRIBED = Policy()


@dataclass(frozen=True)
class Row:
    rule: str
    part: Slice
    answer: str
    policy: Policy = AS_SUBSCRIBED


S, U = MemberStatus.SUBSCRIBED, MemberStatus.UNSUBSCRIBED
ARCHIVED, CLEANED = MemberStatus.ARCHIVED, MemberStatus.CLEANED
SENT_B = linked(sent_key=address_key(B), uncertain=False)
NEVER = SyncedMember(PAT)

ROWS = [
    # nobody linked yet
    Row("fits, nobody there: added", slice_of(wanted()), f"add {A} as subscribed"),
    Row("… as the admin chose", slice_of(wanted()), f"add {A} as pending", Policy(NewStatus.PENDING)),
    Row(
        "… as the admin chose",
        slice_of(wanted()),
        f"add {A} as transactional",
        Policy(NewStatus.TRANSACTIONAL),
    ),
    Row(
        "fits, there with other values: updated",
        slice_of(wanted(), there=(member(holds=OLD),)),
        f"update {A}",
    ),
    Row("fits, there and equal: unchanged", slice_of(wanted(), there=(member(),)), "unchanged, synced"),
    Row(
        "fits, unsubscribed and equal",
        slice_of(wanted(), there=(member(status=U),)),
        "unchanged, unsubscribed",
    ),
    Row(
        "fits, unsubscribed, other values: our fields follow",
        slice_of(wanted(), there=(member(status=U, holds=OLD),)),
        f"update {A}",
    ),
    Row(
        "fits, cleaned and equal",
        slice_of(wanted(), there=(member(status=CLEANED),)),
        "unchanged, unsubscribed",
    ),
    Row(
        "fits, archived: left alone",
        slice_of(wanted(), there=(member(status=ARCHIVED, holds=OLD),)),
        "archived, archived",
    ),
    Row("fits, not looked: look first", slice_of(wanted(), unknown=(A,)), "look, pending"),
    Row("does not fit, never linked", slice_of(wanted(reason=OUT)), "left_out"),
    Row(
        "does not fit, never linked, member there: not ours",
        slice_of(wanted(reason=OUT), there=(member(),)),
        "left_out",
    ),
    Row(
        "does not fit, never linked, not looked: nothing to look for",
        slice_of(wanted(reason=OUT), unknown=(A,)),
        "left_out",
    ),
    # refused before
    Row(
        "refused for this content: not again",
        slice_of(wanted(), synced=replace(NEVER, refusal=said_no(wanted().digest))),
        "refused_before, failed",
    ),
    Row(
        "refused for other content: again",
        slice_of(wanted(), synced=replace(NEVER, refusal=said_no(b"other"))),
        f"add {A} as subscribed",
    ),
    Row(
        "refused, but a person asked",
        slice_of(wanted(), synced=replace(NEVER, refusal=said_no(wanted().digest), asked=True)),
        f"add {A} as subscribed",
    ),
    Row(
        "refused update: not again",
        slice_of(wanted(), there=(member(holds=OLD),), synced=linked(refusal=said_no(wanted().digest))),
        "refused_before, failed",
    ),
    Row(
        "refused, yet equal by now",
        slice_of(wanted(), there=(member(),), synced=linked(refusal=said_no(wanted().digest))),
        "unchanged, synced",
    ),
    Row(
        "refused, yet the person came by herself",
        slice_of(wanted(), there=(member(holds=EMPTY),), synced=replace(NEVER, refusal=said_no(b"other"))),
        f"update {A}",
    ),
    # linked, same address
    Row("linked and equal", slice_of(wanted(), there=(member(),), synced=linked()), "unchanged, synced"),
    Row(
        "linked, comes back after a release",
        slice_of(wanted(), there=(member(holds=RELEASED),), synced=linked()),
        f"update {A}",
    ),
    Row("linked, gone: deleted for good, stays out", slice_of(wanted(), synced=linked()), "gone, archived"),
    Row(
        "linked, gone, a person asked",
        slice_of(wanted(), synced=linked(asked=True)),
        f"add {A} as subscribed",
    ),
    Row(
        "linked, archived, a person asked: still only Mailchimp can",
        slice_of(wanted(), there=(member(status=ARCHIVED),), synced=linked(asked=True)),
        "archived, archived",
    ),
    Row("linked, not looked", slice_of(wanted(), synced=linked(), unknown=(A,)), "look, pending"),
    Row(
        "linked, uncertain: look even at what is known",
        slice_of(wanted(), there=(member(),), synced=linked(uncertain=True)),
        "look, pending",
    ),
    # leaves the scope
    Row("leaves: released", slice_of(wanted(reason=OUT), there=(member(),), synced=linked()), f"release {A}"),
    Row(
        "leaves, unsubscribed: released too",
        slice_of(wanted(reason=OUT), there=(member(status=U),), synced=linked()),
        f"release {A}",
    ),
    Row(
        "left, released already",
        slice_of(wanted(reason=OUT), there=(member(holds=RELEASED),), synced=linked()),
        "left_out",
    ),
    Row(
        "leaves, archived: left alone",
        slice_of(wanted(reason=OUT), there=(member(status=ARCHIVED),), synced=linked()),
        "left_out",
    ),
    Row("leaves, gone: remembered", slice_of(wanted(reason=OUT), synced=linked()), "left_out"),
    Row("leaves, not looked", slice_of(wanted(reason=OUT), synced=linked(), unknown=(A,)), "look"),
    Row(
        "leaves, uncertain",
        slice_of(wanted(reason=OUT), there=(member(),), synced=linked(uncertain=True)),
        "look",
    ),
    Row(
        "leaves, another contact has the address now",
        slice_of(wanted(reason=OUT), there=(member(),), synced=linked(), claimed=(A,)),
        "left_out, forget",
    ),
    Row(
        "leaves, another of the slice has it",
        slice_of(wanted(reason=OUT), wanted(contact_id=8), there=(member(),), synced=linked()),
        "left_out, forget",
    ),
    Row(
        "leaves, its release was refused",
        slice_of(
            wanted(reason=OUT),
            there=(member(),),
            synced=linked(refusal=said_no(released_digest(A))),
        ),
        "left_out",
    ),
    Row(
        "leaves, its release was refused at the address that the person left since",
        slice_of(wanted(reason=OUT), synced=linked(refusal=said_no(released_digest(A))), moved=member(C)),
        f"release {C}",
    ),
    # the book's address changed
    Row(
        "a → b, subscribed, b free: renamed",
        slice_of(wanted(B), there=(member(),), synced=linked()),
        f"rename {A} to {B}",
    ),
    Row(
        "a → b, unsubscribed: former released first",
        slice_of(wanted(B), there=(member(status=U),), synced=linked()),
        f"release {A}, then look again",
    ),
    Row(
        "… then the no goes with the person",
        slice_of(wanted(B), there=(member(status=U, holds=RELEASED),), synced=linked()),
        f"add {B} as unsubscribed",
    ),
    Row(
        "a → b, cleaned: a new address, nobody said no",
        slice_of(wanted(B), there=(member(status=CLEANED, holds=RELEASED),), synced=linked()),
        f"add {B} as subscribed",
    ),
    Row(
        "a → b, pending stays pending",
        slice_of(wanted(B), there=(member(status=MemberStatus.PENDING, holds=RELEASED),), synced=linked()),
        f"add {B} as pending",
    ),
    Row(
        "a → b, transactional stays so",
        slice_of(
            wanted(B), there=(member(status=MemberStatus.TRANSACTIONAL, holds=RELEASED),), synced=linked()
        ),
        f"add {B} as transactional",
    ),
    Row(
        "a → b, archived: archived hides a no",
        slice_of(wanted(B), there=(member(status=ARCHIVED),), synced=linked()),
        "archived, archived",
    ),
    Row(
        "a → b, archived, a person asked: least consent",
        slice_of(wanted(B), there=(member(status=ARCHIVED),), synced=linked(asked=True)),
        f"add {B} as transactional",
    ),
    Row("a → b, a gone: stays out", slice_of(wanted(B), synced=linked()), "gone, archived"),
    Row(
        "a → b, b there: former released first",
        slice_of(wanted(B), there=(member(), member(B, U, of=B)), synced=linked()),
        f"release {A}, then look again",
    ),
    Row(
        "… then b is its member",
        slice_of(wanted(B), there=(member(holds=RELEASED), member(B, U, of=B)), synced=linked()),
        "unchanged, unsubscribed",
    ),
    Row(
        "a → b, b archived: nothing but the release",
        slice_of(wanted(B), there=(member(holds=RELEASED), member(B, ARCHIVED)), synced=linked()),
        "archived, archived",
    ),
    Row(
        "a → b, another contact took a: no rename, no release",
        slice_of(wanted(B), there=(member(),), synced=linked(), claimed=(A,)),
        f"add {B} as subscribed",
    ),
    Row("a → b, a not looked", slice_of(wanted(B), synced=linked(), unknown=(A,)), "look, pending"),
    Row(
        "a → b, b not looked",
        slice_of(wanted(B), there=(member(),), synced=linked(), unknown=(B,)),
        "look, pending",
    ),
    Row(
        "a → b, rename refused: not again, former kept",
        slice_of(wanted(B), there=(member(),), synced=linked(refusal=said_no(wanted(B).digest))),
        "refused_before, failed",
    ),
    Row(
        "only the case of the address changed",
        slice_of(wanted("Pat@A.test"), there=(member(),), synced=linked()),
        f"update {A}",
    ),
    # the person changed the address at Mailchimp
    Row(
        "moved a → c: followed",
        slice_of(wanted(), synced=linked(), moved=member(C, holds=OLD)),
        f"update {C}",
    ),
    Row("moved and equal", slice_of(wanted(), synced=linked(), moved=member(C)), "unchanged, synced"),
    Row(
        "moved and unsubscribed",
        slice_of(wanted(), synced=linked(), moved=member(C, U)),
        "unchanged, unsubscribed",
    ),
    Row(
        "moved, then the contact leaves",
        slice_of(wanted(reason=OUT), synced=linked(), moved=member(C)),
        f"release {C}",
    ),
    Row(
        "moved, then the book's address changes",
        slice_of(wanted(B), synced=linked(), moved=member(C)),
        f"rename {C} to {B}",
    ),
    Row(
        "moved to an address that another contact has",
        slice_of(wanted(), synced=linked(), moved=member(C), claimed=(C,)),
        "gone, archived",
    ),
    Row(
        "moved, and somebody else took a: the old one is released",
        slice_of(wanted(), there=(member(contact_key="ck2"),), synced=linked(), moved=member(C)),
        f"release {C}, then look again",
    ),
    Row(
        "moved, and a is archived there: followed",
        slice_of(
            wanted(), there=(member(status=ARCHIVED, contact_key="ck2"),), synced=linked(), moved=member(C)
        ),
        "unchanged, synced",
    ),
    Row(
        "moved, somebody else took a, the book says b: the newcomer is not touched",
        slice_of(wanted(B), there=(member(contact_key="ck2"),), synced=linked(), moved=member(C)),
        f"rename {C} to {B}",
    ),
    Row(
        "moved, somebody else took a, leaves: the newcomer is not touched",
        slice_of(
            wanted(reason=OUT),
            there=(member(contact_key="ck2"),),
            synced=linked(),
            moved=member(C, holds=RELEASED),
        ),
        "left_out",
    ),
    # a lost write made a member
    Row(
        "lost add took effect, contact left: released",
        slice_of(wanted(reason=OUT), there=(member(),), synced=replace(NEVER, sent_key=address_key(A))),
        f"release {A}",
    ),
    Row(
        "lost add had no effect, contact left",
        slice_of(wanted(reason=OUT), synced=replace(NEVER, sent_key=address_key(A))),
        "left_out",
    ),
    Row(
        "what is at the address is not ours: not touched",
        slice_of(
            wanted(reason=OUT), there=(member(holds=EMPTY),), synced=replace(NEVER, sent_key=address_key(A))
        ),
        "left_out",
    ),
    Row(
        "lost add at a, now b: it is renamed",
        slice_of(wanted(B), there=(member(),), synced=replace(NEVER, sent_key=address_key(A))),
        f"rename {A} to {B}",
    ),
    Row(
        "lost add at a said no since, now b: the no goes along",
        slice_of(wanted(B), there=(member(status=U, holds=RELEASED),), synced=linked(A)),
        f"add {B} as unsubscribed",
    ),
    Row(
        "linked to a, lost add at b, now c: b is released first",
        slice_of(
            wanted(C),
            there=(member(status=U, holds=RELEASED), member(B, of=B, contact_key="ck2")),
            synced=SENT_B,
        ),
        f"release {B}, then look again",
    ),
    Row(
        "linked to a, lost add at b, leaves: one after the other",
        slice_of(wanted(reason=OUT), there=(member(), member(B, of=B, contact_key="ck2")), synced=SENT_B),
        f"release {A}, then look again",
    ),
    Row(
        "lost rename found its target taken: a released, b is its member",
        slice_of(wanted(B), there=(member(), member(B, of=B, contact_key="ck2")), synced=SENT_B),
        f"release {A}, then look again",
    ),
    Row(
        "lost add at a, now b and refused there: a is released all the same",
        slice_of(
            wanted(B),
            there=(member(status=MemberStatus.PENDING),),
            synced=replace(NEVER, sent_key=address_key(A), refusal=said_no(wanted(B).digest)),
        ),
        f"release {A}, then look again",
    ),
    Row(
        "linked to a, late add at c, refused at b: c is released, a stays",
        slice_of(
            wanted(B),
            there=(member(), member(C, of=C, contact_key="ck2")),
            synced=linked(sent_key=address_key(C), refusal=said_no(wanted(B).digest)),
        ),
        f"release {C}, then look again",
    ),
    Row(
        "lost write at an address nobody looked at",
        slice_of(wanted(reason=OUT), synced=replace(NEVER, sent_key=address_key(A)), unknown=(A,)),
        "look",
    ),
    Row(
        "lost add at a, contact left, another contact has a",
        slice_of(
            wanted(reason=OUT),
            there=(member(),),
            synced=replace(NEVER, sent_key=address_key(A)),
            claimed=(A,),
        ),
        "left_out",
    ),
]


@pytest.mark.parametrize("row", ROWS, ids=[f"{number:02} {row.rule}" for number, row in enumerate(ROWS, 1)])
def test_decision(row: Row) -> None:
    plan = make_plan(Slice(**{**_fields(row.part), "desired": row.part.desired[:1]}), row.policy)
    if len(row.part.desired) > 1:
        whole = make_plan(row.part, row.policy)
        plan = Plan(
            tuple(c for c in whole.changes if c.contact_id == PAT),
            tuple(s for s in whole.skips if s.contact_id == PAT),
        )
    assert told(plan) == row.answer


def _fields(part: Slice) -> dict[str, object]:
    return {name: getattr(part, name) for name in Slice.__slots__}


def test_a_swap_of_two_addresses_is_two_updates() -> None:
    one, two = wanted(B, contact_id=1), wanted(A, contact_id=2)
    part = Slice(
        desired=(one, two),
        synced={1: SyncedMember(1, address_key(A)), 2: SyncedMember(2, address_key(B))},
        observed={m.hash: Present(m) for m in (member(A), member(B))},
    )
    assert [(type(c).__name__, c.contact_id, c.email) for c in make_plan(part, Policy()).changes] == [
        ("UpdateMember", 1, B),
        ("UpdateMember", 2, A),
    ]


def test_two_contacts_that_could_both_write_one_member_do_not() -> None:
    """Contact 7's member moved to c; contact 9, left out, was once linked to c."""
    part = Slice(
        desired=(wanted(), wanted(C, OUT, contact_id=9)),
        synced={PAT: linked(), 9: SyncedMember(9, address_key(C))},
        observed={subscriber_hash(address_key(A)): ABSENT, member(C).hash: Present(member(C))},
        moved={PAT: member(C, holds=OLD)},
    )
    plan = make_plan(part, Policy())
    assert [c.contact_id for c in plan.changes] == [PAT]
    assert [(s.contact_id, s.forget) for s in plan.skips] == [(9, True)]


def test_an_update_names_what_differs_and_what_was_there() -> None:
    part = slice_of(wanted(), there=(member(holds=OLD),))
    [change] = make_plan(part, Policy()).changes
    assert isinstance(change, UpdateMember)
    assert [field_map.FIELD_SPECS[index].name for index in change.differing] == ["first_name"]
    assert change.before[1] == "Former"
    assert change.values[1] == "Pat"


def test_a_release_empties_both_urls_and_turns_inactive_and_leaves_the_rest() -> None:
    [change] = make_plan(slice_of(wanted(reason=OUT), there=(member(),), synced=linked()), Policy()).changes
    named = [(field_map.FIELD_SPECS[i].name, change.values[i]) for i in getattr(change, "differing", ())]
    assert named == [("contact_url", ""), ("client_url", ""), ("sync_status", "Inactive")]


# --- properties -------------------------------------------------------------------------------------------

keys = st.sampled_from([NO_ADDRESS, address_key(A), address_key(B), address_key(C)])
holdings = st.sampled_from([IN_STEP, OLD, RELEASED, EMPTY])


@st.composite
def slices(draw: st.DrawFn) -> Slice:
    """Any slice at all, sensible or not, as long as keys of those who fit are unique."""
    desired: list[DesiredMember] = []
    taken: set[AddressKey] = set()
    for contact_id in range(1, draw(st.integers(1, 4)) + 1):
        email = draw(st.sampled_from([A, B, C, A.upper()]))
        reason = draw(st.sampled_from([Reason.FITS, Reason.FITS, Reason.NO_MARKETING, Reason.DELETED]))
        if reason is Reason.FITS and address_key(email) in taken:
            reason = Reason.DUPLICATE
        if reason is Reason.FITS:
            taken.add(address_key(email))
        desired.append(wanted(email, reason, contact_id=contact_id))
    observed: dict[SubscriberHash, Observation] = {}
    for email in (A, B, C):
        if draw(st.integers(0, 3)):
            seen = member(
                email,
                draw(st.sampled_from(MemberStatus)),
                draw(holdings),
                contact_key=draw(st.sampled_from(["", "ck1", "ck2", "ck3"])),
                of=email,
            )
            known: Observation = draw(st.sampled_from([Present(seen), Present(seen), ABSENT, UNKNOWN]))
            observed[subscriber_hash(address_key(email))] = known
    synced = {
        want.contact_id: SyncedMember(
            want.contact_id,
            draw(keys),
            contact_key=draw(st.sampled_from(["", "ck1", "ck2"])),
            uncertain=draw(st.booleans()) and draw(st.booleans()),
            sent_key=draw(keys),
            refusal=draw(st.sampled_from([None, None, said_no(want.digest)])),
            asked=draw(st.booleans()) and draw(st.booleans()),
        )
        for want in desired
        if draw(st.booleans())
    }
    moved = {
        contact_id: found.member
        for contact_id, was in synced.items()
        for key, found in observed.items()
        if isinstance(found, Present)
        and was.contact_key
        and found.member.contact_key == was.contact_key
        and key != subscriber_hash(was.key)
    }
    claimed = draw(st.frozensets(keys, max_size=1)) - taken - {NO_ADDRESS}
    return Slice(tuple(desired), synced, observed, moved, claimed)


@given(slices(), st.sampled_from([NewStatus.SUBSCRIBED, NewStatus.PENDING, NewStatus.TRANSACTIONAL]))
def test_every_contact_has_exactly_one_entry(part: Slice, chosen: NewStatus) -> None:
    plan = make_plan(part, Policy(chosen))
    ids = [step.contact_id for step in (*plan.changes, *plan.skips)]
    assert sorted(ids) == [want.contact_id for want in part.desired]


@given(slices())
def test_nothing_is_written_where_nobody_looked(part: Slice) -> None:
    for change in make_plan(part, Policy()).changes:
        assert part.observed.get(change.hash, UNKNOWN) != UNKNOWN
        synced = part.synced.get(change.contact_id)
        assert synced is None or not synced.uncertain


@given(slices(), st.sampled_from([NewStatus.SUBSCRIBED, NewStatus.PENDING, NewStatus.TRANSACTIONAL]))
def test_a_status_is_named_only_for_somebody_who_is_not_there(part: Slice, chosen: NewStatus) -> None:
    for change in make_plan(part, Policy(chosen)).changes:
        if isinstance(change, AddMember):
            assert part.observed[change.hash] == ABSENT
            former = _former(part, change.contact_id)
            if former is not None and former.status is MemberStatus.UNSUBSCRIBED:
                assert change.status_if_new is NewStatus.UNSUBSCRIBED
        else:
            assert not hasattr(change, "status_if_new")


def _former(part: Slice, contact_id: int) -> ObservedMember | None:
    synced = part.synced.get(contact_id)
    if synced is None or not synced.key or contact_id in part.moved:
        return part.moved.get(contact_id)
    found = part.observed.get(subscriber_hash(synced.key), UNKNOWN)
    return found.member if isinstance(found, Present) else None


@given(slices())
def test_nobody_archived_and_nobody_left_out_is_written_into(part: Slice) -> None:
    left_out = {want.contact_id for want in part.desired if not want.fits}
    for change in make_plan(part, Policy()).changes:
        found = part.observed.get(change.hash)
        assert not (isinstance(found, Present) and found.member.archived)
        if change.contact_id in left_out:
            assert isinstance(change, ReleaseMember)
            assert not field_map.is_active(change.values)


@given(slices(), st.randoms())
def test_the_order_of_the_slice_changes_nothing(part: Slice, random: object) -> None:
    shuffled = list(part.desired)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    one, two = make_plan(part, Policy()), make_plan(replace(part, desired=tuple(shuffled)), Policy())
    assert set(one.changes) == set(two.changes)
    assert set(one.skips) == set(two.skips)
    assert _fingerprint(one) == _fingerprint(two)


@given(slices())
def test_same_inputs_same_fingerprint_and_slicing_the_sum_changes_nothing(part: Slice) -> None:
    plan = make_plan(part, Policy())
    assert plan == make_plan(part, Policy())
    counts = PlanCounts()
    for change in plan.changes:
        counts.add(Plan((change,)))
    assert counts.fingerprint == _fingerprint(plan)
    if plan.changes:
        assert _fingerprint(Plan(plan.changes[1:])) != _fingerprint(plan)


def _fingerprint(plan: Plan) -> str:
    counts = PlanCounts()
    counts.add(plan)
    assert counts.writes == len(plan.changes)
    return counts.fingerprint


@given(slices())
def test_states_are_given_to_those_who_fit_and_to_nobody_else(part: Slice) -> None:
    fits = {want.contact_id for want in part.desired if want.fits}
    for skip in make_plan(part, Policy()).skips:
        assert (skip.state is not None) == (skip.contact_id in fits)
        assert skip.state in {None, *SyncState}
