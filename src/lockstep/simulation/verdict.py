"""The five promises, asked of a world at rest."""

from __future__ import annotations

from collections import Counter

from lockstep.core.identity import NO_ADDRESS, address_key
from lockstep.core.member import MemberStatus, SyncState
from lockstep.core.plan import Answer, PlanCounts
from lockstep.core.testing import AudienceMember, ContactAnswer, broken_promises
from lockstep.sandbox.ids import contact_id
from lockstep.sandbox.member import merge_values
from lockstep.simulation.site import FIELD_MAP, Site
from lockstep.simulation.watch import BY_HAND


def at_rest(site: Site) -> list[str]:
    """What is broken of P1, P3, P4 and P5, now that nothing is left to do. P2 was judged write by write."""
    book = site.desk.store.book.contacts.values()
    flagged = {contact.key for contact in book if contact.no_marketing and not contact.deleted}
    return [
        *broken_promises(
            answers(site), members(site), refused=site.watch.refused, flagged=flagged - {NO_ADDRESS}
        ),
        *_reasons(site),
        *_never_there(site),
    ]


def audited(site: Site) -> list[str]:
    """After an audit that found nothing to do: what it counted is what is shown, contact by contact (P4)."""
    run = site.desk.runs[-1]
    counts = run.counts or PlanCounts()
    shown = Counter(record.state for record in site.desk.store.records.values())
    pairs = (
        ("contacts", run.known, counts.writes + counts.answers.total()),
        ("left out", shown[None], counts.answers[Answer.LEFT_OUT]),
        (
            "in step",
            shown[SyncState.SYNCED] + shown[SyncState.UNSUBSCRIBED],
            counts.answers[Answer.UNCHANGED],
        ),
        ("failed", shown[SyncState.FAILED], counts.answers[Answer.REFUSED_BEFORE]),
        (
            "archived",
            shown[SyncState.ARCHIVED],
            counts.answers[Answer.ARCHIVED] + counts.answers[Answer.GONE],
        ),
    )
    return [
        f"P4: the plan counts {planned} {what}, and {there} are shown."
        for what, there, planned in pairs
        if there != planned
    ]


def _reasons(site: Site) -> list[str]:
    """Every contact is shown with the reason that the book gives."""
    store = site.desk.store
    view = store.book.view()
    wrong: list[str] = []
    for number, record in sorted(store.records.items()):
        true = view.desired(number).reason
        if record.reason is not true:
            wrong.append(f"P4: contact {number} is shown with {record.reason}; the book says {true}.")
    return wrong


def _never_there(site: Site) -> list[str]:
    """Nobody is shown as archived or deleted who was never there."""
    return [
        f"P4: {answer.name} is shown as {answer.state}; nobody with its address was ever there."
        for answer in answers(site)
        if answer.state is SyncState.ARCHIVED
        and site.watch.ever.isdisjoint({answer.desired.key, answer.linked} - {NO_ADDRESS})
    ]


def switched_off(site: Site) -> list[str]:
    """After Stop Sync nobody reads Active (S8)."""
    return [
        f"S8: {member.key} is Active after Stop Sync."
        for member in members(site)
        if member.active and not member.archived
    ]


def answers(site: Site) -> list[ContactAnswer]:
    store = site.desk.store
    view = store.book.view()
    found: list[ContactAnswer] = []
    for number in sorted(store.book.contacts.keys() | store.records.keys()):
        record = store.records.get(number)
        synced = record.synced if record else None
        found.append(
            ContactAnswer(
                desired=view.desired(number),
                state=record.state if record else None,
                refusal_text=synced.refusal.text if synced and synced.refusal else "",
                linked=synced.key if synced else NO_ADDRESS,
                contact_key=synced.contact_key if synced else "",
            )
        )
    return found


def members(site: Site) -> list[AudienceMember]:
    """The audience from the inside, not as the API tells it."""
    audience, rule = site.audience, site.desk.store.book.tag_rule
    names = {tag: audience.tags.by_id[tag].name for member in audience for tag, _ in member.tags}
    return [
        AudienceMember(
            key=address_key(member.email),
            status=MemberStatus(member.shown_status),
            values=FIELD_MAP.values_of(merge_values(member, audience)),
            contact_key=contact_id(member.serial, audience.salt),
            tags=frozenset(rule.ours(names[tag] for tag, _ in member.tags)) if rule else frozenset(),
            by_hand=frozenset(names[tag] for tag, _ in member.tags) & frozenset(BY_HAND),
        )
        for member in audience
    ]
