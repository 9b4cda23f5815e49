"""``lockstep company`` on a real database."""

import json

import pytest
from allauth.mfa.models import Authenticator
from django.core import mail
from django.test import Client as Browser
from tests.factories import SeatFactory

from lockstep.apps.accounts.models import Company, Invitation, Seat, SignIn
from lockstep.apps.book.models import HistoryEntry, ListValue
from lockstep.cli import companies
from lockstep.cli.failure import Failure

pytestmark = pytest.mark.django_db


def test_a_company_is_added_and_its_admin_comes_in_by_the_link(capsys):
    companies.run(["add", "Second  Company", "--admin", "kim@x.example"])
    link = capsys.readouterr().out.split("days:\n")[1].split()[0]
    assert mail.outbox[0].to == ["kim@x.example"]
    assert link in str(mail.outbox[0].body)
    browser = Browser()
    browser.post(link, {"first_name": "Kim", "password": "correct horse battery"})
    seat = Seat.objects.select_related("company").get()
    assert (seat.company.name, seat.role) == ("Second Company", "admin")
    assert browser.get("/settings/users").status_code == 200
    assert ListValue.objects.filter(company=seat.company).exists(), "with the lists a company starts with"
    companies.run(["list"])
    assert "Second Company  (1 users)" in capsys.readouterr().out
    companies.run(["list", "--json"])
    told = json.loads(capsys.readouterr().out)
    assert told == [{"id": seat.company_id, "name": "Second Company", "users": 1}]


def test_nothing_is_added_without_somebody_to_invite():
    with pytest.raises(Failure):
        companies.run(["add", "Second", "--admin", "no address"])
    assert not Company.objects.exists()


def test_another_admin_is_invited_where_none_is_left(capsys):
    seat = SeatFactory()
    companies.run(["invite-admin", str(seat.company_id), "new@x.example"])
    assert Invitation.objects.get().company == seat.company
    with pytest.raises(Failure, match="there is no company"):
        companies.run(["invite-admin", "999999", "new@x.example"])


def test_a_lost_second_factor_is_removed_for_all_companies(capsys):
    first = SeatFactory()
    second = SeatFactory(user=first.user)
    Authenticator.objects.create(user=first.user, type=Authenticator.Type.TOTP, data={})
    companies.run(["remove-second-factor", first.user.email.upper()])
    assert not Authenticator.objects.exists()
    assert SignIn.objects.get().kind == SignIn.Kind.FACTOR_REMOVED
    told = set(HistoryEntry.objects.values_list("company_id", "action"))
    assert told == {(seat.company_id, "second factor removed") for seat in (first, second)}
    with pytest.raises(Failure, match="nobody"):
        companies.run(["remove-second-factor", "who@x.example"])
