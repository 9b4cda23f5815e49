"""The documentation builds without a warning, and speaks of what there is."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from lockstep.cli.main import COMMANDS
from lockstep.core.field_map import FieldMap
from lockstep.web.failures import FAILURES

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
TEXTS = [*PAGES, ROOT / "README.md", ROOT / "CONTRIBUTING.md"]

NAMED = re.compile(r"(?:`|^ {4}|^\$ )(?:\./)?lockstep ([a-z][a-z-]+)", re.MULTILINE)
"""A command in code: between backquotes, or on a line of its own."""


@pytest.mark.slow
def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    built = subprocess.run(
        [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html", DOCS, tmp_path / "site"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (built.returncode, built.stderr) == (0, "")
    page = (tmp_path / "site" / "guide" / "mailchimp.html").read_text(encoding="utf-8")
    assert 'src="../_images/configure.png"' in page
    elsewhere = re.findall(r'(?:src|<link[^>]+href)="(https?://[^"]+)"', page)
    assert elsewhere == [], "the site asks nobody else for anything"


def test_every_command_that_is_spoken_of_exists() -> None:
    known = {command.name for command in COMMANDS}
    unknown = {
        f"{page.relative_to(ROOT)}: {name}"
        for page in TEXTS
        for name in NAMED.findall(page.read_text(encoding="utf-8"))
        if name not in known
    }
    assert unknown == set()


def test_every_command_is_spoken_of() -> None:
    said = {name for page in TEXTS for name in NAMED.findall(page.read_text(encoding="utf-8"))}
    assert {command.name for command in COMMANDS if not command.hidden} - said == set()


def test_the_pictures_are_those_that_the_guide_shows() -> None:
    shown = {
        (page.parent / name).resolve()
        for page in PAGES
        for name in re.findall(r"!\[[^\]]+\]\(([^)]+\.png)\)", page.read_text(encoding="utf-8"))
    }
    assert shown == {path.resolve() for path in DOCS.rglob("*.png")}


def test_the_guide_names_every_audience_field_and_every_refusal() -> None:
    guide = (DOCS / "guide" / "mailchimp.md").read_text(encoding="utf-8")
    assert [label for label in FieldMap().labels if label not in guide] == []
    assert [words.title for words in FAILURES.values() if words.title not in guide] == []


@pytest.mark.parametrize("page", TEXTS, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_within_the_project_lead_somewhere(page: Path) -> None:
    """Also those of the README, which is no page of the site."""
    text = re.sub(r"```.*?```|`[^`\n]*`", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    targets = re.findall(r"(?<!!)\[[^\]]*\]\(([^)#\s]+)[^)]*\)", text)
    broken = [target for target in targets if "://" not in target and not (page.parent / target).exists()]
    assert broken == []
