"""Real Mailchimp tags, where a connection has them switched on: names under a prefix of ours.

What a member should carry comes from the book. What it carries under our prefix was
observed, or is not known. What we wrote to it is remembered, because a marketer may put
tags under our prefix by hand, and those are not ours to take away (P2).

Mailchimp compares tags without regard to case and keeps the first spelling (contract 10).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from lockstep.core.field_map import cut, one_line

TAG_BYTES = 100
"""Longest name of a tag that we write, in UTF-8 bytes. Mailchimp's own limit is stated nowhere."""

Tags = tuple[str, ...]
"""Names of tags with their prefix, in order, no two of them the same but for case."""


@dataclass(frozen=True, slots=True)
class TagRule:
    """Which tags of the book become tags at Mailchimp, and the prefix that makes them ours.

    Nothing outside the prefix is ever read into the mirror, put on or taken off.
    Raises ValueError for a prefix that is empty or begins or is made up of white space.
    """

    prefix: str
    contact: bool = True
    client: bool = False

    def __post_init__(self) -> None:
        if not self.prefix.strip() or self.prefix[0].isspace() or not self.prefix.isprintable():
            raise ValueError("The prefix of our tags needs at least one letter.")

    def wanted(self, *, client_tags: Iterable[str] = (), contact_tags: Iterable[str] = ()) -> Tags:
        """The tags that a contact with these tags in the book should carry."""
        names = [*(client_tags if self.client else ()), *(contact_tags if self.contact else ())]
        return in_order(cut(self.prefix + name, TAG_BYTES) for tag in names if (name := one_line(tag)))

    def ours(self, names: Iterable[str]) -> Tags:
        """Those of a member's tags that stand under our prefix, whoever put them there."""
        prefix = self.prefix.casefold()
        return in_order(name for name in names if name.casefold().startswith(prefix))


@dataclass(frozen=True, slots=True)
class TagDifference:
    """Tags to put on a member and to take off; false where there is nothing to do."""

    add: Tags = ()
    remove: Tags = ()

    def __bool__(self) -> bool:
        return bool(self.add or self.remove)

    def after(self, before: Tags) -> Tags:
        """What a member that carried `before` carries once this is done."""
        gone = _folded(self.remove)
        return in_order([*(name for name in before if name.casefold() not in gone), *self.add])

    def left(self, observed: Tags | None) -> bool:
        """Whether something is still to do for a member that now carries `observed`; None: not known."""
        if observed is None:
            return bool(self)
        there = _folded(observed)
        return not _folded(self.add) <= there or not _folded(self.remove).isdisjoint(there)


NO_TAGS = TagDifference()


def difference(wanted: Tags | None, observed: Tags | None, written: Iterable[str]) -> TagDifference:
    """What makes a member carry what is wanted; nothing where tags are not our business (None).

    What we wrote and the book no longer says is taken off even where it was not seen: taking
    off a tag that is not there does no harm (contract 10), and only a confirmed removal makes us
    forget that we wrote it. A member whose tags are not known is taken to carry none.
    """
    if wanted is None:
        return NO_TAGS
    there, kept = _folded(observed or ()), _folded(wanted)
    return TagDifference(
        add=in_order(name for name in wanted if name.casefold() not in there),
        remove=in_order(name for name in written if name.casefold() not in kept),
    )


def in_order(names: Iterable[str]) -> Tags:
    """Sorted, so that order is no difference; of names that differ in case only the first."""
    once: dict[str, str] = {}
    for name in sorted(names, key=lambda name: (name.casefold(), name)):
        once.setdefault(name.casefold(), name)
    return tuple(once.values())


def _folded(names: Iterable[str]) -> frozenset[str]:
    return frozenset(name.casefold() for name in names)
