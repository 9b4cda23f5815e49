from django.urls import path

from lockstep.web.integrations import views

app_name = "integrations"

urlpatterns = [
    path("api", views.tokens, name="tokens"),
    path("api/<int:token_id>/revoke", views.revoke, name="revoke"),
]
