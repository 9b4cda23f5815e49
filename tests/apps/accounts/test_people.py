"""Users, invitations, roles and what is kept of sign-ins (A1)."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta

import pytest
from allauth.mfa.models import Authenticator
from django.core import mail
from django.db import connection
from django.utils import timezone
from tests.factories import CompanyFactory, SeatFactory, UserFactory

from lockstep.apps.accounts import services
from lockstep.apps.accounts.errors import MailNotSent, NotFound, Refused
from lockstep.apps.accounts.models import Company, Invitation, Seat, SignIn, User
from lockstep.apps.accounts.permissions import ALWAYS, Actor, Permission, Role, permissions_of
from lockstep.apps.accounts.queries import people, sign_ins
from lockstep.apps.accounts.services.sign_ins import KEPT
from lockstep.apps.book.models import HistoryEntry

pytestmark = pytest.mark.django_db

P = Permission
PASSWORD = "a long and odd password"


def address_of(token: str) -> str:
    return f"https://here.example/invitations/{token}"


def token_in_last_mail() -> str:
    body = str(mail.outbox[-1].body)
    return body.partition("/invitations/")[2].split()[0]


def history() -> list[tuple[str, str, str]]:
    entries = HistoryEntry.objects.order_by("id")
    return [(entry.subject_kind, entry.label, entry.action) for entry in entries]


# --- invitations ------------------------------------------------------------------------------------


def test_an_invitation_makes_an_account_and_a_seat_once():
    admin = SeatFactory().actor()
    services.invite(
        admin, email="Kim@Staff.example", role=Role.SALES, own_clients_only=True, address_of=address_of
    )
    [sent] = mail.outbox
    assert sent.to == ["Kim@Staff.example"]
    token = token_in_last_mail()
    assert token.encode() not in bytes(Invitation.objects.get().digest), "only a digest is kept"
    seat = services.accept_as_newcomer(token, first_name="Kim", last_name="Lee", password=PASSWORD)
    assert (seat.company, seat.role, seat.own_clients_only) == (admin.company, Role.SALES, True)
    assert seat.user.check_password(PASSWORD)
    with pytest.raises(NotFound):
        services.accept_as_newcomer(token, first_name="Kim", last_name="Lee", password=PASSWORD)
    assert User.objects.filter(email__iexact="kim@staff.example").count() == 1
    assert history() == [("invitation", "Kim@Staff.example", "invited"), ("user", "Kim Lee", "joined")]


def test_somebody_with_an_account_joins_with_it_and_nobody_else_can():
    admin, known, stranger = SeatFactory().actor(), UserFactory(email="known@x.example"), UserFactory()
    services.invite(admin, email="KNOWN@x.example", role=Role.MANAGER, address_of=address_of)
    token = token_in_last_mail()
    with pytest.raises(Refused):
        services.accept_as(token, stranger)
    with pytest.raises(Refused):
        services.accept_as_newcomer(token, first_name="Not", last_name="Them", password=PASSWORD)
    seat = services.accept_as(token, known)
    assert (seat.user, seat.role) == (known, Role.MANAGER)
    with pytest.raises(NotFound):
        services.accept_as(token, known)


def test_links_end_by_time_by_withdrawal_and_by_a_newer_link(monkeypatch: pytest.MonkeyPatch):
    admin = SeatFactory().actor()
    first = services.invite(admin, email="a@x.example", role=Role.SALES, address_of=address_of)
    old = token_in_last_mail()
    assert services.find_invitation(old) == first
    services.resend_invitation(admin, invitation_id=first.pk, address_of=address_of)
    new = token_in_last_mail()
    assert (services.find_invitation(old), services.find_invitation(new)) == (None, first)
    now = timezone.now()
    with monkeypatch.context() as later:
        later.setattr(timezone, "now", lambda: now + timedelta(days=8))
        assert services.find_invitation(new) is None
        with pytest.raises(NotFound):
            services.accept_as_newcomer(new, first_name="A", last_name="", password=PASSWORD)
    services.revoke_invitation(admin, invitation_id=first.pk)
    assert services.find_invitation(new) is None
    for verb in (
        lambda: services.resend_invitation(admin, invitation_id=first.pk, address_of=address_of),
        lambda: services.revoke_invitation(admin, invitation_id=first.pk),
    ):
        with pytest.raises(NotFound):
            verb()


@pytest.mark.parametrize("email", ["", "no address", "a@", "a@b@c.example"])
def test_what_is_no_address_is_not_invited(email: str):
    with pytest.raises(Refused) as refusal:
        services.invite(SeatFactory().actor(), email=email, role=Role.SALES, address_of=address_of)
    assert "email" in refusal.value.fields
    assert not mail.outbox


def test_nobody_is_invited_twice_or_while_they_are_here():
    seat = SeatFactory()
    admin = seat.actor()
    gone = SeatFactory(company=seat.company, role=Role.SALES, deactivated_at=timezone.now())
    services.invite(admin, email="new@x.example", role=Role.SALES, address_of=address_of)
    for email in ("NEW@x.example", seat.user.email.upper(), gone.user.email):
        with pytest.raises(Refused):
            services.invite(admin, email=email, role=Role.SALES, address_of=address_of)
    assert len(mail.outbox) == 1
    elsewhere = SeatFactory().user
    services.invite(admin, email=elsewhere.email, role=Role.SALES, address_of=address_of)
    assert len(mail.outbox) == 2, "an account elsewhere is neither an obstacle nor told"


def test_a_mail_that_does_not_leave_is_told_and_the_invitation_kept(settings):
    settings.EMAIL_BACKEND = "tests.apps.accounts.broken_mail.Broken"
    admin = SeatFactory().actor()
    with pytest.raises(MailNotSent):
        services.invite(admin, email="new@x.example", role=Role.SALES, address_of=address_of)
    kept = Invitation.objects.get()
    assert kept.sent_at is None
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    services.resend_invitation(admin, invitation_id=kept.pk, address_of=address_of)
    kept.refresh_from_db()
    assert kept.sent_at is not None


@pytest.mark.parametrize("password", ["short", "1234567890123", "password1234", "kimberly.lee"])
def test_weak_passwords_are_refused(password: str):
    services.invite(SeatFactory().actor(), email="kimberly@x.example", role=Role.SALES, address_of=address_of)
    with pytest.raises(Refused) as refusal:
        services.accept_as_newcomer(
            token_in_last_mail(), first_name="Kimberly", last_name="Lee", password=password
        )
    assert "password" in refusal.value.fields
    assert services.find_invitation(token_in_last_mail()), "the link still works"


# --- seats ------------------------------------------------------------------------------------------


def test_the_last_admin_can_neither_go_nor_step_down():
    seat = SeatFactory()
    limited = SeatFactory(company=seat.company, role=Role.ADMIN, own_clients_only=True)
    gone = SeatFactory(company=seat.company, role=Role.ADMIN, deactivated_at=timezone.now())
    lockstep = Actor.lockstep(seat.company)
    for verb in (
        lambda: services.change_seat(lockstep, seat_id=seat.pk, role=Role.SALES, own_clients_only=False),
        lambda: services.deactivate_seat(lockstep, seat_id=seat.pk),
    ):
        with pytest.raises(Refused):
            verb()
    services.reactivate_seat(lockstep, seat_id=gone.pk)
    services.deactivate_seat(lockstep, seat_id=seat.pk)
    assert Seat.objects.get(pk=seat.pk).deactivated_at is not None
    assert limited.actor().may(P.MANAGE_COMPANY) is False


@pytest.mark.django_db(transaction=True)
def test_two_admins_can_not_remove_each_other_at_once():
    one = SeatFactory()
    two = SeatFactory(company=one.company)
    ready, outcomes = threading.Barrier(2), []

    def remove(actor: Actor, seat: Seat) -> None:
        ready.wait(20)
        try:
            services.deactivate_seat(actor, seat_id=seat.pk)
            outcomes.append("removed")
        except Refused:
            outcomes.append("refused")
        finally:
            connection.close()

    work = [threading.Thread(target=remove, args=(a.actor(), b)) for a, b in ((one, two), (two, one))]
    for thread in work:
        thread.start()
    for thread in work:
        thread.join(30)
    assert sorted(outcomes) == ["refused", "removed"]
    assert Seat.objects.filter(company=one.company, deactivated_at=None).count() == 1


def test_nobody_deactivates_themselves():
    seat = SeatFactory()
    SeatFactory(company=seat.company)
    with pytest.raises(Refused):
        services.deactivate_seat(seat.actor(), seat_id=seat.pk)


@pytest.mark.parametrize(
    "verb",
    [
        lambda a, c: services.change_seat(
            a, seat_id=SeatFactory(company=c).pk, role=Role.ADMIN, own_clients_only=True
        ),
        lambda a, c: services.add_user(a, email="x@x.example", role=Role.ADMIN, own_clients_only=True),
        lambda a, c: services.invite(
            a, email="x@x.example", role=Role.ADMIN, own_clients_only=True, address_of=address_of
        ),
    ],
)
def test_no_admin_is_limited_to_own_clients(verb: Callable[[Actor, Company], object]):
    admin = SeatFactory().actor()
    with pytest.raises(Refused) as refusal:
        verb(admin, admin.company)
    assert "own_clients_only" in refusal.value.fields


def test_who_manages_users_without_being_admin_can_not_rise_above_themselves():
    admin = SeatFactory()
    services.save_role(
        admin.actor(), role=Role.MANAGER, permissions=[P.MANAGE_COMPANY, P.EDIT_BOOK, P.VIEW_SYNC]
    )
    seat = SeatFactory(company=Company.objects.get(), role=Role.MANAGER)
    manager, other = seat.actor(), SeatFactory(company=seat.company, role=Role.READ_ONLY)
    assert manager.may(P.MANAGE_COMPANY)
    services.change_seat(manager, seat_id=other.pk, role=Role.LIMITED, own_clients_only=True)
    for verb in (
        lambda: services.change_seat(manager, seat_id=seat.pk, role=Role.ADMIN, own_clients_only=False),
        lambda: services.change_seat(manager, seat_id=admin.pk, role=Role.SALES, own_clients_only=False),
        lambda: services.deactivate_seat(manager, seat_id=admin.pk),
        lambda: services.remove_second_factor(manager, seat_id=admin.pk),
        lambda: services.invite(manager, email="x@x.example", role=Role.ADMIN, address_of=address_of),
        lambda: services.save_role(manager, role=Role.MANAGER, permissions=list(P)),
    ):
        with pytest.raises(Refused):
            verb()


def test_a_second_factor_is_removed_and_both_logs_say_so():
    admin = SeatFactory()
    other = SeatFactory(company=admin.company, role=Role.SALES)
    for kind in (Authenticator.Type.TOTP, Authenticator.Type.RECOVERY_CODES):
        Authenticator.objects.create(user=other.user, type=kind, data={})
    assert [row.second_factor for row in people(admin.actor()) if not row.is_self] == [True]
    assert services.remove_second_factor(admin.actor(), seat_id=other.pk) == 2
    assert not Authenticator.objects.exists()
    assert history() == [("user", other.user.full_name, "second factor removed")]
    assert [row.kind for row in sign_ins(admin.actor())] == [SignIn.Kind.FACTOR_REMOVED]


def test_the_second_factor_of_somebody_of_two_companies_is_left_alone():
    admin = SeatFactory()
    other = SeatFactory(company=admin.company, role=Role.SALES)
    SeatFactory(user=other.user)
    Authenticator.objects.create(user=other.user, type=Authenticator.Type.TOTP, data={})
    with pytest.raises(Refused) as refusal:
        services.remove_second_factor(admin.actor(), seat_id=other.pk)
    assert "company" not in str(refusal.value), "it does not tell that there is another"
    assert Authenticator.objects.count() == 1


# --- roles ------------------------------------------------------------------------------------------


def test_a_company_changes_what_a_role_may_do_and_others_keep_theirs():
    admin = SeatFactory()
    seat = SeatFactory(company=admin.company, role=Role.SALES)
    elsewhere = SeatFactory(role=Role.SALES)
    services.save_role(admin.actor(), role=Role.SALES, permissions=[P.EDIT_BOOK, P.DELETE_BOOK])
    fresh = Seat.objects.select_related("company", "user").get(pk=seat.pk)
    assert fresh.actor().permissions == {P.VIEW_BOOK, P.EDIT_BOOK, P.DELETE_BOOK}
    assert Seat.objects.get(pk=elsewhere.pk).actor().may(P.EXPORT_BOOK)
    assert HistoryEntry.objects.get().changes == {
        "Export and download lists": ["yes", "no"],
        "Delete and restore": ["no", "yes"],
        "See the Mailchimp sync": ["yes", "no"],
    }


def test_a_role_set_back_follows_what_is_shipped_again():
    admin = SeatFactory().actor()
    services.save_role(admin, role=Role.LIMITED, permissions=[])
    assert Company.objects.get().role_permissions == {"limited": ["view_book"]}
    services.save_role(admin, role=Role.LIMITED, permissions=permissions_of(Role.LIMITED, {}))
    assert Company.objects.get().role_permissions == {}


@pytest.mark.parametrize("role", Role)
def test_what_always_holds_can_not_be_taken(role: Role):
    admin = SeatFactory().actor()
    services.save_role(admin, role=role, permissions=[])
    assert Company.objects.get().permissions_of(role) == ALWAYS[role]
    assert (P.MANAGE_COMPANY in ALWAYS[role]) is (role is Role.ADMIN)


def test_names_of_permissions_that_are_gone_count_for_nothing():
    assert permissions_of(Role.SALES, {"sales": ["edit_book", "launch_rockets"]}) == {
        P.VIEW_BOOK,
        P.EDIT_BOOK,
    }


# --- the company ------------------------------------------------------------------------------------


def test_the_company_is_saved_and_history_tells_old_and_new():
    company = CompanyFactory(name="Old")
    admin = SeatFactory(company=company).actor()
    wanted = {
        "name": "  New   name ",
        "time_zone": "Europe/Berlin",
        "default_country": "Canada",
        "default_role": Role.LIMITED,
        "require_second_factor": True,
    }
    saved = services.save_company(admin, **wanted)
    assert (saved.name, str(saved.zone)) == ("New name", "Europe/Berlin")
    assert HistoryEntry.objects.get().changes["name"] == ["Old", "New name"]
    services.save_company(admin, **wanted)
    assert HistoryEntry.objects.count() == 1, "nothing changed, nothing is told"


@pytest.mark.parametrize(("field", "value"), [("name", "  "), ("time_zone", "Mars/Olympus")])
def test_a_company_that_can_not_be(field: str, value: str):
    right = {
        "name": "N",
        "time_zone": "",
        "default_country": "",
        "default_role": Role.SALES,
        "require_second_factor": False,
    }
    with pytest.raises(Refused) as refusal:
        services.save_company(SeatFactory().actor(), **right | {field: value})
    assert list(refusal.value.fields) == [field]


# --- the log of sign-ins ----------------------------------------------------------------------------


def test_the_log_holds_the_companys_people_since_they_joined():
    admin = SeatFactory()
    person = SeatFactory(company=admin.company, role=Role.SALES)
    now = timezone.now()
    services.note_sign_in(person.user, SignIn.Kind.SIGNED_IN, at=now - timedelta(days=3))
    services.note_sign_in(
        person.user, SignIn.Kind.WRONG_PASSWORD, at=now, address="192.0.2.1", browser="x" * 999
    )
    services.note_sign_in(SeatFactory().user, SignIn.Kind.SIGNED_IN, at=now)
    [row] = sign_ins(admin.actor())
    assert (row.kind, row.address, len(row.browser)) == (SignIn.Kind.WRONG_PASSWORD, "192.0.2.1", 200)


def test_attempts_that_are_held_back_fill_no_table():
    user, now = UserFactory(), timezone.now()
    for second in range(0, 600, 60):
        services.note_sign_in(user, SignIn.Kind.HELD_BACK, at=now + timedelta(seconds=second))
    assert SignIn.objects.count() == 2


def test_old_entries_are_forgotten():
    user, now = UserFactory(), timezone.now()
    for days in (0, 399, 401):
        services.note_sign_in(user, SignIn.Kind.SIGNED_IN, at=now - timedelta(days=days))
    assert services.forget_old_sign_ins(now=now) == 1
    assert SignIn.objects.filter(at__lt=now - KEPT).count() == 0
