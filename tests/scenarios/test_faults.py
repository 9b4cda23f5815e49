"""The fault matrix: every fault of the practice Mailchimp at every phase ends right, or pauses with the right words."""

from __future__ import annotations

from typing import Any

import pytest

from lockstep.sandbox.testing import SandboxServer
from tests.scenarios.faults import API_KINDS, PHASES, Phase, play

pytestmark = [pytest.mark.postgres, pytest.mark.slow, pytest.mark.timeout(240)]


@pytest.mark.parametrize("phase", PHASES, ids=lambda phase: phase.name)
def test_every_fault_of_a_phase(
    phase: Phase,
    transactional_db: None,
    practice_mailchimp: SandboxServer,
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings.MAILCHIMP_API_BASE_OVERRIDE = practice_mailchimp.url
    found, wrong = {}, []
    import os, time
    for kind in os.environ.get('KINDS','').split(',') if os.environ.get('KINDS') else API_KINDS:
        print('CELL', phase.name, kind, time.monotonic(), flush=True)
        with monkeypatch.context() as patch:
            try:
                found[kind], broken = play(phase, kind, practice_mailchimp, patch)
            except Exception as error:
                import traceback

                traceback.print_exc()
                found[kind], broken = f"RAISED {type(error).__name__} {str(error)[:150]}", []
        wrong += [f"{kind}: {words}" for words in broken]
    print(phase.name, found)
    for w in wrong:
        print("   WRONG", w)
    assert not wrong
