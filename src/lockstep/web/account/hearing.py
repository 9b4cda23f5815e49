"""Hears of sign-ins, sign-outs and changed ways in, and has them kept (A1)."""

from __future__ import annotations

from typing import Any

from allauth.account import signals as account
from allauth.account.adapter import get_adapter
from allauth.mfa import signals as factors
from allauth.mfa.models import Authenticator
from django.contrib.auth.signals import user_logged_out
from django.http import HttpRequest
from django.utils import timezone

from lockstep.apps.accounts.models import SignIn, User
from lockstep.apps.accounts.services import note_arrival, note_sign_in
from lockstep.web.doors import current_seat

__all__ = ["begin", "heard"]

_KINDS = {
    account.password_changed: SignIn.Kind.PASSWORD_CHANGED,
    account.password_set: SignIn.Kind.PASSWORD_CHANGED,
    account.password_reset: SignIn.Kind.PASSWORD_RESET,
    factors.authenticator_added: SignIn.Kind.FACTOR_ADDED,
    factors.authenticator_removed: SignIn.Kind.FACTOR_REMOVED,
    factors.authentication_failed: SignIn.Kind.WRONG_CODE,
    user_logged_out: SignIn.Kind.SIGNED_OUT,
}


def heard(request: HttpRequest, user: User, kind: SignIn.Kind) -> None:
    """Keep that this happened to the person, now, from where the request came."""
    note_sign_in(
        user,
        kind,
        at=timezone.now(),
        address=get_adapter().get_client_ip(request),
        browser=request.headers.get("User-Agent", ""),
    )


def _signed_in(sender: Any, request: HttpRequest, user: User, **more: Any) -> None:
    heard(request, user, SignIn.Kind.SIGNED_IN)
    seat = current_seat(request)
    if seat is not None:
        note_arrival(seat, at=timezone.now())


def _happened(sender: Any, **told: Any) -> None:
    request, user, factor = told.get("request"), told.get("user"), told.get("authenticator")
    # Recovery codes come and go with the factor that they stand in for.
    stands_in = factor is not None and factor.type == Authenticator.Type.RECOVERY_CODES
    if stands_in and told["signal"] is not factors.authentication_failed:
        return
    if request is not None and isinstance(user, User):
        heard(request, user, _KINDS[told["signal"]])


def begin() -> None:
    """Start listening; once, when Django is ready."""
    account.user_logged_in.connect(_signed_in, dispatch_uid="web.signed_in")
    for signal in _KINDS:
        signal.connect(_happened, dispatch_uid="web.happened")
