"""The root of all addresses; each part keeps its own."""

from django.urls import include, path

from lockstep.project.health import healthz

urlpatterns = [
    path("healthz", healthz, name="healthz"),
    path("accounts/", include("allauth.urls")),
]
