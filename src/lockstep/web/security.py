"""The Content-Security-Policy of every page: our own files only, no inline scripts."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest, HttpResponse

__all__ = ["ContentSecurityPolicyMiddleware"]


def _policy() -> str:
    # Browsers hold a form's redirects to form-action too: “Connect to Mailchimp” leads there.
    oauth = urlsplit(settings.MAILCHIMP_OAUTH_BASE_URL)
    forms = f"'self' {oauth.scheme}://{oauth.netloc}" if oauth.netloc else "'self'"
    return "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            # The widths of bars and the hues of avatars are style attributes.
            "style-src-attr 'unsafe-inline'",
            "img-src 'self' data:",
            "font-src 'self'",
            "connect-src 'self'",
            f"form-action {forms}",
            "base-uri 'none'",
            "frame-ancestors 'none'",
        )
    )


class ContentSecurityPolicyMiddleware:
    """Sets the policy where the view has not set one of its own."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response
        self._value = _policy()

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self._get_response(request)
        response.headers.setdefault("Content-Security-Policy", self._value)
        return response
