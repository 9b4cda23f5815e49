"""The generated page of what the sandbox covers is up to date, and nothing described is missing."""

from __future__ import annotations

from lockstep.sandbox.conformance import Description
from lockstep.sandbox.coverage import page

from .conftest import ROOT


def test_the_page_is_up_to_date(found_description: Description | None) -> None:
    written = (ROOT / "docs" / "reference" / "sandbox-coverage.md").read_text(encoding="utf-8")
    assert written == page(found_description), "run: python -m lockstep.sandbox.coverage > docs/reference/…"


def test_everything_that_is_described_is_served(description: Description) -> None:
    assert "| missing |" not in page(description)


def test_remarks_about_guesses_are_told() -> None:
    written = page(None)
    assert "the sandbox has no map" in written
    assert "Sorry, that tag already exists." in written
