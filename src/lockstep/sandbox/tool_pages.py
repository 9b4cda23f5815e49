"""Pages for the person who tests: the live request log, faults as switches, the clock, the switches."""

from __future__ import annotations

import json
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from .clock import BadTime, parse_time
from .faults import KINDS, BadFault, Rule
from .page_frame import Frame, number_in
from .request_log import Entry
from .sandbox import Sandbox
from .switches import Switches, choices_of
from .templates import render

__all__ = ["routes"]

_SHOWN = 100
_PRETTY_BYTES = 20_000
JUMPS = ((60, "1 minute"), (600, "10 minutes"), (3600, "1 hour"), (86_400, "1 day"), (7 * 86_400, "1 week"))


def routes(sandbox: Sandbox, frame: Frame) -> list[Route]:
    """The routes of these pages."""
    return [*_log(sandbox, frame), *_faults(sandbox, frame), *_clock(sandbox, frame)]


# --- the log ---


def _log(sandbox: Sandbox, frame: Frame) -> list[Route]:
    def found(request: Request) -> list[Entry]:
        query = request.query_params
        entries = list(
            sandbox.log.entries(
                after=number_in(query.get("after", ""), 0),
                path=query.get("path", ""),
                method=query.get("method", ""),
                writes=bool(query.get("writes")),
            )
        )
        return entries[: -_SHOWN - 1 : -1]

    async def index(request: Request) -> Response:
        entries = found(request)
        query = {name: request.query_params.get(name, "") for name in ("path", "method", "writes")}
        return frame.show(
            request, "log.html", part="/log", entries=entries, query=query, pretty=_pretty,
            newest=entries[0].number if entries else sandbox.log.total, total=sandbox.log.total,
        )  # fmt: skip

    async def rows(request: Request) -> Response:
        return render("log_rows.html", entries=found(request), pretty=_pretty)

    async def clear(request: Request) -> Response:
        sandbox.log.clear()
        return RedirectResponse("/log", 303)

    return [
        Route("/log", index, methods=["GET"]),
        Route("/log", clear, methods=["POST"]),
        Route("/log/rows", rows, methods=["GET"]),
    ]


def _pretty(body: bytes | None) -> str:
    """A body for people: JSON with line breaks, cut where it is long."""
    if body is None:
        return "(no longer kept)"
    text = body.decode(errors="replace")
    if len(body) <= _PRETTY_BYTES:
        try:
            return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
        except ValueError:
            return text
    return f"{text[:_PRETTY_BYTES]}\n… {len(body)} bytes in all"


# --- faults ---


def _faults(sandbox: Sandbox, frame: Frame) -> list[Route]:
    def show(request: Request, *, error: str = "", sent: dict[str, str] | None = None) -> Response:
        rules = list(sandbox.faults.rules.values())
        return frame.show(
            request, "faults.html", part="/faults", status=400 if error else 200, error=error,
            kinds=KINDS, rules=rules, sent=sent or {}, always={r.fault.kind for r in rules if _is_plain(r)},
        )  # fmt: skip

    async def index(request: Request) -> Response:
        return show(request)

    async def act(request: Request) -> Response:
        form = {name: str(value).strip() for name, value in (await request.form()).items()}
        kind = form.get("kind", "")
        match form.get("what"):
            case "remove":
                sandbox.faults.remove(number_in(form.get("number", ""), 0))
            case "clear":
                sandbox.faults.clear()
            case "switch":
                rules = [r for r in sandbox.faults.rules.values() if _is_plain(r) and r.fault.kind == kind]
                for rule in rules:
                    sandbox.faults.remove(rule.number)
                if not rules and kind in KINDS:
                    sandbox.faults.add(kind)
            case _:
                try:
                    _add_rule(sandbox, kind, form)
                except (BadFault, ValueError) as refusal:
                    return show(request, error=str(refusal), sent=form)
        return RedirectResponse("/faults", 303)

    return [Route("/faults", index, methods=["GET"]), Route("/faults", act, methods=["POST"])]


def _is_plain(rule: Rule) -> bool:
    """Does it strike everything: what a switch makes?"""
    conditions = (rule.method, rule.path, rule.nth, rule.every, rule.times)
    return not any(conditions) and rule.probability == 1


def _add_rule(sandbox: Sandbox, kind: str, form: dict[str, str]) -> None:
    """A rule with conditions. Raises BadFault, ValueError."""
    when: dict[str, Any] = {name: form[name] for name in ("method", "path") if form.get(name)}
    when |= {name: int(form[name]) for name in ("nth", "every", "times") if form.get(name)}
    if form.get("probability"):
        when["probability"] = float(form["probability"])
    known = KINDS.get(kind, ("", {}))[1]
    sandbox.faults.add(kind, {name: form[name] for name in known if form.get(name)}, **when)


# --- clock and switches ---


def _clock(sandbox: Sandbox, frame: Frame) -> list[Route]:
    def show(request: Request, *, error: str = "") -> Response:
        held = sandbox.switches
        switches = [(name, getattr(held, name), choices_of(name), _told(name)) for name in Switches.names()]
        return frame.show(
            request, "clock.html", part="/clock", status=400 if error else 200, error=error,
            clock=sandbox.clock, jumps=JUMPS, switches=switches, latency=sandbox.latency,
            next_due=sandbox.schedule.next_due(),
        )  # fmt: skip

    async def index(request: Request) -> Response:
        return show(request)

    async def act(request: Request) -> Response:
        form = {name: str(value).strip() for name, value in (await request.form()).items()}
        clock = sandbox.clock
        try:
            match form.get("what"):
                case "advance":
                    clock.advance(number_in(form.get("seconds", ""), 0))
                case "set":
                    clock.set(parse_time(form.get("moment", "")) or clock.now())
                case "rate":
                    clock.run(float(form.get("rate", "1")))
                case "switches":
                    _set_switches(sandbox, form)
                    sandbox.latency.milliseconds = float(form.get("latency") or 0)
        except (BadTime, ValueError) as refusal:
            return show(request, error=str(refusal) or "this is no time")
        sandbox.tick()
        return RedirectResponse("/clock", 303)

    return [Route("/clock", index, methods=["GET"]), Route("/clock", act, methods=["POST"])]


def _set_switches(sandbox: Sandbox, form: dict[str, str]) -> None:
    """All switches from the form; a box that is not ticked is not in it. Raises ValueError."""
    wanted: dict[str, Any] = {}
    for name in Switches.names():
        now = getattr(sandbox.switches, name)
        if isinstance(now, bool):
            wanted[name] = form.get(name) == "on"
        elif name in form:
            wanted[name] = int(form[name]) if isinstance(now, int) else form[name]
    for name, value in wanted.items():
        sandbox.switches.set(name, value)


def _told(name: str) -> str:
    return name.replace("_", " ").capitalize()
