"""When a connection is looked at again, and what such a look does: polls, audits, hints, patience.

What a scheduler decides, apart from where it keeps its notes: the worker on PostgreSQL and the
simulation (`lockstep.simulation`) use the same lines.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from lockstep.core.guards import Census
from lockstep.core.identity import SubscriberHash
from lockstep.core.plan import Answer, Plan, PlanCounts, RenameMember, UpdateMember
from lockstep.core.planner import Slice
from lockstep.core.ports import Audience, Clock, Store

POLL_EVERY = timedelta(seconds=60)
POLL_OVERLAP = timedelta(minutes=5)
"""How far a poll reaches back behind the last: reads lag writes at Mailchimp (contract trap 38)."""

SINGLY_UP_TO = 200
"""Uncertain contacts up to which each is looked at by itself; more are cheaper read in pages (`clear_up`)."""

AUDIT_EVERY = timedelta(hours=24)

ATTENTION = 1.0
"""Seconds between two looks whether somebody pressed Stop, while waiting for Mailchimp."""


def poll_is_due(last: datetime | None, now: datetime) -> bool:
    return last is None or now - last >= POLL_EVERY


def poll_since(cursor: datetime | None, mirror_complete_at: datetime | None, began: datetime) -> datetime:
    """From when on a poll that begins now reads: the last poll or audit, with overlap."""
    return (cursor or mirror_complete_at or began) - POLL_OVERLAP


async def poll(audience: Audience, store: Store, since: datetime) -> None:
    """Read what changed at Mailchimp since then, archived ones included (contract 4.2, 8)."""
    for archived in (False, True):
        async for page in audience.observe(archived=archived, since=since):
            await store.record_observed(page)


async def clear_up(audience: Audience, store: Store, uncertain: Sequence[int], since: datetime) -> None:
    """After a kill with large calls under way: find out by one reading what became of their contacts.

    `since` is as for `poll`: the mirror was right then, so with what changed since it is right now, also
    for those who are in no page. Each contact is then planned anew. A call of the dead worker that takes
    effect only after the reading comes with the next poll, as it would after single looks.
    """
    await poll(audience, store, since)
    await store.record_looks([], uncertain)
    await store.look_again(uncertain)


async def heed(audience: Audience, store: Store, members: Iterable[SubscriberHash]) -> None:
    """Look at members that somebody named; who is not as known is marked by that."""
    for member in members:
        await store.record_looks([(member, await audience.look(member))], [])


async def be_patient(clock: Clock, store: Store, seconds: float) -> None:
    """Wait for Mailchimp, but not deaf: a Stop ends the wait."""
    while seconds > 0 and not (await store.control()).stop:
        await clock.sleep(min(seconds, ATTENTION))
        seconds -= ATTENTION


@dataclass(slots=True)
class Tally:
    """What the guards want to know of a plan beside its counts, added up over its slices.

    Only updates of members that were in step count as overwriting: one that we turned
    Inactive is expected to come back.
    """

    overwritten: int = 0

    async def look(self, part: Slice, plan: Plan) -> None:
        """A sink for `Engine.plan_everything`."""
        for change in plan.changes:
            synced = part.synced.get(change.contact_id)
            if isinstance(change, UpdateMember | RenameMember) and synced is not None and synced.digest:
                self.overwritten += 1

    def census(self, counts: PlanCounts, *, synced_before: int, observed: int) -> Census:
        return Census(
            synced_before=synced_before,
            observed=observed,
            updates=self.overwritten,
            releases=counts.releases,
            gone=counts.answers[Answer.GONE],
        )
