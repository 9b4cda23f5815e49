"""Random histories: what happens, when, to whom. Made from a seed alone, before anything runs.

An event carries numbers, not names: who is meant is found when it happens, by counting into whoever is there
then. So any event can be dropped, and what is left still makes sense (`shrink`).
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lockstep.core.consent import NewStatus

ADDRESSES = (
    "ada@people.test", "ben@people.test", "cleo@people.test", "dan@people.test",
    "eve@people.test", "finn@people.test", "gus@people.test", "Ada@People.test",
)  # fmt: skip
"""The last one is the first in another spelling."""

EVERY_ADDRESS = (*ADDRESSES, "hal@people.test", "ida@people.test", "joe@people.test", "kit@people.test")
"""With those to which people only move: they are mostly free."""

JOINED = ("subscribed", "subscribed", "unsubscribed", "cleaned", "pending", "transactional", "archived")

FIELD_FAULTS = (
    "too_many_requests", "too_many_requests_plain", "forbidden_html", "unavailable", "internal_error",
    "reset", "reset_after", "timeout", "truncated", "slow_drip", "stale",
)  # fmt: skip

VALIDATORS = ("status_if_new", "status_required", "status_if_new_ignored")
"""The first is the one for which batches are proven; only the canary test meets the others."""

WEIGHTS: Mapping[str, int] = {
    # in the book
    "add": 7, "duplicate": 3, "import": 3, "rename": 8, "email": 7, "case": 2, "swap": 3, "flag": 4,
    "unflag": 2, "deactivate": 2, "activate": 2, "delete": 3, "restore": 2, "vanish": 1, "choose": 3,
    "bulk": 3,
    # at Mailchimp, by subscriber and marketer
    "unsubscribe": 4, "complain": 1, "bounce": 2, "confirm": 1, "admin_unsubscribe": 2, "archive": 3,
    "forget": 2, "clear": 1, "sign_up": 2, "resubscribe": 3, "edit_theirs": 2, "edit_ours": 3, "move": 4,
    "bar": 2, "too_many": 1, "tag": 2, "untag": 1,
    # people at the sync's pages
    "start": 4, "preview": 1, "stop": 2, "filter": 3, "switch": 2, "refresh": 2, "retry": 2, "audit": 2,
    "confirm_plan": 4,
    # bad luck
    "kill": 8, "freeze": 2, "lose": 5, "delay": 4, "fault": 9, "hook": 4, "door": 1, "revoke": 1,
    "plan_limit": 1, "poison": 2,
    # time
    "minute": 3, "hour": 1,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happens `after` seconds have passed since the event before."""

    number: int
    kind: str
    after: float
    one: int
    two: int
    three: int

    @property
    def chance(self) -> float:
        """A number in [0, 1) of the event's own."""
        return self.three / 1_000_000


@dataclass(frozen=True, slots=True)
class Beginning:
    """How the world stands before the first event."""

    new_status: NewStatus
    in_flight: int
    singles_up_to: int
    urgent_up_to: int
    slice_size: int
    page_size: int
    proof: str
    """Whether batches are proven to keep statuses: `kept`, `not_kept` or `unknown` (the canary test runs)."""
    validator: str
    """Which generation of Mailchimp's batch validator answers (a switch of the sandbox)."""
    opt_out_flags: bool
    """An unsubscribe sets No Marketing."""
    hooks: bool
    """Mailchimp can reach our webhook."""
    skews: tuple[float, float]
    """Seconds by which the workers' clocks are wrong."""
    tags: bool
    """Tags of the book go out as real tags too."""
    guarded_from: int
    """From how many synced contacts on guards look at shares."""
    audience: tuple[tuple[int, str], ...]
    """Who is there before us: index into ADDRESSES, status."""
    others: tuple[tuple[int, str], ...]
    """Who is in the company's other audience."""
    book: tuple[int, ...]
    """Contacts in the book: indexes into ADDRESSES."""


@dataclass(frozen=True, slots=True)
class History:
    seed: int
    beginning: Beginning
    events: tuple[Event, ...]

    @property
    def kinds(self) -> Mapping[int, str]:
        """What kind each event is of, by number."""
        return {event.number: event.kind for event in self.events}

    def only(self, numbers: Sequence[int]) -> History:
        """The same history without the events that are not named."""
        wanted = frozenset(numbers)
        return History(self.seed, self.beginning, tuple(e for e in self.events if e.number in wanted))


def make_history(seed: int) -> History:
    """The history of a seed: the same on every machine."""
    dice = random.Random(f"history {seed}")  # noqa: S311  -- repeatable is the point
    proof = dice.choice(["kept", "kept", "kept", "not_kept", "unknown"])
    beginning = Beginning(
        new_status=dice.choice(
            [NewStatus.SUBSCRIBED, NewStatus.SUBSCRIBED, NewStatus.PENDING, NewStatus.TRANSACTIONAL]
        ),
        in_flight=dice.choice([1, 3, 8]),
        singles_up_to=dice.choice([0, 0, 3]),
        urgent_up_to=dice.choice([1, 200]),
        slice_size=dice.choice([1, 3, 2000]),
        page_size=dice.choice([2, 1000]),
        proof=proof,
        validator=dice.choice(VALIDATORS if proof == "unknown" else VALIDATORS[:1]),
        opt_out_flags=dice.random() < 0.3,
        hooks=dice.random() < 0.8,
        skews=(dice.choice([0.0, -2.5]), dice.choice([0.0, 3.0])),
        tags=dice.random() < 0.3,
        guarded_from=dice.choice([25, 25, 2]),
        audience=tuple((i, dice.choice(JOINED)) for i in range(7) if dice.random() < 0.4),
        others=tuple((i, dice.choice(JOINED)) for i in range(3) if dice.random() < 0.4),
        book=tuple(dice.randrange(len(ADDRESSES)) for _ in range(dice.randint(0, 6))),
    )
    kinds, weights = list(WEIGHTS), list(WEIGHTS.values())
    events = [
        Event(
            number=number,
            kind=dice.choices(kinds, weights)[0],
            after=dice.choice([0.0, 0.02, 0.1, 0.4, 1.5, 6.0, 20.0]) * dice.random(),
            one=dice.randrange(1_000_000),
            two=dice.randrange(1_000_000),
            three=dice.randrange(1_000_000),
        )
        for number in range(1, dice.randint(8, 26))
    ]
    return History(seed, beginning, (Event(0, "start", 0.0, 0, 0, 0), *events))
