"""What the engine needs from outside: an audience, a store, a clock. Values only, no I/O here."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from lockstep.core.identity import SubscriberHash
from lockstep.core.member import ObservedMember
from lockstep.core.observation import Observation
from lockstep.core.outcome import Outcome
from lockstep.core.plan import AddMember, Change, Plan, ReleaseMember, UpdateMember
from lockstep.core.planner import Slice

BatchChange = AddMember | UpdateMember | ReleaseMember

BATCH = 500
"""Members a call (contract 5, 7)."""


class Clock(Protocol):
    def now(self) -> datetime:
        """The time, with a zone."""

    async def sleep(self, seconds: float) -> None: ...


class Audience(Protocol):
    """One Mailchimp audience, seen through our fields.

    Every method may raise `AudienceUnavailable` (nothing took effect, try later) and
    `ConnectionBroken` (a person must act). Waiting for a free place under the
    account's gate and the retries that are surely harmless happen inside.
    """

    def observe(self, *, archived: bool, since: datetime | None) -> AsyncIterator[Sequence[ObservedMember]]:
        """Pages of members: all, or those changed after `since`; archived ones need their own pass
        (contract 4.2). A member that is there for the whole reading is in some page; one may be in two."""

    async def look(self, member: SubscriberHash) -> Observation:
        """One member, read now. Never raises for “not there”: that is `Absent`."""

    async def write_batch(self, changes: Sequence[BatchChange], *, urgent: bool = False) -> list[Outcome]:
        """Up to `BATCH` changes in one call, at most one a hash; one outcome each, in order.

        Never carries a status for somebody who is there. Raises `BatchRefused`
        when the call as a whole was refused, `AnswerLost` when its answer was.
        """

    async def write_one(self, change: Change, *, urgent: bool = False) -> Outcome:
        """One change in a call of its own; `Lost` is an outcome here, not an exception."""

    async def archive_stray(self, member: SubscriberHash) -> None:
        """Archive a member that an update of ours has just created by accident (the member had vanished)."""

    async def batches_keep_status(self) -> bool:
        """Prove on a controlled address that this Mailchimp honours `status_if_new` in batches
        (contract 0, canary test)."""


@dataclass(frozen=True, slots=True)
class Control:
    """What people want of a run, read between calls."""

    stop: bool = False
    changes_wait: bool = False
    """The book changed: look at that before going on with the bulk."""


class Store(Protocol):
    """Our side's memory. Each call is one transaction; a call that raises changed nothing."""

    async def next_slice(self, limit: int, but: Set[int]) -> Slice | None:
        """Contacts that something said to look at again, without those in `but`, or None.

        They stay marked until `record_plan` is given their receipts. Whoever
        shares an address with them is in the slice too.
        """

    async def slice_after(self, contact_id: int, limit: int) -> Slice | None:
        """The next `limit` contacts by id, for going through the whole book; None at the end.

        Brings nobody else in: what others claim is in `claimed`.
        """

    async def record_plan(self, part: Slice, plan: Plan) -> None:
        """Every contact's answer; contacts with a change become uncertain, with the change's key as
        `sent_key`, before anything is sent."""

    async def record_outcomes(self, outcomes: Sequence[Outcome]) -> None:
        """Move the synced state. `Lost` leaves contacts uncertain; `NotTried` clears it again."""

    async def record_observed(self, members: Sequence[ObservedMember]) -> None:
        """What a page, a look or a webhook told; a member known under another address moves."""

    async def record_looks(
        self, looks: Sequence[tuple[SubscriberHash, Observation]], contacts: Sequence[int]
    ) -> None:
        """What single looks told, for whose sake.

        The contacts are certain again. Where the member that their lost write
        was for is there now, it is theirs: `synced.key` becomes `sent_key`.
        """

    async def begin_audit(self) -> None:
        """From here on, members not seen until `finish_audit` count as absent then."""

    async def finish_audit(self) -> int:
        """The reading was complete: forget members not seen, return how many there are."""

    async def recover(self) -> None:
        """Mark contacts that a worker left uncertain when it died. Called when no call is under way."""

    async def look_again(self, contact_ids: Sequence[int]) -> None:
        """Mark contacts so that `next_slice` will bring them."""

    async def control(self) -> Control: ...


__all__ = ["BATCH", "Audience", "BatchChange", "Clock", "Control", "Store"]
