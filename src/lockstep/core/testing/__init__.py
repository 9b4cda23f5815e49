"""In-memory ports and the promises as checkers: for this project's tests, and for yours.

`MemoryAudience` plays Mailchimp as the engine sees it, `MemoryStore` plays our side's
memory with a small book in front of it, `ManualClock` is time. `crash` runs the engine
and kills it at a chosen await. `promises` says what must hold once changes stop.
"""

from lockstep.core.testing.audience import (
    AudienceCall,
    Fault,
    Faults,
    MemoryAudience,
    MemoryMember,
    StatusChange,
)
from lockstep.core.testing.book import BookContact, MemoryBook
from lockstep.core.testing.clock import ManualClock
from lockstep.core.testing.crash import Killed, Pulse, run_and_kill
from lockstep.core.testing.promises import (
    AudienceMember,
    ContactAnswer,
    broken_promises,
    consent_touched,
    new_members_as_chosen,
)
from lockstep.core.testing.store import MemoryStore

__all__ = [
    "AudienceCall",
    "AudienceMember",
    "BookContact",
    "ContactAnswer",
    "Fault",
    "Faults",
    "Killed",
    "ManualClock",
    "MemoryAudience",
    "MemoryBook",
    "MemoryMember",
    "MemoryStore",
    "Pulse",
    "StatusChange",
    "broken_promises",
    "consent_touched",
    "new_members_as_chosen",
    "run_and_kill",
]
