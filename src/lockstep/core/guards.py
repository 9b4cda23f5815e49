"""Named numbers that stop a run which looks wrong until a person says it is right (S4)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Shares are of the contacts synced before; none of them applies below `at_least` contacts."""

    updates: float = 0.30
    releases: float = 0.30
    gone: float = 0.10
    at_least: int = 25


@dataclass(frozen=True, slots=True)
class Census:
    """What a guard looks at: whole numbers of contacts or members."""

    synced_before: int
    """Contacts that had a confirmed member before this run."""
    observed: int
    """Members that the audience holds, archived ones included."""
    updates: int
    releases: int
    gone: int
    """Contacts with a confirmed member that is no longer there."""


@dataclass(frozen=True, slots=True)
class GuardTrip:
    """A guard that tripped: its name, the number it saw, the number it allows, and words."""

    name: str
    number: int
    allowed: int
    text: str


def check(census: Census, thresholds: Thresholds) -> tuple[GuardTrip, ...]:
    """Every guard that trips, in a fixed order; empty means go on.

    A first sync (nothing synced before) trips none: there is nothing to lose yet.
    """
    before = census.synced_before
    if before == 0:
        return ()
    trips: list[GuardTrip] = []
    if census.observed == 0:
        trips.append(
            GuardTrip(
                "audience_looks_empty",
                0,
                1,
                f"Mailchimp lists nobody in this audience, though {before:,} contacts were synced to it. "
                "That is far more often a fault than a wish.",
            )
        )
    if before < thresholds.at_least:
        return tuple(trips)
    for name, number, share, what in (
        ("many_updates", census.updates, thresholds.updates, "would be changed"),
        ("many_releases", census.releases, thresholds.releases, "would turn Inactive"),
        ("many_gone", census.gone, thresholds.gone, "are no longer in the audience"),
    ):
        allowed = int(before * share)
        if number > allowed:
            trips.append(
                GuardTrip(
                    name,
                    number,
                    allowed,
                    f"{number:,} of {before:,} synced contacts {what}. "
                    f"More than {allowed:,} need your confirmation.",
                )
            )
    return tuple(trips)
