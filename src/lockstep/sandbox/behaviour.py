"""How subscribers behave: a seeded model that writes, at the moment of sending, what everybody will do.

Pure: the same recipients, links, temper and seed give the same script. Who opens one campaign is likelier to
open the next, because a part of the dice belongs to the contact.
"""

from __future__ import annotations

import random
from array import array
from dataclasses import dataclass, fields
from typing import Any

from .mailing import ABUSE, CLICK, HARD, MACHINE, OPEN, SOFT, UNSUBSCRIBE

__all__ = ["Script", "Temper", "write_script"]

_DAY = 86_400
_PER_SECOND = 500
_KNUTH = 2_654_435_761
_MASK = (1 << 32) - 1
_HOUR = 3600


@dataclass(frozen=True, slots=True)
class Temper:
    """Probabilities between 0 and 1: of a soft and a hard bounce, of a machine that loads the pictures right
    after delivery, of an open by the person; and, of somebody who opened, of a click, of an unsubscribe and
    of a complaint. `days` is how long anybody reacts at all."""

    soft: float = 0.012
    hard: float = 0.004
    machine: float = 0.22
    open: float = 0.38
    click: float = 0.16
    unsubscribe: float = 0.008
    complain: float = 0.001
    days: float = 14

    @classmethod
    def of(cls, given: dict[str, Any]) -> Temper:
        """A temper with some numbers changed. Raises ValueError."""
        known = {field.name for field in fields(cls)}
        if unknown := set(given) - known:
            raise ValueError(f"behaviour takes {', '.join(sorted(known))}, not {', '.join(sorted(unknown))}")
        for name, value in given.items():
            if not isinstance(value, int | float) or isinstance(value, bool) or value < 0:
                raise ValueError(f"{name} is a number from 0")
            if name != "days" and value > 1:
                raise ValueError(f"{name} is a probability between 0 and 1")
        return cls(**given)


class Script:
    """What will happen, ordered by time: seconds after sending, recipient, event (`mailing`)."""

    __slots__ = ("after", "what", "who")

    def __init__(self, happenings: list[tuple[int, int, int]]) -> None:
        happenings.sort()
        self.after = array("I", (entry[0] for entry in happenings))
        self.who = array("I", (entry[1] for entry in happenings))
        self.what = bytearray(entry[2] for entry in happenings)

    def __len__(self) -> int:
        return len(self.after)


def sending_seconds(recipients: int) -> int:
    """How long a campaign takes to go out: 500 mails a second, ten minutes at most."""
    return min(recipients // _PER_SECOND + 1, 600)


def write_script(serials: array[int], links: int, temper: Temper, seed: int) -> Script:
    """What the contacts with `serials` will do about a mail with so many links."""
    dice = random.Random(seed)  # noqa: S311  # repeatable on purpose
    rolls = dice.random
    last = int(temper.days * _DAY)
    pace = max(len(serials) / sending_seconds(len(serials)), 1)
    happenings: list[tuple[int, int, int]] = []
    for who, serial in enumerate(serials):
        arrives = int(who / pace)
        roll = rolls()
        if roll < temper.hard + temper.soft:
            happenings.append((arrives + 1, who, HARD if roll < temper.hard else SOFT))
            continue
        keen = (serial * _KNUTH & _MASK) / _MASK
        if rolls() < temper.machine:
            happenings.append((arrives + 2 + int(28 * rolls()), who, MACHINE))
        # Twice the mean for the keenest, never for the dullest; certainty stays certainty.
        likely = temper.open if temper.open >= 1 else temper.open * 2 * keen
        if rolls() < likely:
            _reader(happenings, who, arrives, links, temper, last, dice)
    return Script([entry for entry in happenings if entry[0] <= last or entry[2] in (SOFT, HARD)])


def _reader(
    happenings: list[tuple[int, int, int]],
    who: int,
    arrives: int,
    links: int,
    temper: Temper,
    last: int,
    dice: random.Random,
) -> None:
    """One person who opens: half of them within three hours, some again later; clicks follow an open."""
    rolls = dice.random
    at = arrives + 30 + int(dice.lognormvariate(9.3, 1.3))
    happenings.append((at, who, OPEN))
    read = at
    while rolls() < 0.35:
        read += 60 + int(dice.expovariate(1 / (8 * _HOUR)))
        happenings.append((read, who, OPEN))
    if links and rolls() < temper.click:
        clicked = at
        while True:
            clicked += 3 + int(40 * rolls())
            # Links further up are clicked more.
            happenings.append((clicked, who, CLICK + min(int(links * rolls() * rolls()), links - 1)))
            if rolls() > 0.4:
                break
    if rolls() < temper.unsubscribe:
        happenings.append((min(at + 10 + int(110 * rolls()), last), who, UNSUBSCRIBE))
    elif rolls() < temper.complain:
        happenings.append((min(at + 10 + int(110 * rolls()), last), who, ABUSE))
