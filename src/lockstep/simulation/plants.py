"""The defects that are planted on purpose: each breaks one careful choice of the sync."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence, Set
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from lockstep.bridge import audience as bridge_audience
from lockstep.bridge import canary, failures
from lockstep.core import planner, rhythm, sending
from lockstep.core.errors import AudienceUnavailable, BatchRefused
from lockstep.core.identity import SubscriberHash
from lockstep.core.member import DesiredMember, MemberStatus, ObservedMember, Reason, SyncedMember, SyncState
from lockstep.core.observation import ABSENT, Observation
from lockstep.core.outcome import Applied, Lost, NotTried, Outcome, Refusal, RefusalKind, Refused
from lockstep.core.plan import Answer, Change, Plan, PlanCounts
from lockstep.core.planner import Slice
from lockstep.core.pool import CallPool
from lockstep.core.sending import Sender as Sending
from lockstep.core.testing import book, store
from lockstep.mailchimp.sending import Sender as Client
from lockstep.simulation.desk import Desk
from lockstep.simulation.store import SimulatedStore

Patch = tuple[object, str, Any]
"""Where, which name, what instead."""

# --- consent and what is ours ------------------------------------------------------------------------


def _send_status() -> list[Patch]:
    """Every write of a member says `subscribed` too, as many integrations do."""
    before = Client._send_once

    async def send_once(self: Client, call: Any) -> Any:
        if call.method in ("PUT", "PATCH", "POST") and call.body and call.name.startswith("members."):
            body = json.loads(call.body)
            for item in body.get("members", [body]):
                item["status"] = "subscribed"
            call = replace(call, body=json.dumps(body).encode())
        return await before(self, call)

    return [(Client, "_send_once", send_once)]


def _write_others_fields() -> list[Patch]:
    """Every write names a field of somebody else too."""
    before = Client._send_once

    async def send_once(self: Client, call: Any) -> Any:
        if call.body and b'"merge_fields":{' in call.body:
            call = replace(
                call, body=call.body.replace(b'"merge_fields":{', b'"merge_fields":{"FNAME":"Ours",')
            )
        return await before(self, call)

    return [(Client, "_send_once", send_once)]


def _believe_the_canary() -> list[Patch]:
    """Batches are used without proof that they leave statuses alone."""

    async def keeps(*_: object) -> bool:
        return True

    return [(canary, "batches_keep_status", keeps)]


def _ignore_the_flag_of_others() -> list[Patch]:
    """No Marketing on one contact is of no account for another with the same address."""
    return [
        (planner._Planner, "_is_silenced", lambda self, member: False),
        (book.BookView, "_reason", _own_reason),
    ]


_true_reason = book.BookView._reason


def _own_reason(self: book.BookView, contact: book.BookContact) -> Any:
    alone = book.BookView(self.book, {contact.key: [contact]})
    return _true_reason(alone, contact)


# --- looking ------------------------------------------------------------------------------------------


def _forget_the_archived_pass() -> list[Patch]:
    """Archived members are not read: they need a pass of their own."""
    before = bridge_audience.MailchimpAudience.observe

    async def observe(
        self: bridge_audience.MailchimpAudience, *, archived: bool, since: datetime | None
    ) -> AsyncIterator[Sequence[ObservedMember]]:
        if not archived:
            async for page in before(self, archived=archived, since=since):
                yield page

    return [(bridge_audience.MailchimpAudience, "observe", observe)]


def _no_overlap() -> list[Patch]:
    """A poll goes on exactly where the last one began, and believes that reads are never stale."""
    made = bridge_audience.MailchimpAudience.__init__
    return [(rhythm, "POLL_OVERLAP", timedelta()), (made, "__kwdefaults__", {"poll_overlap": timedelta()})]


def _unknown_is_absent() -> list[Patch]:
    """“Could not ask” is taken for “not there”."""
    before = bridge_audience.MailchimpAudience.look

    async def look(self: bridge_audience.MailchimpAudience, member: SubscriberHash) -> Observation:
        try:
            return await before(self, member)
        except AudienceUnavailable:
            return ABSENT

    return [(bridge_audience.MailchimpAudience, "look", look)]


def _act_without_looking() -> list[Patch]:
    """A contact whose last write has no known outcome is planned as if it had one."""

    def unknown(self: object, wanted: DesiredMember, synced: SyncedMember) -> tuple[SubscriberHash, ...]:
        return ()

    return [(planner._Planner, "_unknown", unknown)]


def _never_poll() -> list[Patch]:
    """Only the first poll is made; webhooks must do."""
    return [(rhythm, "poll_is_due", lambda last, now: last is None)]


def _forget_to_mark() -> list[Patch]:
    """What a webhook led to is stored, and nobody is marked: no poll finds it changed again."""
    before = SimulatedStore.record_looks

    async def record_looks(self: SimulatedStore, looks: Any, contacts: Sequence[int]) -> None:
        marks = dict(self.marks)
        await before(self, looks, contacts)
        if not contacts:  # as `rhythm.heed` asks
            self.marks = marks

    return [(SimulatedStore, "record_looks", record_looks)]


# --- planning -----------------------------------------------------------------------------------------


def _try_the_refused_again() -> list[Patch]:
    """What was refused for good is sent again with every run."""
    return [(planner, "_remembered", lambda synced, digest, there=False: False)]


def _try_compliance_again() -> list[Patch]:
    """Somebody whom only the person can bring back is sent again with every run."""
    before = planner._remembered

    def remembered(synced: SyncedMember, digest: bytes, *, there: bool = False) -> bool:
        kind = synced.refusal.kind if synced.refusal else None
        return kind is not RefusalKind.COMPLIANCE and before(synced, digest, there=there)

    return [(planner, "_remembered", remembered)]


def _count_wrong() -> list[Patch]:
    """Contacts that were refused before are not counted in the plan."""
    before = PlanCounts.add

    def add(self: PlanCounts, plan: Plan) -> None:
        skips = tuple(skip for skip in plan.skips if skip.answer is not Answer.REFUSED_BEFORE)
        before(self, replace(plan, skips=skips))

    return [(PlanCounts, "add", add)]


def _ignore_no_marketing() -> list[Patch]:
    """No Marketing is of no account."""
    before = book.BookView._reason

    def reason(self: book.BookView, contact: book.BookContact) -> Reason:
        found = before(self, contact)
        return Reason.FITS if found is Reason.NO_MARKETING and "@" in contact.key else found

    return [(book.BookView, "_reason", reason)]


def _write_to_the_archived() -> list[Patch]:
    """An archived member is somebody like any other."""
    return [(ObservedMember, "archived", property(lambda self: False))]


def _never_release() -> list[Patch]:
    """Whoever leaves the scope stays Active."""
    return [(planner._Planner, "_release", lambda self, wanted, synced, member: None)]


def _forget_former_rivals() -> list[Patch]:
    """Nobody looks at those who shared an address that was left."""
    return [(store.MemoryStore, "_mark_former_rivals", lambda self, part: None)]


# --- applying and recording -----------------------------------------------------------------------------


def _take_lost_for_done() -> list[Patch]:
    """A write without an answer counts as one that was not needed."""
    before = Sending._record

    async def record(self: Sending, outcomes: Sequence[Outcome]) -> None:
        lost = [outcome for outcome in outcomes if isinstance(outcome, Lost)]
        await self.store.record_outcomes([NotTried(outcome.change) for outcome in lost])
        await before(self, [outcome for outcome in outcomes if not isinstance(outcome, Lost)])

    return [(Sending, "_record", record)]


def _do_not_halve() -> list[Patch]:
    """A call that is refused as a whole fails everybody in it."""

    async def halves(self: Sending, batch: Sequence[Change], urgent: bool) -> None:
        await self._record(
            [Refused(c, Refusal(RefusalKind.OTHER, "The call was refused.", digest=c.digest)) for c in batch]
        )

    return [(Sending, "_send_halves", halves)]


def _refused_as_a_whole_stops() -> list[Patch]:
    """A call that is refused as a whole stops the run."""

    async def halves(self: Sending, batch: Sequence[Change], urgent: bool) -> None:
        raise BatchRefused("The call was refused.")

    return [(Sending, "_send_halves", halves)]


def _believe_every_200() -> list[Patch]:
    """The errors of single members in a batch's answer are not read."""

    def outcome(item: object, change: Change, tags: object) -> Outcome:
        member = ObservedMember(change.hash, change.email, MemberStatus.SUBSCRIBED, change.values)
        return Applied(change, member)

    return [(failures, "item_outcome", outcome)]


def _synced_before_the_outcome() -> list[Patch]:
    """A contact is noted as synced before anything was sent."""
    before = store.MemoryStore._record_change

    def record(self: store.MemoryStore, wanted: DesiredMember, change: Change) -> None:
        before(self, wanted, change)
        made = self.records[wanted.contact_id]
        made.synced = replace(made.synced, key=change.key, digest=change.digest, uncertain=False)
        made.state = SyncState.SYNCED if wanted.fits else None

    return [(store.MemoryStore, "_record_change", record)]


def _ignore_busy_members() -> list[Patch]:
    """Who is being written is planned and written again meanwhile."""
    nobody: Callable[[CallPool], frozenset[Any]] = lambda self: frozenset()  # noqa: E731
    return [(CallPool, "busy_contacts", property(nobody)), (CallPool, "busy_members", property(nobody))]


def _delete_marks_before_the_work() -> list[Patch]:
    """Marks go when they are read, not when the plan is recorded."""
    before = SimulatedStore.next_slice

    async def next_slice(self: SimulatedStore, limit: int, but: Set[int]) -> Slice | None:
        part = await before(self, limit, but)
        for contact_id in part.receipts if part else ():
            self.marks.pop(contact_id, None)
        return part

    return [(SimulatedStore, "next_slice", next_slice)]


def _do_not_recover() -> list[Patch]:
    """What a killed worker left uncertain is nobody's business."""

    async def recover(self: SimulatedStore) -> None: ...

    return [(SimulatedStore, "recover", recover)]


def _believe_what_was_not_sent() -> list[Patch]:
    """The answer's other fields are of no interest."""
    return [(sending, "_is_as_wanted", lambda outcome: True)]


def _revive_ended_runs() -> list[Patch]:
    """A worker that stood still begins a run again that another has ended."""

    def begin(self: Desk, run: Any, state: Any) -> None:
        run.state = state

    return [(Desk, "must_be_open", lambda self, run: None), (Desk, "begin", begin)]


PLANTS: Mapping[str, Callable[[], list[Patch]]] = {
    "send-status": _send_status,
    "write-others-fields": _write_others_fields,
    "believe-the-canary": _believe_the_canary,
    "ignore-the-flag-of-others": _ignore_the_flag_of_others,
    "forget-the-archived-pass": _forget_the_archived_pass,
    "no-overlap": _no_overlap,
    "unknown-is-absent": _unknown_is_absent,
    "act-without-looking": _act_without_looking,
    "never-poll": _never_poll,
    "forget-to-mark": _forget_to_mark,
    "try-the-refused-again": _try_the_refused_again,
    "try-compliance-again": _try_compliance_again,
    "count-wrong": _count_wrong,
    "ignore-no-marketing": _ignore_no_marketing,
    "write-to-the-archived": _write_to_the_archived,
    "never-release": _never_release,
    "forget-former-rivals": _forget_former_rivals,
    "take-lost-for-done": _take_lost_for_done,
    "do-not-halve": _do_not_halve,
    "refused-whole-stops": _refused_as_a_whole_stops,
    "believe-every-200": _believe_every_200,
    "synced-before-the-outcome": _synced_before_the_outcome,
    "ignore-busy-members": _ignore_busy_members,
    "delete-marks-before-the-work": _delete_marks_before_the_work,
    "do-not-recover": _do_not_recover,
    "believe-what-was-not-sent": _believe_what_was_not_sent,
    "revive-ended-runs": _revive_ended_runs,
}
