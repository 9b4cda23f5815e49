"""Pages of people: sign-in and what guards it, users, invitations, roles, the company, the logs."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret, hotp_value
from allauth.usersessions.models import UserSession
from django.core import mail
from django.test import Client as Browser
from django.utils import timezone
from tests.factories import CompanyFactory, ListValueFactory, SeatFactory, UserFactory

from lockstep.apps.accounts import services
from lockstep.apps.accounts.models import Company, Invitation, Seat, SignIn, User
from lockstep.apps.accounts.permissions import Permission, Role
from lockstep.apps.book.models import HistoryEntry

pytestmark = pytest.mark.django_db

BrowserOf = Callable[[Seat], Browser]
PASSWORD = "correct horse battery"
LOGIN = "/accounts/login/"


def sign_in(user: User, password: str = PASSWORD, browser: Browser | None = None, **more: str) -> Browser:
    browser = browser or Browser()
    browser.last = browser.post(LOGIN, {"login": user.email, "password": password}, **more)
    return browser


def kinds() -> list[str]:
    return list(SignIn.objects.order_by("id").values_list("kind", flat=True))


# --- signing in -------------------------------------------------------------------------------------


def test_a_sign_in_is_kept_with_where_it_came_from():
    seat = SeatFactory()
    browser = sign_in(seat.user, HTTP_USER_AGENT="Mozilla/5.0 (Windows NT 10.0) Firefox/140.0")
    assert browser.last.status_code == 302
    entry = SignIn.objects.get()
    assert (entry.kind, entry.address) == (SignIn.Kind.SIGNED_IN, "127.0.0.1")
    seat.refresh_from_db()
    assert seat.last_sign_in_at is not None
    page = browser.get("/settings/sign-ins").content.decode()
    assert "Firefox on Windows" in page
    assert "127.0.0.1" in page
    browser.post("/accounts/logout/")
    assert kinds() == ["signed_in", "signed_out"]


def test_wrong_passwords_are_kept_then_held_back_in_every_process(settings):
    seat = SeatFactory()
    for _ in range(5):
        assert sign_in(seat.user, "wrong").last.status_code == 200
    assert "Too many" in sign_in(seat.user, PASSWORD).last.content.decode(), "the right one as well"
    assert kinds() == ["wrong_password"] * 5 + ["held_back"]
    assert settings.CACHES["default"]["BACKEND"].endswith("DatabaseCache"), "counted for all processes"
    other = SeatFactory()
    assert sign_in(other.user).last.status_code == 302, "one account held back is not all of them"


def test_what_strangers_type_is_kept_nowhere():
    Browser().post(LOGIN, {"login": "nobody@x.example", "password": "hunter2"})
    assert not SignIn.objects.exists()


def test_a_wrong_password_says_the_same_whether_there_is_an_account_or_not():
    seat = SeatFactory()
    known = sign_in(seat.user, "wrong").last.content.decode()
    stranger = Browser().post(LOGIN, {"login": "nobody@x.example", "password": "wrong"}).content.decode()
    words = "not correct"
    assert words in known
    assert words in stranger


def test_a_reset_by_mail_sets_a_password_and_is_kept():
    seat = SeatFactory()
    browser = Browser()
    browser.post("/accounts/password/reset/", {"email": seat.user.email})
    link = next(word for word in str(mail.outbox[0].body).split() if "/password/reset/key/" in word)
    page = browser.get(link, follow=True)
    new = "quite another password"
    done = browser.post(page.redirect_chain[-1][0], {"password1": new, "password2": new})
    assert done.status_code == 302
    assert "password_reset" in kinds()
    assert sign_in(seat.user, new).last.status_code == 302
    strangers = Browser().post("/accounts/password/reset/", {"email": "nobody@x.example"})
    assert strangers.status_code == 302, "the answer does not tell whether there is an account"


# --- the second factor ------------------------------------------------------------------------------


def with_app(user: User) -> str:
    secret = generate_totp_secret()
    TOTP.activate(user, secret)
    RecoveryCodes.activate(user)
    return secret


def confirm(browser: Browser, password: str = PASSWORD) -> Any:
    """Answer the question that comes before changes of the second factor."""
    return browser.post("/accounts/reauthenticate/", {"password": password, "next": "/clients"})


def code_of(secret: str) -> str:
    return f"{hotp_value(secret, int(time.time()) // 30):06d}"


def test_with_an_app_the_password_alone_does_not_sign_in():
    seat = SeatFactory()
    secret = with_app(seat.user)
    browser = sign_in(seat.user)
    assert browser.last.headers["Location"].startswith("/accounts/2fa/authenticate/")
    assert browser.get("/clients").status_code == 302
    assert browser.post("/accounts/2fa/authenticate/", {"code": "000000"}).status_code == 200
    assert kinds() == ["wrong_code"]
    assert browser.post("/accounts/2fa/authenticate/", {"code": code_of(secret)}).status_code == 302
    assert browser.get("/clients").status_code == 200
    assert kinds() == ["wrong_code", "signed_in"]


def test_a_recovery_code_lets_in_once():
    seat = SeatFactory()
    with_app(seat.user)
    stored = Authenticator.objects.get(type=Authenticator.Type.RECOVERY_CODES)
    [code, *_] = stored.wrap().get_unused_codes()
    assert sign_in(seat.user).post("/accounts/2fa/authenticate/", {"code": code}).status_code == 302
    assert sign_in(seat.user).post("/accounts/2fa/authenticate/", {"code": code}).status_code == 200


def test_secrets_of_apps_are_encrypted_at_rest():
    user = UserFactory()
    secret = with_app(user)
    assert secret not in str(Authenticator.objects.get(type=Authenticator.Type.TOTP).data)


def test_an_app_is_set_up_on_our_pages(django_capture_on_commit_callbacks):
    seat = SeatFactory()
    browser = sign_in(seat.user)
    assert browser.get("/accounts/2fa/").headers["Location"] == "/settings/sign-in"
    asked = browser.get("/accounts/2fa/totp/activate/", follow=True).content.decode()
    assert "Confirm that it is you" in asked
    assert confirm(browser, "wrong").status_code == 200
    assert confirm(browser).status_code == 302
    page = browser.get("/accounts/2fa/totp/activate/").content.decode()
    assert "Set up an authenticator app" in page
    secret = browser.session["mfa.totp.secret"]
    with django_capture_on_commit_callbacks(execute=True):
        done = browser.post("/accounts/2fa/totp/activate/", {"code": code_of(secret)})
    assert done.status_code == 302
    assert kinds() == ["signed_in", "wrong_password", "factor_added"]
    codes = browser.get("/accounts/2fa/recovery-codes/").content.decode()
    assert "10 codes of 10 left" in codes
    assert "10 codes left" in browser.get("/settings/sign-in").content.decode()


def test_a_company_that_requires_a_second_factor_shows_nothing_before(browser_of: BrowserOf):
    seat = SeatFactory(company=CompanyFactory(require_second_factor=True))
    browser = browser_of(seat)
    for path in ("/clients", "/settings/users", "/settings/audit.csv", "/pulse"):
        assert browser.get(path).headers["Location"] == "/settings/sign-in", path
    assert browser.post("/settings/users/invite", {"email": "x@x.example"}).status_code == 302
    assert not Invitation.objects.exists()
    assert "requires a second factor" in browser.get("/settings/sign-in").content.decode()
    with_app(seat.user)
    assert browser.get("/clients").status_code == 200


def test_a_required_second_factor_can_not_be_taken_off():
    seat = SeatFactory(company=CompanyFactory(require_second_factor=True))
    browser = sign_in(seat.user)
    with_app(seat.user)
    confirm(browser)
    assert browser.post("/accounts/2fa/totp/deactivate/").status_code != 302
    assert Authenticator.objects.filter(type=Authenticator.Type.TOTP).exists()
    Company.objects.update(require_second_factor=False)
    assert browser.post("/accounts/2fa/totp/deactivate/").status_code == 302
    assert not Authenticator.objects.filter(type=Authenticator.Type.TOTP).exists()


def test_an_admin_takes_a_lost_factor_off(browser_of: BrowserOf):
    admin = SeatFactory()
    other = SeatFactory(company=admin.company, role=Role.SALES)
    with_app(other.user)
    browser = browser_of(admin)
    assert "Remove second factor" in browser.get(f"/settings/users/{other.pk}").content.decode()
    browser.post(f"/settings/users/{other.pk}/remove-second-factor")
    assert sign_in(other.user).last.headers["Location"] == "/"


# --- sessions ---------------------------------------------------------------------------------------


def test_sessions_are_listed_and_the_others_ended():
    seat = SeatFactory()
    here, there, far = (sign_in(seat.user) for _ in range(3))
    assert UserSession.objects.count() == 3
    page = here.get("/settings/sign-in").content.decode()
    assert page.count("This browser") == 1
    one = UserSession.objects.get(session_key=far.session.session_key)
    here.post(f"/settings/sign-in/sessions/{one.pk}/end")
    assert [b.get("/clients").status_code for b in (here, there, far)] == [200, 200, 302]
    here.post("/settings/sign-in/end-others")
    assert [b.get("/clients").status_code for b in (here, there, far)] == [200, 302, 302]
    assert kinds()[-2:] == ["others_ended", "others_ended"]


def test_nobody_ends_a_session_of_somebody_else():
    mine, theirs = sign_in(SeatFactory().user), sign_in(SeatFactory().user)
    session = UserSession.objects.get(session_key=theirs.session.session_key)
    assert mine.post(f"/settings/sign-in/sessions/{session.pk}/end").status_code == 404
    assert theirs.get("/clients").status_code == 200


def test_when_a_session_was_used_is_written_now_and_then_only(
    django_assert_num_queries, monkeypatch: pytest.MonkeyPatch
):
    browser = sign_in(SeatFactory().user)
    browser.get("/settings/profile")
    seen = UserSession.objects.get().last_seen_at
    browser.get("/settings/profile")
    assert UserSession.objects.get().last_seen_at == seen
    later = timezone.now() + timedelta(minutes=6)
    monkeypatch.setattr(timezone, "now", lambda: later)
    browser.get("/settings/profile")
    assert UserSession.objects.get().last_seen_at == later


def test_a_new_password_ends_the_other_sessions():
    seat = SeatFactory()
    here, there = sign_in(seat.user), sign_in(seat.user)
    new = "quite another password"
    form = {"oldpassword": PASSWORD, "password1": new, "password2": new}
    assert here.post("/accounts/password/change/", form).status_code == 302
    assert [b.get("/clients").status_code for b in (here, there)] == [200, 302]
    assert "password_changed" in kinds()


# --- users and invitations --------------------------------------------------------------------------


def invited(browser: Browser, email: str, **more: str) -> str:
    browser.post("/settings/users/invite", {"email": email, "role": "sales", **more})
    return next(word for word in str(mail.outbox[-1].body).split() if "/invitations/" in word)


def test_a_newcomer_follows_the_link_and_is_in(browser_of: BrowserOf):
    admin = SeatFactory()
    link = invited(browser_of(admin), "kim@x.example", own_clients_only="on")
    assert link.startswith("http://127.0.0.1:8000/invitations/")
    assert "kim@x.example" in browser_of(admin).get("/settings/users").content.decode()
    newcomer = Browser()
    page = newcomer.get(link).content.decode()
    assert f"Join {admin.company.name}" in page
    weak = newcomer.post(link, {"first_name": "Kim", "password": "123"})
    assert (weak.status_code, "too short" in weak.content.decode()) == (422, True)
    done = newcomer.post(link, {"first_name": "Kim", "last_name": "Lee", "password": PASSWORD})
    assert done.status_code == 302
    assert newcomer.get("/clients").status_code == 200
    assert Browser().get(link).status_code == 404, "once"
    seat = Seat.objects.get(user__email="kim@x.example")
    assert (seat.role, seat.own_clients_only, seat.last_sign_in_at is not None) == ("sales", True, True)


def test_somebody_known_signs_in_first_and_then_joins(browser_of: BrowserOf):
    admin, known = SeatFactory(), SeatFactory()
    link = invited(browser_of(admin), known.user.email)
    page = Browser().get(link).content.decode()
    assert "Sign in with it" in page
    assert known.company.name not in page
    assert Browser().post(link, {"first_name": "Not", "password": PASSWORD}).status_code == 422
    stranger = browser_of(SeatFactory())
    assert "You are signed in as" in stranger.get(link).content.decode()
    assert stranger.post(link).status_code == 422
    joining = browser_of(known)
    assert joining.post(link).status_code == 302
    assert admin.company.name in joining.get("/clients").content.decode()
    assert Seat.objects.filter(user=known.user).count() == 2


def test_send_again_and_withdraw(browser_of: BrowserOf):
    browser = browser_of(SeatFactory())
    first = invited(browser, "kim@x.example")
    one = Invitation.objects.get()
    browser.post(f"/settings/users/invitations/{one.pk}/send-again")
    assert len(mail.outbox) == 2
    assert Browser().get(first).status_code == 404
    second = next(word for word in str(mail.outbox[-1].body).split() if "/invitations/" in word)
    assert Browser().get(second).status_code == 200
    browser.post(f"/settings/users/invitations/{one.pk}/withdraw")
    assert Browser().get(second).status_code == 404


def test_who_is_deactivated_is_out_at_once_and_comes_back(browser_of: BrowserOf):
    admin = SeatFactory()
    other = SeatFactory(company=admin.company, role=Role.SALES)
    theirs, browser = browser_of(other), browser_of(admin)
    assert theirs.get("/clients").status_code == 200
    browser.post(f"/settings/users/{other.pk}/deactivate")
    assert theirs.get("/clients").status_code == 403
    assert "Deactivated" in browser.get("/settings/users").content.decode()
    browser.post(f"/settings/users/{other.pk}/reactivate")
    assert theirs.get("/clients").status_code == 200


def test_a_changed_role_holds_from_the_next_click_on(browser_of: BrowserOf):
    admin = SeatFactory()
    other = SeatFactory(company=admin.company, role=Role.ADMIN)
    theirs = browser_of(other)
    assert theirs.get("/settings/users").status_code == 200
    browser_of(admin).post(f"/settings/users/{other.pk}", {"role": "limited"})
    assert theirs.get("/settings/users").status_code == 403
    refused = browser_of(admin).post(f"/settings/users/{admin.pk}", {"role": "sales"})
    assert (refused.status_code, "last Admin" in refused.content.decode()) == (422, True)


def test_the_list_of_users_asks_as_often_for_ten_as_for_one(
    browser_of: BrowserOf, django_assert_max_num_queries
):
    admin = SeatFactory()
    browser = browser_of(admin)
    browser.get("/settings/users")

    def queries() -> int:
        with django_assert_max_num_queries(50) as asked:
            browser.get("/settings/users")
        return len(asked)

    alone = queries()
    for _ in range(10):
        with_app(SeatFactory(company=admin.company).user)
    assert queries() == alone


# --- roles and the company --------------------------------------------------------------------------


def test_the_roles_page_changes_what_people_may(browser_of: BrowserOf):
    admin = SeatFactory()
    sales = SeatFactory(company=admin.company, role=Role.SALES)
    browser = browser_of(admin)
    assert browser_of(sales).get("/clients/new").status_code == 200
    page = browser.get("/settings/roles").content.decode()
    assert page.count('type="checkbox"') == len(Role) * len(Permission)
    ticked = {role.value: [p.value for p in admin.company.permissions_of(role)] for role in Role}
    ticked["sales"] = ["view_book"]
    browser.post("/settings/roles/save", ticked)
    assert browser_of(sales).get("/clients/new").status_code == 403
    assert Company.objects.get(pk=admin.company_id).role_permissions == {"sales": ["view_book"]}


def test_times_are_shown_in_the_companys_zone(browser_of: BrowserOf):
    admin = SeatFactory(company=CompanyFactory(time_zone="Asia/Tokyo"))
    services.note_sign_in(admin.user, SignIn.Kind.SIGNED_IN, at=timezone.now())
    SignIn.objects.update(at="2026-01-02T20:00:00Z")
    Seat.objects.update(created_at="2026-01-01T00:00:00Z")
    assert "3 January 2026, 05:00 JST" in browser_of(admin).get("/settings/sign-ins").content.decode()


def test_the_company_page_saves_and_complains(browser_of: BrowserOf):
    browser = browser_of(SeatFactory())
    right = {"name": "New name", "time_zone": "Europe/Berlin", "default_role": "limited"}
    assert browser.post("/settings/company", right).status_code == 302
    company = Company.objects.get()
    assert (company.name, company.default_role) == ("New name", "limited")
    assert browser.post("/settings/company", right | {"name": " "}).status_code == 422
    assert browser.post("/settings/company", right | {"time_zone": "Mars"}).status_code == 422


def test_a_new_client_begins_with_the_companys_country(browser_of: BrowserOf):
    page = browser_of(SeatFactory(company=CompanyFactory(default_country="Freedonia"))).get("/clients/new")
    assert 'value="Freedonia"' in page.content.decode()


def test_an_invitation_begins_with_the_companys_role(browser_of: BrowserOf):
    page = browser_of(SeatFactory(company=CompanyFactory(default_role="limited"))).get(
        "/settings/users/invite"
    )
    assert '<option value="limited" selected>' in page.content.decode()


# --- the audit log ----------------------------------------------------------------------------------


def test_the_audit_log_filters_and_exports(browser_of: BrowserOf):
    admin = SeatFactory()
    other = SeatFactory(company=admin.company)
    browser = browser_of(admin)
    value = ListValueFactory(company=admin.company, name="=HYPERLINK(1)")
    browser_of(other).post(f"/settings/lists/statuses/{value.pk}/rename", {"name": "Tame"})
    browser.post("/settings/company", {"name": "Renamed company", "default_role": "sales"})
    both = browser.get("/settings/audit").content.decode()
    assert "Renamed company" in both
    assert "Tame" in both
    narrowed = browser.get("/settings/audit?what=company").content.decode()
    assert "Tame" not in narrowed
    assert "Tame" in browser.get(f"/settings/audit?user={other.user_id}").content.decode()
    assert "Tame" not in browser.get(f"/settings/audit?user={admin.user_id}").content.decode()
    assert "Nothing fits" in browser.get("/settings/audit?until=2020-01-01").content.decode()
    assert browser.get("/settings/audit?since=nonsense&until=9999-12-31&page=x").status_code == 200
    lines = b"".join(browser.get("/settings/audit.csv").streaming_content).decode().splitlines()
    assert len(lines) == 3
    assert "'=HYPERLINK" in lines[-1], "no formula reaches a spreadsheet"


def test_the_audit_log_pages(browser_of: BrowserOf):
    admin = SeatFactory()
    now = timezone.now()
    HistoryEntry.objects.bulk_create(
        HistoryEntry(
            company=admin.company,
            user=admin.user,
            subject_kind="industry",
            subject_id=1,
            label=f"Industry {number:03}",
            action="created",
            at=now - timedelta(minutes=number),
        )
        for number in range(120)
    )
    browser = browser_of(admin)
    seen, address = [], "/settings/audit"
    while address:
        page = browser.get(address).content.decode()
        seen += [number for number in range(120) if f"Industry {number:03}" in page]
        _, found, _rest = page.partition('rel="next"')
        before = page.partition('rel="next"')[0].rpartition('href="')[2].partition('"')[0]
        address = "/settings/audit" + before.replace("&amp;", "&") if found else ""
    assert seen == list(range(120))
