"""Which status may follow which: the whole table of `consent`, both ways."""

import pytest

from lockstep.core.consent import IF_VANISHED, NewStatus, status_after_address_change
from lockstep.core.member import MemberStatus

CHOICES = (NewStatus.SUBSCRIBED, NewStatus.PENDING, NewStatus.TRANSACTIONAL)

# former status at Mailchimp -> what the new address gets, for each choice of the admin
TABLE = {
    MemberStatus.SUBSCRIBED: ("subscribed", "pending", "transactional"),
    MemberStatus.CLEANED: ("subscribed", "pending", "transactional"),
    MemberStatus.UNSUBSCRIBED: ("unsubscribed", "unsubscribed", "unsubscribed"),
    MemberStatus.PENDING: ("pending", "pending", "transactional"),
    MemberStatus.TRANSACTIONAL: ("transactional", "transactional", "transactional"),
    MemberStatus.ARCHIVED: (None, None, None),
}
ROWS = [(former, chosen, TABLE[former][i]) for former in MemberStatus for i, chosen in enumerate(CHOICES)]


@pytest.mark.parametrize(("former", "chosen", "status"), ROWS)
def test_a_new_address_gets(former: MemberStatus, chosen: NewStatus, status: str | None) -> None:
    assert status_after_address_change(former, chosen) == status


@pytest.mark.parametrize("chosen", CHOICES)
def test_nobody_who_was_not_subscribed_or_bounced_is_subscribed(chosen: NewStatus) -> None:
    subscribed = {
        former
        for former in MemberStatus
        if status_after_address_change(former, chosen) is NewStatus.SUBSCRIBED
    }
    assert subscribed <= {MemberStatus.SUBSCRIBED, MemberStatus.CLEANED}


def test_an_update_that_meets_nobody_makes_nobody_who_is_mailed() -> None:
    assert IF_VANISHED is NewStatus.UNSUBSCRIBED
