"""Connecting by log-in and by key, and disconnecting, against the practice Mailchimp over HTTP."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import Settings
from tests.apps.connections.conftest import RETURN, press_allow
from tests.factories import ConnectionFactory, MailchimpAccountFactory, SeatFactory

from lockstep.apps.accounts.permissions import Actor, NotPermitted, Role
from lockstep.apps.book.errors import NotFound
from lockstep.apps.book.models import HistoryEntry
from lockstep.apps.connections import services
from lockstep.apps.connections.errors import (
    CredentialsRefused,
    LogInNotOurs,
    MailchimpAway,
    OAuthNotSetUp,
    SyncIsOn,
)
from lockstep.apps.connections.models import Connection, MailchimpAccount
from lockstep.apps.connections.secrets import unseal
from lockstep.core.errors import BrokenKind
from lockstep.sandbox.testing import SandboxServer


def log_in(actor: Actor, session: dict[str, Any], mailchimp: SandboxServer) -> dict[str, str]:
    [account_id] = mailchimp.sandbox.accounts
    return press_allow(services.begin_oauth(actor, session, return_address=RETURN), account_id)


def finish(actor: Actor, session: dict[str, Any], code: str, state: str) -> MailchimpAccount:
    return services.finish_oauth(actor, session, code=code, state=state, return_address=RETURN)


def test_allow_connects_the_account(actor: Actor, mailchimp: SandboxServer) -> None:
    session: dict[str, Any] = {}
    back = log_in(actor, session, mailchimp)
    account = finish(actor, session, **back)

    [practice] = mailchimp.sandbox.accounts.values()
    assert (account.company, account.account_name) == (actor.company, practice.name)
    assert (account.auth_kind, account.role, account.api_base) == ("oauth", "owner", mailchimp.url)
    token = unseal(account.secret)
    assert token in practice.credentials
    assert token.encode() not in bytes(account.secret)
    assert session == {}
    assert HistoryEntry.objects.filter(subject_kind="mailchimp_account", action="connect").count() == 1


@pytest.mark.parametrize("wrong", ["", "another", "ünïcode"])
def test_a_foreign_way_back_connects_nothing(actor: Actor, mailchimp: SandboxServer, wrong: str) -> None:
    session: dict[str, Any] = {}
    back = log_in(actor, session, mailchimp)
    with pytest.raises(LogInNotOurs):
        finish(actor, session, back["code"], wrong)
    # The state is used up by the attempt: the right one does not work afterwards.
    with pytest.raises(LogInNotOurs):
        finish(actor, session, **back)
    assert not MailchimpAccount.objects.exists()


def test_a_way_back_without_a_beginning_connects_nothing(actor: Actor, mailchimp: SandboxServer) -> None:
    with pytest.raises(LogInNotOurs):
        finish(actor, {}, "code", "")


def test_a_log_in_begun_in_another_company_connects_nothing(actor: Actor, mailchimp: SandboxServer) -> None:
    session: dict[str, Any] = {}
    back = log_in(actor, session, mailchimp)
    with pytest.raises(LogInNotOurs):
        finish(SeatFactory().actor(), session, **back)


def test_a_log_in_takes_half_an_hour_at_most(actor: Actor, mailchimp: SandboxServer) -> None:
    session: dict[str, Any] = {}
    back = log_in(actor, session, mailchimp)
    session["mailchimp_log_in"]["until"] = (timezone.now() - timedelta(seconds=1)).timestamp()
    with pytest.raises(LogInNotOurs):
        finish(actor, session, **back)


def test_deny_says_that_allow_was_not_pressed(actor: Actor, mailchimp: SandboxServer) -> None:
    session: dict[str, Any] = {}
    back = log_in(actor, session, mailchimp)
    with pytest.raises(CredentialsRefused, match="Allow was not pressed"):
        finish(actor, session, "", back["state"])


def test_a_code_is_good_once(actor: Actor, mailchimp: SandboxServer) -> None:
    session: dict[str, Any] = {}
    back = log_in(actor, session, mailchimp)
    finish(actor, dict(session), **back)
    with pytest.raises(CredentialsRefused):
        finish(actor, session, **back)


def test_log_in_needs_a_registered_app(actor: Actor, mailchimp: SandboxServer, settings: Settings) -> None:
    settings.MAILCHIMP_CLIENT_ID = ""
    with pytest.raises(OAuthNotSetUp):
        services.begin_oauth(actor, {}, return_address=RETURN)


def test_a_key_connects_the_account(actor: Actor, mailchimp: SandboxServer) -> None:
    account = services.connect_api_key(actor, f"  {mailchimp.api_key}\n")
    assert account.auth_kind == "api_key"
    assert unseal(account.secret) == mailchimp.api_key
    assert account.data_center == mailchimp.api_key.rpartition("-")[2]


@pytest.mark.parametrize(
    "key",
    [
        "",
        "nonsense",
        "0123456789abcdef0123456789abcdef-evil.example.com/",
        "x-us6" + "0" * 200,
        "schlüssel-us6",
    ],
)
def test_what_is_no_key_is_refused_in_words(actor: Actor, mailchimp: SandboxServer, key: str) -> None:
    with pytest.raises(CredentialsRefused):
        services.connect_api_key(actor, key)
    assert not MailchimpAccount.objects.exists()


def test_a_revoked_key_is_refused(actor: Actor, mailchimp: SandboxServer) -> None:
    with pytest.raises(CredentialsRefused, match="API key may be invalid"):
        services.connect_api_key(actor, "f" * 32 + "-us6")
    assert not MailchimpAccount.objects.exists()


def test_mailchimp_away_is_said(actor: Actor, mailchimp: SandboxServer, settings: Settings) -> None:
    settings.MAILCHIMP_API_BASE_OVERRIDE = "http://127.0.0.1:9"
    with pytest.raises(MailchimpAway):
        services.connect_api_key(actor, mailchimp.api_key)


def test_reconnecting_mends_the_same_account(actor: Actor, mailchimp: SandboxServer) -> None:
    account = services.connect_api_key(actor, mailchimp.api_key)
    connection = ConnectionFactory(account=account, mode=Connection.Mode.ON)
    broken = {"broken_kind": BrokenKind.KEY_REVOKED.value, "broken_text": "API Key Invalid"}
    MailchimpAccount.objects.update(**broken)
    Connection.objects.update(**broken)

    again = services.connect_api_key(actor, mailchimp.api_key)
    connection.refresh_from_db()
    assert again.pk == account.pk
    assert (again.broken_kind, again.broken_text, connection.broken_kind) == ("", "", "")
    assert connection.on


def test_disconnecting_forgets_the_login_and_keeps_the_history(
    actor: Actor, mailchimp: SandboxServer
) -> None:
    account = services.connect_api_key(actor, mailchimp.api_key)
    connection = ConnectionFactory(account=account, preferences={"status_ids": [7]})
    services.disconnect(actor, account)

    account.refresh_from_db()
    assert bytes(account.secret) == b""
    assert account.disconnected_at is not None
    assert Connection.objects.filter(pk=connection.pk).exists()
    with pytest.raises(NotFound):
        services.disconnect(actor, account)

    again = services.connect_api_key(actor, mailchimp.api_key)
    assert (again.pk, again.disconnected_at) == (account.pk, None)
    assert list(again.connections.values_list("preferences", flat=True)) == [{"status_ids": [7]}]


@pytest.mark.parametrize("mode", [Connection.Mode.ON, Connection.Mode.STOPPING])
def test_disconnecting_waits_until_the_sync_is_stopped(actor: Actor, mode: Connection.Mode) -> None:
    account = MailchimpAccountFactory(company=actor.company)
    connection = ConnectionFactory(account=account, mode=mode)
    with pytest.raises(SyncIsOn, match="choose Stop Sync") as refused:
        services.disconnect(actor, account)
    assert refused.value.connection == connection
    account.refresh_from_db()
    assert account.disconnected_at is None


def test_mailchimp_away_does_not_keep_anyone_connected(actor: Actor) -> None:
    account = MailchimpAccountFactory(company=actor.company)
    ConnectionFactory(account=account, webhook_id="abc")
    services.disconnect(actor, account)
    assert MailchimpAccount.objects.get().disconnected_at is not None


def test_accounts_of_another_company_are_not_there(actor: Actor) -> None:
    foreign = MailchimpAccountFactory()
    with pytest.raises(NotFound):
        services.disconnect(actor, foreign)
    foreign.refresh_from_db()
    assert foreign.disconnected_at is None


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.ADMIN])
def test_only_who_manages_the_company_connects(db: None, role: Role) -> None:
    seat = SeatFactory(role=role)
    actor, account = seat.actor(), MailchimpAccountFactory(company=seat.company)
    with pytest.raises(NotPermitted):
        services.begin_oauth(actor, {}, return_address=RETURN)
    with pytest.raises(NotPermitted):
        services.finish_oauth(actor, {}, code="c", state="s", return_address=RETURN)
    with pytest.raises(NotPermitted):
        services.connect_api_key(actor, "k-us6")
    with pytest.raises(NotPermitted):
        services.disconnect(actor, account)
