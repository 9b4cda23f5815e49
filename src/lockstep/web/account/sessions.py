"""Keeps when and from where each session was last used, without a write for every click."""

from __future__ import annotations

from collections.abc import Callable

from allauth.usersessions.models import UserSession
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

__all__ = ["SessionsMiddleware"]

_SEEN = "seen"
_EVERY = 300
"""Seconds between two notes about the same session."""


class SessionsMiddleware:
    """After the one of sign-in: `request.user` is known."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.session.session_key and request.user.is_authenticated:
            now = int(timezone.now().timestamp())
            if now - request.session.get(_SEEN, 0) >= _EVERY:
                request.session[_SEEN] = now
                UserSession.objects.create_from_request(request)
        return self._get_response(request)
