"""Segments: saved ones (conditions) and static ones, which are tags of the same id (contract, 10)."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from . import problems
from .audience import Audience
from .condition import Surroundings, compiled
from .ids import Ids
from .member import Member, hash_of
from .tag import Tag, add_tag, remove_tag

__all__ = [
    "BATCH_LIMIT",
    "Changed",
    "SavedSegment",
    "Segment",
    "Segments",
    "add_static",
    "change_static",
    "counts",
    "delete_static",
    "held_by",
    "set_static_members",
]

#: Addresses per add or remove (contract, 7).
BATCH_LIMIT = 500


@dataclass(slots=True)
class SavedSegment:
    """A segment that is made of conditions. Times are seconds since 1970."""

    id: int
    name: str
    options: dict[str, Any]
    created_at: int
    updated_at: int


Segment: TypeAlias = SavedSegment | Tag


class Segments:
    """The saved segments of all audiences; the state in `Sandbox.store("segments", Segments)`."""

    def __init__(self) -> None:
        self._of: dict[str, dict[int, SavedSegment]] = {}

    def all(self, audience: Audience) -> list[Segment]:
        """Saved and static segments of an audience, by id."""
        found: list[Segment] = [*self._of.get(audience.id, {}).values(), *audience.tags.by_id.values()]
        return sorted(found, key=lambda segment: segment.id)

    def find(self, audience: Audience, segment_id: int) -> Segment | None:
        """The segment with this id."""
        return self._of.get(audience.id, {}).get(segment_id) or audience.tags.by_id.get(segment_id)

    def save(self, audience: Audience, segment: SavedSegment) -> SavedSegment:
        """Put a saved segment in."""
        self._of.setdefault(audience.id, {})[segment.id] = segment
        return segment

    def delete(self, audience: Audience, segment: SavedSegment) -> None:
        """Take a saved segment out."""
        del self._of[audience.id][segment.id]

    def dump(self) -> dict[str, Any]:
        """For the snapshot."""
        return {key: [dataclasses.asdict(saved) for saved in held.values()] for key, held in self._of.items()}

    def load(self, data: dict[str, Any]) -> None:
        """The reverse of `dump`."""
        self._of = {key: {row["id"]: SavedSegment(**row) for row in rows} for key, rows in data.items()}


def held_by(
    segment: Segment, around: Surroundings, statuses: Iterable[str] = ("subscribed",)
) -> list[Member]:
    """The members of a segment with one of `statuses`, in the order of their making; archived ones never.

    Raises Problem if a condition names a field that is no more.
    """
    test = (
        compiled(segment.options, around)
        if isinstance(segment, SavedSegment)
        else lambda member: any(tag_id == segment.id for tag_id, _ in member.tags)
    )
    found = [member for status in statuses for member in around.audience.rows(status)[0] if test(member)]
    return sorted(found, key=lambda member: member.serial)


def counts(segments: list[Segment], around: Surroundings, statuses: tuple[str, ...]) -> Counter[int]:
    """How many members each segment holds; all static ones are counted in one walk."""
    found: Counter[int] = Counter()
    if any(isinstance(segment, Tag) for segment in segments):
        for status in statuses:
            for member in around.audience.rows(status)[0]:
                for tag_id, _ in member.tags:
                    found[tag_id] += 1
    for segment in segments:
        if isinstance(segment, SavedSegment):
            found[segment.id] = _count_saved(segment, around, statuses)
    return found


def _count_saved(segment: SavedSegment, around: Surroundings, statuses: tuple[str, ...]) -> int:
    try:
        return len(held_by(segment, around, statuses))
    except problems.Problem:  # a merge field of its conditions was deleted: it holds nobody
        return 0


def add_static(audience: Audience, name: str, addresses: Iterable[str], ids: Ids, at: int) -> Tag:
    """A new tag on those of `addresses` that are in the audience. Raises Problem if the name is taken."""
    if audience.tags.find(name) is not None:
        raise problems.tag_name_taken()
    tag = audience.tag_named(name, ids, at)
    for member in _known(audience, addresses):
        add_tag(member, tag.id, at)
    return tag


def set_static_members(audience: Audience, tag: Tag, addresses: Iterable[str], at: int) -> None:
    """Exactly those of `addresses` that are in the audience carry the tag from now on."""
    wanted = {member.serial: member for member in _known(audience, addresses)}
    for member in audience:
        if member.serial not in wanted:
            remove_tag(member, tag.id)
    for member in wanted.values():
        add_tag(member, tag.id, at)
    tag.updated_at = at


def delete_static(audience: Audience, tag: Tag) -> None:
    """The tag leaves all members and the audience."""
    for member in audience:
        remove_tag(member, tag.id)
    audience.tags.remove(tag)


@dataclass(slots=True)
class Changed:
    """What a batch change of a static segment did; addresses it could not touch, by reason."""

    added: list[Member] = field(default_factory=list)
    removed: list[Member] = field(default_factory=list)
    errors: dict[str, list[str]] = field(default_factory=dict)

    def refuse(self, address: str, reason: str) -> None:
        self.errors.setdefault(reason, []).append(address)


#: INFERRED: `errors[]{email_addresses[],error}` is described, its texts are not.
NOT_ON_THE_LIST = "Email addresses do not exist on the list"
ALREADY_THERE = "Email addresses already exist in the segment"
NOT_THERE = "Email addresses do not exist in the segment"


def change_static(
    audience: Audience, tag: Tag, to_add: Iterable[str], to_remove: Iterable[str], at: int
) -> Changed:
    """Put the tag on some members and take it off others; a status is never touched (contract, 10)."""
    changed = Changed()
    for address in to_add:
        member = audience.get(hash_of(address))
        if member is None:
            changed.refuse(address, NOT_ON_THE_LIST)
        elif add_tag(member, tag.id, at):
            changed.added.append(member)
        else:
            changed.refuse(address, ALREADY_THERE)
    for address in to_remove:
        member = audience.get(hash_of(address))
        if member is None:
            changed.refuse(address, NOT_ON_THE_LIST)
        elif remove_tag(member, tag.id):
            changed.removed.append(member)
        else:
            changed.refuse(address, NOT_THERE)
    if changed.added or changed.removed:
        tag.updated_at = at
    return changed


def _known(audience: Audience, addresses: Iterable[str]) -> list[Member]:
    """Members with these addresses; others are passed over (contract, 10)."""
    found = (audience.get(hash_of(address)) for address in addresses)
    return [member for member in found if member is not None]
