"""Carries an undo out: slices of deeds in the order of contacts, the same calls and pool as the engine's.

Killed at any await it loses nothing: a contact whose outcome was recorded does
not come again, and for all others `undo_step` looks at the member, not at what
may have been sent. An answer that was lost is looked after before anything is
repeated; a call refused as a whole is halved until the culprit is alone (P5).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

from lockstep.core.engine import StopAsked
from lockstep.core.errors import AnswerLost, AudienceUnavailable, BatchRefused
from lockstep.core.identity import SubscriberHash
from lockstep.core.member import MemberStatus
from lockstep.core.observation import Observation
from lockstep.core.outcome import ONLY_NEWCOMERS, Applied, Outcome, Refusal, RefusalKind, Refused
from lockstep.core.plan import UpdateMember
from lockstep.core.pool import CallPool
from lockstep.core.ports import BATCH, Audience, Control
from lockstep.core.undo import ArchiveMember, Deed, LeaveMember, UndoStep, Why, undo_step

SLICE = 4 * BATCH
WIDTH = 6
"""Calls at once: less than a sync takes, nobody waits for an undo."""
ROUNDS = 4
"""How often a slice is looked at again for want of answers, before the run waits."""
LATER = 60.0


class UndoAudience(Audience, Protocol):
    """An audience in which members that a run added can be archived."""

    async def archive_added(self, member: SubscriberHash, status: MemberStatus) -> bool:
        """Archive the member if it is there with that status, read now; False, and nothing done, if not.

        Raises `BatchRefused` where Mailchimp refuses to archive a member with that status."""


class UndoStore(Protocol):
    """The memory of an undo. Each call is one transaction."""

    async def deeds_after(self, contact_id: int, limit: int) -> Sequence[tuple[Deed, Observation]]:
        """What the run to undo did, by contact, behind a contact id, with the mirror of each member;
        without contacts of which this undo has recorded an outcome. Empty at the end."""

    async def record_undone(self, outcomes: Sequence[Applied | Refused]) -> None:
        """Outcomes of one call: the mirror, events and counts move."""

    async def record_archived(self, step: ArchiveMember, refusal: str = "") -> None:
        """The member is archived; with `refusal`, in Mailchimp's words, it is not."""

    async def note_passed(self, contact_id: int, left: Sequence[LeaveMember]) -> None:
        """Everybody up to this contact has an answer; these were left as they are."""

    async def record_looks(
        self, looks: Sequence[tuple[SubscriberHash, Observation]], contacts: Sequence[int]
    ) -> None: ...

    async def control(self) -> Control: ...


@dataclass(slots=True)
class Undoing:
    """One undo run. `archive`: the person said that whom the run added is to be archived."""

    audience: UndoAudience
    store: UndoStore
    archive: bool
    batches: bool = False
    _again: list[SubscriberHash] = field(default_factory=list)
    """Members whose last call left open what they are."""

    async def carry_out(self, after: int = 0) -> None:
        """Everything behind a contact id. Raises `StopAsked`, `AudienceUnavailable`, `ConnectionBroken`."""
        rounds = 0
        while part := await self.store.deeds_after(after, SLICE):
            steps = [undo_step(deed, observed) for deed, observed in part]
            self._again.clear()
            await self._send(steps)
            if self._again:
                rounds += 1
                if rounds >= ROUNDS:
                    raise AudienceUnavailable(LATER, f"{len(self._again)} members went unanswered.")
                await self._look_again()
                continue
            rounds = 0
            after = part[-1][0].contact_id
            left = [step for step in steps if isinstance(step, LeaveMember)]
            if not self.archive:
                added = (step.contact_id for step in steps if isinstance(step, ArchiveMember))
                left += [LeaveMember(contact, Why.KEPT) for contact in added]
            await self.store.note_passed(after, left)

    async def _send(self, steps: Sequence[UndoStep]) -> None:
        updates = [step for step in steps if isinstance(step, UpdateMember)]
        archives = [step for step in steps if isinstance(step, ArchiveMember)] if self.archive else []
        size = BATCH if self.batches else 1
        calls: list[Callable[[], Awaitable[None]]] = [
            partial(self._put_back, updates[start : start + size]) for start in range(0, len(updates), size)
        ]
        calls += [partial(self._archive, step) for step in archives]
        pool = CallPool(WIDTH, extra=0)
        for call in calls:
            if not await pool.submit(call, (), (), urgent=False):
                break
        await pool.drain()

    async def _put_back(self, batch: Sequence[UpdateMember]) -> None:
        await self._stop_if_asked()
        outcomes: list[Outcome]
        try:
            if len(batch) == 1:
                outcomes = [await self.audience.write_one(batch[0])]
            else:
                outcomes = await self.audience.write_batch(batch)
        except AnswerLost:
            self._again += [change.hash for change in batch]
            return
        except BatchRefused as error:
            if len(batch) > 1:
                middle = len(batch) // 2
                await self._put_back(batch[:middle])
                await self._put_back(batch[middle:])
                return
            outcomes = [Refused(batch[0], Refusal(RefusalKind.OTHER, error.raw, digest=batch[0].digest))]
        settled = [o for o in outcomes if isinstance(o, Applied | Refused) and _settles(o)]
        await self.store.record_undone(settled)
        for outcome in outcomes:
            if isinstance(outcome, Applied) and outcome.created:
                # It had vanished, and this call made it anew: away with it.
                await self.audience.archive_stray(outcome.member.hash)
            if not _settles(outcome):
                self._again.append(outcome.change.hash)

    async def _archive(self, step: ArchiveMember) -> None:
        await self._stop_if_asked()
        try:
            archived = await self.audience.archive_added(step.hash, step.status)
        except BatchRefused as error:
            await self.store.record_archived(step, error.raw)
            return
        if archived:
            await self.store.record_archived(step)
        else:
            self._again.append(step.hash)

    async def _look_again(self) -> None:
        looks = []
        for member in dict.fromkeys(self._again):
            await self._stop_if_asked()
            looks.append((member, await self.audience.look(member)))
        await self.store.record_looks(looks, ())

    async def _stop_if_asked(self) -> None:
        if (await self.store.control()).stop:
            raise StopAsked


def _settles(outcome: Outcome) -> bool:
    """Whether the outcome says how the member is: else it is unanswered or no longer there, so look."""
    if isinstance(outcome, Applied):
        return not outcome.created
    return isinstance(outcome, Refused) and outcome.refusal.kind not in ONLY_NEWCOMERS
