from django.urls import path

from lockstep.web.account import views

app_name = "account"

urlpatterns = [
    path("profile", views.profile, name="profile"),
    path("choose-company", views.choose_company, name="choose_company"),
]
