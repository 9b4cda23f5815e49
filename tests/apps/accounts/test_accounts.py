"""Companies, seats, and who may do what."""

import pytest
from django.db import IntegrityError, transaction
from tests.factories import CompanyFactory, SeatFactory, UserFactory

from lockstep.apps.accounts.models import Company, Seat, User
from lockstep.apps.accounts.permissions import Actor, NotPermitted, Permission, Role
from lockstep.apps.accounts.services import add_user, create_company, create_first_company
from lockstep.apps.accounts.signals import company_created

pytestmark = pytest.mark.django_db

P = Permission

MATRIX = {
    Role.ADMIN: set(P),
    Role.MANAGER: {P.VIEW_BOOK, P.VIEW_SYNC, P.EDIT_BOOK, P.IMPORT_BOOK, P.EXPORT_BOOK, P.DELETE_BOOK},
    Role.SALES: {P.VIEW_BOOK, P.VIEW_SYNC, P.EDIT_BOOK, P.EXPORT_BOOK},
    Role.LIMITED: {P.VIEW_BOOK, P.VIEW_SYNC, P.EDIT_BOOK},
    Role.READ_ONLY: {P.VIEW_BOOK, P.VIEW_SYNC},
}


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("permission", Permission)
def test_who_may_do_what(role, permission):
    actor = SeatFactory(role=role).actor()
    assert actor.may(permission) is (permission in MATRIX[role])
    if permission not in MATRIX[role]:
        with pytest.raises(NotPermitted) as refusal:
            actor.require(permission)
        assert refusal.value.permission is permission


def test_lockstep_itself_may_do_everything_in_its_company():
    actor = Actor.lockstep(CompanyFactory())
    assert all(actor.may(permission) for permission in Permission)
    assert (actor.name, actor.user, actor.own_clients_only) == ("Lockstep", None, False)


def test_the_first_company_is_made_once():
    company, user = create_first_company(
        name="Northbeam", email="Priya@Staff.internal", password="a long password", first_name="Priya"
    )
    assert user.check_password("a long password")
    assert Seat.objects.get().role == Role.ADMIN
    again = create_first_company(name="Other", email="other@staff.internal", password="another password")
    assert again == (company, user)
    assert (Company.objects.count(), User.objects.count(), Seat.objects.count()) == (1, 1, 1)
    assert User.objects.get().check_password("a long password")


def test_a_company_without_admin_gets_one():
    company = CompanyFactory()
    SeatFactory(company=company, role=Role.SALES)
    made, user = create_first_company(name="X", email="admin@staff.internal", password="p" * 12)
    assert made == company
    assert Seat.objects.get(company=company, user=user).role == Role.ADMIN


def test_other_apps_hear_of_a_new_company():
    heard = []

    def hear(company, **_kwargs):
        heard.append(company)

    company_created.connect(hear)
    try:
        company = create_company(name="Northbeam")
    finally:
        company_created.disconnect(hear)
    assert heard == [company]


def test_a_person_may_hold_seats_in_two_companies():
    first, second = SeatFactory().actor(), SeatFactory().actor()
    seat = add_user(first, email="Ana@Staff.internal", role=Role.SALES, first_name="Ana")
    other = add_user(second, email="ana@staff.internal", role=Role.MANAGER, own_clients_only=True)
    assert seat.user == other.user
    assert not seat.user.has_usable_password()
    assert (seat.actor().company, other.actor().company) == (first.company, second.company)
    assert (seat.actor().own_clients_only, other.actor().own_clients_only) == (False, True)
    changed = add_user(first, email="ana@staff.internal", role=Role.MANAGER)
    assert (changed.pk, changed.role) == (seat.pk, Role.MANAGER)


@pytest.mark.parametrize("role", [Role.MANAGER, Role.SALES, Role.LIMITED, Role.READ_ONLY])
def test_only_who_manages_the_company_adds_people(role):
    with pytest.raises(NotPermitted):
        add_user(SeatFactory(role=role).actor(), email="x@staff.internal", role=Role.ADMIN)
    assert not User.objects.filter(email="x@staff.internal").exists()


def test_addresses_of_users_are_unique_in_any_case():
    UserFactory(email="priya@staff.internal")
    with pytest.raises(IntegrityError), transaction.atomic():
        UserFactory(email="PRIYA@staff.internal")
    assert User.objects.get_by_natural_key("Priya@Staff.internal").email == "priya@staff.internal"


def test_rows_do_not_show_names_or_addresses_where_they_are_logged():
    user = UserFactory(email="secret@staff.internal", first_name="Secret")
    assert "ecret" not in str(user)
    assert user.full_name.startswith("Secret")
    assert User(email="only@staff.internal").full_name == "only@staff.internal"
