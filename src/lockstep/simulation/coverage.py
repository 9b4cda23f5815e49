"""Which kinds of things happened in the histories played. What never happens is not proven."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from lockstep.simulation.events import FIELD_FAULTS, WEIGHTS

ENOUGH = 2000
"""Histories after which every kind must have happened."""

TITLES = {
    "event": "what happened",
    "fault": "faults that struck",
    "on the wire,": "lost and late on the wire",
    "killed while": "workers killed while",
    "takeover": "takeovers",
    "webhook": "webhook calls",
    "run": "runs and how they ended",
    "plan": "plans that wait for a person",
    "guard": "guards that tripped",
    "paused by": "connections paused by",
    "planned": "changes planned",
    "answer": "answers without a change",
    "left out,": "left out as",
    "outcome": "outcomes",
    "refused as": "refused as",
    "call": "calls",
    "an unsubscribe": "opting out",
    "at the end": "contacts at the end",
}
"""What the kinds begin with, and what to call them together."""

_FAULTS = (
    *FIELD_FAULTS,
    "plan_limit", "key_revoked", "user_disabled", "audience_deleted",
)  # fmt: skip
_RUNS = ("preview", "start", "refresh", "audit", "retry", "stop")

MUST: tuple[str, ...] = (
    *(f"event {kind}" for kind in WEIGHTS),
    *(f"fault {kind}" for kind in _FAULTS),
    *(f"on the wire, {kind}" for kind in ("lost", "unsent", "late", "slow")),
    *(f"killed while {doing}" for doing in ("keeping step", *_RUNS)),
    "takeover from a worker believed dead",
    *(f"webhook of {what}" for what in ("an unsubscribe", "an address change", "a member")),
    *(f"run {kind}, finished" for kind in _RUNS),
    "run start, stopped", "run start, broken", "run start, dismissed",
    "plan stopped by a guard", "plan other than the approved one",
    "guard audience_looks_empty", "guard many_updates", "guard many_releases", "guard many_gone",
    "paused by key_revoked", "paused by user_disabled", "paused by audience_gone",
    *(f"planned {what}" for what in ("add", "update", "rename", "release", "tags")),
    *(f"answer {what}" for what in ("unchanged", "left_out", "refused_before", "archived", "gone", "look")),
    *(f"left out, {reason}" for reason in (
        "deleted", "outside", "inactive", "no_marketing", "no_email", "invalid_email", "duplicate")),
    *(f"outcome {what}" for what in ("applied", "refused", "stale", "lost", "nottried")),
    *(f"refused as {kind}" for kind in ("forgotten", "compliance", "too_many_signups", "other")),
    "call refused as a whole",
    "an unsubscribe that set No Marketing",
    *(f"at the end {state}" for state in ("synced", "failed", "archived", "unsubscribed", "duplicate")),
)  # fmt: skip


def missing(seen: Mapping[str, int]) -> list[str]:
    """What must happen, and never did."""
    return [kind for kind in MUST if not seen.get(kind)]


def lines(seen: Counter[str]) -> Iterator[tuple[str, str]]:
    """What happened and how often, a title and a line for each group."""
    for start, title in TITLES.items():
        group = [
            (kind.removeprefix(start).strip(), n) for kind, n in seen.items() if kind.startswith(f"{start} ")
        ]
        if group:
            group.sort(key=lambda item: (-item[1], item[0]))
            yield title, ", ".join(f"{kind} {n:,}" for kind, n in group)
