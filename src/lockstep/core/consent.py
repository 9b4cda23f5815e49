"""Which status a write may carry. Nothing outside this module names a status for a write.

There is no function here that yields a status for somebody who is in the
audience: existing members' statuses are never written (P1). What is decided
here is only the status of somebody *new*, and what stands in `status_if_new`
of an update, where Mailchimp's validator demands one (contract 5).
"""

from __future__ import annotations

import enum

from lockstep.core.member import MemberStatus


class NewStatus(enum.StrEnum):
    """What the admin may choose for people new to the audience (S2)."""

    SUBSCRIBED = "subscribed"
    PENDING = "pending"
    TRANSACTIONAL = "transactional"
    UNSUBSCRIBED = "unsubscribed"
    """Not offered to the admin: only carried over when an opted-out person's address changes."""


IF_VANISHED = NewStatus.UNSUBSCRIBED
"""`status_if_new` of an update: the member exists, so it is unused; should the member have vanished
meanwhile, the least is done: nobody is ever mailed because of a race."""


def status_after_address_change(former: MemberStatus, chosen: NewStatus) -> NewStatus | None:
    """The status for a contact's new address when the former member can't be renamed.

    A person's “no” goes with the person. None means: do not add by ourselves.

    | former        | new address gets                                          |
    | ------------- | --------------------------------------------------------- |
    | subscribed    | what the admin chose                                      |
    | cleaned       | what the admin chose: the address bounced, nobody said no |
    | unsubscribed  | unsubscribed                                              |
    | pending       | pending, or transactional if that was chosen              |
    | transactional | transactional                                             |
    | archived      | nothing: archived hides an unsubscribe (contract 4.4)     |
    """
    match former:
        case MemberStatus.SUBSCRIBED | MemberStatus.CLEANED:
            return chosen
        case MemberStatus.UNSUBSCRIBED:
            return NewStatus.UNSUBSCRIBED
        case MemberStatus.PENDING:
            return NewStatus.TRANSACTIONAL if chosen is NewStatus.TRANSACTIONAL else NewStatus.PENDING
        case MemberStatus.TRANSACTIONAL:
            return NewStatus.TRANSACTIONAL
        case MemberStatus.ARCHIVED:
            return None
