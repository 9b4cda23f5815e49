"""The door for Mailchimp's webhook: verify, store raw, answer. No other work (contract 8)."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, HttpResponseNotFound
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from lockstep.apps.sync import webhooks


@csrf_exempt  # the secret in the URL and the signature stand for the session that Mailchimp has not
@require_http_methods(["GET", "HEAD", "POST"])
def mailchimp(request: HttpRequest, connection_id: int, secret: str) -> HttpResponse:
    """GET is how Mailchimp makes sure of the URL before it creates the webhook."""
    try:
        if request.method == "POST":
            signature = request.headers.get("X-Mailchimp-Signature", "")
            webhooks.receive(connection_id, secret, request.body, signature)
        else:
            webhooks.knows_secret(connection_id, secret)
    except webhooks.WebhookRefused:
        return HttpResponseNotFound()
    return HttpResponse(status=200)
