"""The five promises, asked of a world at rest."""

from __future__ import annotations

from lockstep.core.identity import NO_ADDRESS, address_key
from lockstep.core.member import MemberStatus
from lockstep.core.testing import AudienceMember, ContactAnswer, broken_promises
from lockstep.sandbox.ids import contact_id
from lockstep.sandbox.member import merge_values
from lockstep.simulation.world import FIELD_MAP, World


def at_rest(world: World) -> list[str]:
    """What is broken of P1, P3, P4 and P5, now that nothing is left to do. P2 was judged write by write."""
    book = world.store.book.contacts.values()
    flagged = {contact.key for contact in book if contact.no_marketing and not contact.deleted}
    return broken_promises(
        answers(world), members(world), refused=world.watch.refused, flagged=flagged - {NO_ADDRESS}
    )


def switched_off(world: World) -> list[str]:
    """After Stop Sync nobody reads Active (S8)."""
    return [
        f"S8: {member.key} is Active after Stop Sync."
        for member in members(world)
        if member.active and not member.archived
    ]


def answers(world: World) -> list[ContactAnswer]:
    store = world.store
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


def members(world: World) -> list[AudienceMember]:
    """The audience from the inside, not as the API tells it."""
    return [
        AudienceMember(
            key=address_key(member.email),
            status=MemberStatus(member.shown_status),
            values=FIELD_MAP.values_of(merge_values(member, world.audience)),
            contact_key=contact_id(member.serial, world.audience.salt),
        )
        for member in world.audience
    ]
