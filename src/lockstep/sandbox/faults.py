"""Faults on demand (contract, 7 and 12; traps 36 to 39): rules of when, kinds of what.

A rule says on which requests it strikes (method, path, every nth, how often, with which probability) and what
happens then. The door (`door.py`) carries it out. The header `X-Sandbox-Fault: KIND; NAME=VALUE` asks for one
fault on one request.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from .ids import Ids

__all__ = ["KINDS", "BadFault", "Fault", "FaultBook", "Rule", "parse_header"]

#: Kind -> (what it does, parameters with defaults). Seconds here are real seconds.
KINDS: dict[str, tuple[str, dict[str, float]]] = {
    "latency": ("waits `ms`, give or take `spread_ms`, before the work", {"ms": 200, "spread_ms": 0}),
    "too_many_requests": ("429 problem document", {}),
    "too_many_requests_plain": ("429 without JSON, as at high load", {}),
    "forbidden_html": ("403 HTML page from the edge", {}),
    "unavailable": ("503 with an empty body", {}),
    "internal_error": ("500 problem document", {}),
    "reset": ("drops the connection before any answer; nothing is done", {}),
    "reset_after": ("does the work, then drops the connection", {}),
    "timeout": ("does the work, then says nothing for `seconds` and drops the connection", {"seconds": 120}),
    "slow_drip": ("answers `bytes` at a time every `ms`", {"bytes": 64, "ms": 50}),
    "truncated": ("announces the whole body, sends half, drops the connection", {}),
    "stale": ("reads show the world as it was `seconds` of simulated time ago", {"seconds": 60}),
    "key_revoked": ("401 API Key Invalid", {}),
    "user_disabled": ("403 User Disabled", {}),
    "audience_deleted": ("404 for everything below an audience", {}),
    "plan_limit": ("new contacts are refused because the plan is full", {}),
    "hook_late": ("a webhook call comes `seconds` of simulated time late", {"seconds": 600}),
    "hook_twice": ("a webhook call comes twice", {}),
    "hook_never": ("a webhook call does not come at all", {}),
    "hook_disorder": ("webhook calls come in any order within `seconds` of simulated time", {"seconds": 30}),
}
#: Kinds that strike webhook calls; for them a rule's method is HOOK and its path `/<webhook id>/<event>`.
HOOK = "HOOK"


class BadFault(ValueError):
    """An unknown kind, or a rule that makes no sense."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault to carry out."""

    kind: str
    parameters: dict[str, float]

    @classmethod
    def of(cls, kind: str, **given: Any) -> Fault:
        """A fault with the defaults of its kind filled in; raises BadFault."""
        if kind not in KINDS:
            raise BadFault(f"there is no fault {kind!r}; there are {', '.join(KINDS)}")
        defaults = KINDS[kind][1]
        if unknown := set(given) - set(defaults):
            raise BadFault(
                f"{kind} takes {', '.join(defaults) or 'no parameters'}, not {', '.join(sorted(unknown))}"
            )
        try:
            numbers = {name: float(value) for name, value in given.items()}
        except (TypeError, ValueError) as error:
            raise BadFault(f"the parameters of {kind} are numbers") from error
        return cls(kind, defaults | numbers)

    def __getitem__(self, name: str) -> float:
        return self.parameters[name]


@dataclass(slots=True)
class Rule:
    """When a fault strikes. `nth` strikes on the nth matching request only, `every` on each multiple of it,
    `probability` by the seeded dice, `times` limits how often in all (None: no limit)."""

    number: int
    fault: Fault
    method: str = ""
    path: str = ""
    query: str = ""
    nth: int | None = None
    every: int | None = None
    probability: float = 1.0
    times: int | None = None
    seen: int = 0
    struck: int = 0

    def document(self) -> dict[str, Any]:
        """As the control door shows it."""
        return {
            "number": self.number, "kind": self.fault.kind, "parameters": self.fault.parameters,
            "method": self.method, "path": self.path, "query": self.query, "nth": self.nth,
            "every": self.every, "probability": self.probability, "times": self.times,
            "seen": self.seen, "struck": self.struck,
        }  # fmt: skip


@dataclass(slots=True)
class FaultBook:
    """The rules in force, in the order in which they were made."""

    rules: dict[int, Rule] = field(default_factory=dict)
    _next: int = 1

    def add(self, kind: str, parameters: dict[str, Any] | None = None, **when: Any) -> Rule:
        """A new rule; `when` are the fields of Rule. Raises BadFault.

        `path` is a regular expression searched for in the path below `/3.0`, `query` one for what follows
        the question mark.
        """
        allowed = {"method", "path", "query", "nth", "every", "probability", "times"}
        if unknown := set(when) - allowed:
            raise BadFault(f"a rule has {', '.join(sorted(allowed))}, not {', '.join(sorted(unknown))}")
        for name in ("path", "query"):
            try:
                re.compile(str(when.get(name, "")))
            except re.error as error:
                raise BadFault(f"{name} is not a regular expression: {error}") from error
        for name in ("nth", "every", "times"):
            value = when.get(name)
            if value is not None and (not isinstance(value, int) or value < 1):
                raise BadFault(f"{name} is a whole number from 1")
        probability = when.get("probability", 1.0)
        if not isinstance(probability, int | float) or not 0 <= probability <= 1:
            raise BadFault("probability lies between 0 and 1")
        rule = Rule(self._next, Fault.of(kind, **(parameters or {})), **when)
        self.rules[rule.number] = rule
        self._next += 1
        return rule

    def striking(self, method: str, path: str, ids: Ids, query: str = "") -> Iterator[Fault]:
        """The faults for this request; counts it."""
        for rule in self.rules.values():
            if rule.fault.kind.startswith("hook_") is not (method == HOOK):
                continue
            if (rule.method and rule.method.upper() != method) or not re.search(rule.path, path):
                continue
            if not re.search(rule.query, query):
                continue
            rule.seen += 1
            if rule.times is not None and rule.struck >= rule.times:
                continue
            if rule.nth is not None and rule.seen != rule.nth:
                continue
            if rule.every is not None and rule.seen % rule.every:
                continue
            if rule.probability < 1 and ids.chance() >= rule.probability:
                continue
            rule.struck += 1
            yield rule.fault

    def remove(self, number: int) -> bool:
        """Take a rule away; False if there is none of that number."""
        return self.rules.pop(number, None) is not None

    def clear(self) -> None:
        """No more faults."""
        self.rules.clear()


def parse_header(text: str) -> list[Fault]:
    """The faults of an `X-Sandbox-Fault` header: `timeout; seconds=1, truncated`. Raises BadFault."""
    faults = []
    for part in text.split(","):
        kind, *given = (piece.strip() for piece in part.split(";"))
        pairs = [piece.partition("=") for piece in given if piece]
        faults.append(Fault.of(kind, **{name.strip(): value.strip() for name, _, value in pairs}))
    return faults
