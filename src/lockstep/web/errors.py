"""Pages for what went wrong: what happened, and what to do now.

htmx swaps errors in like anything else, so it gets a toast that finds its own
place instead of a page that would land in the middle of a table.
"""

from __future__ import annotations

from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string

__all__ = ["bad_request", "csrf_failure", "error_response", "not_found", "permission_denied", "server_error"]

_TITLES = {
    400: "This request could not be read",
    403: "You need one more permission",
    404: "There is nothing here",
    500: "Something broke on our side",
}
_GLYPHS = {400: "alert-circle", 403: "lock", 404: "search", 500: "cloud-off"}
_REASONS = {
    400: "Go back, reload the page and try again.",
    403: "Your role does not include this. An admin of your company can change it.",
    404: "It does not exist, was deleted, or belongs to somebody else.",
    500: "Nothing was changed by this attempt. Try again; if it stays, tell your admin the time it happened.",
}


def error_response(request: HttpRequest, status: int, reason: str = "") -> HttpResponse:
    """An error as a page, or for htmx as a toast. Touches neither database nor session for a 500."""
    context = {
        "status": status,
        "glyph": _GLYPHS[status],
        "title": _TITLES[status],
        "reason": reason or _REASONS[status],
        "bare": status == 500 or not getattr(getattr(request, "user", None), "is_authenticated", False),
    }
    if getattr(request, "htmx", False):
        response = HttpResponse(render_to_string("web/parts/toast_error.html", context), status=status)
        response["HX-Retarget"], response["HX-Reswap"] = "#toasts", "beforeend"
        return response
    template = "web/error_bare.html" if context["bare"] else "web/error.html"
    return HttpResponse(
        render_to_string(template, context, None if context["bare"] else request), status=status
    )


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    if isinstance(exception, RequestDataTooBig):
        return error_response(
            request, 400, "The file is too large. Split it into several files and load each."
        )
    return error_response(request, 400)


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    return error_response(request, 403)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Says what is missing where the view said so; Django's own texts name addresses, so they stay inside."""
    words = str(exception) if str(exception).startswith("This ") else ""
    return error_response(request, 404, words)


def server_error(request: HttpRequest) -> HttpResponse:
    return error_response(request, 500)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    return error_response(
        request, 403, "This page was open too long or was opened twice. Reload it and try once more."
    )
