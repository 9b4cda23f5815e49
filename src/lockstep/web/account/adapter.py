"""What Lockstep decides differently from django-allauth."""

from __future__ import annotations

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from django.core.exceptions import ValidationError
from django.http import HttpRequest

from lockstep.apps.accounts.models import Seat, SignIn
from lockstep.apps.accounts.services import account_of
from lockstep.apps.connections.secrets import seal, unseal
from lockstep.web.account.hearing import heard

__all__ = ["AccountAdapter", "SecondFactorAdapter"]


class AccountAdapter(DefaultAccountAdapter):
    """People come by invitation, and attempts to sign in are kept for their company's admins."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def pre_authenticate(self, request: HttpRequest, **credentials: Any) -> None:
        try:
            super().pre_authenticate(request, **credentials)
        except ValidationError:
            _note(request, credentials, SignIn.Kind.HELD_BACK)
            raise

    def authentication_failed(self, request: HttpRequest, **credentials: Any) -> None:
        _note(request, credentials, SignIn.Kind.WRONG_PASSWORD)


def _note(request: HttpRequest, credentials: dict[str, Any], kind: SignIn.Kind) -> None:
    """About people we know only: what strangers type is nobody's business, and may be anything."""
    user = account_of(str(credentials.get("email", "")))
    if user is not None:
        heard(request, user, kind)


class SecondFactorAdapter(DefaultMFAAdapter):
    """Secrets of authenticator apps are stored encrypted; what a company requires stays."""

    error_messages = DefaultMFAAdapter.error_messages | {
        "cannot_delete_authenticator": "Your company requires a second factor. Add another one first.",
        "incorrect_code": "This code is not right. Type the one that is shown now.",
    }

    def encrypt(self, text: str) -> str:
        return seal(text).decode("ascii")

    def decrypt(self, encrypted_text: str) -> str:
        return unseal(encrypted_text.encode("ascii"))

    def can_delete_authenticator(self, authenticator: Authenticator) -> bool:
        """Whether another one remains where a company of the person asks for one."""
        others = Authenticator.objects.filter(user_id=authenticator.user_id).exclude(pk=authenticator.pk)
        if others.exclude(type=Authenticator.Type.RECOVERY_CODES).exists():
            return True
        required = Seat.objects.filter(
            user_id=authenticator.user_id, deactivated_at=None, company__require_second_factor=True
        )
        return not required.exists()
