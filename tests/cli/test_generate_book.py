"""``lockstep generate-book`` on a real database."""

import pytest
from tests.factories import SeatFactory

from lockstep.apps.accounts.models import Company
from lockstep.apps.book.models import Client, Contact
from lockstep.apps.book.tallies.models import TallyMark
from lockstep.cli import generate_book
from lockstep.cli.failure import Failure

pytestmark = pytest.mark.django_db


def test_a_company_of_its_own_is_filled_and_the_admin_may_look_at_it(capsys):
    admin = SeatFactory()
    options = ["--company", "Measured", "--clients", "30", "--contacts", "200", "--at-once", "1"]
    assert generate_book.run(options) == 0
    company = Company.objects.get(name="Measured")
    assert Client.objects.filter(company=company).count() == 30
    assert Contact.objects.filter(company=company).count() == 200
    assert company.seats.filter(user=admin.user, role="admin").exists()
    reps = company.seats.exclude(user=admin.user)
    assert reps.count() == generate_book.REPS
    assert not any(seat.user.check_password("") for seat in reps.select_related("user"))
    assert not TallyMark.objects.filter(company_id=company.pk).exists()
    assert "Measured: 30 clients, 200 contacts." in capsys.readouterr().out


def test_a_company_that_is_there_is_never_filled():
    SeatFactory(company__name="Real")
    with pytest.raises(Failure, match="there is a company real already"):
        generate_book.run(["--company", "real"])
    assert not Client.objects.exists()
