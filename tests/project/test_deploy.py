"""What is in deploy/ fits the commands and settings that there are."""

from __future__ import annotations

import configparser
import json
import re
import shlex
from pathlib import Path

import pytest
import yaml

from lockstep.cli.main import COMMANDS
from lockstep.project.environment import SETTINGS

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
KNOWN = {command.name for command in COMMANDS if not command.hidden}
DECLARED = {setting.name for setting in SETTINGS}
OURS = re.compile(r"\b(?:LOCKSTEP_|MAILCHIMP_|DATABASE_URL)\w*")


@pytest.mark.parametrize(
    "path", sorted(one for one in DEPLOY.rglob("*") if one.is_file()), ids=lambda p: p.name
)
def test_only_settings_that_exist_are_set(path: Path) -> None:
    # The compose file's own variable, for the health check's Host.
    assert set(OURS.findall(path.read_text())) - {"LOCKSTEP_HOST"} <= DECLARED


def test_compose_runs_commands_that_exist() -> None:
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    services = compose["services"]
    assert set(services) == {"database", "migrate", "web", "worker"}
    for name in ("migrate", "web", "worker"):
        assert services[name]["command"][0] in KNOWN
        assert "ports" not in services[name]
        build = services[name]["build"]
        assert (DEPLOY / build["context"] / build["dockerfile"]).exists()
        assert set(services[name]["environment"]) <= DECLARED
        assert all(one in services for one in services[name]["depends_on"])


def test_the_image_is_made_of_what_is_there() -> None:
    text = (DEPLOY / "Dockerfile").read_text()
    for line in re.findall(r"^COPY (?!--from)(.+) \S+$", text, re.M):
        for source in line.split():
            assert (ROOT / source).exists(), source
    assert json.loads(re.search(r"^CMD (.+)$", text, re.M)[1])[0] in KNOWN  # type: ignore[index]
    assert re.search(r"^USER lockstep$", text, re.M)
    assert "--require-hashes" in text


@pytest.mark.parametrize("path", sorted((DEPLOY / "systemd").iterdir()), ids=lambda p: p.name)
def test_units_run_commands_that_exist(path: Path) -> None:
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read_string(path.read_text())
    program, command, *_ = shlex.split(unit["Service"]["ExecStart"])
    assert program == "/opt/lockstep/bin/lockstep"
    assert command in KNOWN
    assert unit["Service"]["User"] == "lockstep"
    assert int(unit["Service"]["TimeoutStopSec"]) >= (20 if command == "worker" else 10)


def test_the_guide_names_commands_and_settings_that_exist() -> None:
    text = (ROOT / "docs" / "how-to" / "operating.md").read_text()
    named = set(re.findall(r"^ {4}lockstep ([a-z-]+)|`lockstep ([a-z-]+)", text, re.M))
    assert {one or other for one, other in named} <= KNOWN
    assert set(OURS.findall(text)) <= DECLARED
