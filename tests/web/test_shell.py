"""What stands around the pages: sign-in, company, sidebar, pulse, errors, security headers."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client as Browser
from django.urls import reverse
from tests.factories.accounts import SeatFactory

from lockstep.apps.accounts.models import Seat
from lockstep.apps.accounts.permissions import Role
from lockstep.web.shell import SyncPulse, pulse_of

NOW = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)
COUNTS = {"synced": 2096, "pending": 6, "failed": 17, "archived": 8, "unsubscribed": 19}

BrowserOf = Callable[[Seat], Browser]


@pytest.mark.parametrize(
    ("sync", "title", "detail"),
    [
        (SyncPulse(phase="not_connected"), "Mailchimp", "Not connected"),
        (SyncPulse(phase="connected"), "Mailchimp", "Connected, not syncing yet"),
        (SyncPulse(phase="stopped"), "Mailchimp", "Sync is stopped"),
        (SyncPulse(phase="paused", reason="Key revoked"), "Mailchimp needs you", "Key revoked"),
        (SyncPulse(phase="auditing", done=1770, whole=4318), "Auditing, 40%", "1,770 of 4,318 compared"),
        (SyncPulse(phase="auditing"), "Auditing, 0%", "0 of 0 compared"),
        (SyncPulse(phase="syncing", done=1287, whole=2146), "Syncing, 59%", "1,287 of 2,146"),
        (SyncPulse(phase="syncing", done=1, whole=2, seconds_left=25), "Syncing, 50%", "1 of 2 · 25 s left"),
        (
            SyncPulse(phase="syncing", done=1, whole=2, seconds_left=600),
            "Syncing, 50%",
            "1 of 2 · 10 min left",
        ),
        (SyncPulse(phase="on", counts=COUNTS), "Mailchimp sync is on", "2,096 of 2,146"),
        (
            SyncPulse(phase="on", counts={"synced": 3}, checked_at=NOW - timedelta(minutes=2)),
            "Mailchimp in sync",
            "3 of 3 · 2 min ago",
        ),
    ],
)
def test_pulse_words(sync: SyncPulse, title: str, detail: str) -> None:
    pulse = pulse_of(sync, NOW)
    assert (pulse.title, pulse.detail) == (title, detail)


def test_pulse_parts_add_up_to_the_whole() -> None:
    assert sum(count for _, count in pulse_of(SyncPulse(phase="on", counts=COUNTS), NOW).parts) == 2146


def test_pulse_asks_more_often_while_a_run_is_on() -> None:
    assert pulse_of(SyncPulse(phase="syncing", whole=2), NOW).every == "3s"
    assert pulse_of(SyncPulse(phase="on"), NOW).every == "60s"


@pytest.mark.django_db
class TestPages:
    def test_styleguide_draws_every_part(self, browser_of: BrowserOf) -> None:
        html = browser_of(SeatFactory()).get("/styleguide").content.decode()
        for part in (
            "Finished with failures",
            'class="toast',
            'class="callout"',
            'class="bone',
            "two @ signs",
        ):
            assert part in html
        assert 'id="sample_email_error"' in html
        assert 'aria-describedby="sample_email_error"' in html

    def test_page_names_the_company_and_polls_the_pulse(self, browser_of: BrowserOf) -> None:
        seat = SeatFactory(company__name="Fern & Co")
        html = browser_of(seat).get("/styleguide").content.decode()
        assert "Fern &amp; Co" in html
        assert 'id="pulse"' in html
        assert 'hx-trigger="every 60s"' in html

    def test_pulse_is_a_fragment(self, browser_of: BrowserOf) -> None:
        html = browser_of(SeatFactory()).get("/pulse", headers={"HX-Request": "true"}).content.decode()
        assert html.startswith('<a class="pulse"')
        assert "<html" not in html

    def test_content_security_policy_forbids_inline_scripts(self, browser_of: BrowserOf) -> None:
        answer = browser_of(SeatFactory()).get("/styleguide")
        policy = dict(part.partition(" ")[::2] for part in answer["Content-Security-Policy"].split("; "))
        assert policy["default-src"] == "'none'"
        assert policy["script-src"] == "'self'"
        assert policy["form-action"].startswith("'self' http")
        assert "<script>" not in answer.content.decode()
        assert " onclick=" not in answer.content.decode()

    def test_htmx_has_the_token_and_keeps_open_dialogs(self, browser_of: BrowserOf) -> None:
        html = browser_of(SeatFactory()).get("/styleguide").content.decode()
        assert 'hx-headers:inherited=\'{"X-CSRFToken": "' in html
        assert '"morphIgnore":["data-htmx-powered","open"]' in html


@pytest.mark.django_db
class TestWhoComesIn:
    def test_without_a_session_to_sign_in_and_back(self) -> None:
        answer = Browser().get("/styleguide?x=1")
        assert answer.status_code == 302
        assert answer["Location"] == "/accounts/login/?next=/styleguide%3Fx%3D1"

    def test_htmx_without_a_session_leaves_the_page(self) -> None:
        answer = Browser().get(
            "/pulse",
            headers={"HX-Request": "true", "HX-Current-URL": "http://testserver/clients?q=a"},
        )
        assert answer["HX-Redirect"] == "/accounts/login/?next=%2Fclients%3Fq%3Da"
        assert answer.content == b""

    def test_without_a_seat_403(self, browser_of: BrowserOf) -> None:
        seat = SeatFactory()
        Seat.objects.filter(pk=seat.pk).delete()
        answer = browser_of(seat).get("/styleguide")
        assert answer.status_code == 403
        assert "no seat in any company" in answer.content.decode()

    def test_a_method_the_page_does_not_take(self, browser_of: BrowserOf) -> None:
        assert browser_of(SeatFactory()).post("/styleguide").status_code == 405

    def test_choose_company(self, browser_of: BrowserOf) -> None:
        first = SeatFactory(company__name="First")
        second = SeatFactory(user=first.user, company__name="Second")
        stranger = SeatFactory(company__name="Stranger")
        browser = browser_of(first)
        assert "<small>First</small>" in browser.get("/styleguide").content.decode()
        browser.post(reverse("account:choose_company"), {"company": second.company_id})
        assert "<small>Second</small>" in browser.get("/styleguide").content.decode()
        browser.post(reverse("account:choose_company"), {"company": stranger.company_id})
        assert "<small>Second</small>" in browser.get("/styleguide").content.decode()

    def test_only_who_manages_sees_company_settings(self, browser_of: BrowserOf) -> None:
        assert "Company settings" in browser_of(SeatFactory(role=Role.ADMIN)).get("/settings/profile").text
        assert (
            "Company settings" not in browser_of(SeatFactory(role=Role.SALES)).get("/settings/profile").text
        )


@pytest.mark.django_db
class TestErrors:
    def test_404_page_and_toast(self, browser_of: BrowserOf) -> None:
        browser = browser_of(SeatFactory())
        page = browser.get("/nothing-here")
        assert page.status_code == 404
        assert "There is nothing here" in page.text
        assert 'class="app"' in page.text
        toast = browser.get("/nothing-here", headers={"HX-Request": "true"})
        assert toast.status_code == 404
        assert toast["HX-Retarget"] == "#toasts"
        assert toast.text.startswith('<div class="toast"')

    def test_404_without_a_session_shows_no_shell(self) -> None:
        answer = Browser().get("/nothing-here")
        assert answer.status_code == 404
        assert 'class="app"' not in answer.text

    def test_csrf_failure_says_what_to_do(self) -> None:
        answer = Browser(enforce_csrf_checks=True).post("/accounts/login/", {"login": "a"})
        assert answer.status_code == 403
        assert "Reload it and try once more" in answer.text

    def test_500_touches_no_database(self, browser_of: BrowserOf, monkeypatch: pytest.MonkeyPatch) -> None:
        browser = browser_of(SeatFactory())
        browser.raise_request_exception = False

        def broken(*args: object, **kwargs: object) -> None:
            raise RuntimeError("broken")

        monkeypatch.setattr("lockstep.web.doors.Seat.objects.filter", broken)
        answer = browser.get("/styleguide")
        assert answer.status_code == 500
        assert "Something broke on our side" in answer.text
        assert "RuntimeError" not in answer.text


@pytest.mark.django_db
class TestSignIn:
    def test_sign_in_and_out(self) -> None:
        seat = SeatFactory(company__name="Northbeam Promo")
        seat.user.set_password("correct horse battery")
        seat.user.save()
        browser = Browser()
        page = browser.get("/accounts/login/")
        assert "Sign in to Northbeam Promo" in page.text
        answer = browser.post(
            "/accounts/login/", {"login": seat.user.email, "password": "correct horse battery"}
        )
        assert answer["Location"] == "/"
        assert browser.get("/styleguide").status_code == 200
        browser.post("/accounts/logout/")
        assert browser.get("/styleguide").status_code == 302

    def test_wrong_password_is_said_above_the_fields(self) -> None:
        seat = SeatFactory()
        page = Browser().post("/accounts/login/", {"login": seat.user.email, "password": "wrong"})
        assert 'class="callout" data-tone="bad" role="alert"' in page.text
        assert page.text.index('role="alert"') < page.text.index('name="login"')

    def test_several_companies_are_not_named_to_strangers(self) -> None:
        SeatFactory(company__name="First")
        SeatFactory(company__name="Second")
        page = Browser().get("/accounts/login/").text
        assert "First" not in page
        assert "Second" not in page

    def test_nobody_makes_an_account_for_themselves(self) -> None:
        page = Browser().get("/accounts/signup/")
        assert "by invitation" in page.text
        Browser().post(
            "/accounts/signup/",
            {"email": "a@example.com", "password1": "correct horse 1", "password2": "correct horse 1"},
        )
        assert not Seat.objects.exists()

    @pytest.mark.parametrize(
        "address", ["/accounts/password/reset/", "/accounts/password/reset/done/", "/accounts/logout/"]
    )
    def test_pages_around_sign_in(self, address: str) -> None:
        answer = Browser().get(address, follow=True)
        assert answer.status_code == 200
        assert 'class="auth"' in answer.text

    def test_reset_mail_leads_to_a_new_password(self, mailoutbox: list[object]) -> None:
        seat = SeatFactory()
        Browser().post("/accounts/password/reset/", {"email": seat.user.email})
        (mail,) = mailoutbox
        link = next(line for line in mail.body.splitlines() if line.startswith("http"))  # type: ignore[attr-defined]
        browser = Browser()
        form = browser.get(link.partition("8000")[2] or link.partition("testserver")[2], follow=True)
        assert "Choose a password" in form.text

    @pytest.mark.parametrize("address", ["/accounts/2fa/", "/accounts/password/change/", "/accounts/email/"])
    def test_own_sign_in_settings_stand_in_the_settings(self, address: str, browser_of: BrowserOf) -> None:
        page = browser_of(SeatFactory()).get(address, follow=True)
        assert page.status_code == 200
        assert 'aria-label="Settings"' in page.text or 'class="auth"' in page.text


@pytest.mark.django_db
class TestProfile:
    def test_change_own_name(self, browser_of: BrowserOf) -> None:
        seat = SeatFactory()
        browser = browser_of(seat)
        answer = browser.post("/settings/profile", {"first_name": "Ada", "last_name": "Byron"}, follow=True)
        seat.user.refresh_from_db()
        assert seat.user.full_name == "Ada Byron"
        assert "Your name is saved." in answer.text

    def test_a_name_is_asked_for(self, browser_of: BrowserOf) -> None:
        answer = browser_of(SeatFactory()).post("/settings/profile", {"first_name": ""})
        assert answer.status_code == 422
        assert 'id="id_first_name_error"' in answer.text
