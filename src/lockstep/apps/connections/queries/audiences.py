"""The audiences of an account, as Mailchimp lists them now."""

from __future__ import annotations

from lockstep.apps.accounts.permissions import Actor, Permission
from lockstep.apps.book.errors import NotFound
from lockstep.apps.connections.asking import ask
from lockstep.apps.connections.models import MailchimpAccount
from lockstep.apps.connections.opening import access_to
from lockstep.bridge.account import AudienceFacts, list_audiences


def audiences(actor: Actor, account: MailchimpAccount) -> tuple[AudienceFacts, ...]:
    """Asks Mailchimp. Raises `NotPermitted`, `NotFound`, `ConnectError`, `core.errors.ConnectionBroken`."""
    actor.require(Permission.MANAGE_COMPANY)
    if account.company_id != actor.company.pk or account.disconnected_at is not None:
        raise NotFound("Mailchimp account")
    return ask(access_to(account), list_audiences)
