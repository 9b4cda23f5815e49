"""What every page does first and last: who is asking, in which company, may they, and page or fragment.

A view is a door: it checks (here), calls one service or query, and answers.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection
from typing import Any, Concatenate, ParamSpec, cast

from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseNotAllowed,
    HttpResponseRedirect,
)
from django.http.response import HttpResponseBase
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from django_htmx.http import HttpResponseClientRedirect
from django_htmx.middleware import HtmxDetails

from lockstep.apps.accounts import errors as accounts
from lockstep.apps.accounts.models import Company, Seat
from lockstep.apps.accounts.permissions import Actor, NotPermitted, Permission
from lockstep.apps.accounts.queries import with_second_factor
from lockstep.apps.book.errors import NotFound

__all__ = ["AskedRequest", "answer", "current_seat", "door", "go", "seats_of"]

P = ParamSpec("P")

COMPANY_IN_SESSION = "company"


class AskedRequest(HttpRequest):
    """A request after `door`: signed in, with a seat; what views may rely on."""

    htmx: HtmxDetails
    actor: Actor
    company: Company
    seat: Seat
    nav: str


def seats_of(request: HttpRequest) -> list[Seat]:
    """The seats that are open to who is signed in, oldest first; read once a request."""
    kept: list[Seat] | None = getattr(request, "_seats", None)
    if kept is None:
        user = getattr(request, "user", None)
        kept = []
        if user is not None and user.is_authenticated:
            open_to = Seat.objects.filter(user=user, deactivated_at=None).select_related("company", "user")
            kept = list(with_second_factor(open_to).order_by("id"))
        request._seats = kept  # type: ignore[attr-defined]  # kept with the request, as Django does
    return kept


def current_seat(request: HttpRequest) -> Seat | None:
    """The seat in the company that was chosen last, else the oldest; None without any."""
    seats = seats_of(request)
    chosen = request.session.get(COMPANY_IN_SESSION) if seats else None
    return next((seat for seat in seats if seat.company_id == chosen), seats[0] if seats else None)


def door(
    permission: Permission,
    *,
    nav: str = "",
    methods: Collection[str] = ("GET",),
    second_factor: bool = True,
) -> Callable[[Callable[Concatenate[AskedRequest, P], HttpResponseBase]], Callable[..., HttpResponseBase]]:
    """Let in who is signed in, has a seat and holds the permission; `nav` is the part of the sidebar.

    Without a session the answer leads to sign-in and back; a person without a
    seat or permission gets 403; what the company does not have is 404, whether
    it exists elsewhere or not. `methods` are those that the view takes
    (HEAD comes with GET). Where the company requires a second factor and the
    person has none yet, the answer leads to where one is added, unless
    `second_factor` is False. Dates are shown in the company's time zone.
    """

    def wrap(
        view: Callable[Concatenate[AskedRequest, P], HttpResponseBase],
    ) -> Callable[..., HttpResponseBase]:
        @functools.wraps(view)
        def behind_door(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if request.method not in methods and not (request.method == "HEAD" and "GET" in methods):
                return HttpResponseNotAllowed(list(methods))
            if not request.user.is_authenticated:
                return _to_sign_in(request)
            seat = current_seat(request)
            if seat is None:
                return refused(request, "You have no seat in any company here. Ask an admin to let you in.")
            asked = cast(AskedRequest, request)
            asked.seat, asked.company, asked.actor, asked.nav = seat, seat.company, seat.actor(), nav
            lacks_factor = seat.company.require_second_factor and not seat.has_second_factor  # type: ignore[attr-defined]  # annotated
            if second_factor and lacks_factor:
                return go(request, reverse("account:security"))
            with timezone.override(seat.company.zone):
                try:
                    asked.actor.require(permission)
                    return view(asked, *args, **kwargs)
                except NotPermitted as error:
                    return refused(request, str(error))
                except (NotFound, accounts.NotFound) as error:
                    raise Http404(str(error)) from error

        return behind_door

    return wrap


def refused(request: HttpRequest, reason: str) -> HttpResponse:
    """403 with the reason in words, as a page or as what htmx can show."""
    from lockstep.web.errors import error_response

    return error_response(request, 403, reason)


def _to_sign_in(request: HttpRequest) -> HttpResponse:
    if getattr(request, "htmx", False):
        # Back to the page one was on, not to the fragment.
        here = request.htmx.current_url_abs_path or settings.LOGIN_REDIRECT_URL  # type: ignore[attr-defined]
        return HttpResponseClientRedirect(f"{reverse(settings.LOGIN_URL)}?{urlencode({'next': here})}")
    if request.method != "GET":
        return redirect_to_login(settings.LOGIN_REDIRECT_URL)
    return redirect_to_login(request.get_full_path())


def answer(
    request: HttpRequest,
    template: str,
    context: dict[str, Any] | None = None,
    *,
    fragment: str = "",
    status: int = 200,
) -> HttpResponse:
    """The page; for htmx only `fragment` of it (a partial's name in the template), with any toasts.

    A restored page of the browser's history is always answered in full.
    """
    htmx: HtmxDetails | None = getattr(request, "htmx", None)
    as_fragment = bool(fragment) and bool(htmx) and not (htmx and htmx.history_restore_request)
    name = f"{template}#{fragment}" if as_fragment else template
    html = render_to_string(name, context, request)
    if as_fragment:
        html += render_to_string("web/parts/toasts_oob.html", None, request)
    response = HttpResponse(html, status=status)
    response["Vary"] = "HX-Request"
    return response


def go(request: HttpRequest, address: str) -> HttpResponse:
    """Lead to another page after something was done: 302, or what makes htmx do the same."""
    if getattr(request, "htmx", False):
        return HttpResponseClientRedirect(address)
    return HttpResponseRedirect(address)
