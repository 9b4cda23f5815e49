"""The fault matrix: every fault of the practice Mailchimp at every phase ends right, or pauses with the right
words; and once it is gone, everything is in step and nothing was broken."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

from lockstep.sandbox.testing import SandboxServer
from tests.scenarios.fault_table import BEGIN, END, EXPECTED, as_markdown
from tests.scenarios.faults import API_KINDS, PHASES, Phase, play

PROOF = Path(__file__).parents[2] / "docs" / "explanation" / "proof.md"


@pytest.mark.postgres
@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("phase", PHASES, ids=lambda phase: phase.name)
def test_every_fault_of_a_phase(
    phase: Phase,
    transactional_db: None,
    practice_mailchimp: SandboxServer,
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings.MAILCHIMP_API_BASE_OVERRIDE = practice_mailchimp.url
    logging.getLogger("lockstep").setLevel(logging.ERROR)
    found: dict[str, str] = {}
    wrong: list[str] = []
    try:
        for kind in API_KINDS:
            with monkeypatch.context() as patch:
                found[kind], broken = play(phase, kind, practice_mailchimp, patch)
            wrong += [f"{kind}: {words}" for words in broken]
    finally:
        logging.getLogger("lockstep").setLevel(logging.NOTSET)
    assert not wrong
    assert found == EXPECTED[phase.name]


def test_every_phase_and_every_fault_is_in_the_table() -> None:
    assert list(EXPECTED) == [phase.name for phase in PHASES]
    assert {kind for row in EXPECTED.values() for kind in row} == set(API_KINDS)


def test_the_documented_table_is_the_tested_one() -> None:
    text = PROOF.read_text(encoding="utf-8")
    assert text.partition(BEGIN)[2].partition(END)[0] == as_markdown()
