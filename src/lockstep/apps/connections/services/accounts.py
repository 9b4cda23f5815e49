"""Connect a Mailchimp account, by log-in or by key, and disconnect it (C1, C3)."""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from lockstep.apps.accounts.permissions import Actor, Permission
from lockstep.apps.book.errors import NotFound
from lockstep.apps.book.services.history import record
from lockstep.apps.connections.asking import ask, exchange, oauth_app
from lockstep.apps.connections.errors import (
    ConnectError,
    CredentialsRefused,
    LogInNotOurs,
    OAuthNotSetUp,
    SyncIsOn,
)
from lockstep.apps.connections.models import Connection, MailchimpAccount
from lockstep.apps.connections.opening import access_to
from lockstep.apps.connections.secrets import seal
from lockstep.bridge.access import AccountAccess, AuthKind, api_base, data_center_of
from lockstep.bridge.account import AccountFacts, check_credentials
from lockstep.bridge.webhooks import delete_webhook
from lockstep.core.errors import BrokenKind, ConnectionBroken
from lockstep.mailchimp.oauth import authorize_url

SESSION_KEY = "mailchimp_log_in"
LOG_IN_TAKES = timedelta(minutes=30)
LONGEST_KEY = 100

OF_THE_ACCOUNT = frozenset(
    {BrokenKind.KEY_REVOKED, BrokenKind.USER_DISABLED, BrokenKind.ROLE_TOO_LOW, BrokenKind.WRONG_DATACENTER}
)
"""Trouble that ends when the account lets us in again; the rest is one audience's."""

_MENDED = {"broken_kind": "", "broken_text": "", "broken_at": None}


class Session(Protocol):
    """What is needed of Django's session."""

    def __setitem__(self, key: str, value: Any) -> None: ...
    def pop(self, key: str, default: Any = ...) -> Any: ...


@dataclass(frozen=True, slots=True)
class Credentials:
    """A secret that is about to be kept, and where it opens something."""

    kind: AuthKind
    secret: str
    data_center: str
    base: str

    def __repr__(self) -> str:
        return f"Credentials({self.kind.value}, {self.data_center})"


def begin_oauth(actor: Actor, session: Session, *, return_address: str) -> str:
    """The address at Mailchimp to send this person to.

    A fresh secret is put into their session, with the company that they are
    in; only `finish_oauth` with both is let in. A second beginning replaces the
    first. Raises `NotPermitted`, `OAuthNotSetUp`.
    """
    actor.require(Permission.MANAGE_COMPANY)
    app = oauth_app(return_address)
    if app is None:
        raise OAuthNotSetUp
    state = secrets.token_urlsafe(32)
    session[SESSION_KEY] = {
        "state": state,
        "company": actor.company.pk,
        "until": (timezone.now() + LOG_IN_TAKES).timestamp(),
    }
    return authorize_url(app, state)


def finish_oauth(
    actor: Actor, session: Session, *, code: str, state: str, return_address: str
) -> MailchimpAccount:
    """Keep the account of which the person pressed Allow.

    The secret in the session is used up, whatever comes of it. Raises
    `NotPermitted`, `LogInNotOurs`, `CredentialsRefused`, `MailchimpAway`.
    """
    actor.require(Permission.MANAGE_COMPANY)
    begun = session.pop(SESSION_KEY, None)
    app = oauth_app(return_address)
    if app is None:
        raise OAuthNotSetUp
    # Bytes, because compare_digest takes no text beyond ASCII, and the address bar may hold any.
    if (
        not begun
        or not hmac.compare_digest(begun["state"].encode(), state.encode())
        or begun["company"] != actor.company.pk
        or begun["until"] < timezone.now().timestamp()
    ):
        raise LogInNotOurs
    if not code:
        raise CredentialsRefused("Allow was not pressed at Mailchimp, so nothing was connected.")
    grant = exchange(app, code)
    base = api_base(grant.metadata.dc, settings.MAILCHIMP_API_BASE_OVERRIDE)
    return _connect(actor, Credentials(AuthKind.OAUTH, grant.token.token, grant.metadata.dc, base))


def connect_api_key(actor: Actor, key: str) -> MailchimpAccount:
    """Keep the account that an API key opens, after trying it.

    Raises `NotPermitted`, `CredentialsRefused`, `MailchimpAway`.
    """
    actor.require(Permission.MANAGE_COMPANY)
    key = key.strip()
    if not key:
        raise CredentialsRefused("Paste the API key first.")
    try:
        if len(key) > LONGEST_KEY:
            raise ValueError
        data_center = data_center_of(key)
        base = api_base(data_center, settings.MAILCHIMP_API_BASE_OVERRIDE)
    except ValueError:
        raise CredentialsRefused(
            "This is no Mailchimp API key: one ends in a dash and a data centre, such as -us6. "
            "Copy it again, from its first to its last character."
        ) from None
    return _connect(actor, Credentials(AuthKind.API_KEY, key, data_center, base))


def _connect(actor: Actor, credentials: Credentials) -> MailchimpAccount:
    access = AccountAccess(credentials.base, credentials.secret, credentials.kind)
    try:
        facts = ask(access, check_credentials)
    except ConnectionBroken as error:
        raise CredentialsRefused(
            "Mailchimp does not accept it: the key may be mistyped, revoked, or belong to a user "
            f"who is disabled. Mailchimp says: {error.raw}"
        ) from error
    return _keep(actor, credentials, facts)


@transaction.atomic
def _keep(actor: Actor, credentials: Credentials, facts: AccountFacts) -> MailchimpAccount:
    """Store the account: a new one, or the one that the company knows already, disconnected or not.

    An account that comes back is the same row, so that its audiences, filters
    and history are there again, and connections that had paused for want of
    valid credentials go on.
    """
    known = MailchimpAccount.objects.select_for_update().filter(
        company=actor.company, account_id=facts.account_id
    )
    account = known.filter(disconnected_at=None).first() or known.order_by("disconnected_at").last()
    action = "connect" if account is None else "reconnect"
    account = account or MailchimpAccount(company=actor.company, account_id=facts.account_id)
    now = timezone.now()
    account.auth_kind = credentials.kind.value
    account.secret = seal(credentials.secret)
    account.data_center = credentials.data_center
    account.api_base = credentials.base
    account.disconnected_at = None
    _store_facts(account, facts)
    account.connected_by = actor.user
    account.connected_at = now
    account.save()
    account.connections.filter(broken_kind__in=OF_THE_ACCOUNT).update(**_MENDED)
    record(
        actor,
        subject="mailchimp_account",
        subject_id=account.pk,
        label=account.account_name,
        action=action,
        changes={"account": ["", facts.account_name], "by": ["", account.get_auth_kind_display()]},
        at=now,
    )
    return account


def _store_facts(account: MailchimpAccount, facts: AccountFacts) -> None:
    account.account_name = facts.account_name
    account.login_email = facts.login_email
    account.role = facts.role
    account.plan = facts.plan
    account.broken_kind = account.broken_text = ""
    account.broken_at = None


def check_again(actor: Actor, account: MailchimpAccount) -> MailchimpAccount:
    """Try the login that is kept: somebody may have mended it at Mailchimp.

    What works is noted, and connections that had paused for it go on; what
    doesn't is noted as well. Raises `NotPermitted`, `NotFound`,
    `CredentialsRefused`, `MailchimpAway`.
    """
    actor.require(Permission.MANAGE_COMPANY)
    account = _mine(actor, account)
    try:
        facts = ask(access_to(account), check_credentials)
    except ConnectionBroken as error:
        note_broken(account, error)
        raise CredentialsRefused(
            "Mailchimp still does not accept the login. Connect again, or see what Mailchimp says below."
        ) from error
    with transaction.atomic():
        account = MailchimpAccount.objects.select_for_update().get(pk=account.pk)
        _store_facts(account, facts)
        account.save()
        account.connections.filter(broken_kind__in=OF_THE_ACCOUNT).update(**_MENDED)
    return account


def note_broken(account: MailchimpAccount, error: ConnectionBroken) -> None:
    """Remember that Mailchimp does not let us in, so that every page says so; an audience's trouble is
    not the account's and is not kept here.
    """
    if error.kind not in OF_THE_ACCOUNT:
        return
    MailchimpAccount.objects.filter(pk=account.pk).update(
        broken_kind=error.kind.value, broken_text=error.raw, broken_at=timezone.now()
    )


def disconnect(actor: Actor, account: MailchimpAccount) -> None:
    """Forget the credentials (C3). Webhooks are taken away; members, fields and history stay.

    Should Mailchimp not be reachable, or not let us in any more, the account is
    disconnected all the same: its webhooks then point at an address that
    forgets what it hears. Raises `NotPermitted`, `SyncIsOn`, `NotFound`.
    """
    actor.require(Permission.MANAGE_COMPANY)
    account = _mine(actor, account)
    busy = account.connections.exclude(mode=Connection.Mode.OFF).order_by("id").first()
    if busy is not None:
        raise SyncIsOn(busy)
    for connection in account.connections.exclude(webhook_id=""):
        _take_webhook_away(account, connection)
    with transaction.atomic():
        account = MailchimpAccount.objects.select_for_update().get(pk=account.pk)
        busy = (
            account.connections.select_for_update().exclude(mode=Connection.Mode.OFF).order_by("id").first()
        )
        if busy is not None:  # somebody pressed Start Sync in the same moment
            raise SyncIsOn(busy)
        account.secret = b""
        account.disconnected_at = timezone.now()
        account.save(update_fields=["secret", "disconnected_at"])
        account.connections.update(webhook_id="", webhook_secret=b"")
        record(
            actor,
            subject="mailchimp_account",
            subject_id=account.pk,
            label=account.account_name,
            action="disconnect",
            changes={"account": [account.account_name, ""]},
            at=account.disconnected_at,
        )


def _take_webhook_away(account: MailchimpAccount, connection: Connection) -> None:
    try:
        ask(
            access_to(account),
            lambda api: delete_webhook(api, connection.list_id, connection.webhook_id),
        )
    except (ConnectError, ConnectionBroken):
        return


def _mine(actor: Actor, account: MailchimpAccount) -> MailchimpAccount:
    found = MailchimpAccount.objects.filter(
        pk=account.pk, company=actor.company, disconnected_at=None
    ).first()
    if found is None:
        raise NotFound("Mailchimp account")
    return found
