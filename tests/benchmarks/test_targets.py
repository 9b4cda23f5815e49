"""The table of speed figures: its arithmetic is right, and everything in it runs."""

import pytest
from benchmarks._lean_mailchimp import CONNECTIONS, MEMBER_BYTES, LeanMailchimp, _Audience, _Lean
from benchmarks.targets import MEASURES, Row, Sizes, limit_of_pages, limit_of_writes, percentile, table

from lockstep.cli.commands.bench import _chosen


def test_the_limit_of_a_first_push_is_that_of_ten_calls_at_once():
    assert limit_of_writes(100_000, 0.2) == pytest.approx(4.0)
    assert limit_of_writes(100_000, 2.0) == pytest.approx(40.0)
    assert limit_of_pages(1_000_000, 0.2) == pytest.approx(20.0)


@pytest.mark.parametrize(
    ("share", "value"), [(0.5, 50), (0.99, 99), (1.0, 100), (0.01, 1)], ids=["p50", "p99", "all", "p1"]
)
def test_a_percentile_is_one_of_the_values(share, value):
    assert percentile(range(100, 0, -1), share) == value
    assert percentile([7.0], share) == 7.0


def test_the_table_says_of_every_row_whether_it_is_reached():
    rows = [Row("T1", "a", "≤ 1", "2", False), Row("T3", "b", "≤ 1", "1", True)]
    assert table(rows).splitlines()[2:] == ["| T1 | a | ≤ 1 | 2 | no |", "| T3 | b | ≤ 1 | 1 | yes |"]


@pytest.mark.parametrize(
    ("words", "chosen"),
    [
        ([], ("targets", [])),
        (["T1", "T10"], ("targets", ["T1", "T10"])),
        (["--small"], ("targets", ["--small"])),
        (["latency", "--edits", "3"], ("latency", ["--edits", "3"])),
        (["--help"], ("--help", [])),
    ],
)
def test_figures_and_options_mean_the_table(words, chosen):
    assert _chosen(words) == chosen


def test_an_answer_of_the_stand_in_is_as_large_as_mailchimps():
    lean = _Lean(0.0)
    body = (
        b'{"members":[{"email_address":"A@b.example","status_if_new":"subscribed","merge_fields":{"F":"x"}}]}'
    )
    status, answer = lean.answer("POST", "/3.0/lists/a", body)
    assert status == 200
    assert b'"total_created":1' in answer
    assert 0.9 * MEMBER_BYTES < len(answer) < 1.2 * MEMBER_BYTES
    status, answer = lean.answer("POST", "/3.0/lists/a", body)
    assert status == 200
    assert b'"total_updated":1' in answer


def test_the_stand_in_pages_in_the_order_of_changes():
    audience = _Audience()
    for n in range(5):
        audience.put(f"p{n}@b.example", "subscribed", b"{}")
    audience.put("p0@b.example", "subscribed", b"{}")
    found, total = audience.page({"count": ["3"], "offset": ["2"]})
    assert [member.email for member in found] == ["p3@b.example", "p4@b.example", "p0@b.example"]
    assert total == 5
    assert audience.page({"count": ["3"], "status": ["archived"]}) == ([], 0)


def test_an_eleventh_call_is_refused():
    import concurrent.futures
    import urllib.error
    import urllib.request

    lean = LeanMailchimp(300)

    def ask(_):
        try:
            return urllib.request.urlopen(f"{lean.url}/3.0/lists/a", timeout=30).status
        except urllib.error.HTTPError as error:
            with error:
                return error.code

    try:
        with concurrent.futures.ThreadPoolExecutor(CONNECTIONS + 5) as threads:
            statuses = sorted(threads.map(ask, range(CONNECTIONS + 5)))
        figures = lean.figures()
    finally:
        lean.stop()
    assert statuses.count(429) == figures.refused
    assert figures.refused >= 1
    assert statuses.count(200) >= CONNECTIONS


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("figure", ["T1", "T6", "T7", "T8", "T9"])
def test_every_measurement_runs_to_its_end(figure, monkeypatch, tmp_path):
    from django.conf import settings
    from django.db import connection
    from tests.processes import database_url_of

    monkeypatch.setenv("DATABASE_URL", database_url_of(connection.settings_dict))
    monkeypatch.setenv("LOCKSTEP_SECRET_KEY", settings.SECRET_KEY)
    monkeypatch.setenv("LOCKSTEP_ENCRYPTION_KEYS", ",".join(settings.LOCKSTEP_ENCRYPTION_KEYS))
    sizes = Sizes(contacts=40, edits=1, connections=2, one_by_one=1)
    rows = list(MEASURES[figure](sizes))
    assert figure in {row.name for row in rows}
    for row in rows:
        assert row.what
        assert row.reached
    if figure == "T1":
        assert "40 added, 0 calls refused" in rows[0].reached
        assert "0 writes" in next(row for row in rows if row.name == "T4").reached
