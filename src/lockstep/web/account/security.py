"""A person's own sign-in: password, second factor, and where they are signed in."""

from __future__ import annotations

from allauth.mfa.models import Authenticator
from allauth.usersessions.adapter import get_adapter
from allauth.usersessions.models import UserSession
from django.contrib import messages
from django.http import Http404, HttpResponse
from django.urls import reverse

from lockstep.apps.accounts.models import SignIn
from lockstep.apps.accounts.permissions import Permission
from lockstep.apps.accounts.queries import own_sign_ins
from lockstep.web.account.browsers import browser_name
from lockstep.web.account.hearing import heard
from lockstep.web.doors import AskedRequest, answer, door, go

__all__ = ["end_others", "end_session", "security"]


@door(Permission.VIEW_BOOK, nav="security", second_factor=False)
def security(request: AskedRequest) -> HttpResponse:
    user = request.seat.user
    factors = {kind: [] for kind in Authenticator.Type}
    for authenticator in Authenticator.objects.filter(user=user).order_by("created_at"):
        factors[Authenticator.Type(authenticator.type)].append(authenticator)
    codes = factors[Authenticator.Type.RECOVERY_CODES]
    has_factor = bool(factors[Authenticator.Type.TOTP] or factors[Authenticator.Type.WEBAUTHN])
    context = {
        "app": factors[Authenticator.Type.TOTP],
        "keys": factors[Authenticator.Type.WEBAUTHN],
        "codes_left": len(codes[0].wrap().get_unused_codes()) if codes else None,
        "has_factor": has_factor,
        "required": request.company.require_second_factor,
        "sessions": [
            {
                "session": session,
                "current": session.session_key == request.session.session_key,
                "browser": browser_name(session.user_agent),
            }
            for session in _sessions(request)
        ],
        "entries": own_sign_ins(request.actor),
    }
    return answer(request, "settings/security.html", context)


@door(Permission.VIEW_BOOK, nav="security", methods=("POST",), second_factor=False)
def end_others(request: AskedRequest) -> HttpResponse:
    """Sign out everywhere but here."""
    others = [one for one in _sessions(request) if one.session_key != request.session.session_key]
    get_adapter().end_sessions(others)
    if others:
        heard(request, request.seat.user, SignIn.Kind.OTHERS_ENDED)
    messages.success(request, "You are signed out everywhere but here.")
    return go(request, reverse("account:security"))


@door(Permission.VIEW_BOOK, nav="security", methods=("POST",), second_factor=False)
def end_session(request: AskedRequest, session_id: int) -> HttpResponse:
    """Sign out one of the others."""
    mine = {one.pk: one for one in _sessions(request) if one.session_key != request.session.session_key}
    if session_id not in mine:
        raise Http404("This session has ended already.")
    get_adapter().end_sessions([mine[session_id]])
    heard(request, request.seat.user, SignIn.Kind.OTHERS_ENDED)
    messages.success(request, "That browser is signed out.")
    return go(request, reverse("account:security"))


def _sessions(request: AskedRequest) -> list[UserSession]:
    """Where the person is signed in, this browser first, then the last used."""
    here = request.session.session_key
    found: list[UserSession] = UserSession.objects.purge_and_list(request.seat.user)
    found.sort(key=lambda one: one.last_seen_at, reverse=True)
    return sorted(found, key=lambda one: one.session_key != here)
