"""``export``, ``user``, ``doctor``, ``plan`` and ``rotate-key`` on a real database."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from django.conf import settings
from django.db import connection, connections
from django.test import Client as Browser
from tests.factories import CompanyFactory, ContactFactory, SeatFactory
from tests.factories.connections import ConnectionFactory, MailchimpAccountFactory
from tests.processes import until
from tests.scenarios.world import SyncWorld

from lockstep.apps.accounts.models import Seat
from lockstep.apps.accounts.permissions import Role
from lockstep.apps.connections.models import Connection
from lockstep.apps.connections.secrets import seal, unseal
from lockstep.apps.sync.models import SyncRun
from lockstep.cli.main import main
from lockstep.project import sealed
from lockstep.sandbox.testing import serve

Captured = pytest.CaptureFixture[str]


@pytest.mark.django_db
def test_export_is_what_an_import_reads_back(tmp_path: Path, capsys: Captured) -> None:
    contact = ContactFactory(first_name="=Ann", email="ann@example.com")
    target = tmp_path / "book.csv"
    assert main(["export", str(target)]) == 0
    written = target.read_text("utf-8-sig")
    assert "ann@example.com" in written
    assert "'=Ann" in written  # no formula
    assert main(["export", str(target)]) == 1
    assert "there already" in capsys.readouterr().err
    assert main(["export", str(tmp_path / "book.xlsx")]) == 0
    assert main(["import", str(target), "--company", contact.company.name]) == 0
    assert "1 contacts as they were" in capsys.readouterr().out
    again = tmp_path / "again.csv"
    assert main(["export", str(again), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"file": str(again), "bytes": target.stat().st_size}
    assert main(["import", str(again), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["counts"]["unchanged_contacts"], told["refused"]) == (1, None)
    assert main(["export", "-", "--json"]) == 1


@pytest.mark.django_db
def test_a_user_from_invitation_to_farewell(capsys: Captured, client: Browser) -> None:
    company = SeatFactory(company=CompanyFactory(name="Alpaca")).company
    assert main(["user", "create", "kim@example.com", "--first-name", "Kim", "--json"]) == 0
    link = json.loads(capsys.readouterr().out)["link"]
    page = client.get(link.removeprefix(settings.LOCKSTEP_BASE_URL), follow=True)
    assert page.status_code == 200
    assert b'name="password1"' in page.content
    seat = Seat.objects.get(company=company, user__email="kim@example.com")
    assert seat.role == Role.SALES
    assert main(["user", "create", "KIM@example.com"]) == 1
    assert main(["user", "make-admin", "kim@example.com"]) == 0
    assert main(["user", "deactivate", "kim@example.com"]) == 0
    seat.refresh_from_db()
    assert (seat.role, seat.deactivated_at is None) == (Role.ADMIN, False)
    assert main(["user", "reactivate", "kim@example.com"]) == 0
    assert main(["user", "reset-link", "nobody@example.com"]) == 1
    capsys.readouterr()
    assert main(["user", "list", "--json"]) == 0
    assert {one["email"]: one["active"] for one in json.loads(capsys.readouterr().out)}[
        "kim@example.com"
    ] is True


@pytest.mark.django_db
def test_the_last_admin_stays(capsys: Captured) -> None:
    seat = SeatFactory()
    assert main(["user", "deactivate", seat.user.email]) == 1
    assert "Admin" in capsys.readouterr().err


@pytest.mark.django_db
def test_rotation_leaves_nothing_under_the_old_key(settings: object, capsys: Captured) -> None:
    old = settings.LOCKSTEP_ENCRYPTION_KEYS  # type: ignore[attr-defined]
    account = MailchimpAccountFactory(secret=seal("first"))
    made = ConnectionFactory(account=account, webhook_secret=seal("hook"))
    new = Fernet.generate_key().decode()
    settings.LOCKSTEP_ENCRYPTION_KEYS = [new, *old]  # type: ignore[attr-defined]
    assert main(["rotate-key", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"changed": 2, "kept": 0, "unreadable": []}
    settings.LOCKSTEP_ENCRYPTION_KEYS = [new]  # type: ignore[attr-defined]
    account.refresh_from_db()
    made.refresh_from_db()
    assert (unseal(account.secret), unseal(made.webhook_secret)) == ("first", "hook")
    assert sealed.rotate()[:2] == (0, 2)
    settings.LOCKSTEP_ENCRYPTION_KEYS = [Fernet.generate_key().decode()]  # type: ignore[attr-defined]
    assert main(["rotate-key"]) == 1
    assert "mailchimp account" in capsys.readouterr().out


@pytest.mark.django_db
def test_doctor_finds_what_is_wrong_and_says_what_to_do(settings: object, capsys: Captured) -> None:
    made = ConnectionFactory(mode=Connection.Mode.ON, webhook_trouble="Mailchimp can't call it.")
    SyncRun.objects.create(
        company=made.company, connection=made, kind="audit", state="finished", plan={"updates": 7}
    )

    def findings() -> dict[str, dict[str, str]]:
        main(["doctor", "--offline", "--json"])
        return {one["what"]: one for one in json.loads(capsys.readouterr().out)}

    found = findings()
    assert {
        found[name]["verdict"] for name in ("database", "migrations", "clock", "encryption keys", "queue")
    } == {"good"}
    assert found["workers"]["verdict"] == "bad"
    assert "lockstep worker" in found["workers"]["todo"]
    assert "7 members" in found[f"sync {made.pk} drift"]["text"]
    assert found[f"sync {made.pk} webhook"]["verdict"] == "care"
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now())")
    assert main(["doctor", "--offline"]) == 0
    settings.LOCKSTEP_ENCRYPTION_KEYS = [Fernet.generate_key().decode()]  # type: ignore[attr-defined]
    capsys.readouterr()
    assert findings()["encryption keys"]["verdict"] == "bad"
    assert main(["doctor", "--offline"]) == 1


@pytest.mark.django_db(transaction=True)
def test_plan_tells_and_sends_nothing(tmp_path: Path, capsys: Captured) -> None:
    with serve() as server:
        world = SyncWorld(server)
        ContactFactory(company=world.company, client__company=world.company, email="ann@example.com")

        def worker() -> None:
            try:
                until(
                    lambda: SyncRun.objects.filter(state="queued").exists(),
                    within=30,
                    what="a dry run is asked for",
                )
                world.work()
            finally:
                connections.close_all()

        beside = threading.Thread(target=worker)
        beside.start()
        try:
            target = tmp_path / "plan.csv"
            assert main(["plan", "--json", "--rows", "--csv", str(target)]) == 0
        finally:
            beside.join()
        told = json.loads(capsys.readouterr().out)
        assert told["counts"] == {"add": 1}
        assert [row["email"] for row in told["rows"]] == ["ann@example.com"]
        assert "ann@example.com" in target.read_text("utf-8-sig")
        assert "ann@example.com" not in world.emails()
        assert main(["plan", "--wait", "0"]) == 1
        assert "no worker has planned it" in capsys.readouterr().err
