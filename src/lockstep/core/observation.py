"""Three-valued looking: “could not look” is never “not there”."""

from __future__ import annotations

from dataclasses import dataclass

from lockstep.core.member import ObservedMember


@dataclass(frozen=True, slots=True)
class Present:
    member: ObservedMember


@dataclass(frozen=True, slots=True)
class Absent:
    """Looked, and nobody with that address is in the audience, archived ones included."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """Not looked, or no trustworthy answer. Nothing is ever concluded from it."""


Observation = Present | Absent | Unknown

ABSENT = Absent()
UNKNOWN = Unknown()
