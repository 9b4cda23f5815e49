"""What moves the records: plans give every contact its answer, outcomes move the synced state."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from django.db.models import Case, F, When
from django.db.models.functions import Least
from django.utils import timezone

from lockstep.apps.connections.models import Connection
from lockstep.apps.sync import mirror, written_tags
from lockstep.apps.sync.events import write_events
from lockstep.apps.sync.models import SyncRun
from lockstep.apps.sync.rows import execute_rows
from lockstep.core.identity import SubscriberHash, address_key
from lockstep.core.member import DesiredMember, ObservedMember, Reason, SyncState, state_of
from lockstep.core.observation import Absent, Observation, Present
from lockstep.core.outcome import Applied, NotTried, Outcome, Refused
from lockstep.core.plan import (
    AddMember,
    Answer,
    Plan,
    ReleaseMember,
    RenameMember,
    Skip,
    TagMember,
    UpdateMember,
    acts_on,
    owns,
    tags_follow,
)
from lockstep.core.planner import Slice

# --- plans ------------------------------------------------------------------------------------

_PLAN_COLUMNS = [
    ("contact_id", "bigint"),
    ("reason", "text"),
    ("state", "text"),
    ("wanted_key", "text"),
    ("wanted_digest", "bytea"),
    ("sending", "boolean"),
    ("sent_key", "text"),
    ("gone", "boolean"),
    ("link", "text"),
    ("member_hash", "text"),
    ("contact_key", "text"),
]

_PLAN = """
INSERT INTO sync_memberrecord AS r (
    company_id, connection_id, contact_id, reason, state, wanted_key, wanted_digest, uncertain, sent_key,
    gone, synced_key, synced_digest, member_hash, contact_key, first_synced_at, synced_at,
    asked, created_by_us, refusal_kind, refusal_text, refusal_field, refusal_digest)
SELECT %(company)s, %(connection)s, n.contact_id, n.reason, n.state, n.wanted_key, n.wanted_digest,
    n.sending, n.sent_key, n.gone,
    CASE WHEN n.link = 'adopt' THEN n.wanted_key ELSE '' END,
    CASE WHEN n.link = 'adopt' THEN n.wanted_digest ELSE ''::bytea END,
    n.member_hash, n.contact_key,
    CASE WHEN n.link = 'adopt' THEN %(now)s::timestamptz END,
    CASE WHEN n.link = 'adopt' THEN %(now)s::timestamptz END,
    FALSE, FALSE, '', '', '', ''::bytea
FROM n
ON CONFLICT (connection_id, contact_id) DO UPDATE SET
    reason = excluded.reason, state = excluded.state,
    wanted_key = excluded.wanted_key, wanted_digest = excluded.wanted_digest,
    gone = excluded.gone,
    {link}
"""

_SETTLED = "uncertain = FALSE, asked = FALSE"

_LINKS = {
    # Something is about to be sent: from now on the contact is uncertain.
    "send": """uncertain = TRUE, asked = r.asked,
        sent_key = CASE WHEN excluded.sent_key <> '' THEN excluded.sent_key ELSE r.sent_key END""",
    # Members must be looked at first: what is uncertain stays so, what was asked is still asked.
    "look": "asked = r.asked",
    # The member is there and holds what the book says.
    "adopt": f"""{_SETTLED},
        sent_key = CASE WHEN r.sent_key = excluded.wanted_key THEN '' ELSE r.sent_key END,
        synced_key = excluded.synced_key, synced_digest = excluded.synced_digest,
        member_hash = excluded.member_hash,
        contact_key = CASE WHEN excluded.contact_key <> '' THEN excluded.contact_key
            WHEN r.member_hash = excluded.member_hash THEN r.contact_key ELSE '' END,
        first_synced_at = coalesce(r.first_synced_at, excluded.first_synced_at),
        synced_at = CASE WHEN (r.synced_key, r.synced_digest) IS DISTINCT FROM
            (excluded.synced_key, excluded.synced_digest) THEN excluded.synced_at ELSE r.synced_at END,
        refusal_kind = CASE WHEN r.refusal_digest = excluded.wanted_digest THEN '' ELSE r.refusal_kind END,
        refusal_text = CASE WHEN r.refusal_digest = excluded.wanted_digest THEN '' ELSE r.refusal_text END,
        refusal_field = CASE WHEN r.refusal_digest = excluded.wanted_digest THEN '' ELSE r.refusal_field END,
        refusal_digest = CASE WHEN r.refusal_digest = excluded.wanted_digest THEN ''::bytea
            ELSE r.refusal_digest END""",
    # The member belongs to somebody else now.
    "forget": f"""{_SETTLED}, sent_key = '', synced_key = '', synced_digest = ''::bytea,
        member_hash = '', contact_key = ''""",
    # Refused before, and the same still stands.
    "refused": "uncertain = FALSE",
    # Any other answer leaves the link as it was.
    "answer": f"""{_SETTLED}, member_hash = CASE WHEN excluded.gone THEN ''
        WHEN excluded.member_hash <> '' THEN excluded.member_hash ELSE r.member_hash END""",
}


# A member that a lost write made is the contact's, once it is renamed or released.
_LINK = """
UPDATE sync_memberrecord r SET synced_key = n.key FROM n
WHERE r.connection_id = %(connection)s AND r.contact_id = n.contact_id AND r.synced_key = ''
"""

# A contact that leaves an address is often planned alone, without its rivals for it: going through the whole
# book, or brought along for the address that it wants now. Whoever shares the one it left is marked.
_MARK_FORMER_RIVALS = """
WITH former AS (
    SELECT DISTINCT r.wanted_key AS key FROM n JOIN sync_memberrecord r
        ON r.connection_id = %(connection)s AND r.contact_id = n.contact_id
    WHERE r.wanted_key NOT IN ('', n.wanted_key)
), rivals AS (
    SELECT ct.id FROM book_contact ct JOIN former ON ct.email_key = former.key
        WHERE ct.company_id = %(company)s
    UNION SELECT r.contact_id FROM sync_memberrecord r JOIN former ON r.synced_key = former.key
        WHERE r.connection_id = %(connection)s
    UNION SELECT r.contact_id FROM former
        JOIN sync_observedrecord o ON o.connection_id = %(connection)s AND o.member_hash = md5(former.key)
        JOIN sync_memberrecord r ON r.connection_id = %(connection)s AND r.contact_key = o.contact_key
        WHERE o.contact_key <> '' AND r.contact_key <> ''
)
INSERT INTO sync_mark (connection_id, contact_id, marked_at)
SELECT %(connection)s, rivals.id, clock_timestamp() FROM rivals
WHERE NOT EXISTS (SELECT FROM n WHERE n.contact_id = rivals.id)
"""


def record_plan(connection: Connection, run_id: int | None, part: Slice, plan: Plan) -> None:
    """Every contact's answer; see `core.ports.Store.record_plan`."""
    wanted = {member.contact_id: member for member in part.desired}
    rows: dict[str, list[tuple[object, ...]]] = {link: [] for link in _LINKS}
    for change in plan.changes:
        contact = wanted[change.contact_id]
        state = SyncState.PENDING.value if contact.fits else ""
        sent = change.key if owns(change) else ""
        rows["send"].append(_row(contact, state, sent=sent, link="send"))
    for skip in plan.skips:
        link = _link(skip)
        rows[link].append(
            _row(
                wanted[skip.contact_id],
                skip.state.value if skip.state else "",
                link=link,
                gone=skip.answer is Answer.GONE,
                member=_member(part, skip),
            )
        )
    extra = {"company": connection.company_id, "connection": connection.pk, "now": timezone.now()}
    keys = [(contact.contact_id, contact.key) for contact in part.desired]
    execute_rows(_MARK_FORMER_RIVALS, [("contact_id", "bigint"), ("wanted_key", "text")], keys, extra)
    for link, some in rows.items():
        execute_rows(_PLAN.replace("{link}", _LINKS[link]), _PLAN_COLUMNS, some, extra)
    written_tags.remember(connection.pk, plan.changes)
    linked = [(c.contact_id, former) for c in plan.changes if (former := acts_on(c))]
    execute_rows(_LINK, [("contact_id", "bigint"), ("key", "text")], linked, extra)
    looking = [skip.contact_id for skip in plan.skips if skip.answer is Answer.LOOK]
    mark_contacts(connection.pk, looking)
    if run_id is not None:
        answered = Counter(
            skip.answer
            for skip in plan.skips
            if skip.answer is not Answer.LOOK and skip.reason is Reason.FITS
        )
        if part.through:
            SyncRun.objects.filter(pk=run_id).update(cursor=part.through)
        count(run_id, done=answered.total(), unchanged=answered[Answer.UNCHANGED])


def _row(
    contact: DesiredMember,
    state: str,
    *,
    link: str,
    sent: str = "",
    gone: bool = False,
    member: ObservedMember | None = None,
) -> tuple[object, ...]:
    return (
        contact.contact_id,
        contact.reason.value,
        state,
        contact.key,
        contact.digest,
        link == "send",
        sent,
        gone,
        link,
        member.hash if member else "",
        member.contact_key if member else "",
    )


def _link(skip: Skip) -> str:
    if skip.forget:
        return "forget"
    match skip.answer:
        case Answer.LOOK:
            return "look"
        case Answer.UNCHANGED:
            return "adopt"
        case Answer.REFUSED_BEFORE:
            return "refused"
        case _:
            return "answer"


def _member(part: Slice, skip: Skip) -> ObservedMember | None:
    if skip.member is None:
        return None
    here = part.observed.get(skip.member)
    if isinstance(here, Present):
        return here.member
    return part.moved.get(skip.contact_id)


def mark_contacts(connection_id: int, contact_ids: Sequence[int]) -> None:
    """“Look again at these contacts”: append marks."""
    execute_rows(
        """INSERT INTO sync_mark (connection_id, contact_id, marked_at)
           SELECT %(connection)s, n.contact_id, clock_timestamp() FROM n""",
        [("contact_id", "bigint")],
        [(contact,) for contact in contact_ids],
        {"connection": connection_id},
    )


# --- outcomes ---------------------------------------------------------------------------------

_APPLIED = """
UPDATE sync_memberrecord r SET
    state = CASE WHEN r.reason = 'fits' THEN n.state ELSE '' END,
    synced_key = n.synced_key, synced_digest = n.synced_digest, member_hash = n.member_hash,
    contact_key = coalesce(nullif(n.contact_key, ''), (SELECT o.contact_key FROM sync_observedrecord o
        WHERE o.connection_id = r.connection_id AND o.member_hash = n.member_hash), ''),
    uncertain = FALSE, sent_key = '', asked = FALSE, gone = FALSE,
    created_by_us = n.created OR (r.created_by_us AND r.member_hash IN ('', n.member_hash)),
    refusal_kind = '', refusal_text = '', refusal_field = '', refusal_digest = ''::bytea,
    first_synced_at = coalesce(r.first_synced_at, %(now)s), synced_at = %(now)s
FROM n
WHERE r.connection_id = %(connection)s AND r.contact_id = n.contact_id
"""

_APPLIED_COLUMNS = [
    ("contact_id", "bigint"),
    ("state", "text"),
    ("synced_key", "text"),
    ("synced_digest", "bytea"),
    ("member_hash", "text"),
    ("contact_key", "text"),
    ("created", "boolean"),
]

_RELEASED = """
UPDATE sync_memberrecord r SET uncertain = FALSE, synced_digest = ''::bytea, synced_at = %(now)s
FROM n WHERE r.connection_id = %(connection)s AND r.contact_id = n.contact_id
"""

_REFUSED = """
UPDATE sync_memberrecord r SET uncertain = FALSE, asked = FALSE,
    state = CASE WHEN r.reason <> 'fits' THEN '' WHEN n.look_again THEN r.state ELSE 'failed' END,
    refusal_kind = n.kind, refusal_text = n.text, refusal_field = n.field, refusal_digest = n.digest,
    refused_at = %(now)s
FROM n WHERE r.connection_id = %(connection)s AND r.contact_id = n.contact_id
"""

_REFUSED_COLUMNS = [
    ("contact_id", "bigint"),
    ("kind", "text"),
    ("text", "text"),
    ("field", "text"),
    ("digest", "bytea"),
    ("look_again", "boolean"),
]

_CERTAIN = """
UPDATE sync_memberrecord r SET uncertain = FALSE FROM n
WHERE r.connection_id = %(connection)s AND r.contact_id = n.contact_id
"""

_CONTACT = [("contact_id", "bigint")]


def record_outcomes(
    connection: Connection, run_id: int | None, outcomes: Sequence[Outcome], again: Sequence[int] = ()
) -> None:
    """Move the synced state, mark the contacts in `again`; see `core.ports.Store.record_outcomes`."""
    extra = {"connection": connection.pk, "now": timezone.now()}
    applied = [o for o in outcomes if isinstance(o, Applied)]
    refused = [o for o in outcomes if isinstance(o, Refused)]
    not_tried = [(o.change.contact_id,) for o in outcomes if isinstance(o, NotTried)]
    releases = [(o.change.contact_id,) for o in applied if isinstance(o.change, ReleaseMember)]
    cleared = [
        (o.change.contact_id,) for o in applied if isinstance(o.change, TagMember) and o.change.releasing
    ]
    renamed = [
        (o.change.hash, o.member.hash)
        for o in applied
        if isinstance(o.change, RenameMember) and o.change.hash != o.member.hash
    ]
    _write_applied(connection.pk, applied)
    mirror.write_absent(connection.pk, [before for before, _ in renamed])
    written_tags.follow(connection.pk, renamed)
    written_tags.settle(connection.pk, [o.change for o in applied if isinstance(o.change, TagMember)])
    execute_rows(_APPLIED, _APPLIED_COLUMNS, [_applied_row(o) for o in applied if owns(o.change)], extra)
    execute_rows(_RELEASED, _CONTACT, releases, extra)
    execute_rows(_REFUSED, _REFUSED_COLUMNS, [_refused_row(o) for o in refused], extra)
    execute_rows(_CERTAIN, _CONTACT, [*not_tried, *cleared], extra)
    mark_contacts(connection.pk, again)
    write_events(connection, run_id, [*applied, *refused])
    if run_id is not None:
        kinds = Counter(type(o.change) for o in applied)
        count(
            run_id,
            done=sum(_is_done(o) for o in [*applied, *refused]),
            added=kinds[AddMember],
            updated=kinds[UpdateMember],
            renamed=kinds[RenameMember],
            released=kinds[ReleaseMember],
            tagged=kinds[TagMember],
            refused=len(refused),
        )


def _write_applied(connection_id: int, applied: Sequence[Applied]) -> None:
    """Put what was confirmed into the mirror.

    An answer may show that the member is one that was known under another address: somebody changed it there
    since. Whoever was linked to it at that address is looked at again; of a rename that is no news.
    """
    written = [o for o in applied if not isinstance(o.change, TagMember)]
    seen = mirror.write(connection_id, [o.member for o in written])
    expected = {key for o in written for key in (address_key(o.member.email), acts_on(o.change))}
    mirror.mark_owners(connection_id, [one for one in seen if one.key not in expected])


def _is_done(outcome: Applied | Refused) -> bool:
    """Whether this was the last step for a contact that fits; counted once a contact."""
    if isinstance(outcome, Applied) and tags_follow(outcome.change, outcome.member):
        return False
    return owns(outcome.change)


def _applied_row(outcome: Applied) -> tuple[object, ...]:
    change, member = outcome.change, outcome.member
    return (
        change.contact_id,
        (SyncState.PENDING if tags_follow(change, member) else state_of(member)).value,
        change.key,
        change.digest,
        member.hash,
        member.contact_key,
        outcome.created,
    )


def _refused_row(outcome: Refused) -> tuple[object, ...]:
    change, refusal = outcome.change, outcome.refusal
    look_again = isinstance(change, ReleaseMember) and change.look_again
    return change.contact_id, refusal.kind.value, refusal.text, refusal.field, change.digest, look_again


# --- looks ------------------------------------------------------------------------------------

# Batch answers don't tell a member's `contact_id` (contract 5); the next reading does. With it, a member
# is recognised after the person changed the address at Mailchimp.
_LEARN_CONTACT_KEYS = """
UPDATE sync_memberrecord r SET contact_key = n.contact_key FROM n
WHERE r.connection_id = %(connection)s AND r.synced_key = n.key AND r.contact_key = '' AND r.synced_key <> ''
"""


def record_observed(
    connection: Connection, members: Sequence[ObservedMember], *, auditing: bool = False
) -> None:
    """What a page or a poll told; see `core.ports.Store.record_observed`."""
    write = mirror.write_met if auditing else mirror.write
    changed = write(connection.pk, members)
    execute_rows(
        _LEARN_CONTACT_KEYS,
        [("key", "text"), ("contact_key", "text")],
        [(address_key(member.email), member.contact_key) for member in members if member.contact_key],
        {"connection": connection.pk},
    )
    mirror.mark_owners(connection.pk, changed)
    if not auditing:
        mirror.link_strays(connection.pk, changed)


def record_looks(
    connection: Connection,
    looks: Sequence[tuple[SubscriberHash, Observation]],
    contacts: Sequence[int],
) -> None:
    """What single looks told; see `core.ports.Store.record_looks`."""
    record_observed(connection, [o.member for _, o in looks if isinstance(o, Present)])
    vanished = mirror.write_absent(connection.pk, [member for member, o in looks if isinstance(o, Absent)])
    mirror.mark_owners(connection.pk, vanished)
    execute_rows(_CERTAIN, _CONTACT, [(contact,) for contact in contacts], {"connection": connection.pk})


def count(run_id: int, **numbers: int) -> None:
    """Add to a run's counters.

    A contact that changed while the bulk ran is gone through twice: what is done never exceeds the
    whole that pages show it beside.
    """
    more = {name: F(name) + number for name, number in numbers.items()}
    if "done" in more:
        more["done"] = Case(When(total__gt=0, then=Least(more["done"], F("total"))), default=more["done"])
    SyncRun.objects.filter(pk=run_id).update(**more)
