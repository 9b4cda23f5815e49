"""Every call we make, as a value: method, path, query, body, and how to read the answer. Pure.

`account`, `audience`, `member`, `batch` and `report` hold one builder per call; `call` holds what they
share, and the check that a data centre passes before it becomes part of a host name.
"""

from lockstep.mailchimp.calls import account, audience, batch, member, report
from lockstep.mailchimp.calls.call import (
    PAGE_SIZE,
    Call,
    Repeat,
    base_address,
    check_datacenter,
    datacenter_of_key,
)

__all__ = [
    "PAGE_SIZE",
    "Call",
    "Repeat",
    "account",
    "audience",
    "base_address",
    "batch",
    "check_datacenter",
    "datacenter_of_key",
    "member",
    "report",
]
