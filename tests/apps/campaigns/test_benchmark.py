"""The benchmark of reading campaigns, small: it runs, and reads only what moved."""

from __future__ import annotations

import pytest
from benchmarks.campaigns import main

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]


def test_the_benchmark_reads_only_what_moved(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--campaigns", "2", "--recipients", "1200", "--events", "20"]) == 0
    told = capsys.readouterr().out
    assert "only what moved was read" in told
    assert "2 campaigns, 1,200 recipients each" in told
