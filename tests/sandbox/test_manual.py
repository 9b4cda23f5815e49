"""The manual of the sandbox names every option, switch, fault and call of the control door."""

from __future__ import annotations

import pytest
from starlette.routing import Route

from lockstep.sandbox import Sandbox, control
from lockstep.sandbox.behaviour import Temper
from lockstep.sandbox.command import build_parser
from lockstep.sandbox.faults import KINDS
from lockstep.sandbox.happenings import WHAT
from lockstep.sandbox.switches import Switches

from .conftest import ROOT

MANUAL = (ROOT / "docs" / "reference" / "sandbox.md").read_text(encoding="utf-8")
OPTIONS = [
    name for action in build_parser()._actions for name in action.option_strings if name.startswith("--")
]
DOORS = sorted(
    {
        route.path.removesuffix("/{number:int}")
        for route in control.routes(Sandbox(), None)
        if isinstance(route, Route)
    }
)


@pytest.mark.parametrize("name", [name for name in OPTIONS if name != "--help"])
def test_options(name: str) -> None:
    assert f"`{name}" in MANUAL or f"{name} " in MANUAL


@pytest.mark.parametrize("name", [*Switches.names(), *KINDS, *WHAT, *Temper.__slots__])
def test_words(name: str) -> None:
    assert f"`{name}`" in MANUAL


@pytest.mark.parametrize("path", DOORS)
def test_the_control_door(path: str) -> None:
    assert f"/_sandbox{path}" in MANUAL
