"""The root of all addresses; each part keeps its own."""

from django.urls import include, path
from django.views.generic import RedirectView

from lockstep.api.application import api
from lockstep.project.health import healthz, metrics, readyz

urlpatterns = [
    path("healthz", healthz, name="healthz"),
    path("readyz", readyz, name="readyz"),
    path("metrics", metrics, name="metrics"),
    # One page tells of the second factor and of sessions; allauth's own lead there.
    path("accounts/2fa/", RedirectView.as_view(pattern_name="account:security")),
    path("accounts/sessions/", RedirectView.as_view(pattern_name="account:security")),
    path("api/v1/", api.urls),
    path("accounts/", include("allauth.urls")),
    path("", include("lockstep.web.urls")),
]

handler400 = "lockstep.web.errors.bad_request"
handler403 = "lockstep.web.errors.permission_denied"
handler404 = "lockstep.web.errors.not_found"
handler500 = "lockstep.web.errors.server_error"
