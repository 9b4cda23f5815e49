"""How many tags go to Mailchimp in the fewest calls, and what came of it for each contact. Pure.

A call changes one tag of up to 500 members each way (contract 10), or all tags of one
member. The first is cheaper for a tag that many get; the second for a member with
tags of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from lockstep.core.identity import SubscriberHash, address_key, subscriber_hash
from lockstep.core.plan import TagMember

AT_ONCE = 500
"""Members that one call puts a tag on, and as many that it takes it off (contract 7)."""


@dataclass(frozen=True, slots=True)
class TagCall:
    """One call: a tag by name, and the addresses of the members that get or lose it."""

    tag: str
    add: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()

    @property
    def members(self) -> frozenset[SubscriberHash]:
        return frozenset(subscriber_hash(address_key(email)) for email in (*self.add, *self.remove))


def calls_by_tag(changes: Sequence[TagMember]) -> list[TagCall]:
    """The calls that do all changes tag by tag, tags in the order of their names."""
    adds: dict[str, list[str]] = {}
    removes: dict[str, list[str]] = {}
    names: dict[str, str] = {}
    for change in changes:
        for wanted, by_tag in ((change.tags.add, adds), (change.tags.remove, removes)):
            for name in wanted:
                folded = name.casefold()
                names.setdefault(folded, name)
                by_tag.setdefault(folded, []).append(change.email)
    calls: list[TagCall] = []
    for folded in sorted(names):
        add, remove = adds.get(folded, []), removes.get(folded, [])
        for start in range(0, max(len(add), len(remove)), AT_ONCE):
            end = start + AT_ONCE
            calls.append(TagCall(names[folded], tuple(add[start:end]), tuple(remove[start:end])))
    return calls


def is_cheaper_by_tag(changes: Sequence[TagMember]) -> bool:
    """Whether going tag by tag takes fewer calls than going member by member."""
    return len(calls_by_tag(changes)) < len(changes)


@dataclass(slots=True)
class TagTally:
    """What of some changes is done, while their calls come back."""

    changes: Sequence[TagMember]
    lost: set[SubscriberHash] = field(default_factory=set)
    """Members that were in a call without an answer."""
    _open: dict[SubscriberHash, int] = field(init=False)
    """Per member, how many of its tags no call has confirmed."""

    def __post_init__(self) -> None:
        self._open = {c.hash: len(c.tags.add) + len(c.tags.remove) for c in self.changes}

    def confirm(self, call: TagCall, refused: Iterable[str]) -> None:
        """The call was answered: done for all its members but those with a `refused` address."""
        bad = {address_key(email) for email in refused}
        for email in (*call.add, *call.remove):
            key = address_key(email)
            if key not in bad:
                self._open[subscriber_hash(key)] -= 1

    def lose(self, call: TagCall) -> None:
        self.lost |= call.members

    @property
    def done(self) -> list[TagMember]:
        return [change for change in self.changes if self._open[change.hash] <= 0]

    @property
    def unanswered(self) -> list[TagMember]:
        """Not done, because an answer was lost."""
        return [c for c in self.changes if self._open[c.hash] > 0 and c.hash in self.lost]

    @property
    def rest(self) -> list[TagMember]:
        """Not done, and surely not under way: to be done one by one, or another time."""
        return [c for c in self.changes if self._open[c.hash] > 0 and c.hash not in self.lost]
