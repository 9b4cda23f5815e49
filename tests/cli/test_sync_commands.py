"""``lockstep status``, ``why`` and ``sync`` on a real database."""

from __future__ import annotations

import json

import pytest
from tests.factories import CompanyFactory, SeatFactory
from tests.factories.filled import add_lists, add_part, add_window

from lockstep.apps.accounts.models import Company
from lockstep.apps.connections.models import Connection
from lockstep.apps.sync.models import MemberRecord, SyncRun
from lockstep.cli.failure import Failure
from lockstep.cli.main import main
from lockstep.cli.sync_status import status, why
from lockstep.cli.sync_work import run
from lockstep.core.member import SyncState

pytestmark = pytest.mark.django_db


@pytest.fixture
def company() -> Company:
    seat = SeatFactory(company=CompanyFactory(name="Alpaca"))
    window = add_window(seat, "alpaca")
    add_part(seat, "alpaca", add_lists(seat, "alpaca"), window)
    return seat.company


def test_status_gives_counts_that_add_up(company: Company, capsys: pytest.CaptureFixture[str]) -> None:
    assert status(["--json"]) == 0
    [told] = json.loads(capsys.readouterr().out)
    [on, off] = told["syncs"]
    recorded = MemberRecord.objects.filter(connection_id=on["id"]).exclude(state="").count()
    assert sum(on["counts"].values()) == recorded > 0
    assert (told["company"], on["mode"], off["mode"]) == ("Alpaca", "on", "off")
    assert status([]) == 0
    assert f"{recorded:,} fit = " in capsys.readouterr().out


def test_status_says_what_is_paused_and_exits_with_1(
    company: Company, capsys: pytest.CaptureFixture[str]
) -> None:
    Connection.objects.filter(mode=Connection.Mode.ON).update(broken_text="The audience is gone.")
    assert status([]) == 1
    assert "PAUSED: The audience is gone." in capsys.readouterr().out


def test_why_answers_for_every_contact_of_the_address(
    company: Company, capsys: pytest.CaptureFixture[str]
) -> None:
    failed = MemberRecord.objects.filter(state=SyncState.FAILED.value).select_related("contact").first()
    assert failed is not None
    assert why([failed.contact.email.upper(), "--json"]) == 0
    told = {one["contact"]: one for one in json.loads(capsys.readouterr().out)}
    assert told[failed.contact_id]["state"] == "failed"
    assert why([failed.contact.email]) == 0
    assert "Mailchimp's words: " + failed.refusal_text in capsys.readouterr().out


def test_nobody_of_that_address(company: Company, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["why", "nobody@nowhere.example"]) == 1
    assert "nobody in the book of Alpaca" in capsys.readouterr().err


def test_sync_asks_the_worker(company: Company, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(Failure, match="several audiences"):
        run(["refresh"])
    assert run(["refresh", "--audience", "ALPACA audience"]) == 0
    assert SyncRun.objects.filter(kind=SyncRun.Kind.REFRESH, state=SyncRun.State.QUEUED).count() == 1
    with pytest.raises(Failure, match="Another run is under way"):
        run(["retry", "--audience", "alpaca audience"])
    assert run(["stop", "--audience", "alpaca audience"]) == 0
    assert Connection.objects.get(list_name="alpaca audience").mode == Connection.Mode.STOPPING
    with pytest.raises(Failure, match="no such audience"):
        run(["start", "--audience", "other"])
