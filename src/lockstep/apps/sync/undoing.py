"""The database's side of an undo: what a run did, what became of taking it back (`core.undoing.UndoStore`).

Reads the events of the run to undo beside the mirror; writes events of the undo
run, so that a contact whose outcome is recorded is not gone through again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import msgspec
from django.db.models import Exists, OuterRef

from lockstep.apps.connections.models import Connection
from lockstep.apps.sync import events, mirror, recording, slices
from lockstep.apps.sync.models import PlanRow, SyncEvent, SyncRun
from lockstep.apps.sync.rows import execute_rows
from lockstep.apps.sync.store import PostgresStore
from lockstep.core.field_map import FIELD_SPECS
from lockstep.core.identity import SubscriberHash
from lockstep.core.member import MemberStatus
from lockstep.core.observation import ABSENT, Observation, Present
from lockstep.core.outcome import Applied, Refused
from lockstep.core.plan import UpdateMember
from lockstep.core.ports import Control
from lockstep.core.undo import ArchiveMember, Deed, LeaveMember, UndoCounts, UndoStep, Why, undo_step
from lockstep.core.undoing import SLICE

_POSITIONS = {spec.name: position for position, spec in enumerate(FIELD_SPECS)}
_WROTE = [
    SyncEvent.Kind.ADDED.value,
    SyncEvent.Kind.UPDATED.value,
    SyncEvent.Kind.RENAMED.value,
    SyncEvent.Kind.RELEASED.value,
]


@dataclass(slots=True)
class UndoStore:
    """The memory of one undo run, beside the store that reads the audience for it."""

    store: PostgresStore
    run_id: int
    undone_id: int

    async def deeds_after(self, contact_id: int, limit: int) -> Sequence[tuple[Deed, Observation]]:
        return await self.store.do(
            lambda: deeds_after(self._connection(), self.undone_id, self.run_id, contact_id, limit)
        )

    async def record_undone(self, outcomes: Sequence[Applied | Refused]) -> None:
        await self.store.do(lambda: record_undone(self._connection(), self.run_id, outcomes))

    async def record_archived(self, step: ArchiveMember, refusal: str = "") -> None:
        await self.store.do(lambda: record_archived(self._connection(), self.run_id, step, refusal))

    async def note_passed(self, contact_id: int, left: Sequence[LeaveMember]) -> None:
        def work() -> None:
            SyncRun.objects.filter(pk=self.run_id).update(cursor=contact_id)
            recording.count(self.run_id, done=len(left), unchanged=len(left))

        await self.store.do(work)

    async def record_looks(
        self, looks: Sequence[tuple[SubscriberHash, Observation]], contacts: Sequence[int]
    ) -> None:
        await self.store.record_looks(looks, contacts)

    async def control(self) -> Control:
        return await self.store.control()

    async def plan(self) -> UndoCounts:
        """Write what undoing would do as rows that people browse; returns the numbers. Sends nothing."""
        counts = UndoCounts()
        await self.store.do(lambda: PlanRow.objects.filter(run=self.run_id).delete())
        after = 0
        while part := await self.deeds_after(after, SLICE):
            steps = [undo_step(deed, observed) for deed, observed in part]
            counts.add(steps)
            await self.store.do(partial(write_rows, self.run_id, steps))
            after = part[-1][0].contact_id
        return counts

    def _connection(self) -> Connection:
        return Connection.objects.get(pk=self.store.connection_id)


# --- reading ----------------------------------------------------------------------------------


def deeds_after(
    connection: Connection, undone_id: int, run_id: int, after: int, limit: int
) -> list[tuple[Deed, Observation]]:
    """See `core.undoing.UndoStore.deeds_after`."""
    settled = SyncEvent.objects.filter(run=run_id, contact_id=OuterRef("contact_id"))
    wrote = SyncEvent.objects.filter(run=undone_id, kind__in=_WROTE, contact_id__gt=after)
    contacts = (
        wrote.filter(~Exists(settled))
        .order_by("contact_id")
        .values_list("contact_id", flat=True)
        .distinct()[:limit]
    )
    rows = SyncEvent.objects.filter(run=undone_id, kind__in=_WROTE, contact_id__in=list(contacts))
    deeds: dict[int, Deed] = {}
    for event in rows.order_by("contact_id", "id"):
        deed = _deed(event)
        earlier = deeds.get(deed.contact_id)
        deeds[deed.contact_id] = deed if earlier is None else earlier.and_then(deed)
    observed = slices.read_observed(connection, [deed.member for deed in deeds.values()])
    return [(deed, observed.get(deed.member, ABSENT)) for deed in deeds.values()]


def _deed(event: SyncEvent) -> Deed:
    added = event.kind == SyncEvent.Kind.ADDED
    return Deed(
        contact_id=event.contact_id,
        member=SubscriberHash(event.member_hash),
        overwritten={
            _POSITIONS[name]: (old, new) for name, (old, new) in event.differing.items() if name in _POSITIONS
        },
        added_as=MemberStatus(event.added_as) if event.added_as else None,
        renamed=event.kind == SyncEvent.Kind.RENAMED,
        untold=added and not event.added_as,
    )


# --- recording --------------------------------------------------------------------------------


def record_undone(connection: Connection, run_id: int, outcomes: Sequence[Applied | Refused]) -> None:
    """Fields that were put back, or could not be."""
    applied = [outcome for outcome in outcomes if isinstance(outcome, Applied)]
    refused = [outcome for outcome in outcomes if isinstance(outcome, Refused)]
    mirror.write(connection.pk, [outcome.member for outcome in applied])
    rows: list[events.EventRow] = [
        (o.change.contact_id, SyncEvent.Kind.REFUSED.value, "{}", o.refusal.text, o.change.hash, "")
        for o in refused
    ]
    for outcome in applied:
        change = outcome.change
        differing = msgspec.json.encode(events.differing_by_name(change)).decode()
        rows.append(
            (change.contact_id, SyncEvent.Kind.RESTORED.value, differing, "", outcome.member.hash, "")
        )
    events.write_rows(connection, run_id, rows)
    recording.count(run_id, done=len(rows), updated=len(applied), refused=len(refused))


def record_archived(connection: Connection, run_id: int, step: ArchiveMember, refusal: str = "") -> None:
    """A member that the undone run had added is archived, or Mailchimp refused to."""
    kind = SyncEvent.Kind.REFUSED if refusal else SyncEvent.Kind.ARCHIVED
    events.write_rows(connection, run_id, [(step.contact_id, kind.value, "{}", refusal, step.hash, "")])
    recording.count(run_id, done=1, archived=int(not refusal), refused=int(bool(refusal)))
    if refusal:
        return
    here = slices.read_observed(connection, [step.hash]).get(step.hash)
    if isinstance(here, Present):
        mirror.write(connection.pk, [replace(here.member, status=MemberStatus.ARCHIVED)])


# --- the plan, as rows ------------------------------------------------------------------------


def write_rows(run_id: int, steps: Sequence[UndoStep]) -> None:
    """One row a contact: what would be done, old and new value, or why nothing is."""
    execute_rows(
        """INSERT INTO sync_planrow (run_id, contact_id, step, differing, text)
           SELECT %(run)s, n.contact_id, n.step, n.differing::jsonb, n.text FROM n""",
        [("contact_id", "bigint"), ("step", "text"), ("differing", "text"), ("text", "text")],
        [_plan_row(step) for step in steps],
        {"run": run_id},
    )


def _plan_row(step: UndoStep) -> tuple[int, str, str, str]:
    match step:
        case UpdateMember():
            differing = msgspec.json.encode(events.differing_by_name(step)).decode()
            return step.contact_id, PlanRow.Step.PUT_BACK.value, differing, ""
        case ArchiveMember():
            return step.contact_id, PlanRow.Step.TO_ARCHIVE.value, "{}", step.status.value
        case LeaveMember():
            fields = ", ".join(FIELD_SPECS[position].label for position in step.fields)
            return step.contact_id, PlanRow.Step.LEFT.value, "{}", LEFT_WORDS[step.why].format(fields=fields)


LEFT_WORDS: dict[Why, str] = {
    Why.AS_BEFORE: "Holds what it held before the run",
    Why.CHANGED: "Changed since the run: {fields}",
    Why.RENAMED: "The run changed the address in Mailchimp. Correct the address in the book instead",
    Why.STATUS: "Subscribed, confirmed or unsubscribed since the run added them",
    Why.UNCONFIRMED: "Has not confirmed yet; Mailchimp archives nobody who is pending",
    Why.KEPT: "Added by the run and kept",
    Why.UNTOLD: "Came into the audience in the same moment; what it held before is not known",
    Why.ARCHIVED: "Archived in Mailchimp",
    Why.GONE: "No longer in the audience under that address",
}
"""Why somebody is left as they are, for the page and the file."""
