"""The five counts as a bar, and in words. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from lockstep.core.member import SyncState
from lockstep.web.states import look_of
from lockstep.web.wording import plural

__all__ = ["outcome_parts", "outcome_words"]


def outcome_parts(counts: Mapping[SyncState, int]) -> tuple[tuple[str, int], ...]:
    """(tone, count) in the order of the tabs."""
    return tuple((look_of(state.value).tone, counts.get(state, 0)) for state in SyncState)


def outcome_words(counts: Mapping[SyncState, int]) -> str:
    """“Of 2,146 contacts, 2,096 synced, 6 pending, 17 failed, 8 archived, 19 unsubscribed”."""
    parts = ", ".join(f"{counts.get(state, 0):,} {look_of(state.value).word.lower()}" for state in SyncState)
    return f"Of {plural(sum(counts.values()), 'contact')}, {parts}"
