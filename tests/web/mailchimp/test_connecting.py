"""The settings page: connect, choose an audience, check, disconnect."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client as Browser
from django.urls import reverse
from pytest_django import Settings
from tests.apps.connections.conftest import press_allow
from tests.factories import ConnectionFactory, MailchimpAccountFactory, SeatFactory
from tests.web.test_structure import check

from lockstep.apps.accounts.models import Seat
from lockstep.apps.accounts.permissions import Role
from lockstep.apps.connections.models import Connection, MailchimpAccount
from lockstep.apps.connections.secrets import seal
from lockstep.sandbox.testing import SandboxServer

BrowserOf = Callable[[Seat], Browser]
INDEX = "/settings/mailchimp/"
HTMX = {"HX-Request": "true"}


@pytest.fixture
def admin(db: None) -> Seat:
    return SeatFactory()


@pytest.fixture
def practice(admin: Seat, mailchimp: SandboxServer) -> MailchimpAccount:
    return MailchimpAccountFactory(
        company=admin.company,
        api_base=mailchimp.url,
        secret=seal(mailchimp.api_key),
        account_name="Northbeam Promo",
    )


def test_the_whole_way_through_mailchimp_and_back(
    admin: Seat, browser_of: BrowserOf, mailchimp: SandboxServer, settings: Settings
) -> None:
    mailchimp.sandbox.oauth.apps["lockstep-tests"].redirect_uris = ()
    browser = browser_of(admin)
    page = browser.get(INDEX)
    assert "Connect to Mailchimp" in page.text
    away = browser.post(reverse("mailchimp:connect"))
    assert away.status_code == 302
    assert away["Location"].startswith(f"{mailchimp.url}/oauth2/authorize?")
    [account_id] = mailchimp.sandbox.accounts
    back = press_allow(away["Location"], account_id)
    home = browser.get(reverse("mailchimp:oauth_return"), back)
    assert (home.status_code, home["Location"]) == (302, INDEX)
    account = MailchimpAccount.objects.get()
    page = browser.get(INDEX)
    assert f"Connected to {account.account_name}." in page.text
    assert "Disconnect Mailchimp?" in page.text
    # The same way back a second time connects nothing more.
    again = browser.get(reverse("mailchimp:oauth_return"), back)
    assert again.status_code == 422
    assert "does not belong to a log-in that you began" in again.text


def test_a_wrong_key_is_said_beside_the_field(
    admin: Seat, browser_of: BrowserOf, mailchimp: SandboxServer
) -> None:
    page = browser_of(admin).post(reverse("mailchimp:connect_key"), {"key": "<b>nonsense</b>"})
    assert page.status_code == 422
    assert "This is no Mailchimp API key" in page.text
    assert "nonsense" not in page.text
    assert not MailchimpAccount.objects.exists()


def test_a_key_connects(admin: Seat, browser_of: BrowserOf, mailchimp: SandboxServer) -> None:
    answer = browser_of(admin).post(reverse("mailchimp:connect_key"), {"key": mailchimp.api_key})
    assert answer.status_code == 302
    page = browser_of(admin).get(INDEX)
    assert mailchimp.api_key not in page.text
    assert reverse("mailchimp:audience_choice", args=[MailchimpAccount.objects.get().pk]) in page.text


def test_the_audiences_come_with_their_checks(
    practice: MailchimpAccount, admin: Seat, browser_of: BrowserOf, mailchimp: SandboxServer
) -> None:
    address = reverse("mailchimp:audience_choice", args=[practice.pk])
    fragment = browser_of(admin).get(address, headers=HTMX)
    assert "<html" not in fragment.text
    assert "The login works" in fragment.text
    assert "No sync yet" in fragment.text
    whole = browser_of(admin).get(address)
    assert "<html" in whole.text
    assert "The login works" in whole.text


def test_a_revoked_key_is_said_with_a_way_back(
    practice: MailchimpAccount, admin: Seat, browser_of: BrowserOf, mailchimp: SandboxServer
) -> None:
    [theirs] = mailchimp.sandbox.accounts.values()
    theirs.credentials[mailchimp.api_key].revoked = True
    browser = browser_of(admin)
    fragment = browser.get(reverse("mailchimp:audience_choice", args=[practice.pk]), headers=HTMX)
    assert "Mailchimp no longer accepts our login" in fragment.text
    assert "Your API key may be invalid" in fragment.text
    page = browser.get(INDEX)
    assert "Connect again" in page.text
    assert "Needs you" in page.text
    still = browser.post(reverse("mailchimp:check", args=[practice.pk]))
    assert still.status_code == 422

    theirs.credentials[mailchimp.api_key].revoked = False
    assert browser.post(reverse("mailchimp:check", args=[practice.pk])).status_code == 302
    practice.refresh_from_db()
    assert practice.broken_kind == ""


def test_mailchimp_away_is_said(practice: MailchimpAccount, admin: Seat, browser_of: BrowserOf) -> None:
    MailchimpAccount.objects.update(api_base="http://127.0.0.1:9")
    fragment = browser_of(admin).get(reverse("mailchimp:audience_choice", args=[practice.pk]), headers=HTMX)
    assert fragment.status_code == 200
    assert "be reached just now" in fragment.text
    assert "Try again" in fragment.text


def test_selecting_leads_to_configure(
    practice: MailchimpAccount, admin: Seat, browser_of: BrowserOf, mailchimp: SandboxServer
) -> None:
    [theirs] = mailchimp.sandbox.accounts.values()
    [list_id] = theirs.audiences
    answer = browser_of(admin).post(reverse("mailchimp:select", args=[practice.pk]), {"list_id": list_id})
    connection = Connection.objects.get()
    assert answer["Location"] == reverse("mailchimp:configure", args=[connection.pk])


def test_while_a_sync_is_on_disconnect_says_why_it_waits(
    practice: MailchimpAccount, admin: Seat, browser_of: BrowserOf
) -> None:
    connection = ConnectionFactory(account=practice, mode=Connection.Mode.ON, list_name="Main list")
    browser = browser_of(admin)
    page = browser.get(INDEX)
    assert "View Sync" in page.text
    assert "Stop the sync first" in page.text
    assert reverse("sync:window", args=[connection.pk]) in page.text
    refused = browser.post(reverse("mailchimp:disconnect", args=[practice.pk]))
    assert refused.status_code == 422
    assert "The sync with Main list is on" in refused.text
    connection.mode = Connection.Mode.OFF
    connection.save()
    assert browser.post(reverse("mailchimp:disconnect", args=[practice.pk])).status_code == 302
    assert "Connect to Mailchimp" in browser.get(INDEX).text


def test_automatic_work_is_saved(practice: MailchimpAccount, admin: Seat, browser_of: BrowserOf) -> None:
    connection = ConnectionFactory(account=practice, mode=Connection.Mode.ON)
    browser_of(admin).post(
        reverse("mailchimp:automatic_work", args=[connection.pk]),
        {"unsubscribe_sets_no_marketing": "on"},
        headers=HTMX,
    )
    connection.refresh_from_db()
    assert (connection.nightly_audit, connection.unsubscribe_sets_no_marketing) == (False, True)


ROUTES = [
    ("get", "index", ""),
    ("post", "connect", ""),
    ("get", "oauth_return", ""),
    ("post", "connect_key", ""),
    ("get", "audience_choice", "account"),
    ("post", "select", "account"),
    ("post", "check", "account"),
    ("post", "disconnect", "account"),
    ("post", "automatic_work", "connection"),
    ("get", "configure", "connection"),
    ("post", "count", "connection"),
    ("get", "checks", "connection"),
    ("post", "optional", "connection"),
    ("get", "duplicates", "connection"),
    ("post", "start", "connection"),
    ("get", "dry_run", "connection"),
    ("post", "dry_run", "connection"),
    ("get", "dry_run_csv", "connection"),
]


@pytest.mark.parametrize(("method", "name", "argument"), ROUTES)
def test_only_who_manages_the_company_comes_in(
    db: None, browser_of: BrowserOf, method: str, name: str, argument: str
) -> None:
    seat = SeatFactory(role=Role.MANAGER)
    connection = ConnectionFactory(company=seat.company)
    args = {"": [], "account": [connection.account_id], "connection": [connection.pk]}[argument]
    answer = getattr(browser_of(seat), method)(reverse(f"mailchimp:{name}", args=args))
    assert answer.status_code == 403
    connection.refresh_from_db()
    assert (connection.mode, connection.account.disconnected_at) == (Connection.Mode.OFF, None)


@pytest.mark.parametrize(("method", "name", "argument"), [route for route in ROUTES if route[2]])
def test_nothing_of_another_company_is_there(
    admin: Seat, browser_of: BrowserOf, method: str, name: str, argument: str
) -> None:
    foreign = ConnectionFactory()
    args = [foreign.account_id if argument == "account" else foreign.pk]
    answer = getattr(browser_of(admin), method)(reverse(f"mailchimp:{name}", args=args))
    assert answer.status_code == 404
    foreign.refresh_from_db()
    assert (foreign.mode, foreign.account.disconnected_at) == (Connection.Mode.OFF, None)


@pytest.mark.parametrize("mode", list(Connection.Mode))
def test_every_page_is_well_built(
    practice: MailchimpAccount,
    admin: Seat,
    browser_of: BrowserOf,
    mailchimp: SandboxServer,
    mode: Connection.Mode,
) -> None:
    [theirs] = mailchimp.sandbox.accounts.values()
    [audience] = theirs.audiences.values()
    audience.add_merge_field(tag="SHIRT", name="T-shirt size", type="text", required=True)
    link = ConnectionFactory(account=practice, list_id=audience.id, mode=mode)
    browser = browser_of(admin)
    names = ("configure", "checks", "duplicates", "dry_run")
    addresses = [INDEX, reverse("mailchimp:audience_choice", args=[practice.pk])]
    addresses += [reverse(f"mailchimp:{name}", args=[link.pk]) for name in names]
    for address in addresses:
        check(browser.get(address, follow=True).text)
    MailchimpAccount.objects.update(broken_kind="key_revoked", broken_text="API Key Invalid")
    check(browser.get(INDEX).text)
    MailchimpAccount.objects.all().delete()
    check(browser.get(INDEX).text)
