"""Which calls a plan takes, and that no two of them concern one member."""

from __future__ import annotations

from lockstep.core import field_map
from lockstep.core.identity import address_key, subscriber_hash
from lockstep.core.member import MemberStatus, Reason, SyncState
from lockstep.core.plan import Answer, Change, Plan, ReleaseMember, RenameMember, Skip
from lockstep.core.sending import Limits, Sender
from lockstep.core.testing import MemoryAudience, MemoryStore

A, B, C = "a@people.test", "b@people.test", "c@people.test"
ACTIVE = tuple("Active" if index == field_map.SYNC_STATUS else "" for index in range(18))


def release(contact_id: int, email: str) -> ReleaseMember:
    key, after = address_key(email), field_map.released(ACTIVE)
    differing = field_map.differing(ACTIVE, after)
    status = MemberStatus.SUBSCRIBED
    return ReleaseMember(contact_id, subscriber_hash(key), email, after, ACTIVE, differing, status, b"", key)


def rename(contact_id: int, former: str, email: str) -> RenameMember:
    member = subscriber_hash(address_key(former))
    return RenameMember(contact_id, member, email, former, ACTIVE, ACTIVE, b"", address_key(email))


def look(contact_id: int, *emails: str) -> Skip:
    hashes = tuple(subscriber_hash(address_key(email)) for email in emails)
    return Skip(contact_id, Answer.LOOK, Reason.FITS, SyncState.PENDING, hashes)


def concerned(changes: tuple[Change, ...], *looks: Skip) -> tuple[list[tuple[int, ...]], list[int]]:
    """The contacts of each call that the plan takes, and those left for later."""
    sender = Sender(MemoryAudience(), MemoryStore(), Limits(singles_up_to=0))
    calls, rest = sender.calls(Plan(changes, looks), batches=True)
    members = [member for call in calls for member in call.members]
    assert len(members) == len(set(members)), "two calls for one member"
    return [tuple(call.contacts) for call in calls], [change.contact_id for change in rest]


def test_changes_of_different_members_go_together() -> None:
    assert concerned((release(1, A), release(2, B))) == ([(1, 2)], [])


def test_the_second_change_of_one_member_is_left() -> None:
    assert concerned((release(1, A), release(2, A), release(3, B))) == ([(1, 3)], [2])
    assert concerned((rename(1, A, C), release(2, C))) == ([(1,)], [2])
    assert concerned((release(1, A), rename(2, A, C))) == ([(1,)], [2])


def test_a_look_at_a_member_that_is_written_waits_for_another_slice() -> None:
    """What it read before the write would be recorded after it: there, and taken for absent."""
    assert concerned((release(1, A),), look(2, A), look(3, C, B)) == ([(3,), (1,)], [])
    assert concerned((rename(1, A, B),), look(2, C, B)) == ([(1,)], [])


def test_looks_at_one_member_share_a_call_or_wait() -> None:
    shared = {3, 5, 12, 25}
    looks = [look(number, A if number in shared else f"p{number}@people.test") for number in range(1, 31)]
    calls, _ = concerned((), *looks)
    assert [len(call) for call in calls] == [10, 10, 8]
    assert {contact for call in calls for contact in call} == set(range(1, 31)) - {12, 25}
