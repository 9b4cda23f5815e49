"""Access tokens: seen, made, revoked."""

from __future__ import annotations

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse
from django.urls import reverse
from django.utils import timezone

from lockstep.apps.accounts.permissions import Permission
from lockstep.apps.book.errors import Invalid
from lockstep.apps.integrations import queries
from lockstep.apps.integrations.services import create_token, revoke_token
from lockstep.web.doors import AskedRequest, answer, door, go
from lockstep.web.integrations.forms import TokenForm

__all__ = ["revoke", "tokens"]


@door(Permission.MANAGE_COMPANY, nav="api", methods=("GET", "POST"))
def tokens(request: AskedRequest) -> HttpResponse:
    """The tokens; a new one's secret is on the page that answers its making, and never again."""
    form = TokenForm(request.POST if request.method == "POST" else None)
    secret, status = "", 200
    if request.method == "POST":
        status = 422
        if form.is_valid():
            days = form.cleaned_data["days"]
            try:
                _, secret = create_token(
                    request.actor,
                    name=form.cleaned_data["name"],
                    scopes=form.cleaned_data["scopes"],
                    days=int(days) if days else None,
                )
                form, status = TokenForm(), 200
            except Invalid as error:
                for field, text in error.fields.items():
                    form.add_error(field or None, text)
    response = answer(
        request,
        "settings/api.html",
        {
            "form": form,
            "secret": secret,
            "tokens": queries.tokens(request.actor),
            "now": timezone.now(),
            "base": f"{settings.LOCKSTEP_BASE_URL}/api/v1",
        },
        status=status,
    )
    response["Cache-Control"] = "no-store"
    return response


@door(Permission.MANAGE_COMPANY, nav="api", methods=("POST",))
def revoke(request: AskedRequest, token_id: int) -> HttpResponse:
    token = revoke_token(request.actor, token_id=token_id)
    messages.success(request, f"The token “{token.name}” opens nothing any more.")
    return go(request, reverse("integrations:tokens"))
