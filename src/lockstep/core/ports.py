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

    async def write_tag(
        self, tag: str, *, add: Sequence[str], remove: Sequence[str], urgent: bool = False
    ) -> frozenset[str]:
        """Put one tag on members with these addresses and take it off others, up to `BATCH` each way.

        Touches nothing but the tag; makes the tag where there is none yet, and no member. Returns the
        addresses that Mailchimp would not do it for. Raises as `write_batch` does.
        """

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

        They stay marked until `record_plan` is given their receipts. Whoever shares an
        address with them (wanted now, wanted at the last plan, synced, or of a member it follows)
        is in the slice too, without a receipt unless marked itself; also if it is in `but`, so
        that the caller can leave it for later and mark it.
        """

    async def slice_after(self, contact_id: int, limit: int) -> Slice | None:
        """The next `limit` contacts by id, for going through the whole book; None at the end.

        Brings nobody else in: what others claim is in `claimed`.
        """

    async def record_plan(self, part: Slice, plan: Plan) -> None:
        """Every contact's answer, before anything is sent.

        Contacts with a change become uncertain, and the change's key becomes their `sent_key`
        unless it is a release; what was asked stays so until an outcome. A contact answered
        UNCHANGED has its member confirmed: the wanted address becomes its `key`, `sent_key` is
        emptied if it was that address, the refusal if it was for these values (one of a release
        of another member stays). `forget` drops the link. Any answer without a change but
        LOOK and REFUSED_BEFORE ends `asked`. A contact without a `key` whose change releases or
        renames a member (a lost write made it) is linked to that one from now on: `acts_on`.
        Whoever shares an address that a contact wanted at the last plan and wants no more is
        marked, unless in the slice: it may own the member there now.
        Receipts are honoured: a contact marked again since stays marked. A contact answered
        LOOK is marked afterwards in any case and keeps its uncertainty: its work is still to be
        done. Any other answer without a change means that the contact is certain.
        """

    async def record_outcomes(self, outcomes: Sequence[Outcome], again: Sequence[int] = ()) -> None:
        """Move the synced state, and mark the contacts in `again`, in one transaction.

        `Applied` stores the member in the mirror; of a `TagMember` only its tags, and what was
        taken off is no longer remembered as written. A member that was known under another address moves,
        as with `record_observed`. A release leaves the contact's `key` as it
        is and empties its digest; any other change makes its key the contact's, and ends
        refusal, `asked` and `sent_key`. `Refused` stores the refusal with the change's digest
        and address, and ends `asked`. `Stale` and `Lost` leave the contact uncertain, so
        that its members are looked at; all others end that.
        """

    async def record_observed(self, members: Sequence[ObservedMember]) -> None:
        """What a page, a look or a webhook told; a member known under another address moves.

        Contacts planned before, and whose member (at the address wanted at the last plan, at the
        synced one, at `sent_key`, or with the same `contact_key`) is not as it was known (there or
        not, address, status, our values), are marked. A contact whose `contact_key` is not known
        yet learns it from the member at its synced address; what a poorer source leaves out (a
        batch answer has no `contact_key`, contract 5) stays as it was known.

        A member that is not as it was known, reads Active, and names a contact in its Contact URL is
        that contact's to release, as after `finish_audit`, unless a write for it may be under way.
        """

    async def record_looks(
        self, looks: Sequence[tuple[SubscriberHash, Observation]], contacts: Sequence[int]
    ) -> None:
        """What single looks told, marking as `record_observed` does; `Unknown` tells nothing.

        The contacts given had all their members seen: they are certain again. Nothing
        else of theirs changes; `sent_key` stays for the planner to judge.
        """

    async def begin_audit(self) -> None:
        """From here on, members not seen until `finish_audit` count as absent then."""

    async def finish_audit(self) -> int:
        """The reading was complete: members not seen are absent; returns how many there are.

        From now on a member that nobody knows is `Absent`; before the first complete reading it is
        `Unknown`. Contacts whose member turned out absent are marked as in `record_observed`.

        The safety net for what nothing else remembers: a member that reads Active and names a
        contact in its Contact URL, while that contact is not linked to it and no contact that fits
        owns it, becomes that contact's `sent_key`, and the contact is marked.
        """

    async def recover(self) -> None:
        """Mark contacts that a worker left uncertain when it died. Called when no call is under way."""

    async def look_again(self, contact_ids: Sequence[int]) -> None:
        """Mark contacts so that `next_slice` will bring them."""

    async def control(self) -> Control: ...


__all__ = ["BATCH", "Audience", "BatchChange", "Clock", "Control", "Store"]
