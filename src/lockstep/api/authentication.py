"""Who calls: an access token in the Authorization header, made for this, and with calls left to make."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest
from django.utils import timezone
from ninja.security import HttpBearer

from lockstep.api.problems import ScopeMissing, Throttled
from lockstep.apps.integrations.scopes import Scope
from lockstep.apps.integrations.services import Grant, grant, spend_call


class Asked(HttpRequest):
    """A request after the token was checked; what routes may rely on."""

    auth: Grant


class AccessToken(HttpBearer):
    """Lets in tokens made for `scope`. What the person behind one may do is asked by the services."""

    openapi_description = "Made on the page Settings, API."

    def __init__(self, scope: Scope) -> None:
        super().__init__()
        self.scope = scope

    def authenticate(self, request: HttpRequest, token: str) -> Grant | None:
        """Raises `Throttled` without allowance left, `ScopeMissing` where the token is not for this."""
        now = timezone.now()
        found = grant(token, now)
        if found is None:
            return None
        allowance = spend_call(found.token_id, now, a_minute=settings.LOCKSTEP_API_RATE)
        if allowance.wait:
            raise Throttled(allowance.wait)
        if self.scope.value not in found.scopes:
            raise ScopeMissing(self.scope.value)
        return found
