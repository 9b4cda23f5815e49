"""What there is to see of access tokens."""

from __future__ import annotations

from lockstep.apps.accounts.permissions import Actor, Permission
from lockstep.apps.integrations.models import AccessToken

__all__ = ["tokens"]


def tokens(actor: Actor) -> list[AccessToken]:
    """The company's tokens, newest first, revoked ones too; one query."""
    actor.require(Permission.MANAGE_COMPANY)
    return list(AccessToken.objects.filter(company=actor.company).select_related("user").order_by("-id"))
