"""The five promises as code: what must hold once changes stop and the engine has caught up.

Works on plain values, so that the in-memory ports, the database with the practice
Mailchimp, and any other pair can be judged by the same words. Each function returns
what is broken, in sentences; an empty list is a kept promise.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from lockstep.core import field_map
from lockstep.core.consent import NewStatus
from lockstep.core.identity import NO_ADDRESS, AddressKey
from lockstep.core.member import DesiredMember, MemberStatus, SyncState, Values


@dataclass(frozen=True, slots=True)
class ContactAnswer:
    """One contact: what the book says now, and what Lockstep answers to “why (not) in Mailchimp?”."""

    desired: DesiredMember
    state: SyncState | None
    """None where the contact does not fit."""
    refusal_text: str = ""
    linked: AddressKey = NO_ADDRESS
    """The address of the member last confirmed for the contact."""
    contact_key: str = ""

    @property
    def name(self) -> str:
        return f"contact {self.desired.contact_id}"


@dataclass(frozen=True, slots=True)
class AudienceMember:
    """One member as Mailchimp holds it, archived ones included (`status` is then ARCHIVED)."""

    key: AddressKey
    status: MemberStatus
    values: Values
    contact_key: str = ""
    tags: frozenset[str] = frozenset()
    """Tags under our prefix; none where tags are not switched on."""
    by_hand: frozenset[str] = frozenset()
    """Those that a marketer put there, and we never wrote."""

    @property
    def archived(self) -> bool:
        return self.status is MemberStatus.ARCHIVED

    @property
    def active(self) -> bool:
        return field_map.is_active(self.values)


def broken_promises(
    answers: Sequence[ContactAnswer],
    members: Sequence[AudienceMember],
    *,
    refused: Iterable[AddressKey] = (),
    flagged: Iterable[AddressKey] = (),
) -> list[str]:
    """What is broken of P1 (nobody flagged is in step), P3, P4 and P5 in a world at rest.

    `refused` are the addresses that Mailchimp refused at any time: only they may have failed,
    and their members may be out of step. `flagged` are those with No Marketing on any contact.
    """
    world = _World.of(answers, members, frozenset(flagged))
    no = frozenset(refused)
    return [
        *_nobody_flagged(members, frozenset(flagged) - no),
        *_in_step(answers, world),
        *_tags_in_step(answers, world, no),
        *_nobody_left_behind(answers, members, world, no),
        *_truthful(answers, world),
        *_counts_add_up(answers),
        *_bad_luck_is_per_contact(answers, world, no),
    ]


def consent_touched(
    before: Mapping[str, MemberStatus], after: Mapping[str, MemberStatus], moved_by_people: Iterable[str]
) -> list[str]:
    """P1 across a stretch of time: members (by whatever names them for good) whose status changed
    though no person at Mailchimp changed it. Members that came or went are none of this function's
    business."""
    excused = set(moved_by_people)
    return [
        f"P1: {name} was {status} and is {after[name]}, and nobody there did that."
        for name, status in sorted(before.items())
        if name in after and after[name] is not status and name not in excused
    ]


def new_members_as_chosen(made: Iterable[tuple[AddressKey, MemberStatus]], chosen: NewStatus) -> list[str]:
    """P1 for people whom Lockstep added: never more than the admin chose."""
    allowed = {MemberStatus(chosen.value), MemberStatus.UNSUBSCRIBED, MemberStatus.TRANSACTIONAL}
    if chosen is NewStatus.SUBSCRIBED:
        allowed.add(MemberStatus.PENDING)
    return [f"P1: {key} was added as {status}." for key, status in made if status not in allowed]


def _nobody_flagged(members: Sequence[AudienceMember], flagged: frozenset[AddressKey]) -> list[str]:
    return [
        f"P1: {member.key} is flagged No Marketing and Active at Mailchimp."
        for member in members
        if member.key in flagged and member.active and not member.archived
    ]


@dataclass(frozen=True, slots=True)
class _World:
    """The audience by address and by what stays when an address changes; the addresses that contacts want."""

    there: Mapping[AddressKey, AudienceMember]
    moved: Mapping[str, AudienceMember]
    wanted: frozenset[AddressKey]
    flagged: frozenset[AddressKey]

    @classmethod
    def of(
        cls,
        answers: Sequence[ContactAnswer],
        members: Sequence[AudienceMember],
        flagged: frozenset[AddressKey] = frozenset(),
    ) -> _World:
        return cls(
            there={member.key: member for member in members},
            moved={member.contact_key: member for member in members if member.contact_key},
            wanted=frozenset(answer.desired.key for answer in answers if answer.desired.fits),
            flagged=flagged,
        )


def _own(answer: ContactAnswer, world: _World) -> AudienceMember | None:
    """The member of a contact that fits: at its address, or where the person moved it, if nobody wants it
    there and nobody flags the address No Marketing."""
    here = world.there.get(answer.desired.key)
    moved = world.moved.get(answer.contact_key) if answer.linked == answer.desired.key else None
    if moved is not None and moved.key in world.wanted | world.flagged:
        moved = None
    if here is None or (here.archived and moved is not None and not moved.archived):
        return moved or here
    return here


def _in_step(answers: Sequence[ContactAnswer], world: _World) -> list[str]:
    wrong: list[str] = []
    for answer in answers:
        if not answer.desired.fits or answer.state not in (SyncState.SYNCED, SyncState.UNSUBSCRIBED):
            continue  # one that does not fit has no values to be in step with; see `_truthful`
        member = _own(answer, world)
        if member is not None and member.values != answer.desired.values:
            tags = [
                field_map.FIELD_SPECS[index].name
                for index in field_map.differing(member.values, answer.desired.values)
            ]
            wrong.append(f"P3: {answer.name} differs at Mailchimp in {', '.join(tags)}.")
    return wrong


def _tags_in_step(
    answers: Sequence[ContactAnswer], world: _World, refused: frozenset[AddressKey]
) -> list[str]:
    """A member carries the contact's tags, and of others under our prefix only what a marketer put there."""
    wrong: list[str] = []
    for answer in answers:
        wanted = answer.desired.tags
        if wanted is None or answer.state not in (SyncState.SYNCED, SyncState.UNSUBSCRIBED):
            continue
        member = _own(answer, world)
        if member is None or member.key in refused:
            continue
        there, hand, book = ({name.casefold() for name in s} for s in (member.tags, member.by_hand, wanted))
        if book - there:
            wrong.append(f"P3: {answer.name} lacks the tags {sorted(book - there)} at Mailchimp.")
        if there - book - hand:
            wrong.append(f"P3: {answer.name} still has our tags {sorted(there - book - hand)} at Mailchimp.")
    return wrong


def _nobody_left_behind(
    answers: Sequence[ContactAnswer],
    members: Sequence[AudienceMember],
    world: _World,
    refused: frozenset[AddressKey],
) -> list[str]:
    """Whoever reads Active at Mailchimp is the member of a contact that fits, or was refused a change."""
    excused = set(refused)
    for answer in answers:
        if answer.desired.fits and (member := _own(answer, world)) is not None:
            excused.add(member.key)
        if answer.state is SyncState.FAILED:  # a refused rename: the former member stays as it was
            excused.add(answer.linked)
    return [
        f"P3: {member.key} is Active at Mailchimp and no contact that fits is the reason."
        for member in members
        if member.active and not member.archived and member.key not in excused
    ]


def _truthful(answers: Sequence[ContactAnswer], world: _World) -> list[str]:
    wrong: list[str] = []
    for answer in answers:
        if not answer.desired.fits:
            if answer.state is not None:
                wrong.append(f"P4: {answer.name} does not fit and is shown as {answer.state}.")
            continue
        member = _own(answer, world)
        status = member.status if member else None
        match answer.state:
            case SyncState.SYNCED:
                true = status in (
                    MemberStatus.SUBSCRIBED,
                    MemberStatus.PENDING,
                    MemberStatus.TRANSACTIONAL,
                )
            case SyncState.UNSUBSCRIBED:
                true = status in (MemberStatus.UNSUBSCRIBED, MemberStatus.CLEANED)
            case SyncState.ARCHIVED:
                true = status in (MemberStatus.ARCHIVED, None)
            case SyncState.FAILED:
                true = bool(answer.refusal_text)
            case _:
                true = False
        if not true:
            wrong.append(f"P4: {answer.name} is shown as {answer.state}; at Mailchimp it is {status}.")
    return wrong


def _counts_add_up(answers: Sequence[ContactAnswer]) -> list[str]:
    ids = Counter(answer.desired.contact_id for answer in answers)
    wrong = [f"P4: contact {contact_id} has {n} answers." for contact_id, n in ids.items() if n != 1]
    fits = sum(answer.desired.fits for answer in answers)
    states = Counter(answer.state for answer in answers if answer.state is not None)
    if fits != states.total():
        wrong.append(f"P4: {fits} contacts fit, but the five counts add up to {states.total()}.")
    return wrong


def _bad_luck_is_per_contact(
    answers: Sequence[ContactAnswer], world: _World, refused: frozenset[AddressKey]
) -> list[str]:
    wrong: list[str] = []
    for answer in answers:
        if answer.state is not SyncState.FAILED:
            continue
        member = _own(answer, world)
        addresses = {answer.desired.key} | ({member.key} if member else set())
        if addresses.isdisjoint(refused):
            wrong.append(
                f"P5: {answer.name} failed ({answer.refusal_text}), "
                "though Mailchimp never refused its address."
            )
    return wrong
